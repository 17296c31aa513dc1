//! Bytes by arithmetic: memtable entries, and table files of blocks with delta-encoded keys.
//!
//! Keys are numbers written in decimal, padded to their width, so two neighbours share all but the digits in which they differ.
//! Formats: RocksDB's and LevelDB's block-based tables (restart point every 16 entries, 8 bytes of sequence and type a key).

use crate::plan::LsmFormat;
use crate::prng::mix;

const RESTART_INTERVAL: f64 = 16.0;
/// Sequence number and type behind a key.
const TRAILER_BYTES: u32 = 8;
/// Checksum and type behind a block, and the number of its restart points.
const BLOCK_OVERHEAD_BYTES: f64 = 9.0;
/// Highest tower of a memtable's skip list.
const MAX_HEIGHT: u32 = 12;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Encoding {
    pub(crate) format: LsmFormat,
    pub(crate) key_bytes: u32,
    pub(crate) value_bytes: u32,
    /// Of a value in a table file: itself, or where it lies when values are kept apart.
    pub(crate) stored_bytes: u32,
    pub(crate) block_bytes: u32,
    /// Keys there can be: their number of digits follows.
    pub(crate) universe: u32,
}

/// How the entries of some files lie in blocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    pub(crate) entries_per_block: u32,
    /// Bytes of a full block on the device.
    pub(crate) full_block_bytes: u64,
    entry_bytes: f64,
    index_entry_bytes: f64,
    file_overhead_bytes: u64,
}

impl Layout {
    pub(crate) fn blocks(&self, entries: u64) -> u32 {
        entries.div_ceil(u64::from(self.entries_per_block)) as u32
    }

    /// Bytes of a file of so many entries, without its filter.
    pub(crate) fn file_bytes(&self, entries: u64) -> u64 {
        let blocks = f64::from(self.blocks(entries)) * (BLOCK_OVERHEAD_BYTES + self.index_entry_bytes);
        (entries as f64 * self.entry_bytes + blocks) as u64 + self.file_overhead_bytes
    }
}

fn varint_bytes(value: u32) -> u32 {
    (32 - (value | 1).leading_zeros()).div_ceil(7)
}

impl Encoding {
    /// Bytes of one entry's record in the memtable.
    pub(crate) fn record_bytes(&self, deleted: bool) -> u32 {
        let value = if deleted { 0 } else { self.value_bytes };
        let key = self.key_bytes + TRAILER_BYTES;
        varint_bytes(key) + key + varint_bytes(value) + value
    }

    /// Bytes of the tower of the n-th put in the skip list. Its height has P(h) = ¾ · ¼^(h−1).
    #[inline]
    pub(crate) fn tower_bytes(number: u64) -> u32 {
        8 * (1 + mix(number ^ 0x5851_F42D_4C95_7F2D).trailing_zeros() / 2).min(MAX_HEIGHT)
    }

    /// Layout of `entries` entries, `deleted` of them tombstones, spread over `span` ranks.
    pub(crate) fn layout(&self, entries: u64, deleted: u64, span: u64) -> Layout {
        let entries = entries.max(1);
        let gap = (span as f64 / entries as f64).max(1.0);
        let shared = (f64::from(self.key_bytes) - self.differing_digits(gap)).max(0.0);
        let live = 1.0 - deleted as f64 / entries as f64;
        let value = live * f64::from(self.stored_bytes);
        let key = f64::from(self.key_bytes + TRAILER_BYTES) - shared * (1.0 - 1.0 / RESTART_INTERVAL);
        let lengths = f64::from(2 + varint_bytes(self.stored_bytes));
        let entry_bytes = lengths + key + value + 4.0 / RESTART_INTERVAL;
        let block = f64::from(self.block_bytes);
        // A block ends once it is full; RocksDB also before an entry that would overfill one nine tenths full.
        let fitting = libm::floor(block / entry_bytes);
        let early = self.format == LsmFormat::RocksDb && fitting * entry_bytes > 0.9 * block;
        let entries_per_block = if early { fitting } else { libm::ceil(block / entry_bytes) }.max(1.0);
        Layout {
            entries_per_block: entries_per_block as u32,
            full_block_bytes: (entries_per_block * entry_bytes + BLOCK_OVERHEAD_BYTES) as u64,
            entry_bytes,
            index_entry_bytes: f64::from(self.key_bytes + 10),
            file_overhead_bytes: match self.format {
                // A properties block; LevelDB has none.
                LsmFormat::RocksDb => 1_100,
                LsmFormat::LevelDb => 150,
            },
        }
    }

    /// Digits in which a key differs from the one before it, for gaps that are exponential with mean `gap`: the digit of weight
    /// 10^j (or one above it) changes with probability (g/10^j)(1 − e^(−10^j/g)).
    fn differing_digits(&self, gap: f64) -> f64 {
        let (mut digits, mut weight) = (1.0, 10.0);
        while weight <= f64::from(self.universe) {
            digits += gap / weight * (1.0 - libm::exp(-weight / gap));
            weight *= 10.0;
        }
        digits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_as_long_as_measured_on_rocksdb() {
        let encoding = Encoding {
            format: LsmFormat::RocksDb,
            key_bytes: 16,
            value_bytes: 100,
            stored_bytes: 100,
            block_bytes: 4096,
            universe: 500_000,
        };
        // 35 flushes of 14,011 entries each wrote 56,946,688 bytes.
        let layout = encoding.layout(14_011, 0, 500_000);
        let bytes = 35 * layout.file_bytes(14_011);
        assert!(bytes.abs_diff(56_946_688) < 569_467, "{bytes}");
        assert_eq!(layout.entries_per_block, 35);
        let ascending = encoding.layout(14_011, 0, 14_011).file_bytes(14_011);
        assert!(71 * ascending.abs_diff(114_338_006 / 71) < 1_150_000, "{ascending}");
    }
}
