//! A query in progress: which part of it a client is at.

use serde_json::{Value, json};

use super::hash_table::HashTable;
use super::sorting::SortRun;
use super::{CALLS, Method, ROWS_OUT};
use crate::kernel::Kernel;
use crate::kernel::step::{Flow, Step};

/// The sorts a query may have.
pub(super) const OUTER: usize = 0;
pub(super) const INNER: usize = 1;
pub(super) const RESULT: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The inner side goes into a hash table; the outer one is looked up in it; batches in files are joined one by one.
    Build,
    Probe,
    NextBatch,
    BatchBuild,
    BatchProbe,
    /// Rows of an input, or of the result, are collected; their runs are merged.
    Collect(usize),
    MergeRuns(usize),
    /// Two sorted sides are read side by side.
    MergeJoin,
    /// The outer side is read, and each row, or block of pages, looked up.
    Loop,
    ReadResult,
    Done,
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Phase::Build => "build",
            Phase::Probe => "probe",
            Phase::NextBatch | Phase::BatchBuild => "build a batch",
            Phase::BatchProbe => "probe a batch",
            Phase::Collect(OUTER) => "read the outer side",
            Phase::Collect(INNER) => "read the inner side",
            Phase::Collect(_) => "sort the result",
            Phase::MergeRuns(_) => "merge runs",
            Phase::MergeJoin => "merge join",
            Phase::Loop => "loop",
            Phase::ReadResult => "read the result",
            Phase::Done => "done",
        }
    }
}

#[derive(Debug)]
pub(crate) struct QueryRun {
    pub(super) query: u16,
    pub(super) phase: Phase,
    /// Rank of the first row that passes the condition.
    pub(super) from: u32,
    /// The client's key, rank and record, which no row of an input is to be taken for.
    key: (u32, u32),
    pub(super) hash: Option<Box<HashTable>>,
    pub(super) sorts: [Option<Box<SortRun>>; 3],
    /// Values of outer rows still to be looked up, from the back.
    pub(super) lookups: Vec<u32>,
    /// Outer pages of the block in memory.
    pub(super) block_pages: u32,
    /// What they match, and what those of the block matched that was joined last.
    pub(super) block_matches: f64,
    pub(super) joined_matches: f64,
    /// The page whose visit ends the inner scan in progress.
    pub(super) last_inner_page: Option<u32>,
    pub(super) outer_rows: u64,
    pub(super) inner_rows: u64,
    /// Rows of the result, where not all can be told apart a mean.
    pub(super) matches: f64,
    pub(super) emitted: u64,
    /// Result rows that are still to be sorted.
    pub(super) unsorted: u64,
    /// No more rows are wanted.
    pub(super) enough: bool,
}

impl QueryRun {
    fn new(query: u16, from: u32) -> Self {
        Self {
            query,
            phase: Phase::Done,
            from,
            key: (0, 0),
            hash: None,
            sorts: [None, None, None],
            lookups: Vec::new(),
            block_pages: 0,
            block_matches: 0.0,
            joined_matches: 0.0,
            last_inner_page: None,
            outer_rows: 0,
            inner_rows: 0,
            matches: 0.0,
            emitted: 0,
            unsorted: 0,
            enough: false,
        }
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        let sorts: u64 = self.sorts.iter().flatten().map(|sort| sort.memory_bytes()).sum();
        self.hash.as_ref().map_or(0, |hash| hash.memory_bytes()) + sorts + self.lookups.capacity() as u64 * 4
    }

    pub(super) fn state(&self) -> Value {
        let mut state = json!({
            "phase": self.phase.name(),
            "outer_rows": self.outer_rows,
            "inner_rows": self.inner_rows,
            "rows": self.emitted,
        });
        if let Some(hash) = &self.hash {
            state["batch"] = json!(hash.batch());
            state["batches"] = json!(hash.batches());
            state["buckets"] = json!(hash.buckets());
            state["rows_in_memory"] = json!(hash.here_rows());
        }
        let names = ["outer_sort", "inner_sort", "result_sort"];
        for (name, sort) in names.into_iter().zip(&self.sorts) {
            if let Some(sort) = sort {
                state[name] = sort.state();
            }
        }
        state
    }
}

impl Kernel<'_> {
    /// Begins a statement that joins or sorts. `rank`: where the rows that pass its condition begin.
    pub(crate) fn begin_query(&mut self, client: u32, number: u16, rank: u32) -> Flow {
        let query = &self.queries[usize::from(number)];
        let filtered = [Some(&query.outer), query.join.as_ref().map(|join| &join.inner)];
        let window = filtered.into_iter().flatten().find_map(|input| Some((input.table, input.passing?)));
        let from = window.map_or(0, |(table, rows)| {
            rank.min(self.tables[usize::from(table)].keys.universe().saturating_sub(rows))
        });
        let mut run = Box::new(QueryRun::new(number, from));
        let state = &mut self.clients[client as usize];
        run.key = (std::mem::replace(&mut state.rank, u32::MAX), state.record);
        if let Some(sort) = query.sort {
            self.query_blocks[usize::from(sort)].counters.add(CALLS, 1);
            run.sorts[RESULT] = Some(Box::new(self.new_sort(sort, query.result_bytes, query.limit, false)));
        }
        match &query.join {
            None => run.phase = Phase::Collect(RESULT),
            Some(join) => {
                self.query_blocks[usize::from(join.block)].counters.add(CALLS, 1);
                run.phase = match join.method {
                    Method::Hash { grace } => {
                        run.hash = Some(Box::new(self.new_hash_table(query, join, grace)));
                        Phase::Build
                    }
                    Method::SortMerge => {
                        for (side, input) in [(OUTER, &query.outer), (INNER, &join.inner)] {
                            if !input.ordered {
                                let block = input.sort.unwrap_or(join.block);
                                // Rows of equal values are gone through once for each row that matches them.
                                let reread = side == INNER && !join.inner.by_key;
                                let sort = self.new_sort(block, input.record_bytes, None, reread);
                                run.sorts[side] = Some(Box::new(sort));
                                if input.sort.is_some() {
                                    self.query_blocks[usize::from(block)].counters.add(CALLS, 1);
                                }
                            }
                        }
                        Phase::Collect(OUTER)
                    }
                    Method::Lookups | Method::Blocks { .. } | Method::Rows => Phase::Loop,
                };
            }
        }
        let inner = run.phase == Phase::Build;
        self.clients[client as usize].query = Some(run);
        self.push(client, Step::Query);
        self.read_side(client, number, from, inner)
    }

    /// Reads a side of a query: all of it, or through an index what passes the condition.
    fn read_side(&mut self, client: u32, query: u16, from: u32, inner: bool) -> Flow {
        let query = &self.queries[usize::from(query)];
        let input = match &query.join {
            Some(join) if inner => &join.inner,
            _ => &query.outer,
        };
        let (statement, indexed, passing) = (input.statement, input.indexed, input.passing);
        match (indexed, passing) {
            (_, Some(0)) => Flow::Next,
            (true, Some(rows)) => self.begin_access(client, statement, from, rows),
            _ => self.begin_access(client, statement, 0, u32::MAX),
        }
    }

    /// A part of a query is over: the next one begins.
    pub(crate) fn query(&mut self, client: u32) -> Flow {
        let Some(mut run) = self.clients[client as usize].query.take() else { return Flow::Next };
        if run.phase == Phase::Done {
            let state = &mut self.clients[client as usize];
            (state.rank, state.record) = run.key;
            self.end_query(*run);
            return Flow::Next;
        }
        // Under what the part pushes, so it comes after it.
        self.push(client, Step::Query);
        let flow = if run.unsorted > 0 {
            self.push(client, Step::Fed);
            Flow::Next
        } else {
            self.next_part(client, &mut run)
        };
        self.clients[client as usize].query = Some(run);
        flow
    }

    fn next_part(&mut self, client: u32, run: &mut QueryRun) -> Flow {
        match run.phase {
            Phase::Build => {
                self.end_build(client, run);
                run.phase = Phase::Probe;
                return self.read_side(client, run.query, run.from, false);
            }
            Phase::Probe => {
                self.tell_probe(client, run);
                run.phase = Phase::NextBatch;
            }
            Phase::NextBatch => self.next_batch(client, run),
            Phase::BatchBuild | Phase::BatchProbe => self.read_batch(client, run),
            Phase::Collect(side) => {
                self.end_collect(client, run, side);
                run.phase = Phase::MergeRuns(side);
            }
            Phase::MergeRuns(side) => {
                if self.merge_runs(client, run, side) {
                    return Flow::Next;
                }
                match side {
                    OUTER => {
                        run.phase = Phase::Collect(INNER);
                        return self.read_side(client, run.query, run.from, true);
                    }
                    INNER => run.phase = Phase::MergeJoin,
                    _ => run.phase = Phase::ReadResult,
                }
            }
            Phase::MergeJoin => {
                if !(self.read_sorted(client, run, OUTER) | self.read_sorted(client, run, INNER)) {
                    self.emit(run, 0.0);
                    self.tell_merge_join(client, run);
                    self.joined(run);
                }
            }
            Phase::Loop => {
                self.emit_joined_block(run);
                if run.block_pages == 0 || run.enough {
                    self.joined(run);
                } else {
                    return self.scan_for_block(client, run);
                }
            }
            Phase::ReadResult => {
                if !self.read_sorted(client, run, RESULT) {
                    run.phase = Phase::Done;
                }
            }
            Phase::Done => {}
        }
        Flow::Next
    }

    /// Everything is joined: the result is sorted, or that is it.
    pub(super) fn joined(&mut self, run: &mut QueryRun) {
        run.phase = match run.sorts[RESULT] {
            Some(_) => Phase::Collect(RESULT),
            None => Phase::Done,
        };
    }

    fn end_query(&mut self, mut run: QueryRun) {
        let query = &self.queries[usize::from(run.query)];
        let (join, sort) = (query.join.as_ref().map(|join| join.block), query.sort);
        let sorted = run.sorts[RESULT].as_ref().map(|sort| sort.result_rows());
        let rows = sorted.unwrap_or(run.emitted);
        let bytes = rows.saturating_mul(u64::from(query.result_bytes));
        self.totals.bytes_asked = self.totals.bytes_asked.saturating_add(bytes);
        if let Some(block) = sort {
            self.query_blocks[usize::from(block)].counters.add(ROWS_OUT, rows);
        }
        if let (Some(block), Some(hash)) = (join, &mut run.hash) {
            self.keep_hash_figures(block, hash);
        }
        self.keep_sort_figures(&mut run.sorts);
    }
}
