//! Every rule a workload must keep.

use std::collections::{BTreeMap, BTreeSet};

use super::{Config, Distribution, Table, Workload, access};
use crate::design::{Code, Diagnostic};

const MAX_OPERATIONS: usize = 100;
const MAX_TABLES: usize = 64;
/// Of a transaction, each counted as often as it is repeated.
const MAX_STATEMENTS: usize = 10_000;
const MAX_TOTAL_OPERATIONS: u64 = 1_000_000_000;
/// Key ranks are 32 bits wide: loaded rows and all inserts of a run stay below.
pub(crate) const MAX_RECORDS: u64 = 2_000_000_000;

pub(super) fn check(workload: &Workload) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    check_operations(workload, &mut found);
    check_tables(&workload.tables, &mut found);
    check_config(&workload.config, &mut found);
    if found.is_empty() {
        let tables = workload.effective_tables();
        let mut repeats: BTreeMap<&str, usize> = BTreeMap::new();
        for (index, operation) in workload.operations.iter().enumerate() {
            let Some(statement) = access::statement(workload, &tables, index, &mut found) else { continue };
            let Some(transaction) = operation.transaction.as_deref() else { continue };
            let sum = repeats.entry(transaction).or_default();
            *sum += usize::from(statement.repeat.1);
            if *sum > MAX_STATEMENTS {
                let message =
                    format!("transaction \"{transaction}\" would run more than {MAX_STATEMENTS} statements");
                let place = ["operations", &index.to_string(), "parameters", "repeat"];
                found.push(Diagnostic::error(Code::TooLarge, &place, message));
                break;
            }
        }
    }
    found
}

fn check_operations(workload: &Workload, found: &mut Vec<Diagnostic>) {
    let operations = &workload.operations;
    if operations.is_empty() || operations.iter().all(|operation| operation.weight == 0.0) {
        found.push(Diagnostic::error(
            Code::NoOperations,
            &["operations"],
            "a workload needs at least one operation with a weight above 0",
        ));
    }
    if operations.len() > MAX_OPERATIONS {
        let message = format!("a workload holds at most {MAX_OPERATIONS} operations");
        found.push(Diagnostic::error(Code::TooLarge, &["operations"], message));
        return;
    }
    let mut weights: BTreeMap<&str, f64> = BTreeMap::new();
    for (index, operation) in operations.iter().enumerate() {
        let place = index.to_string();
        if !operation.weight.is_finite() || !(0.0..=1e9).contains(&operation.weight) {
            found.push(Diagnostic::error(
                Code::ValueOutOfRange,
                &["operations", &place, "weight"],
                format!("a weight is from 0 to 1000000000; it is {}", operation.weight),
            ));
        }
        let Some(transaction) = operation.transaction.as_deref() else { continue };
        let first = *weights.entry(transaction).or_insert(operation.weight);
        if first != operation.weight {
            let message = format!(
                "the operations of transaction \"{transaction}\" run together, so all of them need one weight: {first}"
            );
            found.push(Diagnostic::error(
                Code::TransactionWeights,
                &["operations", &place, "weight"],
                message,
            ));
        }
    }
}

fn check_tables(tables: &[Table], found: &mut Vec<Diagnostic>) {
    if tables.len() > MAX_TABLES {
        let message = format!("a workload holds at most {MAX_TABLES} tables");
        found.push(Diagnostic::error(Code::TooLarge, &["tables"], message));
        return;
    }
    let mut names = BTreeSet::new();
    for (index, table) in tables.iter().enumerate() {
        let place = index.to_string();
        let place = |field: &'static str| ["tables".to_owned(), place.clone(), field.to_owned()];
        if table.name.is_empty() || table.name.chars().count() > 63 {
            range_error(place("name"), "a table name has 1 to 63 characters", found);
        }
        if !names.insert(table.name.to_ascii_lowercase()) {
            let diagnostic = Diagnostic::error(
                Code::DuplicateTable,
                &[],
                format!("two tables are named \"{}\"", table.name),
            );
            found.push(Diagnostic { path: place("name").to_vec(), ..diagnostic });
        }
        if table.record_count > MAX_RECORDS {
            range_error(place("record_count"), &format!("a table has at most {MAX_RECORDS} records"), found);
        }
        check_bytes(table.record_bytes, table.key_bytes, &place, found);
    }
}

fn check_bytes(
    record_bytes: u32,
    key_bytes: u32,
    place: &dyn Fn(&'static str) -> [String; 3],
    found: &mut Vec<Diagnostic>,
) {
    if !(1..=65_536).contains(&record_bytes) {
        range_error(
            place("record_bytes"),
            &format!("a record has 1 to 65536 bytes; it is {record_bytes}"),
            found,
        );
    }
    if !(1..=2_048).contains(&key_bytes) {
        range_error(place("key_bytes"), &format!("a key has 1 to 2048 bytes; it is {key_bytes}"), found);
    }
}

fn check_config(config: &Config, found: &mut Vec<Diagnostic>) {
    let mut rule = |field: &'static str, holds: bool, message: String| {
        if !holds {
            range_error(["config".to_owned(), field.to_owned()], &message, found);
        }
    };
    let optional_in =
        |value: Option<f64>, min: f64, max: f64| value.is_none_or(|value| (min..=max).contains(&value));
    rule(
        "total_operations",
        (1..=MAX_TOTAL_OPERATIONS).contains(&config.total_operations),
        format!("from 1 to {MAX_TOTAL_OPERATIONS} operations; it is {}", config.total_operations),
    );
    rule(
        "warmup_operations",
        config.warmup_operations.is_none_or(|warmup| warmup <= MAX_TOTAL_OPERATIONS),
        format!("at most {MAX_TOTAL_OPERATIONS} operations"),
    );
    rule(
        "concurrency",
        (1..=100_000).contains(&config.concurrency),
        format!("from 1 to 100000 clients; it is {}", config.concurrency),
    );
    let ycsb = matches!(config.distribution, Distribution::ZipfianYcsb);
    rule(
        "zipfian_theta",
        if ycsb {
            config.zipfian_theta.is_none_or(|theta| theta > 0.0 && theta < 1.0)
        } else {
            optional_in(config.zipfian_theta, 0.0, 5.0)
        },
        if ycsb { "above 0 and below 1 for YCSB's generator" } else { "from 0 to 5" }.to_owned(),
    );
    rule(
        "hotspot_data_fraction",
        config.hotspot_data_fraction.is_none_or(|part| part > 0.0 && part <= 1.0),
        "above 0 and at most 1".to_owned(),
    );
    rule(
        "hotspot_operation_fraction",
        optional_in(config.hotspot_operation_fraction, 0.0, 1.0),
        "from 0 to 1".to_owned(),
    );
    rule("record_count", config.record_count <= MAX_RECORDS, format!("at most {MAX_RECORDS} records"));
    if let Some(range) = config.key_range {
        rule(
            "key_range",
            range.width() == Some(config.record_count),
            format!(
                "min to max must hold as many keys as there are records ({}): leave out record_count, or make them agree",
                config.record_count
            ),
        );
    }
    rule(
        "operations_per_transaction",
        (1..=10_000).contains(&config.operations_per_transaction),
        format!("from 1 to 10000; it is {}", config.operations_per_transaction),
    );
    rule(
        "think_time_ms",
        (0.0..=3_600_000.0).contains(&config.think_time_ms),
        format!("from 0 to 3600000 ms; it is {}", config.think_time_ms),
    );
    rule(
        "arrival_rate_per_second",
        config.arrival_rate_per_second.is_none_or(|rate| (1e-3..=1e9).contains(&rate)),
        "from 0.001 to 1000000000 operations a second".to_owned(),
    );
    check_config_bytes(config, found);
}

fn check_config_bytes(config: &Config, found: &mut Vec<Diagnostic>) {
    let mut inner = Vec::new();
    check_bytes(
        config.record_bytes,
        config.key_bytes,
        &|field| ["config".to_owned(), String::new(), field.to_owned()],
        &mut inner,
    );
    found.extend(inner.into_iter().map(|mut diagnostic| {
        diagnostic.path.retain(|part| !part.is_empty());
        diagnostic
    }));
}

fn range_error<const N: usize>(path: [String; N], message: &str, found: &mut Vec<Diagnostic>) {
    let diagnostic = Diagnostic::error(Code::ValueOutOfRange, &[], message);
    found.push(Diagnostic { path: path.to_vec(), ..diagnostic });
}
