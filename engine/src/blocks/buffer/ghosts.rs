//! Pages that were evicted and are remembered, in order of eviction.

use super::PageId;
use super::list::{Links, NONE, Queue};

#[derive(Debug, Clone)]
pub(super) struct Ghosts {
    /// By space, by page: 1 + slot, 0 when not remembered.
    tables: Vec<Vec<u32>>,
    slots: Vec<PageId>,
    links: Links,
    order: Queue,
    free: Vec<u32>,
}

impl Ghosts {
    pub(super) fn new() -> Self {
        Self {
            tables: Vec::new(),
            slots: Vec::new(),
            links: Links::new(0),
            order: Queue::new(),
            free: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> u32 {
        self.order.len()
    }

    pub(super) fn contains(&self, page: PageId) -> bool {
        self.slot(page).is_some()
    }

    fn slot(&self, page: PageId) -> Option<u32> {
        let entry = self.tables.get(usize::from(page.space))?.get(page.page as usize)?;
        entry.checked_sub(1)
    }

    /// Remembers a page that is not remembered yet.
    pub(super) fn push(&mut self, page: PageId) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(page);
            self.links.extend();
            self.slots.len() as u32 - 1
        });
        self.slots[slot as usize] = page;
        self.order.push(&mut self.links, slot);
        *entry(&mut self.tables, page) = slot + 1;
    }

    /// Forgets a page; whether it was remembered.
    pub(super) fn remove(&mut self, page: PageId) -> bool {
        let Some(slot) = self.slot(page) else { return false };
        self.order.remove(&mut self.links, slot);
        *entry(&mut self.tables, page) = 0;
        self.free.push(slot);
        true
    }

    /// Forgets the oldest until at most `limit` are left.
    pub(super) fn trim(&mut self, limit: u32) {
        while self.order.len() > limit {
            let oldest = self.order.oldest();
            debug_assert_ne!(oldest, NONE, "a list with a length has an oldest");
            self.remove(self.slots[oldest as usize]);
        }
    }

    pub(super) fn memory_bytes(&self) -> u64 {
        let tables: usize = self.tables.iter().map(Vec::capacity).sum();
        (tables + self.free.capacity()) as u64 * 4
            + self.slots.capacity() as u64 * 8
            + self.links.memory_bytes()
    }
}

/// The place of a page in tables by space and page, which grow as needed.
pub(super) fn entry<T: Clone + Default>(tables: &mut Vec<Vec<T>>, page: PageId) -> &mut T {
    let space = usize::from(page.space);
    if space >= tables.len() {
        tables.resize(space + 1, Vec::new());
    }
    let table = &mut tables[space];
    if page.page as usize >= table.len() {
        table.resize(page.page as usize + 1, T::default());
    }
    &mut table[page.page as usize]
}
