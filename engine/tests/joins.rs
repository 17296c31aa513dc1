//! Joins and sorts: page counts by their formulas, and effects a learner expects.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use common::{block, canvas, counter, plan, quiet};
use engine::{Control, Options, Report, TraceLevel, Workload, simulate, state_after, workload};
use serde_json::{Value, json};

const JOIN: &str = "SELECT * FROM orders o JOIN customers c ON o.customer_id = c.id";
const ORDERS: u64 = 20_000;
const CUSTOMERS: u64 = 5_000;
/// With header and line pointer 132 bytes: 61 rows a page.
const RECORD_BYTES: u64 = 104;
const ROWS_A_PAGE: u64 = 61;

fn query(template: &str, parameters: Value, operations: u64) -> Workload {
    let table =
        |name: &str, rows: u64| json!({"name": name, "record_count": rows, "record_bytes": RECORD_BYTES});
    workload::parse(&json!({
        "operations": [{"type": "SELECT", "template": template, "weight": 1, "parameters": parameters}],
        "tables": [table("orders", ORDERS), table("customers", CUSTOMERS)],
        "config": {"total_operations": operations, "warmup_operations": 0},
    }))
    .unwrap_or_else(|found| panic!("{found:?}"))
}

/// Client → join over two heaps behind one pool that holds everything; temporary files on a device of their own.
fn joining(kind: &str, parameters: Value, inner: &str) -> Value {
    let mut blocks = vec![
        ("client", "client", json!({})),
        ("join", kind, parameters),
        ("orders-scan", "seq-scan", json!({})),
        ("orders", "heap-storage", json!({"table": "orders"})),
        ("customers", "heap-storage", json!({"table": "customers"})),
        ("pool", "buffer-pool", json!({"capacity_pages": 10_000})),
        ("disk", "disk", json!({})),
        ("temp", "disk", json!({})),
    ];
    let mut wires = vec![
        "client.out -> join",
        "join.outer -> orders-scan",
        "orders-scan.table -> orders",
        "orders.pages -> pool",
        "customers.pages -> pool",
        "pool.device -> disk",
    ];
    if kind == "nested-loop-join" {
        blocks.pop();
    } else {
        wires.push("join.spill -> temp");
    }
    if inner == "index" {
        blocks.extend([("by-id", "index-scan", json!({})), ("index", "btree-index", json!({}))]);
        wires.extend([
            "join.inner -> by-id",
            "by-id.index -> index",
            "by-id.table -> customers",
            "index.pages -> pool",
        ]);
    } else {
        wires.push("join.inner -> customers");
    }
    canvas(&blocks, &wires)
}

fn run(canvas: &Value, workload: &Workload) -> Report {
    simulate(&plan(canvas), workload, &quiet(1), &Control::default()).unwrap()
}

fn accesses(report: &Report, id: &str) -> u64 {
    counter(report, id, "pool_hits") + counter(report, id, "pool_misses")
}

fn pages(rows: u64) -> u64 {
    rows.div_ceil(ROWS_A_PAGE)
}

/// Pages of rows in a temporary file, with so many bytes each.
fn temp_pages(rows: u64, row_bytes: u64) -> f64 {
    rows as f64 * row_bytes as f64 / 8192.0
}

fn warned(report: &Report, code: &str) -> bool {
    report.warnings.iter().any(|warning| warning.code == code)
}

#[test]
fn block_nested_loop_scans_the_inner_side_once_a_block() {
    let (outer, inner) = (pages(ORDERS), pages(CUSTOMERS));
    for buffer_pages in [3, 10, 64, 1_000] {
        let report = run(
            &joining("nested-loop-join", json!({"buffer_pages": buffer_pages}), "heap"),
            &query(JOIN, json!({}), 1),
        );
        let scans = outer.div_ceil(buffer_pages - 2);
        assert_eq!(counter(&report, "join", "inner_scans"), scans);
        assert_eq!((accesses(&report, "orders"), accesses(&report, "customers")), (outer, scans * inner));
        let formula = block(&report, "join").gauges["formula_pages"].as_f64().unwrap();
        assert_eq!(formula, (outer + scans * inner) as f64);
        assert_eq!(counter(&report, "join", "rows_joined"), ORDERS);
    }
}

#[test]
fn index_nested_loop_searches_once_a_row() {
    let (outer, passing) = (pages(ORDERS), 700);
    let report = run(
        &joining("nested-loop-join", json!({}), "index"),
        &query(
            JOIN,
            json!({"access": "join", "tables": ["orders", "customers"], "filtered_rows": passing}),
            1,
        ),
    );
    let height = block(&report, "index").gauges["height"].as_u64().unwrap();
    assert_eq!(counter(&report, "join", "inner_lookups"), passing);
    assert_eq!(accesses(&report, "orders"), outer);
    assert_eq!(accesses(&report, "index") + accesses(&report, "customers"), passing * (height + 1));
    let formula = block(&report, "join").gauges["formula_pages"].as_f64().unwrap();
    assert_eq!(formula, (outer + passing * (height + 1)) as f64);
    assert_eq!(counter(&report, "join", "rows_joined"), passing);
}

#[test]
fn a_row_by_row_loop_scans_half_of_the_inner_side_when_its_key_is_joined() {
    let operations = 40;
    let report = run(
        &joining("nested-loop-join", json!({"method": "row"}), "heap"),
        &query(&format!("{JOIN} WHERE o.id BETWEEN 1 AND 50"), json!({}), operations),
    );
    assert_eq!(counter(&report, "join", "inner_scans"), 50 * operations);
    let part = accesses(&report, "customers") as f64 / (50 * operations * pages(CUSTOMERS)) as f64;
    assert!((part - 0.5).abs() < 0.03, "{part}");
}

#[test]
fn hash_join_in_memory_reads_both_sides_once() {
    let report =
        run(&joining("hash-join", json!({"work_mem_kib": 4096}), "heap"), &query(JOIN, json!({}), 1));
    let read = pages(ORDERS) + pages(CUSTOMERS);
    assert_eq!(accesses(&report, "orders") + accesses(&report, "customers"), read);
    assert_eq!(counter(&report, "join", "temp_pages_written"), 0);
    assert_eq!(counter(&report, "temp", "writes"), 0);
    assert_eq!(block(&report, "join").gauges["batches"], 1);
    assert_eq!(block(&report, "join").gauges["formula_pages"].as_f64().unwrap(), read as f64);
    assert_eq!(counter(&report, "join", "rows_joined"), ORDERS);
}

#[test]
fn grace_hash_join_writes_and_reads_both_sides_once_more() {
    let report = run(
        &joining("hash-join", json!({"work_mem_kib": 64, "method": "grace"}), "heap"),
        &query(JOIN, json!({}), 1),
    );
    let (written, read) =
        (counter(&report, "join", "temp_pages_written"), counter(&report, "join", "temp_pages_read"));
    assert_eq!(written, read);
    assert_eq!(
        (counter(&report, "temp", "pages_written"), counter(&report, "temp", "pages_read")),
        (written, read)
    );
    let batches = block(&report, "join").gauges["batches"].as_f64().unwrap();
    // A row takes its columns, 16 bytes and its hash; the last page of a file is not full.
    let rows = temp_pages(ORDERS + CUSTOMERS, RECORD_BYTES + 20);
    assert!((written as f64 - rows - batches).abs() <= batches, "{written} {rows} {batches}");
    assert_eq!(counter(&report, "join", "rows_joined"), ORDERS);
}

#[test]
fn a_hybrid_hash_join_spills_less_the_more_memory_it_has() {
    let spilled = |work_mem_kib: u64| {
        let report = run(
            &joining("hash-join", json!({"work_mem_kib": work_mem_kib}), "heap"),
            &query(JOIN, json!({}), 1),
        );
        assert_eq!(counter(&report, "join", "rows_joined"), ORDERS);
        counter(&report, "join", "temp_pages_written")
    };
    let spilled: Vec<u64> = [64, 128, 256, 512, 1024].map(spilled).to_vec();
    assert!(spilled.windows(2).all(|pair| pair[0] > pair[1]), "{spilled:?}");
    assert_eq!(spilled.last(), Some(&0));
    // Half of the batches: half of the rows.
    let all = temp_pages(ORDERS + CUSTOMERS, RECORD_BYTES + 20);
    assert!((spilled[3] as f64 / all - 0.5).abs() < 0.05, "{spilled:?} {all}");
}

#[test]
fn sort_merge_join_writes_and_reads_each_side_once_a_pass_but_the_last() {
    for (work_mem_kib, passes) in [(16_384, 0), (1024, 1), (64, 3)] {
        let report = run(
            &joining("sort-merge-join", json!({"work_mem_kib": work_mem_kib}), "heap"),
            &query(JOIN, json!({}), 1),
        );
        assert_eq!(accesses(&report, "orders"), pages(ORDERS));
        assert_eq!(accesses(&report, "customers"), pages(CUSTOMERS));
        let read = counter(&report, "join", "temp_pages_read");
        let gauges = &block(&report, "join").gauges;
        let passes_of = |side: &str| gauges[side]["merge_passes"].as_array().unwrap().len() as f64;
        assert_eq!(passes_of("outer_sort"), f64::from(passes));
        // On tapes a row takes its columns, 16 bytes less 6.
        let expected = passes_of("outer_sort") * temp_pages(ORDERS, RECORD_BYTES + 10)
            + passes_of("inner_sort") * temp_pages(CUSTOMERS, RECORD_BYTES + 10);
        assert!((read as f64 - expected).abs() <= 0.02 * expected + 12.0, "{read} {expected}");
        assert_eq!(counter(&report, "temp", "pages_read"), read);
        assert_eq!(counter(&report, "join", "rows_joined"), ORDERS);
    }
}

#[test]
fn sides_in_order_need_no_sort() {
    let by_id = canvas(
        &[
            ("client", "client", json!({})),
            ("join", "sort-merge-join", json!({"work_mem_kib": 64})),
            ("orders", "clustered-storage", json!({"table": "orders", "page_size": 8192})),
            ("by-id", "index-scan", json!({})),
            ("index", "btree-index", json!({})),
            ("customers", "heap-storage", json!({"table": "customers"})),
            ("disk", "disk", json!({})),
        ],
        &[
            "client.out -> join",
            "join.outer -> orders",
            "join.inner -> by-id",
            "by-id.index -> index",
            "by-id.table -> customers",
            "orders.pages -> disk",
            "index.pages -> disk",
            "customers.pages -> disk",
        ],
    );
    let one_to_one = query("SELECT * FROM orders o JOIN customers c ON o.id = c.id", json!({}), 1);
    let report = run(&by_id, &one_to_one);
    assert_eq!(counter(&report, "join", "rows_joined"), CUSTOMERS);
    assert_eq!(counter(&report, "join", "temp_pages_written"), 0);
    assert_eq!(counter(&report, "by-id", "rows_fetched"), CUSTOMERS);
    assert!(!warned(&report, "SPILL_NOT_CONNECTED"));
}

#[test]
fn what_matches_decides_how_many_rows_there_are() {
    let design = joining("hash-join", json!({}), "heap");
    let rows =
        |parameters: Value| counter(&run(&design, &query(JOIN, parameters, 1)), "join", "rows_joined") as f64;
    let join = |more: Value| {
        let mut parameters = json!({"access": "join", "tables": ["orders", "customers"]});
        parameters.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        parameters
    };
    assert_eq!(rows(join(json!({"matches": 3}))), 3.0 * ORDERS as f64);
    let half = rows(join(json!({"match_fraction": 0.5})));
    assert!((half / ORDERS as f64 - 0.5).abs() < 0.02, "{half}");
    assert_eq!(rows(join(json!({"selectivity": 0.25}))), 0.25 * ORDERS as f64);
    // The condition is on the table named first, whichever side it is.
    let swapped = query(
        "SELECT * FROM customers c JOIN orders o ON o.customer_id = c.id WHERE c.id BETWEEN 1 AND 500",
        json!({}),
        1,
    );
    let rows = counter(&run(&design, &swapped), "join", "rows_joined") as f64;
    assert!((rows / (ORDERS as f64 * 0.1) - 1.0).abs() < 0.1, "{rows}");
}

#[test]
fn a_limit_without_an_order_ends_a_join_early() {
    let design = joining("nested-loop-join", json!({}), "index");
    let report = run(&design, &query(&format!("{JOIN} LIMIT 10"), json!({}), 1));
    // One request of the device.
    assert_eq!(accesses(&report, "orders"), 16);
    assert_eq!(counter(&report, "join", "inner_lookups"), 10);
}

fn sorting(work_mem_kib: u64) -> Value {
    let mut canvas = joining("hash-join", json!({}), "heap");
    let sort = json!({"id": "sort", "type": "sort", "position": {"x": 0, "y": 0}, "parameters": {"work_mem_kib": work_mem_kib}});
    canvas["blocks"].as_array_mut().unwrap().push(sort);
    canvas["connections"][0]["target"]["blockId"] = json!("sort");
    for (id, port, target) in [("s1", "input", "join"), ("s2", "spill", "temp")] {
        canvas["connections"].as_array_mut().unwrap().push(json!({
            "id": id, "source": {"blockId": "sort", "port": port}, "target": {"blockId": target, "port": "in"},
        }));
    }
    canvas
}

#[test]
fn the_result_of_a_join_is_sorted_and_its_first_rows_stay_in_memory() {
    let all = run(&sorting(256), &query(&format!("{JOIN} ORDER BY o.day"), json!({}), 1));
    assert_eq!(counter(&all, "sort", "rows_sorted"), ORDERS);
    assert_eq!(counter(&all, "sort", "rows_returned"), ORDERS);
    assert!(counter(&all, "sort", "temp_pages_written") > 500);
    let top = run(&sorting(256), &query(&format!("{JOIN} ORDER BY o.day LIMIT 10"), json!({}), 1));
    assert_eq!(counter(&top, "sort", "rows_returned"), 10);
    assert_eq!(counter(&top, "sort", "temp_pages_written"), 0);
}

#[test]
fn temporary_files_in_a_pool_are_pages_of_the_pool() {
    let mut design = joining("hash-join", json!({"work_mem_kib": 64}), "heap");
    for wire in design["connections"].as_array_mut().unwrap() {
        if wire["source"]["port"] == "spill" {
            wire["target"]["blockId"] = json!("pool");
        }
    }
    design["blocks"].as_array_mut().unwrap().retain(|block| block["id"] != "temp");
    let report = run(&design, &query(JOIN, json!({}), 3));
    let (written, read) =
        (counter(&report, "join", "temp_pages_written"), counter(&report, "join", "temp_pages_read"));
    // Everything fits, and files use the pages of files before them again.
    assert_eq!(accesses(&report, "join") + counter(&report, "pool", "new_pages"), written + read);
    assert_eq!(counter(&report, "disk", "writes"), 0);
}

#[test]
fn without_a_place_for_files_everything_stays_in_memory_with_a_warning() {
    for kind in ["hash-join", "sort-merge-join"] {
        let mut design = joining(kind, json!({"work_mem_kib": 64}), "heap");
        design["connections"].as_array_mut().unwrap().retain(|wire| wire["source"]["port"] != "spill");
        design["blocks"].as_array_mut().unwrap().retain(|block| block["id"] != "temp");
        let report = run(&design, &query(JOIN, json!({}), 1));
        assert!(warned(&report, "SPILL_NOT_CONNECTED"), "{kind}: {:?}", report.warnings);
        assert_eq!(counter(&report, "join", "temp_pages_written"), 0);
        assert_eq!(counter(&report, "join", "rows_joined"), ORDERS);
    }
}

#[test]
fn a_join_far_from_the_cheapest_is_served_and_warned_about() {
    let slow =
        run(&joining("nested-loop-join", json!({"buffer_pages": 3}), "heap"), &query(JOIN, json!({}), 1));
    let warning = slow.warnings.iter().find(|warning| warning.code == "JOIN_FAR_FROM_CHEAPEST").unwrap();
    assert_eq!(warning.block_id.as_deref(), Some("join"));
    let formula = block(&slow, "join").gauges["formula_pages"].as_f64().unwrap();
    assert!(warning.message.contains(&format!("{formula:.0}")), "{}", warning.message);
    let good = run(&joining("hash-join", json!({}), "heap"), &query(JOIN, json!({}), 1));
    assert!(!warned(&good, "JOIN_FAR_FROM_CHEAPEST"), "{:?}", good.warnings);
}

#[test]
fn replaying_a_join_shows_where_it_stands() {
    let options = Options { trace: TraceLevel::Full, ..quiet(1) };
    let workload = query(JOIN, json!({}), 1);
    let state = |design: &Value, event: &str, place: usize| {
        let plan = plan(design);
        let report = simulate(&plan, &workload, &options, &Control::default()).unwrap();
        let found: Vec<u32> =
            report.events.iter().filter(|one| one.kind == event).map(|one| one.sequence).collect();
        let snapshot =
            state_after(&plan, &workload, &options, &Control::default(), found[place]).unwrap().unwrap();
        let join = snapshot.blocks.into_iter().find(|block| block.block_id == "join").unwrap();
        assert_eq!(join.state["in_progress_count"], 1, "{event}");
        join.state["in_progress"][0].clone()
    };
    let hash = joining("hash-join", json!({"work_mem_kib": 256}), "heap");
    let built = state(&hash, "hash_join_build", 0);
    assert_eq!((&built["phase"], &built["batch"]), (&json!("probe"), &json!(0)));
    assert_eq!(built["inner_rows"], CUSTOMERS);
    let later = state(&hash, "hash_join_batch", 1);
    assert_eq!(later["batch"], 2);
    assert!(later["rows"].as_u64().unwrap() > built["rows"].as_u64().unwrap());
    let merge = joining("sort-merge-join", json!({"work_mem_kib": 64}), "heap");
    let run = state(&merge, "sort_run", 3);
    assert_eq!(run["outer_sort"]["phase"], "building runs");
    let merging = state(&merge, "sort_merge", 0);
    assert_eq!(merging["phase"], "merge runs");
    assert!(merging["outer_sort"]["runs"].as_u64().unwrap() > 1);
    let nested = joining("nested-loop-join", json!({}), "index");
    assert_eq!(state(&nested, "join_row", 100)["phase"], "loop");
}

#[test]
fn joins_of_many_clients_share_device_and_pages_and_leave_nothing_behind() {
    for (kind, parameters, inner) in [
        ("hash-join", json!({"work_mem_kib": 64}), "heap"),
        ("sort-merge-join", json!({"work_mem_kib": 64}), "heap"),
        ("nested-loop-join", json!({}), "index"),
    ] {
        let mut workload = query(JOIN, json!({}), 6);
        workload.config.concurrency = 3;
        let report = run(&joining(kind, parameters, inner), &workload);
        assert_eq!(counter(&report, "join", "rows_joined"), 6 * ORDERS, "{kind}");
        assert_eq!(counter(&report, "join", "joins"), 6);
        if kind != "nested-loop-join" {
            assert_eq!(counter(&report, "join", "temp_pages_read"), counter(&report, "temp", "pages_read"));
        }
    }
}
