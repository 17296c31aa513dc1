//! What a tree keeps whose changed pages go to new places when their transaction commits.

use super::counters::Counters;
use super::tree::Change;
use super::tree::free_list::FreeList;

const PAGES_COPIED: usize = 0;
const FREE_LIST_PAGES_WRITTEN: usize = 1;

#[derive(Debug)]
pub(crate) struct CopyOnWrite {
    pub(crate) free_list: FreeList,
    pub(crate) counters: Counters<2>,
    /// Pages the transaction in progress added to the tree, and took away.
    new_pages: u64,
    removed_pages: u64,
}

impl CopyOnWrite {
    pub(crate) fn new(page_bytes: u32, tree_pages: u64) -> Self {
        Self {
            free_list: FreeList::new(page_bytes, tree_pages),
            counters: Counters::new(["pages_copied", "free_list_pages_written"]),
            new_pages: 0,
            removed_pages: 0,
        }
    }

    /// Takes note of what a change did to the tree's pages.
    pub(crate) fn note(&mut self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Split { .. } | Change::Grew { .. } => self.new_pages += 1,
                Change::Merge { .. } => self.removed_pages += 1,
                Change::Parent { .. } | Change::Sibling { .. } => {}
            }
        }
    }

    /// The transaction commits with `written` changed and new pages. Tells how many pages of the free list it writes.
    pub(crate) fn commit(&mut self, written: u64) -> u64 {
        let copied = written.saturating_sub(self.new_pages);
        let list_pages = self.free_list.commit(written, copied + self.removed_pages);
        self.counters.add(PAGES_COPIED, copied);
        self.counters.add(FREE_LIST_PAGES_WRITTEN, list_pages);
        (self.new_pages, self.removed_pages) = (0, 0);
        list_pages
    }
}
