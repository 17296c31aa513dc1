//! The blocks that are B+trees: an index, or a clustered storage whose leaves hold the rows. Searches, inserts and deletes visit
//! the pages a real tree visits, from the root down, then change them.

use serde_json::{Value, json};

use super::copy_on_write::CopyOnWrite;
use super::counters::Counters;
use super::tree::{Change, MAX_LEVELS, Tree};
use super::tree_log::DELETE_BYTES;
use super::wal::record::Record;
use crate::kernel::step::{Flow, Step};
use crate::kernel::{Kernel, Source, Storage};
use crate::plan::BlockIndex;

pub(crate) const LOOKUPS: usize = 0;
pub(crate) const INSERTS: usize = 1;
pub(crate) const UPDATES: usize = 2;
pub(crate) const DELETES: usize = 3;
pub(crate) const SPLITS: usize = 4;
pub(crate) const MERGES: usize = 5;
pub(crate) const PAGES_ALLOCATED: usize = 6;
/// Entries of new versions, and those of old ones that made room.
pub(crate) const VERSIONS_ADDED: usize = 7;
pub(crate) const OLD_ENTRIES_DELETED: usize = 8;

#[derive(Debug)]
pub(crate) struct TreeBlock {
    pub(crate) block: BlockIndex,
    pub(crate) tree: Tree,
    /// Space of the leaves; the levels above follow.
    pub(crate) first_space: u16,
    pub(crate) wal: Option<u16>,
    pub(crate) page_size_bytes: u32,
    /// Where rows go on that do not fit a leaf, if any do not.
    pub(crate) overflow: Option<Overflow>,
    /// Space of the page that changes when pages come or go.
    pub(crate) header: Option<u16>,
    /// Present when changed pages go to new places.
    pub(crate) copy_on_write: Option<CopyOnWrite>,
    /// Levels that the whole has above this tree, when this is a sample of one. Their pages are in memory.
    pub(crate) unseen_levels: u8,
    pub(crate) counters: Counters<9>,
}

/// Pages that rows go on in: each row has its own, numbered from its rank.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Overflow {
    pub(crate) space: u16,
    /// Numbers kept for each row.
    pub(crate) pages_per_row: u32,
}

impl TreeBlock {
    pub(crate) fn new(
        block: BlockIndex,
        tree: Tree,
        first_space: u16,
        wal: Option<u16>,
        page_size_bytes: u32,
    ) -> Self {
        let counters = Counters::new([
            "lookups",
            "inserts",
            "updates",
            "deletes",
            "splits",
            "merges",
            "pages_allocated",
            "versions_added",
            "old_entries_deleted",
        ]);
        Self {
            block,
            tree,
            first_space,
            wal,
            page_size_bytes,
            overflow: None,
            header: None,
            copy_on_write: None,
            unseen_levels: 0,
            counters,
        }
    }

    /// Pages of all levels, and those that rows go on in.
    pub(crate) fn pages(&self) -> u64 {
        let levels: u64 = (0..self.tree.height()).map(|level| self.tree.pages(level)).sum();
        levels + self.tree.overflow_pages()
    }

    /// How many levels a change of a row changes pages on: the leaf, or all.
    #[inline]
    fn changed_levels(&self) -> u8 {
        if self.copy_on_write.is_some() { MAX_LEVELS as u8 } else { 1 }
    }

    pub(crate) fn gauges(&self) -> Value {
        let levels: Vec<u64> = (0..self.tree.height()).map(|level| self.tree.pages(level)).collect();
        let mut gauges = json!({
            "height": self.tree.height(),
            "keys": self.tree.keys(),
            "leaf_pages": levels[0],
            "inner_pages": levels[1..].iter().sum::<u64>(),
            "pages_per_level": levels,
            "leaf_density": self.tree.leaf_density(),
            "entry_bytes": self.tree.item_bytes(),
            "old_entries": self.tree.old_entries(),
        });
        if let Some(inner_density) = self.tree.inner_density() {
            gauges["inner_density"] = json!(inner_density);
            gauges["overflow_pages"] = json!(self.tree.overflow_pages());
        }
        if let Some(copies) = &self.copy_on_write {
            gauges["file_pages"] = json!(copies.free_list.file_pages());
            gauges["free_pages"] = json!(copies.free_list.free_pages());
            gauges["free_list_pages"] = json!(copies.free_list.own_pages());
        }
        gauges
    }
}

impl Kernel<'_> {
    /// Begins a search: the client's path is that of `rank`, and its pages are visited from the root down.
    #[inline]
    pub(crate) fn search(&mut self, client: u32, tree: u16, rank: u32, write: bool) -> Flow {
        match self.descend(client, tree, rank, write) {
            None => Flow::Next,
            Some(level) => self.walk_from(client, tree, level, write),
        }
    }

    /// Visits the pages of a search that are in memory; the level of the first that is not.
    #[inline]
    pub(crate) fn descend(&mut self, client: u32, tree: u16, rank: u32, write: bool) -> Option<u8> {
        let block = &mut self.trees[usize::from(tree)];
        let path = &mut self.clients[client as usize].path;
        block.tree.path(rank, path);
        block.counters.add(LOOKUPS, 1);
        self.cpu_ns += u64::from(block.unseen_levels) * self.costs.page_visit_ns;
        let root = path.height - 1;
        if self.clients[client as usize].traced {
            let found = block.tree.contains(rank);
            let (height, number) = (root + 1, block.block);
            self.trace.emit(
                self.now_ns + self.cpu_ns,
                number,
                "btree_lookup",
                || json!({"key": rank, "tree_height": height, "pages_traversed": height, "found": found}),
            );
        }
        self.visit_path(client, tree, root, write)
    }

    /// Visits the client's path from a level down.
    pub(crate) fn walk(&mut self, client: u32, tree: u16, from: u8, write: bool) -> Flow {
        match self.visit_path(client, tree, from, write) {
            None => Flow::Next,
            Some(level) => self.walk_from(client, tree, level, write),
        }
    }

    /// The client's page of this level is not in memory: it is read, and the walk goes on from there.
    pub(crate) fn walk_from(&mut self, client: u32, tree: u16, level: u8, write: bool) -> Flow {
        if level > 0 {
            self.push(client, Step::Walk { tree, level: level - 1, write });
        }
        let page = self.clients[client as usize].path.pages[usize::from(level)];
        let block = &self.trees[usize::from(tree)];
        let (space, write) = (block.first_space + u16::from(level), write && level < block.changed_levels());
        self.fetch(client, space, page, write)
    }

    /// The first level, from the top, whose page is not in memory.
    #[inline]
    fn visit_path(&mut self, client: u32, tree: u16, from: u8, write: bool) -> Option<u8> {
        let block = &self.trees[usize::from(tree)];
        let first_space = block.first_space;
        let changed_levels = if write { usize::from(block.changed_levels()) } else { 0 };
        let state = &self.clients[client as usize];
        if state.traced {
            return self.visit_path_traced(client, tree, from, write);
        }
        // All levels of a tree have one source.
        let Source::Pool(pool) = self.spaces[usize::from(first_space)].source else { return Some(from) };
        let pool = &mut self.pools[usize::from(pool)];
        let mut missed = None;
        let mut visits = 0;
        for (level, page) in state.path.pages[..=usize::from(from)].iter().enumerate().rev() {
            let space = usize::from(first_space) + level;
            if !pool.hit(space as u16, *page, level < changed_levels, self.now_ns) {
                missed = Some(level as u8);
                break;
            }
            self.spaces[space].hits += 1;
            visits += 1;
        }
        self.cpu_ns += visits * self.costs.page_visit_ns;
        missed
    }

    fn visit_path_traced(&mut self, client: u32, tree: u16, from: u8, write: bool) -> Option<u8> {
        let block = &self.trees[usize::from(tree)];
        let (first_space, changed_levels) = (block.first_space, block.changed_levels());
        for level in (0..=from).rev() {
            let page = self.clients[client as usize].path.pages[usize::from(level)];
            let space = first_space + u16::from(level);
            let write_page = write && level < changed_levels;
            if level > 0 {
                let block = self.trees[usize::from(tree)].block;
                let depth = self.clients[client as usize].path.height - 1 - level;
                self.trace.emit(
                    self.now_ns + self.cpu_ns,
                    block,
                    "btree_traverse",
                    || json!({"depth": depth, "node_id": page}),
                );
            }
            if !self.hit(client, space, page, write_page) {
                return Some(level);
            }
        }
        None
    }

    /// Adds an entry to a leaf that has been visited, and splits what overflows.
    pub(crate) fn tree_insert(&mut self, client: u32, tree: u16, rank: u32) -> Flow {
        let block = &mut self.trees[usize::from(tree)];
        if block.tree.contains(rank) {
            return Flow::Next;
        }
        block.counters.add(INSERTS, 1);
        self.cpu_ns += self.costs.row_ns;
        let number = block.block;
        if block.tree.old_entries() > 0 {
            self.make_room_for(client, tree, rank);
        }
        let from = self.clients[client as usize].steps.len();
        self.trees[usize::from(tree)].tree.insert(rank);
        self.apply_changes(client, tree);
        let (space, pages) = self.overflow_of(tree, rank);
        self.trees[usize::from(tree)].counters.add(PAGES_ALLOCATED, pages.len() as u64);
        pages.for_each(|page| self.push(client, Step::NewPage { space, page }));
        // Pages are changed from the leaf up, and steps are taken from the end.
        self.clients[client as usize].steps[from..].reverse();
        self.log_insert(client, tree, rank);
        if self.clients[client as usize].traced && self.is_storage(tree) {
            let leaf = self.trees[usize::from(tree)].tree.leaf_of(rank);
            self.trace.emit(
                self.now_ns + self.cpu_ns,
                number,
                "record_inserted",
                || json!({"page_id": leaf, "record_id": rank}),
            );
        }
        Flow::Next
    }

    /// The pages a row goes on in, in order; none when it lies on its leaf.
    fn overflow_of(&self, tree: u16, rank: u32) -> (u16, std::ops::Range<u32>) {
        let block = &self.trees[usize::from(tree)];
        let Some(Overflow { space, pages_per_row }) = block.overflow else { return (0, 0..0) };
        let first = rank * pages_per_row;
        (space, first..first + block.tree.overflow_pages_of(rank))
    }

    /// Visits the pages a row goes on in.
    #[inline]
    pub(crate) fn visit_overflow(&mut self, client: u32, tree: u16, rank: u32, write: bool) {
        if self.trees[usize::from(tree)].overflow.is_some() {
            let (space, pages) = self.overflow_of(tree, rank);
            pages.rev().for_each(|page| self.push(client, Step::Page { space, page, write }));
        }
    }

    /// Removes an entry from a leaf that has been visited, and merges what got too empty.
    pub(crate) fn tree_remove(&mut self, client: u32, tree: u16, rank: u32) -> Flow {
        let block = &mut self.trees[usize::from(tree)];
        if !block.tree.contains(rank) {
            return Flow::Next;
        }
        block.counters.add(DELETES, 1);
        self.cpu_ns += self.costs.row_ns;
        let (number, wal) = (block.block, block.wal);
        if self.clients[client as usize].traced && self.is_storage(tree) {
            let leaf = self.trees[usize::from(tree)].tree.leaf_of(rank);
            self.trace.emit(
                self.now_ns + self.cpu_ns,
                number,
                "record_deleted",
                || json!({"page_id": leaf, "record_id": rank}),
            );
        }
        let from = self.clients[client as usize].steps.len();
        self.trees[usize::from(tree)].tree.remove(rank);
        self.apply_changes(client, tree);
        self.clients[client as usize].steps[from..].reverse();
        self.log(client, wal, 0, |kernel| {
            let block = &kernel.trees[usize::from(tree)];
            Record::new(DELETE_BYTES).page(block.logged(0, block.tree.leaf_of(rank), 0, false))
        });
        Flow::Next
    }

    /// Pushes the page accesses that the tree's last change makes.
    pub(crate) fn apply_changes(&mut self, client: u32, tree: u16) {
        let block = &mut self.trees[usize::from(tree)];
        let traced = self.clients[client as usize].traced;
        let steps = &mut self.clients[client as usize].steps;
        let space = |level: u8| block.first_space + u16::from(level);
        let now_ns = self.now_ns + self.cpu_ns;
        let split = |change: &Change| match *change {
            Change::Split { level: 0, left, right } => Some((block.first_space, left, right)),
            _ => None,
        };
        let splits: Vec<(u16, u32, u32)> = match self.transactions {
            Some(_) => block.tree.changes().iter().filter_map(split).collect(),
            None => Vec::new(),
        };
        let header = block.header.filter(|_| {
            let in_place = |change: &Change| matches!(change, Change::Parent { .. } | Change::Sibling { .. });
            !block.tree.changes().iter().all(in_place)
        });
        if let Some(copies) = &mut block.copy_on_write {
            copies.note(block.tree.changes());
        }
        for change in block.tree.changes() {
            match *change {
                Change::Split { level, left, right } => {
                    block.counters.add(SPLITS, 1);
                    block.counters.add(PAGES_ALLOCATED, 1);
                    self.cpu_ns += self.costs.split_ns;
                    steps.push(Step::NewPage { space: space(level), page: right });
                    if traced {
                        self.trace.emit(
                            now_ns,
                            block.block,
                            "btree_split",
                            || json!({"level": level, "node_id": left, "new_node_id": right}),
                        );
                        self.trace.emit(now_ns, block.block, "page_allocated", || json!({"page_id": right}));
                    }
                }
                Change::Grew { level } => {
                    block.counters.add(PAGES_ALLOCATED, 1);
                    steps.push(Step::NewPage { space: space(level), page: 0 });
                    if traced {
                        self.trace.emit(now_ns, block.block, "page_allocated", || json!({"page_id": 0}));
                    }
                }
                Change::Parent { level, page } | Change::Sibling { level, page } => {
                    steps.push(Step::Page { space: space(level), page, write: true });
                }
                Change::Merge { level, left, right } => {
                    block.counters.add(MERGES, 1);
                    self.cpu_ns += self.costs.split_ns;
                    steps.push(Step::Page { space: space(level), page: left, write: true });
                    steps.push(Step::Page { space: space(level), page: right, write: true });
                    if traced {
                        self.trace.emit(
                            now_ns,
                            block.block,
                            "btree_merge",
                            || json!({"level": level, "node_id": left, "removed_node_id": right}),
                        );
                    }
                }
            }
        }
        self.change_header(header);
        for (space, left, right) in splits {
            self.note_split(space, left, right);
        }
    }

    /// Whether the rows of a table lie in this tree.
    pub(crate) fn is_storage(&self, tree: u16) -> bool {
        self.tables.iter().any(|table| table.storage == Some(Storage::Tree(tree)))
    }
}
