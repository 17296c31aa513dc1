use futures_util::{StreamExt as _, future::join_all};
use serde_json::{Value as Json, json};

use super::{App, app::SUBMIT};

const JOB: &str = "query($id: ID!) { simulationJob(id: $id) { status progress attempt failure { code message retryable }
    queuePosition startedAt finishedAt run { status resultHash seed engineVersion summary { operations throughputQps } }
    maxAttempts attempts { number worker startedAt finishedAt failure { code message } } reused estimatedFinishAt
    submittedBy { handle } design { name } designVersion { number } workload { name } } }";
const CANCEL: &str =
    "mutation Cancel($input: SimulationJobCancelInput!) { simulationJobCancel(input: $input) {
    job { status } userErrors { code path } } }";
const WATCH: &str =
    "subscription($id: ID!, $after: Int) { simulationJobUpdated(id: $id, afterSequence: $after) {
    sequence job { id status progress run { status } } logs { sequence level message } } }";

#[tokio::test]
async fn a_job_is_queued_run_and_read_back() {
    for app in App::all().await {
        let ada = app.premium("ada").await;
        let design = ada.design("D", "PRIVATE").await["id"].clone();
        let workload = ada.small_workload().await;
        let job = ada.submit(&design, &workload).await;
        assert_eq!((&job["status"], &job["priority"]), (&json!("QUEUED"), &json!("HIGH")), "{}", app.kind());
        assert_eq!((&job["queuePosition"], &job["timeoutSeconds"]), (&json!(1), &json!(60)));
        assert_eq!(ada.send(JOB, json!({ "id": job["id"] })).await["simulationJob"]["run"], json!(null));

        assert_eq!(app.drain().await, 1);
        let data = ada.send(JOB, json!({ "id": job["id"] })).await;
        let done = &data["simulationJob"];
        assert_eq!((&done["status"], &done["progress"]), (&json!("COMPLETED"), &json!(1.0)), "{done}");
        assert_eq!(
            (&done["attempt"], &done["queuePosition"], &done["failure"]),
            (&json!(1), &json!(null), &json!(null))
        );
        assert_eq!(done["run"]["status"], "COMPLETED");
        assert_eq!(done["run"]["seed"], job["seed"]);
        assert_eq!(done["run"]["engineVersion"], engine::VERSION);
        assert_eq!(done["run"]["resultHash"].as_str().unwrap().len(), 64);
        assert_eq!(done["run"]["summary"]["operations"], "4000");
        assert!(done["run"]["summary"]["throughputQps"].as_f64().unwrap() > 0.0);
        let attempts = done["attempts"].as_array().unwrap();
        assert_eq!(attempts.len(), 1);
        assert_eq!((&attempts[0]["number"], &attempts[0]["failure"]), (&json!(1), &json!(null)));
        assert_eq!(attempts[0]["startedAt"], done["startedAt"]);
        assert!(attempts[0]["finishedAt"].is_string() && done["maxAttempts"].as_i64() > Some(1));
        assert_eq!((&done["reused"], &done["estimatedFinishAt"]), (&json!(false), &json!(null)));
        assert_eq!(
            (&done["designVersion"]["number"], &done["workload"]["name"]),
            (&json!(1), &json!("Small"))
        );
    }
}

#[tokio::test]
async fn the_same_seed_gives_the_same_result_and_another_seed_another() {
    for app in App::all().await {
        let ada = app.premium("ada").await;
        let design = ada.design("D", "PRIVATE").await["id"].clone();
        let workload = ada.small_workload().await;
        let mut hashes = Vec::new();
        for (key, seed) in [("a", "7"), ("b", "7"), ("c", "8")] {
            let input = json!({ "idempotencyKey": key, "designId": design, "workloadId": workload, "seed": seed, "fresh": true });
            let job = ada.mutate(SUBMIT, input).await["job"].clone();
            app.drain().await;
            let data = ada.send(JOB, json!({ "id": job["id"] })).await;
            hashes.push(data["simulationJob"]["run"]["resultHash"].clone());
        }
        assert_eq!(hashes[0], hashes[1], "{}", app.kind());
        assert_ne!(hashes[0], hashes[2], "{}", app.kind());
    }
}

#[tokio::test]
async fn an_identical_run_answers_unless_a_fresh_one_is_asked_for() {
    for app in App::all().await {
        let ada = app.premium("ada").await;
        let design = ada.design("D", "PRIVATE").await["id"].clone();
        let workload = ada.small_workload().await;
        let submit = async |key: &str, more: Json| {
            let mut input = json!({ "idempotencyKey": key, "designId": design, "workloadId": workload });
            input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            ada.mutate(SUBMIT, input).await["job"].clone()
        };
        let read =
            async |job: &Json| ada.send(JOB, json!({ "id": job["id"] })).await["simulationJob"].clone();
        let first = submit("a", json!({})).await;
        // What waits answers nobody yet.
        assert_eq!(submit("b", json!({})).await["status"], "QUEUED", "{}", app.kind());
        assert_eq!(app.drain().await, 2);

        let answered = submit("c", json!({})).await;
        assert_ne!(answered["id"], first["id"]);
        assert_eq!(answered["status"], "COMPLETED", "{}", app.kind());
        assert_eq!(app.drain().await, 0, "nothing is left to do");
        let (first, answered) = (read(&first).await, read(&answered).await);
        assert_eq!((&answered["reused"], &answered["progress"]), (&json!(true), &json!(1.0)));
        assert_eq!(answered["run"]["resultHash"], first["run"]["resultHash"]);
        assert_eq!((&answered["attempt"], &answered["attempts"]), (&json!(0), &json!([])));

        // What decides a result, and what asks for its own run.
        for (key, more) in [
            ("d", json!({ "seed": "2" })),
            ("e", json!({ "trace": "FULL" })),
            ("f", json!({ "maxEvents": 10 })),
            ("g", json!({ "fresh": true })),
        ] {
            assert_eq!(submit(key, more.clone()).await["status"], "QUEUED", "{more}");
        }
        app.drain().await;
        let another = ada.design("Another", "PRIVATE").await["id"].clone();
        let input = json!({ "idempotencyKey": "h", "designId": another, "workloadId": workload });
        let job = ada.mutate(SUBMIT, input).await["job"].clone();
        assert_eq!(job["status"], "QUEUED", "a run belongs to its design");
    }
}

#[tokio::test]
async fn the_same_submission_sent_many_times_at_once_is_one_job() {
    for app in App::all().await {
        let ada = app.premium("ada").await;
        let design = ada.design("D", "PRIVATE").await["id"].clone();
        let workload = ada.small_workload().await;
        let input = json!({ "idempotencyKey": "once", "designId": design, "workloadId": workload });
        let payloads = join_all((0..20).map(|_| ada.mutate(SUBMIT, input.clone()))).await;
        assert!(
            payloads.iter().all(|payload| payload["job"]["id"] == payloads[0]["job"]["id"]),
            "{}",
            app.kind()
        );
        assert_eq!(app.drain().await, 1);

        let mut other = input.clone();
        other["seed"] = json!("9");
        assert_eq!(ada.payload(SUBMIT, other).await["userErrors"][0]["code"], "IDEMPOTENCY_KEY_REUSED");
        let again = ada.mutate(SUBMIT, input).await;
        assert_eq!(
            (&again["job"]["id"], &again["job"]["status"]),
            (&payloads[0]["job"]["id"], &json!("COMPLETED"))
        );
    }
}

#[tokio::test]
async fn a_queued_job_that_is_canceled_never_starts_and_stays_canceled() {
    for app in App::all().await {
        let (ada, bob) = (app.premium("ada").await, app.register("bob").await);
        let design = ada.design("D", "PRIVATE").await["id"].clone();
        let workload = ada.small_workload().await;
        let id = ada.submit(&design, &workload).await["id"].clone();
        assert_eq!(bob.payload(CANCEL, json!({ "id": id })).await["userErrors"][0]["code"], "NOT_FOUND");
        assert_eq!(ada.mutate(CANCEL, json!({ "id": id })).await["job"]["status"], "CANCELED");
        assert_eq!(app.drain().await, 0, "{}", app.kind());
        assert_eq!(ada.payload(CANCEL, json!({ "id": id })).await["userErrors"][0]["code"], "NOT_CANCELABLE");
        let data = ada.send(JOB, json!({ "id": id })).await;
        assert_eq!(
            (&data["simulationJob"]["attempt"], &data["simulationJob"]["run"]),
            (&json!(0), &json!(null))
        );
    }
}

#[tokio::test]
async fn a_job_is_nobodys_business_but_its_submitters() {
    for app in App::all().await {
        let (ada, bob) = (app.premium("ada").await, app.premium("bob").await);
        let design = ada.design("D", "PUBLIC").await["id"].clone();
        let workload = ada.small_workload().await;
        let id = ada.submit(&design, &workload).await["id"].clone();
        for stranger in [bob, app.anonymous()] {
            assert_eq!(stranger.send(JOB, json!({ "id": id })).await["simulationJob"], json!(null));
            let mut messages = stranger.subscribe(WATCH, json!({ "id": id }));
            assert!(messages.next().await.unwrap()["errors"].is_array());
            assert!(messages.next().await.is_none());
        }
        let input = json!({ "idempotencyKey": "k", "designId": design, "workloadId": workload });
        assert_eq!(bob.payload(SUBMIT, input.clone()).await["userErrors"][0]["code"], "FORBIDDEN");
        assert_eq!(app.anonymous().error_code(SUBMIT, json!({ "input": input })).await, "UNAUTHENTICATED");
    }
}

#[tokio::test]
async fn the_free_plan_runs_small_jobs_in_the_standard_lane() {
    for app in App::all().await {
        let ada = app.register("ada").await;
        let design = ada.design("D", "PRIVATE").await["id"].clone();
        let small = ada.small_workload().await;
        let job = ada.submit(&design, &small).await;
        assert_eq!((&job["priority"], &job["timeoutSeconds"]), (&json!("NORMAL"), &json!(10)));

        let input = json!({
            "name": "Large",
            "operations": [{ "type": "SELECT", "template": "SELECT * FROM main WHERE key = ?", "weight": 1 }],
            "config": { "totalOperations": "100001" },
        });
        let large = ada.mutate(super::app::CREATE_WORKLOAD, input).await["workload"]["id"].clone();
        for (workload, timeout, path, limit) in
            [(&large, 10, "workloadId", 100_000), (&small, 11, "timeoutSeconds", 10)]
        {
            let input = json!({ "idempotencyKey": path, "designId": design, "workloadId": workload, "timeoutSeconds": timeout });
            let error = ada.payload(SUBMIT, input).await["userErrors"][0].clone();
            assert_eq!(
                (&error["__typename"], &error["code"]),
                (&json!("QuotaError"), &json!("QUOTA_EXCEEDED"))
            );
            assert_eq!((&error["path"], &error["limit"]), (&json!(["input", path]), &json!(limit)));
        }
    }
}

#[tokio::test]
async fn every_mistake_of_a_submission_names_its_field() {
    for app in App::all().await {
        let ada = app.premium("ada").await;
        let design = ada.design("D", "PRIVATE").await["id"].clone();
        let workload = ada.small_workload().await;
        let good = json!({ "idempotencyKey": "k", "designId": design, "workloadId": workload });
        for (field, value) in [
            ("idempotencyKey", json!("")),
            ("designId", json!("nonsense")),
            ("designVersion", json!(99)),
            ("workloadId", design.clone()),
            ("timeoutSeconds", json!(0)),
            ("seed", json!("-1")),
            ("maxEvents", json!(-1)),
        ] {
            let mut input = good.clone();
            input[field] = value;
            let payload = ada.payload(SUBMIT, input).await;
            assert_eq!(payload["userErrors"][0]["path"], json!(["input", field]), "{payload}");
            assert_eq!(payload["job"], json!(null));
        }
    }
}

#[tokio::test]
async fn a_watched_job_is_told_from_its_snapshot_to_its_end() {
    for app in App::all().await {
        let ada = app.premium("ada").await;
        let design = ada.design("D", "PRIVATE").await["id"].clone();
        let workload = ada.small_workload().await;
        let id = ada.submit(&design, &workload).await["id"].clone();
        let messages = ada.subscribe(WATCH, json!({ "id": id }));
        let mut messages = messages.map(|message| message["data"]["simulationJobUpdated"].clone());
        let first = messages.next().await.unwrap();
        assert_eq!(first["job"]["status"], "QUEUED");
        assert_eq!(first["logs"][0]["message"], "queued");

        let (rest, drained) = tokio::join!(messages.collect::<Vec<Json>>(), app.drain());
        assert_eq!(drained, 1);
        let last = rest.last().unwrap();
        assert_eq!(
            (&last["job"]["status"], &last["job"]["run"]["status"]),
            (&json!("COMPLETED"), &json!("COMPLETED"))
        );
        let sequences: Vec<i64> = std::iter::once(&first)
            .chain(&rest)
            .map(|message| message["sequence"].as_i64().unwrap())
            .collect();
        assert!(sequences.is_sorted_by(|one, next| one < next), "{sequences:?} on {}", app.kind());
        let lines = rest.iter().flat_map(|message| message["logs"].as_array().unwrap());
        assert!(lines.map(|line| line["sequence"].as_i64().unwrap()).is_sorted_by(|one, next| one < next));

        // Coming back later: the snapshot again, with the lines that were not seen.
        let again =
            ada.subscribe(WATCH, json!({ "id": id, "after": sequences.last() })).collect::<Vec<Json>>().await;
        assert_eq!(again.len(), 1);
        assert_eq!(again[0]["data"]["simulationJobUpdated"]["logs"], json!([]));
    }
}

#[tokio::test]
async fn a_users_jobs_are_listed_with_their_logs_by_status() {
    for app in App::all().await {
        let (ada, bob) = (app.premium("ada").await, app.register("bob").await);
        let (design, workload) = (ada.design("D", "PUBLIC").await["id"].clone(), ada.small_workload().await);
        let mut ids = vec![ada.submit(&design, &workload).await["id"].clone()];
        app.drain().await;
        for _ in 0..2 {
            ids.push(ada.submit(&design, &workload).await["id"].clone());
        }
        ids.reverse();
        let list = async |arguments: &str| {
            let query = format!(
                "{{ viewer {{ jobs({arguments}) {{ totalCount nodes {{ id }} pageInfo {{ hasNextPage endCursor }} }} }} }}"
            );
            ada.send(&query, json!({})).await["viewer"]["jobs"].clone()
        };
        let first = list("first: 2").await;
        assert_eq!(first["nodes"], json!([{ "id": ids[0] }, { "id": ids[1] }]), "{}", app.kind());
        assert_eq!((&first["totalCount"], &first["pageInfo"]["hasNextPage"]), (&json!(3), &json!(true)));
        let rest = list(&format!("first: 2, after: {}", first["pageInfo"]["endCursor"])).await;
        assert_eq!(rest["nodes"], json!([{ "id": ids[2] }]));
        assert_eq!(list("status: [QUEUED]").await["totalCount"], 2);
        assert_eq!(list("status: [COMPLETED]").await["nodes"], json!([{ "id": ids[2] }]));

        const LOGS: &str = "query($id: ID!, $last: Int, $level: LogLevel) { simulationJob(id: $id) {
            logs(last: $last, minLevel: $level) { totalCount nodes { sequence message level } } } }";
        let logs = async |variables: Json| ada.send(LOGS, variables).await["simulationJob"]["logs"].clone();
        let all = logs(json!({ "id": ids[2] })).await;
        assert_eq!((&all["totalCount"], &all["nodes"][0]["message"]), (&json!(3), &json!("queued")), "{all}");
        let last = logs(json!({ "id": ids[2], "last": 1 })).await;
        assert!(last["nodes"][0]["message"].as_str().unwrap().starts_with("finished"), "{last}");
        assert_eq!(logs(json!({ "id": ids[2], "level": "WARN" })).await["totalCount"], 0);
        let others = "query($id: ID!) { design(id: $id) { owner { jobs { totalCount } runs { totalCount } sessions { id } } } }";
        let data = bob.send(others, json!({ "id": design })).await;
        assert_eq!(data["design"]["owner"], json!({ "jobs": null, "runs": null, "sessions": null }));
    }
}
