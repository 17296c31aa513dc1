//! InnoDB's pages (`btr0cur.cc`, `btr0btr.cc`, `page0page.ic`, `page0cur.cc` of MariaDB 10.11).
//!
//! ```text
//! free for records   page − 132: headers and trailer 128, directory slots of infimum and supremum 4
//! n records          n · (5 header + data) and a directory slot of 2 bytes for every four: ⌈2n / 4⌉
//! clustered data     row, transaction id 6, roll pointer 7     secondary data   key, primary key
//! node pointer       5 header, key (secondary: and primary key), page number 4
//! ```
//!
//! A page remembers where its last insert went. An insert next to it (just above or just below) is taken for one of a run:
//! the page then splits at the insert point instead of in the middle, and a clustered leaf does so as soon as less than its
//! reserve, 1/16 of a page, would stay free. That packs ordered keys to 15/16, and costs random ones pages: an insert is next
//! to the last one by chance, too.
//!
//! A record that moved or was deleted leaves garbage. Records come into its places first; only reorganisation gives the
//! space back as a whole. So a page with garbage splits when less than 1/32 of a page would be free after reorganising it.
//!
//! An insert behind the last record of a full page goes to the page on the right where that has space.
//!
//! Not modelled: records of different sizes on one page; siblings with another parent neither take an insert nor merge; a
//! deleted record that lay at the top of a page's heap becomes garbage like any other.

use super::level::{NONE, Node};
use super::shape::PageShape;
use super::{Change, Tree, TreeShape};

/// Headers, trailer, infimum and supremum, and the directory slots of the last two.
const PAGE_OVERHEAD_BYTES: u32 = 132;
/// Of which the directory slots of infimum and supremum are counted as slots.
const PAGE_FRAME_BYTES: u32 = 128;
const RECORD_HEADER_BYTES: u32 = 5;
/// Transaction id and roll pointer of a clustered record.
const VERSION_BYTES: u32 = 13;
const PAGE_NUMBER_BYTES: u32 = 4;

/// What a tree of InnoDB pages goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rules {
    page_bytes: u32,
    /// Kept free on a leaf that is filled in order; 0: nothing.
    reserve_bytes: u32,
    /// Whether runs of inserts split at the insert point.
    run_splits: bool,
}

/// What a page remembers beyond its records. Nothing of it is known of a page that bulk loading made.
#[derive(Debug, Clone, Copy, Default)]
struct History {
    /// Places of records that moved or were deleted.
    garbage: u32,
    /// 1 + rank, or page number, of the record inserted last; 0 when something else happened since.
    last: u32,
}

impl History {
    /// A record came into a place that was free, or to the top of the heap.
    fn inserted(&mut self, record: u32) {
        *self = Self { garbage: self.garbage.saturating_sub(1), last: record };
    }
}

/// The histories of all pages, by level.
#[derive(Debug, Clone, Default)]
pub(crate) struct Histories(Vec<Vec<History>>);

impl Histories {
    fn of(&mut self, level: usize, page: u32) -> &mut History {
        if self.0.len() <= level {
            self.0.resize_with(level + 1, Vec::new);
        }
        let pages = &mut self.0[level];
        if pages.len() <= page as usize {
            pages.resize(page as usize + 1, History::default());
        }
        &mut pages[page as usize]
    }

    pub(super) fn memory_bytes(&self) -> u64 {
        self.0.iter().map(|pages| (pages.capacity() * size_of::<History>()) as u64).sum()
    }
}

/// Where a page splits.
struct SplitPoint {
    /// Records of the left page, the new one included.
    left: u32,
    /// Records that moved: they leave garbage on the page they were on.
    moved: u32,
    /// Whether the lower records moved, to a new page on the left.
    down: bool,
    /// Whether the new record is on the left page.
    new_left: bool,
}

/// Bytes of the directory of a page with this many records.
fn directory_bytes(records: u32) -> u32 {
    (2 * records).div_ceil(4)
}

impl Rules {
    fn usable_bytes(&self) -> u32 {
        self.page_bytes - PAGE_OVERHEAD_BYTES
    }

    /// Bytes free beside records in `places`, for one more with its share of the directory.
    fn free_bytes(&self, places: u32, record_bytes: u32) -> u32 {
        self.usable_bytes().saturating_sub(places * record_bytes + directory_bytes(places + 1))
    }

    /// Whether a page has to split before it takes another record.
    fn is_full(&self, records: u32, garbage: u32, record_bytes: u32) -> bool {
        let free = self.free_bytes(records, record_bytes);
        free < record_bytes
            || garbage > 0
                && records > 1
                && free < self.page_bytes / 32
                && self.free_bytes(records + garbage, record_bytes) < record_bytes
    }

    /// Bytes in use over those of the pages.
    pub(super) fn density(&self, records: u64, pages: u64, record_bytes: u32) -> f64 {
        // A directory slot owns four to eight records; runs leave four.
        let slots = (records + pages) / 4 + pages;
        let used = records * u64::from(record_bytes) + 2 * slots + pages * u64::from(PAGE_FRAME_BYTES);
        used as f64 / (pages * u64::from(self.page_bytes)) as f64
    }
}

impl TreeShape {
    /// A clustered index with rows of `row_bytes`. Bulk loading, and runs of inserts, leave a leaf full to `fill_factor`.
    /// Absent when fewer than two rows or three node pointers fit a page.
    pub(crate) fn innodb_clustered(
        page_size_bytes: u32,
        row_bytes: u32,
        key_bytes: u32,
        fill_factor: f64,
        run_splits: bool,
        merge_threshold: f64,
    ) -> Option<Self> {
        let reserve = reserve_bytes(page_size_bytes, fill_factor);
        let rules = Rules { page_bytes: page_size_bytes, reserve_bytes: reserve, run_splits };
        let leaf = RECORD_HEADER_BYTES.checked_add(row_bytes)?.checked_add(VERSION_BYTES)?;
        let inner = key_bytes.checked_add(RECORD_HEADER_BYTES + PAGE_NUMBER_BYTES)?;
        Self::innodb(rules, leaf, inner, reserve, merge_threshold)
    }

    /// A secondary index of a clustered table: entries are a key and a primary key. Only bulk loading leaves space free.
    pub(crate) fn innodb_secondary(
        page_size_bytes: u32,
        key_bytes: u32,
        primary_key_bytes: u32,
        fill_factor: f64,
        run_splits: bool,
        merge_threshold: f64,
    ) -> Option<Self> {
        let rules = Rules { page_bytes: page_size_bytes, reserve_bytes: 0, run_splits };
        let leaf = RECORD_HEADER_BYTES.checked_add(key_bytes)?.checked_add(primary_key_bytes)?;
        let inner = leaf.checked_add(PAGE_NUMBER_BYTES)?;
        Self::innodb(rules, leaf, inner, reserve_bytes(page_size_bytes, fill_factor), merge_threshold)
    }

    fn innodb(
        rules: Rules,
        leaf_bytes: u32,
        inner_bytes: u32,
        bulk_reserve_bytes: u32,
        merge_threshold: f64,
    ) -> Option<Self> {
        let usable = rules.usable_bytes();
        let most = |record_bytes: u32, bytes: u32| {
            let mut records = bytes / record_bytes;
            while records * record_bytes + directory_bytes(records) > bytes {
                records -= 1;
            }
            records
        };
        let page = |record_bytes: u32, least: u32| {
            let capacity = most(record_bytes, usable);
            // Bulk loading puts two records on a page whatever stays free.
            let bulk = most(record_bytes, usable.saturating_sub(bulk_reserve_bytes)).max(2);
            let mut shape =
                PageShape::plain(rules.page_bytes, capacity * record_bytes, record_bytes, record_bytes);
            shape.bulk_items = bulk;
            (capacity >= least).then_some(shape)
        };
        let (leaf, inner) = (page(leaf_bytes, 2)?, page(inner_bytes, 3)?);
        Some(Self { leaf, inner, merge_threshold, innodb: Some(rules), sqlite: None, lmdb: false })
    }
}

fn reserve_bytes(page_size_bytes: u32, fill_factor: f64) -> u32 {
    (f64::from(page_size_bytes) * (1.0 - fill_factor) + 0.5) as u32
}

impl SplitPoint {
    /// In half: `place` of the `records` there are lie below the new one.
    fn middle(place: u32, records: u32) -> Self {
        let at = records / 2;
        Self { left: at + u32::from(place <= at), moved: records - at, down: false, new_left: place <= at }
    }

    /// Above the last insert: the new record begins the right page, or ends the left one but for the record after it.
    fn run_up(place: u32, records: u32) -> Self {
        if place + 1 >= records {
            return Self { left: place, moved: records - place, down: false, new_left: false };
        }
        Self { left: place + 2, moved: records - place - 1, down: false, new_left: true }
    }

    /// Below the last insert: the record before the new one goes with it, unless that leaves nothing for the left page.
    fn run_down(place: u32) -> Self {
        let at = if place < 2 { place } else { place - 1 };
        Self { left: at + u32::from(place <= at), moved: at, down: true, new_left: place <= at }
    }
}

impl Tree {
    /// Adds a rank that is not present to its leaf, or to the next one.
    pub(super) fn insert_innodb(&mut self, rules: &Rules, leaf: u32, rank: u32) {
        let record_bytes = self.shape.leaf.item_bytes;
        let node = self.levels[0].get(leaf);
        let history = *self.histories.of(0, leaf);
        let reserved = rules.reserve_bytes > 0
            && node.count >= 2
            && rules.free_bytes(node.count, record_bytes) < rules.reserve_bytes + record_bytes
            && (self.follows_last(rules, history, rank) || self.precedes_last(rules, history, rank));
        if !reserved && !rules.is_full(node.count, history.garbage, record_bytes) {
            return self.put_innodb(leaf, rank);
        }
        if self.directory.leaves.is_empty() {
            self.make_directory();
        }
        if let Some(right) = self.right_with_space(rules, node, rank) {
            self.levels[0].get_mut(right).start = rank;
            self.direct_to(rank, right);
            self.changes.push(Change::Sibling { level: 0, page: right });
            self.changes.push(Change::Parent { level: 1, page: node.parent });
            *self.histories.of(1, node.parent) =
                History { last: right + 1, ..*self.histories.of(1, node.parent) };
            return self.put_innodb(right, rank);
        }
        let place = self.present.count(node.start, rank);
        // The records of a root move to a new page as they are, and that one splits: it has no history.
        let point = if node.parent != NONE && self.follows_last(rules, history, rank) {
            SplitPoint::run_up(place, node.count)
        } else if node.parent != NONE && self.precedes_last(rules, history, rank) {
            SplitPoint::run_down(place)
        } else {
            SplitPoint::middle(place, node.count)
        };
        self.put_innodb(leaf, rank);
        *self.histories.of(0, leaf) = if node.parent == NONE { History::default() } else { history };
        self.split_innodb(0, leaf, &point, rank + 1);
    }

    /// Writes a record into a leaf that has room for it.
    fn put_innodb(&mut self, leaf: u32, rank: u32) {
        self.extend_directory(rank);
        self.present.set(rank);
        self.keys += 1;
        self.levels[0].get_mut(leaf).count += 1;
        self.histories.of(0, leaf).inserted(rank + 1);
    }

    /// Whether a new record comes right above the one inserted last.
    fn follows_last(&self, rules: &Rules, history: History, rank: u32) -> bool {
        let above = history.last;
        rules.run_splits
            && above != 0
            && above <= rank
            && self.present.next(above).is_none_or(|next| next > rank)
    }

    /// Whether a new record comes right below the one inserted last.
    fn precedes_last(&self, rules: &Rules, history: History, rank: u32) -> bool {
        rules.run_splits && history.last > rank && self.present.next(rank) == Some(history.last - 1)
    }

    /// The next leaf, where the new record lies behind all of its own leaf and fits there.
    fn right_with_space(&self, rules: &Rules, node: Node, rank: u32) -> Option<u32> {
        let right = self.sibling_right(0, node)?;
        let next = self.levels[0].get(right);
        let last = self.present.next(rank).is_none_or(|after| after >= next.start);
        let record_bytes = self.shape.leaf.item_bytes;
        (last && rules.free_bytes(next.count, record_bytes) >= record_bytes).then_some(right)
    }

    /// Gives an inner page its new child, `right`, which follows `left`.
    pub(super) fn add_child_innodb(&mut self, rules: &Rules, level: usize, page: u32, left: u32, right: u32) {
        let node = self.levels[level].get(page);
        let history = *self.histories.of(level, page);
        self.levels[level].get_mut(page).count += 1;
        if !rules.is_full(node.count, history.garbage, self.shape.inner.item_bytes) {
            return self.histories.of(level, page).inserted(right + 1);
        }
        let mut place = 1;
        let mut child = node.start;
        while child != left {
            child = self.levels[level - 1].get(child).next;
            place += 1;
        }
        let after = self.levels[level - 1].get(right).next;
        let point = if node.parent == NONE || !rules.run_splits {
            SplitPoint::middle(place, node.count)
        } else if history.last == left + 1 {
            SplitPoint::run_up(place, node.count)
        } else if after != NONE && history.last == after + 1 {
            SplitPoint::run_down(place)
        } else {
            SplitPoint::middle(place, node.count)
        };
        if node.parent == NONE {
            *self.histories.of(level, page) = History::default();
        }
        self.split_innodb(level, page, &point, right + 1);
    }

    /// Splits a page that holds the new record already; `new` is what the page remembers of it.
    fn split_innodb(&mut self, level: usize, left: u32, point: &SplitPoint, new: u32) {
        let before = *self.histories.of(level, left);
        let start = self.start_behind(level, left, point.left);
        let right = self.split_at(level, left, start, point.left);
        let last = if point.moved > 0 { 0 } else { before.last };
        let stayed = History { garbage: before.garbage + point.moved, last };
        let (on_left, on_right) =
            if point.down { (History::default(), stayed) } else { (stayed, History::default()) };
        *self.histories.of(level, left) = on_left;
        *self.histories.of(level, right) = on_right;
        self.histories.of(level, if point.new_left { left } else { right }).inserted(new);
    }

    /// A new root has two children, `right` the later one.
    pub(super) fn grew_innodb(&mut self, level: usize, right: u32) {
        *self.histories.of(level, 0) = History { garbage: 0, last: right + 1 };
    }

    /// A record of a page is gone.
    pub(super) fn removed_innodb(&mut self, level: usize, page: u32) {
        let empty = self.levels[level].get(page).count == 0;
        let history = self.histories.of(level, page);
        let garbage = if empty { 0 } else { history.garbage + 1 };
        *history = History { garbage, last: 0 };
    }

    /// Whether a page is empty enough to look for a sibling it could join.
    pub(super) fn is_sparse_innodb(&self, rules: &Rules, level: usize, records: u32) -> bool {
        let data_bytes = f64::from(records) * f64::from(self.shape.page(level).item_bytes);
        data_bytes < self.shape.merge_threshold * f64::from(rules.page_bytes)
    }

    /// The records of `from`, one of two siblings, are about to join the other; the page is `left` from then on.
    pub(super) fn join_innodb(&mut self, rules: &Rules, level: usize, left: u32, right: u32, from: u32) {
        let into = if from == left { right } else { left };
        let moved = self.levels[level].get(from).count;
        let places = self.levels[level].get(into).count + self.histories.of(level, into).garbage;
        let record_bytes = self.shape.page(level).item_bytes;
        // Too little space in one piece: the page is reorganised first.
        let fits = (places + moved) * record_bytes + directory_bytes(places + moved) <= rules.usable_bytes();
        let garbage = if fits { self.histories.of(level, into).garbage.saturating_sub(moved) } else { 0 };
        *self.histories.of(level, left) = History { garbage, last: 0 };
    }

    /// The root is gone: its only child, on `level`, takes its place and its page.
    pub(super) fn shrank_innodb(&mut self, level: usize, page: u32) {
        self.histories.0.truncate(level + 1);
        *self.histories.of(level, page) = History::default();
    }
}

#[cfg(test)]
mod tests;
