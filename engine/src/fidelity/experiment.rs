//! A canvas and a workload in a few words, run once.

use serde_json::{Map, Value, json};

use crate::report::{BlockResult, Report};
use crate::{Control, Options, TraceLevel, design, simulate, workload};

/// Runs operations `(type, weight, parameters)` on blocks `(id, type, parameters)` wired as `"from.port -> to"`.
/// Absent when the catalogue or the engine refuses what a case asks for.
pub(super) fn run(
    blocks: &[(&str, &str, Value)],
    wires: &[&str],
    operations: &[(&str, f64, Value)],
    config: &Value,
    seed: u64,
) -> Option<Outcome> {
    run_on_tables(blocks, wires, operations, &json!([]), config, seed)
}

/// The same with tables of their own.
pub(super) fn run_on_tables(
    blocks: &[(&str, &str, Value)],
    wires: &[&str],
    operations: &[(&str, f64, Value)],
    tables: &Value,
    config: &Value,
    seed: u64,
) -> Option<Outcome> {
    let operations: Vec<Value> = operations
        .iter()
        .map(|(kind, weight, parameters)| json!({"type": kind, "weight": weight, "parameters": parameters}))
        .collect();
    run_workload(blocks, wires, &json!({"operations": operations, "tables": tables, "config": config}), seed)
}

/// The same with a whole workload.
pub(super) fn run_workload(
    blocks: &[(&str, &str, Value)],
    wires: &[&str],
    workload: &Value,
    seed: u64,
) -> Option<Outcome> {
    let blocks: Vec<Value> = blocks
        .iter()
        .map(|(id, kind, parameters)| json!({"id": id, "type": kind, "position": {"x": 0, "y": 0}, "parameters": parameters}))
        .collect();
    let connections: Option<Vec<Value>> = wires
        .iter()
        .map(|wire| {
            let (source, target) = wire.split_once(" -> ")?;
            let (block, port) = source.split_once('.')?;
            Some(json!({
                "id": wire,
                "source": {"blockId": block, "port": port},
                "target": {"blockId": target, "port": "in"},
            }))
        })
        .collect();
    let canvas =
        json!({"blocks": blocks, "connections": connections?, "viewport": {"x": 0, "y": 0, "zoom": 1}});
    let plan = design::check(&canvas).plan?;
    let workload = workload::parse(workload).ok()?;
    let options = Options { seed, trace: TraceLevel::None, ..Options::default() };
    simulate(&plan, &workload, &options, &Control::default()).ok().map(Outcome)
}

pub(super) struct Outcome(Report);

impl Outcome {
    fn block(&self, id: &str) -> Option<&BlockResult> {
        self.0.blocks.iter().find(|block| block.block_id == id)
    }

    /// A counter of a block over the measured interval.
    pub(super) fn counter(&self, id: &str, name: &str) -> Option<f64> {
        self.block(id)?.counters.get(name)?.as_f64()
    }

    /// A gauge of a block at the end.
    pub(super) fn gauge(&self, id: &str, name: &str) -> Option<&Value> {
        self.block(id)?.gauges.get(name)
    }

    pub(super) fn operations(&self) -> f64 {
        self.0.summary.operations as f64
    }

    /// Operations a second.
    pub(super) fn throughput(&self) -> f64 {
        self.0.summary.throughput_qps
    }

    pub(super) fn latency_mean_ms(&self) -> f64 {
        self.0.summary.latency_mean_ms
    }
}

/// Named quantities.
pub(super) fn quantities<const N: usize>(list: [(&str, Value); N]) -> Map<String, Value> {
    list.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
