use serde_json::json;

use super::{App, app::CREATE_WORKLOAD};

#[tokio::test]
async fn a_workload_is_read_back_with_its_defaults() {
    for app in App::all().await {
        let ada = app.register("ada").await;
        let input = json!({
            "name": "Mix",
            "operations": [{ "type": "SELECT", "template": "SELECT * FROM orders WHERE key = ?", "weight": 3 }],
            "tables": [{ "name": "orders", "recordCount": "9007199254740993", "recordBytes": 100 }],
            "config": { "totalOperations": "10", "distribution": "ZIPFIAN" },
        });
        let mut small = input.clone();
        small["tables"][0]["recordCount"] = json!(1000);
        let workload = ada.mutate(CREATE_WORKLOAD, small).await["workload"].clone();
        assert_eq!(
            workload["tables"],
            json!([{ "name": "orders", "recordCount": "1000", "recordBytes": 100, "keyBytes": 8 }])
        );
        assert_eq!(workload["config"]["concurrency"], 1);
        assert_eq!(workload["config"]["distribution"], "ZIPFIAN");
        assert_eq!(workload["isTemplate"], false);
        // Above what the engine holds: told with the field.
        let refused = ada.payload(CREATE_WORKLOAD, input).await;
        assert_eq!(
            refused["userErrors"][0]["path"],
            json!(["input", "tables", "0", "recordCount"]),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn every_mistake_of_a_workload_is_told_in_the_names_of_the_api() {
    for app in App::all().await {
        let ada = app.register("ada").await;
        let input = json!({
            "name": "Mix",
            "operations": [{ "type": "SELECT", "template": "SELECT * FROM main WHERE key = ?", "weight": -1 }],
            "config": { "totalOperations": "0", "concurrency": 0 },
        });
        let payload = ada.payload(CREATE_WORKLOAD, input).await;
        let paths: Vec<String> = payload["userErrors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| {
                let path: Vec<_> =
                    error["path"].as_array().unwrap().iter().map(|part| part.as_str().unwrap()).collect();
                path.join(".")
            })
            .collect();
        for expected in
            ["input.operations.0.weight", "input.config.totalOperations", "input.config.concurrency"]
        {
            assert!(paths.iter().any(|path| path == expected), "{expected} in {paths:?}");
        }
    }
}

#[tokio::test]
async fn a_workload_made_of_a_template_has_its_operations() {
    for app in App::all().await {
        let ada = app.register("ada").await;
        let data = ada
            .send(
                "{ workloadTemplates { nodes { id name isTemplate operations { type weight } } } }",
                json!({}),
            )
            .await;
        let template = &data["workloadTemplates"]["nodes"][0];
        assert_eq!(template["isTemplate"], true);
        let input = json!({ "name": "Mine", "templateId": template["id"], "idempotencyKey": "k" });
        let made = ada.mutate(CREATE_WORKLOAD, input.clone()).await["workload"].clone();
        assert_eq!(
            made["operations"].as_array().unwrap().len(),
            template["operations"].as_array().unwrap().len()
        );
        assert_eq!(ada.mutate(CREATE_WORKLOAD, input).await["workload"]["id"], made["id"]);
        let listed = ada.send("{ viewer { workloads { totalCount nodes { id } } } }", json!({})).await;
        assert_eq!(
            listed["viewer"]["workloads"],
            json!({ "totalCount": 1, "nodes": [{ "id": made["id"] }] })
        );
    }
}

#[tokio::test]
async fn a_workload_is_hidden_until_a_readable_design_has_run_it() {
    for app in App::all().await {
        let (ada, bob) = (app.premium("ada").await, app.register("bob").await);
        let workload = ada.small_workload().await;
        const QUERY: &str = "query($id: ID!) { workload(id: $id) { name } }";
        assert_eq!(bob.send(QUERY, json!({ "id": workload })).await["workload"], json!(null));
        let design = ada.design("D", "PUBLIC").await["id"].clone();
        ada.submit(&design, &workload).await;
        assert_eq!(app.drain().await, 1);
        assert_eq!(
            bob.send(QUERY, json!({ "id": workload })).await["workload"]["name"],
            "Small",
            "{}",
            app.kind()
        );
    }
}
