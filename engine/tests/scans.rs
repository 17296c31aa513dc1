//! Ways from an index to rows: plain, by the visibility map, by a bitmap.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use common::{UPDATE, counter, heap_btree, quiet, run, run_with, workload};
use engine::Report;
use serde_json::{Value, json};

const RECORDS: u64 = 100_000;
/// With header and line pointer 132 bytes: 61 rows a page.
const RECORD_BYTES: u64 = 104;
const PAGES: u64 = 1_640;

/// A range of so many rows, once, through an index scan with these parameters.
fn range(scan: Value, rows: u64, order: &str) -> Report {
    let mut canvas = heap_btree(10_000, json!({}));
    canvas["blocks"][1]["parameters"] = scan;
    let range = json!({"access": "range", "rows": rows, "first_key": 10_000});
    let config = json!({
        "total_operations": 1, "warmup_operations": 0, "record_count": RECORDS, "record_bytes": RECORD_BYTES,
        "insert_order": order,
    });
    run(&canvas, &workload(&[("SELECT", 1.0, range)], config))
}

fn heap_visits(report: &Report) -> u64 {
    counter(report, "heap", "pool_hits") + counter(report, "heap", "pool_misses")
}

#[test]
fn rows_in_order_share_visits_and_scattered_ones_do_not() {
    let rows = 6_100;
    let in_order = range(json!({}), rows, "ascending");
    assert!((100..=101).contains(&heap_visits(&in_order)));
    assert_eq!(counter(&in_order, "heap", "rows_read"), rows);
    let scattered = heap_visits(&range(json!({}), rows, "hashed"));
    // Now and then the next row lies on the same page.
    assert!((rows - 15..=rows).contains(&scattered), "{scattered}");
}

#[test]
fn a_bitmap_visits_each_page_once() {
    for (rows, memory_kib) in [(500, 4096), (20_000, 4096), (20_000, 64)] {
        let report = range(json!({"bitmap": true, "work_mem_kib": memory_kib}), rows, "hashed");
        // Cardenas: pages that a random choice of rows hits.
        let pages = PAGES as f64;
        let expected = pages * (1.0 - libm::pow(1.0 - 1.0 / pages, rows as f64));
        let visits = heap_visits(&report) as f64;
        assert!((visits / expected - 1.0).abs() < 0.03, "{rows}: {visits} {expected}");
    }
    // What a page was wanted for is forgotten without the memory, so all of its rows are tested.
    let cpu = |memory_kib: u64| {
        let report = range(json!({"bitmap": true, "work_mem_kib": memory_kib}), 20_000, "hashed");
        counter(&report, "client", "cpu_ns")
    };
    assert!(cpu(64) > cpu(4096));
}

#[test]
fn an_index_only_scan_fetches_rows_of_changed_pages_alone() {
    let untouched = range(json!({"index_only": true}), 5_000, "hashed");
    assert_eq!(counter(&untouched, "scan", "rows_fetched"), 0);
    // One page of the map, asked for once.
    assert_eq!(heap_visits(&untouched), 1);

    let mut canvas = heap_btree(10_000, json!({}));
    canvas["blocks"][1]["parameters"] = json!({"index_only": true});
    let config = json!({
        "total_operations": 3_000, "warmup_operations": 0, "record_count": RECORDS, "record_bytes": RECORD_BYTES,
    });
    let read = ("SELECT", 1.0, json!({"access": "point"}));
    let workload = workload(&[read, (UPDATE, 1.0, Value::Null)], config);
    let (mut fetched, mut expected) = (0.0, 0.0);
    for seed in 1..=8 {
        let report = run_with(&canvas, &workload, &quiet(seed));
        let (reads, updates) =
            (report.operations[0].operations as f64, report.operations[1].operations as f64);
        // An update fetches its row as well; a read that of a page which one of the updates before it changed.
        fetched += counter(&report, "scan", "rows_fetched") as f64 - updates;
        let pages = PAGES as f64;
        let untouched = pages / updates * (1.0 - libm::pow(1.0 - 1.0 / pages, updates));
        expected += reads * (1.0 - untouched);
    }
    assert!((fetched / expected - 1.0).abs() < 0.05, "{fetched} {expected}");
}
