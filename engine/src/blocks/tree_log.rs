//! What changes of a B+tree are in a log, as PostgreSQL logs them (`nbtxlog.h`), and the room that old entries make first.

use super::tree::Change;
use super::tree_block::TreeBlock;
use super::wal::record::{PageRef, Record};
use crate::kernel::{Kernel, Storage, TableState};

/// Fixed parts of log records.
pub(super) const DELETE_BYTES: u32 = 2;
const INSERT_BYTES: u32 = 2;
const SPLIT_BYTES: u32 = 10;
const NEW_ROOT_BYTES: u32 = 8;
const UPDATE_BYTES: u32 = 14;
/// An entry is logged without its line pointer.
const LINE_POINTER_BYTES: u32 = 4;

impl TreeBlock {
    /// A page of this tree in a log record.
    pub(crate) fn logged(&self, level: u8, page: u32, data_bytes: u32, new: bool) -> PageRef {
        let image_bytes = self.tree.used_bytes(usize::from(level), page);
        PageRef { space: self.first_space + u16::from(level), page, data_bytes, image_bytes, new }
    }

    /// The record of a change of a row on a leaf.
    pub(crate) fn update_record(&self, leaf: u32, changed_bytes: u32) -> Record {
        Record::new(UPDATE_BYTES).page(self.logged(0, leaf, changed_bytes.min(self.tree.item_bytes()), false))
    }

    /// The record of one of the changes that the last insert of `rank` made to pages; `child` is the page that split below.
    fn change_record(&self, change: Change, child: Option<u32>, rank: u32) -> Record {
        let entry_bytes = self.tree.item_bytes().saturating_sub(LINE_POINTER_BYTES);
        match change {
            Change::Split { level, left, right } => {
                let depth = usize::from(level);
                let on_left = level > 0 || self.tree.leaf_of(rank) == left;
                let left_bytes = entry_bytes * (1 + u32::from(on_left));
                let sibling = self.tree.next_page(depth, right);
                let right_items = self.tree.items(depth, right) + u32::from(sibling.is_some());
                let record = Record::new(SPLIT_BYTES)
                    .page(self.logged(level, left, left_bytes, false))
                    .page(self.logged(level, right, right_items * entry_bytes, true));
                sibling.map_or(record, |page| record.page(self.logged(level, page, 0, false)))
            }
            // The root's entries, and those of the tree's first page.
            Change::Grew { level } => {
                Record::new(NEW_ROOT_BYTES).page(self.logged(level, 0, 2 * entry_bytes + 36, true))
            }
            Change::Parent { level, page } => {
                let record = Record::new(INSERT_BYTES).page(self.logged(level, page, entry_bytes, false));
                child.map_or(record, |child| record.page(self.logged(level - 1, child, 0, false)))
            }
            Change::Sibling { level, page } => {
                Record::new(INSERT_BYTES).page(self.logged(level, page, entry_bytes, false))
            }
            Change::Merge { level, left, right } => Record::new(SPLIT_BYTES)
                .page(self.logged(level, left, entry_bytes, false))
                .page(self.logged(level, right, 0, false)),
        }
    }
}

impl Kernel<'_> {
    /// Before an insert: where its leaf is full, entries of rows known to be gone make room.
    pub(super) fn make_room_for(&mut self, client: u32, tree: u16, rank: u32) {
        let horizon = self.horizon.oldest_visible();
        let of_tree = |table: &&TableState| {
            table.indexes.contains(&tree) || table.column_indexes.iter().any(|column| column.tree == tree)
        };
        let storage = self.tables.iter().find(of_tree).and_then(|table| table.storage);
        let Some(Storage::Heap(heap)) = storage else { return };
        let heap = &self.heaps[usize::from(heap)];
        let cleanup = self.trees[usize::from(tree)].tree.make_room_for(rank, heap.pages(), horizon);
        let space = heap.space;
        self.log_cleanup(client, tree, rank, space, cleanup);
    }

    /// Logs the entry of `rank` that the last change added, and what it did to pages.
    pub(crate) fn log_insert(&mut self, client: u32, tree: u16, rank: u32) {
        let number = usize::from(tree);
        let (wal, entry_bytes) = (self.trees[number].wal, self.trees[number].tree.item_bytes());
        let Some(log) = wal else { return };
        let changes = self.trees[number].tree.changes();
        let split = matches!(changes.first(), Some(Change::Split { .. }));
        if !split || !self.wals[usize::from(log)].wants_records() {
            self.log(client, wal, u64::from(entry_bytes), |kernel| {
                let block = &kernel.trees[number];
                let leaf = block.tree.leaf_of(rank);
                Record::new(INSERT_BYTES).page(block.logged(
                    0,
                    leaf,
                    entry_bytes.saturating_sub(LINE_POINTER_BYTES),
                    false,
                ))
            });
            return;
        }
        // A page that splits logs its new entry with the split.
        let mut child = None;
        for place in 0..changes.len() {
            let changes = self.trees[number].tree.changes();
            let (change, next) = (changes[place], changes.get(place + 1));
            let splits = |page: u32| matches!(next, Some(Change::Split { left, .. }) if *left == page);
            if matches!(change, Change::Parent { page, .. } if splits(page)) {
                continue;
            }
            self.log(client, wal, u64::from(entry_bytes), |kernel| {
                kernel.trees[number].change_record(change, child, rank)
            });
            if let Change::Split { left, .. } = change {
                child = Some(left);
            }
        }
    }
}
