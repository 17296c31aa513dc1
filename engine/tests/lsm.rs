//! What the LSM tree does on a canvas: any wiring serves any operation, background work competes, stalls have a name.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use common::{INSERT, READ, block, canvas, counter, every_operation, run, run_with, workload};
use engine::report::Percentile;
use engine::{Options, Report, TraceLevel};
use serde_json::{Value, json};

/// Small enough that every level is in use after a few thousand rows.
fn small(changes: Value) -> Value {
    let mut parameters = json!({
        "write_buffer_bytes": 65_536, "target_file_bytes": 65_536, "level_base_bytes": 262_144, "size_ratio": 4,
    });
    for (name, value) in changes.as_object().unwrap() {
        parameters[name] = value.clone();
    }
    parameters
}

fn design(tree: Value, disk: Value) -> Value {
    canvas(
        &[
            ("client", "client", json!({})),
            ("scan", "index-scan", json!({})),
            ("tree", "lsm-tree", tree),
            ("wal", "wal", json!({})),
            ("log-disk", "disk", json!({})),
            ("disk", "disk", disk),
        ],
        &[
            "client.out -> scan",
            "scan.index -> tree",
            "tree.pages -> disk",
            "tree.log -> wal",
            "wal.device -> log-disk",
        ],
    )
}

fn with_heap() -> Value {
    canvas(
        &[
            ("client", "client", json!({})),
            ("scan", "index-scan", json!({})),
            ("tree", "lsm-tree", small(json!({"page_size": 8192}))),
            ("heap", "heap-storage", json!({})),
            ("pool", "buffer-pool", json!({"capacity_pages": 50})),
            ("disk", "disk", json!({})),
        ],
        &[
            "client.out -> scan",
            "scan.index -> tree",
            "scan.table -> heap",
            "tree.pages -> pool",
            "heap.pages -> pool",
            "pool.device -> disk",
        ],
    )
}

fn config(operations: u64, clients: u32, records: u64) -> Value {
    json!({
        "total_operations": operations, "warmup_operations": 0, "concurrency": clients, "record_count": records,
        "record_bytes": 300,
    })
}

/// Milliseconds a mean operation waits for a cause.
fn mean_wait(report: &Report, cause: &str) -> f64 {
    let shares = report.latency_breakdown.iter();
    shares
        .filter(|share| share.percentile == Percentile::Mean && share.cause == cause)
        .map(|share| share.milliseconds)
        .sum()
}

#[test]
fn any_wiring_serves_every_operation() {
    let operations = every_operation();
    let mut designs = vec![with_heap()];
    for compaction in ["leveled", "universal", "lazy-leveled", "leveldb"] {
        for background in ["concurrent", "settled"] {
            let changes = json!({"compaction": compaction, "background": background, "bloom": "monkey"});
            designs.push(design(small(changes.clone()), json!({})));
            let mut separated = small(changes);
            separated["min_blob_bytes"] = json!(100);
            designs.push(design(separated, json!({})));
        }
    }
    designs.push(design(
        small(json!({"build": "empty", "dynamic_level_bytes": false})),
        json!({"preset": "hdd"}),
    ));
    for (number, design) in designs.iter().enumerate() {
        for order in ["hashed", "ascending", "descending"] {
            let mut config = config(1_500, 6, 1_000);
            config["insert_order"] = json!(order);
            let report = run(design, &workload(&operations, config));
            assert_eq!(report.summary.operations, 1_500, "design {number}");
            assert!(report.operations.iter().all(|operation| operation.operations > 0), "design {number}");
            if number == 0 {
                let rows = block(&report, "heap").gauges["rows"].as_u64().unwrap();
                assert_eq!(block(&report, "tree").gauges["keys"], rows, "index and heap hold the same rows");
            } else {
                assert!(counter(&report, "tree", "flushes") > 0, "design {number}");
            }
        }
    }
}

#[test]
fn what_is_written_adds_up() {
    let report = run(
        &design(small(json!({})), json!({})),
        &workload(&[(INSERT, 1.0, Value::Null)], config(30_000, 1, 0)),
    );
    let gauges = &block(&report, "tree").gauges;
    assert_eq!(gauges["keys"], 30_000);
    assert_eq!(counter(&report, "tree", "puts"), 30_000);
    assert_eq!(counter(&report, "tree", "bytes_put"), 30_000 * 300);
    let (flushed, compacted) =
        (counter(&report, "tree", "bytes_flushed"), counter(&report, "tree", "bytes_compacted"));
    let read = counter(&report, "tree", "bytes_read_by_compaction");
    // Files are what was flushed, and what compactions wrote in place of what they read.
    assert_eq!(gauges["sst_bytes"], flushed + compacted - read);
    // What is still on its way has reached the device in part.
    assert!(counter(&report, "disk", "bytes_written") >= flushed + compacted);
    assert!(compacted > flushed);
}

#[test]
fn filters_save_reads_of_keys_that_are_not_there() {
    let missing = [(READ, 1.0, json!({"missing": true}))];
    let reads = |bloom: &str, bits: f64| {
        let tree = small(json!({"bloom": bloom, "bloom_bits": bits, "level0_trigger_files": 8}));
        let report = run(&design(tree, json!({})), &workload(&missing, config(20_000, 4, 20_000)));
        assert_eq!(counter(&report, "client", "rows_not_found"), 20_000);
        assert_eq!(counter(&report, "tree", "block_reads"), counter(&report, "disk", "reads"));
        report.summary.pages_read
    };
    let (without, few, many) = (reads("none", 10.0), reads("uniform", 5.0), reads("uniform", 10.0));
    assert!(without > 8 * few && few > 5 * many, "{without} {few} {many}");
    assert!(reads("monkey", 5.0) < few, "the same memory, better spent");
}

#[test]
fn universal_compaction_writes_less_and_reads_more() {
    let of = |compaction: &str| {
        let tree = small(json!({"compaction": compaction, "bloom": "none", "level0_trigger_files": 6}));
        let writes = run(
            &design(tree.clone(), json!({})),
            &workload(&[(INSERT, 1.0, Value::Null)], config(60_000, 1, 0)),
        );
        let reads =
            run(&design(tree, json!({})), &workload(&[(READ, 1.0, Value::Null)], config(5_000, 1, 60_000)));
        let written = block(&writes, "tree").gauges["write_amplification"].as_f64().unwrap();
        (written, counter(&reads, "tree", "block_reads"))
    };
    let (leveled, universal) = (of("leveled"), of("universal"));
    assert!(universal.0 < leveled.0, "{universal:?} {leveled:?}");
    assert!(universal.1 > leveled.1, "{universal:?} {leveled:?}");
}

#[test]
fn writers_that_outrun_the_device_wait_for_a_named_cause() {
    let slow_disk = json!({"preset": "cloud-volume", "bandwidth_mb_s": 20});
    let inserts = workload(&[(INSERT, 1.0, Value::Null)], config(60_000, 64, 0));
    let calm = run(&design(small(json!({})), json!({})), &inserts);
    let stalled = run(&design(small(json!({})), slow_disk.clone()), &inserts);
    assert!(counter(&stalled, "tree", "writes_stalled") > 0);
    assert!(mean_wait(&stalled, "write_stall") > 10.0 * mean_wait(&calm, "write_stall"));
    assert!(stalled.summary.latency_p99_ms > calm.summary.latency_p99_ms);

    // Many memtables keep the writers going until level 0 is full, and then they are slowed down first.
    let tree = small(json!({"max_memtables": 8, "slowdown_files": 6, "stop_files": 12}));
    let slowed = run(&design(tree, slow_disk), &inserts);
    assert!(counter(&slowed, "tree", "writes_delayed") > 0);
    assert!(mean_wait(&slowed, "write_slowdown") > 0.0);
}

#[test]
fn compaction_competes_with_reads() {
    let reads = [(READ, 1.0, Value::Null)];
    let mixed = [(READ, 1.0, json!({"name": "read"})), (INSERT, 4.0, json!({"name": "insert"}))];
    let disk = json!({"preset": "sata-ssd", "slots": 1});
    let quiet = run(&design(small(json!({})), disk.clone()), &workload(&reads, config(5_000, 8, 20_000)));
    let busy = run(&design(small(json!({})), disk), &workload(&mixed, config(25_000, 8, 20_000)));
    let read = busy.operations.iter().find(|operation| operation.name == "read").unwrap();
    assert!(read.latency_p99_ms > quiet.summary.latency_p99_ms, "a read waits behind requests of 256 KiB");
}

#[test]
fn a_trace_tells_of_puts_gets_flushes_and_compactions() {
    let options = Options { seed: 5, trace: TraceLevel::Full, max_events: 200_000, ..Options::default() };
    let operations = [(READ, 1.0, Value::Null), (INSERT, 3.0, Value::Null)];
    let report = run_with(
        &design(small(json!({})), json!({})),
        &workload(&operations, config(10_000, 4, 5_000)),
        &options,
    );
    let told = |kind: &str| report.events.iter().filter(|event| event.kind == kind).count() as u64;
    for (kind, counter_name) in [("lsm_put", "puts"), ("lsm_get", "gets"), ("lsm_flush", "flushes")] {
        assert_eq!(told(kind), counter(&report, "tree", counter_name), "{kind}");
    }
    let compactions = counter(&report, "tree", "compactions") + counter(&report, "tree", "trivial_moves");
    assert_eq!(told("lsm_compaction"), compactions);
    assert!(compactions > 0);
}
