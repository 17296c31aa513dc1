//! The memtable: which keys it holds, and the arena memory that decides when it is full. Every put takes memory, also one of a
//! key it already holds.
//!
//! A put only appends. Which keys are there is worked out when someone asks, for all puts since the last time at once: a load
//! that never reads pays nothing for it.

use super::encoding::Encoding;
use super::merge::copied;
use super::sort::sort;
use crate::blocks::bits::Bits;
use crate::kernel::budget::{Limits, StopCause};
use crate::plan::LsmFormat;

const LEVELDB_ARENA_BLOCK: u64 = 4096;
const MAX_ARENA_BLOCK: u64 = 1 << 20;

#[derive(Debug)]
pub(crate) struct Memtable {
    /// Ranks in order of arrival, repeated as often as they were put; in key order, each once, while it is being flushed.
    ranks: Vec<u32>,
    /// Positions in `ranks` of tombstones, ascending.
    tombstones: Vec<u32>,
    /// Keys it holds, as far as `indexed` positions of `ranks` go. Allocated when first asked for.
    present: Option<Bits>,
    indexed: usize,
    universe: u32,
    format: LsmFormat,
    /// Bytes of a record with a value, and of a tombstone.
    record_bytes: [u32; 2],
    arena_bytes: u64,
    /// LevelDB: bytes left in the arena's block.
    block_left: u64,
    limit_bytes: u64,
}

impl Memtable {
    pub(crate) fn new(encoding: &Encoding, write_buffer_bytes: u64) -> Self {
        let limit_bytes = match encoding.format {
            // RocksDB: no block more when it would exceed the buffer, and the last one three quarters used.
            LsmFormat::RocksDb => {
                let block = (write_buffer_bytes / 8).clamp(1, MAX_ARENA_BLOCK);
                write_buffer_bytes / block * block - block / 4
            }
            LsmFormat::LevelDb => write_buffer_bytes,
        };
        Self {
            ranks: Vec::new(),
            tombstones: Vec::new(),
            present: None,
            indexed: 0,
            universe: encoding.universe,
            format: encoding.format,
            record_bytes: [encoding.record_bytes(false), encoding.record_bytes(true)],
            arena_bytes: 0,
            block_left: 0,
            limit_bytes,
        }
    }

    /// `number`: of the put, which decides the height of its tower.
    #[inline]
    pub(crate) fn put(&mut self, number: u64, rank: u32, deleted: bool) {
        let (record, tower) = (self.record_bytes[usize::from(deleted)], Encoding::tower_bytes(number));
        match self.format {
            LsmFormat::RocksDb => self.arena_bytes += u64::from((record + tower).next_multiple_of(16)),
            LsmFormat::LevelDb => {
                // The node is aligned and holds a pointer to the record besides its tower.
                self.take_from_block(u64::from(record.next_multiple_of(8)));
                self.take_from_block(u64::from(8 + tower));
            }
        }
        if deleted {
            self.tombstones.push(self.ranks.len() as u32);
        }
        self.ranks.push(rank);
    }

    fn take_from_block(&mut self, bytes: u64) {
        if bytes <= self.block_left {
            self.block_left -= bytes;
        } else if bytes > LEVELDB_ARENA_BLOCK / 4 {
            // A large entry has a block of its own.
            self.arena_bytes += bytes;
        } else {
            self.arena_bytes += LEVELDB_ARENA_BLOCK;
            self.block_left = LEVELDB_ARENA_BLOCK - bytes;
        }
    }

    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.arena_bytes >= self.limit_bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ranks.is_empty()
    }

    /// Puts since it was emptied.
    pub(crate) fn puts(&self) -> usize {
        self.ranks.len()
    }

    /// The puts from a position on, in order of arrival: (rank, tombstone).
    pub(crate) fn puts_from(&self, position: usize) -> impl Iterator<Item = (u32, bool)> + '_ {
        let first = self.tombstones.partition_point(|tombstone| (*tombstone as usize) < position);
        let mut tombstones = self.tombstones[first..].iter().peekable();
        let ranks = self.ranks.iter().enumerate().skip(position);
        ranks.map(move |(at, rank)| {
            (*rank, tombstones.next_if(|tombstone| **tombstone as usize == at).is_some())
        })
    }

    pub(crate) fn contains(&mut self, rank: u32) -> bool {
        self.index().get(rank)
    }

    fn index(&mut self) -> &Bits {
        let universe = self.universe;
        let present = self.present.get_or_insert_with(|| Bits::new(universe));
        self.ranks[self.indexed..].iter().for_each(|rank| present.set(*rank));
        self.indexed = self.ranks.len();
        present
    }

    /// Bytes it takes beside itself to bring its keys in order.
    pub(crate) fn sorting_bytes(&self) -> u64 {
        let key_and_age_bytes = if self.tombstones.is_empty() { 4 } else { 8 };
        self.ranks.len() as u64 * (key_and_age_bytes + 4) + self.tombstones.len() as u64 * 4
    }

    /// Its keys in order, and which of them are tombstones. It stays readable until it is emptied.
    pub(crate) fn take_sorted(
        &mut self,
        scratch: &mut Vec<u32>,
        limits: Limits<'_>,
    ) -> Result<(Vec<u32>, Vec<u32>), StopCause> {
        if self.indexed > 0 {
            // The order of arrival, in which the others were to follow, ends now.
            self.index();
        }
        let mut deleted = Vec::new();
        if self.tombstones.is_empty() {
            sort(&mut self.ranks, scratch, self.universe, limits)?;
            self.ranks.dedup();
        } else {
            // Key and inverted age in one number: sorted, the newest entry of a key comes first.
            let ranks = self.ranks.iter().zip((0..=u32::MAX).rev());
            let mut entries: Vec<u64> =
                ranks.map(|(rank, age)| u64::from(*rank) << 32 | u64::from(age)).collect();
            entries.sort_unstable();
            entries.dedup_by_key(|entry| *entry >> 32);
            let gone = |entry: &u64| self.tombstones.binary_search(&(u32::MAX - *entry as u32)).is_ok();
            deleted.extend(entries.iter().filter(|entry| gone(entry)).map(|entry| (entry >> 32) as u32));
            self.ranks.clear();
            self.ranks.extend(entries.iter().map(|entry| (entry >> 32) as u32));
        }
        self.indexed = self.indexed.min(self.ranks.len());
        Ok((copied(&self.ranks, limits)?, deleted))
    }

    /// Its keys are in a file: it can be used again.
    pub(crate) fn empty(&mut self) {
        if let Some(present) = self.present.as_mut().filter(|_| self.indexed > 0) {
            self.ranks.iter().for_each(|rank| present.clear(*rank));
        }
        self.ranks.clear();
        self.tombstones.clear();
        self.indexed = 0;
        self.arena_bytes = 0;
        self.block_left = 0;
    }

    pub(crate) fn arena_bytes(&self) -> u64 {
        self.arena_bytes
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        self.present.as_ref().map_or(0, Bits::memory_bytes)
            + (self.ranks.capacity() + self.tombstones.capacity()) as u64 * 4
    }
}
