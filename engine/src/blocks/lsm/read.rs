//! Reads: which data blocks a search for a key, or a range, has to read.

use super::{Lsm, bloom, file};

/// What looking a key up found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Memtable,
    /// In a file of this level.
    Level(usize),
    Tombstone,
    Nothing,
}

/// A search of the files for a key.
#[derive(Debug)]
pub(crate) struct Lookup {
    pub(crate) found: Found,
    pub(crate) bloom_negatives: u64,
    pub(crate) bloom_false_positives: u64,
}

impl Lsm {
    /// Searches for a key from the newest data to the oldest; `pages` gets the data blocks that have to be read. A `missing`
    /// key lies just below `rank` and was never written.
    pub(crate) fn get(&mut self, rank: u32, missing: bool, pages: &mut Vec<u32>) -> Lookup {
        let mut lookup = Lookup { found: Found::Nothing, bloom_negatives: 0, bloom_false_positives: 0 };
        if !missing
            && (self.active.contains(rank) || self.sealed.iter_mut().any(|table| table.contains(rank)))
        {
            lookup.found = if self.is_live(rank) { Found::Memtable } else { Found::Tombstone };
            return lookup;
        }
        for (level, files) in self.levels.iter().enumerate() {
            let candidates = match level {
                0 => &files[..],
                _ => &files[file::overlapping(files, rank, rank)],
            };
            for file in candidates {
                let below = if missing { file.smallest() < rank } else { file.smallest() <= rank };
                if !below || file.largest() < rank {
                    continue;
                }
                let position = file.position(rank);
                let here = !missing && file.ranks[position] == rank;
                if !here && file.false_positive < 1.0 {
                    if !bloom::errs(file.id, rank, file.false_positive) {
                        lookup.bloom_negatives += 1;
                        continue;
                    }
                    lookup.bloom_false_positives += 1;
                }
                pages.push(file.page_of(position));
                if here {
                    let gone = file.deleted.binary_search(&rank).is_ok();
                    if let Some(blob) = file.blobs.get(position).filter(|_| !gone) {
                        self.blobs.add_pages(*blob, rank, pages);
                    }
                    lookup.found = if gone { Found::Tombstone } else { Found::Level(level) };
                    return lookup;
                }
            }
        }
        lookup
    }

    /// Up to `rows` live keys from `rank` on: how many, and the last. `pages` gets the data blocks a merging iterator reads on
    /// its way; one that goes on from an earlier range (`resumed`) has read those that end before `rank`.
    pub(crate) fn range(&mut self, rank: u32, rows: u32, resumed: bool, pages: &mut Vec<u32>) -> (u32, u32) {
        let (mut count, mut last) = (0, rank);
        while count < rows {
            let from = if count == 0 { rank } else { last + 1 };
            let Some(next) = self.next_live(from) else { break };
            last = next;
            count += 1;
            if self.blobs.are_used() {
                self.add_value_pages(next, pages);
            }
        }
        // A short range has run to the end of the keys.
        let end = if count < rows { self.encoding.universe } else { last };
        for (level, files) in self.levels.iter().enumerate() {
            let from = if level == 0 { 0 } else { files.partition_point(|file| file.largest() < rank) };
            // An iterator that went on from an earlier range already holds the block it stands in.
            let mut holds = resumed && (level == 0 || from == 0 || files[from - 1].largest() + 1 < rank);
            for file in files[from..].iter().filter(|file| file.largest() >= rank) {
                let first = file.page_of(file.position(rank));
                let held = holds && file.page_of(file.position(rank - 1)) == first;
                pages.extend(first + u32::from(held)..=file.page_of(file.position(end)));
                // Of a deeper level the next file is opened at the end of this one.
                if level > 0 && file.largest() >= end {
                    break;
                }
                holds &= level == 0;
            }
        }
        (count, last)
    }

    /// Adds the pages of a separated value: an iterator that stands on a key reads where its newest entry says.
    fn add_value_pages(&mut self, rank: u32, pages: &mut Vec<u32>) {
        if self.active.contains(rank) || self.sealed.iter_mut().any(|table| table.contains(rank)) {
            return;
        }
        for (level, files) in self.levels.iter().enumerate() {
            let candidates = match level {
                0 => &files[..],
                _ => &files[file::overlapping(files, rank, rank)],
            };
            for file in candidates {
                if let Ok(position) = file.ranks.binary_search(&rank) {
                    return self.blobs.add_pages(file.blobs[position], rank, pages);
                }
            }
        }
    }
}
