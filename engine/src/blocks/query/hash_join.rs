//! The steps of a hash join: build, probe, and the same for each batch in temporary files.

use serde_json::json;

use super::hash_table::{HashSpec, HashTable, Side, hash_value};
use super::run::{Phase, QueryRun, ROWS_AN_EVENT};
use super::spill::BLOCK_BYTES;
use super::tuplesort::minimal_tuple_bytes;
use super::{BoundJoin, BoundQuery, TEMP_PAGES_READ, TEMP_PAGES_WRITTEN};
use crate::kernel::Kernel;
use crate::kernel::step::Step;

impl Kernel<'_> {
    pub(super) fn new_hash_table(&self, query: &BoundQuery, join: &BoundJoin, grace: bool) -> HashTable {
        let block = &self.query_blocks[usize::from(join.block)];
        let table = &self.tables[usize::from(join.inner.table)];
        HashTable::new(HashSpec {
            memory_bytes: block.memory_bytes,
            inner_tuple_bytes: minimal_tuple_bytes(join.inner.record_bytes),
            outer_tuple_bytes: minimal_tuple_bytes(query.outer.record_bytes),
            expected_rows: join.inner.passing.map_or(table.arrived, u64::from),
            grace,
            spills: block.temp.is_some(),
        })
    }

    /// Inner rows go into the table, or into files.
    pub(super) fn build_rows(&mut self, client: u32, run: &mut QueryRun, ranks: &[u32]) {
        let query = &self.queries[usize::from(run.query)];
        let (Some(join), Some(hash)) = (&query.join, &mut run.hash) else { return };
        for rank in ranks {
            hash.insert(hash_value(join.inner.value(*rank, join.values)));
        }
        let rows = ranks.len() as u64;
        self.cpu_ns += rows * self.costs.hash_row_ns;
        self.write_filled(client, run);
    }

    pub(super) fn end_build(&mut self, client: u32, run: &mut QueryRun) {
        let Some(hash) = &mut run.hash else { return };
        hash.end_build();
        if self.clients[client as usize].traced {
            let Some(block) = self.join_block(run) else { return };
            let Some(hash) = &run.hash else { return };
            self.trace.emit(self.now_ns + self.cpu_ns, block, "hash_join_build", || {
                json!({
                    "rows": run.inner_rows,
                    "rows_in_memory": hash.here_rows(),
                    "batches": hash.batches(),
                    "planned_batches": hash.planned_batches(),
                    "buckets": hash.buckets(),
                    "memory_bytes": hash.peak_bytes(),
                })
            });
        }
    }

    /// Outer rows are looked up, or go into files.
    pub(super) fn probe_rows(&mut self, client: u32, run: &mut QueryRun, ranks: &[u32]) {
        let mut found = 0.0;
        for rank in ranks {
            let matches = self.matches_of(run, *rank);
            let query = &self.queries[usize::from(run.query)];
            let (Some(join), Some(hash)) = (&query.join, &mut run.hash) else { return };
            if hash.probe(hash_value(query.outer.value(*rank, join.values)), matches) {
                found += matches;
            }
        }
        self.cpu_ns += ranks.len() as u64 * self.costs.hash_row_ns;
        self.emit(run, found);
        self.write_filled(client, run);
    }

    pub(super) fn tell_probe(&mut self, client: u32, run: &QueryRun) {
        if !self.clients[client as usize].traced {
            return;
        }
        let (Some(block), Some(hash)) = (self.join_block(run), &run.hash) else { return };
        self.trace.emit(self.now_ns + self.cpu_ns, block, "hash_join_probe", || {
            json!({
                "batch": hash.batch(),
                "outer_rows": run.outer_rows,
                "rows": run.emitted,
                "rows_in_files": hash.saved_rows(),
            })
        });
    }

    /// Files with a full extent more have it written.
    fn write_filled(&mut self, client: u32, run: &mut QueryRun) {
        let Some(number) = self.join_number(run) else { return };
        let Some(hash) = &mut run.hash else { return };
        while let Some((side, batch)) = hash.take_filled() {
            self.write_extents(client, number, hash, (side, batch), true);
        }
    }

    fn write_extents(
        &mut self,
        client: u32,
        number: u16,
        hash: &mut HashTable,
        (side, batch): (Side, u32),
        full: bool,
    ) {
        let block = &mut self.query_blocks[usize::from(number)];
        let Some(temp) = &mut block.temp else { return };
        while let Some(extent) = hash.temp(side, batch).write(full, temp) {
            block.counters.add(TEMP_PAGES_WRITTEN, u64::from(extent.pages));
            let (space, page, pages) = (temp.space, extent.page, extent.pages);
            self.clients[client as usize].steps.push(Step::Spill { space, page, pages, write: true });
        }
    }

    /// The next batch whose files hold something that matters: what they hold last is written first.
    pub(super) fn next_batch(&mut self, client: u32, run: &mut QueryRun) {
        let Some(number) = self.join_number(run) else { return };
        let next = match &mut run.hash {
            Some(hash) if !run.enough => hash.next_batch(),
            _ => None,
        };
        let (Some(batch), Some(hash)) = (next, &mut run.hash) else {
            return self.joined(run);
        };
        run.phase = Phase::BatchBuild;
        for side in [Side::Outer, Side::Inner] {
            self.write_extents(client, number, hash, (side, batch), false);
        }
        if self.clients[client as usize].traced {
            let block = self.query_blocks[usize::from(number)].block;
            let (batches, rows) = (hash.batches(), hash.rows_in(batch));
            self.trace.emit(
                self.now_ns + self.cpu_ns,
                block,
                "hash_join_batch",
                || json!({"batch": batch, "batches": batches, "inner_rows": rows.0, "outer_rows": rows.1}),
            );
        }
    }

    /// One extent more of the batch in memory: of its inner rows, then of its outer ones.
    pub(super) fn read_batch(&mut self, client: u32, run: &mut QueryRun) {
        let Some(number) = self.join_number(run) else { return };
        let side = if run.phase == Phase::BatchBuild { Side::Inner } else { Side::Outer };
        let Some(hash) = &mut run.hash else { return };
        let Some(batch) = hash.batch() else { return };
        let block = &mut self.query_blocks[usize::from(number)];
        let Some(temp) = &mut block.temp else { return };
        let extent = hash.temp(side, batch).read(temp);
        // Rows that an extent holds in part are read with it.
        let bytes = extent.map_or(u64::MAX, |extent| u64::from(extent.pages) * BLOCK_BYTES);
        let (rows, matches) = hash.take_rows(side, bytes);
        self.cpu_ns += rows * self.costs.hash_row_ns;
        self.worked(rows / ROWS_AN_EVENT);
        self.emit(run, matches);
        self.write_filled(client, run);
        match extent {
            Some(extent) => {
                let Some(temp) = &self.query_blocks[usize::from(number)].temp else { return };
                let (space, page, pages) = (temp.space, extent.page, extent.pages);
                self.query_blocks[usize::from(number)].counters.add(TEMP_PAGES_READ, u64::from(pages));
                self.push(client, Step::Spill { space, page, pages, write: false });
            }
            None if side == Side::Inner => run.phase = Phase::BatchProbe,
            None => {
                self.tell_probe(client, run);
                run.phase = Phase::NextBatch;
            }
        }
    }

    pub(super) fn keep_hash_figures(&mut self, number: u16, hash: &mut HashTable) {
        let block = &mut self.query_blocks[usize::from(number)];
        if let Some(temp) = &mut block.temp {
            hash.drop_files(temp);
        } else {
            let over_bytes = hash.peak_bytes().saturating_sub(block.memory_bytes);
            block.kept_bytes = block.kept_bytes.max(over_bytes);
        }
        block.latest = json!({
            "batches": hash.batches(),
            "planned_batches": hash.planned_batches(),
            "buckets": hash.buckets(),
            "peak_memory_bytes": hash.peak_bytes(),
            "rows_in_files": hash.saved_rows(),
        });
    }

    /// Number of the join among the joins and sorts.
    pub(super) fn join_number(&self, run: &QueryRun) -> Option<u16> {
        self.queries[usize::from(run.query)].join.as_ref().map(|join| join.block)
    }

    /// The join on the canvas.
    pub(super) fn join_block(&self, run: &QueryRun) -> Option<usize> {
        Some(self.query_blocks[usize::from(self.join_number(run)?)].block)
    }
}
