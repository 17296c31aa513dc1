//! RocksDB's leveled compaction: the level furthest above its target gives the file with the least overlap to the level below.

use super::file::{Levels, bytes, grandparents, overlapping};
use super::job::Claim;
use super::merge::Cut;
use super::policy::{Task, connected_in_level0, is_free, merge_down};
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

pub(super) fn pick(spec: &LsmSpec, levels: &Levels, claims: &[Claim]) -> Option<Task> {
    let (base_level, targets) = targets(spec, levels);
    // What is on its way down counts no more.
    let resting = |level: usize| levels[level].iter().filter(|file| !file.busy);
    let bytes_of = |level: usize| resting(level).map(|file| file.bytes).sum::<u64>() as f64;
    let mut scores: Vec<(f64, usize)> =
        (1..levels.len() - 1).map(|level| (bytes_of(level) / targets[level], level)).collect();
    // One compaction of level 0 at a time.
    if levels[0].iter().all(|file| !file.busy) {
        let files = levels[0].len() as f64 / f64::from(spec.level0_trigger_files);
        scores.push((files.max(bytes_of(0) / spec.level_base_bytes as f64), 0));
    }
    scores.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let due = scores.into_iter().take_while(|(score, _)| *score >= 1.0).map(|(_, level)| level);
    due.filter_map(|level| match level {
        0 => Some(level0_task(spec, levels, base_level)).filter(|task| is_free(levels, task, claims)),
        _ => level_task(spec, levels, level, claims),
    })
    .next()
}

fn limit(spec: &LsmSpec) -> u64 {
    spec.target_file_bytes * MAX_COMPACTION_FILES
}

fn cut(spec: &LsmSpec, no_grandparents: bool) -> Cut {
    Cut::Grandparents {
        target_bytes: spec.target_file_bytes,
        max_bytes: spec.target_file_bytes * if no_grandparents { 1 } else { 2 },
        overlap_bytes: limit(spec),
    }
}

fn level0_task(spec: &LsmSpec, levels: &Levels, base_level: usize) -> Task {
    level0_moves(levels, base_level, cut(spec, true)).unwrap_or_else(|| {
        let files = connected_in_level0(levels, levels[0].len() - 1);
        let limit = limit(spec);
        merge_down(levels, 0, files, base_level, limit, limit, |none| cut(spec, none))
    })
}

/// The file with the least overlap for its size, among those that may go.
fn level_task(spec: &LsmSpec, levels: &Levels, level: usize, claims: &[Claim]) -> Option<Task> {
    let (output_level, limit) = (level + 1, limit(spec));
    let overlap = |file: usize| {
        let file = &levels[level][file];
        let below = overlapping(&levels[output_level], file.smallest(), file.largest());
        (bytes(&levels[output_level][below]) * 1024 / file.bytes, file.smallest())
    };
    let mut files: Vec<_> = (0..levels[level].len()).map(|file| (overlap(file), file)).collect();
    while let Some(place) = (0..files.len()).min_by_key(|place| files[*place]) {
        let (_, first) = files.swap_remove(place);
        if levels[level][first].busy {
            continue;
        }
        let task = merge_down(levels, level, vec![first], output_level, limit, limit, |none| cut(spec, none));
        let task = if task.trivial { extend_move(levels, level, first, limit, task) } else { task };
        if is_free(levels, &task, claims) {
            return Some(task);
        }
    }
    None
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
