//! VACUUM of a heap that keeps versions of rows, while a run goes on, as PostgreSQL's autovacuum does it (`autovacuum.c`,
//! `vacuumlazy.c`, `nbtree.c` of version 15):
//!
//! 1. Every naptime the table is looked at: more dead rows than threshold + scale factor · rows, and a vacuum begins.
//! 2. It reads the heap's pages that changed since the last one, and those between them where fewer than 32 lie in between, and
//!    prunes what no transaction in progress can see.
//! 3. Where that, or earlier pruning, left dead line pointers, it reads every page of every tree on the table and takes the
//!    entries that point to them.
//! 4. It reads the pages of those line pointers again, makes them usable, and tells the free-space map.
//!
//! Pages go through the pool and the devices like those of a client whom nobody waits for. It pauses as cost-based delay says:
//! a page costs 1 when it is in memory and 2 when it has to be read, 20 more when it becomes dirty; after 200 it sleeps for the
//! delay, longer in proportion for more, four times at most.

use serde_json::json;

use super::HeapBlock;
use super::update::PRUNE_BYTES;
use super::version_page::precedes;
use super::versions::Versions;
use crate::blocks::counters::Counters;
use crate::blocks::tree_block::OLD_ENTRIES_DELETED;
use crate::blocks::wal::record::Record;
use crate::kernel::calendar::Event;
use crate::kernel::step::{Flow, Step};
use crate::kernel::{Kernel, Source, Storage};
use crate::plan::VacuumSpec;

const VACUUMS: usize = 0;
const PAGES_READ: usize = 1;
const ROWS_REMOVED: usize = 2;
const INDEX_ENTRIES_REMOVED: usize = 3;

/// Fewer unchanged pages than these in a row are read all the same (`SKIP_PAGES_THRESHOLD`).
const SKIPPED_PAGES: u32 = 32;

/// PostgreSQL's defaults of `vacuum_cost_limit`, `vacuum_cost_page_hit`, `_miss` and `_dirty`.
const COST_LIMIT: u64 = 200;
const HIT_COST: u64 = 1;
const MISS_COST: u64 = 2;
const DIRTY_COST: u64 = 20;
const LONGEST_PAUSE: u64 = 4;

/// Fixed parts of the log records of line pointers and of index entries that go.
const LINE_POINTERS_FREED_BYTES: u32 = 2;
const ENTRIES_VACUUMED_BYTES: u32 = 4;

impl VacuumSpec {
    /// Whether a table with these rows has enough dead ones.
    fn is_due(&self, dead_rows: u64, rows: u64) -> bool {
        dead_rows as f64 > f64::from(self.threshold) + self.scale_factor * rows as f64
    }

    /// How long to sleep after pages of this cost; absent while the limit is not reached.
    fn pause_ns(&self, cost: u64) -> Option<u64> {
        let pause_ns = (self.cost_delay_ns * cost / COST_LIMIT).min(LONGEST_PAUSE * self.cost_delay_ns);
        (cost >= COST_LIMIT && self.cost_delay_ns > 0).then_some(pause_ns)
    }
}

/// Dead line pointers that a vacuum found on a page, of versions that ended before `horizon`.
#[derive(Debug, Clone, Copy)]
struct DeadRows {
    page: u32,
    line_pointers: u32,
    horizon: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    /// Heap pages from `page` on, up to the end when it began.
    Heap {
        page: u32,
        end: u32,
    },
    /// Pages of a level of the table's tree of this position.
    Index {
        position: usize,
        level: usize,
        page: u32,
    },
    /// Line pointers of the heap pages of this position on.
    LinePointers(usize),
}

/// What a heap's vacuum is about.
#[derive(Debug)]
pub(crate) struct Vacuum {
    spec: VacuumSpec,
    pub(crate) counters: Counters<4>,
    phase: Phase,
    /// In order of page.
    dead: Vec<DeadRows>,
    /// Since the last pause.
    cost: u64,
    pages_scanned: u64,
    rows_removed: u64,
    entries_removed: u64,
}

impl Vacuum {
    fn new(spec: VacuumSpec) -> Self {
        Self {
            spec,
            counters: Counters::new([
                "vacuums",
                "vacuum_pages_read",
                "vacuum_rows_removed",
                "vacuum_index_entries_removed",
            ]),
            phase: Phase::Idle,
            dead: Vec::new(),
            cost: 0,
            pages_scanned: 0,
            rows_removed: 0,
            entries_removed: 0,
        }
    }

    pub(super) fn memory_bytes(&self) -> u64 {
        (self.dead.capacity() * size_of::<DeadRows>()) as u64
    }
}

impl HeapBlock {
    /// Has a heap that keeps versions vacuumed while the run goes on.
    pub(crate) fn with_vacuum(mut self, spec: VacuumSpec) -> Self {
        if let Some(versions) = &mut self.versions {
            versions.note_changed_pages();
            self.vacuum = Some(Box::new(Vacuum::new(spec)));
        }
        self
    }

    /// Begins a vacuum where one is due and none is in progress; the dead rows it was for.
    fn begin_vacuum(&mut self) -> Option<u64> {
        let (vacuum, versions) = (self.vacuum.as_mut()?, self.versions.as_ref()?);
        let dead_rows = versions.dead_rows();
        if vacuum.phase != Phase::Idle || !vacuum.spec.is_due(dead_rows, self.row_count) {
            return None;
        }
        vacuum.phase = Phase::Heap { page: 0, end: versions.pages() };
        (vacuum.cost, vacuum.pages_scanned, vacuum.rows_removed, vacuum.entries_removed) = (0, 0, 0, 0);
        Some(dead_rows)
    }
}

/// The page a vacuum reads next, from `page` on; the last one is always read.
fn next_page(versions: &Versions, page: u32, end: u32) -> Option<u32> {
    let last = end.checked_sub(1)?;
    let changed = versions.next_changed(page).unwrap_or(last).min(last);
    match page {
        page if page >= end => None,
        page if changed - page < SKIPPED_PAGES => Some(page),
        _ => Some(changed),
    }
}

impl Kernel<'_> {
    /// Sets the timer of a heap's vacuum.
    pub(crate) fn set_vacuum_timer(&mut self, worker: usize) {
        let heap = usize::from(self.vacuums[worker]);
        if let Some(vacuum) = &self.heaps[heap].vacuum {
            self.timers += 1;
            self.calendar.schedule(self.now_ns + vacuum.spec.naptime_ns, Event::VacuumTimer(worker as u8));
        }
    }

    /// A heap is to be looked at now.
    pub(crate) fn vacuum_timer(&mut self, worker: usize) {
        self.timers -= 1;
        // Where only timers are left, nobody is going to change a row again.
        if self.calendar.len() > self.timers {
            self.set_vacuum_timer(worker);
        }
        let heap = usize::from(self.vacuums[worker]);
        let Some(dead_rows) = self.heaps[heap].begin_vacuum() else { return };
        if self.trace.is_on() {
            let block = self.heaps[heap].block;
            self.trace.emit(self.now_ns, block, "vacuum_started", || json!({"dead_rows": dead_rows}));
        }
        let client = (self.client_count() + worker) as u32;
        self.clients[client as usize].begin_vacuum();
        self.ready.push_back(client);
    }

    /// The vacuum that this client stands for goes on with its next page.
    pub(crate) fn vacuum(&mut self, client: u32) -> Flow {
        if self.cpu_ns > 0 {
            return Flow::Yield;
        }
        let heap = self.vacuums[client as usize - self.client_count()];
        let Some(vacuum) = &mut self.heaps[usize::from(heap)].vacuum else { return Flow::Wait };
        if let Some(pause_ns) = vacuum.spec.pause_ns(vacuum.cost) {
            vacuum.cost = 0;
            self.calendar.schedule(self.now_ns + pause_ns, Event::Client(client));
            return Flow::Wait;
        }
        match vacuum.phase {
            Phase::Idle => Flow::Wait,
            Phase::Heap { page, end } => self.vacuum_heap_page(client, heap, page, end),
            Phase::Index { position, level, page } => {
                self.vacuum_index_page(client, heap, position, level, page)
            }
            Phase::LinePointers(position) => self.free_line_pointers(client, heap, position),
        }
    }

    fn set_vacuum_phase(&mut self, heap: u16, phase: Phase) -> Flow {
        if let Some(vacuum) = &mut self.heaps[usize::from(heap)].vacuum {
            vacuum.phase = phase;
        }
        Flow::Next
    }

    /// Trees on the rows of a heap.
    fn trees_on(&self, heap: u16) -> impl Iterator<Item = u16> + '_ {
        let mut tables = self.tables.iter();
        let table = tables.find(|table| table.storage == Some(Storage::Heap(heap)));
        table.into_iter().flat_map(|table| {
            table.indexes.iter().copied().chain(table.column_indexes.iter().map(|column| column.tree))
        })
    }

    fn vacuum_heap_page(&mut self, client: u32, heap: u16, from: u32, end: u32) -> Flow {
        let horizon = self.horizon.oldest_visible();
        let indexed = self.trees_on(heap).next().is_some();
        let block = &mut self.heaps[usize::from(heap)];
        let (Some(versions), Some(vacuum)) = (&mut block.versions, &mut block.vacuum) else {
            return Flow::Wait;
        };
        let Some(page) = next_page(versions, from, end) else {
            if vacuum.dead.is_empty() {
                return self.end_vacuum(client, heap);
            }
            return self.set_vacuum_phase(heap, Phase::Index { position: 0, level: 0, page: 0 });
        };
        vacuum.phase = Phase::Heap { page: page + 1, end };
        vacuum.pages_scanned += 1;
        let pruned = versions.prune(page, horizon);
        let line_pointers = versions.page(page).dead();
        // Without trees nobody points to a line pointer: it can be used again at once.
        let freed = if indexed { 0 } else { versions.free_line_pointers(page, line_pointers) };
        if line_pointers > freed {
            vacuum.dead.push(DeadRows { page, line_pointers, horizon });
        } else {
            versions.vacuumed(page);
        }
        if let Some(pruned) = pruned {
            let removed = u64::from(pruned.redirected + pruned.dead);
            vacuum.rows_removed += removed;
            vacuum.counters.add(ROWS_REMOVED, removed);
        }
        let hinted = block.take_hint(page);
        let space = block.space;
        if let Some(pruned) = pruned {
            let data_bytes = 4 * pruned.redirected + 2 * (pruned.dead + pruned.unused);
            self.log_vacuum(client, heap, page, PRUNE_BYTES, data_bytes);
        }
        if freed > 0 {
            self.log_vacuum(client, heap, page, LINE_POINTERS_FREED_BYTES, 2 * freed);
        }
        self.vacuum_visits(client, heap, (space, page), pruned.is_some() || freed > 0 || hinted)
    }

    fn vacuum_index_page(
        &mut self,
        client: u32,
        heap: u16,
        position: usize,
        level: usize,
        page: u32,
    ) -> Flow {
        let Some(number) = self.trees_on(heap).nth(position) else {
            return self.set_vacuum_phase(heap, Phase::LinePointers(0));
        };
        let block = &mut self.trees[usize::from(number)];
        if level >= block.tree.height() {
            return self.set_vacuum_phase(heap, Phase::Index { position: position + 1, level: 0, page: 0 });
        }
        if page >= block.tree.allocated(level) {
            return self.set_vacuum_phase(heap, Phase::Index { position, level: level + 1, page: 0 });
        }
        let Some(vacuum) = &mut self.heaps[usize::from(heap)].vacuum else { return Flow::Wait };
        vacuum.phase = Phase::Index { position, level, page: page + 1 };
        let points_to_dead = |heap_page: u32, transaction: u32| {
            let found = vacuum.dead.binary_search_by_key(&heap_page, |dead| dead.page);
            found.is_ok_and(|found| precedes(transaction, vacuum.dead[found].horizon))
        };
        let removed = if level == 0 { block.tree.remove_old_entries(page, points_to_dead) } else { 0 };
        vacuum.entries_removed += u64::from(removed);
        vacuum.counters.add(INDEX_ENTRIES_REMOVED, u64::from(removed));
        block.counters.add(OLD_ENTRIES_DELETED, u64::from(removed));
        let (space, wal) = (block.first_space + level as u16, block.wal);
        if removed > 0 {
            let data_bytes = 2 * removed;
            self.log(client, wal, u64::from(data_bytes), |kernel| {
                let leaf = kernel.trees[usize::from(number)].logged(0, page, data_bytes, false);
                Record::new(ENTRIES_VACUUMED_BYTES).page(leaf)
            });
        }
        self.vacuum_visits(client, heap, (space, page), removed > 0)
    }

    fn free_line_pointers(&mut self, client: u32, heap: u16, position: usize) -> Flow {
        let block = &mut self.heaps[usize::from(heap)];
        let (Some(versions), Some(vacuum)) = (&mut block.versions, &mut block.vacuum) else {
            return Flow::Wait;
        };
        let Some(DeadRows { page, line_pointers, .. }) = vacuum.dead.get(position).copied() else {
            return self.end_vacuum(client, heap);
        };
        vacuum.phase = Phase::LinePointers(position + 1);
        let freed = versions.free_line_pointers(page, line_pointers);
        versions.vacuumed(page);
        let space = block.space;
        self.log_vacuum(client, heap, page, LINE_POINTERS_FREED_BYTES, 2 * freed);
        self.vacuum_visits(client, heap, (space, page), true)
    }

    fn log_vacuum(&mut self, client: u32, heap: u16, page: u32, main_bytes: u32, data_bytes: u32) {
        let wal = self.heaps[usize::from(heap)].wal;
        self.log(client, wal, u64::from(data_bytes), |kernel| {
            Record::new(main_bytes).page(kernel.heaps[usize::from(heap)].logged(page, data_bytes, false))
        });
    }

    /// Reads a page, and changes it if `write`; what it costs counts towards the next pause.
    fn vacuum_visits(&mut self, client: u32, heap: u16, (space, page): (u16, u32), write: bool) -> Flow {
        let (present, dirty) = match self.spaces[usize::from(space)].source {
            Source::Pool(pool) => self.pools[usize::from(pool)].residence(space, page),
            Source::Disk(_) => (false, false),
        };
        if let Some(vacuum) = &mut self.heaps[usize::from(heap)].vacuum {
            vacuum.cost += if present { HIT_COST } else { MISS_COST };
            vacuum.cost += if write && !dirty { DIRTY_COST } else { 0 };
            vacuum.counters.add(PAGES_READ, 1);
        }
        self.push(client, Step::Page { space, page, write });
        Flow::Next
    }

    fn end_vacuum(&mut self, client: u32, heap: u16) -> Flow {
        self.clients[client as usize].end_vacuum();
        let block = &mut self.heaps[usize::from(heap)];
        let Some(vacuum) = &mut block.vacuum else { return Flow::Wait };
        vacuum.phase = Phase::Idle;
        vacuum.dead = Vec::new();
        vacuum.counters.add(VACUUMS, 1);
        if self.trace.is_on() {
            let (pages, rows, entries) = (vacuum.pages_scanned, vacuum.rows_removed, vacuum.entries_removed);
            self.trace.emit(
                self.now_ns,
                block.block,
                "vacuum_completed",
                || json!({"pages_scanned": pages, "rows_removed": rows, "index_entries_removed": entries}),
            );
        }
        Flow::Wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: VacuumSpec =
        VacuumSpec { scale_factor: 0.2, threshold: 50, naptime_ns: 60, cost_delay_ns: 2_000_000 };

    #[test]
    fn a_vacuum_is_due_above_threshold_and_part_of_the_rows() {
        assert!(!SPEC.is_due(250, 1_000));
        assert!(SPEC.is_due(251, 1_000));
        assert!(!SPEC.is_due(50, 0));
        assert!(SPEC.is_due(51, 0));
    }

    #[test]
    fn it_pauses_at_the_limit_in_proportion_and_not_for_long() {
        assert_eq!(SPEC.pause_ns(199), None);
        assert_eq!(SPEC.pause_ns(200), Some(2_000_000));
        assert_eq!(SPEC.pause_ns(220), Some(2_200_000));
        assert_eq!(SPEC.pause_ns(10_000), Some(8_000_000));
        assert_eq!(VacuumSpec { cost_delay_ns: 0, ..SPEC }.pause_ns(10_000), None);
    }

    #[test]
    fn it_reads_changed_pages_short_gaps_and_the_last_page() {
        // 55 rows a page.
        let mut versions = Versions::new(8192, 120, 1.0, 55, 55 * 200, 55 * 200);
        versions.note_changed_pages();
        for page in [0, 10, 100] {
            versions.leave(page * 55, page, 1);
        }
        let pages: Vec<u32> =
            std::iter::successors(next_page(&versions, 0, 200), |page| next_page(&versions, page + 1, 200))
                .collect();
        let expected: Vec<u32> = (0..=10).chain([100, 199]).collect();
        assert_eq!(pages, expected);
        assert_eq!(next_page(&versions, 0, 0), None);
    }

    #[test]
    fn a_vacuum_begins_once_and_only_when_due() {
        let heap = HeapBlock::new(0, 0, None, 8192, 120, 55, 1_000, 1_000);
        let mut heap = heap.with_versions(1.0).with_vacuum(SPEC);
        (0..250).for_each(|record| heap.remove(record, 1));
        // 50 and a fifth of the 750 rows left.
        assert_eq!(heap.begin_vacuum(), Some(250));
        assert_eq!(heap.begin_vacuum(), None, "it is in progress");
    }
}
