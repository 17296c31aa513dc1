//! LevelDB's leveled compaction: files of a level take turns by key, level L holds 10^L MB.

use super::file::{Levels, bytes, overlapping};
use super::merge::Cut;
use super::policy::{Task, connected_in_level0, merge_down};
use crate::plan::LsmSpec;

const MAX_GRANDPARENT_FILES: u64 = 10;
const MAX_EXPANSION_FILES: u64 = 25;
/// A flush that overlaps nothing goes down as far as here.
const MAX_FLUSH_LEVEL: usize = 2;

pub(crate) fn pick(spec: &LsmSpec, levels: &Levels, pointers: &[u32]) -> Option<Task> {
    let score = |level: usize| match level {
        0 => levels[0].len() as f64 / f64::from(spec.level0_trigger_files),
        _ => {
            bytes(&levels[level]) as f64
                / (spec.level_base_bytes as f64 * libm::pow(spec.size_ratio, level as f64 - 1.0))
        }
    };
    let level =
        (0..levels.len() - 1).reduce(|best, level| if score(level) > score(best) { level } else { best })?;
    if score(level) < 1.0 || levels[level].is_empty() {
        return None;
    }
    let after = |file: &usize| levels[level][*file].largest() > pointers[level] || pointers[level] == 0;
    let files = if level == 0 {
        // From the oldest file on.
        let count = levels[0].len();
        let first = (0..count).rev().find(after).unwrap_or(count - 1);
        connected_in_level0(levels, first)
    } else {
        vec![(0..levels[level].len()).find(after).unwrap_or_default()]
    };
    let overlap_bytes = MAX_GRANDPARENT_FILES * spec.target_file_bytes;
    let cut = |_| Cut::LevelDb { bytes: spec.target_file_bytes, overlap_bytes };
    let expansion = MAX_EXPANSION_FILES * spec.target_file_bytes;
    let mut task = merge_down(levels, level, files, level + 1, expansion, u64::MAX, cut);
    if task.trivial {
        let file = &levels[level][task.inputs[0].1];
        task.trivial = task.inputs.len() == 1
            && overlap_below(levels, level + 1, file.smallest(), file.largest()) <= overlap_bytes;
    }
    Some(task)
}

/// The level a flushed file with these keys goes to.
pub(crate) fn flush_level(spec: &LsmSpec, levels: &Levels, smallest: u32, largest: u32) -> usize {
    if levels[0].iter().any(|file| file.overlaps(smallest, largest)) {
        return 0;
    }
    let limit = MAX_GRANDPARENT_FILES * spec.target_file_bytes;
    let free = |level: usize| overlapping(&levels[level], smallest, largest).is_empty();
    (1..=MAX_FLUSH_LEVEL.min(levels.len() - 1))
        .take_while(|level| free(*level) && overlap_below(levels, *level, smallest, largest) <= limit)
        .last()
        .unwrap_or_default()
}

/// Bytes of the level below `level` in a range.
fn overlap_below(levels: &Levels, level: usize, smallest: u32, largest: u32) -> u64 {
    levels.get(level + 1).map_or(0, |below| bytes(&below[overlapping(below, smallest, largest)]))
}
