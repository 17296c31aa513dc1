//! The directory of an extendible hash index.

use super::buckets::Buckets;
use super::{Change, hash_of};

/// A directory never has more bits: keys whose hashes share all of them go on in overflow pages.
const MAX_DEPTH: u8 = 26;
const DIRECTORY_ENTRY_BYTES: u32 = 4;

#[derive(Debug, Clone)]
pub(super) struct Extendible {
    /// Bucket by the low bits of the hash.
    directory: Vec<u32>,
    depth: u8,
    entries_per_page: u32,
}

impl Extendible {
    pub(super) fn new(page_size_bytes: u32) -> Self {
        Self { directory: vec![0], depth: 0, entries_per_page: page_size_bytes / DIRECTORY_ENTRY_BYTES }
    }

    fn entry_of(&self, hash: u32) -> u32 {
        hash & ((1 << self.depth) - 1)
    }

    pub(super) fn bucket_of(&self, hash: u32) -> u32 {
        self.directory[self.entry_of(hash) as usize]
    }

    pub(super) fn directory_page_of(&self, hash: u32) -> u32 {
        self.entry_of(hash) / self.entries_per_page
    }

    pub(super) fn directory_pages(&self) -> u64 {
        (self.directory.len() as u64).div_ceil(u64::from(self.entries_per_page))
    }

    pub(super) fn entries(&self) -> u64 {
        self.directory.len() as u64
    }

    pub(super) fn memory_bytes(&self) -> u64 {
        self.directory.capacity() as u64 * 4
    }
}

impl Buckets {
    /// Puts a rank into its bucket; splits buckets until it fits one page.
    pub(super) fn put_extendible(&mut self, extendible: &mut Extendible, rank: u32) {
        loop {
            let bucket = extendible.bucket_of(hash_of(rank));
            let state = &self.buckets[bucket as usize];
            if (state.ranks.len() as u32) < self.page_entries || state.depth >= MAX_DEPTH {
                self.put(bucket, rank);
                return;
            }
            self.split_extendible(extendible, bucket);
        }
    }

    fn split_extendible(&mut self, extendible: &mut Extendible, bucket: u32) {
        let state = &mut self.buckets[bucket as usize];
        if state.depth == extendible.depth {
            extendible.directory.extend_from_within(..);
            extendible.depth += 1;
            self.changes.push(Change::Doubled);
        }
        let bit = 1 << state.depth;
        let depth = state.depth + 1;
        state.depth = depth;
        let ranks = std::mem::take(&mut state.ranks);
        let new_bucket = self.buckets.len() as u32;
        let (moves, stays): (Vec<u32>, Vec<u32>) =
            ranks.into_iter().partition(|rank| hash_of(*rank) & bit != 0);
        self.changes.push(Change::Split { bucket, new_bucket, moved: moves.len() as u32 });
        // Every 2^depth-th entry of the directory leads to the new bucket.
        let first = moves.first().or(stays.first()).map_or(0, |rank| hash_of(*rank) & (bit - 1)) | bit;
        let step = 1usize << depth;
        for entry in (first as usize..extendible.directory.len()).step_by(step) {
            extendible.directory[entry] = new_bucket;
        }
        self.buckets[bucket as usize].ranks = stays;
        self.buckets.push(super::Bucket { ranks: moves, overflow: Vec::new(), depth });
    }
}
