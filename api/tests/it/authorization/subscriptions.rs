use serde_json::json;

use super::{Outcome, Row};

/// The rows of `Subscription`: what the first message says.
pub fn rows() -> Vec<Row> {
    vec![
        Row {
            spends: false,
            field: "Subscription.designChanged",
            document: "subscription($id: ID!) { designChanged(id: $id) { sequence } }".into(),
            variables: |scene| json!({ "id": scene.things.design }),
            outcome: Outcome::ByDesign([
                "UNAUTHENTICATED ok BAD_USER_INPUT ok             ok             BAD_USER_INPUT ok",
                "UNAUTHENTICATED ok ok             ok             ok             ok             ok",
                "UNAUTHENTICATED ok ok             ok             ok             ok             ok",
                "UNAUTHENTICATED ok BAD_USER_INPUT BAD_USER_INPUT BAD_USER_INPUT BAD_USER_INPUT ok",
            ]),
        },
        Row {
            spends: false,
            field: "Subscription.simulationRunMetricsAppended",
            document: "subscription($id: ID!) { simulationRunMetricsAppended(runId: $id) { sequence } }"
                .into(),
            variables: |scene| json!({ "id": scene.things.run }),
            outcome: Outcome::ByDesign([
                "BAD_USER_INPUT ok BAD_USER_INPUT ok             ok             BAD_USER_INPUT ok",
                "ok             ok ok             ok             ok             ok             ok",
                "ok             ok ok             ok             ok             ok             ok",
                "BAD_USER_INPUT ok BAD_USER_INPUT BAD_USER_INPUT BAD_USER_INPUT BAD_USER_INPUT ok",
            ]),
        },
        Row {
            spends: false,
            field: "Subscription.simulationJobUpdated",
            document: "subscription($id: ID!) { simulationJobUpdated(id: $id) { sequence } }".into(),
            variables: |scene| json!({ "id": scene.things.job }),
            outcome: Outcome::ByDesign(
                ["UNAUTHENTICATED ok BAD_USER_INPUT BAD_USER_INPUT BAD_USER_INPUT BAD_USER_INPUT BAD_USER_INPUT";
                    4],
            ),
        },
    ]
}
