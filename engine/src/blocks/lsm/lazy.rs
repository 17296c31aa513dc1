//! Lazy leveling (Dayan, Idreos, "Dostoevsky", SIGMOD 2018): tiered down to the last level, which stays one run. Runs of a tier
//! are within a size ratio of each other; when there are as many of them as the ratio says, they become one of the next tier, or
//! are merged into the last level when the next tier is as large as that.

use super::file::Levels;
use super::policy::Task;
use super::runs::{self, SortedRun};
use crate::plan::LsmSpec;

/// Part of a write buffer that a flushed file takes: the memtable's overhead is not written.
const FLUSHED_PART: f64 = 0.8;

pub(crate) fn pick(spec: &LsmSpec, levels: &Levels) -> Option<Task> {
    let runs = runs::of(levels);
    let last = runs.last().filter(|run| run.level == levels.len() - 1);
    let tiered = runs.len() - usize::from(last.is_some());
    let mut start = 0;
    while start < tiered {
        let here = tier(spec, &runs[start]);
        let same = runs[start..tiered].iter().take_while(|run| tier(spec, run) <= here).count();
        let mut end = start + same;
        if same >= spec.runs_per_tier() {
            let reaches_last = last.is_some_and(|last| here + 1 >= tier(spec, last));
            if end == tiered && reaches_last {
                end = runs.len();
            }
            return Some(runs::merge(spec, levels, &runs, start..end));
        }
        start = end;
    }
    None
}

/// The tier of a run: 0 for what a flush writes, however large, one more for each factor of the size ratio.
fn tier(spec: &LsmSpec, run: &SortedRun) -> u32 {
    if run.flushed {
        return 0;
    }
    let flushes = run.bytes as f64 / (FLUSHED_PART * spec.write_buffer_bytes as f64);
    libm::round(libm::log(flushes.max(1.0)) / libm::log(spec.size_ratio)) as u32
}
