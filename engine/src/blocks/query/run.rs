//! A query in progress: which part of it a client is at, and what the rows of a page are to it.

use serde_json::{Value, json};

use super::hash_table::HashTable;
use super::sorting::SortRun;
use super::{CALLS, INNER_ROWS, Method, OUTER_ROWS, ROWS_OUT};
use crate::kernel::step::{Flow, Step};
use crate::kernel::{Kernel, Storage};

/// Result rows put into a sort, or looked up, in one step.
const ROWS_AT_ONCE: u64 = 1 << 14;
/// Rows that take the time of an event.
pub(super) const ROWS_AN_EVENT: u64 = 16;

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
    matches: f64,
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

/// What became of a page's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fed {
    /// The next page may follow.
    More,
    /// What was pushed comes before the next page.
    First,
    /// No page has to follow.
    Enough,
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

    /// The rows of a page that was just visited, in `self.fed`.
    pub(crate) fn feed(&mut self, client: u32, statement: u16, page: u32) -> Fed {
        let Some(mut run) = self.clients[client as usize].query.take() else { return Fed::Enough };
        let fed = self.feed_run(client, &mut run, statement, page);
        self.clients[client as usize].query = Some(run);
        fed
    }

    fn feed_run(&mut self, client: u32, run: &mut QueryRun, statement: u16, page: u32) -> Fed {
        if run.enough {
            return Fed::Enough;
        }
        let query = &self.queries[usize::from(run.query)];
        let inner = query.is_inner(statement);
        if inner && run.phase == Phase::Loop {
            // Scanned for outer rows that are known: only the pages count.
            return if run.last_inner_page == Some(page) { Fed::Enough } else { Fed::More };
        }
        let input = match &query.join {
            Some(join) if inner => &join.inner,
            _ => &query.outer,
        };
        let mut ranks = std::mem::take(&mut self.fed);
        let rows = ranks.len() as u64;
        let join_block = query.join.as_ref().map(|join| join.block);
        if let Some(passing) = input.passing {
            ranks.retain(|rank| rank.wrapping_sub(run.from) < passing);
        }
        let steps = self.clients[client as usize].steps.len();
        self.worked(rows / ROWS_AN_EVENT);
        match join_block {
            None => run.unsorted += ranks.len() as u64,
            Some(block) => {
                let counter = if inner { INNER_ROWS } else { OUTER_ROWS };
                self.query_blocks[usize::from(block)].counters.add(counter, ranks.len() as u64);
                *(if inner { &mut run.inner_rows } else { &mut run.outer_rows }) += ranks.len() as u64;
                self.join_rows(client, run, inner, &ranks);
            }
        }
        self.fed = ranks;
        if run.enough {
            return Fed::Enough;
        }
        if run.unsorted > 0 || !run.lookups.is_empty() || self.block_is_full(run) {
            self.push(client, Step::Fed);
        }
        if self.clients[client as usize].steps.len() > steps { Fed::First } else { Fed::More }
    }

    /// Rows of a side of a join, by what it does with them.
    fn join_rows(&mut self, client: u32, run: &mut QueryRun, inner: bool, ranks: &[u32]) {
        match run.phase {
            Phase::Build => self.build_rows(client, run, ranks),
            Phase::Probe => self.probe_rows(client, run, ranks),
            Phase::Collect(side) => {
                if !inner {
                    let matches = self.matches_all(run, ranks);
                    run.matches += matches;
                }
                self.sort_rows(client, run, side, ranks.len() as u64);
            }
            Phase::Loop => self.loop_rows(client, run, ranks),
            _ => {}
        }
    }

    /// Rows of the inner side that these outer rows match: each by itself where the inner key is joined, a mean otherwise.
    pub(super) fn matches_all(&self, run: &QueryRun, ranks: &[u32]) -> f64 {
        ranks.iter().map(|rank| self.matches_of(run, *rank)).sum()
    }

    pub(super) fn matches_of(&self, run: &QueryRun, rank: u32) -> f64 {
        let query = &self.queries[usize::from(run.query)];
        let Some(join) = &query.join else { return 0.0 };
        if join.inner.by_key {
            self.matches_of_value(run, query.outer.value(rank, join.values))
        } else {
            join.matches
        }
    }

    /// Rows of the inner side with this value.
    pub(super) fn matches_of_value(&self, run: &QueryRun, value: u32) -> f64 {
        let Some(join) = &self.queries[usize::from(run.query)].join else { return 0.0 };
        if !join.inner.by_key {
            return join.matches;
        }
        let passes = join.inner.passing.is_none_or(|passing| value.wrapping_sub(run.from) < passing);
        f64::from(u8::from(passes && self.has_row(join.inner.table, value)))
    }

    /// Whether a table has the row of this rank.
    pub(super) fn has_row(&self, table: u16, rank: u32) -> bool {
        let table = &self.tables[usize::from(table)];
        rank < table.keys.universe()
            && match table.storage {
                Some(Storage::Heap(heap)) => {
                    let heap = &self.heaps[usize::from(heap)];
                    heap.is_complete() || heap.contains(table.keys.record_of(rank))
                }
                Some(Storage::Tree(tree)) => self.trees[usize::from(tree)].tree.contains(rank),
                None => true,
            }
    }

    /// Rows of the result: they are returned, or sorted first.
    pub(super) fn emit(&mut self, run: &mut QueryRun, matches: f64) {
        run.matches += matches;
        let rows = (run.matches + 1e-6) as u64;
        let new = rows.saturating_sub(run.emitted);
        run.emitted += new;
        let query = &self.queries[usize::from(run.query)];
        if let Some(join) = &query.join {
            self.query_blocks[usize::from(join.block)].counters.add(ROWS_OUT, new);
        }
        match query.sort {
            Some(_) => run.unsorted += new,
            None => {
                self.cpu_ns = self.cpu_ns.saturating_add(new.saturating_mul(self.costs.scan_row_ns));
                run.enough |= query.limit.is_some_and(|limit| run.emitted >= limit);
            }
        }
    }

    /// What rows of a page led to comes before the next page: rows into the sort of the result, lookups, an inner scan.
    pub(crate) fn fed(&mut self, client: u32) -> Flow {
        let Some(mut run) = self.clients[client as usize].query.take() else { return Flow::Next };
        let flow = self.fed_run(client, &mut run);
        self.clients[client as usize].query = Some(run);
        flow
    }

    fn fed_run(&mut self, client: u32, run: &mut QueryRun) -> Flow {
        if run.unsorted > 0 {
            let rows = run.unsorted.min(ROWS_AT_ONCE);
            run.unsorted -= rows;
            self.push(client, Step::Fed);
            self.worked(rows / ROWS_AN_EVENT);
            self.sort_rows(client, run, RESULT, rows);
            return Flow::Next;
        }
        self.loop_on(client, run)
    }

    /// A part of a query is over: the next one begins.
    pub(crate) fn query(&mut self, client: u32) -> Flow {
        let Some(mut run) = self.clients[client as usize].query.take() else { return Flow::Next };
        if run.phase == Phase::Done {
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
