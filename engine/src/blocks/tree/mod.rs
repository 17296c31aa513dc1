//! A B+tree over key ranks: page-accurate, with real splits and merges, at a fraction of a byte a key.
//!
//! ```text
//! presence bitmap   1 bit a rank of the universe
//! directory         rank >> shift → the leaf that holds the first rank of that stretch
//! levels            leaves first; a page is (start, next, parent, count), implicit while bulk loading's arithmetic holds
//! ```
//!
//! A lookup goes through the directory to the leaf and from there up the parents, which gives the same pages a search from the
//! root visits. A split finds its middle key by selecting a bit.

pub(crate) mod free_list;
mod innodb;
mod level;
mod lmdb;
mod old_entries;
mod shape;
mod sqlite;
mod sqlite_format;
mod versions;

use std::convert::Infallible;

use serde_json::{Value, json};

use super::bits::Bits;
use crate::kernel::budget::{BULK_POLL, Limits, StopCause};
use crate::kernel::snapshot::listed;
pub(crate) use level::NONE;
use level::{Bulk, Level, Node};
pub(crate) use old_entries::Cleanup;
use old_entries::OldEntries;
pub(crate) use shape::TreeShape;
use sqlite::SqliteTree;
pub(crate) use sqlite_format::{Cells, Structure};

/// Pages that bulk loading begins between two looks at the stop flag.
const PAGES_BETWEEN_LOOKS: u32 = 1 << 13;

/// More levels than any tree of 32-bit ranks can have.
pub(crate) const MAX_LEVELS: usize = 32;

/// Pages from the leaf (index 0) up to the root.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Path {
    pub(crate) pages: [u32; MAX_LEVELS],
    pub(crate) height: u8,
}

/// A page that a change made, changed or removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// `right` was split off `left`.
    Split { level: u8, left: u32, right: u32 },
    /// `right` was merged into `left`.
    Merge { level: u8, left: u32, right: u32 },
    /// A new root, page 0 of this level.
    Grew { level: u8 },
    /// The entries of this inner page changed.
    Parent { level: u8, page: u32 },
    /// This page gave entries to the pages beside it, or got some.
    Sibling { level: u8, page: u32 },
}

#[derive(Debug, Clone)]
pub(crate) struct Tree {
    shape: TreeShape,
    present: Bits,
    keys: u64,
    levels: Vec<Level>,
    directory: Directory,
    rightmost: u32,
    changes: Vec<Change>,
    /// Of InnoDB's pages only.
    histories: innodb::Histories,
    /// What SQLite's pages need to be known.
    sqlite: Option<Box<SqliteTree>>,
    /// Entries of versions that are not the newest. Absent where rows are updated in place.
    old: Option<Box<OldEntries>>,
}

/// From stretches of ranks to leaves. Empty while the leaves are found by arithmetic.
#[derive(Debug, Clone, Default)]
struct Directory {
    shift: u32,
    leaves: Vec<u32>,
    /// Entries below this are right; those above belong to the rightmost leaf.
    filled: u32,
}

/// Bits of a rank within a stretch: fine enough that most stretches lie in one leaf, where leaves are large enough for that to
/// cost little.
fn directory_shift(shape: &TreeShape) -> u32 {
    let entries = shape.leaf.bulk_items.max(2);
    if entries < 64 { entries.ilog2() } else { entries.ilog2() - 2 }
}

impl Tree {
    /// An empty tree over ranks below `universe`.
    pub(crate) fn empty(shape: TreeShape, universe: u32) -> Self {
        let leaf = Node { start: 0, next: NONE, parent: NONE, count: 0 };
        let sqlite = shape.sqlite.clone().map(|cells| Box::new(SqliteTree::new(cells)));
        let mut tree = Self {
            sqlite,
            shape,
            present: Bits::new(universe),
            keys: 0,
            levels: vec![Level::single(leaf, true)],
            directory: Directory::default(),
            rightmost: 0,
            changes: Vec::new(),
            histories: innodb::Histories::default(),
            old: None,
        };
        tree.make_directory();
        tree
    }

    /// A tree of entries of one size, packed bottom-up from the ranks already set in `present`. `contiguous` gives the first of them where they are
    /// one unbroken run.
    pub(crate) fn bulk(
        shape: TreeShape,
        universe: u32,
        present: Bits,
        keys: u64,
        contiguous: Option<u32>,
        limits: Limits<'_>,
    ) -> Result<Self, StopCause> {
        if keys == 0 {
            return Ok(Self::empty(shape, universe));
        }
        let mut counts = Vec::new();
        let mut items = keys;
        loop {
            let per_page = u64::from(shape.page(counts.len()).bulk_items);
            let pages = shape.page(counts.len()).bulk_pages(items);
            counts.push((pages as u32, per_page as u32, items));
            if pages == 1 {
                break;
            }
            items = pages;
        }
        let mut starts = Vec::new();
        if contiguous.is_none() {
            let (pages, per_page, _) = counts[0];
            let directory_bytes = 4 * (u64::from(universe >> directory_shift(&shape)) + 1);
            limits.verify(present.memory_bytes() + u64::from(pages) * 4 + directory_bytes)?;
            starts.reserve_exact(pages as usize);
            starts.push(0);
            let mut rank = present.next(0).unwrap_or(0);
            for page in 1..pages {
                if page % PAGES_BETWEEN_LOOKS == 0 {
                    limits.look()?;
                }
                rank = present.select(rank, per_page).unwrap_or(rank);
                starts.push(rank);
            }
        }
        let levels = (0..counts.len())
            .map(|level| {
                let (pages, per_page, items) = counts[level];
                let above = counts.get(level + 1);
                let bulk = Bulk {
                    pages,
                    per_page,
                    items,
                    base: contiguous.unwrap_or(0),
                    starts: if level == 0 { std::mem::take(&mut starts) } else { Vec::new() },
                    parent_per_page: above.map_or(1, |above| above.1),
                    parent_pages: above.map_or(0, |above| above.0),
                };
                Level::bulk(bulk, level == 0)
            })
            .collect();
        let mut tree = Self {
            sqlite: None,
            shape,
            present,
            keys,
            levels,
            directory: Directory::default(),
            rightmost: counts[0].0 - 1,
            changes: Vec::new(),
            histories: innodb::Histories::default(),
            old: None,
        };
        if contiguous.is_none() {
            tree.direct(|| limits.look())?;
        }
        Ok(tree)
    }

    #[inline]
    pub(crate) fn contains(&self, rank: u32) -> bool {
        // A tree without a gap need not look, which spares a memory access where there are many keys.
        self.keys == u64::from(self.present.len()) || self.present.get(rank)
    }

    /// The first present rank at or after `rank`.
    pub(crate) fn next_present(&self, rank: u32) -> Option<u32> {
        self.present.next(rank)
    }

    pub(crate) fn keys(&self) -> u64 {
        self.keys
    }

    /// Ranks are below.
    pub(crate) fn universe(&self) -> u32 {
        self.present.len()
    }

    pub(crate) fn height(&self) -> usize {
        self.levels.len()
    }

    /// Levels of a tree with so many leaves and inner pages as full as loading leaves them, and no fewer than this one's.
    pub(crate) fn height_of(&self, leaves: u64) -> usize {
        let (mut pages, mut height) = (leaves, 1);
        while pages > 1 {
            pages = self.shape.inner.bulk_pages(pages);
            height += 1;
        }
        height.max(self.height())
    }

    /// Pages in use on a level; 0 is the leaves.
    pub(crate) fn pages(&self, level: usize) -> u64 {
        self.levels[level].pages()
    }

    /// Page numbers ever given on a level; every number is below.
    pub(crate) fn allocated(&self, level: usize) -> u32 {
        self.levels[level].allocated
    }

    /// Pages of each level from the leaves up, in key order: the lowest key a leaf may hold, the first child of an inner page.
    pub(crate) fn state(&self) -> Value {
        let mut leftmost = Path { pages: [0; MAX_LEVELS], height: 0 };
        self.path(0, &mut leftmost);
        let levels = self.levels.iter().enumerate().map(|(number, level)| {
            let first = leftmost.pages[number];
            let pages = std::iter::successors(Some(first), |page| {
                let next = level.get(*page).next;
                (next != NONE).then_some(next)
            });
            let page = |page: u32| {
                let node = level.get(page);
                json!({
                    "page_id": page,
                    "start": node.start,
                    "count": node.count,
                    "parent": (node.parent != NONE).then_some(node.parent),
                })
            };
            let mut state = json!({"level": number});
            listed(&mut state, "pages", level.pages() as usize, pages.map(page));
            state
        });
        json!({"keys": self.keys, "height": self.height(), "levels": levels.collect::<Vec<_>>()})
    }

    pub(crate) fn leaf_density(&self) -> f64 {
        match &self.sqlite {
            Some(sqlite) => self.fill(sqlite, 0..1),
            None => self.shape.leaf_density(self.keys, self.pages(0)),
        }
    }

    pub(crate) fn item_bytes(&self) -> u32 {
        self.shape.leaf.item_bytes
    }

    /// The leaf after this one, and the lowest rank it may hold.
    pub(crate) fn next_leaf(&self, leaf: u32) -> Option<(u32, u32)> {
        let next = self.levels[0].get(leaf).next;
        (next != NONE).then(|| (next, self.levels[0].get(next).start))
    }

    /// The page to the right on a level.
    pub(crate) fn next_page(&self, level: usize, page: u32) -> Option<u32> {
        let next = self.levels[level].get(page).next;
        (next != NONE).then_some(next)
    }

    /// Keys on a leaf.
    pub(crate) fn leaf_keys(&self, leaf: u32) -> u32 {
        self.levels[0].get(leaf).count
    }

    #[inline]
    pub(crate) fn leaf_of(&self, rank: u32) -> u32 {
        let leaves = &self.levels[0];
        if self.directory.leaves.is_empty() {
            return leaves.leaf_by_arithmetic(rank);
        }
        let stretch = rank >> self.directory.shift;
        if stretch >= self.directory.filled {
            return self.rightmost;
        }
        let mut leaf = self.directory.leaves[stretch as usize];
        let whole =
            stretch + 1 < self.directory.filled && self.directory.leaves[stretch as usize + 1] == leaf;
        if whole {
            return leaf;
        }
        loop {
            let next = leaves.get(leaf).next;
            if next == NONE || leaves.get(next).start > rank {
                return leaf;
            }
            leaf = next;
        }
    }

    /// The pages a search for `rank` visits.
    #[inline]
    pub(crate) fn path(&self, rank: u32, path: &mut Path) {
        let mut page = self.leaf_of(rank);
        for (level, nodes) in self.levels.iter().enumerate() {
            path.pages[level] = page;
            page = nodes.parent(page);
        }
        path.height = self.levels.len() as u8;
    }

    /// What the last insert or removal did to pages, from the leaf up.
    pub(crate) fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Adds a rank that is not present; splits what overflows.
    pub(crate) fn insert(&mut self, rank: u32) {
        self.changes.clear();
        if let Some(mut sqlite) = self.sqlite.take() {
            self.insert_cell(rank, &mut sqlite);
            self.sqlite = Some(sqlite);
            return;
        }
        let leaf = self.leaf_of(rank);
        if let Some(rules) = self.shape.innodb {
            return self.insert_innodb(&rules, leaf, rank);
        }
        self.extend_directory(rank);
        self.present.set(rank);
        self.keys += 1;
        let node = self.levels[0].get_mut(leaf);
        node.count += 1;
        let (count, rightmost) = (node.count, node.next == NONE);
        let old = if self.old.is_some() { self.old_items(leaf) } else { 0 };
        if count + old > self.shape.leaf.capacity(rightmost) {
            let appended = self.shape.lmdb && self.is_last_of(leaf, rank);
            self.split(0, leaf, appended);
        }
    }

    /// Removes a rank that is present; merges a page that got emptier than the threshold into a sibling, where both fit.
    pub(crate) fn remove(&mut self, rank: u32) {
        self.changes.clear();
        if let Some(mut sqlite) = self.sqlite.take() {
            self.remove_cell(rank, &mut sqlite);
            self.sqlite = Some(sqlite);
            return;
        }
        let leaf = self.leaf_of(rank);
        self.present.clear(rank);
        self.keys -= 1;
        self.levels[0].get_mut(leaf).count -= 1;
        if self.shape.innodb.is_some() {
            self.removed_innodb(0, leaf);
        }
        self.merge_if_sparse(0, leaf);
    }

    /// `appended`: the new entry is the last of the page.
    fn split(&mut self, level: usize, page: u32, appended: bool) {
        let node = self.levels[level].get(page);
        let old = if level == 0 && self.old.is_some() { self.old_items(page) } else { 0 };
        let left_count = if self.shape.lmdb {
            self.shape.page(level).split_as_lmdb(node.count, appended, level == 0)
        } else {
            self.shape.page(level).split(node.count + old, node.next == NONE)
        };
        let (right_start, left_count) = if old > 0 {
            match self.split_among_old(page, left_count) {
                Some(place) => place,
                // All entries have one key, which stays on one page here.
                None => return,
            }
        } else {
            (self.start_behind(level, page, left_count), left_count)
        };
        self.split_at(level, page, right_start, left_count);
    }

    /// Where a page begins that takes all but the first `left_count` entries of another.
    fn start_behind(&self, level: usize, page: u32, left_count: u32) -> u32 {
        let start = self.levels[level].get(page).start;
        if level > 0 {
            self.child_after(level, start, left_count)
        } else {
            // There are more keys than `left_count` from the start on, so the bit exists.
            self.present.select(start, left_count).unwrap_or(start)
        }
    }

    /// Splits a page in front of `right_start`, behind its first `left_count` entries, and tells the page of the others.
    fn split_at(&mut self, level: usize, page: u32, right_start: u32, left_count: u32) -> u32 {
        if level == 0 && self.directory.leaves.is_empty() {
            self.make_directory();
        }
        let node = self.levels[level].get(page);
        if level == 0 && node.next == NONE {
            // What lies before the split stays with the left page, though it has no entry yet.
            self.extend_directory(right_start);
        }
        let right = self.levels[level].allocate();
        *self.levels[level].get_mut(right) =
            Node { start: right_start, next: node.next, parent: node.parent, count: node.count - left_count };
        let left = self.levels[level].get_mut(page);
        left.next = right;
        left.count = left_count;
        self.changes.push(Change::Split { level: level as u8, left: page, right });
        if level == 0 {
            if let Some(old) = &mut self.old {
                old.split(page, right, right_start);
            }
            self.direct_to(right_start, right);
            if node.next == NONE {
                self.rightmost = right;
            }
        } else {
            self.adopt(level, right);
        }
        self.add_child(level + 1, page, right, node.parent);
        right
    }

    /// Tells the level `level` that `left` has a new right sibling.
    fn add_child(&mut self, level: usize, left: u32, right: u32, parent: u32) {
        if parent == NONE {
            let root = Node { start: left, next: NONE, parent: NONE, count: 2 };
            self.levels.push(Level::single(root, false));
            self.levels[level - 1].get_mut(left).parent = 0;
            self.levels[level - 1].get_mut(right).parent = 0;
            self.changes.push(Change::Grew { level: level as u8 });
            if self.shape.innodb.is_some() {
                self.grew_innodb(level, right);
            }
            return;
        }
        self.changes.push(Change::Parent { level: level as u8, page: parent });
        if let Some(rules) = self.shape.innodb {
            return self.add_child_innodb(&rules, level, parent, left, right);
        }
        let node = self.levels[level].get_mut(parent);
        node.count += 1;
        let (count, rightmost) = (node.count, node.next == NONE);
        if count > self.shape.inner.capacity(rightmost) {
            let appended = self.sibling_right(level - 1, self.levels[level - 1].get(right)).is_none();
            self.split(level, parent, appended);
        }
    }

    /// The child `steps` to the right of `child`, on the level below.
    fn child_after(&self, level: usize, child: u32, steps: u32) -> u32 {
        (0..steps).fold(child, |child, _| self.levels[level - 1].get(child).next)
    }

    /// Makes `page` the parent of its children.
    fn adopt(&mut self, level: usize, page: u32) {
        let node = self.levels[level].get(page);
        let mut child = node.start;
        for _ in 0..node.count {
            let below = self.levels[level - 1].get_mut(child);
            below.parent = page;
            child = below.next;
        }
    }

    fn merge_if_sparse(&mut self, level: usize, page: u32) {
        let node = self.levels[level].get(page);
        let sparse = match &self.shape.innodb {
            Some(rules) => self.is_sparse_innodb(rules, level, node.count),
            None => {
                let capacity = self.shape.page(level).capacity(node.next == NONE);
                f64::from(node.count) < self.shape.merge_threshold * f64::from(capacity)
            }
        };
        if node.parent == NONE || !sparse {
            return;
        }
        let left = (self.levels[level + 1].get(node.parent).start != page)
            .then(|| self.page_before(level, page))
            .filter(|left| self.fits(level, *left, page));
        let pair = match left {
            Some(left) => Some((left, page)),
            None => self
                .sibling_right(level, node)
                .filter(|right| self.fits(level, page, *right))
                .map(|right| (page, right)),
        };
        if let Some((left, right)) = pair {
            if let Some(rules) = self.shape.innodb {
                self.join_innodb(&rules, level, left, right, page);
            }
            self.merge(level, left, right);
        }
    }

    /// The lowest rank a page may lead to.
    fn lowest(&self, level: usize, page: u32) -> u32 {
        (0..level)
            .rev()
            .fold(self.levels[level].get(page).start, |below, level| self.levels[level].get(below).start)
    }

    /// The page before this one on its level, which is not the first.
    fn page_before(&self, level: usize, page: u32) -> u32 {
        let leaf = self.leaf_of(self.lowest(level, page) - 1);
        (0..level).fold(leaf, |page, level| self.levels[level].get(page).parent)
    }

    /// Whether no other key of a leaf is above this one.
    fn is_last_of(&self, leaf: u32, rank: u32) -> bool {
        let next = self.levels[0].get(leaf).next;
        let end = if next == NONE { self.present.len() } else { self.levels[0].get(next).start };
        self.present.next(rank + 1).is_none_or(|next| next >= end)
    }

    /// The next page, where it has the same parent.
    fn sibling_right(&self, level: usize, node: Node) -> Option<u32> {
        (node.next != NONE && self.levels[level].get(node.next).parent == node.parent).then_some(node.next)
    }

    fn fits(&self, level: usize, left: u32, right: u32) -> bool {
        let (left, right) = (self.levels[level].get(left), self.levels[level].get(right));
        left.count + right.count <= self.shape.page(level).capacity(right.next == NONE)
    }

    fn merge(&mut self, level: usize, left: u32, right: u32) {
        if level == 0 && self.directory.leaves.is_empty() {
            self.make_directory();
        }
        let gone = self.levels[level].get(right);
        let node = self.levels[level].get_mut(left);
        node.count += gone.count;
        node.next = gone.next;
        let parent = node.parent;
        if level == 0 {
            if let Some(old) = &mut self.old {
                old.join(left, right);
            }
            self.direct_to(gone.start, left);
            if gone.next == NONE {
                self.rightmost = left;
            }
        } else {
            self.adopt(level, left);
        }
        self.levels[level].release(right);
        self.changes.push(Change::Merge { level: level as u8, left, right });
        self.changes.push(Change::Parent { level: level as u8 + 1, page: parent });
        let above = self.levels[level + 1].get_mut(parent);
        above.count -= 1;
        if above.count == 1 && self.levels[level + 1].pages() == 1 {
            // The root has one child left: that child is the root.
            self.levels.truncate(level + 1);
            self.levels[level].get_mut(left).parent = NONE;
            if self.shape.innodb.is_some() {
                self.shrank_innodb(level, left);
            }
            return;
        }
        if self.shape.innodb.is_some() {
            self.removed_innodb(level + 1, parent);
        }
        self.merge_if_sparse(level + 1, parent);
    }

    fn make_directory(&mut self) {
        let never = || Ok::<(), Infallible>(());
        self.direct(never).unwrap_or_else(|never| match never {})
    }

    /// Makes the directory; `look` is asked now and then whether to go on.
    fn direct<E>(&mut self, mut look: impl FnMut() -> Result<(), E>) -> Result<(), E> {
        let universe = self.present.len();
        let shift = directory_shift(&self.shape);
        let mut leaves = vec![0; (universe >> shift) as usize + 1];
        let mut leaf = 0;
        let mut filled = 0;
        // Stretches beyond the start of the rightmost leaf belong to it without an entry.
        for (stretch, entry) in leaves.iter_mut().enumerate() {
            let rank = (stretch as u32) << shift;
            if stretch % BULK_POLL == 0 {
                look()?;
            }
            loop {
                let next = self.levels[0].get(leaf).next;
                if next == NONE || self.levels[0].get(next).start > rank {
                    break;
                }
                leaf = next;
            }
            *entry = leaf;
            filled = stretch as u32 + 1;
            if leaf == self.rightmost {
                break;
            }
        }
        self.directory = Directory { shift, leaves, filled };
        Ok(())
    }

    /// Gives the rightmost leaf the entries up to `rank`, so that a later split can move them.
    fn extend_directory(&mut self, rank: u32) {
        let directory = &mut self.directory;
        let needed = (rank >> directory.shift) + 1;
        if directory.leaves.is_empty() || needed <= directory.filled {
            return;
        }
        directory.leaves[directory.filled as usize..needed as usize].fill(self.rightmost);
        directory.filled = needed;
    }

    /// Points the stretches that start in the leaf which holds `from` at `leaf`.
    fn direct_to(&mut self, from: u32, leaf: u32) {
        let directory = &mut self.directory;
        let first = from.div_ceil(1 << directory.shift);
        let next = self.levels[0].get(leaf).next;
        let end = match next {
            NONE => directory.filled,
            next => self.levels[0].get(next).start.div_ceil(1 << directory.shift).min(directory.filled),
        };
        if first < end {
            directory.leaves[first as usize..end as usize].fill(leaf);
        }
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        self.present.memory_bytes()
            + self.directory.leaves.capacity() as u64 * 4
            + self.levels.iter().map(Level::memory_bytes).sum::<u64>()
            + self.histories.memory_bytes()
            + self.sqlite.as_ref().map_or(0, |sqlite| sqlite.memory_bytes())
            + self.old.as_ref().map_or(0, |old| old.memory_bytes())
    }
}

#[cfg(test)]
mod tests;
