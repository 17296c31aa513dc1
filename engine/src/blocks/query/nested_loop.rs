//! The steps of a nested loop: a search of the inner index for each outer row, or scans of the inner side.

use serde_json::json;

use super::run::QueryRun;
use super::{INNER_LOOKUPS, INNER_SCANS, Method};
use crate::kernel::load::Find;
use crate::kernel::step::{Flow, Step};
use crate::kernel::{Kernel, Storage};

impl Kernel<'_> {
    /// Outer rows of a page that was just read: they are looked up before the next one, or wait until their block is complete.
    pub(super) fn loop_rows(&mut self, client: u32, run: &mut QueryRun, ranks: &[u32]) {
        self.emit_joined_block(run);
        let query = &self.queries[usize::from(run.query)];
        let Some(join) = &query.join else { return };
        if matches!(join.method, Method::Blocks { .. }) {
            run.block_pages += 1;
            run.block_matches += self.matches_all(run, ranks);
        } else {
            run.lookups.extend(ranks.iter().rev().map(|rank| query.outer.value(*rank, join.values)));
        }
        if self.clients[client as usize].traced && !ranks.is_empty() {
            let Some(block) = self.join_block(run) else { return };
            let (rows, lookups) = (ranks.len(), run.lookups.len());
            self.trace.emit(
                self.now_ns + self.cpu_ns,
                block,
                "join_block",
                || json!({"outer_rows": rows, "lookups": lookups, "rows": run.emitted}),
            );
        }
    }

    /// What the rows of a block matched whose scan is over.
    pub(super) fn emit_joined_block(&mut self, run: &mut QueryRun) {
        let matches = std::mem::take(&mut run.joined_matches);
        self.emit(run, matches);
    }

    /// Whether as many outer pages are in memory as a scan of the inner side serves.
    pub(super) fn block_is_full(&self, run: &QueryRun) -> bool {
        let join = self.queries[usize::from(run.query)].join.as_ref();
        matches!(join.map(|join| join.method), Some(Method::Blocks { pages }) if run.block_pages >= pages)
    }

    /// The next outer row, or the block of outer pages, meets the inner side.
    pub(super) fn loop_on(&mut self, client: u32, run: &mut QueryRun) -> Flow {
        if self.block_is_full(run) {
            return self.scan_for_block(client, run);
        }
        if run.enough {
            run.lookups.clear();
        }
        let Some(value) = run.lookups.pop() else { return Flow::Next };
        let matches = self.matches_of_value(run, value);
        self.emit(run, matches);
        let query = &self.queries[usize::from(run.query)];
        let Some(join) = &query.join else { return Flow::Next };
        let (statement, table, by_key) = (join.inner.statement, join.inner.table, join.inner.by_key);
        let (number, method) = (usize::from(join.block), join.method);
        if !run.lookups.is_empty() || run.unsorted > 0 {
            self.push(client, Step::Fed);
        }
        let found = by_key && self.has_row(table, value);
        if self.clients[client as usize].traced {
            let block = self.query_blocks[number].block;
            self.trace.emit(
                self.now_ns + self.cpu_ns,
                block,
                "join_row",
                || json!({"inner_key": value, "found": found}),
            );
        }
        if method == Method::Lookups {
            self.query_blocks[number].counters.add(INNER_LOOKUPS, 1);
            return self.look_up(client, statement, table, value);
        }
        self.query_blocks[number].counters.add(INNER_SCANS, 1);
        run.last_inner_page = if found { self.page_of_row(table, value) } else { None };
        self.begin_access(client, statement, 0, u32::MAX)
    }

    /// A search of the inner index, which finds a row or learns that there is none.
    fn look_up(&mut self, client: u32, statement: u16, table: u16, value: u32) -> Flow {
        let last = self.tables[usize::from(table)].keys.universe() - 1;
        match self.statements[usize::from(statement)].find {
            Find::Search { tree, .. } if value > last => self.search(client, tree, last, false),
            _ if value > last => Flow::Next,
            _ => self.begin_access(client, statement, value, 1),
        }
    }

    /// The page of a storage where a scan finds a row.
    fn page_of_row(&self, table: u16, rank: u32) -> Option<u32> {
        let table = &self.tables[usize::from(table)];
        match table.storage? {
            Storage::Heap(heap) => Some(self.heaps[usize::from(heap)].page_of(table.keys.record_of(rank))),
            Storage::Tree(tree) => Some(self.trees[usize::from(tree)].tree.leaf_of(rank)),
        }
    }

    /// A scan of the inner side for the outer pages in memory.
    pub(super) fn scan_for_block(&mut self, client: u32, run: &mut QueryRun) -> Flow {
        run.block_pages = 0;
        run.joined_matches += std::mem::take(&mut run.block_matches);
        let Some(join) = &self.queries[usize::from(run.query)].join else { return Flow::Next };
        let (statement, number) = (join.inner.statement, usize::from(join.block));
        self.query_blocks[number].counters.add(INNER_SCANS, 1);
        run.last_inner_page = None;
        self.begin_access(client, statement, 0, u32::MAX)
    }
}
