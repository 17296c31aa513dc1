//! What blocks hold after an event: the run played again up to it.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use common::{INSERT, READ, UPDATE, canvas, plan, workload};
use engine::{Control, Options, Report, Snapshot, TraceLevel, Workload, simulate, state_after, templates};
use serde_json::{Value, json};

fn options() -> Options {
    Options { trace: TraceLevel::Full, max_events: 3_000, ..Options::default() }
}

fn report(canvas: &Value, workload: &Workload) -> Report {
    simulate(&plan(canvas), workload, &options(), &Control::default()).unwrap()
}

fn after(canvas: &Value, workload: &Workload, sequence: u32) -> Option<Snapshot> {
    state_after(&plan(canvas), workload, &options(), &Control::default(), sequence).unwrap()
}

fn state<'a>(snapshot: &'a Snapshot, block: &str) -> &'a Value {
    &snapshot.blocks.iter().find(|state| state.block_id == block).unwrap().state
}

fn small(operation: &str) -> Workload {
    let settings = json!({
        "record_count": 600, "record_bytes": 200, "total_operations": 300, "warmup_operations": 0, "concurrency": 3,
    });
    workload(&[(operation, 1.0, Value::Null)], settings)
}

#[test]
fn every_event_of_every_template_has_a_state() {
    for template in templates::designs() {
        let mut workload = templates::workload(template.workload_slug).unwrap().workload();
        workload.config.record_count = 3_000;
        workload.config.total_operations = 30;
        workload.config.warmup_operations = Some(5);
        let canvas = template.canvas();
        let events = report(&canvas, &workload).events;
        for sequence in [0, events.len() as u32 / 2, events.len() as u32 - 1] {
            let snapshot = after(&canvas, &workload, sequence).unwrap();
            assert_eq!(snapshot.time_ns, events[sequence as usize].time_ns, "{}", template.slug);
            let ids: Vec<&str> = snapshot.blocks.iter().map(|block| &*block.block_id).collect();
            assert_eq!(ids, plan(&canvas).block_ids().collect::<Vec<_>>());
            assert!(
                snapshot.blocks.iter().all(|block| match &*block.kind {
                    "index-scan" | "seq-scan" => true,
                    _ => block.state.as_object().is_some_and(|state| !state.is_empty()),
                }),
                "{}: {snapshot:?}",
                template.slug
            );
            assert_eq!(after(&canvas, &workload, sequence).unwrap(), snapshot);
        }
        assert_eq!(after(&canvas, &workload, events.len() as u32), None);
    }
}

#[test]
fn trees_grow_and_pools_fill_from_event_to_event() {
    let canvas = canvas(
        &[
            ("client", "client", json!({})),
            ("table", "clustered-storage", json!({"page_size": 4096, "build": "inserted"})),
            ("pool", "buffer-pool", json!({"capacity_pages": 12})),
            ("disk", "disk", json!({})),
        ],
        &["client.out -> table", "table.pages -> pool", "pool.device -> disk"],
    );
    let workload = small(INSERT);
    let events = report(&canvas, &workload).events;
    let mut keys = Vec::new();
    for event in events.iter().filter(|event| event.kind == "record_inserted").step_by(60) {
        let snapshot = after(&canvas, &workload, event.sequence).unwrap();
        let tree = state(&snapshot, "table");
        let leaves = &tree["levels"][0];
        let counted: u64 =
            leaves["pages"].as_array().unwrap().iter().map(|page| page["count"].as_u64().unwrap()).sum();
        assert_eq!(counted, tree["keys"].as_u64().unwrap());
        assert_eq!(leaves["pages_count"].as_u64().unwrap(), leaves["pages"].as_array().unwrap().len() as u64);
        let starts: Vec<u64> =
            leaves["pages"].as_array().unwrap().iter().map(|page| page["start"].as_u64().unwrap()).collect();
        assert!(starts.is_sorted(), "leaves are in key order");
        keys.push(counted);
        let pool = state(&snapshot, "pool");
        assert!(pool["frames_count"].as_u64().unwrap() <= 12);
        assert!(pool["frames"].as_array().unwrap().iter().all(|frame| frame["block_id"] == "table"));
    }
    assert!(keys.len() >= 4 && keys.is_sorted() && keys[0] < keys[keys.len() - 1], "{keys:?}");
}

#[test]
fn nodes_of_a_skip_list_come_with_their_towers() {
    let canvas = canvas(
        &[("client", "client", json!({})), ("list", "skip-list", json!({"max_height": 5}))],
        &["client.out -> list"],
    );
    let workload = small(INSERT);
    let events = report(&canvas, &workload).events;
    let inserts: Vec<_> = events.iter().filter(|event| event.kind == "skip_list_insert").collect();
    assert_eq!(inserts.len(), 300);
    for (inserted, event) in inserts.iter().enumerate().step_by(90) {
        let snapshot = after(&canvas, &workload, event.sequence).unwrap();
        let list = state(&snapshot, "list");
        assert_eq!(list["nodes_count"], 600 + inserted + 1);
        let nodes = list["nodes"].as_array().unwrap();
        let keys: Vec<u64> = nodes.iter().map(|node| node["key"].as_u64().unwrap()).collect();
        assert!(keys.is_sorted(), "nodes are in key order");
        let of_event = |node: &&Value| node["key"] == event.payload["key"];
        assert_eq!(nodes.iter().find(of_event).unwrap()["height"], event.payload["height"]);
        for (height, count) in (1..=5).zip(list["nodes_by_height"].as_array().unwrap()) {
            assert_eq!(nodes.iter().filter(|node| node["height"] == height).count() as u64, *count);
        }
    }
}

#[test]
fn the_frame_shown_first_is_evicted_next() {
    for policy in ["lru", "fifo", "clock", "gclock", "sieve", "slru", "s3-fifo", "2q", "arc", "lfu", "lru-k"]
    {
        let canvas = canvas(
            &[
                ("client", "client", json!({})),
                ("table", "clustered-storage", json!({"page_size": 4096})),
                ("pool", "buffer-pool", json!({"capacity_pages": 10, "policy": policy})),
                ("disk", "disk", json!({})),
            ],
            &["client.out -> table", "table.pages -> pool", "pool.device -> disk"],
        );
        let mut workload = small(READ);
        workload.config.concurrency = 1;
        let events = report(&canvas, &workload).events;
        // Between the end of an operation and the next eviction the pool may be used; take a pair with nothing between.
        let pair =
            events.windows(2).find(|pair| pair[1].kind == "page_evicted" && pair[0].kind != "page_evicted");
        let [before, evicted] = pair.unwrap() else { unreachable!() };
        let snapshot = after(&canvas, &workload, before.sequence).unwrap();
        let frames = state(&snapshot, "pool")["frames"].as_array().unwrap();
        assert_eq!(frames[0]["page_id"], evicted.payload["page_id"], "{policy}");
    }
}

#[test]
fn logs_files_and_requests_are_seen_on_their_way() {
    let canvas = templates::design("lsm-leveled").unwrap().canvas();
    let mut workload = small(UPDATE);
    workload.config.concurrency = 8;
    let events = report(&canvas, &workload).events;
    let (mut waiting, mut in_service) = (0, 0);
    for sequence in (0..events.len() as u32).step_by(events.len() / 15) {
        let snapshot = after(&canvas, &workload, sequence).unwrap();
        let log = state(&snapshot, "wal");
        waiting += log["waiting_count"].as_u64().unwrap() + log["flushing_count"].as_u64().unwrap();
        in_service += state(&snapshot, "disk")["in_service_count"].as_u64().unwrap();
        assert_eq!(state(&snapshot, "client")["clients_count"], 8);
    }
    assert!(waiting > 0 && in_service > 0);
    let last = after(&canvas, &workload, events.len() as u32 - 1).unwrap();
    let entries = |file: &Value| file["entries"].as_u64().unwrap();
    let levels = state(&last, "tree")["levels"].as_array().unwrap();
    let stored: u64 = levels.iter().flat_map(|level| level["files"].as_array().unwrap()).map(entries).sum();
    assert!(stored >= 600, "the loaded rows are in files: {stored}");
}
