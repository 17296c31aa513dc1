//! Versions of rows, as PostgreSQL keeps them in a heap: where an update or an insert puts its tuple, and what pruning and VACUUM
//! give back.
//!
//! - An update stays on its page when there is room (HOT, if no indexed column changes); otherwise its tuple goes to another page,
//!   and every index gets an entry (`heap_update`).
//! - Another page is looked for as `RelationGetBufferForTuple` does: the page of the last insert, then what the free-space map
//!   says, one by one, with the map corrected in passing; then a new page. The fill factor's reserve is kept free.
//! - A visit prunes a page that is full or has less free than a tenth or the reserve, when its garbage is visible to nobody
//!   (`heap_page_prune_opt`).
//!
//! Pages are explicit from their first change on, in chunks; a row needs a bit, and a place of its own once it has moved.

use super::free_space::FreeSpaceMap;
use super::version_page::{Leaves, Pruned, VersionPage};
use super::{LINE_POINTER_BYTES, PAGE_HEADER_BYTES, ROW_HEADER_BYTES};
use crate::blocks::bits::Bits;

const CHUNK: usize = 8;

/// Where a new version went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) page: u32,
    /// The page did not exist before.
    pub(crate) new_page: bool,
    /// The first tuple of its page.
    pub(crate) first: bool,
}

/// What lies on all pages of a heap.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Totals {
    /// Versions that are not the newest of their row and still take up space.
    pub(crate) garbage: u64,
    pub(crate) dead_line_pointers: u64,
    pub(crate) free_bytes: u64,
}

#[derive(Debug)]
pub(crate) struct Versions {
    page_size_bytes: u32,
    /// A tuple with its header, aligned, without its line pointer.
    tuple_bytes: u32,
    /// The fill factor's reserve.
    reserve_bytes: u32,
    max_line_pointers: u32,
    loaded_rows: u32,
    rows_per_page: u32,
    page_count: u32,
    chunks: Vec<Option<Box<[VersionPage; CHUNK]>>>,
    explicit_chunks: u64,
    /// Records whose version is not the one indexes point to.
    heap_only: Bits,
    free_space: FreeSpaceMap,
    target: Option<u32>,
    /// Versions and line pointers of them that VACUUM is there for.
    dead_rows: u64,
    /// Pages that changed since a VACUUM left them without old versions, one bit each. Absent where none is to come.
    changed: Option<Vec<u64>>,
    /// Pages that were looked at for the last new version and had no room.
    pub(crate) tried: Vec<u32>,
}

impl Versions {
    pub(crate) fn new(
        page_size_bytes: u32,
        record_bytes: u32,
        fill_factor: f64,
        rows_per_page: u32,
        loaded_rows: u32,
        universe: u32,
    ) -> Self {
        let mut versions = Self {
            page_size_bytes,
            tuple_bytes: (ROW_HEADER_BYTES + record_bytes).next_multiple_of(8),
            reserve_bytes: super::reserve_bytes(page_size_bytes, fill_factor),
            max_line_pointers: (page_size_bytes - PAGE_HEADER_BYTES)
                / (ROW_HEADER_BYTES + LINE_POINTER_BYTES),
            loaded_rows,
            rows_per_page,
            page_count: loaded_rows.div_ceil(rows_per_page),
            chunks: Vec::new(),
            explicit_chunks: 0,
            heap_only: Bits::new(universe),
            free_space: FreeSpaceMap::new(page_size_bytes),
            target: None,
            dead_rows: 0,
            changed: None,
            tried: Vec::new(),
        };
        // A loaded table has been vacuumed once: its map knows the free space of every page.
        if versions.page_count > 0 {
            let last = versions.page_count - 1;
            versions.free_space.fill(0, last, versions.free_bytes(&VersionPage::of_rows(rows_per_page)));
            versions.free_space.record(last, versions.free_bytes(&versions.page(last)));
        }
        versions
    }

    pub(crate) fn pages(&self) -> u32 {
        self.page_count
    }

    pub(crate) fn page(&self, page: u32) -> VersionPage {
        match self.chunks.get(page as usize / CHUNK) {
            Some(Some(chunk)) => chunk[page as usize % CHUNK],
            _ => self.loaded(page),
        }
    }

    fn loaded(&self, page: u32) -> VersionPage {
        let before = u64::from(page) * u64::from(self.rows_per_page);
        let rows = u64::from(self.loaded_rows).saturating_sub(before).min(u64::from(self.rows_per_page));
        VersionPage::of_rows(rows as u32)
    }

    fn page_mut(&mut self, page: u32) -> &mut VersionPage {
        let index = page as usize / CHUNK;
        if index >= self.chunks.len() {
            self.chunks.resize(index + 1, None);
        }
        if self.chunks[index].is_none() {
            let first = (index * CHUNK) as u32;
            self.explicit_chunks += 1;
            self.chunks[index] =
                Some(Box::new(std::array::from_fn(|offset| self.loaded(first + offset as u32))));
        }
        match &mut self.chunks[index] {
            Some(chunk) => &mut chunk[page as usize % CHUNK],
            None => unreachable!("the chunk was made above"),
        }
    }

    /// Bytes for one more tuple, its line pointer already taken off (`PageGetHeapFreeSpace`).
    fn free_bytes(&self, page: &VersionPage) -> u32 {
        if page.line_pointers() >= self.max_line_pointers && !page.has_free_line_pointer() {
            return 0;
        }
        let used = self.used_bytes(page) + LINE_POINTER_BYTES;
        self.page_size_bytes.saturating_sub(used)
    }

    fn used_bytes(&self, page: &VersionPage) -> u32 {
        PAGE_HEADER_BYTES + page.line_pointers() * LINE_POINTER_BYTES + page.tuples() * self.tuple_bytes
    }

    /// Bytes of a page that are in use: what a full-page image holds.
    pub(crate) fn used_bytes_of(&self, page: u32) -> u32 {
        self.used_bytes(&self.page(page))
    }

    /// A visit of a page: prunes it when that is due.
    pub(crate) fn visit(&mut self, page: u32, horizon: u32) -> Option<Pruned> {
        self.chunks.get(page as usize / CHUNK)?.as_ref()?;
        let wanted = (self.page_size_bytes / 10).max(self.reserve_bytes);
        let state = self.page_mut(page);
        if !state.is_prunable(horizon) {
            return None;
        }
        let state = *state;
        let due = state.is_full() || self.free_bytes(&state) < wanted;
        due.then(|| self.prune_removable(page))
    }

    fn prune_removable(&mut self, page: u32) -> Pruned {
        let pruned = self.page_mut(page).prune();
        self.dead_rows -= u64::from(pruned.redirected);
        pruned
    }

    /// Prunes a page of what no transaction from `horizon` on can see, if there is any.
    pub(crate) fn prune(&mut self, page: u32, horizon: u32) -> Option<Pruned> {
        self.chunks.get(page as usize / CHUNK)?.as_ref()?;
        self.page_mut(page).is_prunable(horizon).then(|| self.prune_removable(page))
    }

    /// Makes dead line pointers of a page usable, at most so many: how many there were.
    pub(crate) fn free_line_pointers(&mut self, page: u32, line_pointers: u32) -> u32 {
        if self.page(page).dead().min(line_pointers) == 0 {
            return 0;
        }
        let freed = self.page_mut(page).vacuum(line_pointers);
        self.dead_rows -= u64::from(freed);
        freed
    }

    /// VACUUM is done with a page: the free-space map learns of its room.
    pub(crate) fn vacuumed(&mut self, page: u32) {
        let state = self.page(page);
        self.free_space.record(page, self.free_bytes(&state));
        if state.garbage() + state.dead() == 0 {
            if let Some(word) = self.changed.as_mut().and_then(|words| words.get_mut(page as usize >> 6)) {
                *word &= !(1 << (page & 63));
            }
        }
    }

    /// From now on it is noted which pages change.
    pub(crate) fn note_changed_pages(&mut self) {
        self.changed = Some(Vec::new());
    }

    fn note_change(&mut self, page: u32) {
        if let Some(words) = &mut self.changed {
            let word = page as usize >> 6;
            if word >= words.len() {
                words.resize(word + 1, 0);
            }
            words[word] |= 1 << (page & 63);
        }
    }

    /// The next page from this one on that changed.
    pub(crate) fn next_changed(&self, page: u32) -> Option<u32> {
        let words = self.changed.as_deref().unwrap_or_default();
        let first = page as usize >> 6;
        let from = words.get(first).map(|word| word & u64::MAX << (page & 63));
        let mut rest = from.into_iter().chain(words.iter().skip(first + 1).copied()).zip(first..);
        let (word, place) = rest.find(|(word, _)| *word != 0)?;
        Some((place as u32) << 6 | word.trailing_zeros())
    }

    /// Versions that are not the newest of their row, and line pointers that are left of such.
    pub(crate) fn dead_rows(&self) -> u64 {
        self.dead_rows
    }

    /// A new version of a record on its own page; false when there is no room, or `hot` does not hold and the row's entries
    /// in indexes change.
    pub(crate) fn update_in_page(&mut self, record: u32, page: u32, hot: bool, transaction: u32) -> bool {
        if self.free_bytes(&self.page(page)) < self.tuple_bytes {
            return false;
        }
        let heap_only = self.heap_only.get(record);
        let state = self.page_mut(page);
        let leaves = if hot { Leaves::Chain { heap_only } } else { Leaves::Nothing { heap_only } };
        state.discard(leaves, transaction);
        state.add_tuple();
        self.dead_rows += 1;
        self.note_change(page);
        if hot {
            self.heap_only.set(record);
        } else {
            self.heap_only.clear(record);
        }
        true
    }

    /// A record leaves its page: it was deleted, or its new version goes elsewhere.
    pub(crate) fn leave(&mut self, record: u32, page: u32, transaction: u32) {
        let heap_only = self.heap_only.get(record);
        self.heap_only.clear(record);
        self.page_mut(page).discard(Leaves::Nothing { heap_only }, transaction);
        self.dead_rows += 1;
        self.note_change(page);
    }

    /// An update found no room on this page, which its next visitor should prune.
    pub(crate) fn set_full(&mut self, page: u32) {
        self.page_mut(page).set_full();
    }

    /// Finds a page for a tuple and puts it there.
    pub(crate) fn place(&mut self) -> Placed {
        self.tried.clear();
        // Most that may be asked for: a page without tuples may still have some line pointers.
        let nearly_empty = self.page_size_bytes
            - (PAGE_HEADER_BYTES + LINE_POINTER_BYTES).next_multiple_of(8)
            - self.max_line_pointers / 8 * LINE_POINTER_BYTES;
        let needed = match self.tuple_bytes + self.reserve_bytes {
            needed if needed > nearly_empty => self.tuple_bytes.max(nearly_empty),
            needed => needed,
        };
        let mut candidate = match self.target {
            Some(page) => Some(page),
            // Where the map knows nothing, the last page is tried once.
            None => self.free_space.search(needed).or(self.page_count.checked_sub(1)),
        };
        while let Some(page) = candidate {
            let free = self.free_bytes(&self.page(page));
            if free >= needed {
                self.target = Some(page);
                let first = self.page(page).tuples() == 0;
                self.page_mut(page).add_tuple();
                self.note_change(page);
                return Placed { page, new_page: false, first };
            }
            self.tried.push(page);
            self.free_space.record(page, free);
            candidate = self.free_space.search(needed);
        }
        let page = self.page_count;
        self.page_count += 1;
        self.page_mut(page).add_tuple();
        self.note_change(page);
        self.target = Some(page);
        Placed { page, new_page: true, first: true }
    }

    /// VACUUM of one page: prunes it, frees its dead line pointers and tells the free-space map.
    pub(crate) fn vacuum(&mut self, page: u32, horizon: u32) -> (Option<Pruned>, u32) {
        let pruned = self.prune(page, horizon);
        let freed = self.free_line_pointers(page, u32::MAX);
        self.vacuumed(page);
        (pruned, freed)
    }

    pub(crate) fn tuple_bytes(&self) -> u32 {
        self.tuple_bytes
    }

    /// Sums over all pages.
    pub(crate) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for page in 0..self.page_count {
            let page = self.page(page);
            totals.garbage += u64::from(page.garbage());
            totals.dead_line_pointers += u64::from(page.dead());
            totals.free_bytes += u64::from(self.free_bytes(&page));
        }
        totals
    }

    pub(crate) fn memory_for(universe: u32) -> u64 {
        Bits::bytes_for(universe)
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        let chunks = self.explicit_chunks * size_of::<[VersionPage; CHUNK]>() as u64;
        self.heap_only.memory_bytes()
            + self.chunks.capacity() as u64 * 8
            + chunks
            + self.free_space.memory_bytes()
            + self.changed.as_ref().map_or(0, Vec::capacity) as u64 * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 54 rows of 120 bytes fill a page of 8 KiB.
    fn versions(loaded: u32) -> Versions {
        Versions::new(8192, 120, 1.0, 55, loaded, 500)
    }

    /// What a page holds by the rules, tuple by tuple.
    #[derive(Debug, Clone, Default)]
    struct Model {
        /// By record: its page, and whether indexes point to an older version of it.
        rows: std::collections::BTreeMap<u32, (u32, bool)>,
        /// By page: transaction, whether a line pointer is free at once, whether it stays dead.
        garbage: std::collections::BTreeMap<u32, Vec<(u32, bool, bool)>>,
        dead: std::collections::BTreeMap<u32, u32>,
    }

    proptest! {
        /// Pages never overflow, and tuples, garbage and dead line pointers are those of a model that follows every version.
        #[test]
        fn pages_hold_what_a_model_holds(
            steps in prop::collection::vec((0u32..10, 0u32..220, any::<bool>(), 0u32..3), 1..400),
        ) {
            let mut versions = versions(200);
            versions.note_changed_pages();
            let mut model = Model::default();
            let mut horizon = 0;
            model.rows.extend((0..200).map(|record| (record, (record / 55, false))));
            for (now, (kind, record, hot, lag)) in steps.into_iter().enumerate() {
                let transaction = now as u32;
                horizon = horizon.max(transaction.saturating_sub(lag));
                let Some((page, chain)) = model.rows.get(&record).copied() else {
                    if kind > 7 {
                        let placed = versions.place();
                        model.rows.insert(record, (placed.page, false));
                    }
                    continue;
                };
                let vacuum = record % 5 == 0;
                let pruned =
                    if vacuum { versions.prune(page, horizon) } else { versions.visit(page, horizon) };
                if pruned.is_some() {
                    let garbage = model.garbage.entry(page).or_default();
                    // Two generations: some garbage may be seen as removable later than it is.
                    let state = versions.page(page);
                    let kept = state.garbage() as usize;
                    prop_assert!(kept >= garbage.iter().filter(|(by, _, _)| *by >= horizon).count());
                    let gone = garbage.len() - kept;
                    let dead = garbage.drain(..gone).filter(|(_, _, dead)| *dead).count();
                    *model.dead.entry(page).or_default() += dead as u32;
                }
                if vacuum {
                    let dead = model.dead.remove(&page).unwrap_or_default();
                    prop_assert_eq!(versions.free_line_pointers(page, dead), dead);
                    versions.vacuumed(page);
                    let unchanged = versions.next_changed(page) != Some(page);
                    prop_assert_eq!(unchanged, versions.page(page).garbage() == 0);
                }
                if kind == 0 {
                    versions.leave(record, page, transaction);
                    model.rows.remove(&record);
                    model.garbage.entry(page).or_default().push((transaction, chain, true));
                } else if versions.update_in_page(record, page, hot, transaction) {
                    model.rows.insert(record, (page, hot));
                    model.garbage.entry(page).or_default().push((transaction, chain, !hot));
                } else {
                    versions.leave(record, page, transaction);
                    let placed = versions.place();
                    prop_assert_ne!(placed.page, page);
                    model.rows.insert(record, (placed.page, false));
                    model.garbage.entry(page).or_default().push((transaction, chain, true));
                }
                for page in 0..versions.pages() {
                    let state = versions.page(page);
                    let live = model.rows.values().filter(|(on, _)| *on == page).count();
                    let garbage = model.garbage.get(&page).map_or(0, Vec::len);
                    prop_assert_eq!(state.tuples() as usize, live + garbage);
                    prop_assert_eq!(state.garbage() as usize, garbage);
                    prop_assert_eq!(state.dead(), model.dead.get(&page).copied().unwrap_or(0));
                    prop_assert!(versions.used_bytes_of(page) <= 8192);
                }
                let totals = versions.totals();
                prop_assert_eq!(versions.dead_rows(), totals.garbage + totals.dead_line_pointers);
            }
        }
    }

    #[test]
    fn deleted_rows_make_room_only_after_vacuum() {
        let mut versions = versions(110);
        (0..10).for_each(|record| versions.leave(record, 0, 1));
        assert!(versions.place().new_page, "the map knows nothing of the deletes");
        versions.vacuum(0, 2);
        versions.target = None;
        assert_eq!(versions.place(), Placed { page: 0, new_page: false, first: false });
    }
}
