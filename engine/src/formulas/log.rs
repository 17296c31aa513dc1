//! Group commit: clients that share flushes commit between half as often as and as often as flushes alone would let them.

use super::{FormulaCheck, Relation, Run};
use crate::plan::{BlockIndex, CommitMode, Spec};

const TOLERANCE: f64 = 0.02;
/// The smallest flush.
const BLOCK_BYTES: f64 = 4096.0;

/// Commits a second of `clients` that each wait for a flush: n/2s ≤ X ≤ n/s. Whoever arrives while a flush is under way waits for its
/// rest and for the next, so for one to two of them (Little's law over a commit).
pub fn commit_bounds(clients: f64, flush_seconds: f64) -> (f64, f64) {
    (clients / (2.0 * flush_seconds), clients / flush_seconds)
}

pub(super) fn checks(run: &Run<'_>, block: BlockIndex) -> Vec<FormulaCheck> {
    let Spec::Wal(wal) = &run.plan.blocks[block].spec else { return Vec::new() };
    let Spec::Disk(disk) = &run.plan.blocks[wal.device].spec else { return Vec::new() };
    let (flushes, waited) = (run.counter(block, "flushes"), run.counter(block, "commits_waited"));
    if wal.commit_mode != CommitMode::Sync
        || !wal.group_commit
        || run.is_open_loop()
        || flushes == 0.0
        || waited == 0.0
    {
        return Vec::new();
    }
    let (base_seconds, bytes_a_second) =
        ((disk.write_ns + disk.fsync_ns) as f64 / 1e9, disk.bandwidth_mb_s * 1e6);
    // Nobody waits for less than the smallest flush; they are as long as the mean one where their bytes hardly count.
    let least_seconds = base_seconds + BLOCK_BYTES / bytes_a_second;
    let mean_seconds = base_seconds + run.counter(block, "bytes_flushed") / flushes / bytes_a_second;
    let (low, high) =
        (commit_bounds(run.clients(), mean_seconds).0, commit_bounds(run.clients(), least_seconds).1);
    let commits = waited / run.seconds();
    let ends = run.clients() / waited;
    let id = run.plan.blocks[block].id.as_str();
    let summary = &run.report.summary;
    let flushing_ms =
        run.mean_ms(|share| share.cause == "log_flush" && share.block_id.as_deref() == Some(id));
    let others = run.counter(wal.device, "reads") + run.counter(wal.device, "writes");
    let check = |name, source, relation, formula| {
        let check = FormulaCheck::new(name, source, relation, formula, commits, TOLERANCE + ends)?;
        Some(
            check
                .assume(ends <= 0.05, "fewer than twenty commits a client were measured")
                .assume(!disk.exponential, "flushes take different times"),
        )
    };
    let at_most = check("commits_at_most", "group commit, X ≤ n/s", Relation::AtMost, high);
    let at_least = check("commits_at_least", "group commit, X ≥ n/2s", Relation::AtLeast, low).map(|check| {
        check
            .assume(run.workload.config.think_time_ms == 0.0, "clients think between commits")
            .assume(flushing_ms >= 0.95 * summary.latency_mean_ms, "operations do more than wait for the log")
            .assume(mean_seconds <= 1.05 * least_seconds, "flushes take different times, by their bytes")
            .assume(others <= 0.05 * flushes, "the log shares its device")
            .assume(waited >= 0.99 * run.operations(), "not every operation commits a change")
    });
    at_most.into_iter().chain(at_least).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_a_factor_of_two_apart() {
        // Eight clients and a flush of a millisecond.
        assert_eq!(commit_bounds(8.0, 0.001), (4_000.0, 8_000.0));
    }
}
