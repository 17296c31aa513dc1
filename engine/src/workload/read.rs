//! Reads a workload from JSON, telling every problem.

use serde_json::Value;

use super::{
    Config, Distribution, InsertOrder, KeyRange, Operation, OperationType, Table, Workload, defaults,
};
use crate::design::Diagnostic;
use crate::design::reader::{Fields, malformed};

const KINDS: &[(&str, OperationType)] = &[
    ("INSERT", OperationType::Insert),
    ("SELECT", OperationType::Select),
    ("UPDATE", OperationType::Update),
    ("DELETE", OperationType::Delete),
];
pub(crate) const DISTRIBUTIONS: &[(&str, Distribution)] = &[
    ("uniform", Distribution::Uniform),
    ("zipfian", Distribution::Zipfian),
    ("zipfian_ycsb", Distribution::ZipfianYcsb),
    ("scrambled_zipfian_ycsb", Distribution::ScrambledZipfianYcsb),
    ("latest", Distribution::Latest),
    ("hotspot", Distribution::Hotspot),
    ("sequential", Distribution::Sequential),
];
const INSERT_ORDERS: &[(&str, InsertOrder)] = &[
    ("hashed", InsertOrder::Hashed),
    ("ascending", InsertOrder::Ascending),
    ("descending", InsertOrder::Descending),
];

/// The workload in `value`.
///
/// # Errors
/// Every problem of form and of content, each with a path such as `["operations", "0", "weight"]`.
pub fn parse(value: &Value) -> Result<Workload, Vec<Diagnostic>> {
    let mut found = Vec::new();
    let workload = workload(value, &mut found);
    match workload {
        Some(workload) if found.is_empty() => {
            let found = workload.check();
            if found.is_empty() { Ok(workload) } else { Err(found) }
        }
        _ => Err(found),
    }
}

fn workload(value: &Value, found: &mut Vec<Diagnostic>) -> Option<Workload> {
    let fields = Fields::of(value, Vec::new(), found)?;
    fields.reject_unknown(&["operations", "tables", "config"], found);
    let operations: Option<Vec<Option<Operation>>> = fields
        .list("operations", found)
        .map(|items| items.map(|(path, item)| operation(item, path, found)).collect());
    let tables: Option<Vec<Option<Table>>> = fields
        .optional_list("tables", found)
        .map(|items| items.map(|(path, item)| table(item, path, found)).collect());
    let config = fields.required("config", found).and_then(|item| {
        let fields = Fields::of(item, fields.path_of("config"), found)?;
        config(&fields, found)
    });
    Some(Workload {
        operations: operations?.into_iter().collect::<Option<_>>()?,
        tables: tables.unwrap_or_default().into_iter().collect::<Option<_>>()?,
        config: config?,
    })
}

fn operation(value: &Value, path: Vec<String>, found: &mut Vec<Diagnostic>) -> Option<Operation> {
    let fields = Fields::of(value, path, found)?;
    fields.reject_unknown(&["type", "template", "weight", "transaction", "parameters"], found);
    fields.required("type", found);
    let kind = fields.optional_choice("type", KINDS, found);
    let template = fields.optional_text("template", found).unwrap_or_default().to_owned();
    let weight = fields.number("weight", found);
    let transaction = fields.optional_text("transaction", found).map(str::to_owned);
    let parameters = fields.optional("parameters").cloned();
    Some(Operation { kind: kind?, template, weight: weight?, transaction, parameters })
}

fn table(value: &Value, path: Vec<String>, found: &mut Vec<Diagnostic>) -> Option<Table> {
    let fields = Fields::of(value, path, found)?;
    fields.reject_unknown(&["name", "record_count", "record_bytes", "key_bytes", "insert_order"], found);
    let name = fields.text("name", found);
    let record_count = fields.whole("record_count", found);
    let record_bytes = fields.optional_whole("record_bytes", found).unwrap_or(defaults::RECORD_BYTES);
    let key_bytes = fields.optional_whole("key_bytes", found).unwrap_or(defaults::KEY_BYTES);
    let insert_order = insert_order(&fields, found);
    Some(Table { name: name?.to_owned(), record_count: record_count?, record_bytes, key_bytes, insert_order })
}

fn config(fields: &Fields<'_>, found: &mut Vec<Diagnostic>) -> Option<Config> {
    fields.reject_unknown(
        &[
            "total_operations",
            "concurrency",
            "distribution",
            "zipfian_theta",
            "hotspot_data_fraction",
            "hotspot_operation_fraction",
            "key_range",
            "record_count",
            "record_bytes",
            "key_bytes",
            "insert_order",
            "operations_per_transaction",
            "think_time_ms",
            "arrival_rate_per_second",
            "warmup_operations",
        ],
        found,
    );
    let total_operations = fields.whole("total_operations", found);
    let key_range = fields.optional("key_range").and_then(|item| {
        let fields = Fields::of(item, fields.path_of("key_range"), found)?;
        fields.reject_unknown(&["min", "max"], found);
        let (min, max) = (fields.whole("min", found), fields.whole("max", found));
        Some(KeyRange { min: min?, max: max? })
    });
    let record_count = fields.optional_whole("record_count", found).unwrap_or_else(|| {
        // A workload that only names its keys has one record for each of them.
        key_range.and_then(KeyRange::width).unwrap_or(defaults::RECORD_COUNT)
    });
    let config = Config {
        total_operations: total_operations.unwrap_or_default(),
        concurrency: fields.optional_whole("concurrency", found).unwrap_or(1),
        distribution: fields.optional_choice("distribution", DISTRIBUTIONS, found).unwrap_or_default(),
        zipfian_theta: fields.optional_number("zipfian_theta", found),
        hotspot_data_fraction: fields.optional_number("hotspot_data_fraction", found),
        hotspot_operation_fraction: fields.optional_number("hotspot_operation_fraction", found),
        key_range,
        record_count,
        record_bytes: fields.optional_whole("record_bytes", found).unwrap_or(defaults::RECORD_BYTES),
        key_bytes: fields.optional_whole("key_bytes", found).unwrap_or(defaults::KEY_BYTES),
        insert_order: insert_order(fields, found),
        operations_per_transaction: fields.optional_whole("operations_per_transaction", found).unwrap_or(1),
        think_time_ms: fields.optional_number("think_time_ms", found).unwrap_or(0.0),
        arrival_rate_per_second: fields.optional_number("arrival_rate_per_second", found),
        warmup_operations: fields.optional_whole("warmup_operations", found),
    };
    total_operations.map(|_: u64| config)
}

/// A word, or `{"interleaved": {"streams": 16}}`, `{"grouped": {"groups": 10, "run": 1}}` or `{"mixed": {"random_fraction": 0.1}}`.
fn insert_order(fields: &Fields<'_>, found: &mut Vec<Diagnostic>) -> InsertOrder {
    let Some(value) = fields.optional("insert_order").filter(|value| value.is_object()) else {
        return fields.optional_choice("insert_order", INSERT_ORDERS, found).unwrap_or_default();
    };
    let path = fields.path_of("insert_order");
    let Some(order) = Fields::of(value, path.clone(), found) else { return InsertOrder::default() };
    order.reject_unknown(&["interleaved", "grouped", "mixed"], found);
    if let Some(value) = order.optional("interleaved") {
        let inner = Fields::of(value, order.path_of("interleaved"), found);
        let streams = inner.and_then(|inner| inner.whole("streams", found)).unwrap_or(1);
        if !(1..=1_000_000).contains(&streams) {
            found.push(malformed(path, "\"streams\" must be from 1 to 1000000".to_owned()));
        }
        return InsertOrder::Interleaved { streams };
    }
    if let Some(value) = order.optional("grouped") {
        let inner = Fields::of(value, order.path_of("grouped"), found);
        let mut counts = |name: &'static str| {
            let count = inner.as_ref().and_then(|inner| inner.optional_whole(name, found)).unwrap_or(1);
            if !(1..=100_000_000).contains(&count) {
                found.push(malformed(path.clone(), format!("\"{name}\" must be from 1 to 100000000")));
            }
            count
        };
        return InsertOrder::Grouped { groups: counts("groups"), run: counts("run") };
    }
    if let Some(value) = order.optional("mixed") {
        let inner = Fields::of(value, order.path_of("mixed"), found);
        let random_fraction = inner.and_then(|inner| inner.number("random_fraction", found)).unwrap_or(0.0);
        if !(0.0..=1.0).contains(&random_fraction) {
            found.push(malformed(path, "\"random_fraction\" must be from 0 to 1".to_owned()));
        }
        return InsertOrder::Mixed { random_fraction };
    }
    found.push(malformed(
        path,
        "an insert order is a word, \"interleaved\", \"grouped\" or \"mixed\"".to_owned(),
    ));
    InsertOrder::default()
}

impl KeyRange {
    /// Keys in the range, both ends included; absent when the range is empty or too wide to count.
    pub(crate) fn width(self) -> Option<u64> {
        u64::try_from(i128::from(self.max) - i128::from(self.min) + 1).ok().filter(|width| *width > 0)
    }
}

/// A wrong value inside an operation's `parameters`.
pub(crate) fn wrong_parameter(path: Vec<String>, message: String) -> Diagnostic {
    malformed(path, message)
}
