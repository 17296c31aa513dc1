//! A stop flag ends a run soon, whatever the run is at. There is no clock here: what is held is how much work lies between two
//! looks at the flag, some thousand records, steps or pages, and that nothing happens after the look that finds it raised.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use common::{INSERT, READ, SCAN, canvas, heap_btree, plan, quiet, workload};
use engine::{Control, Options, SimulateError, StopCause, TraceLevel, Workload, simulate};
use serde_json::{Value, json};

/// Records, operations or steps between two looks.
const STEPS: u64 = 4_096;
/// Words, entries of a merge, or pages.
const BULK: u64 = 65_536;

/// Looks of a whole run, having stopped it at a dozen of them: it ends at the very look that finds the flag raised.
fn looks(canvas: &Value, workload: &Workload, options: &Options) -> u64 {
    let plan = plan(canvas);
    let whole = Control::default();
    simulate(&plan, workload, options, &whole).unwrap();
    let looks = whole.looks();
    for part in 0..6 {
        let look = 1 + (looks - 1) * part / 5;
        let control = Control::canceled_at_look(look);
        let outcome = simulate(&plan, workload, options, &control);
        assert!(
            matches!(outcome, Err(SimulateError::Stopped(StopCause::Canceled))),
            "look {look} of {looks} did not end the run"
        );
        assert_eq!(control.looks(), look, "the run went on after look {look} of {looks}");
    }
    looks
}

fn config(operations: u64, records: u64, more: Value) -> Value {
    let mut config = json!({"total_operations": operations, "warmup_operations": 0, "record_count": records});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    config
}

fn lsm(parameters: Value) -> Value {
    canvas(
        &[
            ("client", "client", json!({})),
            ("lsm", "lsm-tree", parameters),
            ("disk", "disk", json!({"preset": "nvme"})),
        ],
        &["client.out -> lsm", "lsm.pages -> disk"],
    )
}

#[test]
fn while_rows_are_loaded_in_bulk() {
    let rows = 1_000_000;
    // Rows inserted later leave gaps among the keys, so each is looked up.
    let workload = workload(&[(INSERT, 1.0, Value::Null)], config(100, rows, json!({})));
    let looks = looks(&heap_btree(1_000, json!({})), &workload, &quiet(1));
    assert!(looks >= rows / STEPS, "{looks}");
}

#[test]
fn while_keys_of_a_mixed_order_are_drawn() {
    let rows = 1_000_000;
    let order = json!({"insert_order": {"mixed": {"random_fraction": 0.3}}});
    let workload = workload(&[(SCAN, 1.0, Value::Null)], config(1, rows, order));
    let looks = looks(&lsm(json!({"build": "empty"})), &workload, &quiet(1));
    assert!(looks >= rows / BULK, "{looks}");
}

#[test]
fn while_trees_grow_by_the_loaded_rows_and_lose_the_deleted_ones() {
    let rows = 200_000;
    let mut canvas = heap_btree(1_000, json!({}));
    canvas["blocks"][2]["parameters"]["build"] = json!("inserted");
    let workload = workload(&[(READ, 1.0, Value::Null)], config(1, rows, json!({})));
    let grown = looks(&canvas, &workload, &quiet(1));
    assert!(grown >= rows / STEPS, "{grown}");
    canvas["blocks"][3]["parameters"]["deleted_fraction"] = json!(0.5);
    // Once more for the heap and for the tree.
    let thinned = looks(&canvas, &workload, &quiet(1));
    assert!(thinned >= grown + 2 * (rows / STEPS), "{grown} {thinned}");
}

#[test]
fn while_pages_in_memory_are_scanned() {
    let canvas = canvas(
        &[
            ("client", "client", json!({})),
            ("scan", "seq-scan", json!({})),
            ("heap", "heap-storage", json!({})),
            ("pool", "buffer-pool", json!({"capacity_pages": 10_000})),
            ("disk", "disk", json!({})),
        ],
        &["client.out -> scan", "scan.table -> heap", "heap.pages -> pool", "pool.device -> disk"],
    );
    let (scans, rows) = (200, 200_000);
    let workload = workload(&[(SCAN, 1.0, Value::Null)], config(scans, rows, json!({})));
    let looks = looks(&canvas, &workload, &quiet(1));
    // Fifty-odd rows a page.
    let pages = scans * rows / 60;
    assert!(looks >= pages / (8 * STEPS), "{looks}");
}

#[test]
fn while_one_statement_gives_every_row_a_new_version() {
    let mut canvas = heap_btree(50_000, json!({}));
    canvas["blocks"][3]["parameters"]["updates"] = json!("new_version");
    let (statements, rows) = (2, 20_000);
    let every_row = ("UPDATE main SET a = 1", 1.0, Value::Null);
    let workload = workload(&[every_row], config(statements, rows, json!({})));
    let looks = looks(&canvas, &workload, &quiet(1));
    assert!(looks >= statements * rows / STEPS, "{looks}");
}

#[test]
fn while_rows_that_are_gone_are_passed() {
    let canvas = common::bare_heap(json!({}));
    let (statements, rows) = (20, 200_000);
    let first = ("DELETE FROM main WHERE id > ? LIMIT 1000000", 1.0, Value::Null);
    let workload = workload(&[first], config(statements, rows, json!({})));
    let looks = looks(&canvas, &workload, &quiet(1));
    assert!(looks >= rows / STEPS, "{looks}");
}

#[test]
fn while_a_huge_level_is_compacted() {
    let (rows, flushes) = (1_000_000, 4);
    // A memtable of a quarter of a million entries; every fourth flush merges everything into one run.
    let parameters = json!({"compaction": "universal", "write_buffer_bytes": 32 << 20, "build": "empty"});
    let workload = workload(
        &[("UPDATE main SET a = ? WHERE id = ?", 1.0, Value::Null)],
        config(rows, rows, json!({"record_bytes": 100, "distribution": "uniform"})),
    );
    let idle = lsm(json!({"compaction": "universal", "write_buffer_bytes": 1 << 30, "build": "empty"}));
    let without = looks(&idle, &workload, &quiet(1));
    let with = looks(&lsm(parameters), &workload, &quiet(1));
    assert!(with >= without + flushes * 250_000 / BULK, "{with} {without}");
}

#[test]
fn while_a_vacuum_goes_on() {
    let mut canvas = heap_btree(50_000, json!({}));
    canvas["blocks"][3]["parameters"] = json!({
        "updates": "new_version", "autovacuum_scale_factor": 0.001, "autovacuum_threshold": 0,
        "autovacuum_naptime_seconds": 1.0, "vacuum_cost_delay_ms": 0.0
    });
    let update = ("UPDATE main SET a = ? WHERE id = ?", 1.0, Value::Null);
    let operations = 40_000;
    let workload = workload(&[update], config(operations, 100_000, json!({"think_time_ms": 1.0})));
    let control = Control::default();
    let report = simulate(&plan(&canvas), &workload, &quiet(1), &control).unwrap();
    let pages = common::counter(&report, "heap", "vacuum_pages_read");
    assert!(pages > 20_000, "{pages}");
    // Each page of a vacuum, and each operation, is an event at least.
    assert!(looks(&canvas, &workload, &quiet(1)) >= (pages + operations) / STEPS);
}

#[test]
fn while_rows_are_joined_and_sorted() {
    let (orders, customers) = (400_000, 100_000);
    let table = |name: &str, rows: u64| json!({"name": name, "record_count": rows, "record_bytes": 100});
    let mut document = json!({
        "operations": [{"type": "SELECT", "template": "SELECT * FROM a JOIN b ON a.b_id = b.id ORDER BY a.c", "weight": 1}],
        "tables": [table("a", orders), table("b", customers)],
        "config": {"total_operations": 1, "warmup_operations": 0},
    });
    for (kind, matches) in [("hash-join", 1), ("sort-merge-join", 1), ("nested-loop-join", 20)] {
        document["operations"][0]["parameters"] = json!({"matches": matches});
        let canvas = canvas(
            &[
                ("client", "client", json!({})),
                ("order", "sort", json!({"work_mem_kib": 64})),
                ("join", kind, json!({})),
                ("a", "heap-storage", json!({"table": "a"})),
                ("b", "heap-storage", json!({"table": "b"})),
                ("pool", "buffer-pool", json!({"capacity_pages": 100_000})),
                ("disk", "disk", json!({})),
            ],
            &[
                "client.out -> order",
                "order.input -> join",
                "order.spill -> disk",
                "join.outer -> a",
                "join.inner -> b",
                "a.pages -> pool",
                "b.pages -> pool",
                "pool.device -> disk",
            ],
        );
        let looks = looks(&canvas, &engine::workload::parse(&document).unwrap(), &quiet(1));
        // Each row of a side, and each of the result.
        assert!(looks >= (orders + orders * matches) / BULK, "{kind}: {looks}");
    }
}

#[test]
fn while_a_long_trace_is_written_down() {
    let canvas = heap_btree(1_000, json!({}));
    let every = common::every_operation();
    let workload = workload(&every, config(4_000, 2_000, json!({})));
    let events = 100_000;
    let traced = |max_events| Options { trace: TraceLevel::Full, max_events, ..quiet(1) };
    let (none, all) = (looks(&canvas, &workload, &traced(0)), looks(&canvas, &workload, &traced(events)));
    assert!(all >= none + events as u64 / 1_024, "{none} {all}");
}
