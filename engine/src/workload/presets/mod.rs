//! Workloads that people know by name.

pub(crate) mod joins;
pub(crate) mod smallbank;
pub(crate) mod sysbench;
pub(crate) mod tatp;
pub(crate) mod tpcc;
pub(crate) mod ycsb;

pub(crate) use ycsb::*;

use serde_json::Value;

use super::{Config, Distribution, InsertOrder, Operation, OperationType, Table, defaults};

/// A workload's config with the values most presets share.
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

/// A table whose rows arrive in key order.
fn table(name: &str, record_count: u64, record_bytes: u32, key_bytes: u32) -> Table {
    let insert_order = InsertOrder::Ascending;
    Table { name: name.to_owned(), record_count, record_bytes, key_bytes, insert_order }
}

/// Kind, template and parameters of a statement.
type Line = (OperationType, &'static str, Value);

/// The statements of a transaction, in order.
fn transaction(name: &str, weight: f64, lines: Vec<Line>) -> Vec<Operation> {
    let operation = |(kind, template, parameters): Line| Operation {
        kind,
        template: template.to_owned(),
        weight,
        transaction: Some(name.to_owned()),
        parameters: Some(parameters),
    };
    lines.into_iter().map(operation).collect()
}
