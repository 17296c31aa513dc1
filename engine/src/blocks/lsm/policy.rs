//! Compaction policies: pure functions from the levels to what should be merged next.

use super::file::{Levels, bytes, grandparents, overlapping};
use super::job::Claim;
use super::merge::Cut;
use super::{lazy, leveldb, leveled, universal};
use crate::plan::{CompactionKind, LsmSpec};

/// What a policy wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Task {
    /// (level, position on it), the newest data first.
    pub(crate) inputs: Vec<(usize, usize)>,
    pub(crate) output_level: usize,
    /// Files change their level without being rewritten.
    pub(crate) trivial: bool,
    pub(crate) cut: Cut,
}

/// The next compaction, if some level needs one. `pointers`: by level, LevelDB's largest key compacted last; `claims`: what
/// running compactions are going to write, which only leveled compaction works beside.
pub(super) fn pick(spec: &LsmSpec, levels: &Levels, pointers: &[u32], claims: &[Claim]) -> Option<Task> {
    match spec.compaction {
        CompactionKind::Leveled => leveled::pick(spec, levels, claims),
        _ if !claims.is_empty() => None,
        CompactionKind::Universal => universal::pick(spec, levels),
        CompactionKind::LazyLeveled => lazy::pick(spec, levels),
        CompactionKind::LevelDb => leveldb::pick(spec, levels, pointers),
    }
}

/// Positions of the files of level 0 that have to go together with `first`, directly or through others.
pub(crate) fn connected_in_level0(levels: &Levels, first: usize) -> Vec<usize> {
    let files = &levels[0];
    let (mut smallest, mut largest) = (files[first].smallest(), files[first].largest());
    loop {
        let taken: Vec<usize> =
            (0..files.len()).filter(|file| files[*file].overlaps(smallest, largest)).collect();
        let range = taken.iter().fold((smallest, largest), |(low, high), file| {
            (low.min(files[*file].smallest()), high.max(files[*file].largest()))
        });
        if range == (smallest, largest) {
            return taken;
        }
        (smallest, largest) = range;
    }
}

/// The range of keys of some files, each as (level, position on it).
pub(super) fn range_of(levels: &Levels, files: &[(usize, usize)]) -> (u32, u32) {
    files.iter().fold((u32::MAX, 0), |(low, high), (level, file)| {
        let file = &levels[*level][*file];
        (low.min(file.smallest()), high.max(file.largest()))
    })
}

/// Whether no running compaction reads one of a task's files, or writes where it is going to write.
pub(super) fn is_free(levels: &Levels, task: &Task, claims: &[Claim]) -> bool {
    let (smallest, largest) = range_of(levels, &task.inputs);
    task.inputs.iter().all(|(level, file)| !levels[*level][*file].busy)
        && !claims.iter().any(|claim| claim.overlaps(task.output_level, smallest, largest))
}

/// A merge of files of one level with what they overlap on the output level, or a move when there is nothing to merge with.
///
/// More files of the input level join as long as that brings in no further file of the output level and the whole stays below
/// `expansion_bytes` (both systems do).
pub(crate) fn merge_down(
    levels: &Levels,
    level: usize,
    mut files: Vec<usize>,
    output_level: usize,
    expansion_bytes: u64,
    move_bytes: u64,
    cut: impl Fn(bool) -> Cut,
) -> Task {
    let on_level = |files: &[usize]| files.iter().map(|file| (level, *file)).collect::<Vec<_>>();
    let (mut smallest, mut largest) = range_of(levels, &on_level(&files));
    let below = overlapping(&levels[output_level], smallest, largest);
    // On level 0 a wider choice could leave an older version of a key behind.
    if level > 0 && !below.is_empty() {
        let low = smallest.min(levels[output_level][below.start].smallest());
        let high = largest.max(levels[output_level][below.end - 1].largest());
        let wider: Vec<usize> =
            (0..levels[level].len()).filter(|file| levels[level][*file].overlaps(low, high)).collect();
        let size = bytes(&levels[output_level][below.clone()])
            + wider.iter().map(|file| levels[level][*file].bytes).sum::<u64>();
        let range = range_of(levels, &on_level(&wider));
        let same = overlapping(&levels[output_level], range.0, range.1) == below;
        if wider.len() > files.len() && size < expansion_bytes && same {
            files = wider;
            (smallest, largest) = range;
        }
    }
    let (low, high) = match below.is_empty() {
        true => (smallest, largest),
        false => (
            smallest.min(levels[output_level][below.start].smallest()),
            largest.max(levels[output_level][below.end - 1].largest()),
        ),
    };
    let above = grandparents(levels, output_level, low, high);
    let size = files.iter().map(|file| levels[level][*file].bytes).sum::<u64>();
    Task {
        trivial: below.is_empty() && files.len() == 1 && size + bytes(above) <= move_bytes,
        cut: cut(above.is_empty()),
        inputs: files
            .into_iter()
            .map(|file| (level, file))
            .chain(below.map(|file| (output_level, file)))
            .collect(),
        output_level,
    }
}
