//! How SQLite's B-trees keep their balance (`btree.c` of version 3.40: `balance`, `balance_quick`, `balance_nonroot`,
//! `balance_deeper`).
//!
//! A page that overflows, or is less than a third full, shares its cells with a sibling on either side: packed from the left
//! first, then moved rightwards while that makes the sizes more even. A row appended to the last leaf of its parent gets a leaf
//! of its own instead. Where rows lie in inner pages too, the cell between two pages moves to their parent: it is the row at
//! which the right page starts, and counts as a row of that page.

use super::level::{Level, NONE, Node};
use super::sqlite_format::{Cells, POINTER_BYTES};
use super::{Change, Tree};

/// Siblings that share their cells at most.
const SIBLINGS: usize = 3;
/// They may need this many pages afterwards.
const MOST_PAGES: usize = SIBLINGS + 2;

/// What a tree of this format keeps beside its levels.
#[derive(Debug, Clone)]
pub(super) struct SqliteTree {
    pub(super) cells: Cells,
    /// By level, by page: bytes of its cells and their pointers.
    used_bytes: Vec<Vec<u32>>,
    overflow_pages: u64,
    /// Rows come in ascending order into a new tree (CREATE INDEX): pages are left full.
    bulk: bool,
    /// Cells of the balance in progress: the rank or child each belongs to, and its bytes.
    items: Vec<u32>,
    sizes: Vec<u32>,
}

/// Cells shared out over pages: `ends[i]` is the cell after the last one of page i.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shares {
    ends: [usize; MOST_PAGES],
    bytes: [u32; MOST_PAGES],
    pages: usize,
}

impl SqliteTree {
    pub(super) fn new(cells: Cells) -> Self {
        Self {
            cells,
            used_bytes: vec![vec![0]],
            overflow_pages: 0,
            bulk: false,
            items: Vec::new(),
            sizes: Vec::new(),
        }
    }

    fn used(&self, level: usize, page: u32) -> u32 {
        self.used_bytes[level].get(page as usize).copied().unwrap_or(0)
    }

    fn used_mut(&mut self, level: usize, page: u32) -> &mut u32 {
        let pages = &mut self.used_bytes[level];
        if page as usize >= pages.len() {
            pages.resize(page as usize + 1, 0);
        }
        &mut pages[page as usize]
    }

    pub(super) fn memory_bytes(&self) -> u64 {
        self.used_bytes.iter().map(|pages| pages.capacity() as u64 * 4).sum::<u64>()
            + (self.items.capacity() + self.sizes.capacity()) as u64 * 4
    }
}

/// Shares cells out over pages of `usable` bytes. `leaf_data`: no cell moves to the parent. `bulk`: pages stay packed.
/// At least one cell of every page but the last is there to be shared; each fits a page.
fn share(sizes: &[u32], usable: u32, leaf_data: bool, bulk: bool) -> Shares {
    let mut shares = Shares { ends: [0; MOST_PAGES], bytes: [0; MOST_PAGES], pages: 0 };
    let mut next = 0;
    while shares.pages < MOST_PAGES {
        let page = shares.pages;
        while next < sizes.len() && shares.bytes[page] + sizes[next] + POINTER_BYTES <= usable {
            shares.bytes[page] += sizes[next] + POINTER_BYTES;
            next += 1;
        }
        shares.ends[page] = next;
        shares.pages += 1;
        if next >= sizes.len() {
            break;
        }
        next += usize::from(!leaf_data);
    }
    for page in (1..shares.pages).rev() {
        let (mut right, mut left) = (shares.bytes[page], shares.bytes[page - 1]);
        // The last cell of the left page goes to the parent, or right away to the right page; the divider before comes down.
        while shares.ends[page - 1] > 0 {
            let leaving = shares.ends[page - 1] - 1;
            let coming = sizes[leaving + usize::from(!leaf_data)] + POINTER_BYTES;
            let last = page + 1 == shares.pages;
            let pointer = if last { 0 } else { POINTER_BYTES };
            if right != 0 && (bulk || right + coming > left - (sizes[leaving] + pointer)) {
                break;
            }
            right += coming;
            left -= sizes[leaving] + POINTER_BYTES;
            shares.ends[page - 1] = leaving;
        }
        shares.bytes[page] = right;
        shares.bytes[page - 1] = left;
    }
    shares
}

impl Tree {
    /// Adds a rank that is not present.
    pub(super) fn insert_cell(&mut self, rank: u32, sqlite: &mut SqliteTree) {
        let leaf = self.leaf_of(rank);
        self.extend_directory(rank);
        self.present.set(rank);
        self.keys += 1;
        self.levels[0].get_mut(leaf).count += 1;
        *sqlite.used_mut(0, leaf) += sqlite.cells.leaf_cell_bytes(rank) + POINTER_BYTES;
        sqlite.overflow_pages += u64::from(sqlite.cells.overflow_pages(rank));
        if sqlite.used(0, leaf) > sqlite.cells.usable_bytes(true) {
            self.balance(sqlite, 0, leaf, Some(rank));
        }
    }

    /// Removes a rank that is present.
    pub(super) fn remove_cell(&mut self, rank: u32, sqlite: &mut SqliteTree) {
        let leaf = self.leaf_of(rank);
        sqlite.overflow_pages -= u64::from(sqlite.cells.overflow_pages(rank));
        let node = self.levels[0].get(leaf);
        let divider = !sqlite.cells.leaf_data() && leaf_has_divider(node) && node.start == rank;
        self.present.clear(rank);
        self.keys -= 1;
        // A row of an inner page is replaced by the one before it, which is the last of a leaf.
        let replacement = if divider { self.present.previous(rank) } else { None };
        let Some(replacement) = replacement else {
            self.levels[0].get_mut(leaf).count -= 1;
            *sqlite.used_mut(0, leaf) -= sqlite.cells.leaf_cell_bytes(rank) + POINTER_BYTES;
            self.balance(sqlite, 0, leaf, None);
            return;
        };
        let from = self.leaf_of(replacement);
        let (level, inner) = self.divider_place(leaf);
        self.levels[0].get_mut(from).count -= 1;
        *sqlite.used_mut(0, from) -= sqlite.cells.leaf_cell_bytes(replacement) + POINTER_BYTES;
        self.levels[0].get_mut(leaf).start = replacement;
        self.direct_to(replacement, leaf);
        let grown = sqlite.cells.divider_bytes(replacement);
        let gone = sqlite.cells.divider_bytes(rank);
        let used = sqlite.used_mut(level, inner);
        *used = *used + grown - gone;
        self.changes.push(Change::Sibling { level: 0, page: from });
        self.changes.push(Change::Parent { level: level as u8, page: inner });
        let reached = self.balance(sqlite, 0, from, None);
        if reached < level {
            self.balance(sqlite, level, inner, None);
        }
    }

    /// The inner page, and its level, that holds the divider before a leaf which is not the first.
    fn divider_place(&self, leaf: u32) -> (usize, u32) {
        let (mut level, mut page) = (0, leaf);
        loop {
            let parent = self.levels[level].get(page).parent;
            if self.levels[level + 1].get(parent).start != page {
                return (level + 1, parent);
            }
            (level, page) = (level + 1, parent);
        }
    }

    /// Restores the balance from a changed page upwards, and tells on which level there was nothing left to do. `inserted` is
    /// the row that made a leaf overflow.
    fn balance(&mut self, sqlite: &mut SqliteTree, level: usize, page: u32, inserted: Option<u32>) -> usize {
        let (mut level, mut page, mut inserted) = (level, page, inserted);
        loop {
            let usable = sqlite.cells.usable_bytes(level == 0);
            let used = sqlite.used(level, page);
            let overflows = used > usable;
            if !overflows && (usable - used) * 3 <= sqlite.cells.page_bytes * 2 {
                return level;
            }
            if self.levels[level].get(page).parent == NONE {
                if !overflows {
                    return level;
                }
                self.deepen(sqlite, level, page);
            }
            let parent = self.levels[level].get(page).parent;
            match inserted.take().filter(|rank| overflows && self.is_appended(sqlite, page, *rank)) {
                Some(rank) => self.append_leaf(sqlite, page, rank),
                None => {
                    if !self.rebalance(sqlite, level, page) {
                        return level + 1;
                    }
                }
            }
            (level, page) = (level + 1, parent);
        }
    }

    /// A new root above the page that was it.
    fn deepen(&mut self, sqlite: &mut SqliteTree, level: usize, page: u32) {
        let root = Node { start: page, next: NONE, parent: NONE, count: 1 };
        self.levels.push(Level::single(root, false));
        self.levels[level].get_mut(page).parent = 0;
        sqlite.used_bytes.push(vec![0]);
        self.changes.push(Change::Grew { level: level as u8 + 1 });
    }

    /// Whether a row that does not fit its table leaf is the last one below its parent.
    fn is_appended(&self, sqlite: &SqliteTree, leaf: u32, rank: u32) -> bool {
        let node = self.levels[0].get(leaf);
        sqlite.cells.leaf_data() && self.sibling_right(0, node).is_none() && self.is_last_of(leaf, rank)
    }

    /// Gives an appended row a leaf of its own.
    fn append_leaf(&mut self, sqlite: &mut SqliteTree, leaf: u32, rank: u32) {
        let bytes = sqlite.cells.leaf_cell_bytes(rank) + POINTER_BYTES;
        let start = self.present.previous(rank).map_or(rank, |before| before + 1);
        if self.levels[0].get(leaf).next == NONE {
            self.extend_directory(start);
        }
        let right = self.levels[0].allocate();
        let node = self.levels[0].get(leaf);
        *self.levels[0].get_mut(right) = Node { start, next: node.next, parent: node.parent, count: 1 };
        let left = self.levels[0].get_mut(leaf);
        left.next = right;
        left.count -= 1;
        *sqlite.used_mut(0, leaf) -= bytes;
        *sqlite.used_mut(0, right) = bytes;
        if node.next == NONE {
            self.rightmost = right;
        }
        self.direct_to(start, right);
        self.levels[1].get_mut(node.parent).count += 1;
        *sqlite.used_mut(1, node.parent) += sqlite.cells.divider_bytes(start) + POINTER_BYTES;
        self.changes.push(Change::Split { level: 0, left: leaf, right });
        self.changes.push(Change::Parent { level: 1, page: node.parent });
    }

    /// Shares the cells of a page and its siblings out anew. False when the tree lost its root doing so.
    fn rebalance(&mut self, sqlite: &mut SqliteTree, level: usize, page: u32) -> bool {
        let parent = self.levels[level].get(page).parent;
        let (mut old, old_count) = self.siblings(level, page, parent, sqlite.bulk);
        self.gather(sqlite, level, &old[..old_count]);
        let leaf = level == 0;
        let leaf_data = leaf && sqlite.cells.leaf_data();
        let shares = share(&sqlite.sizes, sqlite.cells.usable_bytes(leaf), leaf_data, sqlite.bulk);

        let dividers = |tree: &Self, pages: &[u32]| -> u32 {
            let of = |page: &u32| sqlite.cells.divider_bytes(tree.lowest(level, *page)) + POINTER_BYTES;
            pages.iter().skip(1).map(of).sum()
        };
        let dividers_before = dividers(self, &old[..old_count]);
        let last_next = self.levels[level].get(old[old_count - 1]).next;
        for place in old_count..shares.pages {
            old[place] = self.levels[level].allocate();
            self.changes.push(Change::Split { level: level as u8, left: old[place - 1], right: old[place] });
        }
        for place in shares.pages..old_count {
            self.levels[level].release(old[place]);
            *sqlite.used_mut(level, old[place]) = 0;
            self.changes.push(Change::Merge {
                level: level as u8,
                left: old[shares.pages - 1],
                right: old[place],
            });
        }
        let kept = shares.pages.min(old_count);
        self.changes
            .extend(old[..kept].iter().map(|page| Change::Sibling { level: level as u8, page: *page }));
        self.changes.push(Change::Parent { level: level as u8 + 1, page: parent });
        let pages = &old[..shares.pages];
        if leaf {
            self.set_leaves(sqlite, pages, &shares, parent, last_next);
        } else {
            self.set_inner(sqlite, level, pages, &shares, parent, last_next);
        }
        for (place, page) in pages.iter().enumerate() {
            *sqlite.used_mut(level, *page) = shares.bytes[place];
        }
        let dividers_after = {
            let of = |page: &u32| sqlite.cells.divider_bytes(self.lowest(level, *page)) + POINTER_BYTES;
            pages.iter().skip(1).map(of).sum::<u32>()
        };
        let above = self.levels[level + 1].get_mut(parent);
        above.count = above.count + shares.pages as u32 - old_count as u32;
        let children = above.count;
        let used = sqlite.used_mut(level + 1, parent);
        *used = *used + dividers_after - dividers_before;
        if children == 1 && self.levels[level + 1].get(parent).parent == NONE {
            // The root has one child left: that child is the root.
            self.levels.truncate(level + 1);
            sqlite.used_bytes.truncate(level + 1);
            self.levels[level].get_mut(pages[0]).parent = NONE;
            return false;
        }
        true
    }

    /// The pages that share their cells with `page`, in order: one on either side where there are, else two on one side.
    fn siblings(&self, level: usize, page: u32, parent: u32, bulk: bool) -> ([u32; MOST_PAGES], usize) {
        let above = self.levels[level + 1].get(parent);
        let node = self.levels[level].get(page);
        let wanted = if bulk { SIBLINGS - 1 } else { SIBLINGS };
        let (first, count) = if above.count < SIBLINGS as u32 {
            (above.start, above.count as usize)
        } else if above.start == page {
            (page, wanted)
        } else if self.sibling_right(level, node).is_none() && !bulk {
            (self.page_before(level, self.page_before(level, page)), wanted)
        } else {
            (self.page_before(level, page), wanted)
        };
        let mut pages = [first; MOST_PAGES];
        for place in 1..count {
            pages[place] = self.levels[level].get(pages[place - 1]).next;
        }
        (pages, count)
    }

    /// Collects the cells of siblings and those between them.
    fn gather(&self, sqlite: &mut SqliteTree, level: usize, pages: &[u32]) {
        sqlite.items.clear();
        sqlite.sizes.clear();
        if level == 0 {
            let first = self.levels[0].get(pages[0]);
            let rows: u32 = pages.iter().map(|page| self.levels[0].get(*page).count).sum();
            let mut next = first.start;
            let mut rows = rows;
            if !sqlite.cells.leaf_data() && leaf_has_divider(first) {
                // This one lies between the first page and the one before it.
                next += 1;
                rows -= 1;
            }
            for _ in 0..rows {
                let Some(rank) = self.present.next(next) else { break };
                sqlite.items.push(rank);
                sqlite.sizes.push(sqlite.cells.leaf_cell_bytes(rank));
                next = rank + 1;
            }
            return;
        }
        let children: u32 = pages.iter().map(|page| self.levels[level].get(*page).count).sum();
        let mut child = self.levels[level].get(pages[0]).start;
        for _ in 1..children {
            child = self.levels[level - 1].get(child).next;
            sqlite.items.push(child);
            sqlite.sizes.push(sqlite.cells.divider_bytes(self.lowest(level - 1, child)));
        }
    }

    fn set_leaves(
        &mut self,
        sqlite: &SqliteTree,
        pages: &[u32],
        shares: &Shares,
        parent: u32,
        last_next: u32,
    ) {
        let leaf_data = sqlite.cells.leaf_data();
        let first = self.levels[0].get(pages[0]);
        let own_divider = u32::from(!leaf_data && leaf_has_divider(first));
        for (place, page) in pages.iter().enumerate() {
            let next = pages.get(place + 1).copied().unwrap_or(last_next);
            let (start, count) = match place.checked_sub(1).map(|before| shares.ends[before]) {
                None => (first.start, shares.ends[0] as u32 + own_divider),
                // The divider counts as a row of the page after it.
                Some(from) if !leaf_data => (sqlite.items[from], (shares.ends[place] - from) as u32),
                Some(from) => (sqlite.items[from - 1] + 1, (shares.ends[place] - from) as u32),
            };
            *self.levels[0].get_mut(*page) = Node { start, next, parent, count };
        }
        let last = pages[pages.len() - 1];
        if last_next == NONE {
            self.extend_directory(self.levels[0].get(last).start);
            self.rightmost = last;
        }
        for page in pages {
            self.direct_to(self.levels[0].get(*page).start, *page);
        }
    }

    fn set_inner(
        &mut self,
        sqlite: &SqliteTree,
        level: usize,
        pages: &[u32],
        shares: &Shares,
        parent: u32,
        last_next: u32,
    ) {
        let first = self.levels[level].get(pages[0]).start;
        for (place, page) in pages.iter().enumerate() {
            let next = pages.get(place + 1).copied().unwrap_or(last_next);
            // The cell of a page's first child is its divider, in the parent.
            let (start, count) = match place.checked_sub(1).map(|before| shares.ends[before]) {
                None => (first, shares.ends[0] as u32 + 1),
                Some(from) => (sqlite.items[from], (shares.ends[place] - from) as u32),
            };
            *self.levels[level].get_mut(*page) = Node { start, next, parent, count };
            self.adopt(level, *page);
        }
    }

    /// Adds a rank above all others as a bulk load does: pages of an index stay full.
    pub(crate) fn append(&mut self, rank: u32) {
        self.set_bulk(true);
        self.insert(rank);
        self.set_bulk(false);
    }

    fn set_bulk(&mut self, bulk: bool) {
        if let Some(sqlite) = &mut self.sqlite {
            sqlite.bulk = bulk;
        }
    }

    /// Pages a row needs beside its leaf.
    #[inline]
    pub(crate) fn overflow_pages_of(&self, rank: u32) -> u32 {
        self.sqlite.as_ref().map_or(0, |sqlite| sqlite.cells.overflow_pages(rank))
    }

    /// Fill of the inner pages, where it is known: 0 without any.
    pub(crate) fn inner_density(&self) -> Option<f64> {
        self.sqlite.as_ref().map(|sqlite| self.fill(sqlite, 1..self.levels.len()))
    }

    /// Overflow pages of all rows.
    pub(crate) fn overflow_pages(&self) -> u64 {
        self.sqlite.as_ref().map_or(0, |sqlite| sqlite.overflow_pages)
    }

    /// Bytes of headers, cells and their pointers over those of the pages of some levels, all leaves or all inner.
    pub(super) fn fill(&self, sqlite: &SqliteTree, levels: std::ops::Range<usize>) -> f64 {
        let header = u64::from(sqlite.cells.header_bytes(levels.start == 0));
        let (mut used, mut pages) = (0, 0);
        for level in levels {
            used += sqlite.used_bytes[level].iter().map(|bytes| u64::from(*bytes)).sum::<u64>();
            pages += self.levels[level].pages();
        }
        (used + pages * header) as f64 / (pages.max(1) * u64::from(sqlite.cells.page_bytes)) as f64
    }
}

#[cfg(test)]
#[path = "sqlite_tests.rs"]
mod tests;

/// Only the first leaf has no row before it in an inner page.
fn leaf_has_divider(leaf: Node) -> bool {
    leaf.start > 0
}
