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

const UPDATE_WORKLOAD: &str = "mutation Update($input: WorkloadUpdateInput!) { workloadUpdate(input: $input) {
    workload { id name description operations { type weight } tables { name recordCount } config { totalOperations concurrency } variables }
    userErrors { code path message } } }";
const ARCHIVE: &str = "mutation Archive($input: WorkloadArchiveInput!) { workloadArchive(input: $input) {
    workload { id archivedAt } userErrors { code path } } }";
const FROM_TEMPLATE: &str = "mutation Create($input: WorkloadCreateInput!) { workloadCreate(input: $input) {
    workload { variables operations { type weight } config { totalOperations concurrency recordCount } }
    userErrors { code path message } } }";

async fn workload_template(person: super::Person<'_>, name: &str) -> serde_json::Value {
    let data = person.send("{ workloadTemplates(first: 100) { nodes { id name } } }", json!({})).await;
    let nodes = data["workloadTemplates"]["nodes"].as_array().unwrap();
    nodes.iter().find(|node| node["name"].as_str().unwrap().contains(name)).unwrap()["id"].clone()
}

#[tokio::test]
async fn variables_fill_the_mix_and_the_size_of_a_template() {
    for app in App::all().await {
        let ada = app.register("ada").await;
        let template = workload_template(ada, "YCSB A").await;
        let variables =
            json!({ "read_percent": 70, "total_operations": 1234, "record_count": 500, "concurrency": 3 });
        let input = json!({ "name": "Mine", "templateId": template, "variables": variables });
        let made = ada.mutate(FROM_TEMPLATE, input.clone()).await["workload"].clone();
        assert_eq!(made["variables"], variables, "{}", app.kind());
        assert_eq!(
            made["operations"],
            json!([{ "type": "SELECT", "weight": 70.0 }, { "type": "UPDATE", "weight": 30.0 }])
        );
        assert_eq!(
            made["config"],
            json!({ "totalOperations": "1234", "concurrency": 3, "recordCount": "500" })
        );

        let mut bad = input.clone();
        bad["variables"] =
            json!({ "read_percent": 170, "colour": "red", "record_count": "9000000000000000000" });
        let refused = ada.payload(FROM_TEMPLATE, bad).await;
        let mut paths: Vec<_> = refused["userErrors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| error["path"][2].as_str().unwrap())
            .collect();
        paths.sort_unstable();
        assert_eq!(paths, ["colour", "read_percent", "record_count"], "{refused}");
        let mut beyond = input.clone();
        beyond["variables"] = json!({ "concurrency": 4_000_000 });
        let refused = ada.payload(FROM_TEMPLATE, beyond).await;
        assert_eq!(
            refused["userErrors"][0]["path"],
            json!(["input", "variables", "concurrency"]),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn a_workload_is_changed_whole_or_not_at_all() {
    for app in App::all().await {
        let (ada, bob) = (app.premium("ada").await, app.register("bob").await);
        let id = ada.small_workload().await;
        let renamed =
            ada.mutate(UPDATE_WORKLOAD, json!({ "id": id, "name": "New", "description": "D" })).await;
        assert_eq!(
            (&renamed["workload"]["name"], &renamed["workload"]["operations"][0]["type"]),
            (&json!("New"), &json!("SELECT"))
        );
        let config = json!({ "totalOperations": "77", "recordCount": "10" });
        let tables = json!([{ "name": "main", "recordCount": "10", "recordBytes": 10 }, { "name": "more", "recordCount": "5", "recordBytes": 10 }]);
        let changed = ada
            .mutate(
                UPDATE_WORKLOAD,
                json!({ "id": id, "config": config, "tables": tables, "description": null }),
            )
            .await;
        assert_eq!(changed["workload"]["config"]["totalOperations"], "77", "{}", app.kind());
        assert_eq!(changed["workload"]["tables"][1]["name"], "more");
        assert_eq!(changed["workload"]["description"], json!(null));

        let operations =
            json!([{ "type": "SELECT", "template": "SELECT * FROM nowhere WHERE key = ?", "weight": 1 }]);
        let refused =
            ada.payload(UPDATE_WORKLOAD, json!({ "id": id, "name": "Lost", "operations": operations })).await;
        assert_eq!(refused["userErrors"][0]["path"][1], "operations", "{refused}");
        let cleared = ada.payload(UPDATE_WORKLOAD, json!({ "id": id, "config": null })).await;
        assert_eq!(cleared["userErrors"][0]["path"], json!(["input", "config"]));
        let data = ada.send("query($id: ID!) { workload(id: $id) { name } }", json!({ "id": id })).await;
        assert_eq!(data["workload"]["name"], "New");
        let stranger = bob.payload(UPDATE_WORKLOAD, json!({ "id": id, "name": "Mine" })).await;
        assert_eq!(stranger["userErrors"][0]["code"], "NOT_FOUND");
        let template = workload_template(ada, "YCSB A").await;
        let built_in = ada.payload(UPDATE_WORKLOAD, json!({ "id": template, "name": "Mine" })).await;
        assert_eq!(built_in["userErrors"][0]["code"], "FORBIDDEN");
    }
}

#[tokio::test]
async fn what_a_job_is_to_run_does_not_change_and_its_run_says_when_it_did_later() {
    for app in App::all().await {
        let ada = app.premium("ada").await;
        let (design, id) = (ada.design("D", "PRIVATE").await["id"].clone(), ada.small_workload().await);
        ada.submit(&design, &id).await;
        let config = json!({ "id": id, "config": { "totalOperations": "77" } });
        let refused = ada.payload(UPDATE_WORKLOAD, config.clone()).await;
        assert_eq!(refused["userErrors"][0]["code"], "CONFLICT", "{}", app.kind());
        ada.mutate(UPDATE_WORKLOAD, json!({ "id": id, "name": "Names are no content" })).await;
        app.drain().await;
        let warned = async || {
            let query = "query($id: ID!) { design(id: $id) { latestRun { status warnings { code } } } }";
            let run = ada.send(query, json!({ "id": design })).await["design"]["latestRun"].clone();
            assert_eq!(run["status"], "COMPLETED");
            run["warnings"].as_array().unwrap().iter().any(|warning| warning["code"] == "WORKLOAD_CHANGED")
        };
        assert!(!warned().await);
        ada.mutate(UPDATE_WORKLOAD, config).await;
        assert!(warned().await);
    }
}

#[tokio::test]
async fn an_archived_workload_is_hidden_and_not_run() {
    for app in App::all().await {
        let ada = app.premium("ada").await;
        let (design, id) = (ada.design("D", "PRIVATE").await["id"].clone(), ada.small_workload().await);
        let first = ada.mutate(ARCHIVE, json!({ "id": id })).await["workload"]["archivedAt"].clone();
        assert!(first.is_string());
        assert_eq!(
            ada.mutate(ARCHIVE, json!({ "id": id })).await["workload"]["archivedAt"],
            first,
            "{}",
            app.kind()
        );
        let data = ada.send("{ viewer { workloads { totalCount } } }", json!({})).await;
        assert_eq!(data["viewer"]["workloads"]["totalCount"], 0);
        let job = json!({ "idempotencyKey": "k", "designId": design, "workloadId": id });
        let refused = ada.payload(super::app::SUBMIT, job).await;
        assert_eq!(refused["userErrors"][0]["path"], json!(["input", "workloadId"]));
        let changed = ada.payload(UPDATE_WORKLOAD, json!({ "id": id, "name": "X" })).await;
        assert_eq!(changed["userErrors"][0]["code"], "FORBIDDEN");
    }
}
