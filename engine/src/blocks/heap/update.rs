//! Updates that make new versions: on the row's page, or on another one with new entries in every index.

use serde_json::json;

use super::versions::Placed;
use super::{HOT_UPDATES, HeapBlock, PAGES_ALLOCATED, PAGES_PRUNED, ROWS_UPDATED, VERSIONS_PRUNED};
use crate::blocks::tree::Cleanup;
use crate::blocks::tree_block::{DELETES, OLD_ENTRIES_DELETED, VERSIONS_ADDED};
use crate::blocks::wal::record::Record;
use crate::kernel::step::{Flow, Step};
use crate::kernel::{Kernel, Storage};

/// Fixed parts of log records.
const UPDATE_BYTES: u32 = 14;
const LOCK_BYTES: u32 = 8;
pub(super) const PRUNE_BYTES: u32 = 8;
const ENTRIES_DELETED_BYTES: u32 = 8;
const ENTRIES_MERGED_BYTES: u32 = 2;
/// Lengths of the prefix and suffix that old and new version share.
const SHARED_LENGTHS_BYTES: u32 = 4;

impl HeapBlock {
    /// Places a new version of a record: where, and whether indexes need not know (HOT).
    fn new_version(&mut self, record: u32, page: u32, hot: bool, transaction: u32) -> (Placed, bool) {
        let here = Placed { page, new_page: false, first: false };
        let Some(versions) = &mut self.versions else { return (here, true) };
        versions.tried.clear();
        if versions.update_in_page(record, page, hot, transaction) {
            return (here, hot);
        }
        versions.set_full(page);
        versions.leave(record, page, transaction);
        let placed = versions.place();
        self.rows.set(record, placed.page);
        (placed, false)
    }

    /// Pages and records of rows that are not on the page they were loaded to, in order.
    pub(crate) fn moved_rows(&self) -> Vec<(u32, u32)> {
        let mut moved: Vec<(u32, u32)> = self.rows.moved().map(|(record, page)| (page, record)).collect();
        moved.retain(|(_, record)| self.present.get(*record));
        moved.sort_unstable();
        moved
    }

    /// Records that were loaded to a page and are still on it.
    pub(crate) fn loaded_rows_on(&self, page: u32) -> impl Iterator<Item = u32> + '_ {
        let first = u64::from(page) * u64::from(self.rows_per_page);
        let end = (first + u64::from(self.rows_per_page)).min(u64::from(self.present.len()));
        (first as u32..end as u32)
            .filter(move |record| self.present.get(*record) && self.page_of(*record) == page)
    }
}

/// The record of an update in place, logged as PostgreSQL logs one within a page.
pub(crate) fn in_place_record(heap: &HeapBlock, page: u32, changed_bytes: u32) -> Record {
    let whole = heap.logged_row_bytes();
    let changed_bytes = changed_bytes.min(heap.record_bytes);
    let data_bytes = whole - heap.record_bytes + SHARED_LENGTHS_BYTES + changed_bytes;
    Record::new(UPDATE_BYTES).page(heap.logged(page, data_bytes.min(whole), false))
}

impl Kernel<'_> {
    /// What a visit of a page does to versions that nobody needs. True if it changed the page.
    pub(crate) fn prune_on_visit(&mut self, client: u32, heap: u16, page: u32) -> bool {
        let block = &mut self.heaps[usize::from(heap)];
        let Some(versions) = &mut block.versions else { return false };
        let Some(pruned) = versions.visit(page, self.horizon.oldest_visible()) else { return false };
        let removed = pruned.redirected + pruned.dead;
        block.counters.add(PAGES_PRUNED, 1);
        block.counters.add(VERSIONS_PRUNED, u64::from(removed));
        let (number, wal) = (block.block, block.wal);
        self.cpu_ns += self.costs.row_ns;
        let data_bytes = 4 * pruned.redirected + 2 * (pruned.dead + pruned.unused);
        self.log(client, wal, u64::from(data_bytes), |kernel| {
            Record::new(PRUNE_BYTES).page(kernel.heaps[usize::from(heap)].logged(page, data_bytes, false))
        });
        if self.clients[client as usize].traced {
            self.trace.emit(
                self.now_ns + self.cpu_ns,
                number,
                "page_pruned",
                || json!({"page_id": page, "versions": removed}),
            );
        }
        true
    }

    /// Updates a row by a new version. Its index entry has been visited, its page is visited here.
    pub(crate) fn update_version(&mut self, client: u32, number: u16, heap: u16, rank: u32, record: u32) {
        let statement = self.statements[usize::from(number)];
        let table = &self.tables[usize::from(statement.table)];
        let indexed = !(table.indexes.is_empty()
            && table.column_indexes.is_empty()
            && table.hashes.is_empty()
            && table.skip_lists.is_empty()
            && table.lsms.is_empty());
        // Only an index on another column than the key can hold a column that changes.
        let changes_index = statement.changes_indexed_column && !table.column_indexes.is_empty();
        let transaction = self.clients[client as usize].transaction;
        let old_page = self.heaps[usize::from(heap)].page_of(record);
        self.prune_on_visit(client, heap, old_page);
        let block = &mut self.heaps[usize::from(heap)];
        let (placed, hot) = block.new_version(record, old_page, !changes_index, transaction);
        block.counters.add(ROWS_UPDATED, 1);
        block.counters.add(HOT_UPDATES, u64::from(hot));
        block.expect_hint(old_page);
        block.expect_hint(placed.page);
        let (space, number_of_block, wal) = (block.space, block.block, block.wal);
        let repeated = block.page_requests_per_update - 1;
        let row_bytes = u64::from(block.record_bytes);
        self.hide_page(client, heap, old_page);
        self.hide_page(client, heap, placed.page);
        let moved = placed.page != old_page;
        if moved {
            // The row is locked while another page is looked for.
            self.log(client, wal, 0, |kernel| {
                Record::new(LOCK_BYTES).page(kernel.heaps[usize::from(heap)].logged(old_page, 0, false))
            });
        }
        self.log(client, wal, row_bytes, |kernel| {
            let heap = &kernel.heaps[usize::from(heap)];
            if !moved {
                return in_place_record(heap, old_page, statement.changed_bytes);
            }
            let new = heap.logged(placed.page, heap.logged_row_bytes(), placed.first);
            Record::new(UPDATE_BYTES).page(new).page(heap.logged(old_page, 0, false))
        });
        if self.clients[client as usize].traced {
            let now_ns = self.now_ns + self.cpu_ns;
            self.trace.emit(
                now_ns,
                number_of_block,
                "record_updated",
                || json!({"page_id": placed.page, "record_id": record, "hot": hot, "old_page_id": old_page}),
            );
            if placed.new_page {
                self.trace.emit(
                    now_ns,
                    number_of_block,
                    "page_allocated",
                    || json!({"page_id": placed.page}),
                );
            }
        }
        self.heaps[usize::from(heap)].counters.add(PAGES_ALLOCATED, u64::from(placed.new_page));
        if !hot && indexed {
            self.push(
                client,
                Step::MovedRow { table: statement.table, rank, old_page, changed: changes_index },
            );
        }
        if placed.new_page {
            self.push(client, Step::NewPage { space, page: placed.page });
        } else if moved {
            self.push(client, Step::Page { space, page: placed.page, write: true });
        }
        self.visit_tried_pages(client, heap);
        self.count_repeated_hits(space, repeated);
        if !self.hit(client, space, old_page, true) {
            self.push(client, Step::Page { space, page: old_page, write: true });
        }
    }

    /// Pages that were tried for a new tuple and had no room were read for it.
    pub(crate) fn visit_tried_pages(&mut self, client: u32, heap: u16) {
        let block = &mut self.heaps[usize::from(heap)];
        let Some(versions) = &mut block.versions else { return };
        let space = block.space;
        for page in std::mem::take(&mut versions.tried) {
            self.push(client, Step::Page { space, page, write: false });
        }
    }

    /// A row has a new place that indexes must know: each gets an entry. `changed`: those on other columns have a new value too.
    pub(crate) fn moved_row(
        &mut self,
        client: u32,
        table: u16,
        rank: u32,
        old_page: u32,
        changed: bool,
    ) -> Flow {
        let state = &mut self.tables[usize::from(table)];
        let record = state.keys.record_of(rank);
        let transaction = self.clients[client as usize].transaction;
        let steps = &mut self.clients[client as usize].steps;
        for lsm in &state.lsms {
            steps.push(Step::LsmPut { lsm: *lsm, rank, deleted: false, delayed: false });
        }
        steps.extend(state.skip_lists.iter().map(|list| Step::SkipListMoved { list: *list }));
        // In a hash index the new entry takes the place of the old one, in the same bucket.
        steps.extend(state.hashes.iter().map(|hash| Step::HashVisit { hash: *hash, rank }));
        for column in state.column_indexes.iter_mut().rev() {
            let (tree, old_rank) = (column.tree, column.rank_of(record));
            match if changed { column.change(record) } else { None } {
                Some(rank) => {
                    // An entry that another client has not added yet never will be.
                    let block = &mut self.trees[usize::from(tree)];
                    if block.tree.contains(old_rank) {
                        block.tree.retire(old_rank, old_page, transaction);
                        block.counters.add(DELETES, 1);
                    }
                    steps.push(Step::TreeVersion { table, tree, rank, old_page });
                    steps.push(Step::Search { tree, rank, write: true });
                }
                None => {
                    steps.push(Step::TreeVersion { table, tree, rank: old_rank, old_page });
                    steps.push(Step::Search { tree, rank: old_rank, write: true });
                }
            }
        }
        for tree in state.indexes.iter().rev().copied() {
            steps.push(Step::TreeVersion { table, tree, rank, old_page });
            steps.push(Step::Search { tree, rank, write: true });
        }
        Flow::Next
    }

    /// A row was deleted: its entries stay in the indexes until someone finds out.
    pub(super) fn retire_entries(&mut self, client: u32, table: u16, rank: u32, record: u32, page: u32) {
        let transaction = self.clients[client as usize].transaction;
        let state = &self.tables[usize::from(table)];
        let steps = &mut self.clients[client as usize].steps;
        for lsm in &state.lsms {
            steps.push(Step::LsmPut { lsm: *lsm, rank, deleted: true, delayed: false });
        }
        steps.extend(state.skip_lists.iter().map(|list| Step::SkipListRemove { list: *list, rank }));
        for hash in &state.hashes {
            steps.push(Step::HashRemove { hash: *hash, rank });
            steps.push(Step::HashVisit { hash: *hash, rank });
        }
        let columns = state.column_indexes.iter().map(|column| (column.tree, column.rank_of(record)));
        for (tree, rank) in state.indexes.iter().map(|tree| (*tree, rank)).chain(columns) {
            let block = &mut self.trees[usize::from(tree)];
            if block.tree.contains(rank) {
                block.tree.retire(rank, page, transaction);
                block.counters.add(DELETES, 1);
            }
        }
    }

    /// Old entries of a key that a lookup finds make it visit the rows of old versions.
    pub(crate) fn visit_old_versions(&mut self, client: u32, tree: u16, heap: u16, rank: u32) {
        if self.trees[usize::from(tree)].tree.old_entries() == 0 {
            return;
        }
        let horizon = self.horizon.oldest_visible();
        let mut pages = Vec::new();
        self.trees[usize::from(tree)].tree.look_up_old(rank, horizon, |page| pages.push(page));
        let space = self.heaps[usize::from(heap)].space;
        for page in pages {
            let write = self.prune_on_visit(client, heap, page);
            self.push(client, Step::Page { space, page, write });
        }
    }

    /// Adds the entry of a row's new version to a tree whose leaf has been visited.
    pub(crate) fn tree_version(
        &mut self,
        client: u32,
        table: u16,
        tree: u16,
        rank: u32,
        old_page: u32,
    ) -> Flow {
        let number = usize::from(tree);
        let state = &self.tables[usize::from(table)];
        let Some(Storage::Heap(heap)) = state.storage else { return Flow::Next };
        let column = state.column_indexes.iter().find(|column| column.tree == tree);
        if !self.trees[number].tree.contains(rank) {
            // A new value; or the row was deleted, or changed again, in the meantime.
            let current = column.is_some_and(|column| {
                let record = column.record_of(rank);
                self.heaps[usize::from(heap)].contains(record) && column.rank_of(record) == rank
            });
            return if current { self.tree_insert(client, tree, rank) } else { Flow::Next };
        }
        self.note_index_entry(client, table, tree, rank);
        let state = &self.tables[usize::from(table)];
        let column = state.column_indexes.iter().find(|column| column.tree == tree);
        let heap = &self.heaps[usize::from(heap)];
        let page_of = |rank: u32| {
            heap.page_of(match column {
                Some(column) => column.record_of(rank),
                None => state.keys.record_of(rank),
            })
        };
        let transaction = self.clients[client as usize].transaction;
        let space = heap.space;
        let cleanup = self.trees[number].tree.add_version(
            rank,
            (old_page, page_of(rank)),
            (transaction, self.horizon.oldest_visible()),
            page_of,
        );
        self.trees[number].counters.add(VERSIONS_ADDED, 1);
        self.cpu_ns += self.costs.row_ns;
        let from = self.clients[client as usize].steps.len();
        self.apply_changes(client, tree);
        self.clients[client as usize].steps[from..].reverse();
        self.log_cleanup(client, tree, rank, space, cleanup);
        self.log_insert(client, tree, rank);
        Flow::Next
    }

    /// Logs what making room on a leaf took away, and visits the heap pages it looked at.
    pub(crate) fn log_cleanup(&mut self, client: u32, tree: u16, rank: u32, space: u16, cleanup: Cleanup) {
        let number = usize::from(tree);
        let wal = self.trees[number].wal;
        let leaf_record = |kernel: &Self, main_bytes: u32, data_bytes: u32| {
            let block = &kernel.trees[number];
            Record::new(main_bytes).page(block.logged(0, block.tree.leaf_of(rank), data_bytes, false))
        };
        for entries in &cleanup.deleted {
            self.trees[number].counters.add(OLD_ENTRIES_DELETED, u64::from(*entries));
            let data_bytes = 2 * entries;
            self.log(client, wal, u64::from(data_bytes), |kernel| {
                leaf_record(kernel, ENTRIES_DELETED_BYTES, data_bytes)
            });
        }
        if cleanup.merged > 0 {
            let data_bytes = 4 * cleanup.merged;
            self.log(client, wal, u64::from(data_bytes), |kernel| {
                leaf_record(kernel, ENTRIES_MERGED_BYTES, data_bytes)
            });
        }
        for page in cleanup.heap_pages {
            self.push(client, Step::Page { space, page, write: false });
        }
    }
}
