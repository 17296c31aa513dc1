//! Runs a plan: a calendar of events, clients that execute operations step by step, and the blocks they go through.
//!
//! A client holds its core until its operation blocks or ends: everything it does in between happens, for the state of the
//! blocks, at the moment it began, and takes its processor time afterwards. An operation about to block first waits for its own
//! processor time to pass, so requests reach devices in order of time.

mod background;
pub mod budget;
pub(crate) mod calendar;
pub(crate) mod cause;
mod client;
pub(crate) mod cost;
mod force;
pub(crate) mod horizon;
pub(crate) mod load;
mod loaded_tree;
mod loops;
mod measure;
mod outcome;
mod page;
mod part;
pub(crate) mod program;
pub(crate) mod snapshot;
pub(crate) mod step;
mod world;
mod writer_lock;

use std::collections::{BTreeSet, VecDeque};

use crate::blocks::buffer::Pool;
use crate::blocks::buffer::at_commit::SpacePage;
use crate::blocks::column_index::ColumnIndex;
use crate::blocks::cpu::Cpu;
use crate::blocks::disk::Disk;
use crate::blocks::hash_block::HashBlock;
use crate::blocks::heap::HeapBlock;
use crate::blocks::lsm_block::LsmBlock;
use crate::blocks::operator::Operator;
use crate::blocks::query::{BoundQuery, QueryBlock};
use crate::blocks::skip_list_block::SkipListBlock;
use crate::blocks::tree_block::TreeBlock;
use crate::blocks::wal::Wal;
use crate::metrics::bands::Bands;
use crate::metrics::histogram::Latencies;
use crate::metrics::series::Sampler;
use crate::plan::Plan;
use crate::prng::Stream;
use crate::trace::Trace;
use crate::workload::distribution::KeyDraw;
use crate::workload::keyspace::KeySpace;
use crate::workload::part::PartDraw;
use crate::{Report, SimulateError, Workload};
use budget::{Control, Memory, Options, StopCause};
use calendar::{Calendar, Event};
use cause::Causes;
use client::Client;
use cost::Costs;
use horizon::Horizon;
use load::BoundStatement;
pub(crate) use part::Part;
use program::Program;
use writer_lock::WriterLock;

/// Events between two looks at the stop flag and the memory. Long work between two events brings the next look nearer.
const POLL_EVENTS: u64 = 4_096;
/// Fewer where every operation is traced: each event may tell dozens.
const POLL_EVENTS_TRACED: u64 = 256;
/// Steps a client takes without waiting before the stop flag is looked at.
const STEPS_AT_ONCE: u32 = 4_096;
/// From here on steps without a wait count as an event each.
const MANY_STEPS: u32 = 64;

/// Bit of `Client::touched` that stands for every cause from this one on.
const TOUCHED_REST: usize = 63;

/// Where the pages of a space come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Pool(u16),
    Disk(u16),
}

/// A numbered run of pages: a heap, or one level of a tree.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Space {
    pub(crate) source: Source,
    pub(crate) block: usize,
    pub(crate) page_bytes: u32,
    /// Requests of its pages at the pool.
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    /// Hits and misses when the measured interval began.
    pub(crate) marked: (u64, u64),
}

/// The block that holds a table's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storage {
    Heap(u16),
    Tree(u16),
}

/// A table while a run goes on.
#[derive(Debug)]
pub(crate) struct TableState {
    pub(crate) keys: KeySpace,
    pub(crate) storage: Option<Storage>,
    /// Trees on the key.
    pub(crate) indexes: Vec<u16>,
    pub(crate) column_indexes: Vec<ColumnIndex>,
    pub(crate) lsms: Vec<u16>,
    pub(crate) hashes: Vec<u16>,
    pub(crate) skip_lists: Vec<u16>,
    pub(crate) record_bytes: u32,
    /// Number the next inserted record gets.
    pub(crate) next_record: u32,
    /// Keys of rows that are in some of the table's structures and not yet in all. Absent where nothing changes or deletes rows
    /// that another client inserts.
    pub(crate) arriving: Option<BTreeSet<u32>>,
    /// Records whose insertion has happened; deletes do not count.
    pub(crate) arrived: u64,
    pub(crate) draws: Vec<KeyDraw>,
    /// Choices of keys that belong to others, one a statement.
    pub(crate) parts: Vec<PartDraw>,
}

/// Figures that belong to no block.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Totals {
    pub(crate) commits: u64,
    pub(crate) bytes_asked: u64,
    pub(crate) bytes_changed: u64,
    pub(crate) rows_not_found: u64,
    /// Processor time, that of background work included.
    pub(crate) cpu_ns: u64,
}

pub(crate) struct Kernel<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) control: &'a Control,
    memory: Memory,
    /// What grows while a run goes on, as it was when the run began: charged then.
    loaded_bytes: u64,
    /// Why the run ends at the next look.
    stopped: Option<StopCause>,
    /// The client in the middle of many steps, which goes on after a look.
    paused: Option<u32>,
    pub(crate) program: Program,
    pub(crate) statements: Vec<BoundStatement>,
    pub(crate) tables: Vec<TableState>,
    pub(crate) calendar: Calendar,
    pub(crate) costs: Costs,
    pub(crate) now_ns: u64,
    /// Processor time of the running client since `now_ns`.
    pub(crate) cpu_ns: u64,
    pub(crate) spaces: Vec<Space>,
    /// Limited cores.
    pub(crate) cpu: Option<Cpu>,
    pub(crate) disks: Vec<Disk>,
    pub(crate) pools: Vec<Pool>,
    pub(crate) wals: Vec<Wal>,
    pub(crate) trees: Vec<TreeBlock>,
    pub(crate) heaps: Vec<HeapBlock>,
    pub(crate) lsms: Vec<LsmBlock>,
    pub(crate) hashes: Vec<HashBlock>,
    pub(crate) skip_lists: Vec<SkipListBlock>,
    /// Data blocks of the LSM search in progress.
    pub(crate) lsm_pages: Vec<u32>,
    pub(crate) operators: Vec<Operator>,
    /// Statements that join or sort, and the blocks that do.
    pub(crate) queries: Vec<BoundQuery>,
    pub(crate) query_blocks: Vec<QueryBlock>,
    /// Ranks of the rows of a page that a query reads.
    pub(crate) fed: Vec<u32>,
    pub(crate) clients: Vec<Client>,
    /// Some heap keeps versions of rows, so transactions are numbered.
    versioned: bool,
    pub(crate) horizon: Horizon,
    /// By client, by cause: nanoseconds of the operation in progress.
    pub(crate) spent_ns: Vec<u64>,
    pub(crate) causes: Causes,
    /// Clients to run before time goes on.
    pub(crate) ready: VecDeque<u32>,
    released: Vec<u32>,
    /// Frames of multi-page reads in flight.
    pub(crate) runs: Vec<Vec<u32>>,
    pub(crate) free_runs: Vec<u32>,
    /// Timers of pools and vacuums in the calendar.
    pub(crate) timers: usize,
    /// Heaps that are vacuumed while the run goes on: each has a client of its own behind those of the workload.
    pub(crate) vacuums: Vec<u16>,
    /// Pages of the background round in progress.
    washed: Vec<SpacePage>,
    writer_lock: WriterLock,
    /// Pools that write changed pages at commit, and the pages of a commit in progress.
    forcing_pools: Vec<u16>,
    forced: Vec<SpacePage>,
    /// Pages of copy-on-write trees written so far: where the next ones go.
    copies_written: u32,
    /// Spaces of the header pages that each transaction reads first.
    header_spaces: Vec<u16>,
    client_block: usize,
    issued: u64,
    completed: u64,
    /// Open loop: mean time between arrivals, arrivals nobody serves yet, clients without work.
    arrival_gap_ns: Option<f64>,
    arrivals: Stream,
    backlog: VecDeque<u64>,
    arrived: u64,
    idle: Vec<u32>,
    think_ns: u64,
    operations_per_transaction: u32,
    pub(crate) latencies: Vec<Latencies>,
    pub(crate) bands: Bands,
    pub(crate) sampler: Sampler,
    pub(crate) trace: Trace,
    pub(crate) totals: Totals,
    totals_at_mark: Totals,
    measured_from_ns: Option<u64>,
    /// Events so far, and the number of them at which to look at the budget again.
    events: u64,
    next_check: u64,
}

/// Runs a workload, or one key in so many of one, and reports it as it was run.
///
/// # Errors
/// As [`crate::simulate`].
pub(crate) fn simulate(
    plan: &Plan,
    workload: &Workload,
    one_in: Option<u32>,
    options: &Options,
    control: &Control,
) -> Result<(Report, Part), SimulateError> {
    let mut kernel = Kernel::load(plan, workload, one_in, options, control)?;
    kernel.run(options)?;
    let part = kernel.part(one_in.unwrap_or(1));
    let report = kernel.into_report(one_in.is_none().then_some(workload), options)?;
    control.set_progress(1, 1);
    Ok((report, part))
}

impl Kernel<'_> {
    fn run(&mut self, options: &Options) -> Result<(), StopCause> {
        self.loaded_bytes = self.growing_bytes();
        self.start();
        self.start_background();
        while self.completed < self.program.total && !self.trace.is_reached() {
            if self.events >= self.next_check {
                self.look(options)?;
            }
            self.events += 1;
            let (time_ns, event) = self.calendar.next().ok_or(StopCause::Stuck)?;
            while time_ns >= self.sampler.next_ns() {
                self.close_bucket(self.sampler.next_ns());
            }
            self.now_ns = time_ns;
            self.cpu_ns = 0;
            match event {
                Event::Client(client) => self.resume(client),
                Event::Ask(client) => self.ask_now(client),
                Event::Arrival => self.arrive(),
                Event::Disk { disk, slot } => self.disk_done(usize::from(disk), slot),
                Event::LogTimer(wal) => {
                    let action = self.wals[usize::from(wal)].timer_due();
                    self.apply_log_action(usize::from(wal), action);
                }
                Event::PoolTimer(pool) => self.pool_timer(usize::from(pool)),
                Event::VacuumTimer(worker) => self.vacuum_timer(usize::from(worker)),
            }
            self.go_on_with_paused(options)?;
            while let Some(client) = self.ready.pop_front() {
                if self.trace.is_reached() {
                    break;
                }
                self.resume(client);
                self.go_on_with_paused(options)?;
                if self.events >= self.next_check {
                    self.look(options)?;
                }
            }
        }
        Ok(())
    }

    /// Looks whether to stop, and at the memory.
    fn look(&mut self, options: &Options) -> Result<(), StopCause> {
        self.stopped.map_or(Ok(()), Err)?;
        self.control.check()?;
        self.control.set_progress(self.completed, self.program.total);
        // What is put off until someone asks must not pile up.
        self.lsms.iter_mut().for_each(|lsm| lsm.lsm.catch_up());
        self.memory.verify(self.growing_bytes().saturating_sub(self.loaded_bytes))?;
        if self.events >= options.step_limit {
            return Err(StopCause::StepLimit);
        }
        let events = if self.trace.is_full() { POLL_EVENTS_TRACED } else { POLL_EVENTS };
        self.next_check = self.events.saturating_add(events).min(options.step_limit);
        Ok(())
    }

    /// A client in the middle of many steps goes on where it was, after a look.
    #[inline]
    fn go_on_with_paused(&mut self, options: &Options) -> Result<(), StopCause> {
        while let Some(client) = self.paused.take() {
            self.look(options)?;
            self.cpu_ns = std::mem::take(&mut self.clients[client as usize].owed_cpu_ns);
            self.go_on(client);
        }
        Ok(())
    }

    /// Work that took as long as so many events: the next look comes sooner.
    #[inline]
    pub(crate) fn worked(&mut self, events: u64) {
        self.next_check = self.next_check.saturating_sub(events);
    }

    /// Ranks without a row that a range passed, many of them in the time of an event.
    #[inline]
    pub(crate) fn passed_ranks(&mut self, from: u32, to: u32) {
        let events = to.saturating_sub(from) >> 16;
        if events > 0 {
            self.worked(events.into());
        }
    }

    /// The run ends at the next look, which comes at once.
    pub(crate) fn stop(&mut self, cause: StopCause) {
        self.stopped = self.stopped.or(Some(cause));
        self.next_check = 0;
    }

    /// What is left of the memory.
    pub(crate) fn memory_left_bytes(&self) -> u64 {
        let grown_bytes = self.growing_bytes().saturating_sub(self.loaded_bytes);
        self.memory.left_bytes().saturating_sub(grown_bytes)
    }

    /// Clients of the workload.
    pub(crate) fn client_count(&self) -> usize {
        self.clients.len() - self.vacuums.len()
    }

    /// Bytes of what grows while a run goes on.
    fn growing_bytes(&self) -> u64 {
        self.trees.iter().map(|tree| tree.tree.memory_bytes()).sum::<u64>()
            + self.heaps.iter().map(HeapBlock::memory_bytes).sum::<u64>()
            + self.lsms.iter().map(LsmBlock::memory_bytes).sum::<u64>()
            + self.hashes.iter().map(|hash| hash.buckets.memory_bytes()).sum::<u64>()
            + self.pools.iter().map(Pool::memory_bytes).sum::<u64>()
            + self.wals.iter().map(Wal::memory_bytes).sum::<u64>()
            + self
                .tables
                .iter()
                .flat_map(|table| &table.column_indexes)
                .map(ColumnIndex::memory_bytes)
                .sum::<u64>()
            + self.clients.iter().map(Client::memory_bytes).sum::<u64>()
            + self.query_blocks.iter().map(QueryBlock::memory_bytes).sum::<u64>()
            + self.horizon.memory_bytes()
            + self.trace.memory_bytes()
            + self.backlog.capacity() as u64 * 8
    }

    /// Time goes on to `time_ns` for the running client, if nothing happens before: as if that were the calendar's next event.
    #[inline]
    fn run_on(&mut self, time_ns: u64) -> bool {
        let next = self.ready.is_empty()
            && self.events < self.next_check
            && time_ns < self.sampler.next_ns()
            && self.calendar.all_after(time_ns);
        if next {
            self.events += 1;
            self.now_ns = time_ns;
        }
        next
    }

    /// Charges a cause of a client's operation.
    #[inline]
    pub(crate) fn charge(&mut self, client: u32, cause: usize, ns: u64) {
        if ns > 0 {
            self.clients[client as usize].touched |= 1 << cause.min(TOUCHED_REST);
            self.spent_ns[client as usize * self.causes.list.len() + cause] += ns;
        }
    }
}
