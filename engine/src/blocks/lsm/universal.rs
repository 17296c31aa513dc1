//! RocksDB's universal (tiered) compaction: neighbouring sorted runs are merged, first for space, then by size, then by number.

use super::file::{Levels, bytes};
use super::merge::Cut;
use super::policy::Task;
use crate::plan::LsmSpec;

/// A sorted run: a file of level 0, or a whole level.
struct Run {
    level: usize,
    /// Of a file of level 0.
    file: usize,
    bytes: u64,
}

pub(crate) fn pick(spec: &LsmSpec, levels: &Levels) -> Option<Task> {
    let level0 = levels[0].iter().enumerate().map(|(file, sst)| Run { level: 0, file, bytes: sst.bytes });
    let deeper = (1..levels.len()).filter(|level| !levels[*level].is_empty());
    let runs: Vec<Run> =
        level0.chain(deeper.map(|level| Run { level, file: 0, bytes: bytes(&levels[level]) })).collect();
    let trigger = spec.level0_trigger_files as usize;
    if runs.len() < trigger.max(2) {
        return None;
    }
    let last = runs.len() - 1;
    let newer: u64 = runs[..last].iter().map(|run| run.bytes).sum();
    if newer * 100 >= u64::from(spec.max_size_amplification_percent) * runs[last].bytes {
        return Some(task(spec, levels, &runs, 0, runs.len()));
    }
    let ratio = u128::from(100 + spec.universal_size_ratio_percent);
    let by_size = (0..runs.len()).find_map(|start| {
        let (mut size, mut end) = (runs[start].bytes, start + 1);
        while end < runs.len() && u128::from(size) * ratio / 100 >= u128::from(runs[end].bytes) {
            size += runs[end].bytes;
            end += 1;
        }
        (end - start >= 2).then_some((start, end))
    });
    let by_number = (runs.len() > trigger).then(|| (0, (runs.len() - trigger + 1).max(2)));
    let (start, end) = by_size.or(by_number)?;
    Some(task(spec, levels, &runs, start, end))
}

fn task(spec: &LsmSpec, levels: &Levels, runs: &[Run], start: usize, end: usize) -> Task {
    // The output goes as deep as the next older run allows.
    let output_level = match runs.get(end) {
        None => levels.len() - 1,
        Some(next) => next.level.saturating_sub(1),
    };
    let files = |run: &Run| match run.level {
        0 => run.file..run.file + 1,
        level => 0..levels[level].len(),
    };
    let inputs =
        runs[start..end].iter().flat_map(|run| files(run).map(move |file| (run.level, file))).collect();
    let cut = match output_level {
        0 => Cut::Never,
        _ => Cut::Size { bytes: spec.target_file_bytes },
    };
    Task { inputs, output_level, trivial: false, cut }
}
