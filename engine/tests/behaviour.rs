//! What designs do: counts that must balance, and effects a learner expects to see.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use common::{
    DELETE, INSERT, RANGE, READ, SCAN, UPDATE, block, canvas, counter, every_operation, heap_btree, run,
    workload,
};
use engine::{Options, Report, TraceLevel, design, templates, workload as workloads};
use serde_json::{Value, json};

fn config(operations: u64, clients: u32, records: u64) -> Value {
    json!({
        "total_operations": operations, "warmup_operations": 0, "concurrency": clients, "record_count": records,
        "record_bytes": 300,
    })
}

fn clustered(pool_pages: u32, parameters: Value) -> Value {
    canvas(
        &[
            ("client", "client", json!({})),
            ("rows", "clustered-storage", parameters),
            ("pool", "buffer-pool", json!({"capacity_pages": pool_pages})),
            ("wal", "wal", json!({})),
            ("disk", "disk", json!({})),
        ],
        &[
            "client.out -> rows",
            "rows.pages -> pool",
            "rows.log -> wal",
            "pool.device -> disk",
            "wal.device -> disk",
        ],
    )
}

/// A heap that keeps versions, an index on the key, one on another column, and a log with full-page images.
fn versioned(pool_pages: u32, heap: Value, column_index: Value) -> Value {
    let mut heap = heap;
    heap["updates"] = json!("new_version");
    canvas(
        &[
            ("client", "client", json!({})),
            ("index", "btree-index", json!({})),
            ("column", "btree-index", column_index),
            ("heap", "heap-storage", heap),
            ("pool", "buffer-pool", json!({"capacity_pages": pool_pages})),
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

/// A heap with a hash index; ranges read the heap.
fn hashed(pool_pages: u32, index: Value, heap: Value) -> Value {
    canvas(
        &[
            ("client", "client", json!({})),
            ("scan", "index-scan", json!({})),
            ("index", "hash-index", index),
            ("heap", "heap-storage", heap),
            ("pool", "buffer-pool", json!({"capacity_pages": pool_pages})),
            ("wal", "wal", json!({"record_format": "postgres", "full_page_writes": true})),
            ("disk", "disk", json!({})),
        ],
        &[
            "client.out -> scan",
            "client.out -> heap",
            "scan.index -> index",
            "scan.table -> heap",
            "index.pages -> pool",
            "heap.pages -> pool",
            "index.log -> wal",
            "heap.log -> wal",
            "pool.device -> disk",
            "wal.device -> disk",
        ],
    )
}

/// A heap with a skip list in memory, and a log for both.
fn skipping(pool_pages: u32, list: Value, heap: Value) -> Value {
    canvas(
        &[
            ("client", "client", json!({})),
            ("scan", "index-scan", json!({})),
            ("list", "skip-list", list),
            ("heap", "heap-storage", heap),
            ("pool", "buffer-pool", json!({"capacity_pages": pool_pages})),
            ("wal", "wal", json!({})),
            ("disk", "disk", json!({})),
        ],
        &[
            "client.out -> scan",
            "scan.index -> list",
            "scan.table -> heap",
            "heap.pages -> pool",
            "list.log -> wal",
            "heap.log -> wal",
            "pool.device -> disk",
            "wal.device -> disk",
        ],
    )
}

/// A skip list that is all there is: no page, no device.
fn in_memory(list: Value) -> Value {
    canvas(&[("client", "client", json!({})), ("list", "skip-list", list)], &["client.out -> list"])
}

/// Every kind of operation on every kind of design that makes sense, however it is wired.
fn designs() -> Vec<Value> {
    let none = || json!({});
    let with_seq_scan = canvas(
        &[
            ("client", "client", none()),
            ("seq", "seq-scan", none()),
            ("heap", "heap-storage", none()),
            ("pool", "buffer-pool", json!({"capacity_pages": 20})),
            ("disk", "disk", none()),
        ],
        &["client.out -> seq", "seq.table -> heap", "heap.pages -> pool", "pool.device -> disk"],
    );
    let index_on_clustered = canvas(
        &[
            ("client", "client", none()),
            ("ix", "index-scan", none()),
            ("index", "btree-index", none()),
            ("rows", "clustered-storage", none()),
            ("pool", "buffer-pool", json!({"capacity_pages": 20})),
            ("disk", "disk", none()),
        ],
        &[
            "client.out -> ix",
            "ix.index -> index",
            "ix.table -> rows",
            "index.pages -> disk",
            "rows.pages -> pool",
            "pool.device -> disk",
        ],
    );
    let index_only = canvas(
        &[("client", "client", none()), ("index", "btree-index", none()), ("disk", "disk", none())],
        &["client.out -> index", "index.pages -> disk"],
    );
    let scan_of_clustered = canvas(
        &[
            ("client", "client", none()),
            ("seq", "seq-scan", json!({"read_ahead_pages": 8})),
            ("rows", "clustered-storage", json!({"build": "inserted"})),
            ("disk", "disk", json!({"preset": "hdd"})),
        ],
        &["client.out -> seq", "seq.table -> rows", "rows.pages -> disk"],
    );
    let versions = versioned(30, json!({}), json!({"column": "other"}));
    let vacuumed = versioned(
        30,
        json!({
            "autovacuum_scale_factor": 0.01, "autovacuum_threshold": 0, "autovacuum_naptime_seconds": 0.002,
        }),
        json!({"column": "other"}),
    );
    // Changed pages are written at commit.
    let committed = |kind: &str, tree: Value, pool: Value| {
        canvas(
            &[
                ("client", "client", none()),
                ("tree", kind, tree),
                ("pool", "buffer-pool", pool),
                ("disk", "disk", none()),
            ],
            &["client.out -> tree", "tree.pages -> pool", "pool.device -> disk"],
        )
    };
    let sqlite = |parameters: Value| {
        let mut tree = json!({"page_format": "sqlite", "build": "inserted"});
        tree.as_object_mut().unwrap().extend(parameters.as_object().unwrap().clone());
        tree
    };
    let in_place = json!({"capacity_pages": 20, "write_back": "commit", "policy": "clean-first-lru"});
    let journal =
        json!({"capacity_pages": 20, "write_back": "commit", "journal": "wal", "checkpoint_frames": 30});
    let copied = json!({"page_format": "lmdb", "page_size": 4096, "copy_on_write": true});
    // Reads by the visibility map, and by bitmaps that are soon lossy.
    let fetching = |scan: Value, heap: Value| {
        let mut canvas = heap_btree(20, none());
        canvas["blocks"][1]["parameters"] = scan;
        canvas["blocks"][3]["parameters"] = heap;
        canvas
    };
    vec![
        versions,
        fetching(json!({"index_only": true}), none()),
        fetching(json!({"index_only": true}), json!({"updates": "new_version"})),
        fetching(json!({"bitmap": true, "work_mem_kib": 64}), none()),
        fetching(json!({"bitmap": true}), json!({"updates": "new_version"})),
        skipping(20, none(), none()),
        skipping(20, json!({"probability": 0.5, "max_height": 3}), json!({"updates": "new_version"})),
        in_memory(none()),
        vacuumed,
        committed("clustered-storage", sqlite(json!({"page_size": 1024})), in_place.clone()),
        committed(
            "clustered-storage",
            sqlite(json!({"page_size": 512, "without_rowid": true})),
            journal.clone(),
        ),
        committed("clustered-storage", copied.clone(), in_place.clone()),
        committed("btree-index", sqlite(json!({"page_size": 512})), journal),
        committed("btree-index", copied, in_place),
        clustered(20, sqlite(json!({"page_size": 512}))),
        clustered(20, json!({"page_format": "lmdb"})),
        heap_btree(20, none()),
        heap_btree(1, none()),
        clustered(20, none()),
        common::bare_heap(none()),
        with_seq_scan,
        index_on_clustered,
        index_only,
        scan_of_clustered,
    ]
}

#[test]
fn any_legal_wiring_serves_every_operation() {
    let operations = every_operation();
    for (number, design) in designs().iter().enumerate() {
        for order in ["hashed", "ascending", "descending"] {
            let mut config = config(1_500, 6, 400);
            config["insert_order"] = json!(order);
            let report = run(design, &workload(&operations, config));
            assert_eq!(report.summary.operations, 1_500, "design {number}");
            assert!(report.operations.iter().all(|operation| operation.operations > 0), "design {number}");
            balance(&report);
        }
    }
}

/// Counts that must agree whatever the design.
fn balance(report: &Report) {
    let rows: Vec<(&str, u64, u64)> = report
        .blocks
        .iter()
        .filter_map(|block| {
            let count = |name: &str| block.counters.get(name).and_then(Value::as_u64);
            match block.kind.as_str() {
                "heap-storage" => {
                    Some((block.block_id.as_str(), count("rows_inserted")?, count("rows_deleted")?))
                }
                "clustered-storage" | "btree-index" | "hash-index" | "skip-list" => {
                    Some((block.block_id.as_str(), count("inserts")?, count("deletes")?))
                }
                _ => None,
            }
        })
        .collect();
    // Storage and indexes of one table gain and lose the same rows.
    assert!(rows.windows(2).all(|pair| (pair[0].1, pair[0].2) == (pair[1].1, pair[1].2)), "{rows:?}");
    for block in &report.blocks {
        let gauge = |name: &str| block.gauges.get(name).and_then(Value::as_u64);
        let id = block.block_id.as_str();
        if let Some(rows) = gauge("rows") {
            assert_eq!(
                rows,
                400 + counter(report, id, "rows_inserted") - counter(report, id, "rows_deleted")
            );
        }
        if let Some(keys) = gauge("keys") {
            assert_eq!(keys, 400 + counter(report, id, "inserts") - counter(report, id, "deletes"));
        }
        if block.kind == "buffer-pool" {
            assert!(gauge("resident_pages") <= gauge("capacity_pages"));
            assert!(gauge("dirty_pages") <= gauge("resident_pages"));
        }
    }
}

#[test]
fn page_accesses_are_hits_and_misses() {
    // Three levels of index and one heap page a read: 4 accesses, all through the pool, nothing else touches it.
    let report =
        run(&heap_btree(300, json!({})), &workload(&[(READ, 1.0, Value::Null)], config(10_000, 8, 200_000)));
    let height = block(&report, "index").gauges["height"].as_u64().unwrap();
    assert_eq!(height, 3);
    let accesses = counter(&report, "pool", "hits") + counter(&report, "pool", "misses");
    assert_eq!(accesses, 10_000 * (height + 1));
    assert_eq!(counter(&report, "pool", "misses"), report.summary.pages_read);
    assert_eq!(counter(&report, "scan", "index_lookups"), 10_000);
    assert_eq!(counter(&report, "heap", "rows_read"), 10_000);
    assert_eq!(report.summary.transactions_committed, 10_000);
    assert_eq!(report.summary.pages_written, 0);
}

#[test]
fn lru_hit_ratio_follows_ches_approximation() {
    // One row a page and no index pages in between: the pool sees the Zipf law itself. N = 10^5, C = N/10: 0.7250.
    let design = canvas(
        &[
            ("client", "client", json!({})),
            ("ix", "index-scan", json!({})),
            ("index", "btree-index", json!({})),
            ("heap", "heap-storage", json!({})),
            ("pool", "buffer-pool", json!({"capacity_pages": 10_000})),
            ("index-pool", "buffer-pool", json!({"capacity_pages": 10_000})),
            ("disk", "disk", json!({})),
        ],
        &[
            "client.out -> ix",
            "ix.index -> index",
            "ix.table -> heap",
            "index.pages -> index-pool",
            "heap.pages -> pool",
            "pool.device -> disk",
            "index-pool.device -> disk",
        ],
    );
    let config = json!({
        "total_operations": 600_000, "warmup_operations": 300_000, "concurrency": 1, "record_count": 100_000,
        "record_bytes": 8_000, "distribution": "zipfian",
    });
    let report = run(&design, &workload(&[(READ, 1.0, Value::Null)], config));
    let ratio = block(&report, "pool").gauges["hit_ratio"].as_f64().unwrap();
    assert!((ratio - 0.7250).abs() < 0.003, "{ratio}");
}

#[test]
fn a_larger_pool_reads_less_and_a_clustered_table_reads_fewer_pages() {
    let reads = |design: &Value| {
        let mut workload = templates::workload("ycsb-c").unwrap().workload();
        workload.config.total_operations = 20_000;
        workload.config.warmup_operations = Some(20_000);
        run(design, &workload).summary
    };
    let (small, large) = (reads(&heap_btree(500, json!({}))), reads(&heap_btree(5_000, json!({}))));
    assert!(large.pages_read < small.pages_read / 2);
    assert!(large.cache_hit_ratio > small.cache_hit_ratio);
    assert!(large.throughput_qps > small.throughput_qps);
}

#[test]
fn dirty_pages_are_written_back_when_they_leave() {
    let report =
        run(&heap_btree(50, json!({})), &workload(&[(UPDATE, 1.0, Value::Null)], config(5_000, 1, 20_000)));
    assert_eq!(report.summary.pages_written, counter(&report, "pool", "dirty_evictions"));
    assert!(report.summary.pages_written > 4_000, "{}", report.summary.pages_written);
    assert!(report.latency_breakdown.iter().any(|share| share.cause == "write_back"));
    let reading =
        run(&heap_btree(50, json!({})), &workload(&[(READ, 1.0, Value::Null)], config(5_000, 1, 20_000)));
    assert_eq!(counter(&reading, "pool", "dirty_evictions"), 0);
    assert!(counter(&reading, "pool", "evictions") > 4_000);
}

#[test]
fn one_read_in_flight_serves_everyone_who_waits_for_the_page() {
    // One page, many clients at once: one miss, and the others wait for it.
    let design = common::heap_btree(10, json!({"preset": "hdd"}));
    let report = run(&design, &workload(&[(READ, 1.0, Value::Null)], config(32, 32, 5)));
    assert_eq!(counter(&report, "pool", "misses"), 2);
    assert_eq!(counter(&report, "pool", "shared_reads"), 62);
    assert!(report.latency_breakdown.iter().any(|share| share.cause == "page_in_flight"));
}

#[test]
fn read_ahead_asks_for_several_pages_at_once() {
    let scans = |pages: u32| {
        let design = canvas(
            &[
                ("client", "client", json!({})),
                ("seq", "seq-scan", json!({"read_ahead_pages": pages})),
                ("heap", "heap-storage", json!({})),
                ("pool", "buffer-pool", json!({"capacity_pages": 64})),
                ("disk", "disk", json!({"preset": "sata-ssd"})),
            ],
            &["client.out -> seq", "seq.table -> heap", "heap.pages -> pool", "pool.device -> disk"],
        );
        run(&design, &workload(&[(SCAN, 1.0, Value::Null)], config(4, 1, 20_000)))
    };
    let (one, sixteen) = (scans(1), scans(16));
    let pages = block(&one, "heap").gauges["pages"].as_u64().unwrap();
    assert_eq!(one.summary.pages_read, 4 * pages);
    assert_eq!(sixteen.summary.pages_read, 4 * pages);
    assert_eq!(counter(&one, "disk", "reads"), 4 * pages);
    assert_eq!(counter(&sixteen, "disk", "reads"), 4 * pages.div_ceil(16));
    assert_eq!(counter(&sixteen, "seq", "pages_scanned"), 4 * pages);
    assert!(sixteen.summary.throughput_qps > 3.0 * one.summary.throughput_qps);
}

#[test]
fn sequential_pages_spare_a_hard_disk_its_seeks() {
    let latency = |order: &str| {
        let mut config = config(200, 1, 20_000);
        config["insert_order"] = json!(order);
        let design = heap_btree(30, json!({"preset": "hdd"}));
        run(&design, &workload(&[(RANGE, 1.0, Value::Null)], config)).summary.latency_mean_ms
    };
    // 50 rows in key order lie on 3 pages of an ascending heap, and on 50 of a hashed one.
    assert!(latency("hashed") > 8.0 * latency("ascending"));
}

#[test]
fn a_heap_grown_by_inserts_has_the_pages_of_a_loaded_one() {
    let design = heap_btree(200, json!({}));
    let mut config = config(20_000, 4, 0);
    config["record_bytes"] = json!(120);
    let report = run(&design, &workload(&[(INSERT, 1.0, Value::Null)], config));
    // 148 bytes a row with its line pointer: 55 on a page.
    assert_eq!(block(&report, "heap").gauges["pages"], 20_000u64.div_ceil(55));
    assert_eq!(counter(&report, "heap", "pages_allocated"), 20_000u64.div_ceil(55));
}

#[test]
fn deleted_rows_are_gone_and_their_places_are_used_again() {
    let operations = [(DELETE, 1.0, Value::Null), (INSERT, 1.0, Value::Null)];
    let report = run(&heap_btree(200, json!({})), &workload(&operations, config(20_000, 4, 10_000)));
    let gauges = &block(&report, "heap").gauges;
    let (pages, rows) = (gauges["pages"].as_f64().unwrap(), gauges["rows"].as_f64().unwrap());
    // 24 rows fit a page. Without reuse the heap would hold all 20 000 rows that ever were.
    assert!(pages < 1.05 * rows / 24.0 && rows < 16_000.0, "{pages} pages, {rows} rows");
    assert!(
        counter(&report, "client", "rows_not_found") > 1_000,
        "keys that were deleted are asked for again"
    );
}

#[test]
fn a_clustered_table_merges_pages_that_empty() {
    let report = run(
        &clustered(500, json!({})),
        &workload(&[(DELETE, 1.0, json!({"key": "sequential"}))], config(9_000, 1, 10_000)),
    );
    assert!(counter(&report, "rows", "merges") > 100);
    let gauges = &block(&report, "rows").gauges;
    assert!(gauges["leaf_pages"].as_u64().unwrap() < 200, "{gauges:?}");
    let kept = run(
        &clustered(500, json!({"merge_threshold": 0})),
        &workload(&[(DELETE, 1.0, json!({"key": "sequential"}))], config(9_000, 1, 10_000)),
    );
    assert_eq!(counter(&kept, "rows", "merges"), 0);
}

#[test]
fn read_modify_write_is_one_transaction_on_one_key() {
    let mut workload = templates::workload("ycsb-f").unwrap().workload();
    workload.config.total_operations = 10_000;
    workload.config.warmup_operations = Some(0);
    let options = Options { trace: TraceLevel::Full, max_events: 1_000_000, ..common::quiet(1) };
    let report = common::run_with(&heap_btree(2_000, json!({})), &workload, &options);
    let names: Vec<&str> = report.operations.iter().map(|operation| operation.name.as_str()).collect();
    assert_eq!(names, ["read", "read-modify-write"]);
    let writes = report.operations[1].operations;
    assert!((4_700..5_300).contains(&writes));
    assert_eq!(report.summary.transactions_committed, 10_000);
    assert_eq!(counter(&report, "heap", "rows_updated"), writes);
    assert_eq!(counter(&report, "wal", "commits"), writes);
    // Each updated row is the one its transaction looked up before.
    let mut lookup = std::collections::BTreeMap::new();
    let mut pairs = 0;
    for event in &report.events {
        if event.kind == "index_lookup" {
            *lookup.entry(event.payload["key"].as_u64().unwrap()).or_insert(0u64) += 1;
        }
        pairs += u64::from(event.kind == "record_updated");
    }
    assert_eq!(pairs, writes);
    assert_eq!(lookup.values().sum::<u64>(), 10_000 + writes);
}

#[test]
fn commits_of_several_operations_share_one_log_record() {
    let mut config = config(9_000, 4, 10_000);
    config["operations_per_transaction"] = json!(3);
    let report = run(&heap_btree(500, json!({})), &workload(&[(UPDATE, 1.0, Value::Null)], config));
    assert!(report.summary.transactions_committed.abs_diff(3_000) <= 4);
    assert_eq!(counter(&report, "wal", "commits"), report.summary.transactions_committed);
}

#[test]
fn commit_modes_differ_in_what_a_commit_waits_for() {
    let latency = |mode: &str| {
        let mut design = heap_btree(5_000, json!({}));
        design["blocks"][5]["parameters"] = json!({"commit_mode": mode, "flush_interval_ms": 5});
        run(&design, &workload(&[(UPDATE, 1.0, Value::Null)], config(2_000, 1, 1_000))).summary.latency_p50_ms
    };
    let (sync, interval, none) = (latency("sync"), latency("interval"), latency("async"));
    assert!(none < 0.01 && sync > none && sync < 0.2, "{none} {sync}");
    // One client always waits a whole period for the next flush.
    assert!((4.5..5.5).contains(&interval), "{interval}");
}

#[test]
fn ycsb_presets_have_ycsbs_proportions() {
    for (slug, expected) in [
        ("ycsb-a", vec![("read", 0.5), ("update", 0.5)]),
        ("ycsb-b", vec![("read", 0.95), ("update", 0.05)]),
        ("ycsb-c", vec![("read", 1.0)]),
        ("ycsb-d", vec![("read", 0.95), ("insert", 0.05)]),
        ("ycsb-e", vec![("scan", 0.95), ("insert", 0.05)]),
        ("ycsb-f", vec![("read", 0.5), ("read-modify-write", 0.5)]),
    ] {
        let mut workload = templates::workload(slug).unwrap().workload();
        workload.config.total_operations = 10_000;
        workload.config.record_count = 10_000;
        workload.config.warmup_operations = Some(0);
        let report = run(&heap_btree(3_000, json!({})), &workload);
        for (operation, (name, part)) in report.operations.iter().zip(expected) {
            assert_eq!(operation.name, name, "{slug}");
            let measured = operation.operations as f64 / 10_000.0;
            assert!((measured - part).abs() < 0.012, "{slug} {name}: {measured}");
        }
        if slug == "ycsb-e" {
            // Scans read 1 to 100 rows: 50.5 on average.
            let rows = counter(&report, "scan", "rows_found") as f64 / report.operations[0].operations as f64;
            assert!((rows - 50.5).abs() < 1.5, "{rows}");
        }
    }
}

#[test]
fn series_add_up_to_the_whole_run() {
    let report =
        run(&heap_btree(300, json!({})), &workload(&[(READ, 1.0, Value::Null)], config(100_000, 2, 50_000)));
    let series = |name: &str| report.series.iter().find(|series| series.name == name).unwrap();
    let throughput = series("throughput_qps");
    assert_eq!(throughput.interval_ns, 100_000_000);
    let seconds = report.summary.simulated_seconds;
    let buckets = throughput.values.len();
    assert_eq!(buckets, (seconds * 10.0).ceil() as usize);
    let last = seconds - (buckets - 1) as f64 / 10.0;
    let operations: f64 = throughput
        .values
        .iter()
        .enumerate()
        .map(|(bucket, value)| value.unwrap() * if bucket + 1 == buckets { last } else { 0.1 })
        .sum();
    assert!((operations - 100_000.0).abs() < 1.0, "{operations}");
    let pages: f64 = series("pages_read").values.iter().flatten().sum();
    assert_eq!(pages as u64, report.summary.pages_read);
    assert!(series("cache_hit_ratio").values.iter().flatten().all(|ratio| (0.0..=1.0).contains(ratio)));
    assert!(series("utilization").values.iter().flatten().all(|ratio| (0.0..=1.0 + 1e-9).contains(ratio)));
}

#[test]
fn a_full_trace_tells_whole_operations_in_order() {
    let options = Options { trace: TraceLevel::Full, max_events: 500, ..common::quiet(1) };
    let mix = workload(&[(UPDATE, 1.0, Value::Null), (INSERT, 1.0, Value::Null)], config(3_000, 4, 50_000));
    let report = common::run_with(&heap_btree(20, json!({})), &mix, &options);
    assert_eq!(report.events.len(), 500);
    assert!(report.event_count > 10_000);
    assert!(report.events.windows(2).all(|pair| pair[0].time_ns <= pair[1].time_ns));
    assert!(report.events.iter().enumerate().all(|(place, event)| event.sequence as usize == place));
    assert!(report.warnings.iter().any(|warning| warning.code == "EVENTS_DROPPED"));
    // Every event is one its block's type promises.
    for event in &report.events {
        let kind = &block(&report, &event.block_id).kind;
        let promised = design::catalog::block_type(kind).unwrap().events;
        assert!(promised.contains(&event.kind.as_str()), "{kind} does not promise {}", event.kind);
    }
    let has = |kind: &str| report.events.iter().any(|event| event.kind == kind);
    for kind in [
        "page_read",
        "page_read_from_disk",
        "page_evicted",
        "record_inserted",
        "record_updated",
        "btree_lookup",
        "log_flush",
    ] {
        assert!(has(kind), "{kind}");
    }
}

#[test]
fn a_sampled_trace_tells_some_operations_from_start_to_end() {
    let options = Options { seed: 5, max_events: 1_000_000, ..Options::default() };
    let report = common::run_with(
        &heap_btree(1_000, json!({})),
        &workload(&[(UPDATE, 1.0, Value::Null)], config(50_000, 4, 50_000)),
        &options,
    );
    let count = |kind: &str| report.events.iter().filter(|event| event.kind == kind).count();
    assert_eq!(count("operation_started"), count("operation_completed"));
    assert_eq!(count("operation_started"), count("record_updated"));
    assert!((250..550).contains(&count("operation_started")), "{}", count("operation_started"));
}

#[test]
fn a_workload_whose_table_nobody_holds_is_refused() {
    let workload = workloads::parse(&json!({
        "operations": [{"type": "SELECT", "template": "SELECT * FROM users WHERE id = ?", "weight": 1}],
        "tables": [{"name": "users", "record_count": 10}],
        "config": {"total_operations": 10},
    }))
    .unwrap();
    let outcome = engine::simulate(
        &common::plan(&heap_btree(10, json!({}))),
        &workload,
        &common::quiet(1),
        &engine::Control::default(),
    );
    let Err(engine::SimulateError::InvalidDesign(found)) = outcome else { panic!("expected a refusal") };
    assert_eq!(found[0].code, engine::Code::TableNotStored);
    assert!(found[0].message.contains("\"users\"") && found[0].message.contains("main"));
}

#[test]
fn rows_too_large_for_their_pages_are_refused() {
    for (design, bytes) in [(heap_btree(10, json!({})), 9_000), (clustered(10, json!({})), 5_000)] {
        let mut config = config(10, 1, 10);
        config["record_bytes"] = json!(bytes);
        let outcome = engine::simulate(
            &common::plan(&design),
            &workload(&[(READ, 1.0, Value::Null)], config),
            &common::quiet(1),
            &engine::Control::default(),
        );
        let Err(engine::SimulateError::InvalidDesign(found)) = outcome else { panic!("expected a refusal") };
        assert_eq!(found[0].code, engine::Code::RecordTooLarge);
    }
}

#[test]
fn two_tables_live_side_by_side() {
    let design = canvas(
        &[
            ("client", "client", json!({})),
            ("orders", "clustered-storage", json!({"table": "orders"})),
            ("users", "heap-storage", json!({"table": "users"})),
            ("ix", "index-scan", json!({})),
            ("index", "btree-index", json!({})),
            ("pool", "buffer-pool", json!({"capacity_pages": 100})),
            ("disk", "disk", json!({})),
        ],
        &[
            "client.out -> orders",
            "client.out -> ix",
            "ix.index -> index",
            "ix.table -> users",
            "orders.pages -> pool",
            "users.pages -> pool",
            "index.pages -> pool",
            "pool.device -> disk",
        ],
    );
    let workload = workloads::parse(&json!({
        "operations": [
            {"type": "SELECT", "template": "SELECT * FROM users WHERE id = ?", "weight": 1, "transaction": "order"},
            {"type": "INSERT", "template": "INSERT INTO orders VALUES (?)", "weight": 1, "transaction": "order"},
        ],
        "tables": [
            {"name": "users", "record_count": 5000, "record_bytes": 200},
            {"name": "orders", "record_count": 1000, "record_bytes": 100, "insert_order": "ascending"},
        ],
        "config": {"total_operations": 2000, "warmup_operations": 0, "concurrency": 3},
    }))
    .unwrap();
    let report = run(&design, &workload);
    assert_eq!(block(&report, "orders").gauges["keys"], 3_000);
    assert_eq!(counter(&report, "users", "rows_read"), 2_000);
    assert_eq!(report.operations[0].name, "order");
}

/// A fuzzed run once took a row of a clustered table away twice: two clients had found it before either removed it.
#[test]
fn clients_that_delete_the_same_row_at_once_delete_it_once() {
    for design in [clustered(8, json!({})), heap_btree(8, json!({}))] {
        let report =
            run(&design, &workload(&[(DELETE, 1.0, json!({})), (READ, 1.0, json!({}))], config(500, 64, 2)));
        assert_eq!(report.summary.operations, 500);
        assert_eq!(report.summary.space_amplification, None, "no row is left");
    }
}

/// A long transaction keeps versions that others replace: pages cannot be pruned, and the heap and its index grow.
#[test]
fn one_slow_scan_bloats_a_heap_of_versions() {
    let pages = |operations: &[(&str, f64, Value)], clients: u32| {
        let mut config = config(6_000, clients, 1_000);
        config["distribution"] = json!("zipfian");
        let report =
            run(&versioned(20, json!({}), json!({"column": "other"})), &workload(operations, config));
        let gauge = |id: &str, name: &str| block(&report, id).gauges[name].as_u64().unwrap();
        (gauge("heap", "pages"), gauge("index", "leaf_pages"))
    };
    let update = (UPDATE, 100.0, Value::Null);
    let (alone, index_alone) = pages(std::slice::from_ref(&update), 8);
    let slow = ("SELECT * FROM main WHERE id > ? LIMIT 1000", 0.5, Value::Null);
    let (beside, _) = pages(&[update, slow], 8);
    assert!(beside > alone, "{beside} {alone}");
    assert!(index_alone <= 4, "{index_alone}");
}

#[test]
fn an_index_on_a_column_that_changes_ends_hot_updates() {
    let run = |changes: bool, column: Value| {
        let parameters = json!({"changes_indexed_column": changes, "changed_bytes": 4});
        let design = versioned(3_000, json!({"fill_factor": 0.8}), column);
        run(&design, &workload(&[(UPDATE, 1.0, parameters)], config(20_000, 1, 20_000)))
    };
    let other = || json!({"column": "other"});
    let hot = run(false, other());
    assert_eq!(counter(&hot, "heap", "hot_updates"), 20_000);
    assert_eq!(counter(&hot, "index", "versions_added"), 0);
    let cold = run(true, other());
    assert_eq!(counter(&cold, "heap", "hot_updates"), 0);
    assert_eq!(counter(&cold, "index", "versions_added"), 20_000);
    assert_eq!(counter(&cold, "column", "inserts"), 20_000);
    let bytes = |report: &Report| counter(report, "wal", "bytes_appended");
    assert!(bytes(&cold) > bytes(&hot) * 11 / 10);
    // Values that only grow go to the end of their index, and few of its old pages change.
    let ascending = run(true, json!({"column": "other", "column_order": "ascending"}));
    let images = |report: &Report| counter(report, "wal", "full_page_images");
    assert!(images(&ascending) + 40 < images(&cold), "{} {}", images(&ascending), images(&cold));
}

#[test]
fn a_hash_index_finds_a_key_in_one_page_whatever_the_size() {
    for method in ["linear", "extendible"] {
        let pages = |records: u64| {
            let design = hashed(20_000, json!({"method": method}), json!({}));
            let report = run(&design, &workload(&[(READ, 1.0, Value::Null)], config(2_000, 1, records)));
            let visits = |id: &str| counter(&report, id, "pool_hits") + counter(&report, id, "pool_misses");
            assert_eq!(visits("heap"), 2_000);
            visits("index") as f64 / 2_000.0
        };
        // A directory page comes first where there is a directory.
        let expected = if method == "linear" { 1.0 } else { 2.0 };
        for records in [1_000, 100_000] {
            assert!((pages(records) - expected).abs() < 0.05, "{method} {records}");
        }
    }
}

#[test]
fn a_range_needs_more_than_a_hash_index() {
    let mut design = hashed(30, json!({}), json!({}));
    let wires = design["connections"].as_array_mut().unwrap();
    wires.retain(|wire| wire["target"]["blockId"] != "heap" || wire["source"]["blockId"] != "client");
    let simulate = |template: &str| {
        engine::simulate(
            &common::plan(&design),
            &workload(&[(template, 1.0, Value::Null)], config(10, 1, 100)),
            &common::quiet(1),
            &engine::Control::default(),
        )
    };
    assert!(simulate(READ).is_ok());
    for template in [RANGE, SCAN] {
        let error = simulate(template).unwrap_err().to_string();
        assert!(error.contains("hash index \"index\" finds single keys only"), "{error}");
    }
}

#[test]
fn a_skip_list_takes_processor_time_and_no_page() {
    let config = config(3_000, 1, 100_000);
    let covering = run(&in_memory(json!({})), &workload(&[(READ, 1.0, Value::Null)], config.clone()));
    let list = block(&covering, "list");
    // About L(n)/p steps: 8.3 levels at 4 a level, and a node in four more than one pointer.
    let per_search = counter(&covering, "list", "comparisons") as f64 / 3_000.0;
    assert!((28.0..36.0).contains(&per_search), "{per_search}");
    assert_eq!(counter(&covering, "list", "lookups"), 3_000);
    assert_eq!(covering.summary.total_io_pages, 0);
    // Nothing waits: a statement, 20 ns a comparison, and the row.
    let expected_ns = 1_000.0 + 20.0 * per_search + 100.0;
    assert!((covering.summary.latency_mean_ms * 1e6 - expected_ns).abs() < 0.01 * expected_ns);
    let nodes: Vec<u64> = serde_json::from_value(list.gauges["nodes_by_height"].clone()).unwrap();
    assert_eq!(nodes.iter().sum::<u64>(), 100_000);
    assert_eq!(nodes.iter().rposition(|nodes| *nodes > 0).unwrap() + 1, list.gauges["height"]);
    // The row, a header and a third of a pointer more than one.
    let memory_bytes = list.gauges["memory_bytes"].as_f64().unwrap();
    assert!((memory_bytes / 100_000.0 - (300.0 + 8.0 + 8.0 * 4.0 / 3.0)).abs() < 0.5, "{memory_bytes}");

    let stored =
        run(&skipping(20_000, json!({}), json!({})), &workload(&[(READ, 1.0, Value::Null)], config.clone()));
    let visits = counter(&stored, "pool", "hits") + counter(&stored, "pool", "misses");
    assert_eq!(visits, 3_000, "the heap's pages alone");
    assert_eq!(counter(&stored, "scan", "rows_fetched"), 3_000);

    let ranges = run(&in_memory(json!({})), &workload(&[(RANGE, 1.0, Value::Null)], config));
    assert_eq!(counter(&ranges, "list", "ranges"), 3_000);
    assert_eq!(counter(&ranges, "list", "comparisons"), counter(&covering, "list", "comparisons"));
}

#[test]
fn too_low_towers_make_searches_of_a_skip_list_long() {
    let comparisons = |height: u32, records: u64| {
        let design = in_memory(json!({"max_height": height}));
        let report = run(&design, &workload(&[(READ, 1.0, Value::Null)], config(500, 1, records)));
        counter(&report, "list", "comparisons") as f64 / 500.0
    };
    // With room enough, ten times the keys cost log 10 / log 4 = 1.66 levels more; at the top level, ten times the nodes.
    assert!(comparisons(12, 100_000) - comparisons(12, 10_000) < 8.0);
    assert!(comparisons(3, 100_000) > 8.0 * comparisons(3, 10_000));
}
