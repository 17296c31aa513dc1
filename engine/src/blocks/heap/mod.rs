//! Heap storage: rows in arrival order. PostgreSQL's page arithmetic: a 24-byte page header, 4 bytes of line pointer and 24 of
//! header for each row, rows aligned to 8 bytes; inserts leave `1 - fill_factor` of the page free, but put at least one row on it.
//!
//! Updates happen in place, and a deleted row's place is free at once: inserts fill such places, the most recent first, before
//! they extend the heap. Or every update makes a new version of its row (`versions.rs`).

mod free_space;
pub(crate) mod update;
pub(crate) mod vacuum;
pub(crate) mod version_page;
pub(crate) mod versions;
pub(crate) mod visibility;

use serde_json::{Value, json};

use super::bits::Bits;
use super::counters::Counters;
use super::rows::RowMap;
use super::wal::record::{PageRef, Record};
use crate::Control;
use crate::kernel::budget::{LOAD_POLL, StopCause};
use crate::kernel::snapshot::listed;
use crate::kernel::step::{Flow, Step};
use crate::kernel::{Kernel, Storage};
use crate::plan::BlockIndex;
use vacuum::Vacuum;
use versions::Versions;
use visibility::VisibilityMap;

pub(crate) const ROWS_READ: usize = 0;
pub(crate) const ROWS_INSERTED: usize = 1;
pub(crate) const ROWS_UPDATED: usize = 2;
pub(crate) const ROWS_DELETED: usize = 3;
pub(crate) const PAGES_ALLOCATED: usize = 4;
pub(crate) const HOT_UPDATES: usize = 5;
pub(crate) const PAGES_PRUNED: usize = 6;
pub(crate) const VERSIONS_PRUNED: usize = 7;

const PAGE_HEADER_BYTES: u32 = 24;
const ROW_HEADER_BYTES: u32 = 24;
const LINE_POINTER_BYTES: u32 = 4;
/// What a log record keeps of a row's header (`xl_heap_header`), before the null bitmap's padding of one byte.
const SHORT_HEADER_BYTES: u32 = 5;

/// Rows that fit a page; absent when not even one does.
pub(crate) fn rows_per_page(page_size_bytes: u32, record_bytes: u32, fill_factor: f64) -> Option<u32> {
    let row_bytes = (ROW_HEADER_BYTES + record_bytes).next_multiple_of(8) + LINE_POINTER_BYTES;
    let usable_bytes = page_size_bytes.checked_sub(PAGE_HEADER_BYTES)?;
    if row_bytes > usable_bytes {
        return None;
    }
    let reserve_bytes = reserve_bytes(page_size_bytes, fill_factor);
    Some((usable_bytes.saturating_sub(reserve_bytes) / row_bytes).max(1))
}

/// What inserts keep free on a page: whole bytes, rounded down. (The small term keeps 0.7 from becoming 0.6999….)
fn reserve_bytes(page_size_bytes: u32, fill_factor: f64) -> u32 {
    (f64::from(page_size_bytes) * (1.0 - fill_factor) + 1e-6) as u32
}

#[derive(Debug)]
pub(crate) struct HeapBlock {
    pub(crate) block: BlockIndex,
    pub(crate) space: u16,
    pub(crate) wal: Option<u16>,
    pub(crate) page_size_bytes: u32,
    pub(crate) record_bytes: u32,
    pub(crate) counters: Counters<8>,
    rows_per_page: u32,
    rows: RowMap,
    present: Bits,
    row_count: u64,
    pages: u32,
    /// Rows on the last page.
    last_page_rows: u32,
    /// Pages with a free place, once for each place.
    holes: Vec<u32>,
    /// Pages with a change that committed since they were visited, one bit each. Absent when visits note nothing.
    unhinted: Option<Vec<u64>>,
    pub(crate) page_requests_per_update: u32,
    /// Absent where rows are updated in place.
    pub(crate) versions: Option<Box<Versions>>,
    /// Absent where versions stay until visits prune them.
    pub(crate) vacuum: Option<Box<Vacuum>>,
    /// Absent where no scan reads it.
    pub(crate) visibility: Option<VisibilityMap>,
}

impl HeapBlock {
    /// A heap with records 0..loaded in place, and room for numbers below `universe`.
    #[allow(clippy::too_many_arguments, reason = "one call, where every value has its own name")]
    pub(crate) fn new(
        block: BlockIndex,
        space: u16,
        wal: Option<u16>,
        page_size_bytes: u32,
        record_bytes: u32,
        rows_per_page: u32,
        loaded: u32,
        universe: u32,
    ) -> Self {
        let mut present = Bits::new(universe);
        present.fill(0, loaded);
        let pages = loaded.div_ceil(rows_per_page);
        Self {
            block,
            space,
            wal,
            page_size_bytes,
            record_bytes,
            counters: Counters::new([
                "rows_read",
                "rows_inserted",
                "rows_updated",
                "rows_deleted",
                "pages_allocated",
                "hot_updates",
                "pages_pruned",
                "versions_pruned",
            ]),
            rows_per_page,
            rows: RowMap::new(rows_per_page),
            present,
            row_count: u64::from(loaded),
            pages,
            last_page_rows: loaded - pages.saturating_sub(1) * rows_per_page,
            holes: Vec::new(),
            unhinted: None,
            page_requests_per_update: 1,
            versions: None,
            vacuum: None,
            visibility: None,
        }
    }

    /// A heap whose updates make new versions.
    pub(crate) fn with_versions(mut self, fill_factor: f64) -> Self {
        self.versions = Some(Box::new(Versions::new(
            self.page_size_bytes,
            self.record_bytes,
            fill_factor,
            self.rows_per_page,
            self.row_count as u32,
            self.present.len(),
        )));
        self
    }

    /// Deletes loaded records, and vacuums.
    pub(crate) fn delete_loaded(
        &mut self,
        deleted: impl Fn(u32) -> bool,
        control: &Control,
    ) -> Result<(), StopCause> {
        // No transaction has begun yet: the number before the first stands for what went before.
        let before = u32::MAX;
        for record in 0..self.row_count as u32 {
            if u64::from(record) % LOAD_POLL == 0 {
                control.check()?;
            }
            if deleted(record) {
                self.remove(record, before);
            }
        }
        if let Some(versions) = &mut self.versions {
            for page in 0..versions.pages() {
                if u64::from(page) % LOAD_POLL == 0 {
                    control.check()?;
                }
                versions.vacuum(page, 0);
            }
        }
        Ok(())
    }

    /// What updates do to a page beside changing a row.
    pub(crate) fn with_updates(self, hint_bits: bool, page_requests_per_update: u32) -> Self {
        Self { unhinted: hint_bits.then(Vec::new), page_requests_per_update, ..self }
    }

    /// A row of this page changes.
    pub(crate) fn expect_hint(&mut self, page: u32) {
        if let Some(words) = &mut self.unhinted {
            let word = (page >> 6) as usize;
            if word >= words.len() {
                words.resize(word + 1, 0);
            }
            words[word] |= 1 << (page & 63);
        }
    }

    /// Whether this visit of a page notes that a change committed, and so changes the page.
    pub(crate) fn take_hint(&mut self, page: u32) -> bool {
        let word = self.unhinted.as_mut().and_then(|words| words.get_mut((page >> 6) as usize));
        word.is_some_and(|word| {
            let expected = *word >> (page & 63) & 1 == 1;
            *word &= !(1 << (page & 63));
            expected
        })
    }

    /// Whether no row that it has a number for is missing.
    #[inline]
    pub(crate) fn is_complete(&self) -> bool {
        self.row_count == u64::from(self.present.len())
    }

    #[inline]
    pub(crate) fn contains(&self, record: u32) -> bool {
        self.is_complete() || self.present.get(record)
    }

    #[inline]
    pub(crate) fn page_of(&self, record: u32) -> u32 {
        self.rows.page_of(record)
    }

    pub(crate) fn pages(&self) -> u32 {
        self.versions.as_ref().map_or(self.pages, |versions| versions.pages())
    }

    /// Rows it holds now.
    pub(crate) fn rows(&self) -> u64 {
        self.row_count
    }

    /// Places for rows on a page that are or were in use: what scanning it goes through.
    pub(crate) fn rows_on(&self, page: u32) -> u32 {
        if let Some(versions) = &self.versions {
            return versions.page(page).tuples();
        }
        if page + 1 == self.pages { self.last_page_rows } else { self.rows_per_page }
    }

    /// Finds a place for a record: its page, and whether the page is new.
    fn insert(&mut self, record: u32) -> (u32, bool) {
        let (page, new) = if let Some(versions) = &mut self.versions {
            let placed = versions.place();
            (placed.page, placed.new_page)
        } else if let Some(page) = self.holes.pop() {
            (page, false)
        } else if self.pages > 0 && self.last_page_rows < self.rows_per_page {
            self.last_page_rows += 1;
            (self.pages - 1, false)
        } else {
            self.pages += 1;
            self.last_page_rows = 1;
            (self.pages - 1, true)
        };
        self.rows.set(record, page);
        self.present.set(record);
        self.row_count += 1;
        (page, new)
    }

    fn remove(&mut self, record: u32, transaction: u32) {
        let page = self.page_of(record);
        match &mut self.versions {
            Some(versions) => versions.leave(record, page, transaction),
            None => self.holes.push(page),
        }
        self.present.clear(record);
        self.row_count -= 1;
    }

    /// Bytes of a page in use: what its full-page image holds.
    pub(crate) fn used_bytes(&self, page: u32) -> u32 {
        if let Some(versions) = &self.versions {
            return versions.used_bytes_of(page);
        }
        let row_bytes = (ROW_HEADER_BYTES + self.record_bytes).next_multiple_of(8) + LINE_POINTER_BYTES;
        PAGE_HEADER_BYTES + self.rows_on(page) * row_bytes
    }

    /// A page of this heap in a log record.
    pub(crate) fn logged(&self, page: u32, data_bytes: u32, new: bool) -> PageRef {
        PageRef { space: self.space, page, data_bytes, image_bytes: self.used_bytes(page), new }
    }

    /// Bytes of a logged tuple: its header in short, and the row behind the fixed part of the header.
    pub(crate) fn logged_row_bytes(&self) -> u32 {
        SHORT_HEADER_BYTES + 1 + self.record_bytes
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        let versions = self.versions.as_ref().map_or(0, |versions| versions.memory_bytes());
        let unhinted = self.unhinted.as_ref().map_or(0, Vec::capacity) as u64 * 8;
        self.present.memory_bytes()
            + self.rows.memory_bytes()
            + self.holes.capacity() as u64 * 4
            + unhinted
            + versions
            + self.visibility.as_ref().map_or(0, VisibilityMap::memory_bytes)
            + self.vacuum.as_ref().map_or(0, |vacuum| vacuum.memory_bytes())
    }

    /// Pages with their rows in use.
    pub(crate) fn state(&self) -> Value {
        let mut state = self.gauges();
        let pages = self.pages();
        if let Some(versions) = &self.versions {
            let versions = |page: u32| {
                let state = versions.page(page);
                json!({
                    "page_id": page,
                    "rows": state.tuples() - state.garbage(),
                    "dead_versions": state.garbage(),
                    "dead_line_pointers": state.dead(),
                    "free_bytes": self.page_size_bytes - self.used_bytes(page),
                })
            };
            listed(&mut state, "page", pages as usize, (0..pages).map(versions));
            return state;
        }
        let rows = |page: u32| {
            let holes = self.holes.iter().filter(|hole| **hole == page).count();
            json!({"page_id": page, "rows": self.rows_on(page) as usize - holes, "free_places": holes})
        };
        listed(&mut state, "page", pages as usize, (0..pages).map(rows));
        state
    }

    pub(crate) fn gauges(&self) -> Value {
        let mut gauges = json!({
            "pages": self.pages(),
            "rows": self.row_count,
            "rows_per_page": self.rows_per_page,
            "free_places": self.holes.len(),
        });
        if let Some(versions) = &self.versions {
            let totals = versions.totals();
            gauges["free_places"] = json!(totals.free_bytes / u64::from(versions.tuple_bytes()));
            gauges["dead_versions"] = json!(totals.garbage);
            gauges["dead_line_pointers"] = json!(totals.dead_line_pointers);
            gauges["free_fraction"] = json!(
                totals.free_bytes as f64 / (f64::from(self.pages().max(1)) * f64::from(self.page_size_bytes))
            );
        }
        gauges
    }
}

impl Kernel<'_> {
    /// A row of a page changes: the visibility map learns of it.
    pub(crate) fn hide_page(&mut self, client: u32, heap: u16, page: u32) {
        let Some(map) = &mut self.heaps[usize::from(heap)].visibility else { return };
        if map.clear(page) {
            let (space, page) = (map.space, map.page_for(page));
            self.push(client, Step::Page { space, page, write: true });
        }
    }

    /// Puts a row where there is room for it.
    pub(crate) fn insert_row(&mut self, client: u32, table: u16, record: u32) -> Flow {
        let state = &self.tables[usize::from(table)];
        let row_bytes = u64::from(state.record_bytes);
        let heap = match state.storage {
            Some(Storage::Heap(heap)) => usize::from(heap),
            // A clustered row comes with its tree; without a storage the indexes are the table.
            _ => return Flow::Next,
        };
        let (page, new) = self.heaps[heap].insert(record);
        self.hide_page(client, heap as u16, page);
        self.visit_tried_pages(client, heap as u16);
        let (space, block, wal) = (self.heaps[heap].space, self.heaps[heap].block, self.heaps[heap].wal);
        self.heaps[heap].counters.add(ROWS_INSERTED, 1);
        self.cpu_ns += self.costs.row_ns;
        self.log(client, wal, row_bytes, |kernel| {
            let heap = &kernel.heaps[heap];
            Record::new(3).page(heap.logged(page, heap.logged_row_bytes(), new))
        });
        if self.clients[client as usize].traced {
            if new {
                self.trace.emit(
                    self.now_ns + self.cpu_ns,
                    block,
                    "page_allocated",
                    || json!({"page_id": page}),
                );
            }
            self.trace.emit(
                self.now_ns + self.cpu_ns,
                block,
                "record_inserted",
                || json!({"page_id": page, "record_id": record}),
            );
        }
        if new {
            self.heaps[heap].counters.add(PAGES_ALLOCATED, 1);
            self.push(client, Step::NewPage { space, page });
        } else if !self.hit(client, space, page, true) {
            self.push(client, Step::Page { space, page, write: true });
        }
        Flow::Next
    }

    /// Takes a row out: its page has been visited by whoever found it.
    pub(crate) fn remove_row(&mut self, client: u32, table: u16, rank: u32, found_in: Option<u16>) -> Flow {
        let state = &self.tables[usize::from(table)];
        let record = state.keys.record_of(rank);
        let in_tree = |tree: u16| self.trees[usize::from(tree)].tree.contains(rank);
        // Two deletes of one row can overlap; the second finds nothing left to do.
        let exists = match state.storage {
            Some(Storage::Heap(heap)) => self.heaps[usize::from(heap)].contains(record),
            Some(Storage::Tree(tree)) => in_tree(tree),
            None => {
                state.indexes.iter().any(|index| in_tree(*index))
                    || state.hashes.iter().any(|hash| self.hashes[usize::from(*hash)].buckets.contains(rank))
                    || state
                        .skip_lists
                        .iter()
                        .any(|list| self.skip_lists[usize::from(*list)].list.contains(rank))
                    || state.lsms.iter().any(|lsm| self.lsms[usize::from(*lsm)].lsm.is_live(rank))
            }
        };
        let blind = state.storage.is_none()
            && state.indexes.is_empty()
            && state.hashes.is_empty()
            && state.skip_lists.is_empty();
        if !exists && blind {
            // A blind delete writes its tombstones without knowing that there is nothing to delete.
            self.remove_from_trees(client, table, rank, found_in);
            return Flow::Next;
        }
        if !exists {
            return Flow::Next;
        }
        if let Some(Storage::Heap(heap)) = state.storage {
            let transaction = self.clients[client as usize].transaction;
            let block = &mut self.heaps[usize::from(heap)];
            let page = block.page_of(record);
            block.remove(record, transaction);
            block.counters.add(ROWS_DELETED, 1);
            let (number, wal) = (block.block, block.wal);
            self.hide_page(client, heap, page);
            self.log(client, wal, 0, |kernel| {
                Record::new(8).page(kernel.heaps[usize::from(heap)].logged(page, 0, false))
            });
            if self.clients[client as usize].traced {
                self.trace.emit(
                    self.now_ns + self.cpu_ns,
                    number,
                    "record_deleted",
                    || json!({"page_id": page, "record_id": record}),
                );
            }
            if self.heaps[usize::from(heap)].versions.is_some() {
                self.retire_entries(client, table, rank, record, page);
                return Flow::Next;
            }
        }
        self.remove_from_trees(client, table, rank, found_in);
        Flow::Next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_row_that_exceeds_the_page_is_refused() {
        assert_eq!(rows_per_page(8192, 9000, 1.0), None);
        assert_eq!(rows_per_page(8192, 8000, 0.5), Some(1));
        assert_eq!(rows_per_page(8192, 120, 1.0), Some(55));
    }

    proptest! {
        /// Every row has one page with room for it, whatever was inserted and deleted in between, in any order of numbers.
        #[test]
        fn pages_never_overflow(
            loaded in 0u32..60,
            steps in prop::collection::vec((any::<bool>(), 0u32..200), 0..300),
        ) {
            let per_page = 4;
            let mut heap = HeapBlock::new(0, 0, None, 8192, 100, per_page, loaded, 200);
            let mut model: BTreeMap<u32, u32> = (0..loaded).map(|record| (record, record / per_page)).collect();
            for (insert, record) in steps {
                if insert && !model.contains_key(&record) {
                    let (page, _) = heap.insert(record);
                    model.insert(record, page);
                } else if !insert && model.remove(&record).is_some() {
                    heap.remove(record, 0);
                }
                let mut used = BTreeMap::new();
                for (record, page) in &model {
                    prop_assert_eq!(heap.page_of(*record), *page);
                    *used.entry(*page).or_insert(0u32) += 1;
                }
                prop_assert!(used.values().all(|rows| *rows <= per_page));
                prop_assert!(used.keys().all(|page| *page < heap.pages()));
                prop_assert_eq!(heap.row_count, model.len() as u64);
                prop_assert!((0..200).all(|record| heap.contains(record) == model.contains_key(&record)));
            }
        }
    }
}
