//! The free list of a copy-on-write file (LMDB's `FREE_DBI`; `mdb_page_alloc`, `mdb_freelist_save` of version 0.9): a tree in the
//! same file, with a record for the pages that each transaction freed.
//!
//! A transaction takes new pages from the oldest records, only not from that of the transaction just before, which its own
//! crash would bring back; then from the end of the file. What it leaves of an opened record it writes back. The list's own
//! pages are copied like all others.

use std::collections::VecDeque;

/// Two pages tell where the newest tree is; they are written in turn.
const META_PAGES: u64 = 2;
const PAGE_HEADER_BYTES: u64 = 16;
/// Header, 8-byte key and pointer of a record's node.
const NODE_BYTES: u64 = 8 + 8 + 2;
const PAGE_NUMBER_BYTES: u64 = 8;

/// The pages one transaction freed, or what is left of them.
#[derive(Debug, Clone, Copy, Default)]
struct Record {
    pages: u64,
    /// Pages of the list that hold their numbers, where a leaf of the list does not.
    list_pages: u64,
    /// Bytes in a leaf of the list.
    node_bytes: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct FreeList {
    page_bytes: u64,
    /// Oldest first. The last one is that of the transaction just before.
    records: VecDeque<Record>,
    /// What is left of those that pages are taken from.
    opened: Record,
    /// Of all records.
    node_bytes: u64,
    overflow_pages: u64,
    file_pages: u64,
    own_pages: u64,
}

impl FreeList {
    /// For a file with a tree of `tree_pages` and nothing free.
    pub(crate) fn new(page_bytes: u32, tree_pages: u64) -> Self {
        Self {
            page_bytes: u64::from(page_bytes),
            records: VecDeque::new(),
            opened: Record::default(),
            node_bytes: 0,
            overflow_pages: 0,
            file_pages: tree_pages + META_PAGES,
            own_pages: 0,
        }
    }

    /// Pages of the file: those of the tree, of this list, free ones, and two more.
    pub(crate) fn file_pages(&self) -> u64 {
        self.file_pages
    }

    pub(crate) fn free_pages(&self) -> u64 {
        self.opened.pages + self.records.iter().map(|record| record.pages).sum::<u64>()
    }

    pub(crate) fn own_pages(&self) -> u64 {
        self.own_pages
    }

    /// A transaction wrote `written` pages of the tree to new places, and `freed` are no longer part of it. Tells how many pages
    /// of the list it wrote.
    pub(crate) fn commit(&mut self, written: u64, freed: u64) -> u64 {
        let own_before = self.own_pages;
        let (was_open, rewritten) = (self.opened.pages > 0, self.opened.list_pages);
        let oldest_changes = self.take(written) || was_open;
        // Below a root, the leaf of the newest record changes, and that of the oldest.
        let path_pages = if self.leaves() == 1 { 1 } else { 2 + u64::from(oldest_changes) };
        let record = self.record(freed + path_pages + rewritten);
        let mut list_pages = path_pages + record.list_pages + self.record(self.opened.pages).list_pages;
        self.take(list_pages);
        self.node_bytes += record.node_bytes;
        self.overflow_pages += record.list_pages;
        self.reopen(self.opened.pages);

        let leaves = self.leaves();
        self.own_pages = leaves + u64::from(leaves > 1) + self.overflow_pages;
        let grown = self.own_pages.saturating_sub(own_before + list_pages);
        self.take(grown);
        list_pages += grown;
        // What was written and does not make the list longer takes the place of something.
        let replaced = own_before + list_pages - self.own_pages;
        self.records.push_back(Record { pages: freed + replaced, ..record });
        list_pages
    }

    fn leaves(&self) -> u64 {
        self.node_bytes.div_ceil(self.page_bytes - PAGE_HEADER_BYTES).max(1)
    }

    fn record(&self, pages: u64) -> Record {
        let data_bytes = (pages + 1) * PAGE_NUMBER_BYTES;
        let most = (self.page_bytes - PAGE_HEADER_BYTES) / 2 - 2;
        if pages == 0 {
            Record::default()
        } else if NODE_BYTES - 2 + data_bytes <= most {
            Record { pages, list_pages: 0, node_bytes: NODE_BYTES + data_bytes }
        } else {
            let list_pages = (PAGE_HEADER_BYTES + data_bytes).div_ceil(self.page_bytes);
            Record { pages, list_pages, node_bytes: NODE_BYTES + PAGE_NUMBER_BYTES }
        }
    }

    /// Writes what is left of the opened records anew.
    fn reopen(&mut self, pages: u64) {
        let record = self.record(pages);
        self.node_bytes = self.node_bytes + record.node_bytes - self.opened.node_bytes;
        self.overflow_pages = self.overflow_pages + record.list_pages - self.opened.list_pages;
        self.opened = record;
    }

    /// Takes free pages. Whether records had to be opened.
    fn take(&mut self, pages: u64) -> bool {
        let mut opens = false;
        while self.opened.pages < pages && self.records.len() > 1 {
            let Some(record) = self.records.pop_front() else { break };
            self.node_bytes -= record.node_bytes;
            self.overflow_pages -= record.list_pages;
            self.opened.pages += record.pages;
            opens = true;
        }
        let free = pages.min(self.opened.pages);
        self.opened.pages -= free;
        self.file_pages += pages - free;
        opens
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Pages of the file are those of the tree, of the list, free ones and the meta pages, whatever transactions do.
        #[test]
        fn pages_are_live_or_free(
            tree_pages in 1u64..3_000,
            transactions in prop::collection::vec((1u64..1_500, 0u64..50, 0u64..50), 1..200),
        ) {
            let mut list = FreeList::new(4096, tree_pages);
            let mut live = tree_pages;
            for (copied, new, removed) in transactions {
                let copied = copied.min(live);
                let removed = removed.min(live - copied);
                list.commit(copied + new, copied + removed);
                live = live + new - removed;
                prop_assert_eq!(list.file_pages(), live + list.own_pages() + list.free_pages() + META_PAGES);
            }
        }
    }

    #[test]
    fn a_steady_load_reuses_what_it_freed() {
        let mut list = FreeList::new(4096, 20_000);
        let pages: Vec<u64> = (0..2_000).map(|_| list.commit(3, 3)).collect();
        // One page of records, and a file that has stopped growing.
        assert!(pages[1_000..].iter().all(|pages| *pages == 1), "{:?}", &pages[1_990..]);
        assert!(list.file_pages() < 20_040, "{}", list.file_pages());
        // Long lists of numbers take pages of their own.
        let pages: Vec<u64> = (0..40).map(|_| list.commit(900, 900)).collect();
        assert!(pages[20..].iter().all(|pages| (3..=6).contains(pages)), "{pages:?}");
    }
}
