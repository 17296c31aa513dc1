use serde_json::{Value as Json, json};

use super::{App, Person};

const SAVE: &str = "mutation Save($input: SimulationRunSaveInput!) { simulationRunSave(input: $input) {
    run { id engine status startedAt completedAt seed engineVersion resultHash metricsRaw warnings { code }
      summary { throughputQps latencyP99Ms totalIoPages cacheHitRatio latencyMeanMs } operations { name operations }
      workload { id } designVersion { number } events(first: 100) { totalCount nodes { sequence time type blockId payload } } }
    userErrors { __typename code path message ... on QuotaError { limit used resetAt } } } }";
const APPEND: &str =
    "mutation Append($input: SimulationRunEventsAppendInput!) { simulationRunEventsAppend(input: $input) {
    acceptedCount run { events(first: 1000) { totalCount } } userErrors { __typename code path } } }";

fn events(sequences: std::ops::Range<i32>) -> Json {
    let event = |sequence| {
        json!({ "sequence": sequence, "time": "2026-01-01T00:00:00.000001Z", "type": "page_read",
            "blockId": "disk", "payload": { "page": sequence } })
    };
    sequences.map(event).collect()
}

fn run(key: &str, design: &Json, workload: &Json) -> Json {
    json!({
        "idempotencyKey": key, "designId": design, "workloadId": workload,
        "startedAt": "2026-01-01T00:00:00Z", "completedAt": "2026-01-01T00:00:10Z",
        "summary": { "throughputQps": 100.5, "latencyP99Ms": 2.5, "totalIoPages": "12", "cacheHitRatio": 0.5 },
    })
}

async fn ready(app: &App) -> (Person<'_>, Json, Json) {
    let ada = app.register("ada").await;
    let design = ada.design("D", "PRIVATE").await["id"].clone();
    let workload = ada.small_workload().await;
    (ada, design, workload)
}

fn paths(payload: &Json) -> Vec<String> {
    let errors = payload["userErrors"].as_array().unwrap();
    let path = |error: &Json| {
        let parts = error["path"].as_array().unwrap();
        parts.iter().map(|part| part.as_str().unwrap()).collect::<Vec<_>>().join(".")
    };
    errors.iter().map(path).collect()
}

#[tokio::test]
async fn a_run_of_a_client_is_kept_and_read_back_whole() {
    for app in App::all().await {
        let (ada, design, workload) = ready(&app).await;
        let mut input = run("k", &design, &workload);
        input["seed"] = json!("7");
        input["engineVersion"] = json!("1.2.3");
        input["resultHash"] = json!("abc");
        input["metrics"] = json!({ "operations": [{ "name": "read", "operations": 9, "throughput_qps": 1.0,
            "latency_mean_ms": 1.0, "latency_p50_ms": 1.0, "latency_p95_ms": 1.0, "latency_p99_ms": 1.0 }], "mine": [1] });
        input["events"] = events(0..3);
        let saved = ada.mutate(SAVE, input.clone()).await["run"].clone();
        assert_eq!((&saved["engine"], &saved["status"]), (&json!("CLIENT"), &json!("COMPLETED")));
        assert_eq!(
            saved["summary"],
            json!({ "throughputQps": 100.5, "latencyP99Ms": 2.5, "totalIoPages": "12", "cacheHitRatio": 0.5,
                "latencyMeanMs": null })
        );
        assert_eq!(saved["operations"], json!([{ "name": "read", "operations": "9" }]));
        assert_eq!(saved["metricsRaw"]["mine"], json!([1]), "{}", app.kind());
        assert_eq!((&saved["seed"], &saved["resultHash"]), (&json!("7"), &json!("abc")));
        assert_eq!(saved["designVersion"]["number"], 1);
        assert_eq!(saved["events"]["totalCount"], 3);
        assert_eq!(
            saved["events"]["nodes"][2],
            json!({ "sequence": 2, "time": "2026-01-01T00:00:00.000001+00:00", "type": "page_read",
                "blockId": "disk", "payload": { "page": 2 } })
        );

        // The same call again is the same run; another under its key is refused.
        assert_eq!(ada.mutate(SAVE, input.clone()).await["run"]["id"], saved["id"]);
        input["summary"]["throughputQps"] = json!(1);
        let reused = ada.payload(SAVE, input).await;
        assert_eq!(reused["userErrors"][0]["code"], "IDEMPOTENCY_KEY_REUSED");
        let listed =
            ada.send("{ viewer { runs { totalCount } plan { eventStorageUsedBytes } } }", json!({})).await;
        assert_eq!(listed["viewer"]["runs"]["totalCount"], 1, "{}", app.kind());
        assert_ne!(listed["viewer"]["plan"]["eventStorageUsedBytes"], "0");
    }
}

#[tokio::test]
async fn every_mistake_of_a_saved_run_is_told_with_its_place() {
    for app in App::all().await {
        let (ada, design, workload) = ready(&app).await;
        let mut input = run("", &design, &workload);
        input["completedAt"] = json!("2025-12-31T00:00:00Z");
        input["summary"] = json!({ "throughputQps": -1, "cacheHitRatio": 1.5, "totalIoPages": "-1" });
        input["metrics"] = json!({ "blocks": 1 });
        input["series"] = json!([
            { "name": "a", "startTime": "2026-01-01T00:00:00Z", "offsetsMs": [0, 0], "values": [1, 2] },
            { "name": "", "startTime": "2025-01-01T00:00:00Z", "offsetsMs": [0], "values": [] },
        ]);
        input["events"] = json!([
            { "sequence": 1, "time": "2026-01-01T00:00:00Z", "type": "", "blockId": "b", "payload": {} },
            { "sequence": 1, "time": "2025-01-01T00:00:00Z", "type": "t", "blockId": "b", "payload": { "x": "\u{0}" } },
        ]);
        input["eventCount"] = json!(1);
        let payload = ada.payload(SAVE, input).await;
        let found = paths(&payload);
        for expected in [
            "input.idempotencyKey",
            "input.completedAt",
            "input.summary.throughputQps",
            "input.summary.cacheHitRatio",
            "input.summary.totalIoPages",
            "input.metrics.blocks",
            "input.series.0.offsetsMs",
            "input.series.1.name",
            "input.series.1.startTime",
            "input.series.1.values",
            "input.events.0.type",
            "input.events.1.sequence",
            "input.events.1.time",
            "input.events.1.payload",
            "input.eventCount",
        ] {
            assert!(found.iter().any(|path| path == expected), "{expected} in {found:?}");
        }
        assert_eq!(found.len(), 15, "{found:?}");
        let listed = ada.send("{ viewer { runs { totalCount } } }", json!({})).await;
        assert_eq!(listed["viewer"]["runs"]["totalCount"], 0, "{}", app.kind());

        let mut many = run("many", &design, &workload);
        many["events"] = events(0..1001);
        let refused = ada.payload(SAVE, many).await;
        assert_eq!(refused["userErrors"][0]["code"], "TOO_LARGE");
    }
}

#[tokio::test]
async fn only_who_may_run_a_design_may_keep_a_run_of_it() {
    for app in App::all().await {
        let (ada, design, workload) = ready(&app).await;
        let public = ada.design("P", "PUBLIC").await["id"].clone();
        let bob = app.register("bob").await;
        let code = async |input: Json| bob.payload(SAVE, input).await["userErrors"][0]["code"].clone();
        let own_workload = bob.small_workload().await;
        assert_eq!(code(run("a", &design, &own_workload)).await, "NOT_FOUND", "{}", app.kind());
        assert_eq!(code(run("b", &public, &own_workload)).await, "FORBIDDEN");
        let own = bob.design("B", "PRIVATE").await["id"].clone();
        assert_eq!(code(run("c", &own, &workload)).await, "NOT_FOUND");
        assert_eq!(
            app.anonymous().error_code(SAVE, json!({ "input": run("d", &public, &workload) })).await,
            "UNAUTHENTICATED"
        );
        // A key that failed is free for the next try.
        bob.mutate(SAVE, run("c", &own, &own_workload)).await;
    }
}

#[tokio::test]
async fn events_sent_again_change_nothing() {
    for app in App::all().await {
        let (ada, design, workload) = ready(&app).await;
        let id = ada.mutate(SAVE, run("k", &design, &workload)).await["run"]["id"].clone();
        let first = ada.mutate(APPEND, json!({ "runId": id, "events": events(0..1000) })).await;
        assert_eq!(
            (&first["acceptedCount"], &first["run"]["events"]["totalCount"]),
            (&json!(1000), &json!(1000))
        );
        let again = ada.mutate(APPEND, json!({ "runId": id, "events": events(0..1000) })).await;
        assert_eq!(
            (&again["acceptedCount"], &again["run"]["events"]["totalCount"]),
            (&json!(0), &json!(1000))
        );
        let overlapping = ada.mutate(APPEND, json!({ "runId": id, "events": events(990..1010) })).await;
        assert_eq!(overlapping["acceptedCount"], 10, "{}", app.kind());
        assert_eq!(overlapping["run"]["events"]["totalCount"], 1010);
        let twice =
            ada.payload(APPEND, json!({ "runId": id, "events": [events(5..6)[0], events(5..6)[0]] })).await;
        assert_eq!(paths(&twice), ["input.events.1.sequence"]);
        let many = ada.payload(APPEND, json!({ "runId": id, "events": events(0..1001) })).await;
        assert_eq!(many["userErrors"][0]["code"], "TOO_LARGE");
        let bob = app.register("bob").await;
        let hidden = bob.payload(APPEND, json!({ "runId": id, "events": events(0..1) })).await;
        assert_eq!(hidden["userErrors"][0]["code"], "NOT_FOUND");
    }
}

#[tokio::test]
async fn the_runs_of_the_server_take_no_events_of_others() {
    for app in App::all().await {
        let (ada, design, workload) = ready(&app).await;
        ada.submit(&design, &workload).await;
        app.drain().await;
        let data = ada.send("{ viewer { runs { nodes { id } } } }", json!({})).await;
        let id = &data["viewer"]["runs"]["nodes"][0]["id"];
        let refused = ada.payload(APPEND, json!({ "runId": id, "events": events(0..1) })).await;
        assert_eq!(refused["userErrors"][0]["code"], "FORBIDDEN", "{}", app.kind());
    }
}

#[tokio::test]
async fn the_free_plan_stores_so_many_bytes_of_events() {
    for app in App::all().await {
        let (ada, design, workload) = ready(&app).await;
        let id = ada.mutate(SAVE, run("k", &design, &workload)).await["run"]["id"].clone();
        let mut large = events(0..1);
        large[0]["payload"] = json!({ "text": "x".repeat(30 << 20) });
        for sequence in 0..3 {
            large[0]["sequence"] = json!(sequence);
            assert_eq!(ada.mutate(APPEND, json!({ "runId": id, "events": large })).await["acceptedCount"], 1);
        }
        large[0]["sequence"] = json!(3);
        let refused = ada.payload(APPEND, json!({ "runId": id, "events": large })).await;
        assert_eq!(
            (&refused["userErrors"][0]["__typename"], &refused["userErrors"][0]["code"]),
            (&json!("QuotaError"), &json!("QUOTA_EXCEEDED")),
            "{}",
            app.kind()
        );
        // What the run holds already takes no room.
        large[0]["sequence"] = json!(2);
        assert_eq!(ada.mutate(APPEND, json!({ "runId": id, "events": large })).await["acceptedCount"], 0);
    }
}

#[tokio::test]
async fn series_come_in_columns_and_too_many_samples_share_points() {
    for app in App::all().await {
        let (ada, design, workload) = ready(&app).await;
        let offsets: Vec<f64> = (0..100).map(|i| f64::from(i) * 100.0).collect();
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        let series = |name: &str, block: &str| {
            json!({ "name": name, "tags": { "block_id": block, "unit": "1/s" },
                "startTime": "2026-01-01T00:00:00Z", "offsetsMs": offsets, "values": values })
        };
        let mut input = run("k", &design, &workload);
        input["series"] = json!([series("throughput_qps", "a"), series("latency_p99_ms", "b")]);
        let id = ada.mutate(SAVE, input).await["run"]["id"].clone();
        let metrics = async |arguments: &str| {
            let query = format!(
                "query($id: ID!) {{ simulationRun(id: $id) {{ metrics{arguments} {{ name unit tags aggregation bucketMs
                startTime offsetsMs values min max avg p95 }} }} }}"
            );
            ada.send(&query, json!({ "id": id })).await["simulationRun"]["metrics"].clone()
        };
        let all = metrics("").await;
        assert_eq!(all.as_array().unwrap().len(), 2, "{all}");
        assert_eq!(
            (&all[0]["name"], &all[0]["unit"], &all[0]["tags"]),
            (&json!("throughput_qps"), &json!("1/s"), &json!({ "block_id": "a" }))
        );
        assert_eq!((&all[0]["aggregation"], &all[0]["bucketMs"]), (&json!("NONE"), &json!(100)));
        assert_eq!(all[0]["values"].as_array().unwrap().len(), 100);
        assert_eq!(all[0]["startTime"], "2026-01-01T00:00:00+00:00");

        let few = metrics("(maxPoints: 30)").await;
        for (i, (aggregation, second)) in [("AVG", 6.5), ("MAX", 8.0)].into_iter().enumerate() {
            assert_eq!((&few[i]["aggregation"], &few[i]["bucketMs"]), (&json!(aggregation), &json!(400)));
            assert_eq!((&few[i]["offsetsMs"][1], &few[i]["values"][1]), (&json!(400.0), &json!(second)));
            assert_eq!(few[i]["values"].as_array().unwrap().len(), 25, "{}", app.kind());
            assert_eq!(
                (&few[i]["min"], &few[i]["max"], &few[i]["avg"], &few[i]["p95"]),
                (&json!(1.0), &json!(100.0), &json!(50.5), &json!(95.0))
            );
        }
        let named = metrics("(names: [\"latency_p99_ms\"], maxPoints: 1)").await;
        assert_eq!((&named[0]["values"], named.as_array().unwrap().len()), (&json!([100.0]), 1));
        let of_block = metrics("(blockIds: [\"a\"])").await;
        assert_eq!((&of_block[0]["name"], of_block.as_array().unwrap().len()), (&json!("throughput_qps"), 1));
        let between = metrics("(from: \"2026-01-01T00:00:01Z\", to: \"2026-01-01T00:00:02Z\")").await;
        assert_eq!(between[0]["values"].as_array().unwrap().len(), 11);
        assert_eq!(between[0]["offsetsMs"][0], 1000.0);
        assert_eq!(metrics("(names: [])").await, json!([]));
    }
}

/// Runs whose figures have ties, and runs without them.
async fn various(ada: Person<'_>, design: &Json, workload: &Json) {
    let figures = [Some(5.0), None, Some(3.0), Some(5.0), Some(0.0), None, Some(9.5)];
    for (i, figure) in figures.into_iter().enumerate() {
        let mut input = run(&i.to_string(), design, workload);
        input["summary"] = json!({ "throughputQps": figure, "latencyP99Ms": figure });
        input["completedAt"] = json!(format!("2026-01-01T00:00:{:02}Z", 10 + i / 2));
        ada.mutate(SAVE, input).await;
    }
    // These are waiting or done: neither has figures of the same kind.
    ada.submit(design, workload).await;
}

#[tokio::test]
async fn pages_of_runs_put_together_are_the_whole_list_in_every_order() {
    for app in App::all().await {
        let (ada, design, workload) = ready(&app).await;
        various(ada, &design, &workload).await;
        let queries = [
            ("query($id: ID!) { it: design(id: $id) { RUNS } }", &design),
            ("query($id: ID!) { it: workload(id: $id) { RUNS } }", &workload),
            ("query($id: ID!) { of: design(id: $id) { versions { nodes { RUNS } } } }", &design),
            ("{ it: viewer { RUNS } }", &json!(null)),
        ];
        for (query, id) in queries {
            let page = async |arguments: &str| -> Json {
                let fields = format!(
                    "runs({arguments}) {{ totalCount nodes {{ id summary {{ throughputQps latencyP99Ms }} completedAt }}
                    pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }}"
                );
                let data = ada.send(&query.replace("RUNS", &fields), json!({ "id": id })).await;
                let parent =
                    if data["of"].is_object() { &data["of"]["versions"]["nodes"][0] } else { &data["it"] };
                parent["runs"].clone()
            };
            let nodes = |page: &Json| page["nodes"].as_array().unwrap().clone();
            for field in ["COMPLETED_AT", "THROUGHPUT_QPS", "LATENCY_P99_MS"] {
                for direction in ["ASC", "DESC"] {
                    let order = format!("orderBy: {{ field: {field}, direction: {direction} }}");
                    let whole = nodes(&page(&format!("first: 100, {order}")).await);
                    assert_eq!(whole.len(), 7, "{query}");
                    let (mut forward, mut after) = (Vec::new(), String::new());
                    loop {
                        let next = page(&format!("first: 2, {after} {order}")).await;
                        forward.extend(nodes(&next));
                        assert_eq!(next["totalCount"], 7);
                        if next["pageInfo"]["hasNextPage"] == false {
                            break;
                        }
                        after = format!("after: {},", next["pageInfo"]["endCursor"]);
                    }
                    assert_eq!(forward, whole, "{field} {direction} on {}", app.kind());
                    let (mut backward, mut before) = (Vec::new(), String::new());
                    loop {
                        let previous = page(&format!("last: 2, {before} {order}")).await;
                        backward.splice(0..0, nodes(&previous));
                        if previous["pageInfo"]["hasPreviousPage"] == false {
                            break;
                        }
                        before = format!("before: {},", previous["pageInfo"]["startCursor"]);
                    }
                    assert_eq!(backward, whole, "{field} {direction} on {}", app.kind());
                }
            }
            // A run without the figure counts as the slowest.
            let fastest = nodes(&page("orderBy: { field: THROUGHPUT_QPS, direction: DESC }").await);
            let qps: Vec<_> = fastest.iter().map(|run| run["summary"]["throughputQps"].as_f64()).collect();
            assert_eq!(qps, [Some(9.5), Some(5.0), Some(5.0), Some(3.0), Some(0.0), None, None]);
            let quickest = nodes(&page("orderBy: { field: LATENCY_P99_MS, direction: ASC }").await);
            let p99: Vec<_> = quickest.iter().map(|run| run["summary"]["latencyP99Ms"].as_f64()).collect();
            assert_eq!(p99, [Some(0.0), Some(3.0), Some(5.0), Some(5.0), Some(9.5), None, None]);
        }
    }
}

#[tokio::test]
async fn lists_of_runs_are_filtered_and_counted_alike() {
    for app in App::all().await {
        let (ada, design, workload) = ready(&app).await;
        various(ada, &design, &workload).await;
        app.drain().await;
        let other = ada.small_workload().await;
        ada.mutate(SAVE, run("other", &design, &other)).await;
        for (filter, expected) in [
            ("{}".to_owned(), 9),
            ("{ engine: SERVER }".to_owned(), 1),
            ("{ engine: CLIENT, status: [COMPLETED] }".to_owned(), 8),
            ("{ status: [RUNNING, FAILED] }".to_owned(), 0),
            ("{ status: [] }".to_owned(), 0),
            (format!("{{ workloadId: {other} }}"), 1),
            ("{ workloadId: \"nonsense\" }".to_owned(), 0),
            ("{ engine: CLIENT, minThroughputQps: 5 }".to_owned(), 4),
            ("{ completedSince: \"2026-01-01T00:00:12Z\", engine: CLIENT }".to_owned(), 3),
        ] {
            let query = format!(
                "query($id: ID!) {{ design(id: $id) {{ runs(filter: {filter}) {{ totalCount nodes {{ id }} }} }} }}"
            );
            let data = ada.send(&query, json!({ "id": design })).await;
            let runs = &data["design"]["runs"];
            assert_eq!(
                (&runs["totalCount"], runs["nodes"].as_array().unwrap().len()),
                (&json!(expected), expected),
                "{filter} on {}",
                app.kind()
            );
        }
    }
}

#[tokio::test]
async fn the_runs_of_a_workload_do_not_show_what_others_keep_private() {
    for app in App::all().await {
        let (ada, _, workload) = ready(&app).await;
        let public = ada.design("P", "PUBLIC").await["id"].clone();
        ada.mutate(SAVE, run("k", &public, &workload)).await;
        let bob = app.register("bob").await;
        let private = bob.design("B", "PRIVATE").await["id"].clone();
        // A workload of a public design is free to use.
        bob.mutate(SAVE, run("k", &private, &workload)).await;
        let data = ada
            .send(
                "{ viewer { workloads { nodes { runs { totalCount nodes { owner { handle } } } } } } }",
                json!({}),
            )
            .await;
        assert_eq!(
            data["viewer"]["workloads"]["nodes"][0]["runs"],
            json!({ "totalCount": 1, "nodes": [{ "owner": { "handle": "ada" } }] }),
            "{}",
            app.kind()
        );
    }
}
