//! Processor time: whose it is, and that all of it is told.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use common::{READ, UPDATE, canvas, run, workload};
use serde_json::{Value, json};

/// A clustered tree in a pool that holds it, and a cpu block with these parameters.
fn cached_tree(cpu: Value) -> Value {
    canvas(
        &[
            ("client", "client", json!({})),
            ("cpu", "cpu", cpu),
            ("rows", "clustered-storage", json!({})),
            ("pool", "buffer-pool", json!({"capacity_pages": 10_000})),
            ("disk", "disk", json!({})),
        ],
        &["client.out -> rows", "client.cpu -> cpu", "rows.pages -> pool", "pool.device -> disk"],
    )
}

fn cpu_us_per_operation(persona: &str, operation: &str, rows_per_commit: u32) -> f64 {
    let workload = workload(
        &[(operation, 1.0, Value::Null)],
        json!({"record_count": 20_000, "total_operations": 20_000, "warmup_operations": 40_000,
               "operations_per_transaction": rows_per_commit, "distribution": "uniform"}),
    );
    let report = run(&cached_tree(json!({"persona": persona})), &workload);
    let cpu_ns = report.blocks[0].counters["cpu_ns"].as_f64().unwrap();
    cpu_ns / 1e3 / report.summary.operations as f64
}

#[test]
fn a_persona_decides_what_steps_cost() {
    let read = |persona| cpu_us_per_operation(persona, READ, 1);
    let updates = |persona, batch| cpu_us_per_operation(persona, UPDATE, batch);
    // A library's read from memory is a function call; a server's is a message.
    assert!(read("lmdb") < read("sqlite") && read("sqlite") < read("postgres-15"));
    // What a batch saves is the commit.
    for persona in ["generic", "sqlite", "innodb"] {
        assert!(updates(persona, 1_000) < updates(persona, 1), "{persona}");
        assert_eq!(cpu_us_per_operation(persona, READ, 1_000), read(persona), "{persona}: nothing to commit");
    }
}

#[test]
fn all_processor_time_of_a_cached_run_is_its_latency() {
    let workload = workload(
        &[(READ, 1.0, Value::Null), (UPDATE, 1.0, Value::Null)],
        json!({"record_count": 5_000, "total_operations": 10_000, "warmup_operations": 20_000, "concurrency": 1}),
    );
    let report = run(&cached_tree(json!({"persona": "sqlite"})), &workload);
    let cpu_ns = report.blocks[0].counters["cpu_ns"].as_f64().unwrap();
    assert_eq!(report.summary.pages_read, 0);
    let latency_ns = report.summary.latency_mean_ms * 1e6 * report.summary.operations as f64;
    assert!((cpu_ns / latency_ns - 1.0).abs() < 1e-9, "{cpu_ns} {latency_ns}");
}

#[test]
fn the_persona_of_the_canvas_stands_in_for_a_cpu_block() {
    let mut with_block = cached_tree(json!({}));
    with_block["persona"] = json!("sqlite");
    let mut without = with_block.clone();
    without["blocks"].as_array_mut().unwrap().retain(|block| block["id"] != "cpu");
    without["connections"].as_array_mut().unwrap().retain(|wire| wire["target"]["blockId"] != "cpu");
    let mut stated = with_block.clone();
    stated["blocks"][1]["parameters"]["persona"] = json!("generic");
    let workload =
        workload(&[(READ, 1.0, Value::Null)], json!({"record_count": 1_000, "total_operations": 1_000}));
    let cpu_ns = |canvas: &Value| run(canvas, &workload).blocks[0].counters["cpu_ns"].as_u64().unwrap();
    assert_eq!(cpu_ns(&without), cpu_ns(&with_block));
    assert!(cpu_ns(&stated) < cpu_ns(&with_block));
}
