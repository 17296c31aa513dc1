//! An index on another column than the key: which of its entries belongs to which row.
//!
//! Entries are numbered: those of the rows first, then one for each change of the column in the run. How their order of arrival
//! relates to the order of their values is stated like that of keys.

use super::rows::RowMap;
use crate::workload::keyspace::KeySpace;

#[derive(Debug)]
pub(crate) struct ColumnIndex {
    pub(crate) tree: u16,
    keys: KeySpace,
    /// Entry of each row, and row of each entry: the same number until the column changes.
    entry_of: RowMap,
    row_of: RowMap,
    next_entry: u32,
}

impl ColumnIndex {
    /// `rows`: rows loaded and inserted; entries beyond them are for changes.
    pub(crate) fn new(tree: u16, keys: KeySpace, rows: u32) -> Self {
        Self { tree, keys, entry_of: RowMap::new(1), row_of: RowMap::new(1), next_entry: rows }
    }

    /// Rank of a row's entry in order of values.
    pub(crate) fn rank_of(&self, record: u32) -> u32 {
        self.keys.rank_of(self.entry_of.page_of(record))
    }

    pub(crate) fn record_of(&self, rank: u32) -> u32 {
        self.row_of.page_of(self.keys.record_of(rank))
    }

    /// The row gets another value: the rank of its new entry. Absent when all changes that were foreseen have happened.
    pub(crate) fn change(&mut self, record: u32) -> Option<u32> {
        if self.next_entry >= self.keys.universe() {
            return None;
        }
        let entry = self.next_entry;
        self.next_entry += 1;
        self.entry_of.set(record, entry);
        self.row_of.set(entry, record);
        Some(self.keys.rank_of(entry))
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        self.entry_of.memory_bytes() + self.row_of.memory_bytes()
    }
}
