//! sysbench's OLTP scripts, with the statements, counts and columns of `src/lua/oltp_common.lua` of its version 1.0 and its default
//! distribution, `special`.
//!
//! Not modelled: a table of its own for each kind of statement of a transaction (one table serves all of it) · the DELETE of a drawn
//! key that the INSERT puts back (the oldest row goes and a new one comes, so the table keeps its size and every key drawn is
//! there) · the work of SUM, ORDER BY and DISTINCT.

use serde_json::{Value, json};

use super::super::OperationType::{Delete, Insert, Select, Update};
use super::super::{Distribution, Operation, Workload};
use super::{config, table};

/// Numbers of four bytes, texts of 120 and 60.
const ROW_BYTES: u32 = 4 + 4 + 120 + 60;
const RANGE_ROWS: u64 = 100;

/// Which statements a script runs.
#[derive(Clone, Copy)]
struct Script {
    name: &'static str,
    reads: bool,
    writes: bool,
    transactions: u64,
}

pub(crate) fn read_only(variables: &[u64]) -> Workload {
    Script { name: "read only", reads: true, writes: false, transactions: 10_000 }.workload(variables)
}

pub(crate) fn read_write(variables: &[u64]) -> Workload {
    Script { name: "read write", reads: true, writes: true, transactions: 10_000 }.workload(variables)
}

pub(crate) fn write_only(variables: &[u64]) -> Workload {
    Script { name: "write only", reads: false, writes: true, transactions: 20_000 }.workload(variables)
}

impl Script {
    fn workload(self, variables: &[u64]) -> Workload {
        let &[tables, table_size] = variables else { return self.workload(&[1, 100_000]) };
        let mut config = config(self.transactions, 16, Distribution::Uniform);
        config.warmup_operations = Some(5_000);
        let names: Vec<String> = (1..=tables).map(|number| format!("sbtest{number}")).collect();
        Workload {
            operations: names.iter().flat_map(|name| self.transaction(name, tables)).collect(),
            tables: names.iter().map(|name| table(name, table_size, ROW_BYTES, 4)).collect(),
            config,
        }
    }

    fn transaction(self, table: &str, tables: u64) -> Vec<Operation> {
        let key = || json!({"distribution": "sysbench_special"});
        let range = || json!({"key_column": "id", "key": key(), "rows": RANGE_ROWS});
        let mut lines = Vec::new();
        if self.reads {
            lines.extend([
                (
                    Select,
                    format!("SELECT c FROM {table} WHERE id = ?"),
                    json!({"key_column": "id", "key": key(), "repeat": 10}),
                ),
                (Select, format!("SELECT c FROM {table} WHERE id BETWEEN ? AND ?"), range()),
                (Select, format!("SELECT SUM(k) FROM {table} WHERE id BETWEEN ? AND ?"), range()),
                (Select, format!("SELECT c FROM {table} WHERE id BETWEEN ? AND ? ORDER BY c"), range()),
                (
                    Select,
                    format!("SELECT DISTINCT c FROM {table} WHERE id BETWEEN ? AND ? ORDER BY c"),
                    range(),
                ),
            ]);
        }
        if self.writes {
            let oldest = json!({"parts": 1, "distribution": "oldest"});
            let update = |bytes: u64, indexed: bool| -> Value {
                json!({
                    "key_column": "id", "key": key(), "changed_bytes": bytes, "changes_indexed_column": indexed,
                })
            };
            lines.extend([
                (Update, format!("UPDATE {table} SET k = k + 1 WHERE id = ?"), update(4, true)),
                (Update, format!("UPDATE {table} SET c = ? WHERE id = ?"), update(120, false)),
                (
                    Delete,
                    format!("DELETE FROM {table} WHERE id = ?"),
                    json!({"key_column": "id", "key": oldest}),
                ),
                (Insert, format!("INSERT INTO {table} (id, k, c, pad) VALUES (?, ?, ?, ?)"), json!({})),
            ]);
        }
        let name = if tables == 1 { self.name.to_owned() } else { format!("{} {table}", self.name) };
        let operation = |(kind, template, parameters)| Operation {
            kind,
            template,
            weight: 1.0,
            transaction: Some(name.clone()),
            parameters: Some(parameters),
        };
        lines.into_iter().map(operation).collect()
    }
}
