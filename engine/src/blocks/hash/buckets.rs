//! The buckets of a hash index and what both methods have in common.

use super::linear::Linear;
use super::{Change, Method, hash_of};
use crate::blocks::bits::Bits;
use crate::blocks::hash::extendible::Extendible;

/// PostgreSQL's entry: an index tuple of 8 bytes, 4 of hash aligned to 8, and a line pointer.
pub(crate) const ENTRY_BYTES: u32 = 20;
const PAGE_OVERHEAD_BYTES: u32 = 24 + 16;

#[derive(Debug, Clone, Default)]
pub(crate) struct Bucket {
    pub(crate) ranks: Vec<u32>,
    /// Overflow pages it goes on in, in order.
    pub(crate) overflow: Vec<u32>,
    /// Bits of the hash that all its entries share (extendible).
    pub(super) depth: u8,
}

#[derive(Debug, Clone)]
enum Growth {
    Linear(Linear),
    Extendible(Extendible),
}

#[derive(Debug, Clone)]
pub(crate) struct Buckets {
    growth: Growth,
    pub(super) buckets: Vec<Bucket>,
    /// Entries that fit a page.
    pub(super) page_entries: u32,
    present: Bits,
    keys: u64,
    /// Overflow pages ever made, and those free again.
    overflow_pages: u32,
    free_overflow: Vec<u32>,
    pub(super) changes: Vec<Change>,
}

/// Entries that fit a page.
pub(crate) fn page_entries(page_size_bytes: u32) -> u32 {
    (page_size_bytes - PAGE_OVERHEAD_BYTES) / ENTRY_BYTES
}

impl Buckets {
    /// An empty index. `expected_keys`: how many a linear one is laid out for.
    pub(crate) fn new(
        method: Method,
        page_size_bytes: u32,
        fill_factor: f64,
        expected_keys: u64,
        universe: u32,
    ) -> Self {
        let growth = match method {
            Method::Linear => Growth::Linear(Linear::new(page_size_bytes, fill_factor, expected_keys)),
            Method::Extendible => Growth::Extendible(Extendible::new(page_size_bytes)),
        };
        let buckets = match &growth {
            Growth::Linear(linear) => linear.buckets(),
            Growth::Extendible(_) => 1,
        };
        Self {
            growth,
            buckets: vec![Bucket::default(); buckets as usize],
            page_entries: page_entries(page_size_bytes),
            present: Bits::new(universe),
            keys: 0,
            overflow_pages: 0,
            free_overflow: Vec::new(),
            changes: Vec::new(),
        }
    }

    pub(crate) fn contains(&self, rank: u32) -> bool {
        self.present.get(rank)
    }

    pub(crate) fn keys(&self) -> u64 {
        self.keys
    }

    /// The bucket of a rank's hash.
    pub(crate) fn bucket_of(&self, rank: u32) -> u32 {
        match &self.growth {
            Growth::Linear(linear) => linear.bucket_of(hash_of(rank)),
            Growth::Extendible(extendible) => extendible.bucket_of(hash_of(rank)),
        }
    }

    pub(crate) fn bucket(&self, bucket: u32) -> &Bucket {
        &self.buckets[bucket as usize]
    }

    /// The page of the directory a search reads first, where there is one.
    pub(crate) fn directory_page_of(&self, rank: u32) -> Option<u32> {
        match &self.growth {
            // PostgreSQL keeps the meta page at hand.
            Growth::Linear(_) => None,
            Growth::Extendible(extendible) => Some(extendible.directory_page_of(hash_of(rank))),
        }
    }

    /// Whether an insert changes a page that counts the entries (PostgreSQL's meta page does).
    pub(crate) fn counts_in_meta_page(&self) -> bool {
        matches!(self.growth, Growth::Linear(_))
    }

    /// What the last insert or removal did to pages, in order.
    pub(crate) fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Adds a rank that is not present.
    pub(crate) fn insert(&mut self, rank: u32) {
        self.changes.clear();
        self.present.set(rank);
        self.keys += 1;
        let mut growth = std::mem::replace(&mut self.growth, Growth::Extendible(Extendible::new(4096)));
        match &mut growth {
            Growth::Linear(linear) => {
                self.put(linear.bucket_of(hash_of(rank)), rank);
                if linear.grows_at(self.keys) {
                    self.split_linear(linear);
                }
            }
            Growth::Extendible(extendible) => self.put_extendible(extendible, rank),
        }
        self.growth = growth;
    }

    /// Removes a rank that is present. Buckets are never joined, and overflow pages stay.
    pub(crate) fn remove(&mut self, rank: u32) {
        self.changes.clear();
        self.present.clear(rank);
        self.keys -= 1;
        let bucket = self.bucket_of(rank) as usize;
        let ranks = &mut self.buckets[bucket].ranks;
        if let Some(place) = ranks.iter().position(|other| *other == rank) {
            ranks.swap_remove(place);
        }
    }

    /// Puts a rank into a bucket, which goes on in an overflow page when its pages are full.
    pub(super) fn put(&mut self, bucket: u32, rank: u32) {
        let state = &mut self.buckets[bucket as usize];
        state.ranks.push(rank);
        let pages = (state.ranks.len() as u32).div_ceil(self.page_entries);
        if pages > 1 + state.overflow.len() as u32 {
            let page = self.free_overflow.pop().unwrap_or_else(|| {
                self.overflow_pages += 1;
                self.overflow_pages - 1
            });
            state.overflow.push(page);
            self.changes.push(Change::Overflow { page });
        }
    }

    /// Gives back overflow pages that a bucket no longer needs.
    pub(super) fn squeeze(&mut self, bucket: u32) {
        let state = &mut self.buckets[bucket as usize];
        let pages = (state.ranks.len() as u32).div_ceil(self.page_entries).max(1);
        self.free_overflow.extend(state.overflow.drain(pages as usize - 1..));
    }

    /// The next bucket in turn splits.
    fn split_linear(&mut self, linear: &mut Linear) {
        let (bucket, new_bucket) = linear.grow();
        let ranks = std::mem::take(&mut self.buckets[bucket as usize].ranks);
        self.buckets.push(Bucket::default());
        let (stays, moves): (Vec<u32>, Vec<u32>) =
            ranks.into_iter().partition(|rank| linear.bucket_of(hash_of(*rank)) == bucket);
        self.changes.push(Change::Split { bucket, new_bucket, moved: moves.len() as u32 });
        self.buckets[bucket as usize].ranks = stays;
        moves.into_iter().for_each(|rank| self.put(new_bucket, rank));
        self.squeeze(bucket);
    }

    /// Bucket pages in use.
    pub(crate) fn bucket_pages(&self) -> u64 {
        self.buckets.len() as u64
    }

    pub(crate) fn overflow_pages(&self) -> u64 {
        u64::from(self.overflow_pages) - self.free_overflow.len() as u64
    }

    /// Pages that were made and are not in use: buckets of the present phase that do not exist yet, and free overflow pages.
    pub(crate) fn unused_pages(&self) -> u64 {
        let buckets = match &self.growth {
            Growth::Linear(linear) => u64::from(linear.allocated_buckets()) - self.bucket_pages(),
            Growth::Extendible(_) => 0,
        };
        buckets + self.free_overflow.len() as u64
    }

    /// Pages that are neither buckets nor overflow pages: the meta page and bitmaps of overflow pages, or the directory.
    pub(crate) fn meta_pages(&self) -> u64 {
        match &self.growth {
            Growth::Linear(linear) => 1 + linear.bitmap_pages(self.overflow_pages),
            Growth::Extendible(extendible) => extendible.directory_pages(),
        }
    }

    pub(crate) fn pages(&self) -> u64 {
        self.bucket_pages() + self.overflow_pages() + self.unused_pages() + self.meta_pages()
    }

    /// Entries of the directory; a linear index has none.
    pub(crate) fn directory_entries(&self) -> Option<u64> {
        match &self.growth {
            Growth::Linear(_) => None,
            Growth::Extendible(extendible) => Some(extendible.entries()),
        }
    }

    /// Part of the bucket and overflow pages that entries fill.
    pub(crate) fn occupancy(&self) -> f64 {
        let pages = self.bucket_pages() + self.overflow_pages();
        self.keys as f64 / (pages * u64::from(self.page_entries)) as f64
    }

    pub(crate) fn memory_for(universe: u32) -> u64 {
        Bits::bytes_for(universe)
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        let directory = match &self.growth {
            Growth::Linear(_) => 0,
            Growth::Extendible(extendible) => extendible.memory_bytes(),
        };
        // Vectors double, so they hold up to twice what is in them.
        self.present.memory_bytes()
            + self.buckets.capacity() as u64 * size_of::<Bucket>() as u64
            + 2 * 4 * (self.keys + u64::from(self.overflow_pages))
            + directory
    }
}
