//! Bytes of the cells of an SQLite B-tree, from the key of a row alone ("Database File Format", sqlite.org/fileformat2.html).
//!
//! A row's key is its rank + 1, an integer whose bytes grow with it where keys have at most 8 bytes, and a text of fixed length
//! otherwise. A cell is a varint of the payload's bytes, in tables a varint of the rowid, and the payload; what exceeds the
//! local limit lies on overflow pages.

use crate::workload::keyspace::KeySpace;

/// The pointer to a cell, in its page.
pub(super) const POINTER_BYTES: u32 = 2;
const LEAF_HEADER_BYTES: u32 = 8;
const INNER_HEADER_BYTES: u32 = 12;
const CHILD_BYTES: u32 = 4;
/// Number of a page, at the end of a cell that goes on elsewhere, and at the start of an overflow page.
const PAGE_NUMBER_BYTES: u32 = 4;
const LONGEST_INTEGER_KEY_BYTES: u32 = 8;
/// Of the integers that 32 bits number.
const LONGEST_INTEGER_BYTES: u32 = 6;

/// What a tree holds.
#[derive(Debug, Clone)]
pub(crate) enum Structure {
    /// Rows by rowid, in leaves only.
    Table,
    /// Whole rows, in inner pages too.
    WithoutRowid,
    /// Keys and rowids, in inner pages too. Rowids are in order of arrival.
    Index(KeySpace),
}

/// The bytes of every cell of a tree.
#[derive(Debug, Clone)]
pub(crate) struct Cells {
    pub(super) page_bytes: u32,
    structure: Structure,
    key_bytes: u32,
    value_bytes: u32,
}

/// How a payload lies in its cell.
struct Stored {
    payload_bytes: u32,
    local_bytes: u32,
    overflow_pages: u32,
}

impl Cells {
    pub(crate) fn new(page_bytes: u32, structure: Structure, key_bytes: u32, record_bytes: u32) -> Self {
        Self { page_bytes, structure, key_bytes, value_bytes: record_bytes.saturating_sub(key_bytes) }
    }

    /// Whether rows lie in leaves only.
    pub(super) fn leaf_data(&self) -> bool {
        matches!(self.structure, Structure::Table)
    }

    /// Bytes for cells and their pointers.
    pub(super) fn usable_bytes(&self, leaf: bool) -> u32 {
        self.page_bytes - self.header_bytes(leaf)
    }

    pub(super) fn header_bytes(&self, leaf: bool) -> u32 {
        if leaf { LEAF_HEADER_BYTES } else { INNER_HEADER_BYTES }
    }

    /// The leaf cell of a row.
    #[inline]
    pub(super) fn leaf_cell_bytes(&self, rank: u32) -> u32 {
        // No cell is smaller: when freed, it has to hold a free block.
        self.unpadded_cell_bytes(rank).max(4)
    }

    fn unpadded_cell_bytes(&self, rank: u32) -> u32 {
        let stored = self.stored(rank);
        let rowid = if self.leaf_data() { varint_bytes(rowid(rank)) } else { 0 };
        let overflow = if stored.overflow_pages > 0 { PAGE_NUMBER_BYTES } else { 0 };
        varint_bytes(u64::from(stored.payload_bytes)) + rowid + stored.local_bytes + overflow
    }

    /// The cell of an inner page before a child whose rows begin at rank `start`. In a table it holds the rowid of the last row
    /// before them; elsewhere the row of rank `start` itself.
    #[inline]
    pub(super) fn divider_bytes(&self, start: u32) -> u32 {
        CHILD_BYTES
            + match self.structure {
                Structure::Table => varint_bytes(u64::from(start)),
                _ => self.unpadded_cell_bytes(start),
            }
    }

    /// Pages a row needs beside its cell.
    #[inline]
    pub(crate) fn overflow_pages(&self, rank: u32) -> u32 {
        self.stored(rank).overflow_pages
    }

    /// Pages that are enough for any row with a rank below `universe`.
    pub(crate) fn most_overflow_pages(&self, universe: u32) -> u32 {
        // The payload grows with the key; only the rowid of an index entry may be larger than here.
        let most = self.stored_as(self.payload_bytes(universe - 1) + LONGEST_INTEGER_BYTES);
        if most.overflow_pages == 0 { 0 } else { most.overflow_pages + 1 }
    }

    fn stored(&self, rank: u32) -> Stored {
        self.stored_as(self.payload_bytes(rank))
    }

    fn stored_as(&self, payload_bytes: u32) -> Stored {
        let usable = self.page_bytes;
        let least = (usable - 12) * 32 / 255 - 23;
        let most = if self.leaf_data() { usable - 35 } else { (usable - 12) * 64 / 255 - 23 };
        if payload_bytes <= most {
            return Stored { payload_bytes, local_bytes: payload_bytes, overflow_pages: 0 };
        }
        let page = usable - PAGE_NUMBER_BYTES;
        let whole = least + (payload_bytes - least) % page;
        let local_bytes = if whole <= most { whole } else { least };
        Stored { payload_bytes, local_bytes, overflow_pages: (payload_bytes - local_bytes).div_ceil(page) }
    }

    /// A record: a header with a varint of its own length and one for the type of each column, then the columns.
    fn payload_bytes(&self, rank: u32) -> u32 {
        let integer_key = self.key_bytes <= LONGEST_INTEGER_KEY_BYTES;
        let (key_type, key) = match integer_key {
            true => (1, integer_bytes(rowid(rank))),
            false => (varint_bytes(u64::from(self.key_bytes) * 2 + 13), self.key_bytes),
        };
        let value_type = varint_bytes(u64::from(self.value_bytes) * 2 + 12);
        let (types, columns) = match &self.structure {
            // The rowid stands for the key; its column is NULL.
            Structure::Table if integer_key => (1 + value_type, self.value_bytes),
            Structure::Table | Structure::WithoutRowid => (key_type + value_type, key + self.value_bytes),
            Structure::Index(keys) => (key_type + 1, key + integer_bytes(rowid(keys.record_of(rank)))),
        };
        1 + types + columns
    }
}

fn rowid(rank: u32) -> u64 {
    u64::from(rank) + 1
}

/// Seven bits a byte.
#[inline]
fn varint_bytes(value: u64) -> u32 {
    (64 - (value | 1).leading_zeros()).div_ceil(7).min(9)
}

/// Bytes of an integer column: 0 and 1 need none, for their types say all.
#[inline]
fn integer_bytes(value: u64) -> u32 {
    match value {
        0..=1 => 0,
        2..=0x7f => 1,
        0x80..=0x7fff => 2,
        0x8000..=0x7f_ffff => 3,
        0x80_0000..=0x7fff_ffff => 4,
        _ => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(page_bytes: u32, value_bytes: u32) -> Cells {
        Cells::new(page_bytes, Structure::Table, 8, 8 + value_bytes)
    }

    #[test]
    fn cells_have_the_bytes_of_the_file_format() {
        // Payload varint 1, rowid varint 1 to 3, header 4, value 100.
        let cells = table(4096, 100);
        assert_eq!(
            [0, 126, 127, 16_382, 16_383].map(|rank| cells.leaf_cell_bytes(rank)),
            [106, 106, 107, 107, 108]
        );
        assert_eq!([127, 128].map(|start| cells.divider_bytes(start)), [5, 6]);
        let without = Cells::new(4096, Structure::WithoutRowid, 32, 132);
        assert_eq!((without.leaf_cell_bytes(9), without.divider_bytes(9)), (138, 142));
    }

    #[test]
    fn long_payloads_go_on_elsewhere() {
        // usable − 35 bytes stay whole; of 6004 bytes, 1912 stay where 489 is the least and a page takes 4092.
        assert_eq!(table(4096, 4057).overflow_pages(0), 0);
        assert_eq!(table(4096, 4058).overflow_pages(0), 1);
        assert_eq!(table(4096, 6000).leaf_cell_bytes(500), 2 + 2 + 1912 + 4);
        assert_eq!(table(512, 60_000).overflow_pages(0), 118);
    }
}
