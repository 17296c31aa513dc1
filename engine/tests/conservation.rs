//! What holds for every design: nothing is lost between the counters, and more of a resource never does harm.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use common::{DELETE, INSERT, RANGE, READ, UPDATE, block, canvas, counter, run, workload};
use engine::Report;
use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};

/// A table with an index, through one pool.
fn design(storage: &str, page_format: &str, build: &str, pool: Value, disk: Value) -> Value {
    let storage_parameters = if storage == "heap-storage" { json!({}) } else { json!({"build": build}) };
    canvas(
        &[
            ("client", "client", json!({})),
            ("lookup", "index-scan", json!({})),
            ("index", "btree-index", json!({"page_format": page_format, "build": build})),
            ("rows", storage, storage_parameters),
            ("pool", "buffer-pool", pool),
            ("disk", "disk", disk),
        ],
        &[
            "client.out -> lookup",
            "lookup.index -> index",
            "lookup.table -> rows",
            "index.pages -> pool",
            "rows.pages -> pool",
            "pool.device -> disk",
        ],
    )
}

fn config(operations: u64, clients: u32, records: u64, order: &str) -> Value {
    json!({
        "total_operations": operations, "warmup_operations": 0, "concurrency": clients, "record_count": records,
        "record_bytes": 150, "insert_order": order,
    })
}

fn pages(report: &Report, id: &str) -> u64 {
    let gauges = &block(report, id).gauges;
    let gauge = |name: &str| gauges.get(name).and_then(Value::as_u64);
    gauge("pages").or_else(|| Some(gauge("leaf_pages")? + gauge("inner_pages")?)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn requests_and_pages_balance(
        storage in select(vec!["heap-storage", "clustered-storage"]),
        page_format in select(vec!["postgres", "innodb"]),
        build in select(vec!["bulk", "inserted"]),
        order in select(vec!["hashed", "ascending", "descending"]),
        pool_pages in select(vec![20u32, 200, 2_000]),
        free_pages in select(vec![0u32, 8]),
        clients in 1u32..6,
        deletes in any::<bool>(),
        loaded in 500u64..20_000,
    ) {
        // How many pages inserts make depends on the order of all keys, those of the run included: from one row on it is known.
        let records = if build == "inserted" { 1 } else { loaded };
        let design = design(
            storage,
            page_format,
            build,
            json!({"capacity_pages": pool_pages, "free_pages_target": free_pages}),
            json!({}),
        );
        let mut operations =
            vec![(READ, 2.0, Value::Null), (UPDATE, 1.0, Value::Null), (RANGE, 0.2, Value::Null), (INSERT, 3.0, Value::Null)];
        if deletes {
            operations.push((DELETE, 4.0, Value::Null));
        }
        let before = run(&design, &workload(&[(READ, 1.0, Value::Null)], config(1, 1, records, order)));
        let report = run(&design, &workload(&operations, config(4_000, clients, records, order)));
        // Each request of a page is a hit or a miss, of one block and of the pool.
        let of = |id: &str, name: &str| counter(&report, id, name);
        for (of_block, of_pool) in [("pool_hits", "hits"), ("pool_misses", "misses")] {
            prop_assert_eq!(of("index", of_block) + of("rows", of_block), of("pool", of_pool));
        }
        // A page read is a miss; a miss still waits, is being written for, or was read.
        prop_assert!(of("disk", "pages_read") <= of("pool", "misses"));
        prop_assert!(of("pool", "misses") - of("disk", "pages_read") <= u64::from(clients));
        // A page that came in is there or was evicted.
        let came = of("pool", "misses") + of("pool", "new_pages");
        let resident = block(&report, "pool").gauges["resident_pages"].as_u64().unwrap();
        prop_assert_eq!(came, of("pool", "evictions") + resident);
        // Pages allocated are live, or were freed by merges; a root that is no longer needed goes with a merge.
        for id in ["index", "rows"] {
            let made = pages(&before, id) + of(id, "pages_allocated");
            let merges = block(&report, id).counters.get("merges").and_then(Value::as_u64).unwrap_or(0);
            let freed = made - pages(&report, id);
            let height = |report: &Report| block(report, id).gauges.get("height").and_then(Value::as_u64).unwrap_or(0);
            prop_assert!(freed >= merges, "{id}: {freed} freed by {merges} merges");
            let roots = if merges > 0 { height(&before) } else { 0 };
            prop_assert!(freed - merges <= roots, "{id}: {freed} freed by {merges} merges");
        }
    }

    /// Independent requests of constant length: another slot lets none of them begin later.
    #[test]
    fn more_slots_never_slow_a_run(
        slots in 1u32..12,
        more in 1u32..8,
        clients in 1u32..24,
        pooled in any::<bool>(),
        writes in any::<bool>(),
    ) {
        let seconds = |slots: u32| {
            let disk = json!({"slots": slots, "read_us": 100, "bandwidth_mb_s": 100_000});
            let design = match pooled {
                false => common::bare_heap(disk),
                true => canvas(
                    &[
                        ("client", "client", json!({})),
                        ("heap", "heap-storage", json!({})),
                        ("pool", "buffer-pool", json!({"capacity_pages": 10})),
                        ("disk", "disk", disk),
                    ],
                    &["client.out -> heap", "heap.pages -> pool", "pool.device -> disk"],
                ),
            };
            let template = if writes { UPDATE } else { READ };
            let mut config = config(2_000, clients, 100_000, "ascending");
            config["distribution"] = json!("uniform");
            let row = [(template, 1.0, json!({"access": "row_id"}))];
            run(&design, &workload(&row, config)).summary.simulated_seconds
        };
        let (few, many) = (seconds(slots), seconds(slots + more));
        prop_assert!(many <= few, "{slots} slots: {few} s, {more} more: {many} s");
    }
}

/// Rows are deleted in ranges, and changed, while others insert among them: what an index tells leads to a row, and every row is
/// in every index.
#[test]
fn indexes_and_rows_agree_whoever_deletes_while_others_insert() {
    for (updates, seed) in [("in_place", 1u64), ("in_place", 2), ("new_version", 3), ("new_version", 4)] {
        let other = json!({"column": "other"});
        let design = canvas(
            &[
                ("client", "client", json!({})),
                ("lookup", "index-scan", json!({})),
                ("first", "btree-index", json!({})),
                ("second", "btree-index", json!({})),
                ("column", "btree-index", other),
                ("hash", "hash-index", json!({})),
                ("rows", "heap-storage", json!({"updates": updates})),
                ("pool", "buffer-pool", json!({"capacity_pages": 12})),
                ("disk", "disk", json!({"slots": 4, "service_distribution": "exponential"})),
            ],
            &[
                "client.out -> lookup",
                "lookup.index -> first",
                "lookup.table -> rows",
                "client.out -> second",
                "client.out -> column",
                "client.out -> hash",
                "first.pages -> pool",
                "second.pages -> pool",
                "column.pages -> pool",
                "hash.pages -> pool",
                "rows.pages -> pool",
                "pool.device -> disk",
            ],
        );
        let operations = [
            (INSERT, 6.0, Value::Null),
            ("DELETE FROM main WHERE id > ? LIMIT 5", 1.0, Value::Null),
            ("UPDATE main SET a = 1 WHERE id > ? LIMIT 5", 1.0, json!({"changes_indexed_column": true})),
        ];
        let mut config = config(8_000, 24, 2_000, "hashed");
        config["distribution"] = json!("uniform");
        let report = common::run_with(&design, &workload(&operations, config), &common::quiet(seed));
        let gauge = |id: &str, name: &str| block(&report, id).gauges[name].as_u64().unwrap();
        let rows = gauge("rows", "rows");
        assert!(rows > 500, "{rows}");
        for index in ["first", "second", "column", "hash"] {
            assert_eq!(gauge(index, "keys"), rows, "{index}, {updates}, seed {seed}");
        }
    }
}

/// The hits of a larger LRU pool grow with its size, on one string of requests.
#[test]
fn a_larger_lru_pool_never_hits_less() {
    let hits = |pool_pages: u32| {
        let design =
            design("heap-storage", "postgres", "bulk", json!({"capacity_pages": pool_pages}), json!({}));
        let mut config = config(5_000, 1, 30_000, "hashed");
        config["distribution"] = json!("zipfian");
        counter(&run(&design, &workload(&[(READ, 1.0, Value::Null)], config)), "pool", "hits")
    };
    let hits: Vec<u64> = [1, 2, 3, 5, 10, 30, 100, 300, 1_000].map(hits).to_vec();
    assert!(hits.is_sorted(), "{hits:?}");
    assert!(hits[8] > 2 * hits[3]);
}
