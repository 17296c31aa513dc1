//! The steps of a sort, be it a block of its own or a side of a sort-merge join.

use serde_json::{Value, json};

use super::run::{OUTER, QueryRun};
use super::spill::{BLOCK_BYTES, EXTENT_PAGES, TempFile};
use super::tuplesort::{SortSpec, Tuplesort, Written, minimal_tuple_bytes};
use super::{EXTERNAL_SORTS, INITIAL_RUNS, MERGES, OUTER_ROWS, TEMP_PAGES_READ, TEMP_PAGES_WRITTEN};
use crate::kernel::Kernel;
use crate::kernel::step::Step;
use crate::plan::Spec;

/// A sort and its files: the runs that are read, and those that are written.
#[derive(Debug)]
pub(super) struct SortRun {
    /// Whose memory and whose place for files it uses.
    block: u16,
    sort: Tuplesort,
    input: TempFile,
    output: TempFile,
    /// Blocks of the merge in progress still to be read and written.
    to_read: u64,
    to_write: u64,
    /// Blocks that were read with their extent before they were asked for.
    ahead: u64,
    blocks_written: u64,
}

impl SortRun {
    pub(super) fn result_rows(&self) -> u64 {
        self.sort.result_rows()
    }

    pub(super) fn memory_bytes(&self) -> u64 {
        self.sort.memory_bytes()
    }

    pub(super) fn state(&self) -> Value {
        json!({
            "phase": self.sort.phase().name(),
            "rows": self.sort.rows(),
            "rows_in_memory": self.sort.in_memory(),
            "initial_runs": self.sort.initial_runs(),
            "runs": self.sort.runs(),
            "merge_passes": self.passes(),
            "temp_pages_written": self.blocks_written,
        })
    }

    /// Runs and tapes at the beginning of each merge pass.
    fn passes(&self) -> Vec<[u64; 2]> {
        self.sort.passes().iter().map(|(runs, tapes)| [*runs, *tapes]).collect()
    }
}

impl Kernel<'_> {
    pub(super) fn new_sort(
        &self,
        block: u16,
        record_bytes: u32,
        limit: Option<u64>,
        reread: bool,
    ) -> SortRun {
        let state = &self.query_blocks[usize::from(block)];
        let sort = Tuplesort::new(SortSpec {
            memory_bytes: state.memory_bytes,
            tuple_bytes: minimal_tuple_bytes(record_bytes),
            limit,
            reread,
            spills: state.temp.is_some(),
        });
        SortRun {
            block,
            sort,
            input: TempFile::default(),
            output: TempFile::default(),
            to_read: 0,
            to_write: 0,
            ahead: 0,
            blocks_written: 0,
        }
    }

    /// Rows come into a sort, and runs out of it.
    pub(super) fn sort_rows(&mut self, client: u32, run: &mut QueryRun, side: usize, rows: u64) {
        let Some(sort) = &mut run.sorts[side] else { return };
        self.cpu_ns += rows * self.costs.hash_row_ns;
        for _ in 0..rows {
            if let Some(written) = sort.sort.add() {
                self.write_run(client, sort, written);
            }
        }
        let sorted = usize::from(sort.block);
        if self.is_sort_block(sort.block) {
            self.query_blocks[sorted].counters.add(OUTER_ROWS, rows);
        }
    }

    fn is_sort_block(&self, number: u16) -> bool {
        let block = self.query_blocks[usize::from(number)].block;
        matches!(self.plan.blocks[block].spec, Spec::Sort(_))
    }

    /// A run from memory was sorted and goes to its tape.
    fn write_run(&mut self, client: u32, sort: &mut SortRun, written: Written) {
        let number = usize::from(sort.block);
        self.cpu_ns += written.rows * u64::from(written.rows.max(2).ilog2()) * self.costs.key_compare_ns;
        if self.is_sort_block(sort.block) {
            self.query_blocks[number].counters.add(INITIAL_RUNS, 1);
        }
        if self.clients[client as usize].traced {
            let block = self.query_blocks[number].block;
            let run = sort.sort.initial_runs();
            self.trace.emit(
                self.now_ns + self.cpu_ns,
                block,
                "sort_run",
                || json!({"run": run, "rows": written.rows, "pages": written.blocks_written}),
            );
        }
        sort.output.append(written.blocks_written * BLOCK_BYTES);
        sort.blocks_written += written.blocks_written + written.filler_blocks;
        let block = &mut self.query_blocks[number];
        // Filler blocks are written where the blocks that take their places will be.
        block.counters.add(TEMP_PAGES_WRITTEN, written.filler_blocks);
        let Some(temp) = &mut block.temp else { return };
        let space = temp.space;
        let first = self.clients[client as usize].steps.len();
        while let Some(extent) = sort.output.write(true, temp) {
            block.counters.add(TEMP_PAGES_WRITTEN, u64::from(extent.pages));
            let (page, pages) = (extent.page, extent.pages);
            self.clients[client as usize].steps.push(Step::Spill { space, page, pages, write: true });
        }
        if let Some(page) = sort.output.last_page().filter(|_| written.filler_blocks > 0) {
            let pages = written.filler_blocks.min(u64::from(EXTENT_PAGES)) as u32;
            self.clients[client as usize].steps.push(Step::Spill { space, page, pages, write: true });
        }
        // Steps are taken from the end.
        self.clients[client as usize].steps[first..].reverse();
    }

    /// All rows of a side have come.
    pub(super) fn end_collect(&mut self, client: u32, run: &mut QueryRun, side: usize) {
        let Some(sort) = &mut run.sorts[side] else { return };
        let spilled = sort.sort.initial_runs() > 0;
        if spilled && self.is_sort_block(sort.block) {
            self.query_blocks[usize::from(sort.block)].counters.add(EXTERNAL_SORTS, 1);
        }
        if let Some(written) = sort.sort.finish_input() {
            self.write_run(client, sort, written);
        } else if !spilled {
            self.cpu_ns = self.cpu_ns.saturating_add(sort.sort.comparisons() * self.costs.key_compare_ns);
        }
    }

    /// Goes on with the merges that write runs, an extent at a time; false when none is left.
    pub(super) fn merge_runs(&mut self, client: u32, run: &mut QueryRun, side: usize) -> bool {
        let Some(sort) = &mut run.sorts[side] else { return false };
        if sort.to_read + sort.to_write == 0 && !self.begin_merge(client, sort) {
            return false;
        }
        let block = &mut self.query_blocks[usize::from(sort.block)];
        let Some(temp) = &mut block.temp else { return false };
        // The one that is further behind goes first: what is merged is written as it is read.
        let write = sort.to_write > sort.to_read || sort.to_read == 0;
        let step = if write {
            let blocks = sort.to_write.min(u64::from(EXTENT_PAGES));
            sort.to_write -= blocks;
            sort.blocks_written += blocks;
            sort.output.append(blocks * BLOCK_BYTES);
            sort.output.write(true, temp)
        } else {
            let blocks = sort.to_read.min(u64::from(EXTENT_PAGES));
            sort.to_read -= blocks;
            let short = blocks.saturating_sub(sort.ahead);
            sort.ahead = sort.ahead.saturating_sub(blocks);
            let extent = if short > 0 { sort.input.read(temp) } else { None };
            sort.ahead += extent.map_or(0, |extent| u64::from(extent.pages).saturating_sub(short));
            extent
        };
        if let Some(extent) = step {
            let counter = if write { TEMP_PAGES_WRITTEN } else { TEMP_PAGES_READ };
            block.counters.add(counter, u64::from(extent.pages));
            let (space, page, pages) = (temp.space, extent.page, extent.pages);
            self.push(client, Step::Spill { space, page, pages, write });
        }
        true
    }

    /// The next merge that writes a run begins.
    fn begin_merge(&mut self, client: u32, sort: &mut SortRun) -> bool {
        let passes = sort.sort.passes().len();
        let merged = sort.sort.merge();
        if sort.sort.passes().len() > passes || merged.is_none() {
            self.end_pass(client, sort);
        }
        let Some(written) = merged else { return false };
        sort.to_read = written.blocks_read;
        sort.to_write = written.blocks_written;
        let inputs = written.merged_runs.max(2);
        self.cpu_ns += written.rows * u64::from(inputs.ilog2()) * self.costs.key_compare_ns;
        let number = usize::from(sort.block);
        if self.is_sort_block(sort.block) {
            self.query_blocks[number].counters.add(MERGES, 1);
        }
        if self.clients[client as usize].traced {
            let block = self.query_blocks[number].block;
            let pass = sort.sort.passes().len();
            self.trace.emit(self.now_ns + self.cpu_ns, block, "sort_merge", || {
                json!({
                    "pass": pass, "runs": written.merged_runs, "rows": written.rows,
                    "pages_read": written.blocks_read, "pages_written": written.blocks_written,
                })
            });
        }
        true
    }

    /// What was written is read from now on; its last extent is written first.
    fn end_pass(&mut self, client: u32, sort: &mut SortRun) {
        let block = &mut self.query_blocks[usize::from(sort.block)];
        let Some(temp) = &mut block.temp else { return };
        sort.input.drop_into(temp);
        sort.input = std::mem::take(&mut sort.output);
        sort.ahead = 0;
        while let Some(extent) = sort.input.write(false, temp) {
            block.counters.add(TEMP_PAGES_WRITTEN, u64::from(extent.pages));
            let (space, page, pages) = (temp.space, extent.page, extent.pages);
            self.clients[client as usize].steps.push(Step::Spill { space, page, pages, write: true });
        }
    }

    /// One extent more of a sorted result; false when nothing is left to read.
    pub(super) fn read_sorted(&mut self, client: u32, run: &mut QueryRun, side: usize) -> bool {
        let Some(sort) = &mut run.sorts[side] else { return false };
        let block = &mut self.query_blocks[usize::from(sort.block)];
        let Some(temp) = &mut block.temp else { return false };
        let Some(extent) = sort.input.read(temp) else { return false };
        block.counters.add(TEMP_PAGES_READ, u64::from(extent.pages));
        let blocks = sort.sort.result_blocks().max(1);
        let rows = sort.sort.rows() * u64::from(extent.pages) / blocks;
        let tapes = sort.sort.passes().last().map_or(2, |(_, tapes)| (*tapes).max(2));
        self.cpu_ns += rows * u64::from(tapes.ilog2()) * self.costs.key_compare_ns;
        let (space, page, pages) = (temp.space, extent.page, extent.pages);
        self.push(client, Step::Spill { space, page, pages, write: false });
        true
    }

    pub(super) fn tell_merge_join(&mut self, client: u32, run: &QueryRun) {
        if !self.clients[client as usize].traced {
            return;
        }
        let Some(block) = self.join_block(run) else { return };
        self.trace.emit(
            self.now_ns + self.cpu_ns,
            block,
            "merge_join",
            || json!({"outer_rows": run.outer_rows, "inner_rows": run.inner_rows, "rows": run.emitted}),
        );
    }

    /// Frees the files of sorts, and keeps what they came to.
    pub(super) fn keep_sort_figures(&mut self, sorts: &mut [Option<Box<SortRun>>; 3]) {
        for (side, sort) in sorts.iter_mut().enumerate() {
            let Some(sort) = sort else { continue };
            let mut latest = sort.state();
            latest["peak_memory_bytes"] = json!(sort.sort.peak_bytes());
            let own = self.is_sort_block(sort.block);
            let block = &mut self.query_blocks[usize::from(sort.block)];
            match &mut block.temp {
                Some(temp) => {
                    [&mut sort.input, &mut sort.output].into_iter().for_each(|file| file.drop_into(temp));
                }
                None => {
                    let over_bytes = sort.sort.peak_bytes().saturating_sub(block.memory_bytes);
                    block.kept_bytes = block.kept_bytes.max(over_bytes);
                }
            }
            match own {
                true => block.latest = latest,
                false => block.latest[if side == OUTER { "outer_sort" } else { "inner_sort" }] = latest,
            }
        }
    }
}
