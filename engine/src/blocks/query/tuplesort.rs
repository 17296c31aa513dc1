//! How PostgreSQL 15 sorts tuples (`tuplesort.c`, `logtape.c`), counted in tuples, runs and blocks: what order they come out in
//! changes none of it.
//!
//! Tuples gather in memory: an array that doubles, then grows once more to the whole of it, and a chunk a tuple. When there is no
//! room left they are sorted and written to a tape as a run; from the first run on every tape takes a block of the memory as its
//! buffer. Runs go to the tapes in turn, and are merged, one of each tape, until each tape holds one: the last merge feeds whoever
//! reads the result, and is not written. A sort that is asked for its first rows alone keeps twice as many at most, in a heap.

use std::collections::VecDeque;

/// Tapes there are at least and at most, and what each takes when it is merged: two blocks and a buffer of 32 (`tuplesort_merge_order`).
const MIN_TAPES: u64 = 6;
const MAX_TAPES: u64 = 500;
const BLOCK_BYTES: u64 = 8192;
const MERGE_TAPE_BYTES: u64 = 34 * BLOCK_BYTES;
/// Of a block of a tape: the numbers of the blocks before and after it take the rest.
const BLOCK_PAYLOAD_BYTES: u64 = BLOCK_BYTES - 16;
/// A pointer to a tuple and its first column, in the array (`SortTuple`).
const SLOT_BYTES: u64 = 24;
const FIRST_SLOTS: u64 = 1024;
/// Headers of chunks: of the array and of a tuple that may be freed on its own, and of one that goes with its run.
const CHUNK_HEADER_BYTES: u64 = 16;
const RUN_CHUNK_HEADER_BYTES: u64 = 24;
/// Tuples larger than this have chunks of their size; smaller ones that may be freed on their own of a power of two.
const LARGEST_SMALL_CHUNK_BYTES: u64 = 8192;
/// On a tape a tuple has a length of 4 bytes instead of 10 of its header; a length of 0 ends a run.
const TAPE_HEADER_SAVED_BYTES: u64 = 6;
const LENGTH_BYTES: u64 = 4;

/// A row in memory and in temporary files: its columns behind a short header (`MinimalTuple`).
pub(crate) fn minimal_tuple_bytes(record_bytes: u32) -> u64 {
    16 + u64::from(record_bytes)
}

/// A tape: runs one behind the other in one chain of blocks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Tape {
    /// Tuples of each run.
    runs: VecDeque<u64>,
    bytes: u64,
}

impl Tape {
    fn blocks(&self) -> u64 {
        self.bytes.div_ceil(BLOCK_PAYLOAD_BYTES)
    }
}

/// Where a sort stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Everything so far is in memory.
    InMemory,
    /// Only the first rows are kept, in a heap.
    Bounded,
    BuildingRuns,
    Merging,
    /// Sorted: in memory, or to be merged while it is read.
    Done,
}

impl Phase {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Phase::InMemory => "in memory",
            Phase::Bounded => "top rows",
            Phase::BuildingRuns => "building runs",
            Phase::Merging => "merging",
            Phase::Done => "sorted",
        }
    }
}

/// A run was written, or several were merged into one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) rows: u64,
    /// Blocks of the runs read, and blocks written.
    pub(crate) blocks_read: u64,
    pub(crate) blocks_written: u64,
    /// Blocks written with nothing in them, because a file has no holes: that of another tape, which is not full yet.
    pub(crate) filler_blocks: u64,
    /// Runs that became one: 0 for one from memory.
    pub(crate) merged_runs: u64,
}

/// What a sort is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SortSpec {
    pub(crate) memory_bytes: u64,
    pub(crate) tuple_bytes: u64,
    /// Only so many rows are wanted.
    pub(crate) limit: Option<u64>,
    /// The result is read more than once, so it is written whole.
    pub(crate) reread: bool,
    /// Without a place for runs everything stays in memory.
    pub(crate) spills: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tuplesort {
    spec: SortSpec,
    chunk_bytes: u64,
    tape_tuple_bytes: u64,
    slots: u64,
    /// The array may still grow.
    grows: bool,
    available_bytes: i64,
    /// Tuples in memory, and all that came.
    in_memory: u64,
    rows: u64,
    phase: Phase,
    max_tapes: u64,
    inputs: Vec<Tape>,
    outputs: Vec<Tape>,
    /// Runs written in this pass.
    output_runs: u64,
    initial_runs: u64,
    /// Runs and tapes at the beginning of each merge pass.
    passes: Vec<(u64, u64)>,
    peak_bytes: u64,
}

impl Tuplesort {
    pub(crate) fn new(spec: SortSpec) -> Self {
        let chunk_bytes = match spec.limit {
            Some(_) if spec.tuple_bytes <= LARGEST_SMALL_CHUNK_BYTES => {
                CHUNK_HEADER_BYTES + spec.tuple_bytes.next_power_of_two()
            }
            Some(_) => CHUNK_HEADER_BYTES + spec.tuple_bytes.next_multiple_of(8),
            None => RUN_CHUNK_HEADER_BYTES + spec.tuple_bytes.next_multiple_of(8),
        };
        let ends = if spec.reread { LENGTH_BYTES } else { 0 };
        Self {
            spec,
            chunk_bytes,
            tape_tuple_bytes: spec.tuple_bytes - TAPE_HEADER_SAVED_BYTES + ends,
            slots: FIRST_SLOTS,
            grows: true,
            available_bytes: spec.memory_bytes as i64 - array_bytes(FIRST_SLOTS) as i64,
            in_memory: 0,
            rows: 0,
            phase: Phase::InMemory,
            max_tapes: (spec.memory_bytes / MERGE_TAPE_BYTES).clamp(MIN_TAPES, MAX_TAPES),
            inputs: Vec::new(),
            outputs: Vec::new(),
            output_runs: 0,
            initial_runs: 0,
            passes: Vec::new(),
            peak_bytes: array_bytes(FIRST_SLOTS),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Rows the result has.
    pub(crate) fn result_rows(&self) -> u64 {
        self.spec.limit.map_or(self.rows, |limit| limit.min(self.rows))
    }

    pub(crate) fn in_memory(&self) -> u64 {
        self.in_memory
    }

    pub(crate) fn initial_runs(&self) -> u64 {
        self.initial_runs
    }

    pub(crate) fn passes(&self) -> &[(u64, u64)] {
        &self.passes
    }

    pub(crate) fn peak_bytes(&self) -> u64 {
        self.peak_bytes
    }

    /// Runs that wait to be merged.
    pub(crate) fn runs(&self) -> u64 {
        self.inputs.iter().chain(&self.outputs).map(|tape| tape.runs.len() as u64).sum()
    }

    /// One tuple more; the run that it completes. Without room for runs the memory is exceeded.
    #[inline]
    pub(crate) fn add(&mut self) -> Option<Written> {
        self.rows += 1;
        if self.phase == Phase::Bounded {
            // It takes the place of another, or goes.
            return None;
        }
        self.available_bytes -= self.chunk_bytes as i64;
        if self.phase == Phase::InMemory && self.in_memory + 1 >= self.slots {
            self.grow();
        }
        self.in_memory += 1;
        if let (Phase::InMemory, Some(limit)) = (self.phase, self.spec.limit) {
            if self.in_memory > 2 * limit || self.in_memory > limit && self.is_full() {
                self.note_peak();
                self.phase = Phase::Bounded;
                self.in_memory = limit;
                return None;
            }
        }
        if self.in_memory < self.slots && !self.is_full() {
            return None;
        }
        self.note_peak();
        if !self.spec.spills {
            self.slots = self.slots.max(self.in_memory + 1);
            return None;
        }
        if self.phase == Phase::InMemory {
            self.phase = Phase::BuildingRuns;
            let buffers_bytes = self.max_tapes * BLOCK_BYTES;
            if buffers_bytes + array_bytes(self.slots) < self.spec.memory_bytes {
                self.available_bytes -= buffers_bytes as i64;
            }
        }
        Some(self.dump())
    }

    fn is_full(&self) -> bool {
        self.available_bytes < 0
    }

    fn note_peak(&mut self) {
        let held_bytes = array_bytes(self.slots) + self.in_memory * self.chunk_bytes;
        self.peak_bytes = self.peak_bytes.max(held_bytes);
    }

    /// The array doubles; when that would take more than half of the memory, it takes its share of all of it, once.
    fn grow(&mut self) {
        if !self.grows {
            return;
        }
        let (available, used) = (self.available_bytes, self.spec.memory_bytes as i64 - self.available_bytes);
        let wanted = if used <= available {
            self.slots * 2
        } else {
            self.grows = false;
            let ratio = self.spec.memory_bytes as f64 / used as f64;
            (self.slots as f64 * ratio) as u64
        };
        let added_bytes = array_bytes(wanted) as i64 - array_bytes(self.slots) as i64;
        if wanted <= self.slots || available < added_bytes {
            self.grows = false;
            return;
        }
        self.available_bytes -= added_bytes;
        self.slots = wanted;
    }

    /// Writes what is in memory as a run.
    fn dump(&mut self) -> Written {
        let rows = std::mem::take(&mut self.in_memory);
        self.available_bytes += (rows * self.chunk_bytes) as i64;
        // The block that the tape before is going to write next lies before the first one of this tape.
        let filler_blocks = u64::from(self.initial_runs > 0);
        self.initial_runs += 1;
        let blocks_written = self.append_run(rows);
        Written { rows, blocks_read: 0, blocks_written, filler_blocks, merged_runs: 0 }
    }

    /// The next output tape takes a run; the blocks that it begins.
    fn append_run(&mut self, rows: u64) -> u64 {
        let tapes = self.outputs.len() as u64;
        let tape = if tapes < self.max_tapes {
            self.outputs.push(Tape::default());
            tapes
        } else {
            self.output_runs % tapes
        };
        self.output_runs += 1;
        let tape = &mut self.outputs[tape as usize];
        let before = tape.blocks();
        tape.runs.push_back(rows);
        tape.bytes += rows * self.tape_tuple_bytes + LENGTH_BYTES;
        tape.blocks() - before
    }

    /// No more tuples come; the last run, where there are runs.
    pub(crate) fn finish_input(&mut self) -> Option<Written> {
        self.note_peak();
        if self.phase != Phase::BuildingRuns {
            self.phase = Phase::Done;
            return None;
        }
        self.phase = Phase::Merging;
        (self.in_memory > 0).then(|| self.dump())
    }

    /// The next merge that writes a run. Absent when the result can be read.
    pub(crate) fn merge(&mut self) -> Option<Written> {
        if self.phase != Phase::Merging {
            return None;
        }
        if self.inputs.iter().all(|tape| tape.runs.is_empty()) {
            if self.spec.reread && !self.passes.is_empty() && self.output_runs <= 1 {
                self.phase = Phase::Done;
                return None;
            }
            self.inputs = std::mem::take(&mut self.outputs);
            let runs = std::mem::take(&mut self.output_runs);
            self.passes.push((runs, self.inputs.len() as u64));
            if runs <= self.inputs.len() as u64 && !self.spec.reread {
                self.phase = Phase::Done;
                return None;
            }
        }
        let (mut rows, mut merged_runs, mut blocks_read) = (0, 0, 0);
        for tape in &mut self.inputs {
            let before = tape.blocks();
            let Some(run) = tape.runs.pop_front() else { continue };
            tape.bytes -= run * self.tape_tuple_bytes + LENGTH_BYTES;
            blocks_read += before - tape.blocks();
            rows += run;
            merged_runs += 1;
        }
        let blocks_written = self.append_run(rows);
        Some(Written { rows, blocks_read, blocks_written, filler_blocks: 0, merged_runs })
    }

    /// Blocks that reading the result reads.
    pub(crate) fn result_blocks(&self) -> u64 {
        self.inputs.iter().chain(&self.outputs).map(Tape::blocks).sum()
    }

    /// Comparisons of sorting what came: as many as a tournament of all rows, in memory and in merges together.
    pub(crate) fn comparisons(&self) -> u64 {
        let kept = self.spec.limit.map_or(self.rows, |limit| limit.clamp(1, self.rows.max(1)));
        self.rows * u64::from(kept.max(2).ilog2())
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        let tapes = self.inputs.iter().chain(&self.outputs);
        tapes.map(|tape| (size_of::<Tape>() + tape.runs.capacity() * 8) as u64).sum()
    }
}

fn array_bytes(slots: u64) -> u64 {
    slots * SLOT_BYTES + CHUNK_HEADER_BYTES
}
