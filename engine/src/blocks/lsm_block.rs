//! The block that is an LSM tree: puts and their stalls, gets, ranges, and the flushes and compactions that share the device
//! with them.
//!
//! A job computes its result when it begins; its bytes then pass through the device in chunks, one at a time, reads and writes in
//! turn, and the result takes its place when the last one is done. One flush runs at a time, and as many compactions as allowed.

use serde_json::{Value, json};

use super::counters::Counters;
use super::disk::{IoKind, Purpose, Request};
use super::lsm::{Found, Job, Lsm, Pressure};
use super::operator::ROWS;
use super::wal::record::Record;
use crate::kernel::budget::{Limits, StopCause};
use crate::kernel::cause::{WRITE_SLOWDOWN, WRITE_STALL};
use crate::kernel::load::Find;
use crate::kernel::step::{Flow, Step};
use crate::kernel::{Kernel, Source, cost};
use crate::plan::{BlockIndex, LsmSpec};
use crate::workload::OperationType;
use crate::workload::access::Access;

pub(crate) const PUTS: usize = 0;
pub(crate) const BYTES_PUT: usize = 1;
const GETS: usize = 2;
const RANGES: usize = 3;
pub(crate) const FLUSHES: usize = 4;
pub(crate) const BYTES_FLUSHED: usize = 5;
const COMPACTIONS: usize = 6;
const TRIVIAL_MOVES: usize = 7;
const BYTES_COMPACTED: usize = 8;
const BYTES_READ_BY_COMPACTION: usize = 9;
const BLOCK_READS: usize = 10;
const BLOOM_NEGATIVES: usize = 11;
const BLOOM_FALSE_POSITIVES: usize = 12;
const WRITES_DELAYED: usize = 13;
const WRITES_STALLED: usize = 14;

/// Place of the flush among the jobs.
const FLUSH: usize = 0;
/// Bytes of one background request.
const CHUNK_BYTES: u64 = 256 << 10;
/// Rows of a range before others may come in between.
const RANGE_ROWS: u32 = 256;

/// A job whose bytes are passing through the device.
#[derive(Debug)]
struct Running {
    job: Job,
    read_left: u64,
    write_left: u64,
}

#[derive(Debug)]
pub(crate) struct LsmBlock {
    pub(crate) block: BlockIndex,
    pub(crate) counters: Counters<15>,
    pub(crate) lsm: Lsm,
    space: u16,
    wal: Option<u16>,
    spec: LsmSpec,
    /// At work: the flush, then compactions.
    jobs: Vec<Option<Running>>,
    stalled: Vec<u32>,
    /// Until when the writes let through so far use up the delayed rate.
    delayed_until_ns: u64,
}

impl LsmBlock {
    pub(crate) fn new(block: BlockIndex, lsm: Lsm, space: u16, wal: Option<u16>, spec: LsmSpec) -> Self {
        let counters = Counters::new([
            "puts",
            "bytes_put",
            "gets",
            "ranges",
            "flushes",
            "bytes_flushed",
            "compactions",
            "trivial_moves",
            "bytes_compacted",
            "bytes_read_by_compaction",
            "block_reads",
            "bloom_negatives",
            "bloom_false_positives",
            "writes_delayed",
            "writes_stalled",
        ]);
        Self {
            block,
            counters,
            lsm,
            space,
            wal,
            jobs: (0..=spec.max_compactions()).map(|_| None).collect(),
            spec,
            stalled: Vec::new(),
            delayed_until_ns: 0,
        }
    }

    fn writers_wait(&self) -> bool {
        self.lsm.is_full()
            || self.lsm.pressure() == Pressure::Stop
            || self.spec.settled && self.jobs.iter().any(Option::is_some)
    }

    pub(crate) fn gauges(&self) -> Value {
        let levels = self.lsm.level_sizes();
        let written = self.counters.measured(BYTES_FLUSHED) + self.counters.measured(BYTES_COMPACTED);
        let put = self.counters.measured(BYTES_PUT);
        let (blob_files, blob_bytes) = self.lsm.blob_sizes();
        json!({
            "keys": self.lsm.live_keys(),
            "memtable_bytes": self.lsm.memtable_bytes(),
            "sst_files": levels.iter().map(|(files, _)| files).sum::<usize>(),
            "sst_bytes": self.lsm.sst_bytes(),
            "blob_files": blob_files,
            "blob_bytes": blob_bytes,
            "files_per_level": levels.iter().map(|(files, _)| files).collect::<Vec<_>>(),
            "bytes_per_level": levels.iter().map(|(_, bytes)| bytes).collect::<Vec<_>>(),
            "write_amplification": (put > 0).then(|| written as f64 / put as f64),
        })
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        self.lsm.memory_bytes()
            + self.jobs.iter().flatten().map(|running| running.job.memory_bytes()).sum::<u64>()
    }
}

impl Kernel<'_> {
    /// What a statement does whose rows are found in an LSM tree.
    pub(crate) fn begin_lsm_statement(&mut self, client: u32, number: u16, rank: u32, rows: u32) -> Flow {
        let statement = self.statements[usize::from(number)];
        let Find::Lsm { lsm, fetch, operator } = statement.find else { return Flow::Next };
        if let Some(operator) = operator {
            self.tell_index_lookup(client, operator, rank);
        }
        if statement.access != Access::Point {
            self.lsms[usize::from(lsm)].counters.add(RANGES, 1);
            self.push(client, Step::LsmRange { statement: number, rank, remaining: rows, resumed: false });
            return Flow::Next;
        }
        // A blind write: nothing is read first.
        match statement.kind {
            OperationType::Update if !fetch => {
                self.cpu_ns += statement.row_ns;
                self.totals.bytes_changed +=
                    u64::from(self.tables[usize::from(statement.table)].record_bytes);
                if let Some(operator) = operator {
                    self.operators[usize::from(operator)].counters.add(ROWS, 1);
                }
                return self.lsm_put(client, lsm, rank, false, false);
            }
            OperationType::Delete if !fetch => return self.act_on_row(client, number, rank),
            _ => {}
        }
        let block = &mut self.lsms[usize::from(lsm)];
        block.counters.add(GETS, 1);
        self.lsm_pages.clear();
        let lookup = block.lsm.get(rank, statement.missing, &mut self.lsm_pages);
        block.counters.add(BLOCK_READS, self.lsm_pages.len() as u64);
        block.counters.add(BLOOM_NEGATIVES, lookup.bloom_negatives);
        block.counters.add(BLOOM_FALSE_POSITIVES, lookup.bloom_false_positives);
        let (space, number_of_block) = (block.space, block.block);
        self.cpu_ns += self.costs.lsm_search_ns
            + lookup.bloom_negatives * self.costs.lsm_filter_ns
            + self.lsm_pages.len() as u64 * self.costs.lsm_block_ns;
        if self.clients[client as usize].traced {
            let place = match lookup.found {
                Found::Memtable => json!("memtable"),
                Found::Level(level) => json!(level),
                Found::Tombstone | Found::Nothing => Value::Null,
            };
            let reads = self.lsm_pages.len();
            self.trace.emit(
                self.now_ns + self.cpu_ns,
                number_of_block,
                "lsm_get",
                || json!({"key": rank, "found_in": place, "block_reads": reads}),
            );
        }
        match lookup.found {
            Found::Memtable | Found::Level(_) => {
                self.push(client, Step::LsmRows { statement: number, rank, remaining: 1 });
            }
            Found::Tombstone | Found::Nothing => self.totals.rows_not_found += 1,
        }
        self.read_lsm_pages(client, space);
        Flow::Next
    }

    /// Visits the pages collected, in their order; what is not in memory becomes a step.
    fn read_lsm_pages(&mut self, client: u32, space: u16) {
        let pages = std::mem::take(&mut self.lsm_pages);
        let hits = pages.iter().take_while(|page| self.hit(client, space, **page, false)).count();
        for page in pages[hits..].iter().rev() {
            self.push(client, Step::Page { space, page: *page, write: false });
        }
        self.lsm_pages = pages;
    }

    /// Some rows of a range: the blocks they lie in, then the rows.
    pub(crate) fn lsm_range(
        &mut self,
        client: u32,
        number: u16,
        rank: u32,
        remaining: u32,
        resumed: bool,
    ) -> Flow {
        if self.cpu_ns >= cost::QUANTUM_NS {
            self.push(client, Step::LsmRange { statement: number, rank, remaining, resumed });
            return Flow::Yield;
        }
        let statement = self.statements[usize::from(number)];
        let Find::Lsm { lsm, .. } = statement.find else { return Flow::Next };
        let block = &mut self.lsms[usize::from(lsm)];
        self.lsm_pages.clear();
        let rows = remaining.min(RANGE_ROWS);
        let (count, last) = block.lsm.range(rank, rows, resumed, &mut self.lsm_pages);
        block.counters.add(BLOCK_READS, self.lsm_pages.len() as u64);
        let space = block.space;
        self.passed_ranks(rank, last);
        let search_ns = if resumed { 0 } else { self.costs.lsm_search_ns };
        self.cpu_ns += search_ns + self.lsm_pages.len() as u64 * self.costs.lsm_block_ns;
        if count == rows && remaining > rows {
            let (rank, remaining) = (last + 1, remaining - rows);
            self.push(client, Step::LsmRange { statement: number, rank, remaining, resumed: true });
        }
        if count > 0 {
            self.push(client, Step::LsmRows { statement: number, rank, remaining: count });
        }
        self.read_lsm_pages(client, space);
        Flow::Next
    }

    /// The blocks of these rows have been read: does to each what the statement does.
    pub(crate) fn lsm_rows(&mut self, client: u32, number: u16, rank: u32, remaining: u32) -> Flow {
        let statement = &self.statements[usize::from(number)];
        let Find::Lsm { lsm, .. } = statement.find else { return Flow::Next };
        let point = statement.access == Access::Point;
        let (mut rank, mut remaining) = (rank, remaining);
        // Rows deleted while the blocks were read are gone.
        while let Some(found) = self.lsms[usize::from(lsm)].lsm.next_live(rank).filter(|_| remaining > 0) {
            if point && found != rank {
                self.totals.rows_not_found += 1;
                return Flow::Next;
            }
            rank = found + 1;
            remaining -= 1;
            let depth = self.clients[client as usize].steps.len();
            self.act_on_row(client, number, found);
            if self.clients[client as usize].steps.len() > depth && remaining > 0 {
                let next = Step::LsmRows { statement: number, rank, remaining };
                self.clients[client as usize].steps.insert(depth, next);
                return Flow::Next;
            }
        }
        Flow::Next
    }

    /// Writes a key or its tombstone, unless the background is too far behind.
    pub(crate) fn lsm_put(&mut self, client: u32, lsm: u16, rank: u32, deleted: bool, delayed: bool) -> Flow {
        let number = usize::from(lsm);
        let block = &mut self.lsms[number];
        let waits = block.writers_wait();
        let slow = !delayed && block.lsm.pressure() == Pressure::Slow;
        if (waits || slow) && self.cpu_ns > 0 {
            self.push(client, Step::LsmPut { lsm, rank, deleted, delayed });
            return Flow::Yield;
        }
        if waits {
            block.counters.add(WRITES_STALLED, 1);
            block.stalled.push(client);
            self.clients[client as usize].waiting_since_ns = self.now_ns;
            self.push(client, Step::LsmPut { lsm, rank, deleted, delayed });
            return Flow::Wait;
        }
        let bytes = block.lsm.entry_bytes(deleted);
        if slow {
            let delay_ns = (bytes as f64 * 1e3 / block.spec.delayed_write_mb_s) as u64;
            block.counters.add(WRITES_DELAYED, 1);
            block.delayed_until_ns = block.delayed_until_ns.max(self.now_ns) + delay_ns;
            let until_ns = block.delayed_until_ns;
            self.charge(client, self.causes.lsm(number, WRITE_SLOWDOWN), until_ns - self.now_ns);
            self.push(client, Step::LsmPut { lsm, rank, deleted, delayed: true });
            self.calendar.schedule(until_ns, crate::kernel::calendar::Event::Client(client));
            return Flow::Wait;
        }
        block.lsm.put(rank, deleted);
        block.counters.add(PUTS, 1);
        block.counters.add(BYTES_PUT, bytes);
        let (wal, full) = (block.wal, block.lsm.is_full());
        self.cpu_ns += self.costs.lsm_put_ns;
        self.log(client, wal, bytes, |_| Record::new(bytes as u32));
        if self.clients[client as usize].traced {
            let block = self.lsms[number].block;
            self.trace.emit(
                self.now_ns + self.cpu_ns,
                block,
                "lsm_put",
                || json!({"key": rank, "tombstone": deleted}),
            );
        }
        if full {
            self.start_lsm_jobs(number);
        }
        Flow::Next
    }

    /// Begins the flush and the compaction that are due and not running yet.
    fn start_lsm_jobs(&mut self, number: usize) {
        if let Err(cause) = self.try_start_lsm_jobs(number) {
            self.stop(cause);
        }
    }

    fn try_start_lsm_jobs(&mut self, number: usize) -> Result<(), StopCause> {
        loop {
            let memory_bytes = self.memory_left_bytes() + self.lsms[number].lsm.memory_bytes();
            let limits = Limits { control: self.control, memory_bytes };
            let block = &mut self.lsms[number];
            block.lsm.seal_full();
            if block.jobs[FLUSH].is_none() {
                if let Some(job) = block.lsm.begin_flush(limits)? {
                    block.jobs[FLUSH] = Some(Running { read_left: 0, write_left: job.write_bytes, job });
                    self.next_lsm_chunk(number, FLUSH);
                }
            }
            let block = &mut self.lsms[number];
            let Some(free) = block.jobs.iter().skip(FLUSH + 1).position(Option::is_none) else {
                return Ok(());
            };
            let Some(job) = block.lsm.begin_compaction(limits)? else { return Ok(()) };
            if job.trivial {
                self.finish_lsm_job(number, job);
            } else {
                let (read_left, write_left) = (job.read_bytes, job.write_bytes);
                block.jobs[FLUSH + 1 + free] = Some(Running { read_left, write_left, job });
                self.next_lsm_chunk(number, FLUSH + 1 + free);
            }
        }
    }

    /// The next request of a job; reads keep ahead of writes.
    fn next_lsm_chunk(&mut self, number: usize, place: usize) {
        let block = &mut self.lsms[number];
        let Some(running) = &mut block.jobs[place] else { return };
        let job = &running.job;
        // Cross-multiplied shares of what is left.
        let read = u128::from(running.read_left) * u128::from(job.write_bytes)
            >= u128::from(running.write_left) * u128::from(job.read_bytes)
            && running.read_left > 0;
        let (kind, left, whole, first) = match read {
            true => (IoKind::Read, &mut running.read_left, job.read_bytes, job.read_page),
            false => (IoKind::Write, &mut running.write_left, job.write_bytes, job.write_page),
        };
        let bytes = (*left).min(CHUNK_BYTES);
        let page_bytes = u64::from(block.spec.page_size_bytes);
        let page = first.wrapping_add(((whole - *left) / page_bytes) as u32);
        *left -= bytes;
        let request = Request {
            kind,
            purpose: Purpose::Lsm { lsm: number as u16, job: place as u8 },
            space: block.space,
            page,
            pages: bytes.div_ceil(page_bytes) as u32,
            bytes,
            submitted_ns: self.now_ns,
            started_ns: self.now_ns,
        };
        let disk = match self.spaces[usize::from(block.space)].source {
            Source::Disk(disk) => disk,
            Source::Pool(pool) => self.pools[usize::from(pool)].disk,
        };
        self.disks[usize::from(disk)].submit(self.now_ns, request, &mut self.calendar);
    }

    /// A request of a job is done.
    pub(crate) fn lsm_chunk_done(&mut self, number: usize, place: usize) {
        let block = &mut self.lsms[number];
        let running = &mut block.jobs[place];
        if running.as_ref().is_some_and(|running| running.read_left + running.write_left > 0) {
            return self.next_lsm_chunk(number, place);
        }
        if let Some(running) = running.take() {
            self.finish_lsm_job(number, running.job);
        }
        self.start_lsm_jobs(number);
        let block = &mut self.lsms[number];
        if block.writers_wait() {
            return;
        }
        for client in std::mem::take(&mut block.stalled) {
            let waited_ns = self.now_ns - self.clients[client as usize].waiting_since_ns;
            self.charge(client, self.causes.lsm(number, WRITE_STALL), waited_ns);
            self.ready.push_back(client);
        }
    }

    fn finish_lsm_job(&mut self, number: usize, job: Job) {
        let block = &mut self.lsms[number];
        let (kind, count, bytes) = match (job.flush, job.trivial) {
            (true, _) => ("lsm_flush", FLUSHES, BYTES_FLUSHED),
            (false, true) => ("lsm_compaction", TRIVIAL_MOVES, BYTES_COMPACTED),
            (false, false) => ("lsm_compaction", COMPACTIONS, BYTES_COMPACTED),
        };
        block.counters.add(count, 1);
        block.counters.add(bytes, job.write_bytes);
        block.counters.add(BYTES_READ_BY_COMPACTION, job.read_bytes);
        self.totals.cpu_ns += job.merged_entries() * self.costs.lsm_merge_entry_ns;
        let told = json!({
            "from_level": if job.flush { Value::Null } else { json!(job.input_level) },
            "to_level": job.output_level,
            "input_files": job.input_files,
            "output_files": job.output_files(),
            "bytes_read": job.read_bytes,
            "bytes_written": job.write_bytes,
            "moved": job.trivial,
        });
        block.lsm.finish(job);
        if self.trace.is_on() {
            self.trace.emit(self.now_ns, block.block, kind, || told);
        }
    }
}
