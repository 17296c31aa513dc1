//! A table file: a sorted run of ranks on one level.

use super::encoding::Layout;

/// First step of a search from where a key should be.
const FIRST_STEP: usize = 32;

#[derive(Debug, Clone)]
pub(crate) struct SstFile {
    /// Rises with every file written.
    pub(crate) id: u32,
    /// Its data blocks are pages from here on. Numbers are never used twice, as a block cache's keys are not.
    pub(crate) first_page: u32,
    /// At least one, ascending.
    pub(crate) ranks: Vec<u32>,
    /// Those of them that are tombstones, ascending.
    pub(crate) deleted: Vec<u32>,
    /// By rank the file its value lies in, `blob::NONE` for tombstones; empty where values are inline.
    pub(crate) blobs: Vec<u32>,
    /// An input of a compaction that is running.
    pub(crate) busy: bool,
    /// Written by a flush, and nothing since.
    pub(crate) flushed: bool,
    pub(crate) bytes: u64,
    pub(crate) layout: Layout,
    /// False-positive probability of its filter; 1 without one.
    pub(crate) false_positive: f64,
}

impl SstFile {
    pub(crate) fn smallest(&self) -> u32 {
        self.ranks[0]
    }

    pub(crate) fn largest(&self) -> u32 {
        self.ranks[self.ranks.len() - 1]
    }

    pub(crate) fn overlaps(&self, smallest: u32, largest: u32) -> bool {
        self.smallest() <= largest && smallest <= self.largest()
    }

    /// Position of the first entry that is not below `rank`: where it would be if keys were spread evenly, and from there in
    /// steps that double, because a search that halves the whole file misses the cache at every step.
    pub(crate) fn position(&self, rank: u32) -> usize {
        let ranks = &self.ranks[..];
        let span = u64::from(self.largest() - self.smallest()) + 1;
        let evenly = u64::from(rank.saturating_sub(self.smallest())) * ranks.len() as u64 / span;
        let guess = (evenly as usize).min(ranks.len());
        let mut step = FIRST_STEP;
        if guess < ranks.len() && ranks[guess] < rank {
            let mut low = guess + 1;
            while low + step < ranks.len() && ranks[low + step] < rank {
                low += step + 1;
                step *= 2;
            }
            let high = ranks.len().min(low + step);
            return low + ranks[low..high].partition_point(|other| *other < rank);
        }
        let mut high = guess;
        while high > step && ranks[high - step] >= rank {
            high -= step;
            step *= 2;
        }
        let low = high.saturating_sub(step);
        low + ranks[low..high].partition_point(|other| *other < rank)
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        (self.ranks.capacity() + self.deleted.capacity() + self.blobs.capacity()) as u64 * 4
            + size_of::<Self>() as u64
    }

    /// Page of the entry at a position; that of the last entry beyond it.
    pub(crate) fn page_of(&self, position: usize) -> u32 {
        let position = position.min(self.ranks.len() - 1) as u32;
        self.first_page + position / self.layout.entries_per_block
    }
}

/// Level 0 from the newest file to the oldest; the others in key order, without overlap.
pub(crate) type Levels = Vec<Vec<SstFile>>;

pub(crate) fn bytes(files: &[SstFile]) -> u64 {
    files.iter().map(|file| file.bytes).sum()
}

/// Positions of the files of a level (1 or deeper) that overlap a range.
pub(crate) fn overlapping(files: &[SstFile], smallest: u32, largest: u32) -> std::ops::Range<usize> {
    let from = files.partition_point(|file| file.largest() < smallest);
    let to = files.partition_point(|file| file.smallest() <= largest);
    from..to.max(from)
}

/// The first level below `level` with files in a range: the grandparents of what is written to `level`.
pub(crate) fn grandparents(levels: &Levels, level: usize, smallest: u32, largest: u32) -> &[SstFile] {
    levels
        .iter()
        .skip(level + 1)
        .map(|files| &files[overlapping(files, smallest, largest)])
        .find(|files| !files.is_empty())
        .unwrap_or(&[])
}
