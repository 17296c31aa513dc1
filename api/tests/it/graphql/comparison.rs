use serde_json::{Value as Json, json};

use super::{App, Person};

const COMPARE: &str = "query($ids: [ID!]!, $baseline: ID) { runComparison(runIds: $ids, baselineRunId: $baseline) {
    baseline { id } runs { id } summary
    metrics { name unit higherIsBetter significant winner { id } values { value deltaPercent run { id } } } } }";

async fn run(ada: Person<'_>, design: &Json, workload: &Json, key: &str, qps: f64, p99: f64) -> Json {
    let input = json!({
        "idempotencyKey": key, "designId": design, "workloadId": workload,
        "startedAt": "2026-01-01T00:00:00Z", "completedAt": "2026-01-01T00:00:10Z",
        "summary": { "throughputQps": qps, "latencyP99Ms": p99 },
    });
    const SAVE: &str = "mutation($input: SimulationRunSaveInput!) { simulationRunSave(input: $input) { run { id } userErrors { code } } }";
    ada.mutate(SAVE, input).await["run"]["id"].clone()
}

#[tokio::test]
async fn runs_are_put_side_by_side_with_a_winner_a_figure() {
    for app in App::all().await {
        let (ada, bob) = (app.register("ada").await, app.register("bob").await);
        let (design, workload) = (ada.design("D", "PRIVATE").await["id"].clone(), ada.small_workload().await);
        let slow = run(ada, &design, &workload, "a", 100.0, 2.0).await;
        let fast = run(ada, &design, &workload, "b", 150.0, 2.001).await;
        let (statements, data) =
            app.statements_of(ada.send(COMPARE, json!({ "ids": [slow, fast], "baseline": slow }))).await;
        // runs, designs, versions, workloads; a version is found with its design.
        assert!(statements <= 5, "{statements} statements on {}", app.kind());
        let compared = &data["runComparison"];
        assert_eq!((&compared["baseline"]["id"], &compared["runs"][1]["id"]), (&slow, &fast));
        let throughput = &compared["metrics"][0];
        assert_eq!(
            (
                &throughput["name"],
                &throughput["higherIsBetter"],
                &throughput["winner"]["id"],
                &throughput["significant"]
            ),
            (&json!("throughput_qps"), &json!(true), &fast, &json!(null)),
            "{}",
            app.kind()
        );
        assert_eq!(
            throughput["values"][1],
            json!({ "value": 150.0, "deltaPercent": 50.0, "run": { "id": fast } })
        );
        assert_eq!(compared["metrics"][1]["winner"], json!(null), "within noise");
        let said = compared["summary"].as_array().unwrap();
        assert!(said[0].as_str().unwrap().contains("50.0 % more than the baseline D v1"), "{said:?}");

        // One hidden run hides the comparison, as one that never was.
        assert_eq!(bob.send(COMPARE, json!({ "ids": [slow, fast] })).await["runComparison"], json!(null));
        assert_eq!(
            ada.send(COMPARE, json!({ "ids": [slow, "nonsense"] })).await["runComparison"],
            json!(null)
        );
        let eleven: Vec<_> = (0..11).map(|i| format!("x{i}")).collect();
        for bad in [
            json!({ "ids": [slow] }),
            json!({ "ids": eleven }),
            json!({ "ids": [slow, slow] }),
            json!({ "ids": [slow, fast], "baseline": "other" }),
        ] {
            assert_eq!(ada.error_code(COMPARE, bad).await, "BAD_USER_INPUT");
        }
    }
}

const ESTIMATE: &str =
    "query($design: ID!, $workload: ID!) { simulationEstimate(designId: $design, workloadId: $workload) {
    seconds memoryBytes allowed reason } }";

#[tokio::test]
async fn a_job_is_estimated_and_measured_by_the_plan_before_it_is_submitted() {
    for app in App::all().await {
        let (ada, bob) = (app.register("ada").await, app.register("bob").await);
        let (design, workload) = (ada.design("D", "PRIVATE").await["id"].clone(), ada.small_workload().await);
        let estimate = async |person: Person<'_>, design: &Json, workload: &Json| {
            let variables = json!({ "design": design, "workload": workload });
            person.send(ESTIMATE, variables).await["simulationEstimate"].clone()
        };
        let small = estimate(ada, &design, &workload).await;
        assert_eq!((&small["allowed"], &small["reason"]), (&json!(true), &json!(null)), "{}", app.kind());
        assert!(small["seconds"].as_f64().unwrap() > 0.0 && small["memoryBytes"].as_str().unwrap().len() > 6);
        assert_eq!(estimate(bob, &design, &workload).await, json!(null));
        assert_eq!(estimate(ada, &design, &json!("nonsense")).await, json!(null));

        let change = "mutation($input: WorkloadUpdateInput!) { workloadUpdate(input: $input) { userErrors { code } } }";
        let large = json!({ "totalOperations": "100001", "recordCount": "5000", "recordBytes": 200 });
        ada.mutate(change, json!({ "id": workload, "config": large })).await;
        let refused = estimate(ada, &design, &workload).await;
        assert_eq!(refused["allowed"], false);
        assert!(refused["reason"].as_str().unwrap().contains("100000"), "{refused}");
        let vast = json!({ "totalOperations": "10", "recordCount": "2000000000", "recordBytes": 200 });
        ada.mutate(change, json!({ "id": workload, "config": vast })).await;
        assert!(
            estimate(ada, &design, &workload).await["reason"].as_str().unwrap().contains("it would take")
        );

        // No block holds this table: told before anything is queued.
        let tables = json!([{ "name": "elsewhere", "recordCount": "10", "recordBytes": 10 }]);
        let operations =
            json!([{ "type": "SELECT", "template": "SELECT * FROM elsewhere WHERE key = ?", "weight": 1 }]);
        ada.mutate(change, json!({ "id": workload, "tables": tables, "operations": operations })).await;
        assert!(estimate(ada, &design, &workload).await["reason"].as_str().unwrap().contains("elsewhere"));
        let job = json!({ "idempotencyKey": "k", "designId": design, "workloadId": workload });
        let refused = ada.payload(super::app::SUBMIT, job).await;
        assert_eq!(refused["userErrors"][0]["path"], json!(["input", "designId"]), "{refused}");
        assert!(refused["userErrors"][0]["message"].as_str().unwrap().contains("elsewhere"));
    }
}

#[tokio::test]
async fn an_estimate_allows_whom_a_submission_would() {
    const SHARE: &str =
        "mutation($input: DesignCollaboratorSetInput!) { designCollaboratorSet(input: $input) {
        userErrors { code } } }";
    const WITH_RUN: &str = "query($id: ID!) { simulationJob(id: $id) { run { id } } }";
    for app in App::all().await {
        let ada = app.register("ada").await;
        let (editor, viewer) = (app.register("editor").await, app.register("viewer").await);
        let (design, workload) = (ada.design("D", "PRIVATE").await["id"].clone(), ada.small_workload().await);
        let own = editor.small_workload().await;
        let share = async |handle: &str, role: Option<&str>| {
            ada.mutate(SHARE, json!({ "designId": design, "handle": handle, "role": role })).await
        };
        share("editor", Some("EDITOR")).await;
        share("viewer", Some("VIEWER")).await;
        let allowed = async |person: Person<'_>, workload: &Json| {
            let variables = json!({ "design": design, "workload": workload });
            person.send(ESTIMATE, variables).await["simulationEstimate"]["allowed"].clone()
        };
        assert_eq!(allowed(ada, &workload).await, true);
        assert_eq!(allowed(editor, &own).await, true, "{}", app.kind());
        assert_eq!(allowed(viewer, &viewer.small_workload().await).await, false);

        // Who has lost a design keeps the job and not its run, nor what it tells of the design.
        let job = editor.submit(&design, &own).await["id"].clone();
        app.drain().await;
        let run = async || editor.send(WITH_RUN, json!({ "id": job })).await["simulationJob"]["run"].clone();
        assert!(run().await.is_object());
        share("editor", None).await;
        assert_eq!(run().await, json!(null), "{}", app.kind());
        assert_eq!(allowed(editor, &own).await, json!(null));
    }
}
