//! Designs and workloads for tests, in a few words.
#![allow(dead_code, reason = "each test binary uses its own part")]

use engine::report::BlockResult;
use engine::workload::{self};
use engine::{Control, Options, Plan, Report, TraceLevel, Workload, design, simulate};
use serde_json::{Value, json};

/// A canvas from blocks `(id, type, parameters)` and wires `"from.port -> to"`.
pub fn canvas(blocks: &[(&str, &str, Value)], wires: &[&str]) -> Value {
    let blocks: Vec<Value> = blocks
        .iter()
        .map(|(id, kind, parameters)| json!({"id": id, "type": kind, "position": {"x": 0, "y": 0}, "parameters": parameters}))
        .collect();
    let connections: Vec<Value> = wires
        .iter()
        .enumerate()
        .map(|(number, wire)| {
            let (source, target) = wire.split_once(" -> ").expect("a wire reads \"from.port -> to\"");
            let (block, port) = source.split_once('.').expect("a wire reads \"from.port -> to\"");
            json!({
                "id": format!("c{number}"),
                "source": {"blockId": block, "port": port},
                "target": {"blockId": target, "port": "in"},
            })
        })
        .collect();
    json!({"blocks": blocks, "connections": connections, "viewport": {"x": 0, "y": 0, "zoom": 1}})
}

pub fn plan(canvas: &Value) -> Plan {
    let checked = design::check(canvas);
    let told: Vec<String> = checked.diagnostics.iter().map(ToString::to_string).collect();
    checked.plan.unwrap_or_else(|| panic!("not a valid design:\n{}", told.join("\n")))
}

/// A workload of `(template, weight, parameters)` with a config.
pub fn workload(operations: &[(&str, f64, Value)], config: Value) -> Workload {
    let operations: Vec<Value> = operations
        .iter()
        .map(|(template, weight, parameters)| {
            let kind = template.split(' ').next().unwrap_or_default();
            json!({"type": kind, "template": template, "weight": weight, "parameters": parameters})
        })
        .collect();
    workload::parse(&json!({"operations": operations, "config": config}))
        .unwrap_or_else(|found| panic!("{found:?}"))
}

pub const READ: &str = "SELECT * FROM main WHERE id = ?";
pub const UPDATE: &str = "UPDATE main SET a = ? WHERE id = ?";
pub const INSERT: &str = "INSERT INTO main VALUES (?)";
pub const DELETE: &str = "DELETE FROM main WHERE id = ?";
pub const SCAN: &str = "SELECT * FROM main";
pub const RANGE: &str = "SELECT * FROM main WHERE id >= ? LIMIT 50";

/// Every kind of operation there is, in a mix that keeps a table from running empty at once.
pub fn every_operation() -> [(&'static str, f64, Value); 9] {
    [
        (READ, 4.0, Value::Null),
        (UPDATE, 3.0, Value::Null),
        (INSERT, 3.0, Value::Null),
        (DELETE, 2.0, Value::Null),
        (RANGE, 1.0, Value::Null),
        ("UPDATE main SET a = 1 WHERE id > ? LIMIT 5", 1.0, Value::Null),
        ("DELETE FROM main WHERE id BETWEEN 10 AND 12", 1.0, Value::Null),
        (SCAN, 0.2, Value::Null),
        ("UPDATE main SET a = 1", 0.1, Value::Null),
    ]
}

pub fn quiet(seed: u64) -> Options {
    Options { seed, trace: TraceLevel::None, ..Options::default() }
}

pub fn run(canvas: &Value, workload: &Workload) -> Report {
    run_with(canvas, workload, &quiet(1))
}

pub fn run_with(canvas: &Value, workload: &Workload, options: &Options) -> Report {
    simulate(&plan(canvas), workload, options, &Control::default()).unwrap_or_else(|error| panic!("{error}"))
}

pub fn block<'r>(report: &'r Report, id: &str) -> &'r BlockResult {
    report.blocks.iter().find(|block| block.block_id == id).expect("the block is on the canvas")
}

pub fn counter(report: &Report, id: &str, name: &str) -> u64 {
    block(report, id).counters[name].as_u64().expect("counters are whole numbers")
}

/// Client → index scan over a B+tree and a heap → pool → disk, with a log on the same disk.
pub fn heap_btree(pool_pages: u32, disk: Value) -> Value {
    canvas(
        &[
            ("client", "client", json!({})),
            ("scan", "index-scan", json!({})),
            ("index", "btree-index", json!({})),
            ("heap", "heap-storage", json!({})),
            ("pool", "buffer-pool", json!({"capacity_pages": pool_pages})),
            ("wal", "wal", json!({})),
            ("disk", "disk", disk),
        ],
        &[
            "client.out -> scan",
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

/// Client → heap → disk, nothing in between: a point read reads every page, so one page makes one request.
pub fn bare_heap(disk: Value) -> Value {
    canvas(
        &[("client", "client", json!({})), ("heap", "heap-storage", json!({})), ("disk", "disk", disk)],
        &["client.out -> heap", "heap.pages -> disk"],
    )
}
