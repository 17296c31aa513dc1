//! RocksDB's universal (tiered) compaction: neighbouring sorted runs are merged, first for space, then by size, then by number.

use super::file::Levels;
use super::policy::Task;
use super::runs;
use crate::plan::LsmSpec;

pub(crate) fn pick(spec: &LsmSpec, levels: &Levels) -> Option<Task> {
    let runs = runs::of(levels);
    let trigger = spec.level0_trigger_files as usize;
    if runs.len() < trigger.max(2) {
        return None;
    }
    let last = runs.len() - 1;
    let newer: u64 = runs[..last].iter().map(|run| run.bytes).sum();
    if newer * 100 >= u64::from(spec.max_size_amplification_percent) * runs[last].bytes {
        return Some(runs::merge(spec, levels, &runs, 0..runs.len()));
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
    Some(runs::merge(spec, levels, &runs, start..end))
}
