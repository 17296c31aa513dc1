use futures_util::StreamExt as _;
use serde_json::{Value as Json, json};

use super::App;

/// A tab of the playground: its document and its variables.
macro_rules! tab {
    ($name:literal) => {
        (include_str!(concat!("../../../graphiql/src/tabs/", $name, ".graphql")), json!({}))
    };
    ($name:literal, with variables) => {
        (
            include_str!(concat!("../../../graphiql/src/tabs/", $name, ".graphql")),
            serde_json::from_str(include_str!(concat!("../../../graphiql/src/tabs/", $name, ".json")))
                .unwrap(),
        )
    };
}

#[tokio::test]
async fn the_default_tabs_fit_the_schema() {
    for app in App::all().await {
        let ada = app.premium("ada").await;
        let tabs: [(&str, Json); 5] = [
            tab!("catalogue"),
            tab!("designs-with-runs"),
            tab!("sign-in", with variables),
            tab!("submit-simulation", with variables),
            tab!("validate-canvas", with variables),
        ];
        for (document, variables) in tabs {
            ada.send(document, variables).await;
        }
        let (document, variables) = tab!("job-updates", with variables);
        let refused = ada.subscribe(document, variables).next().await.unwrap();
        assert_eq!(refused["errors"][0]["message"], "there is no such job");
    }
}

#[tokio::test]
async fn the_canvas_in_the_playground_is_valid() {
    for app in App::all().await {
        let (document, variables) = tab!("validate-canvas", with variables);
        let data = app.anonymous().send(document, variables).await;
        assert_eq!(data["canvasValidate"]["valid"], true, "{data:#}");
    }
}
