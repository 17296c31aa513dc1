//! Bitmap heap scans: the places of a range's rows are collected, then each heap page is visited once, in order.
//!
//! As PostgreSQL's `tidbitmap.c`: an entry of 64 bytes a page while the memory holds them; when it does not, half of the pages
//! lose their rows' places and become bits of an entry for 256 pages: lossy, every row of theirs is tested again.

use serde_json::json;

use super::operator::PAGES;
use crate::kernel::load::Find;
use crate::kernel::step::{Flow, Step};
use crate::kernel::{Kernel, Storage};
use crate::plan::FetchSpec;
use crate::workload::OperationType;

const ENTRY_BYTES: u64 = 64;
const FEWEST_ENTRIES: u64 = 16;
/// Pages an entry of lossy ones stands for.
const CHUNK_PAGES: u32 = 256;

#[derive(Debug)]
pub(crate) struct Bitmap {
    exact: Vec<u64>,
    lossy: Vec<u64>,
    /// Entries of pages, and of chunks of lossy ones.
    page_entries: u64,
    chunks: Vec<bool>,
    chunk_entries: u64,
    most_entries: u64,
    /// Where the next pages to become lossy are looked for.
    next_lossy: u32,
    rows: u64,
}

impl Bitmap {
    fn new(heap_pages: u32, memory_bytes: u64) -> Self {
        let words = heap_pages.div_ceil(64) as usize;
        Self {
            exact: vec![0; words],
            lossy: Vec::new(),
            page_entries: 0,
            chunks: Vec::new(),
            chunk_entries: 0,
            most_entries: (memory_bytes / ENTRY_BYTES).max(FEWEST_ENTRIES),
            next_lossy: 0,
            rows: 0,
        }
    }

    /// A row on this page is wanted.
    fn add(&mut self, page: u32) {
        self.rows += 1;
        let (word, bit) = ((page / 64) as usize, 1 << (page % 64));
        if word >= self.exact.len() {
            self.exact.resize(word + 1, 0);
        }
        if self.exact[word] & bit != 0 || self.lossy.get(word).is_some_and(|word| word & bit != 0) {
            return;
        }
        self.exact[word] |= bit;
        self.page_entries += 1;
        if self.page_entries + self.chunk_entries > self.most_entries {
            self.lossify();
        }
    }

    /// Pages become lossy until half of the entries are left.
    fn lossify(&mut self) {
        self.lossy.resize(self.exact.len(), 0);
        let pages = self.exact.len() as u32 * 64;
        self.chunks.resize(pages.div_ceil(CHUNK_PAGES) as usize, false);
        let words = self.exact.len();
        for _ in 0..words {
            if self.page_entries + self.chunk_entries <= self.most_entries / 2 {
                return;
            }
            let word = self.next_lossy as usize % words;
            self.next_lossy = word as u32 + 1;
            let bits = std::mem::take(&mut self.exact[word]);
            if bits == 0 {
                continue;
            }
            self.lossy[word] |= bits;
            self.page_entries -= u64::from(bits.count_ones());
            let chunk = &mut self.chunks[word * 64 / CHUNK_PAGES as usize];
            self.chunk_entries += u64::from(!*chunk);
            *chunk = true;
        }
        // Chunks alone are too many: PostgreSQL lets them grow from here on.
        self.most_entries = self.most_entries.max(2 * (self.page_entries + self.chunk_entries));
    }

    /// The first page from `page` on, and whether its rows' places are forgotten.
    fn next(&self, page: u32) -> Option<(u32, bool)> {
        let mut word = (page / 64) as usize;
        let mut mask = u64::MAX << (page % 64);
        while word < self.exact.len() {
            let lossy = self.lossy.get(word).copied().unwrap_or(0);
            let bits = (self.exact[word] | lossy) & mask;
            if bits != 0 {
                let bit = bits.trailing_zeros();
                return Some((word as u32 * 64 + bit, lossy >> bit & 1 == 1));
            }
            mask = u64::MAX;
            word += 1;
        }
        None
    }

    fn pages(&self) -> (u32, u32) {
        let count = |words: &[u64]| words.iter().map(|word| word.count_ones()).sum();
        (count(&self.exact), count(&self.lossy))
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        (self.exact.capacity() + self.lossy.capacity()) as u64 * 8 + self.chunks.capacity() as u64
    }
}

impl Kernel<'_> {
    /// A range through an index with `bitmap` collects its rows' pages.
    pub(crate) fn begin_bitmap(&mut self, client: u32, number: u16) {
        let statement = self.statements[usize::from(number)];
        self.clients[client as usize].bitmap = None;
        let FetchSpec::Bitmap { memory_bytes } = statement.fetch else { return };
        let Some(Storage::Heap(heap)) = self.tables[usize::from(statement.table)].storage else { return };
        if statement.kind != OperationType::Select {
            return;
        }
        let pages = self.heaps[usize::from(heap)].pages();
        self.clients[client as usize].bitmap = Some(Box::new(Bitmap::new(pages, memory_bytes)));
    }

    /// Whether a row goes into the client's bitmap instead of being fetched.
    pub(crate) fn collect_in_bitmap(&mut self, client: u32, number: u16, rank: u32) -> bool {
        let Some(bitmap) = &mut self.clients[client as usize].bitmap else { return false };
        let table = &self.tables[usize::from(self.statements[usize::from(number)].table)];
        let Some(Storage::Heap(heap)) = table.storage else { return false };
        let (heap, record) = (&self.heaps[usize::from(heap)], table.keys.record_of(rank));
        if heap.contains(record) {
            bitmap.add(heap.page_of(record));
        }
        true
    }

    /// All entries of a range have been read: now the heap pages.
    pub(crate) fn end_bitmap(&mut self, client: u32, number: u16) {
        let Some(bitmap) = &self.clients[client as usize].bitmap else { return };
        let rows = bitmap.rows;
        if self.clients[client as usize].traced {
            if let Find::Search { operator: Some(operator), .. } = self.statements[usize::from(number)].find {
                let (block, (exact, lossy)) = (self.operators[usize::from(operator)].block, bitmap.pages());
                self.trace.emit(
                    self.now_ns + self.cpu_ns,
                    block,
                    "bitmap_built",
                    || json!({"rows": rows, "exact_pages": exact, "lossy_pages": lossy}),
                );
            }
        }
        let statement = self.statements[usize::from(number)];
        let row_bytes = u64::from(self.tables[usize::from(statement.table)].record_bytes);
        self.totals.bytes_asked += rows * row_bytes;
        self.push(client, Step::BitmapPages { statement: number, page: 0 });
    }

    /// Visits the pages of the bitmap from this one on.
    pub(crate) fn bitmap_pages(&mut self, client: u32, number: u16, page: u32) -> Flow {
        let statement = self.statements[usize::from(number)];
        let Some(Storage::Heap(heap)) = self.tables[usize::from(statement.table)].storage else {
            return Flow::Next;
        };
        let Some(bitmap) = self.clients[client as usize].bitmap.take() else { return Flow::Next };
        let space = self.heaps[usize::from(heap)].space;
        let mut page = page;
        while let Some((found, lossy)) = bitmap.next(page) {
            page = found + 1;
            if lossy {
                let rows = self.heaps[usize::from(heap)].rows_on(found);
                self.cpu_ns += u64::from(rows) * self.costs.scan_row_ns;
            }
            if let Find::Search { operator: Some(operator), .. } = statement.find {
                self.operators[usize::from(operator)].counters.add(PAGES, 1);
            }
            let hinted = self.prune_on_visit(client, heap, found);
            let write = self.heaps[usize::from(heap)].take_hint(found) || hinted;
            if !self.hit(client, space, found, write) {
                self.clients[client as usize].bitmap = Some(bitmap);
                self.push(client, Step::BitmapPages { statement: number, page });
                self.push(client, Step::Page { space, page: found, write });
                return Flow::Next;
            }
            self.worked(u64::from(found % 8 == 0));
        }
        Flow::Next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        /// Every page with a wanted row is visited once, in order, however little memory there is.
        #[test]
        fn pages_come_once_and_in_order(
            wanted in prop::collection::vec(0u32..3_000, 0..2_000),
            memory_bytes in 0u64..100_000,
        ) {
            let mut bitmap = Bitmap::new(1_000, memory_bytes);
            wanted.iter().for_each(|page| bitmap.add(*page));
            let mut visited = Vec::new();
            let mut lossy_pages = 0;
            let mut from = 0;
            while let Some((page, lossy)) = bitmap.next(from) {
                visited.push(page);
                lossy_pages += u32::from(lossy);
                from = page + 1;
            }
            let expected: BTreeSet<u32> = wanted.iter().copied().collect();
            prop_assert_eq!(&visited, &expected.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(bitmap.pages(), (visited.len() as u32 - lossy_pages, lossy_pages));
            let fits = expected.len() as u64 <= (memory_bytes / ENTRY_BYTES).max(FEWEST_ENTRIES);
            prop_assert_eq!(lossy_pages == 0, fits);
        }
    }

    #[test]
    fn some_pages_stay_exact_when_memory_runs_out() {
        let mut bitmap = Bitmap::new(100_000, 64 * 1_000);
        (0..1_001).for_each(|page| bitmap.add(page * 90));
        let (exact, lossy) = bitmap.pages();
        assert_eq!(exact + lossy, 1_001);
        // 352 chunks of lossy pages, and what half of a thousand entries leaves.
        assert!((100..=500 - 150).contains(&exact), "{exact}");
    }
}
