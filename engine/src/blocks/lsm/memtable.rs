//! The memtable: which keys it holds, and the arena memory that decides when it is full. Every put takes memory, also one of a
//! key it already holds.

use super::encoding::Encoding;
use crate::blocks::bits::Bits;
use crate::plan::LsmFormat;

const LEVELDB_ARENA_BLOCK: u64 = 4096;
const MAX_ARENA_BLOCK: u64 = 1 << 20;

#[derive(Debug)]
pub(crate) struct Memtable {
    /// Ranks in order of arrival, repeated as often as they were put.
    arrived: Vec<u32>,
    present: Bits,
    /// Keys whose newest entry is a tombstone.
    deleted: Vec<u32>,
    arena_bytes: u64,
    /// LevelDB: bytes left in the arena's block.
    block_left: u64,
    limit_bytes: u64,
}

impl Memtable {
    pub(crate) fn new(universe: u32, write_buffer_bytes: u64, format: LsmFormat) -> Self {
        let limit_bytes = match format {
            // RocksDB: no block more when it would exceed the buffer, and the last one three quarters used.
            LsmFormat::RocksDb => {
                let block = (write_buffer_bytes / 8).clamp(1, MAX_ARENA_BLOCK);
                write_buffer_bytes / block * block - block / 4
            }
            LsmFormat::LevelDb => write_buffer_bytes,
        };
        Self {
            arrived: Vec::new(),
            present: Bits::new(universe),
            deleted: Vec::new(),
            arena_bytes: 0,
            block_left: 0,
            limit_bytes,
        }
    }

    #[inline]
    pub(crate) fn put(&mut self, encoding: &Encoding, number: u64, rank: u32, deleted: bool) {
        let (record, tower) = encoding.memtable_bytes(number, deleted);
        match encoding.format {
            LsmFormat::RocksDb => self.arena_bytes += u64::from((record + tower).next_multiple_of(16)),
            LsmFormat::LevelDb => {
                // The node is aligned and holds a pointer to the record besides its tower.
                self.take_from_block(u64::from(record.next_multiple_of(8)));
                self.take_from_block(u64::from(8 + tower));
            }
        }
        self.arrived.push(rank);
        self.present.set(rank);
        if deleted {
            if let Err(place) = self.deleted.binary_search(&rank) {
                self.deleted.insert(place, rank);
            }
        } else if !self.deleted.is_empty() {
            if let Ok(place) = self.deleted.binary_search(&rank) {
                self.deleted.remove(place);
            }
        }
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

    pub(crate) fn is_full(&self) -> bool {
        self.arena_bytes >= self.limit_bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.arrived.is_empty()
    }

    #[inline]
    pub(crate) fn contains(&self, rank: u32) -> bool {
        self.present.get(rank)
    }

    /// Its keys in order, and which of them are tombstones. It stays readable until it is emptied.
    pub(crate) fn take_sorted(&mut self) -> (Vec<u32>, Vec<u32>) {
        let mut ranks = std::mem::take(&mut self.arrived);
        ranks.sort_unstable();
        ranks.dedup();
        (ranks, std::mem::take(&mut self.deleted))
    }

    /// Its keys are in a file: it can be used again.
    pub(crate) fn empty(&mut self, ranks: &[u32]) {
        ranks.iter().for_each(|rank| self.present.clear(*rank));
        self.arena_bytes = 0;
        self.block_left = 0;
    }

    pub(crate) fn arena_bytes(&self) -> u64 {
        self.arena_bytes
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        self.present.memory_bytes() + (self.arrived.capacity() + self.deleted.capacity()) as u64 * 4
    }
}
