//! Carrying out what was put off to the commit, and undoing what an aborted transaction did.

use super::{Change, Write};
use crate::blocks::heap;
use crate::kernel::load::Find;
use crate::kernel::step::{Flow, Step};
use crate::kernel::{Kernel, Storage};

impl Kernel<'_> {
    /// A change that waited for the commit.
    pub(crate) fn apply(&mut self, client: u32, place: u32) -> Flow {
        let Some(all) = &self.transactions else { return Flow::Next };
        let Write { statement, rank, record, table, change, .. } =
            all.txns[client as usize].writes[place as usize];
        match change {
            Change::Insert => self.push_insert(client, table, rank, record),
            Change::Table => self.push(client, Step::Scan { statement, position: 0, loaded: 0 }),
            Change::Update | Change::Delete => {
                self.push(client, Step::ScannedRow { statement, rank });
                // A row that lies in the tree that was searched: its leaf is visited again, to be changed.
                if let Find::Search { tree, fetch: false, .. } = self.statements[usize::from(statement)].find
                {
                    self.push(client, Step::Search { tree, rank, write: true });
                }
            }
        }
        Flow::Next
    }

    /// Undoes a change: on its page, with a log record. New versions of rows just stay behind, dead.
    pub(super) fn undo(&mut self, client: u32, write: Write) {
        let Write { statement: number, table, rank, record, change, .. } = write;
        let storage = self.tables[usize::from(table)].storage;
        self.cpu_ns += self.costs.row_ns;
        match change {
            Change::Insert => {
                if let Some(arriving) = &mut self.tables[usize::from(table)].arriving {
                    arriving.remove(&rank);
                }
                self.push(client, Step::RemoveRow { table, rank, found_in: None });
                if let Some(Storage::Heap(heap)) = storage {
                    let block = &self.heaps[usize::from(heap)];
                    if block.versions.is_none() && block.contains(record) {
                        let (space, page) = (block.space, block.page_of(record));
                        self.push(client, Step::Page { space, page, write: true });
                    }
                }
            }
            Change::Table => {
                let versioned = matches!(storage, Some(Storage::Heap(heap)) if self.heaps[usize::from(heap)].versions.is_some());
                if !versioned {
                    self.push(client, Step::Scan { statement: number, position: 0, loaded: 0 });
                }
            }
            Change::Update => self.undo_update(client, number, table, rank, record),
            // A delete happens at the commit, so it has not happened.
            Change::Delete => {}
        }
    }

    fn undo_update(&mut self, client: u32, number: u16, table: u16, rank: u32, record: u32) {
        match self.tables[usize::from(table)].storage {
            Some(Storage::Heap(heap)) => {
                let block = &self.heaps[usize::from(heap)];
                if block.versions.is_some() || !block.contains(record) {
                    return;
                }
                let (space, page, wal) = (block.space, block.page_of(record), block.wal);
                let bytes = u64::from(block.record_bytes);
                let changed_bytes = self.statements[usize::from(number)].changed_bytes;
                self.log(client, wal, bytes, |kernel| {
                    heap::update::in_place_record(&kernel.heaps[usize::from(heap)], page, changed_bytes)
                });
                self.push(client, Step::Page { space, page, write: true });
            }
            Some(Storage::Tree(tree)) => self.undo_in_tree(client, number, tree, table, rank),
            None => match self.statements[usize::from(number)].find {
                Find::Search { tree, .. } => self.undo_in_tree(client, number, tree, table, rank),
                Find::Lsm { lsm, .. } => {
                    self.push(client, Step::LsmPut { lsm, rank, deleted: false, delayed: false });
                }
                Find::SkipList { list, .. } => self.skip_list_update(client, list),
                Find::Hash { .. } | Find::Scan { .. } | Find::RowId { .. } | Find::Query { .. } => {}
            },
        }
    }

    fn undo_in_tree(&mut self, client: u32, number: u16, tree: u16, table: u16, rank: u32) {
        let wal = self.trees[usize::from(tree)].wal;
        let bytes = u64::from(self.tables[usize::from(table)].record_bytes);
        let changed_bytes = self.statements[usize::from(number)].changed_bytes;
        self.log(client, wal, bytes, |kernel| {
            let leaf = kernel.trees[usize::from(tree)].tree.leaf_of(rank);
            kernel.trees[usize::from(tree)].update_record(leaf, changed_bytes)
        });
        self.push(client, Step::Search { tree, rank, write: true });
    }
}
