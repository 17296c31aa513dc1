//! Reading a storage from end to end, with read-ahead: pages that are not in memory are asked for several at a time.

use serde_json::json;

use super::buffer::{Lookup, MISSES};
use super::disk::{IoKind, Purpose};
use super::operator::{PAGES, ROWS};
use super::query::Fed;
use super::wal::record::Record;
use crate::kernel::load::Find;
use crate::kernel::step::{Flow, Step};
use crate::kernel::{Kernel, Source, Storage, cost};
use crate::workload::OperationType;
use crate::workload::access::Access;

/// Pages in memory that a scan visits in the time of an event.
const PAGES_AN_EVENT: u64 = 8;

/// One page of a scan.
struct ScanPage {
    space: u16,
    page: u32,
    rows: u32,
    /// Where the next page is found; absent after the last.
    next: Option<u32>,
}

impl Kernel<'_> {
    /// The page at a scan position: a page number of a heap, a rank of a tree (leaves come and go, ranks stay).
    fn scan_page(&self, storage: Storage, position: u32) -> Option<ScanPage> {
        match storage {
            Storage::Heap(heap) => {
                let block = &self.heaps[usize::from(heap)];
                (position < block.pages()).then(|| ScanPage {
                    space: block.space,
                    page: position,
                    rows: block.rows_on(position),
                    next: (position + 1 < block.pages()).then_some(position + 1),
                })
            }
            Storage::Tree(tree) => {
                let block = &self.trees[usize::from(tree)];
                let leaf = block.tree.leaf_of(position);
                Some(ScanPage {
                    space: block.first_space,
                    page: leaf,
                    rows: block.tree.leaf_keys(leaf),
                    next: block.tree.next_leaf(leaf).map(|(_, start)| start),
                })
            }
        }
    }

    /// Reads on from a position; the next `loaded` pages were just read.
    pub(crate) fn scan(&mut self, client: u32, number: u16, position: u32, loaded: u32) -> Flow {
        let statement = self.statements[usize::from(number)];
        let Find::Scan { storage, read_ahead_pages, operator } = statement.find else { return Flow::Next };
        // Only an UPDATE without a condition changes every page on its way.
        let changes = statement.kind != OperationType::Select && statement.access == Access::Scan;
        let versioned = match storage {
            Storage::Heap(heap) if changes && self.heaps[usize::from(heap)].versions.is_some() => Some(heap),
            _ => None,
        };
        let write = changes && versioned.is_none();
        if let (Some(heap), 0, 0) = (versioned, position, loaded) {
            // Versions that the statement makes are not updated again.
            let heap = &self.heaps[usize::from(heap)];
            let state = &mut self.clients[client as usize];
            state.moved_rows = heap.moved_rows();
            state.scan_pages = heap.pages();
        }
        let (mut position, mut loaded) = (position, loaded);
        let mut visited = 0;
        while let Some(page) = self.scan_page(storage, position) {
            visited += 1;
            if loaded > 0 {
                loaded -= 1;
                self.cpu_ns += self.costs.page_visit_ns;
            } else if !self.hit(client, page.space, page.page, write) {
                if self.cpu_ns > 0 {
                    self.push(client, Step::Scan { statement: number, position, loaded: 0 });
                    return Flow::Yield;
                }
                return self.read_ahead(client, number, storage, position, &page, read_ahead_pages, write);
            }
            self.cpu_ns += u64::from(page.rows) * self.costs.scan_row_ns;
            if let Some(operator) = operator {
                let operator = &mut self.operators[usize::from(operator)];
                operator.counters.add(PAGES, 1);
                operator.counters.add(ROWS, u64::from(page.rows));
            }
            self.count_scanned(client, number, storage, &page, write, operator);
            if statement.feeds {
                let steps = self.clients[client as usize].steps.len();
                self.collect_rows(storage, &page, position);
                match self.feed(client, number, page.page) {
                    Fed::More => {}
                    Fed::Enough => return Flow::Next,
                    Fed::First => {
                        if let Some(position) = page.next {
                            // Under what comes first.
                            let on = Step::Scan { statement: number, position, loaded };
                            self.clients[client as usize].steps.insert(steps, on);
                        }
                        return Flow::Next;
                    }
                }
            }
            if let Some(heap) = versioned {
                let end = self.clients[client as usize].scan_pages;
                if position + 1 < end {
                    self.push(client, Step::Scan { statement: number, position: position + 1, loaded });
                }
                self.update_rows_on(client, number, heap, page.page);
                if position + 1 == end {
                    self.clients[client as usize].moved_rows = Vec::new();
                }
                return Flow::Next;
            }
            let Some(next) = page.next else { break };
            position = next;
            if self.cpu_ns >= cost::QUANTUM_NS {
                self.worked(visited / PAGES_AN_EVENT);
                self.push(client, Step::Scan { statement: number, position, loaded });
                return Flow::Yield;
            }
        }
        Flow::Next
    }

    /// The ranks of a page's rows, into `self.fed`. Rows that are not on the page they were loaded to, or would have been, come with
    /// the last one.
    fn collect_rows(&mut self, storage: Storage, page: &ScanPage, position: u32) {
        let mut ranks = std::mem::take(&mut self.fed);
        ranks.clear();
        match storage {
            Storage::Heap(heap) => {
                let table = self.tables.iter().find(|table| table.storage == Some(storage));
                let block = &self.heaps[usize::from(heap)];
                if let Some(table) = table {
                    let rank = |record| table.keys.rank_of(record);
                    ranks.extend(block.loaded_rows_on(page.page).map(rank));
                    if page.next.is_none() {
                        ranks.extend(block.moved_rows().into_iter().map(|(_, record)| rank(record)));
                    }
                }
            }
            Storage::Tree(tree) => {
                let tree = &self.trees[usize::from(tree)].tree;
                let end = page.next.unwrap_or(tree.universe());
                let first = tree.next_present(position);
                let next = |rank: &u32| tree.next_present(rank + 1);
                ranks.extend(std::iter::successors(first, next).take_while(|rank| *rank < end));
            }
        }
        self.fed = ranks;
    }

    fn count_scanned(
        &mut self,
        client: u32,
        number: u16,
        storage: Storage,
        page: &ScanPage,
        write: bool,
        operator: Option<u16>,
    ) {
        let statement = self.statements[usize::from(number)];
        let row_bytes = u64::from(self.tables[usize::from(statement.table)].record_bytes);
        let bytes = u64::from(page.rows) * row_bytes;
        let (block, wal) = match storage {
            Storage::Heap(heap) => {
                let pruned = self.prune_on_visit(client, heap, page.page);
                let heap = &mut self.heaps[usize::from(heap)];
                let noted = heap.take_hint(page.page) || pruned;
                if let (true, Source::Pool(pool)) = (noted, self.spaces[usize::from(page.space)].source) {
                    self.pools[usize::from(pool)].change(page.space, page.page);
                }
                (heap.block, heap.wal)
            }
            Storage::Tree(tree) => (self.trees[usize::from(tree)].block, self.trees[usize::from(tree)].wal),
        };
        if write {
            self.totals.bytes_changed += bytes;
            self.log(client, wal, bytes, |kernel| kernel.scanned_page_record(storage, page.page));
        } else if statement.kind == OperationType::Select || statement.access != Access::Scan {
            // An update of versions counts its rows itself.
            self.totals.bytes_asked += bytes;
        }
        if self.clients[client as usize].traced {
            let block = operator.map_or(block, |operator| self.operators[usize::from(operator)].block);
            self.trace.emit(self.now_ns + self.cpu_ns, block, "page_scan", || json!({"page_id": page.page}));
        }
    }

    /// An update in place of every row on a page.
    fn scanned_page_record(&self, storage: Storage, page: u32) -> Record {
        match storage {
            Storage::Heap(heap) => {
                let heap = &self.heaps[usize::from(heap)];
                Record::new(0).page(heap.logged(page, heap.rows_on(page) * heap.record_bytes, false))
            }
            Storage::Tree(tree) => {
                let block = &self.trees[usize::from(tree)];
                let bytes = block.tree.leaf_keys(page) * block.tree.item_bytes();
                Record::new(0).page(block.logged(0, page, bytes, false))
            }
        }
    }

    /// Updates, by new versions, the rows that were on a page when the statement began.
    fn update_rows_on(&mut self, client: u32, number: u16, heap: u16, page: u32) {
        let table = usize::from(self.statements[usize::from(number)].table);
        let keys = &self.tables[table].keys;
        let state = &mut self.clients[client as usize];
        let first = state.moved_rows.partition_point(|(of, _)| *of < page);
        let moved =
            state.moved_rows[first..].iter().take_while(|(of, _)| *of == page).map(|(_, record)| *record);
        let loaded = self.heaps[usize::from(heap)].loaded_rows_on(page);
        let from = state.steps.len();
        for record in loaded.chain(moved) {
            state.steps.push(Step::ScannedRow { statement: number, rank: keys.rank_of(record) });
        }
        state.steps[from..].reverse();
    }

    /// Asks for the page of a scan that is not in memory, together with those behind it that are not either.
    #[allow(clippy::too_many_arguments, reason = "the scan's own variables, handed on once")]
    fn read_ahead(
        &mut self,
        client: u32,
        number: u16,
        storage: Storage,
        position: u32,
        first: &ScanPage,
        read_ahead_pages: u32,
        write: bool,
    ) -> Flow {
        let again = |loaded: u32| Step::Scan { statement: number, position, loaded };
        let (space, page) = (first.space, first.page);
        match self.spaces[usize::from(space)].source {
            // Changed pages go back one by one, each right after it was read.
            Source::Disk(_) if write => {
                self.push(client, again(1));
                self.push(client, Step::Page { space, page, write });
                Flow::Next
            }
            Source::Disk(disk) => {
                let pages = self.run_length(storage, first, read_ahead_pages, |_| true);
                self.push(client, again(pages));
                self.clients[client as usize].waiting_since_ns = self.now_ns;
                self.submit_pages(disk, IoKind::Read, Purpose::Direct { client }, space, page, pages);
                Flow::Wait
            }
            Source::Pool(pool) => {
                let absent = self.pools[usize::from(pool)].peek(space, page) == Lookup::Absent;
                if !absent || self.pools[usize::from(pool)].next_take_waits(space, page) {
                    // Someone else is reading it, or a dirty page has to go first: one page, the usual way.
                    self.push(client, again(1));
                    self.push(client, Step::Page { space, page, write });
                    return Flow::Next;
                }
                let wanted = self.run_length(storage, first, read_ahead_pages, |page| {
                    self.pools[usize::from(pool)].peek(space, page) == Lookup::Absent
                });
                let run = self.free_runs.pop().unwrap_or_else(|| {
                    self.runs.push(Vec::new());
                    self.runs.len() as u32 - 1
                });
                let mut pages = 0;
                while pages < wanted && !self.pools[usize::from(pool)].next_take_waits(space, page + pages) {
                    let Some((frame, _)) = self.take_frame(client, pool, space, page + pages, write) else {
                        break;
                    };
                    self.runs[run as usize].push(frame);
                    pages += 1;
                }
                self.pools[usize::from(pool)].counters.add(MISSES, u64::from(pages));
                self.spaces[usize::from(space)].misses += u64::from(pages);
                self.push(client, again(pages));
                self.clients[client as usize].waiting_since_ns = self.now_ns;
                let disk = self.pools[usize::from(pool)].disk;
                let purpose = Purpose::LoadRun { client, pool, run };
                self.submit_pages(disk, IoKind::Read, purpose, space, page, pages);
                Flow::Wait
            }
        }
    }

    /// How many pages, the first included, follow each other on the device and are wanted.
    fn run_length(
        &self,
        storage: Storage,
        first: &ScanPage,
        limit: u32,
        wanted: impl Fn(u32) -> bool,
    ) -> u32 {
        let mut length = 1;
        let mut next = first.next;
        while length < limit {
            let Some(page) = next.and_then(|position| self.scan_page(storage, position)) else { break };
            if page.page != first.page + length || !wanted(page.page) {
                break;
            }
            length += 1;
            next = page.next;
        }
        length
    }
}
