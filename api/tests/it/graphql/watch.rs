use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::{Value as Json, json};
use tokio::time::timeout;
use worker::executor::Executor;

use super::App;

const WATCH: &str = "subscription($id: ID!, $names: [String!], $after: Int) {
    simulationRunMetricsAppended(runId: $id, names: $names, afterSequence: $after) { sequence series { name values } } }";

fn names(message: &Json) -> Vec<&str> {
    let series = message["data"]["simulationRunMetricsAppended"]["series"].as_array();
    series.unwrap_or_else(|| panic!("{message}")).iter().map(|one| one["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_series_of_a_run_are_told_when_they_are_stored_and_then_no_more() {
    for app in App::all().await {
        let (ada, bob) = (app.premium("ada").await, app.register("bob").await);
        let (design, workload) = (ada.design("D", "PRIVATE").await["id"].clone(), ada.small_workload().await);
        ada.submit(&design, &workload).await;
        // An engine that waits until the subscriber is there.
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let wait = std::sync::Mutex::new(wait);
        let engine: worker::executor::Engine =
            std::sync::Arc::new(move |plan, workload, options, control| {
                wait.lock().unwrap().recv().unwrap();
                engine::simulate(plan, workload, options, control)
            });
        let executor = Executor::new(app.services.clone(), &app.config.worker).with_engine(engine);
        let running = tokio::spawn(async move { executor.drain().await.unwrap() });
        let id = loop {
            let data = ada.send("{ viewer { runs { nodes { id } } } }", json!({})).await;
            match data["viewer"]["runs"]["nodes"].get(0) {
                Some(run) => break run["id"].clone(),
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        };
        let mut messages = ada.subscribe(WATCH, json!({ "id": id, "names": ["throughput_qps"] }));
        let snapshot = messages.next().await.unwrap();
        assert_eq!(snapshot["data"]["simulationRunMetricsAppended"], json!({ "sequence": 0, "series": [] }));
        go.send(()).unwrap();
        let told = timeout(Duration::from_secs(20), messages.next()).await.unwrap().unwrap();
        assert_eq!(told["data"]["simulationRunMetricsAppended"]["sequence"], 1, "{}", app.kind());
        assert_eq!(names(&told), ["throughput_qps"]);
        assert!(timeout(Duration::from_secs(20), messages.next()).await.unwrap().is_none());
        running.await.unwrap();

        // Later everything comes at once, or nothing to who has it.
        let all: Vec<Json> = ada.subscribe(WATCH, json!({ "id": id })).collect().await;
        assert_eq!(all.len(), 1);
        assert!(names(&all[0]).len() > 1);
        let none: Vec<Json> = ada.subscribe(WATCH, json!({ "id": id, "after": 1 })).collect().await;
        assert_eq!(none[0]["data"]["simulationRunMetricsAppended"], json!({ "sequence": 1, "series": [] }));
        let hidden: Vec<Json> = bob.subscribe(WATCH, json!({ "id": id })).collect().await;
        assert_eq!(hidden[0]["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    }
}
