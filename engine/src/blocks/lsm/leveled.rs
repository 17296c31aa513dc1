//! RocksDB's leveled compaction: the level furthest above its target gives the file with the least overlap to the level below.

use super::file::{Levels, bytes, grandparents, overlapping};
use super::merge::Cut;
use super::policy::{Task, connected_in_level0, merge_down};
use crate::plan::LsmSpec;

/// A compaction's inputs, and a file with its grandparents, stay below this many target files.
const MAX_COMPACTION_FILES: u64 = 25;
/// Neighbouring files that move down together.
const MAX_MOVES: usize = 4;

/// The first level under level 0 in use, and the target bytes of each level.
pub(crate) fn targets(spec: &LsmSpec, levels: &Levels) -> (usize, Vec<f64>) {
    let last = levels.len() - 1;
    let base = spec.level_base_bytes as f64;
    if !spec.dynamic_level_bytes {
        let target = |level: usize| base * libm::pow(spec.size_ratio, level as f64 - 1.0);
        return (1, (0..levels.len()).map(target).collect());
    }
    // The last level sets the others' targets, so that each is a size ratio below the next.
    let largest = levels[1..].iter().map(|files| bytes(files)).max().unwrap_or_default() as f64;
    let first_used = (1..=last).find(|level| !levels[*level].is_empty());
    let Some(first_used) = first_used else { return (last, vec![base; levels.len()]) };
    let mut target = largest;
    for _ in first_used..last {
        target /= spec.size_ratio;
    }
    let mut base_level = first_used;
    if target <= base / spec.size_ratio {
        target = base / spec.size_ratio + 1.0;
    } else {
        while base_level > 1 && target > base {
            base_level -= 1;
            target /= spec.size_ratio;
        }
        target = target.min(base);
    }
    let of = |level: usize| {
        let below_base = level.saturating_sub(base_level) as f64;
        (target * libm::pow(spec.size_ratio, below_base)).max(base)
    };
    (base_level, (0..levels.len()).map(of).collect())
}

pub(crate) fn pick(spec: &LsmSpec, levels: &Levels) -> Option<Task> {
    let (base_level, targets) = targets(spec, levels);
    let level0 = &levels[0];
    let mut scores: Vec<(f64, usize)> =
        (1..levels.len() - 1).map(|level| (bytes(&levels[level]) as f64 / targets[level], level)).collect();
    let files = level0.len() as f64 / f64::from(spec.level0_trigger_files);
    scores.push((files.max(bytes(level0) as f64 / spec.level_base_bytes as f64), 0));
    scores.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let (score, level) = *scores.first()?;
    if score < 1.0 || levels[level].is_empty() {
        return None;
    }
    let limit = spec.target_file_bytes * MAX_COMPACTION_FILES;
    let cut = |no_grandparents: bool| Cut::Grandparents {
        target_bytes: spec.target_file_bytes,
        max_bytes: spec.target_file_bytes * if no_grandparents { 1 } else { 2 },
        overlap_bytes: limit,
    };
    if level == 0 {
        return Some(level0_moves(levels, base_level, cut(true)).unwrap_or_else(|| {
            let files = connected_in_level0(levels, level0.len() - 1);
            merge_down(levels, 0, files, base_level, limit, limit, cut)
        }));
    }
    let output_level = level + 1;
    let overlap = |file: usize| {
        let file = &levels[level][file];
        let below = overlapping(&levels[output_level], file.smallest(), file.largest());
        (bytes(&levels[output_level][below]) * 1024 / file.bytes, file.smallest())
    };
    let first = (0..levels[level].len()).min_by_key(|file| overlap(*file))?;
    let task = merge_down(levels, level, vec![first], output_level, limit, limit, cut);
    Some(if task.trivial { extend_move(levels, level, first, limit, task) } else { task })
}

/// The oldest files of level 0, as far as they overlap neither each other nor the level they move to.
fn level0_moves(levels: &Levels, output_level: usize, cut: Cut) -> Option<Task> {
    if levels[output_level].is_empty() {
        return None;
    }
    let mut inputs: Vec<(usize, usize)> = Vec::new();
    let mut range: Option<(u32, u32)> = None;
    for (position, file) in levels[0].iter().enumerate().rev() {
        let wider = match range {
            None => (file.smallest(), file.largest()),
            Some((low, high)) if file.largest() < low => (file.smallest(), high),
            Some((low, high)) if file.smallest() > high => (low, file.largest()),
            Some(_) => break,
        };
        if !overlapping(&levels[output_level], wider.0, wider.1).is_empty() {
            break;
        }
        range = Some(wider);
        inputs.push((0, position));
    }
    (!inputs.is_empty()).then_some(Task { inputs, output_level, trivial: true, cut })
}

/// Files that follow a moved one go with it while they too overlap nothing below.
fn extend_move(levels: &Levels, level: usize, first: usize, limit: u64, mut task: Task) -> Task {
    let mut size = levels[level][first].bytes;
    for (position, file) in levels[level].iter().enumerate().skip(first + 1).take(MAX_MOVES - 1) {
        let (smallest, largest) = (file.smallest(), file.largest());
        size += file.bytes;
        let above = grandparents(levels, task.output_level, levels[level][first].smallest(), largest);
        let free = overlapping(&levels[task.output_level], smallest, largest).is_empty();
        if !free || size + bytes(above) > limit {
            break;
        }
        task.inputs.push((level, position));
    }
    task
}
