use serde_json::json;

use super::{Outcome, READ, Row, stage::Scene};

/// Nothing about it is anyone's.
const EVERYONE: Outcome = Outcome::Always("ok ok ok ok ok ok ok");
/// What is the viewer's own: there is a viewer or there is none.
const SIGNED_IN: Outcome = Outcome::Always("null ok ok ok ok ok ok");
/// What is the owner's alone, whatever becomes of designs.
const OWNERS: Outcome = Outcome::Always("null ok null null null null null");
/// What an owner keeps for themselves though it hangs on a design: a job is its submitter's.
const SUBMITTERS: Outcome = Outcome::ByDesign(["null ok null null null null null"; 4]);

fn row(
    field: &'static str,
    document: &str,
    variables: fn(&Scene<'_>) -> serde_json::Value,
    outcome: Outcome,
) -> Row {
    Row { field, document: document.to_owned(), variables, outcome, spends: false }
}

/// A query of a field that takes an id.
fn by_id(field: &'static str, variables: fn(&Scene<'_>) -> serde_json::Value, outcome: Outcome) -> Row {
    let (_, name) = field.split_once('.').unwrap();
    row(field, &format!("query($id: ID!) {{ {name}(id: $id) {{ __typename id }} }}"), variables, outcome)
}

/// The rows of `Query`.
pub fn rows() -> Vec<Row> {
    let estimate = "query($design: ID!, $workload: ID!) { simulationEstimate(designId: $design, workloadId: $workload) { seconds } }";
    vec![
        by_id("Query.design", |scene| json!({ "id": scene.things.design }), READ),
        by_id("Query.workload", |scene| json!({ "id": scene.things.workload }), READ),
        by_id("Query.simulationRun", |scene| json!({ "id": scene.things.run }), READ),
        by_id("Query.simulationJob", |scene| json!({ "id": scene.things.job }), SUBMITTERS),
        by_id("Query.node", |scene| json!({ "id": scene.things.design }), READ),
        by_id("Query.node", |scene| json!({ "id": scene.things.version }), READ),
        by_id("Query.node", |scene| json!({ "id": scene.things.branch }), READ),
        by_id("Query.node", |scene| json!({ "id": scene.things.workload }), READ),
        by_id("Query.node", |scene| json!({ "id": scene.things.run }), READ),
        by_id("Query.node", |scene| json!({ "id": scene.things.event }), READ),
        by_id("Query.node", |scene| json!({ "id": scene.things.job }), SUBMITTERS),
        by_id("Query.node", |scene| json!({ "id": scene.things.block_config }), OWNERS),
        by_id("Query.node", |scene| json!({ "id": scene.things.export }), OWNERS),
        by_id("Query.node", |scene| json!({ "id": scene.things.user }), EVERYONE),
        by_id("Query.node", |scene| json!({ "id": scene.stage.template }), EVERYONE),
        row(
            "Query.nodes",
            "query($ids: [ID!]!) { nodes(ids: $ids) { id } }",
            |scene| {
                let things = scene.things;
                json!({ "ids": [things.design, things.version, things.branch, things.workload, things.run, things.event] })
            },
            READ,
        ),
        // A link opens nothing private, not even to the owner: it is for those who have nothing else.
        row(
            "Query.designByShareToken",
            "query($token: String!) { designByShareToken(token: $token) { id } }",
            |scene| json!({ "token": scene.things.share_token }),
            Outcome::ByDesign([
                "null null null null null null null",
                "ok   ok   ok   ok   ok   ok   ok",
                "ok   ok   ok   ok   ok   ok   ok",
                "null null null null null null null",
            ]),
        ),
        // Being allowed to open a design is not having it in one's lists.
        row(
            "Query.designs",
            "query($name: String!) { designs(filter: { search: $name, includeArchived: true }) { totalCount nodes { id } } }",
            |scene| json!({ "name": scene.things.name }),
            Outcome::ByDesign([
                "null ok null ok   ok   null null",
                "null ok null ok   ok   null null",
                "ok   ok ok   ok   ok   ok   ok",
                "null ok null null null null null",
            ]),
        ),
        row(
            "Query.runComparison",
            "query($runs: [ID!]!) { runComparison(runIds: $runs) { runs { id } } }",
            |scene| json!({ "runs": [scene.stage.public.run, scene.things.run] }),
            READ,
        ),
        row(
            "Query.simulationEstimate",
            estimate,
            |scene| json!({ "design": scene.things.design, "workload": scene.stage.workload_template }),
            READ,
        ),
        row(
            "Query.simulationEstimate",
            estimate,
            |scene| json!({ "design": scene.stage.public.design, "workload": scene.things.workload }),
            READ,
        ),
        row("Query.viewer", "{ viewer { email } }", |_| json!({}), SIGNED_IN),
        row("Query.blockConfigs", "{ blockConfigs { totalCount } }", |_| json!({}), SIGNED_IN),
        row("Query.templates", "{ templates { nodes { id } } }", |_| json!({}), EVERYONE),
        row("Query.workloadTemplates", "{ workloadTemplates { nodes { id } } }", |_| json!({}), EVERYONE),
        row("Query.blockTypes", "{ blockTypes { type } }", |_| json!({}), EVERYONE),
        row(
            "Query.canvasValidate",
            "query($canvas: JSON!) { canvasValidate(canvas: $canvas) { valid } }",
            |_| json!({ "canvas": { "blocks": [], "connections": [] } }),
            EVERYONE,
        ),
        // Without a gateway in front nothing is limited.
        row(
            "Query.rateLimit",
            "{ rateLimit { limit } }",
            |_| json!({}),
            Outcome::Always("null null null null null null null"),
        ),
    ]
}
