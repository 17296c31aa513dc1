//! What the rows of a page are to the query that reads them, and the rows of its result.

use super::run::{Phase, QueryRun, RESULT};
use super::{INNER_ROWS, OUTER_ROWS, ROWS_OUT};
use crate::kernel::step::{Flow, Step};
use crate::kernel::{Kernel, Storage};

/// Result rows put into a sort, or looked up, in one step.
const ROWS_AT_ONCE: u64 = 1 << 14;
/// Rows that take the time of an event.
pub(super) const ROWS_AN_EVENT: u64 = 16;

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
}
