//! What a run says. Equal plan, workload, options and engine version give an equal report, byte for byte.

use std::convert::Infallible;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::formulas::FormulaCheck;
use crate::sampling::SamplingResult;

/// The result of one simulation. All times are virtual.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub engine_version: String,
    pub seed: u64,
    pub summary: Summary,
    /// One entry a weighted choice of the workload: a statement, or a named transaction.
    pub operations: Vec<OperationResult>,
    /// One entry a block, in canvas order.
    pub blocks: Vec<BlockResult>,
    /// Where the time of the typical and the slow operations went.
    pub latency_breakdown: Vec<LatencyShare>,
    pub series: Vec<Series>,
    /// The trace: whole operations, in order of time.
    pub events: Vec<Event>,
    /// Events that happened in traced operations, kept or not.
    pub event_count: u64,
    /// Closed forms beside what was simulated, where there are any.
    #[serde(default)]
    pub formulas: Vec<FormulaCheck>,
    pub warnings: Vec<Warning>,
    /// How the run was sampled; absent when all of it was simulated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling: Option<SamplingResult>,
    /// SHA-256, in hexadecimal, over the canonical JSON of the rest.
    pub result_hash: String,
}

/// The figures of the measured interval; the warm-up is left out of every one of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Operations measured: the workload's `total_operations`.
    pub operations: u64,
    /// Operations run before the measured interval began.
    pub warmup_operations: u64,
    /// Virtual time at which the measured interval began.
    pub measured_from_seconds: f64,
    /// Length of the measured interval.
    pub simulated_seconds: f64,
    pub throughput_qps: f64,
    pub latency_mean_ms: f64,
    pub latency_p50_ms: f64,
    pub latency_p95_ms: f64,
    pub latency_p99_ms: f64,
    pub latency_max_ms: f64,
    /// Data pages read from devices.
    pub pages_read: u64,
    /// Data pages written to devices (the log is counted in bytes, at its block).
    pub pages_written: u64,
    pub total_io_pages: u64,
    /// Hits over hits and misses of all buffer pools; absent without a pool or without an access.
    pub cache_hit_ratio: Option<f64>,
    /// Bytes read from devices over bytes of rows the operations read.
    pub read_amplification: Option<f64>,
    /// Bytes written to devices, log included, over bytes of rows the operations wrote.
    pub write_amplification: Option<f64>,
    /// Bytes of all pages at the end over bytes of live rows.
    pub space_amplification: Option<f64>,
    pub transactions_committed: u64,
    pub transactions_aborted: u64,
    pub deadlocks: u64,
}

/// The figures of one weighted choice of the workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OperationResult {
    pub name: String,
    pub operations: u64,
    pub throughput_qps: f64,
    pub latency_mean_ms: f64,
    pub latency_p50_ms: f64,
    pub latency_p95_ms: f64,
    pub latency_p99_ms: f64,
}

/// What one block counted in the measured interval. Gauges hold the state at the end of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BlockResult {
    pub block_id: String,
    pub kind: String,
    /// Busy time over time, averaged over the block's slots; absent where a block has none.
    pub utilization: Option<f64>,
    pub counters: Map<String, Value>,
    pub gauges: Map<String, Value>,
    /// By name: `{count, mean, min, p50, p95, p99, max}`, times in milliseconds.
    pub histograms: Map<String, Value>,
}

/// Which latency a share belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Percentile {
    P50,
    P95,
    P99,
    #[serde(rename = "MEAN")]
    Mean,
}

/// One bar of a waterfall. The bars of a percentile sum to that percentile's latency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LatencyShare {
    pub percentile: Percentile,
    /// What was waited for: `cpu`, `device_read`, `device_queue`, `write_back`, `log_flush`, `page_in_flight` …
    pub cause: String,
    /// The block that made the operation wait; absent for the processor.
    pub block_id: Option<String>,
    pub milliseconds: f64,
    /// Part of the whole, 0 to 1.
    pub share: f64,
}

/// A figure over virtual time: bucket `i` starts at `i * interval_ns`. Nothing to say in a bucket is null.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    pub name: String,
    pub unit: Option<String>,
    pub block_id: Option<String>,
    pub interval_ns: u64,
    pub values: Vec<Option<f64>>,
}

/// One traced event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Position in the trace, from 0.
    pub sequence: u32,
    pub time_ns: u64,
    #[serde(rename = "type")]
    pub kind: String,
    pub block_id: String,
    pub payload: Value,
}

/// Something a reader of the report should know before trusting a figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Warning {
    pub code: String,
    pub message: String,
    pub block_id: Option<String>,
}

impl Report {
    /// SHA-256 over the JSON of everything but `result_hash`, with object keys in alphabetical order.
    /// Equal results have equal hashes on every platform.
    pub fn compute_hash(&self) -> String {
        let never = || Ok::<(), Infallible>(());
        self.hash(never).unwrap_or_else(|never| match never {})
    }

    /// `compute_hash`, part by part, because a trace may be long: `look` is asked now and then whether to go on.
    pub(crate) fn hash<E>(&self, mut look: impl FnMut() -> Result<(), E>) -> Result<String, E> {
        let mut hash = Sha256::new();
        let mut list = |name: &str, items: &mut dyn Iterator<Item = String>| {
            hash.update(format!("{name}["));
            for (place, item) in items.enumerate() {
                if place % ITEMS_BETWEEN_LOOKS == 0 {
                    look()?;
                }
                hash.update(if place > 0 { "," } else { "" });
                hash.update(item);
            }
            hash.update("]");
            Ok(())
        };
        // Fields in alphabetical order.
        list("{\"blocks\":", &mut self.blocks.iter().map(canonical))?;
        let head = format!(
            ",\"engine_version\":{},\"event_count\":{}",
            canonical(&self.engine_version),
            self.event_count
        );
        list(&format!("{head},\"events\":"), &mut self.events.iter().map(canonical))?;
        list(",\"formulas\":", &mut self.formulas.iter().map(canonical))?;
        list(",\"latency_breakdown\":", &mut self.latency_breakdown.iter().map(canonical))?;
        list(",\"operations\":", &mut self.operations.iter().map(canonical))?;
        let sampling =
            self.sampling.as_ref().map(|sampling| format!(",\"sampling\":{}", canonical(sampling)));
        let seed = format!(
            ",\"result_hash\":\"\"{},\"seed\":{},\"series\":",
            sampling.unwrap_or_default(),
            self.seed
        );
        list(&seed, &mut self.series.iter().map(canonical))?;
        let summary = format!(",\"summary\":{},\"warnings\":", canonical(&self.summary));
        list(&summary, &mut self.warnings.iter().map(canonical))?;
        hash.update("}");
        Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// Items of a list hashed between two looks at whether to go on.
const ITEMS_BETWEEN_LOOKS: usize = 1 << 10;

/// JSON with object keys in alphabetical order. A report holds strings, finite numbers and lists only, so it always has one;
/// `Value` sorts keys.
fn canonical(part: &impl Serialize) -> String {
    serde_json::to_value(part).map(|value| value.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_canonical_json() {
        let event = |sequence| Event {
            sequence,
            time_ns: 7,
            kind: "page_read".to_owned(),
            block_id: "\"quoted\"".to_owned(),
            payload: serde_json::json!({"z": 1.5, "a": [1, 2]}),
        };
        let warning = Warning { code: "X".to_owned(), message: "é".to_owned(), block_id: None };
        let mut report = Report {
            engine_version: "1".to_owned(),
            seed: 3,
            summary: serde_json::from_value(serde_json::json!({
                "operations": 1, "warmup_operations": 0, "measured_from_seconds": 0.0, "simulated_seconds": 1.25,
                "throughput_qps": 0.8, "latency_mean_ms": 1.0, "latency_p50_ms": 1.0, "latency_p95_ms": 1.0,
                "latency_p99_ms": 1.0, "latency_max_ms": 1.0, "pages_read": 0, "pages_written": 0,
                "total_io_pages": 0, "cache_hit_ratio": null, "read_amplification": null,
                "write_amplification": null, "space_amplification": null, "transactions_committed": 0,
                "transactions_aborted": 0, "deadlocks": 0
            }))
            .unwrap(),
            operations: Vec::new(),
            blocks: Vec::new(),
            latency_breakdown: Vec::new(),
            series: Vec::new(),
            events: (0..3).map(event).collect(),
            event_count: 9,
            formulas: Vec::new(),
            warnings: vec![warning.clone(), warning],
            sampling: Some(SamplingResult {
                rate: 0.5,
                simulated_operations: 1,
                drawn_part: 1.0,
                hit_ratio_error: None,
            }),
            result_hash: String::new(),
        };
        let whole = Sha256::digest(canonical(&report).as_bytes());
        let expected: String = whole.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(report.compute_hash(), expected);
        report.result_hash = expected.clone();
        assert_eq!(report.compute_hash(), expected, "the hash itself is left out");
    }
}
