//! What pools do beside their clients: cleaners, background writers, checkpoints.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use common::{READ, UPDATE, block, canvas, counter, run, workload};
use engine::{Report, design};
use serde_json::{Value, json};

/// A clustered table behind a pool with a log on a device of its own, half of the operations updates.
fn report(pool: Value) -> Report {
    let design = canvas(
        &[
            ("client", "client", json!({})),
            ("rows", "clustered-storage", json!({})),
            ("pool", "buffer-pool", pool),
            ("wal", "wal", json!({})),
            ("disk", "disk", json!({"preset": "sata-ssd"})),
            ("log-disk", "disk", json!({})),
        ],
        &[
            "client.out -> rows",
            "rows.pages -> pool",
            "rows.log -> wal",
            "pool.device -> disk",
            "wal.device -> log-disk",
        ],
    );
    let config = json!({
        "total_operations": 40_000, "warmup_operations": 0, "concurrency": 4, "record_count": 40_000,
        "record_bytes": 300, "distribution": "uniform",
    });
    let report = run(&design, &workload(&[(UPDATE, 1.0, Value::Null), (READ, 1.0, Value::Null)], config));
    balance(&report);
    report
}

/// Every page written has one who wrote it.
fn balance(report: &Report) {
    let optional = |name: &str| block(report, "pool").counters.get(name).and_then(Value::as_u64).unwrap_or(0);
    let asked = optional("dirty_evictions") + optional("background_writes") + optional("checkpoint_writes");
    let waiting = block(report, "disk").gauges["queue_length"].as_u64().unwrap();
    let written = counter(report, "disk", "pages_written");
    assert!(asked >= written && asked - written <= waiting, "{asked} {written} {waiting}");
    assert_eq!(
        counter(report, "pool", "misses"),
        counter(report, "disk", "pages_read") + waiting - (asked - written)
    );
}

#[test]
fn without_being_asked_a_pool_does_nothing_in_the_background() {
    let report = report(json!({"capacity_pages": 500}));
    for name in ["background_writes", "checkpoint_writes", "checkpoints"] {
        assert!(!block(&report, "pool").counters.contains_key(name));
    }
    assert!(counter(&report, "pool", "dirty_evictions") > 5_000);
}

#[test]
fn a_page_cleaner_spares_clients_the_writing() {
    let alone = report(json!({"capacity_pages": 500, "policy": "midpoint-lru", "old_blocks_time_ms": 0}));
    let cleaned = report(
        json!({"capacity_pages": 500, "policy": "midpoint-lru", "old_blocks_time_ms": 0, "free_pages_target": 50}),
    );
    assert!(counter(&cleaned, "pool", "background_writes") > 5_000);
    assert_eq!(counter(&cleaned, "pool", "dirty_evictions"), 0);
    let resident = block(&cleaned, "pool").gauges["resident_pages"].as_u64().unwrap();
    assert!((450..=475).contains(&resident), "{resident}");
    // Fewer pages are held, so more are read, but nobody waits for a page to be written.
    assert!(counter(&cleaned, "pool", "misses") > counter(&alone, "pool", "misses"));
    assert!(cleaned.summary.latency_mean_ms < alone.summary.latency_mean_ms);
    assert!(cleaned.latency_breakdown.iter().all(|share| share.cause != "write_back"));
}

#[test]
fn a_background_writer_takes_over_writes_as_far_as_it_may() {
    for policy in ["lru", "gclock"] {
        let with = |max_pages: u32| {
            report(json!({
                "capacity_pages": 500, "policy": policy, "background_writer_delay_ms": 5,
                "background_writer_max_pages": max_pages,
            }))
        };
        let (some, all) = (with(10), with(1_000));
        let rounds = (some.summary.simulated_seconds / 0.005) as u64;
        let few = counter(&some, "pool", "background_writes");
        assert!((rounds * 8..=rounds * 10).contains(&few), "{policy}: {few} in {rounds} rounds");
        assert!(counter(&some, "pool", "dirty_evictions") > 1_000);
        assert!(counter(&all, "pool", "background_writes") > 2 * few);
        assert!(counter(&all, "pool", "dirty_evictions") < counter(&some, "pool", "dirty_evictions") / 4);
    }
}

#[test]
fn checkpoints_come_by_time() {
    // Everything fits, so without checkpoints nothing would ever be written.
    let none = report(json!({"capacity_pages": 5_000}));
    let some = report(json!({"capacity_pages": 5_000, "checkpoint_interval_seconds": 0.2}));
    assert_eq!(counter(&none, "disk", "pages_written"), 0);
    let checkpoints = counter(&some, "pool", "checkpoints");
    let expected = (some.summary.simulated_seconds / 0.2) as u64;
    assert!(checkpoints.abs_diff(expected) <= 1 && checkpoints >= 2, "{checkpoints} of {expected}");
    // Each writes what got dirty since the one before: a page many times changed is written once.
    let writes = counter(&some, "pool", "checkpoint_writes");
    let pages = block(&some, "rows").gauges["leaf_pages"].as_u64().unwrap();
    assert!(writes > pages / 2 && writes <= (checkpoints + 1) * pages, "{writes} of {pages}");
    // The device is shared, so the clients feel it.
    assert!(some.summary.throughput_qps < none.summary.throughput_qps);
}

#[test]
fn checkpoints_come_by_volume_of_the_log() {
    let report = report(json!({"capacity_pages": 5_000, "checkpoint_log_bytes": 2_000_000}));
    let logged = counter(&report, "wal", "bytes_appended");
    let checkpoints = counter(&report, "pool", "checkpoints");
    // One may be in progress at the end, and a begin is noticed up to a tenth of a second late.
    assert!(checkpoints > 0 && checkpoints <= logged / 2_000_000, "{checkpoints} for {logged} bytes");
    assert!(counter(&report, "pool", "checkpoint_writes") > 0);
}

/// An evicted page waits for the log of its last change, in whatever mode transactions commit.
#[test]
fn the_log_is_durable_before_the_page_is_written() {
    let run_with = |log: Option<Value>| {
        let mut blocks = vec![
            ("client", "client", json!({})),
            ("rows", "clustered-storage", json!({})),
            ("pool", "buffer-pool", json!({"capacity_pages": 20})),
            ("disk", "disk", json!({"preset": "sata-ssd"})),
        ];
        let mut wires = vec!["client.out -> rows", "rows.pages -> pool", "pool.device -> disk"];
        if let Some(log) = &log {
            blocks.extend([("wal", "wal", log.clone()), ("log-disk", "disk", json!({}))]);
            wires.extend(["rows.log -> wal", "wal.device -> log-disk"]);
        }
        let config = json!({
            "total_operations": 5_000, "warmup_operations": 0, "concurrency": 4, "record_count": 40_000,
            "record_bytes": 300, "distribution": "uniform",
        });
        let report = run(&canvas(&blocks, &wires), &workload(&[(UPDATE, 1.0, Value::Null)], config));
        let waited = report.latency_breakdown.iter().any(|share| share.cause == "log_flush");
        (report, waited)
    };
    let (without, waited) = run_with(None);
    assert!(!waited);
    let evicted = counter(&without, "pool", "dirty_evictions");
    assert!(evicted > 4_000);
    // No commit waits and no timer is due within the run, but almost every evicted page was changed just before.
    let (lazy, waited) = run_with(Some(json!({"commit_mode": "async", "flush_interval_ms": 60_000})));
    assert!(waited && lazy.summary.simulated_seconds < 60.0);
    let flushes = counter(&lazy, "wal", "flushes");
    assert!(flushes > 100 && flushes <= counter(&lazy, "pool", "dirty_evictions"), "{flushes}");
    assert!(lazy.summary.latency_mean_ms > without.summary.latency_mean_ms);
    // A commit that waits for its records leaves nothing to wait for, but for changes not yet committed.
    let (eager, _) = run_with(Some(json!({"commit_mode": "sync"})));
    assert!(counter(&eager, "wal", "flushes") <= counter(&eager, "wal", "commits") + 50);
}

#[test]
fn background_work_a_policy_cannot_do_is_told() {
    let told = |pool: Value| -> Vec<String> {
        let design = canvas(
            &[
                ("client", "client", json!({})),
                ("rows", "clustered-storage", json!({})),
                ("pool", "buffer-pool", pool),
                ("disk", "disk", json!({})),
            ],
            &["client.out -> rows", "rows.pages -> pool", "pool.device -> disk"],
        );
        design::check(&design).diagnostics.iter().map(ToString::to_string).collect()
    };
    for parameter in ["free_pages_target", "background_writer_delay_ms"] {
        let found = told(json!({"policy": "arc", parameter: 10}));
        assert!(
            found.len() == 1 && found[0].contains(&format!("\"{parameter}\" needs the policy")),
            "{found:?}"
        );
        assert!(told(json!({"policy": "gclock", parameter: 10})).is_empty());
    }
    let found = told(json!({"capacity_pages": 10, "free_pages_target": 10}));
    assert!(found.len() == 1 && found[0].contains("must leave some of them"), "{found:?}");
    assert!(told(json!({"policy": "arc", "checkpoint_interval_seconds": 1})).is_empty());
}
