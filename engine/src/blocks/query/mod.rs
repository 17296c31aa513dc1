//! Joins and sorts. A query is a statement that reads its inputs with statements of its own, page by page, and does something to
//! the rows of each page: it looks them up, hashes them, sorts them, or counts them.
//!
//! Rows are counted, not carried: of a row only its rank and the value it is joined by matter, both by arithmetic.

pub(crate) mod advice;
pub(crate) mod bind;
mod hash_join;
mod hash_table;
mod nested_loop;
mod run;
mod sorting;
mod spill;
mod tuplesort;

use serde_json::{Value, json};

use super::counters::Counters;
use crate::kernel::Kernel;
use crate::kernel::snapshot::listed;
use crate::plan::BlockIndex;
use crate::prng::Stream;
pub(crate) use run::{Fed, QueryRun};
use spill::TempSpace;

/// Counters of a join.
pub(crate) const CALLS: usize = 0;
pub(crate) const OUTER_ROWS: usize = 1;
pub(crate) const INNER_ROWS: usize = 2;
pub(crate) const ROWS_OUT: usize = 3;
/// Searches of an inner index, and scans of an inner side.
pub(crate) const INNER_LOOKUPS: usize = 4;
pub(crate) const INNER_SCANS: usize = 5;
/// Of a sort.
pub(crate) const EXTERNAL_SORTS: usize = 2;
pub(crate) const INITIAL_RUNS: usize = 4;
pub(crate) const MERGES: usize = 5;
/// Of both.
pub(crate) const TEMP_PAGES_WRITTEN: usize = 6;
pub(crate) const TEMP_PAGES_READ: usize = 7;

/// A join or a sort while a run goes on.
#[derive(Debug)]
pub(crate) struct QueryBlock {
    pub(crate) block: BlockIndex,
    pub(crate) counters: Counters<8>,
    pub(crate) memory_bytes: u64,
    /// Where its temporary files lie.
    pub(crate) temp: Option<TempSpace>,
    /// What its latest hash table, or sorts, came to.
    pub(crate) latest: Value,
    /// Temporary pages there would have been, had there been a place for them.
    pub(crate) kept_bytes: u64,
}

impl QueryBlock {
    pub(crate) fn new(block: BlockIndex, memory_bytes: u64, temp: Option<u16>, sort: bool) -> Self {
        let names = if sort {
            [
                "sorts",
                "rows_sorted",
                "external_sorts",
                "rows_returned",
                "initial_runs",
                "merges",
                "temp_pages_written",
                "temp_pages_read",
            ]
        } else {
            [
                "joins",
                "outer_rows",
                "inner_rows",
                "rows_joined",
                "inner_lookups",
                "inner_scans",
                "temp_pages_written",
                "temp_pages_read",
            ]
        };
        Self {
            block,
            counters: Counters::new(names),
            memory_bytes,
            temp: temp.map(TempSpace::new),
            latest: json!({}),
            kept_bytes: 0,
        }
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        self.temp.as_ref().map_or(0, TempSpace::memory_bytes)
    }
}

/// What a statement that joins or sorts does.
#[derive(Debug, Clone)]
pub(crate) struct BoundQuery {
    /// What is read first; all there is where nothing is joined.
    pub(crate) outer: BoundInput,
    pub(crate) join: Option<BoundJoin>,
    /// The sort of the result, by its number among the joins and sorts.
    pub(crate) sort: Option<u16>,
    pub(crate) limit: Option<u64>,
    pub(crate) result_bytes: u32,
}

impl BoundQuery {
    /// The input that a statement reads.
    fn is_inner(&self, statement: u16) -> bool {
        self.join.as_ref().is_some_and(|join| join.inner.statement == statement)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct BoundJoin {
    pub(crate) block: u16,
    pub(crate) method: Method,
    pub(crate) inner: BoundInput,
    /// Values that rows which are not joined by their key refer to.
    pub(crate) values: u32,
    /// Of them, how many rows of the inner side an outer row matches when neither is joined by key.
    pub(crate) matches: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Hash {
        grace: bool,
    },
    SortMerge,
    /// A search of the inner index for each outer row.
    Lookups,
    /// A scan of the inner side for so many outer pages.
    Blocks {
        pages: u32,
    },
    /// A scan of the inner side for each outer row.
    Rows,
}

#[derive(Debug, Clone)]
pub(crate) struct BoundInput {
    pub(crate) statement: u16,
    pub(crate) table: u16,
    /// It is joined by its key; otherwise by values drawn from a stream.
    pub(crate) by_key: bool,
    pub(crate) refers: Stream,
    /// Rows that pass the condition, where there is one.
    pub(crate) passing: Option<u32>,
    /// It comes in the order of what it is joined by.
    pub(crate) ordered: bool,
    /// Its rows are read through an index, so a condition on the key reads no others.
    pub(crate) indexed: bool,
    /// A sort block between it and the join.
    pub(crate) sort: Option<u16>,
    pub(crate) record_bytes: u32,
}

impl BoundInput {
    /// What a row is joined by.
    #[inline]
    fn value(&self, rank: u32, values: u32) -> u32 {
        if self.by_key { rank } else { self.refers.at(u64::from(rank)).below(u64::from(values)) as u32 }
    }
}

impl Kernel<'_> {
    /// Figures of a join or a sort.
    pub(crate) fn query_gauges(&self, query: &QueryBlock) -> Value {
        let mut gauges = query.latest.clone();
        if let Some(advice) = self.advice(query.block) {
            gauges["formula_pages"] = json!(advice.pages);
            gauges["outer_pages"] = json!(advice.outer_pages);
            gauges["inner_pages"] = json!(advice.inner_pages);
        }
        gauges["memory_bytes"] = json!(query.memory_bytes);
        gauges
    }

    /// What a join or a sort is doing, for each client that is in it.
    pub(crate) fn query_state(&self, number: usize) -> Value {
        let block = &self.query_blocks[number];
        let mut state = self.query_gauges(block);
        let at_work = |run: &QueryRun| {
            let query = &self.queries[usize::from(run.query)];
            let joins = query.join.as_ref().is_some_and(|join| usize::from(join.block) == number);
            let sorts = query.sort.is_some_and(|sort| usize::from(sort) == number);
            joins || sorts
        };
        let runs: Vec<Value> = (0u32..)
            .zip(&self.clients)
            .filter_map(|(client, state)| {
                let run = state.query.as_deref().filter(|run| at_work(run))?;
                let mut state = run.state();
                state["client"] = json!(client);
                Some(state)
            })
            .collect();
        let count = runs.len();
        listed(&mut state, "in_progress", count, runs.into_iter());
        state
    }
}

#[cfg(test)]
mod tests;
