//! Two tables, and queries that join them.

use serde_json::json;

use super::super::defaults::KEY_BYTES;
use super::super::{Distribution, Operation, OperationType, Workload};
use super::{config, table};

pub(crate) fn orders_with_customers() -> Workload {
    let join = "SELECT * FROM orders o JOIN customers c ON o.customer_id = c.id";
    let query = |end: &str, weight: f64, name: &str| Operation {
        kind: OperationType::Select,
        template: format!("{join}{end}"),
        weight,
        transaction: None,
        parameters: Some(json!({"name": name})),
    };
    let mut config = config(20, 2, Distribution::Uniform);
    config.warmup_operations = Some(2);
    Workload {
        operations: vec![
            query("", 40.0, "report"),
            query(" ORDER BY o.day LIMIT 100", 40.0, "latest"),
            query(" WHERE o.id = ?", 20.0, "one order"),
        ],
        tables: vec![table("orders", 20_000, 100, KEY_BYTES), table("customers", 4_000, 100, KEY_BYTES)],
        config,
    }
}
