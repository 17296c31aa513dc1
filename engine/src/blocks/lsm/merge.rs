//! Merging sorted runs, and where the output is cut into files.

use std::borrow::Cow;

use super::blob;
use super::encoding::Layout;
use super::file::SstFile;
use crate::kernel::budget::{BULK_POLL, Limits, StopCause};

/// A sorted run: its ranks, and those of them that are tombstones.
#[derive(Debug, Clone)]
pub(crate) struct Run<'f> {
    pub(crate) ranks: Cow<'f, [u32]>,
    pub(crate) deleted: Cow<'f, [u32]>,
    /// By rank the blob file of its value; empty where values are inline.
    pub(crate) blobs: Cow<'f, [u32]>,
}

/// Merges runs, the newest first, to (keys, those of them that are tombstones). A key's newest entry stays.
pub(crate) fn merge(runs: &[Run<'_>], limits: Limits<'_>) -> Result<(Vec<u32>, Vec<u32>), StopCause> {
    let mut ranks = Cow::Borrowed(&[][..]);
    let mut deleted = Cow::Borrowed(&[][..]);
    for (number, older) in runs.iter().enumerate() {
        if number == 0 {
            (ranks, deleted) = (Cow::Borrowed(&older.ranks[..]), Cow::Borrowed(&older.deleted[..]));
            continue;
        }
        if !older.deleted.is_empty() {
            // A tombstone is over where something newer is.
            let mut gone = copied(&older.deleted, limits)?;
            without(&mut gone, &ranks, limits)?;
            deleted = merge_two(&deleted, &gone, limits)?.into();
        }
        ranks = merge_two(&ranks, &older.ranks, limits)?.into();
    }
    let owned = |entries: Cow<'_, [u32]>| match entries {
        Cow::Borrowed(entries) => copied(entries, limits),
        Cow::Owned(entries) => Ok(entries),
    };
    Ok((owned(ranks)?, owned(deleted)?))
}

/// By merged rank the blob file of its newest entry; `dropped` gets those of older entries. Empty where values are inline.
pub(crate) fn newest_blobs(
    runs: &[Run<'_>],
    ranks: &[u32],
    dropped: &mut Vec<u32>,
    limits: Limits<'_>,
) -> Result<Vec<u32>, StopCause> {
    if runs.iter().all(|run| run.blobs.is_empty()) {
        return Ok(Vec::new());
    }
    let mut blobs = vec![blob::NONE; ranks.len()];
    // The oldest first: what is newer takes the place.
    for run in runs.iter().rev() {
        let mut place = 0;
        for portion in 0..run.ranks.len().div_ceil(BULK_POLL) {
            limits.look()?;
            let portion = portion * BULK_POLL..run.ranks.len().min((portion + 1) * BULK_POLL);
            for (rank, blob) in run.ranks[portion.clone()].iter().zip(&run.blobs[portion]) {
                place += ranks[place..].iter().take_while(|merged| *merged < rank).count();
                let older = std::mem::replace(&mut blobs[place], *blob);
                dropped.extend((older != blob::NONE).then_some(older));
            }
        }
    }
    Ok(blobs)
}

/// Takes those of `ranks` out that are among `others`; both ascend.
pub(crate) fn without(ranks: &mut Vec<u32>, others: &[u32], limits: Limits<'_>) -> Result<(), StopCause> {
    let mut rest = others;
    let (mut kept, mut next) = (0, 0);
    while next < ranks.len() {
        limits.look()?;
        for place in next..ranks.len().min(next + BULK_POLL) {
            let rank = ranks[place];
            // Steps that double: what is looked for lies near where one side is dense, far where it is sparse.
            let mut step = 1;
            while step < rest.len() && rest[step] < rank {
                step *= 2;
            }
            let reach = &rest[..rest.len().min(step + 1)];
            rest = &rest[reach.partition_point(|other| *other < rank)..];
            ranks[kept] = rank;
            kept += usize::from(rest.first() != Some(&rank));
        }
        next += BULK_POLL;
    }
    ranks.truncate(kept);
    Ok(())
}

fn merge_two(a: &[u32], b: &[u32], limits: Limits<'_>) -> Result<Vec<u32>, StopCause> {
    let mut merged = vec![0; a.len() + b.len()];
    let (mut i, mut j, mut n) = (0, 0, 0);
    // Without branches on the data: random keys would mispredict every second one.
    'merging: for portion in merged.chunks_mut(BULK_POLL) {
        limits.look()?;
        for place in portion {
            if i == a.len() || j == b.len() {
                break 'merging;
            }
            let (x, y) = (a[i], b[j]);
            *place = x.min(y);
            i += usize::from(x <= y);
            j += usize::from(y <= x);
            n += 1;
        }
    }
    merged.truncate(n);
    append(&mut merged, &a[i..], limits)?;
    append(&mut merged, &b[j..], limits)?;
    Ok(merged)
}

/// Adds entries, however many there are.
pub(crate) fn append(to: &mut Vec<u32>, entries: &[u32], limits: Limits<'_>) -> Result<(), StopCause> {
    to.reserve_exact(entries.len());
    for portion in entries.chunks(BULK_POLL) {
        limits.look()?;
        to.extend_from_slice(portion);
    }
    Ok(())
}

pub(crate) fn copied(entries: &[u32], limits: Limits<'_>) -> Result<Vec<u32>, StopCause> {
    let mut copy = Vec::new();
    append(&mut copy, entries, limits)?;
    Ok(copy)
}

/// When an output file ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Everything in one file (RocksDB's universal compaction into level 0).
    Never,
    /// At a size.
    Size { bytes: u64 },
    /// RocksDB's leveled compaction: at most `max_bytes`, earlier at a boundary of the grandparents where that saves later work.
    Grandparents { target_bytes: u64, max_bytes: u64, overlap_bytes: u64 },
    /// LevelDB: at a size, or after so many bytes of grandparents.
    LevelDb { bytes: u64, overlap_bytes: u64 },
}

/// Where the output files end, as positions in the merged keys. A file's size is seen in full blocks.
pub(crate) fn cut(ranks: &[u32], layout: &Layout, rule: Cut, grandparents: &[SstFile]) -> Vec<usize> {
    let max_bytes = match rule {
        Cut::Never => u64::MAX,
        Cut::Size { bytes } | Cut::LevelDb { bytes, .. } => bytes,
        Cut::Grandparents { max_bytes, .. } => max_bytes,
    };
    let entries_per_block = layout.entries_per_block as usize;
    let max_entries = match rule {
        Cut::Never => usize::MAX,
        _ => max_bytes.div_ceil(layout.full_block_bytes).max(1) as usize * entries_per_block,
    };
    // Keys at which a grandparent begins, or at which one has ended.
    let boundaries: Vec<(usize, usize, bool)> = grandparents
        .iter()
        .enumerate()
        .flat_map(|(number, file)| {
            let enters = ranks.partition_point(|rank| *rank < file.smallest());
            let leaves = ranks.partition_point(|rank| *rank <= file.largest());
            [(enters, number, true), (leaves, number, false)]
        })
        .collect();
    let mut ends = Vec::new();
    let (mut start, mut next) = (0usize, 0);
    let (mut overlapped, mut switched) = (0, 0);
    let mut inside: Option<usize> = None;
    loop {
        let boundary = boundaries.get(next).map_or(usize::MAX, |boundary| boundary.0);
        let place = boundary.min(start.saturating_add(max_entries));
        if place >= ranks.len() {
            break;
        }
        let (before, mut crossed) = (overlapped, 0);
        while let Some(&(at, number, enters)) = boundaries.get(next).filter(|boundary| boundary.0 == place) {
            inside = enters.then_some(number);
            if at > 0 {
                crossed += 1;
                let counts = enters != matches!(rule, Cut::LevelDb { .. });
                overlapped += if counts { grandparents[number].bytes } else { 0 };
            }
            next += 1;
        }
        switched += crossed;
        let here = inside.map_or(0, |number| grandparents[number].bytes);
        let size = ((place - start) / entries_per_block) as u64 * layout.full_block_bytes;
        let ends_here = place - start >= max_entries
            || match rule {
                Cut::LevelDb { overlap_bytes, .. } => overlapped > overlap_bytes,
                Cut::Grandparents { target_bytes, overlap_bytes, .. } if crossed > 0 => {
                    let skippable = if inside.is_none() { 2 } else { 3 };
                    overlapped + size > overlap_bytes
                        || crossed >= skippable && overlapped - before > target_bytes / 8
                        || size >= target_bytes.div_ceil(100) * (50 + (switched * 5).min(40))
                }
                _ => false,
            };
        if place == 0 {
            // The first key only tells in which grandparent the output begins.
            overlapped = if matches!(rule, Cut::LevelDb { .. }) { 0 } else { here };
            switched = 0;
        } else if ends_here {
            ends.push(place);
            start = place;
            switched = 0;
            overlapped = if matches!(rule, Cut::LevelDb { .. }) { 0 } else { here };
        }
    }
    ends.push(ranks.len());
    ends
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Control;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn the_newest_entry_of_each_key_survives(
            runs in proptest::collection::vec(proptest::collection::btree_map(0u32..40, proptest::bool::weighted(0.2), 0..30), 1..6),
        ) {
            let mut newest = BTreeMap::new();
            for run in runs.iter().rev() {
                newest.extend(run.iter().map(|(rank, gone)| (*rank, *gone)));
            }
            let of = |run: &BTreeMap<u32, bool>| Run {
                ranks: run.keys().copied().collect(),
                deleted: run.iter().filter(|(_, gone)| **gone).map(|(rank, _)| *rank).collect(),
                blobs: Cow::default(),
            };
            let sorted: Vec<Run<'_>> = runs.iter().map(of).collect();
            let control = Control::default();
            let (ranks, deleted) = merge(&sorted, Limits { control: &control, memory_bytes: u64::MAX }).unwrap();
            prop_assert_eq!(ranks, newest.keys().copied().collect::<Vec<_>>());
            let gone: Vec<u32> = newest.iter().filter(|(_, gone)| **gone).map(|(rank, _)| *rank).collect();
            prop_assert_eq!(deleted, gone);
        }
    }
}
