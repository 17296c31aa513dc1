use std::collections::HashMap;

use serde_json::json;

use super::App;

#[tokio::test]
async fn every_template_is_valid_and_suggests_a_workload() {
    for app in App::all().await {
        const QUERY: &str = "{ templates(first: 100) { totalCount nodes { slug name category canvas { raw } suggestedWorkload { isTemplate } } } }";
        let data = app.anonymous().send(QUERY, json!({})).await;
        let mut categories: HashMap<String, usize> = HashMap::new();
        for node in data["templates"]["nodes"].as_array().unwrap() {
            *categories.entry(node["category"].as_str().unwrap().to_owned()).or_default() += 1;
            assert_eq!(node["suggestedWorkload"]["isTemplate"], true, "{}", node["slug"]);
            const VALIDATE: &str = "query($canvas: JSON!) { canvasValidate(canvas: $canvas) { valid diagnostics { code } plan } }";
            let checked = app.anonymous().send(VALIDATE, json!({ "canvas": node["canvas"]["raw"] })).await;
            assert_eq!(checked["canvasValidate"]["valid"], true, "{}", node["slug"]);
            assert_eq!(checked["canvasValidate"]["diagnostics"], json!([]), "{}", node["slug"]);
            assert!(checked["canvasValidate"]["plan"].is_string());
        }
        for category in ["OLTP", "OLAP", "WRITE_HEAVY"] {
            assert!(categories[category] >= 2, "{categories:?}");
        }
    }
}

#[tokio::test]
async fn seeding_again_changes_nothing() {
    for app in App::all().await {
        const QUERY: &str = "{ templates(first: 100) { nodes { id slug } } workloadTemplates(first: 100) { nodes { id updatedAt } } }";
        let before = app.anonymous().send(QUERY, json!({})).await;
        api::service::templates::seed(&app.services).await.unwrap();
        assert_eq!(app.anonymous().send(QUERY, json!({})).await, before, "{}", app.kind());
    }
}

#[tokio::test]
async fn the_palette_tells_ports_and_a_schema_for_each_block() {
    for app in App::all().await {
        const QUERY: &str = r#"{ blockTypes(search: "buffer", category: BUFFER) {
            type title category inputs { name } outputs { name accepts required many } parameterSchema events } }"#;
        let data = app.anonymous().send(QUERY, json!({})).await;
        let pool = data["blockTypes"]
            .as_array()
            .unwrap()
            .iter()
            .find(|block| block["type"] == "buffer-pool")
            .unwrap();
        assert_eq!(pool["outputs"][0]["name"], "device");
        assert_eq!(pool["outputs"][0]["accepts"], json!(["DEVICE"]));
        assert_eq!(pool["parameterSchema"]["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert!(pool["parameterSchema"]["properties"].as_object().is_some_and(|fields| !fields.is_empty()));
    }
}

#[tokio::test]
async fn a_canvas_of_any_json_gets_diagnostics() {
    for app in App::all().await {
        for canvas in [
            json!(null),
            json!([]),
            json!("x"),
            json!({}),
            json!({ "blocks": [1, { "id": 2 }], "connections": {} }),
        ] {
            const VALIDATE: &str = "query($canvas: JSON!) { canvasValidate(canvas: $canvas) { valid diagnostics { message path severity } plan } }";
            let response = app.anonymous().response(VALIDATE, json!({ "canvas": canvas })).await;
            if canvas.is_null() {
                assert!(response["errors"].is_array(), "a required argument cannot be null");
                continue;
            }
            let checked = &response["data"]["canvasValidate"];
            assert_eq!((&checked["valid"], &checked["plan"]), (&json!(false), &json!(null)), "{canvas}");
            assert!(!checked["diagnostics"].as_array().unwrap().is_empty(), "{canvas}");
        }
    }
}

#[test]
fn the_committed_schema_is_the_schema_of_the_code() {
    let committed = include_str!("../../../../schema.graphql");
    let current = api::graphql::sdl();
    assert!(
        committed == current,
        "schema.graphql is out of date: run `cargo run -- schema > schema.graphql`"
    );
}
