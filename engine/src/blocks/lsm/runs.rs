//! A tiered tree as sorted runs, from the newest to the oldest: each file of level 0, then each level below that holds files.

use super::file::{Levels, bytes};
use super::merge::Cut;
use super::policy::Task;
use crate::plan::LsmSpec;

#[derive(Debug, Clone, Copy)]
pub(super) struct SortedRun {
    pub(super) level: usize,
    /// Of a file of level 0.
    file: usize,
    pub(super) bytes: u64,
    /// Written by a flush, and nothing since.
    pub(super) flushed: bool,
}

pub(super) fn of(levels: &Levels) -> Vec<SortedRun> {
    let level0 = levels[0].iter().enumerate();
    let level0 =
        level0.map(|(file, sst)| SortedRun { level: 0, file, bytes: sst.bytes, flushed: sst.flushed });
    let deeper = (1..levels.len()).filter(|level| !levels[*level].is_empty());
    level0
        .chain(deeper.map(|level| SortedRun { level, file: 0, bytes: bytes(&levels[level]), flushed: false }))
        .collect()
}

/// Neighbouring runs become one, as deep as the next older run allows.
pub(super) fn merge(
    spec: &LsmSpec,
    levels: &Levels,
    runs: &[SortedRun],
    which: std::ops::Range<usize>,
) -> Task {
    let output_level = match runs.get(which.end) {
        None => levels.len() - 1,
        Some(next) => next.level.saturating_sub(1),
    };
    let files = |run: &SortedRun| match run.level {
        0 => run.file..run.file + 1,
        level => 0..levels[level].len(),
    };
    let inputs = runs[which].iter().flat_map(|run| files(run).map(move |file| (run.level, file))).collect();
    let cut = match output_level {
        0 => Cut::Never,
        _ => Cut::Size { bytes: spec.target_file_bytes },
    };
    Task { inputs, output_level, trivial: false, cut }
}
