//! The pages of one level of a tree. Pages that bulk loading made stay implicit: their figures follow from their number.
//! A group of them becomes explicit when one of the group first changes.

/// No page.
pub(crate) const NONE: u32 = u32::MAX;

const GROUP_BITS: u32 = 5;
const GROUP: u32 = 1 << GROUP_BITS;

/// One page. On leaves `start` is the lowest rank it may hold; above, it is its first child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) start: u32,
    pub(crate) next: u32,
    pub(crate) parent: u32,
    /// Keys, or children.
    pub(crate) count: u32,
}

/// How the pages bulk loading made are found by arithmetic.
#[derive(Debug, Clone)]
pub(crate) struct Bulk {
    pub(crate) pages: u32,
    /// Items of every page but the last.
    pub(crate) per_page: u32,
    /// Items of all pages.
    pub(crate) items: u64,
    /// Leaves only: rank of the first key when the loaded ranks are contiguous.
    pub(crate) base: u32,
    /// Leaves only: the lowest rank of each page when they are not.
    pub(crate) starts: Vec<u32>,
    /// Figures of the level above; no pages at the root.
    pub(crate) parent_per_page: u32,
    pub(crate) parent_pages: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct Level {
    bulk: Bulk,
    leaf: bool,
    /// By group of pages: 1 + its place in `nodes`, 0 while implicit.
    groups: Vec<u32>,
    nodes: Vec<Node>,
    /// Pages ever made; the next new page has this number.
    pub(crate) allocated: u32,
    free: Vec<u32>,
}

impl Level {
    pub(crate) fn bulk(bulk: Bulk, leaf: bool) -> Self {
        let allocated = bulk.pages;
        Self { bulk, leaf, groups: Vec::new(), nodes: Vec::new(), allocated, free: Vec::new() }
    }

    /// A level with one explicit page.
    pub(crate) fn single(node: Node, leaf: bool) -> Self {
        let nothing = Bulk {
            pages: 0,
            per_page: 1,
            items: 0,
            base: 0,
            starts: Vec::new(),
            parent_per_page: 1,
            parent_pages: 0,
        };
        let mut level = Self::bulk(nothing, leaf);
        let id = level.allocate();
        *level.get_mut(id) = node;
        level
    }

    /// Pages in use.
    pub(crate) fn pages(&self) -> u64 {
        u64::from(self.allocated) - self.free.len() as u64
    }

    #[inline]
    pub(crate) fn get(&self, page: u32) -> Node {
        if self.nodes.is_empty() {
            return self.implicit(page);
        }
        match self.groups[(page >> GROUP_BITS) as usize] {
            0 => self.implicit(page),
            place => self.nodes[((place - 1) << GROUP_BITS | page & (GROUP - 1)) as usize],
        }
    }

    /// The parent of a page in use.
    #[inline]
    pub(crate) fn parent(&self, page: u32) -> u32 {
        if !self.nodes.is_empty() {
            let place = self.groups[(page >> GROUP_BITS) as usize];
            if place > 0 {
                return self.nodes[((place - 1) << GROUP_BITS | page & (GROUP - 1)) as usize].parent;
            }
        }
        self.implicit_parent(page)
    }

    #[inline]
    fn implicit_parent(&self, page: u32) -> u32 {
        match self.bulk.parent_pages {
            0 => NONE,
            1 => 0,
            pages => (page / self.bulk.parent_per_page).min(pages - 1),
        }
    }

    pub(crate) fn get_mut(&mut self, page: u32) -> &mut Node {
        let group = (page >> GROUP_BITS) as usize;
        if group >= self.groups.len() {
            let needed = (self.allocated.div_ceil(GROUP) as usize).max(group + 1);
            self.groups.resize(needed, 0);
        }
        if self.groups[group] == 0 {
            let first = (group as u32) << GROUP_BITS;
            let made: Vec<Node> = (first..first + GROUP).map(|page| self.implicit(page)).collect();
            self.nodes.extend(made);
            self.groups[group] = self.nodes.len() as u32 >> GROUP_BITS;
        }
        let place = self.groups[group] - 1;
        &mut self.nodes[(place << GROUP_BITS | page & (GROUP - 1)) as usize]
    }

    fn implicit(&self, page: u32) -> Node {
        let bulk = &self.bulk;
        if page >= bulk.pages {
            return Node { start: 0, next: NONE, parent: NONE, count: 0 };
        }
        let last = page + 1 == bulk.pages;
        let before = u64::from(page) * u64::from(bulk.per_page);
        let start = match (self.leaf, bulk.starts.get(page as usize)) {
            (true, Some(start)) => *start,
            // The first leaf takes every key below it.
            (true, None) if page == 0 => 0,
            (true, None) => bulk.base + before as u32,
            (false, _) => before as u32,
        };
        Node {
            start,
            next: if last { NONE } else { page + 1 },
            parent: self.implicit_parent(page),
            count: if last { (bulk.items - before) as u32 } else { bulk.per_page },
        }
    }

    /// The leaf that holds a rank, by arithmetic; only while all loaded ranks are contiguous and nothing has split.
    #[inline]
    pub(crate) fn leaf_by_arithmetic(&self, rank: u32) -> u32 {
        (rank.saturating_sub(self.bulk.base) / self.bulk.per_page).min(self.bulk.pages - 1)
    }

    /// A new page, number reused where one is free.
    pub(crate) fn allocate(&mut self) -> u32 {
        if let Some(page) = self.free.pop() {
            return page;
        }
        let page = self.allocated;
        self.allocated += 1;
        page
    }

    pub(crate) fn release(&mut self, page: u32) {
        self.free.push(page);
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        (self.nodes.capacity() * size_of::<Node>()
            + (self.groups.capacity() + self.bulk.starts.capacity() + self.free.capacity()) * 4)
            as u64
    }
}
