//! What is asked of a design: operations with weights, tables, and how keys and clients behave.

pub(crate) mod access;
mod benchmark_law;
pub(crate) mod check;
pub(crate) mod distribution;
mod groups;
pub(crate) mod key;
pub(crate) mod keyspace;
pub(crate) mod part;
pub(crate) mod permutation;
pub(crate) mod presets;
pub(crate) mod query;
mod read;
pub(crate) mod sampled;
mod sql;
pub(crate) mod zipf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use read::parse;

/// A workload. This exact JSON is what gets stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    pub operations: Vec<Operation>,
    /// Empty: one table, `main`, sized by the config.
    #[serde(default)]
    pub tables: Vec<Table>,
    pub config: Config,
}

/// One weighted choice. Operations that share `transaction` run in order as one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    #[serde(rename = "type")]
    pub kind: OperationType,
    /// SQL-like text: equality on the key is a point access, BETWEEN, < and > a range, no condition a scan.
    #[serde(default)]
    pub template: String,
    /// Relative; the sum need not be 100.
    pub weight: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<String>,
    /// `access`, `table`, `rows`, `key`, `name`: see `workload/access.rs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OperationType {
    Insert,
    Select,
    Update,
    Delete,
}

impl OperationType {
    pub fn as_str(self) -> &'static str {
        match self {
            OperationType::Insert => "INSERT",
            OperationType::Select => "SELECT",
            OperationType::Update => "UPDATE",
            OperationType::Delete => "DELETE",
        }
    }
}

/// A table of the workload, loaded with `record_count` rows before the run starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    pub name: String,
    pub record_count: u64,
    /// Bytes of a row's data, key included, without any storage overhead.
    #[serde(default = "defaults::record_bytes")]
    pub record_bytes: u32,
    #[serde(default = "defaults::key_bytes")]
    pub key_bytes: u32,
    #[serde(default)]
    pub insert_order: InsertOrder,
}

/// In which order of keys rows arrive, both the loaded ones and those inserted later.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InsertOrder {
    /// Keys are hashed: arrival order says nothing about key order (YCSB's default).
    #[default]
    Hashed,
    /// Each key is larger than all before it.
    Ascending,
    /// Each key is smaller than all before it.
    Descending,
    /// As many ascending streams as stated take turns, each with its own range of keys.
    Interleaved { streams: u32 },
    /// As many groups of rows as stated, each with its own range of keys. The loaded rows come group by group in key order; later
    /// ones go behind the rows of a group, which take turns in a random order, `run` rows a turn: the orders of districts.
    Grouped { groups: u32, run: u32 },
    /// With this probability a random key, else the next of an ascending stream above all random ones.
    Mixed { random_fraction: f64 },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Operations measured. An operation is one weighted choice: a statement, or a named transaction.
    pub total_operations: u64,
    /// Closed loop: clients. Open loop: operations in progress at most; more arrivals wait their turn.
    #[serde(default = "defaults::concurrency")]
    pub concurrency: u32,
    #[serde(default)]
    pub distribution: Distribution,
    /// Skew of the zipfian and latest distributions; 0.99 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zipfian_theta: Option<f64>,
    /// Part of the keys that is hot; 0.2 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hotspot_data_fraction: Option<f64>,
    /// Part of the operations that go to the hot keys; 0.8 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hotspot_operation_fraction: Option<f64>,
    /// Keys of the main table, both ends included. Its width is the record count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_range: Option<KeyRange>,
    #[serde(default = "defaults::record_count")]
    pub record_count: u64,
    #[serde(default = "defaults::record_bytes")]
    pub record_bytes: u32,
    #[serde(default = "defaults::key_bytes")]
    pub key_bytes: u32,
    #[serde(default)]
    pub insert_order: InsertOrder,
    /// Operations that commit together.
    #[serde(default = "defaults::operations_per_transaction")]
    pub operations_per_transaction: u32,
    #[serde(default)]
    pub think_time_ms: f64,
    /// Present: an open loop with Poisson arrivals; latency counts from the arrival.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrival_rate_per_second: Option<f64>,
    /// Operations run before the measured ones and left out of the summary; a tenth of `total_operations` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup_operations: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRange {
    pub min: i64,
    pub max: i64,
}

/// How operations choose keys. See `workload::distribution` for each law and its constants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    #[default]
    Uniform,
    /// Exact Zipf; hot keys are scattered over the key space.
    Zipfian,
    /// YCSB's generator (Gray et al. 1994), which over-draws some ranks; hot keys are the first loaded.
    ZipfianYcsb,
    /// YCSB's scrambled generator.
    ScrambledZipfianYcsb,
    /// The newest keys are the hottest.
    Latest,
    Hotspot,
    Sequential,
}

/// Values of fields a workload leaves out.
pub(crate) mod defaults {
    pub(crate) const RECORD_COUNT: u64 = 100_000;
    pub(crate) const RECORD_BYTES: u32 = 1_000;
    pub(crate) const KEY_BYTES: u32 = 8;
    pub(crate) const ZIPFIAN_THETA: f64 = 0.99;
    pub(crate) const HOTSPOT_DATA_FRACTION: f64 = 0.2;
    pub(crate) const HOTSPOT_OPERATION_FRACTION: f64 = 0.8;

    pub(super) fn record_count() -> u64 {
        RECORD_COUNT
    }
    pub(super) fn record_bytes() -> u32 {
        RECORD_BYTES
    }
    pub(super) fn key_bytes() -> u32 {
        KEY_BYTES
    }
    pub(super) fn concurrency() -> u32 {
        1
    }
    pub(super) fn operations_per_transaction() -> u32 {
        1
    }
}

impl Workload {
    /// The tables of the workload: those declared, or `main` from the config.
    pub fn effective_tables(&self) -> Vec<Table> {
        if !self.tables.is_empty() {
            return self.tables.clone();
        }
        vec![Table {
            name: "main".to_owned(),
            record_count: self.config.record_count,
            record_bytes: self.config.record_bytes,
            key_bytes: self.config.key_bytes,
            insert_order: self.config.insert_order,
        }]
    }

    /// Operations run before the measured ones.
    pub fn effective_warmup_operations(&self) -> u64 {
        self.config.warmup_operations.unwrap_or(self.config.total_operations / 10)
    }

    /// Every problem, each with a path such as `["operations", "0", "weight"]`. Empty when the workload can run.
    pub fn check(&self) -> Vec<crate::design::Diagnostic> {
        check::check(self)
    }
}
