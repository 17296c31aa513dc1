//! Pools that write changed pages at commit: in place, to a journal, or to new places.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use common::{INSERT, RANGE, READ, UPDATE, block, canvas, counter, every_operation, run, workload};
use engine::Report;
use serde_json::{Value, json};

const PAGE_BYTES: u64 = 4096;

fn design(tree: &Value, pool: &Value) -> Value {
    let (mut tree, mut pool) = (tree.clone(), pool.clone());
    tree["page_size"] = json!(PAGE_BYTES);
    pool["write_back"] = json!("commit");
    canvas(
        &[
            ("client", "client", json!({})),
            ("rows", "clustered-storage", tree),
            ("pool", "buffer-pool", pool),
            ("disk", "disk", json!({})),
        ],
        &["client.out -> rows", "rows.pages -> pool", "pool.device -> disk"],
    )
}

fn sqlite(pool: Value) -> Value {
    let mut pool = pool;
    pool["policy"] = json!("clean-first-lru");
    design(&json!({"page_format": "sqlite"}), &pool)
}

fn lmdb() -> Value {
    let tree = json!({"page_format": "lmdb", "copy_on_write": true});
    design(&tree, &json!({"capacity_pages": 5_000, "sync_at_commit": false}))
}

fn config(operations: u64, batch: u32) -> Value {
    json!({
        "total_operations": operations, "warmup_operations": 0, "record_count": 20_000, "record_bytes": 108,
        "operations_per_transaction": batch,
    })
}

fn gauge(report: &Report, name: &str) -> u64 {
    block(report, "rows").gauges[name].as_u64().unwrap()
}

#[test]
fn a_transaction_reads_the_header_page_and_writes_each_page_once() {
    for batch in [1, 10, 100] {
        let design = sqlite(json!({"capacity_pages": 5_000, "sync_at_commit": false}));
        let report = run(&design, &workload(&[(UPDATE, 1.0, Value::Null)], config(10_000, batch)));
        let accesses = counter(&report, "pool", "hits") + counter(&report, "pool", "misses");
        assert_eq!(accesses, 10_000 * gauge(&report, "height") + 10_000 / u64::from(batch));
        let written = counter(&report, "pool", "pages_forced");
        assert_eq!(report.summary.pages_written, written);
        // The draws of a transaction fall on 541 leaves.
        let leaves = gauge(&report, "leaf_pages") as f64;
        let distinct = leaves * (1.0 - libm::pow(1.0 - 1.0 / leaves, batch as f64));
        let expected = 10_000.0 / f64::from(batch) * distinct;
        assert!((written as f64 / expected - 1.0).abs() < 0.01, "{written} for {expected}");
        assert_eq!(counter(&report, "pool", "spills"), 0);
        assert_eq!(block(&report, "pool").gauges["dirty_pages"], 0);
        assert!(report.latency_breakdown.iter().any(|share| share.cause == "write_back"));
    }
}

#[test]
fn a_journal_writes_frames_and_checkpoints_write_pages() {
    let design = sqlite(json!({"capacity_pages": 5_000, "journal": "wal", "sync_at_commit": false}));
    let report = run(&design, &workload(&[(UPDATE, 1.0, Value::Null)], config(10_000, 1)));
    let (checkpoints, checkpointed) =
        (counter(&report, "pool", "checkpoints"), counter(&report, "pool", "pages_checkpointed"));
    assert_eq!(checkpoints, 10);
    assert!(checkpointed < 10 * 541 && checkpointed > 10 * 400, "{checkpointed}");
    let journal = 10_000 * (PAGE_BYTES + 24) + 10 * 32;
    assert_eq!(counter(&report, "pool", "journal_bytes"), journal);
    assert_eq!(counter(&report, "disk", "bytes_written"), journal + checkpointed * PAGE_BYTES);
    let read = counter(&report, "pool", "misses") + checkpointed;
    assert_eq!(counter(&report, "disk", "bytes_read"), read * PAGE_BYTES);
    // Every commit is durable, and so is every checkpoint.
    let durable = sqlite(json!({"capacity_pages": 5_000, "journal": "wal"}));
    let report = run(&durable, &workload(&[(UPDATE, 1.0, Value::Null)], config(10_000, 1)));
    assert_eq!(counter(&report, "disk", "log_flushes"), 10_000 + 10);
}

#[test]
fn pages_that_do_not_fit_the_pool_are_spilled_before_the_commit() {
    let report = |pages: u32| {
        let design = sqlite(json!({"capacity_pages": pages, "sync_at_commit": false}));
        run(&design, &workload(&[(UPDATE, 1.0, Value::Null)], config(20_000, 1_000)))
    };
    let (small, large) = (report(100), report(1_000));
    assert_eq!(counter(&large, "pool", "spills"), 0);
    let spills = counter(&small, "pool", "spills");
    assert!(spills > 10_000, "{spills}");
    assert_eq!(small.summary.pages_written, spills + counter(&small, "pool", "pages_forced"));
}

#[test]
fn a_copy_on_write_file_is_live_or_free() {
    let mut merges = 0;
    for batch in [1, 7, 300] {
        let mut config = config(6_000, batch);
        config["concurrency"] = json!(3);
        let report = run(&lmdb(), &workload(&every_operation(), config));
        let levels = block(&report, "rows").gauges["pages_per_level"].as_array().unwrap();
        let tree: u64 = levels.iter().map(|pages| pages.as_u64().unwrap()).sum();
        let (free, list) = (gauge(&report, "free_pages"), gauge(&report, "free_list_pages"));
        assert_eq!(gauge(&report, "file_pages"), tree + free + list + 2);
        assert!(counter(&report, "rows", "splits") > 0);
        merges += counter(&report, "rows", "merges");
    }
    assert!(merges > 0);
}

#[test]
fn a_commit_copies_the_path_from_the_root() {
    // Three levels, one page of the free list and 120 bytes of a meta page; a batch shares all but the leaf.
    let written = |batch: u32| {
        let report = run(&lmdb(), &workload(&[(UPDATE, 1.0, Value::Null)], config(5_000, batch)));
        assert_eq!(gauge(&report, "height"), 3);
        counter(&report, "disk", "bytes_written") as f64 / 5_000.0
    };
    let one = written(1);
    assert!((one - (4 * PAGE_BYTES + 120) as f64).abs() < 1.0, "{one}");
    let hundred = written(100);
    assert!(hundred < 1.3 * PAGE_BYTES as f64, "{hundred}");
    // The pages a transaction freed serve later ones.
    let report = run(&lmdb(), &workload(&[(UPDATE, 1.0, Value::Null)], config(5_000, 1)));
    assert!(gauge(&report, "free_pages") < 20);
}

#[test]
fn long_rows_go_on_in_pages_of_their_own() {
    let design = sqlite(json!({"capacity_pages": 50_000, "sync_at_commit": false}));
    let config = |operations: u64| {
        json!({
            "total_operations": operations, "warmup_operations": 0, "record_count": 2_000, "record_bytes": 10_000,
            "operations_per_transaction": 10_000,
        })
    };
    // 9996 bytes with their header: 1812 on the leaf, two pages of 4092 beside it.
    let report = run(&design, &workload(&[(READ, 1.0, Value::Null)], config(1_000)));
    assert_eq!(gauge(&report, "overflow_pages"), 4_000);
    let accesses = |report: &Report| counter(report, "pool", "hits") + counter(report, "pool", "misses");
    assert_eq!(accesses(&report), 1 + 1_000 * (gauge(&report, "height") + 2));
    let ranges = run(&design, &workload(&[(RANGE, 1.0, Value::Null)], config(10)));
    assert!(accesses(&ranges) > 10 * 50 * 2, "{}", accesses(&ranges));
    let inserts = run(&design, &workload(&[(INSERT, 1.0, Value::Null)], config(500)));
    assert_eq!(gauge(&inserts, "overflow_pages"), 5_000);
    assert!(counter(&inserts, "pool", "new_pages") >= 1_000);
}

#[test]
fn one_transaction_writes_at_a_time_and_readers_do_not_wait() {
    let canvas = canvas(
        &[
            ("client", "client", json!({})),
            ("tree", "clustered-storage", json!({"page_format": "sqlite", "page_size": 4096})),
            (
                "pool",
                "buffer-pool",
                json!({"capacity_pages": 5_000, "write_back": "commit", "journal": "wal"}),
            ),
            ("disk", "disk", json!({"slots": 8})),
        ],
        &["client.out -> tree", "tree.pages -> pool", "pool.device -> disk"],
    );
    let with = |operation: &str, clients: u32, batch: u32, rate: Value| {
        let settings = json!({
            "record_count": 5_000, "total_operations": 3_001, "warmup_operations": 2_000, "concurrency": clients,
            "operations_per_transaction": batch, "distribution": "uniform", "arrival_rate_per_second": rate,
        });
        run(&canvas, &workload(&[(operation, 1.0, Value::Null)], settings))
    };
    let waited_ms = |report: &engine::Report| {
        let shares = report.latency_breakdown.iter();
        let lock = |share: &&engine::report::LatencyShare| share.cause == "writer_lock";
        shares.filter(lock).map(|share| share.milliseconds).fold(0.0, f64::max)
    };
    // Eight writers do what one does, and wait for each other.
    let (one, eight) = (with(UPDATE, 1, 1, Value::Null), with(UPDATE, 8, 1, Value::Null));
    let gain = eight.summary.throughput_qps / one.summary.throughput_qps;
    assert!((0.9..1.2).contains(&gain), "{gain}");
    assert!(waited_ms(&eight) > 0.0 && waited_ms(&one) == 0.0);
    let readers = with(READ, 8, 1, Value::Null);
    assert_eq!(waited_ms(&readers), 0.0);
    assert!(readers.summary.throughput_qps > 4.0 * eight.summary.throughput_qps);
    // A run ends though transactions that hold the lock or wait for it are not complete.
    for batch in [1, 7, 1_000] {
        assert_eq!(with(UPDATE, 8, batch, Value::Null).summary.operations, 3_001);
        assert_eq!(with(UPDATE, 8, batch, json!(20_000.0)).summary.operations, 3_001);
    }
}
