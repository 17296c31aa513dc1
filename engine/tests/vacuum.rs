//! VACUUM while a run goes on: what it keeps small, what holds it back, and that it changes no answer.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use common::{DELETE, INSERT, READ, UPDATE, block, canvas, counter, quiet, run, run_with, workload};
use engine::{Options, Report, TraceLevel, Workload};
use serde_json::{Value, json};

/// A heap of versions with an index on the key and one on another column, through a pool too small for it.
fn design(vacuum: Value) -> Value {
    let mut heap = json!({"updates": "new_version", "autovacuum_naptime_seconds": 0.1, "hint_bits": true});
    heap.as_object_mut().unwrap().extend(vacuum.as_object().unwrap().clone());
    canvas(
        &[
            ("client", "client", json!({})),
            ("index", "btree-index", json!({})),
            ("column", "btree-index", json!({"column": "other"})),
            ("heap", "heap-storage", heap),
            ("pool", "buffer-pool", json!({"capacity_pages": 100})),
            ("wal", "wal", json!({"record_format": "postgres", "full_page_writes": true})),
            ("disk", "disk", json!({})),
        ],
        &[
            "client.out -> index",
            "client.out -> column",
            "client.out -> heap",
            "index.pages -> pool",
            "column.pages -> pool",
            "heap.pages -> pool",
            "index.log -> wal",
            "column.log -> wal",
            "heap.log -> wal",
            "pool.device -> disk",
            "wal.device -> disk",
        ],
    )
}

fn on() -> Value {
    json!({"autovacuum_scale_factor": 0.1})
}

/// Updates that change an indexed column, so that no version stays on its line pointer.
fn updates(extra: &[(&str, f64)], config: Value) -> Workload {
    let mut operations = vec![(UPDATE, 1.0, json!({"changes_indexed_column": true, "changed_bytes": 8}))];
    operations.extend(extra.iter().map(|(template, weight)| (*template, *weight, Value::Null)));
    let mut all = json!({
        "total_operations": 20_000, "warmup_operations": 0, "concurrency": 4, "record_count": 4_000,
        "record_bytes": 200, "distribution": "uniform",
    });
    all.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
    workload(&operations, all)
}

fn gauge(report: &Report, id: &str, name: &str) -> u64 {
    block(report, id).gauges[name].as_u64().unwrap()
}

/// Places of deleted rows are found again only when a vacuum has told the free-space map.
#[test]
fn vacuum_keeps_a_heap_from_growing() {
    let workload = updates(&[(DELETE, 1.0), (INSERT, 1.0)], json!({"record_count": 12_000}));
    let often = json!({
        "autovacuum_scale_factor": 0.03, "autovacuum_naptime_seconds": 0.02, "vacuum_cost_delay_ms": 0.2,
    });
    let (off, on) = (run(&design(json!({})), &workload), run(&design(often), &workload));
    assert!(!block(&off, "heap").counters.contains_key("vacuums"));
    let vacuums = counter(&on, "heap", "vacuums");
    assert!(vacuums >= 3, "{vacuums}");
    let grown = |report: &Report| counter(report, "heap", "pages_allocated");
    assert!(grown(&on) * 2 < grown(&off), "{} {}", grown(&on), grown(&off));
    let dead = |report: &Report| {
        gauge(report, "heap", "dead_versions") + gauge(report, "heap", "dead_line_pointers")
    };
    assert!(dead(&on) * 2 < dead(&off), "{} {}", dead(&on), dead(&off));
    let entries = |report: &Report| gauge(report, "column", "old_entries");
    assert!(entries(&on) * 2 < entries(&off), "{} {}", entries(&on), entries(&off));
    // What it read, it asked the pool for.
    let asked = |report: &Report| counter(report, "pool", "hits") + counter(report, "pool", "misses");
    let read = counter(&on, "heap", "vacuum_pages_read");
    assert!(read > vacuums * gauge(&on, "heap", "pages"), "{read}");
    assert!(asked(&on) > asked(&off), "{} {}", asked(&on), asked(&off));
}

/// Entries that came, less those that went, are those still there; so are versions.
#[test]
fn entries_and_versions_balance() {
    let report = run(&design(on()), &updates(&[(DELETE, 0.1), (INSERT, 0.1), (READ, 0.5)], json!({})));
    assert!(counter(&report, "heap", "vacuums") >= 3);
    assert!(counter(&report, "heap", "vacuum_index_entries_removed") > 0);
    for id in ["index", "column"] {
        let came = counter(&report, id, "versions_added") + counter(&report, id, "deletes");
        let left = came - counter(&report, id, "old_entries_deleted");
        assert_eq!(gauge(&report, id, "old_entries"), left, "{id}");
    }
    let made = counter(&report, "heap", "rows_updated") + counter(&report, "heap", "rows_deleted");
    let gone = counter(&report, "heap", "versions_pruned") + counter(&report, "heap", "vacuum_rows_removed");
    assert_eq!(gauge(&report, "heap", "dead_versions"), made - gone);
}

/// One client finds, changes and removes the same rows whether anybody vacuums or not.
#[test]
fn vacuum_changes_no_answer() {
    let workload = updates(
        &[(DELETE, 0.2), (INSERT, 0.2), (READ, 1.0)],
        json!({"concurrency": 1, "think_time_ms": 0.1}),
    );
    let (off, on) = (run(&design(json!({})), &workload), run(&design(on()), &workload));
    assert!(counter(&on, "heap", "vacuums") >= 3);
    for name in ["rows_read", "rows_inserted", "rows_updated", "rows_deleted"] {
        assert_eq!(counter(&on, "heap", name), counter(&off, "heap", name), "{name}");
    }
    assert_eq!(gauge(&on, "heap", "rows"), gauge(&off, "heap", "rows"));
    assert_eq!(gauge(&on, "index", "keys"), gauge(&off, "index", "keys"));
}

/// Transactions of many operations see old versions to their end: a vacuum finds less that it may take.
#[test]
fn long_transactions_hold_a_vacuum_back() {
    let run = |operations: u64| {
        run(&design(on()), &updates(&[], json!({"operations_per_transaction": operations})))
    };
    let (short, long) = (run(1), run(10_000));
    assert!(counter(&long, "heap", "vacuums") >= 3);
    let removed = counter(&short, "heap", "vacuum_rows_removed");
    assert!(removed > 300, "{removed}");
    assert_eq!(counter(&long, "heap", "vacuum_rows_removed"), 0);
    assert_eq!(gauge(&long, "heap", "dead_versions"), 20_000);
}

#[test]
fn a_vacuum_paces_itself() {
    let pages_read = |delay_ms: f64| {
        let vacuum = json!({"autovacuum_scale_factor": 0.1, "vacuum_cost_delay_ms": delay_ms});
        counter(&run(&design(vacuum), &updates(&[], json!({}))), "heap", "vacuum_pages_read")
    };
    assert!(pages_read(0.0) > 3 * pages_read(100.0));
}

#[test]
fn events_tell_what_vacuums_did() {
    let workload = updates(&[], json!({}));
    let options = Options { trace: TraceLevel::Sampled, ..quiet(1) };
    let report = run_with(&design(on()), &workload, &options);
    let of = |kind: &str| report.events.iter().filter(|event| event.kind == kind).collect::<Vec<_>>();
    let (started, completed) = (of("vacuum_started"), of("vacuum_completed"));
    assert_eq!(completed.len() as u64, counter(&report, "heap", "vacuums"));
    assert!(started.len() == completed.len() || started.len() == completed.len() + 1);
    let sum = |name: &str| completed.iter().map(|event| event.payload[name].as_u64().unwrap()).sum::<u64>();
    let counted = counter(&report, "heap", "vacuum_rows_removed");
    assert!(sum("rows_removed") <= counted && sum("rows_removed") > 0);
    assert!(sum("index_entries_removed") > 0 && sum("pages_scanned") > 0);
    assert!(started.iter().all(|event| event.payload["dead_rows"].as_u64().unwrap() > 450));
}

/// Every wiring goes on with vacuums: without a pool, without indexes, with few cores, with arrivals.
#[test]
fn vacuums_run_on_any_wiring() {
    let heap = json!({
        "updates": "new_version", "autovacuum_scale_factor": 0.01, "autovacuum_threshold": 0,
        "autovacuum_naptime_seconds": 0.01,
    });
    let bare = canvas(
        &[
            ("client", "client", json!({})),
            ("cpu", "cpu", json!({"cores": 1})),
            ("heap", "heap-storage", heap),
            ("disk", "disk", json!({})),
        ],
        &["client.out -> heap", "client.cpu -> cpu", "heap.pages -> disk"],
    );
    let config = json!({
        "total_operations": 2_000, "concurrency": 3, "record_count": 300, "record_bytes": 300,
        "arrival_rate_per_second": 1_000.0,
    });
    let by_row = json!({"access": "row_id"});
    let report = run(&bare, &workload(&[(UPDATE, 3.0, by_row.clone()), (DELETE, 0.1, by_row)], config));
    assert!(counter(&report, "heap", "vacuums") >= 3, "{:?}", block(&report, "heap"));
    assert!(counter(&report, "heap", "vacuum_rows_removed") > 0);
    assert_eq!(gauge(&report, "heap", "dead_line_pointers"), 0);
    assert_eq!(report.summary.operations, 2_000);
}
