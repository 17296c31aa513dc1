//! The workloads of the YCSB core package (A to F), simple extremes, and a report that joins.
//!
//! YCSB's figures: 10 fields of 100 bytes, hashed insert order, zipfian requests with theta 0.99, scans of 1 to 100 rows,
//! uniformly (Cooper et al., "Benchmarking Cloud Serving Systems with YCSB", SoCC 2010, and its workload files). Updates write
//! one field there; here an update logs the whole row, as PostgreSQL and InnoDB do for a row that moves as one.

use serde_json::{Value, json};

use super::super::{Distribution, Operation, OperationType, Workload, defaults};
use super::config;

const READ: &str = "SELECT * FROM main WHERE id = ?";
const UPDATE: &str = "UPDATE main SET field0 = ? WHERE id = ?";
const INSERT: &str = "INSERT INTO main VALUES (?)";
const RANGE: &str = "SELECT * FROM main WHERE id >= ? LIMIT ?";
const SCAN: &str = "SELECT * FROM main";

fn operation(kind: OperationType, template: &str, weight: f64, parameters: Value) -> Operation {
    Operation { kind, template: template.to_owned(), weight, transaction: None, parameters: Some(parameters) }
}

fn read(weight: f64) -> Operation {
    operation(OperationType::Select, READ, weight, json!({"name": "read"}))
}

fn update(weight: f64) -> Operation {
    operation(OperationType::Update, UPDATE, weight, json!({"name": "update"}))
}

fn insert(weight: f64) -> Operation {
    operation(OperationType::Insert, INSERT, weight, json!({"name": "insert"}))
}

fn ycsb(operations: Vec<Operation>, distribution: Distribution) -> Workload {
    let mut config = config(100_000, 16, distribution);
    config.zipfian_theta = Some(defaults::ZIPFIAN_THETA);
    // Long enough to fill the pools of the templates, which start cold.
    config.warmup_operations = Some(100_000);
    Workload { operations, tables: Vec::new(), config }
}

pub(crate) fn ycsb_a() -> Workload {
    ycsb(vec![read(50.0), update(50.0)], Distribution::Zipfian)
}

pub(crate) fn ycsb_b() -> Workload {
    ycsb(vec![read(95.0), update(5.0)], Distribution::Zipfian)
}

pub(crate) fn ycsb_c() -> Workload {
    ycsb(vec![read(100.0)], Distribution::Zipfian)
}

pub(crate) fn ycsb_d() -> Workload {
    ycsb(vec![read(95.0), insert(5.0)], Distribution::Latest)
}

pub(crate) fn ycsb_e() -> Workload {
    let scan = json!({"name": "scan", "rows": {"min": 1, "max": 100}});
    let mut workload =
        ycsb(vec![operation(OperationType::Select, RANGE, 95.0, scan), insert(5.0)], Distribution::Zipfian);
    workload.config.total_operations = 20_000;
    workload.config.warmup_operations = Some(5_000);
    workload
}

pub(crate) fn ycsb_f() -> Workload {
    let together = |mut operation: Operation| {
        operation.transaction = Some("read-modify-write".to_owned());
        operation
    };
    let mut write_back = update(50.0);
    write_back.parameters = Some(json!({"key": "previous"}));
    ycsb(vec![read(50.0), together(read(50.0)), together(write_back)], Distribution::Zipfian)
}

pub(crate) fn inserts() -> Workload {
    let mut config = config(100_000, 64, Distribution::Uniform);
    config.record_bytes = 200;
    Workload { operations: vec![insert(100.0)], tables: Vec::new(), config }
}

pub(crate) fn full_scans() -> Workload {
    let mut config = config(40, 2, Distribution::Uniform);
    config.record_bytes = 200;
    config.warmup_operations = Some(2);
    let scan = operation(OperationType::Select, SCAN, 100.0, json!({"name": "full scan"}));
    Workload { operations: vec![scan], tables: Vec::new(), config }
}

pub(crate) fn point_reads_small() -> Workload {
    let mut config = config(1_000, 4, Distribution::Uniform);
    config.record_count = 20_000;
    config.record_bytes = 200;
    config.warmup_operations = Some(20);
    Workload { operations: vec![read(100.0)], tables: Vec::new(), config }
}
