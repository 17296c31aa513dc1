//! Laws of a closed network of any kind: Little's law, and the asymptotic bounds.

use super::{FormulaCheck, Relation, Run};
use crate::plan::Spec;

/// Where an operation is served rather than made to wait.
const SERVICE: [&str; 3] = ["cpu", "device_read", "device_write"];
/// Beside what the ends of the interval cut off.
const TOLERANCE: f64 = 0.02;
/// Operations of each kind that must have ended.
const FEWEST: u64 = 5;

/// Operations in a closed loop: N = X (R + Z) (Little, "A Proof for the Queuing Formula L = λW", 1961).
pub fn population(throughput: f64, response_seconds: f64, think_seconds: f64) -> f64 {
    throughput * (response_seconds + think_seconds)
}

/// Throughput of a closed network at most: X ≤ min(1/D_max, N/(D+Z)), from the demand of an operation at the busiest server and in all
/// (Denning, Buzen, "The Operational Analysis of Queueing Network Models", 1978).
pub fn throughput_bound(largest_demand: f64, demand: f64, think: f64, clients: f64) -> f64 {
    (1.0 / largest_demand).min(clients / (demand + think))
}

pub(super) fn checks(run: &Run<'_>) -> Vec<FormulaCheck> {
    if run.is_open_loop() {
        return Vec::new();
    }
    let summary = &run.report.summary;
    let (clients, operations) = (run.clients(), run.operations());
    let think_seconds = run.workload.config.think_time_ms / 1e3;
    // Operations under way at an end of the interval count whole, or not at all: each client has one, as long as the longest at most;
    // what never ended is not known to be as short.
    let cut_seconds = summary.latency_max_ms / 1e3 + think_seconds;
    let ends = clients / operations + cut_seconds / run.seconds();
    let enough = ends <= 0.05 && run.report.operations.iter().all(|operation| operation.operations >= FEWEST);
    let few = "the interval is short, or has few operations a client: what its ends cut matters";
    // Their time passes, and they are in none of the figures.
    let all_end_well = (0..run.plan.blocks.len()).all(|block| run.counter(block, "operations_failed") == 0.0);
    let in_loop = population(summary.throughput_qps, summary.latency_mean_ms / 1e3, think_seconds);
    let little = FormulaCheck::new(
        "clients",
        "Little's law, N = X (R + Z)",
        Relation::Equal,
        clients,
        in_loop,
        TOLERANCE + ends,
    );
    let largest = run.plan.blocks.iter().enumerate().filter_map(|(block, planned)| {
        let servers = match &planned.spec {
            Spec::Disk(disk) => disk.slots,
            Spec::Cpu(cpu) => cpu.cores,
            _ => return None,
        };
        Some(run.counter(block, "busy_ns") / 1e9 / f64::from(servers) / operations)
    });
    let largest = largest.fold(0.0, f64::max);
    let demand = run.mean_ms(|share| SERVICE.contains(&share.cause.as_str())) / 1e3;
    let bound = FormulaCheck::new(
        "throughput_qps",
        "asymptotic bounds, X ≤ min(1/D_max, N/(D+Z)), from measured demands (Denning, Buzen 1978)",
        Relation::AtMost,
        throughput_bound(largest, demand, think_seconds, clients),
        summary.throughput_qps,
        TOLERANCE + ends,
    );
    little
        .into_iter()
        .chain(bound)
        .map(|check| check.assume(enough, few).assume(all_end_well, "operations failed"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws_have_their_textbook_values() {
        // Demands of 5, 4 and 3 s, think time 15 s: the two lines cross at N* = 27/5.
        let bound = |clients| throughput_bound(5.0, 12.0, 15.0, clients);
        assert!((bound(5.4) - 0.2).abs() < 1e-12 && (bound(20.0) - 0.2).abs() < 1e-12);
        assert!((bound(1.0) - 1.0 / 27.0).abs() < 1e-12);
        assert_eq!(population(0.5, 15.0, 5.0), 10.0);
        // Nothing that could be busy: clients alone bound it.
        assert_eq!(throughput_bound(0.0, 2.0, 0.0, 4.0), 2.0);
    }
}
