//! The workloads of the YCSB core package (A to F), simple extremes, and a report that joins.
//!
//! YCSB's figures: 10 fields of 100 bytes, hashed insert order, zipfian requests with theta 0.99, scans of 1 to 100 rows,
//! uniformly (Cooper et al., "Benchmarking Cloud Serving Systems with YCSB", SoCC 2010, and its workload files). Updates write
//! one field there; here an update logs the whole row, as PostgreSQL and InnoDB do for a row that moves as one.

use serde_json::{Value, json};

use super::{Config, Distribution, InsertOrder, Operation, OperationType, Table, Workload, defaults};

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

fn config(total_operations: u64, concurrency: u32, distribution: Distribution) -> Config {
    Config {
        total_operations,
        concurrency,
        distribution,
        zipfian_theta: None,
        hotspot_data_fraction: None,
        hotspot_operation_fraction: None,
        key_range: None,
        record_count: defaults::RECORD_COUNT,
        record_bytes: defaults::RECORD_BYTES,
        key_bytes: defaults::KEY_BYTES,
        insert_order: InsertOrder::Hashed,
        operations_per_transaction: 1,
        think_time_ms: 0.0,
        arrival_rate_per_second: None,
        warmup_operations: None,
    }
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

pub(crate) fn orders_with_customers() -> Workload {
    let table = |name: &str, record_count: u64| Table {
        name: name.to_owned(),
        record_count,
        record_bytes: 100,
        key_bytes: defaults::KEY_BYTES,
        insert_order: InsertOrder::Ascending,
    };
    let join = "SELECT * FROM orders o JOIN customers c ON o.customer_id = c.id";
    let query = |end: &str, weight: f64, name: &str| {
        operation(OperationType::Select, &format!("{join}{end}"), weight, json!({"name": name}))
    };
    let mut config = config(20, 2, Distribution::Uniform);
    config.warmup_operations = Some(2);
    Workload {
        operations: vec![
            query("", 40.0, "report"),
            query(" ORDER BY o.day LIMIT 100", 40.0, "latest"),
            query(" WHERE o.id = ?", 20.0, "one order"),
        ],
        tables: vec![table("orders", 20_000), table("customers", 4_000)],
        config,
    }
}
