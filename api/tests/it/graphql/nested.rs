use serde_json::json;

use super::{App, Person};

const NESTED: &str = "query($first: Int!) { viewer { designs(first: $first) { nodes { id name owner { handle }
    runs(first: 10) { totalCount pageInfo { hasNextPage } nodes { id status
      summary { throughputQps latencyP50Ms latencyP95Ms latencyP99Ms pagesRead pagesWritten cacheHitRatio }
      metrics { name unit tags bucketMs offsetsMs values } events(first: 5) { totalCount nodes { sequence type blockId payload } }
      blocks { blockId type utilization counters } latencyBreakdown { percentile cause milliseconds share }
      operations { name operations } warnings { code }
      job { status attempt } workload { name } designVersion { number } } } } } } }";

/// Two designs: one with two runs, one with `runs`.
async fn populate(app: &App, ada: Person<'_>, runs: usize) {
    let workload = ada.small_workload().await;
    for runs in [2, runs] {
        let design = ada.design("D", "PRIVATE").await["id"].clone();
        for _ in 0..runs {
            ada.submit(&design, &workload).await;
        }
    }
    app.drain().await;
}

#[tokio::test]
async fn a_nested_query_takes_as_many_statements_for_many_runs_as_for_few() {
    for app in App::all().await {
        let ada = app.premium("ada").await;
        populate(&app, ada, 5).await;
        let (one, _) = app.statements_of(ada.send(NESTED, json!({ "first": 1 }))).await;
        let (two, data) = app.statements_of(ada.send(NESTED, json!({ "first": 2 }))).await;
        assert_eq!(one, two, "{}", app.kind());
        // viewer, designs, owners, runs, counts of runs, and one for each list or row below the runs.
        assert!(two <= 13, "{two} statements on {}", app.kind());
        let counts: Vec<_> = data["viewer"]["designs"]["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|design| design["runs"]["nodes"].as_array().unwrap().len())
            .collect();
        assert_eq!(counts, [5, 2]);
    }
}

#[tokio::test]
async fn a_run_is_told_whole() {
    for app in App::all().await {
        let ada = app.premium("ada").await;
        populate(&app, ada, 0).await;
        let data = ada.send(NESTED, json!({ "first": 2 })).await;
        let run = &data["viewer"]["designs"]["nodes"][1]["runs"]["nodes"][0];
        let summary = &run["summary"];
        assert!(summary["throughputQps"].as_f64().unwrap() > 0.0, "{run}");
        assert!(summary["latencyP50Ms"].as_f64() <= summary["latencyP99Ms"].as_f64());

        let mean: f64 = run["latencyBreakdown"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|share| share["percentile"] == "P99")
            .map(|share| share["share"].as_f64().unwrap())
            .sum();
        assert!((mean - 1.0).abs() < 1e-6, "{mean}");

        let series = run["metrics"].as_array().unwrap();
        let throughput = series.iter().find(|series| series["name"] == "throughput_qps").unwrap();
        assert_eq!(throughput["bucketMs"], 100);
        assert_eq!(
            throughput["offsetsMs"].as_array().unwrap().len(),
            throughput["values"].as_array().unwrap().len()
        );
        assert!(run["events"]["totalCount"].as_i64().unwrap() >= 5);
        let sequences: Vec<_> = run["events"]["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["sequence"].as_i64().unwrap())
            .collect();
        assert!(sequences.is_sorted_by(|one, next| one < next));
        let pool =
            run["blocks"].as_array().unwrap().iter().find(|block| block["type"] == "buffer-pool").unwrap();
        assert!(pool["counters"].as_object().is_some_and(|counters| !counters.is_empty()));
        assert_eq!(run["job"], json!({ "status": "COMPLETED", "attempt": 1 }));
    }
}

#[tokio::test]
async fn everything_with_an_id_is_found_by_it_and_only_by_who_may_see_it() {
    for app in App::all().await {
        let (ada, bob) = (app.premium("ada").await, app.register("bob").await);
        populate(&app, ada, 0).await;
        const IDS: &str = "{ viewer { id designs { nodes { id versions { nodes { id } } runs { nodes { id job { id }
            events(first: 1) { nodes { id } } workload { id } } } } } } templates(first: 1) { nodes { id } } }";
        let data = ada.send(IDS, json!({})).await;
        let design = &data["viewer"]["designs"]["nodes"][1];
        let run = &design["runs"]["nodes"][0];
        let expected = [
            ("User", &data["viewer"]["id"], true),
            ("Template", &data["templates"]["nodes"][0]["id"], true),
            ("Design", &design["id"], false),
            ("DesignVersion", &design["versions"]["nodes"][0]["id"], false),
            ("SimulationRun", &run["id"], false),
            ("SimulationJob", &run["job"]["id"], false),
            ("RunEvent", &run["events"]["nodes"][0]["id"], false),
            ("Workload", &run["workload"]["id"], false),
        ];
        let ids: Vec<_> =
            expected.iter().map(|(_, id, _)| *id).chain([&json!("nonsense")]).cloned().collect();
        const NODES: &str = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }";
        let own = ada.send(NODES, json!({ "ids": ids })).await;
        let others = bob.send(NODES, json!({ "ids": ids })).await;
        for (i, (name, id, public)) in expected.iter().enumerate() {
            assert_eq!(own["nodes"][i], json!({ "__typename": name, "id": id }), "{}", app.kind());
            assert_eq!(others["nodes"][i].is_object(), *public, "{name}");
        }
        assert_eq!(own["nodes"][expected.len()], json!(null));
    }
}
