//! Turns a finished run into its report.

use serde_json::{Map, Value, json};

use super::budget::{Options, StopCause};
use super::{Kernel, Source, Storage, TableState, Totals};
use crate::blocks::buffer::{self, HITS, MISSES};
use crate::blocks::cpu;
use crate::blocks::disk::{BUSY_NS, BYTES_READ, BYTES_WRITTEN, PAGES_READ, PAGES_WRITTEN, QUEUED_NS};
use crate::metrics::histogram::Latencies;
use crate::plan::Spec;
use crate::report::{BlockResult, LatencyShare, OperationResult, Percentile, Report, Summary, Warning};
use crate::units::{NS_PER_SECOND, ns_to_ms, ns_to_seconds};
use crate::{VERSION, Workload, formulas, warmup};

impl Kernel<'_> {
    /// `whole`: the workload, where it was not a sample of it that ran. A sample's figures are extrapolated afterwards, so formulas have
    /// nothing to be compared with yet.
    ///
    /// # Errors
    /// Someone said stop while it was being written.
    pub(super) fn into_report(
        mut self,
        whole: Option<&Workload>,
        options: &Options,
    ) -> Result<Report, StopCause> {
        let end_ns = self.now_ns;
        self.close_bucket(end_ns);
        self.disks.iter_mut().for_each(|disk| disk.integrate(end_ns));
        self.cpu.iter_mut().for_each(|cpu| cpu.integrate(end_ns));
        self.lsms.iter_mut().for_each(|lsm| lsm.lsm.catch_up());
        let from_ns = self.measured_from_ns.unwrap_or_default();
        let seconds = ns_to_seconds(end_ns - from_ns);
        let mut all = Latencies::new(3);
        self.latencies.iter().for_each(|latencies| all.add(latencies));

        let mut report = Report {
            engine_version: VERSION.to_owned(),
            seed: options.seed,
            summary: self.summary(&all, from_ns, seconds),
            operations: self.operation_results(seconds),
            blocks: self.block_results(end_ns - from_ns),
            latency_breakdown: self.latency_breakdown(&all),
            warnings: self.warnings(seconds),
            event_count: self.trace.happened(),
            events: Vec::new(),
            formulas: Vec::new(),
            series: Vec::new(),
            sampling: None,
            result_hash: String::new(),
        };
        report.series = self.sampler.into_series();
        if let Some(workload) = whole {
            let run = formulas::Run { plan: self.plan, workload, program: &self.program, report: &report };
            report.formulas = formulas::cross_check(&run);
            report.warnings.extend(formulas::warnings(&report.formulas));
            report.warnings.extend(warmup::warning(&report));
        }
        let blocks = &self.plan.blocks;
        report.events = self.trace.into_events(|block| blocks[block].id.clone(), self.control)?;
        report.result_hash = report.hash(|| self.control.check())?;
        Ok(report)
    }

    /// Rows a table has now, where it keeps them; without a storage its indexes are the table. (Blind writes do not know
    /// whether a row is new; the LSM tree that holds the rows does.)
    fn rows(&self, table: &TableState) -> u64 {
        let keys = |tree: u16| self.trees[usize::from(tree)].tree.keys();
        match table.storage {
            Some(Storage::Heap(heap)) => self.heaps[usize::from(heap)].rows(),
            Some(Storage::Tree(tree)) => keys(tree),
            None => match table.lsms.first() {
                Some(lsm) => self.lsms[usize::from(*lsm)].lsm.live_keys(),
                None => match (table.indexes.first(), table.hashes.first(), table.skip_lists.first()) {
                    (Some(index), ..) => keys(*index),
                    (None, Some(hash), _) => self.hashes[usize::from(*hash)].buckets.keys(),
                    (None, None, Some(list)) => self.skip_lists[usize::from(*list)].list.keys().into(),
                    (None, None, None) => 0,
                },
            },
        }
    }

    fn summary(&self, all: &Latencies, from_ns: u64, seconds: f64) -> Summary {
        let disks = |counter| self.disks.iter().map(|disk| disk.counters.measured(counter)).sum::<u64>();
        let pools = |counter| self.pools.iter().map(|pool| pool.counters.measured(counter)).sum::<u64>();
        let (pages_read, pages_written) = (disks(PAGES_READ), disks(PAGES_WRITTEN));
        let (hits, misses) = (pools(HITS), pools(MISSES));
        let totals = self.measured_totals();
        let page_bytes: u64 = self
            .heaps
            .iter()
            .map(|heap| u64::from(heap.pages()) * u64::from(heap.page_size_bytes))
            .chain(self.trees.iter().map(|tree| tree.pages() * u64::from(tree.page_size_bytes)))
            .chain(self.hashes.iter().map(|hash| hash.buckets.pages() * u64::from(hash.page_size_bytes)))
            .chain(self.lsms.iter().map(|lsm| lsm.lsm.sst_bytes() + lsm.lsm.blob_sizes().1))
            .sum();
        let row_bytes: u64 =
            self.tables.iter().map(|table| self.rows(table) * u64::from(table.record_bytes)).sum();
        Summary {
            operations: all.count(),
            warmup_operations: self.program.warmup,
            measured_from_seconds: ns_to_seconds(from_ns),
            simulated_seconds: seconds,
            throughput_qps: ratio(all.count() as f64, seconds).unwrap_or_default(),
            latency_mean_ms: all.mean_ms(),
            latency_p50_ms: all.quantile_ms(0.50),
            latency_p95_ms: all.quantile_ms(0.95),
            latency_p99_ms: all.quantile_ms(0.99),
            latency_max_ms: all.max_ms(),
            pages_read,
            pages_written,
            total_io_pages: pages_read + pages_written,
            cache_hit_ratio: ratio(hits as f64, (hits + misses) as f64),
            read_amplification: ratio(disks(BYTES_READ) as f64, totals.bytes_asked as f64),
            write_amplification: ratio(disks(BYTES_WRITTEN) as f64, totals.bytes_changed as f64),
            space_amplification: ratio(page_bytes as f64, row_bytes as f64),
            transactions_committed: totals.commits,
            transactions_aborted: 0,
            deadlocks: 0,
        }
    }

    fn measured_totals(&self) -> Totals {
        let (now, mark) = (self.totals, self.totals_at_mark);
        Totals {
            commits: now.commits - mark.commits,
            bytes_asked: now.bytes_asked - mark.bytes_asked,
            bytes_changed: now.bytes_changed - mark.bytes_changed,
            rows_not_found: now.rows_not_found - mark.rows_not_found,
            cpu_ns: now.cpu_ns - mark.cpu_ns,
        }
    }

    fn operation_results(&self, seconds: f64) -> Vec<OperationResult> {
        self.program
            .groups
            .iter()
            .zip(&self.latencies)
            .map(|(group, latencies)| OperationResult {
                name: group.name.clone(),
                operations: latencies.count(),
                throughput_qps: ratio(latencies.count() as f64, seconds).unwrap_or_default(),
                latency_mean_ms: latencies.mean_ms(),
                latency_p50_ms: latencies.quantile_ms(0.50),
                latency_p95_ms: latencies.quantile_ms(0.95),
                latency_p99_ms: latencies.quantile_ms(0.99),
            })
            .collect()
    }

    fn latency_breakdown(&self, all: &Latencies) -> Vec<LatencyShare> {
        let bands = [
            (Percentile::P50, 0.495, 0.505, all.quantile_ms(0.50)),
            (Percentile::P95, 0.945, 0.955, all.quantile_ms(0.95)),
            (Percentile::P99, 0.985, 0.995, all.quantile_ms(0.99)),
            (Percentile::Mean, 0.0, 1.0, all.mean_ms()),
        ];
        let mut shares = Vec::new();
        for (percentile, from, to, latency_ms) in bands {
            let split = self.bands.split(from, to);
            let whole: f64 = split.iter().sum();
            for ((cause, block), part) in self.causes.list.iter().zip(&split) {
                if *part > 0.0 {
                    let share = part / whole;
                    shares.push(LatencyShare {
                        percentile,
                        cause: (*cause).to_owned(),
                        block_id: block.map(|block| self.plan.blocks[block].id.clone()),
                        // The band's split, laid over the percentile itself, so that the parts sum to it.
                        milliseconds: share * latency_ms,
                        share,
                    });
                }
            }
        }
        shares
    }

    fn block_results(&self, interval_ns: u64) -> Vec<BlockResult> {
        let mut results: Vec<BlockResult> = self
            .plan
            .blocks
            .iter()
            .map(|block| BlockResult {
                block_id: block.id.clone(),
                kind: block.kind.to_owned(),
                utilization: None,
                counters: Map::new(),
                gauges: Map::new(),
                histograms: Map::new(),
            })
            .collect();
        if let Some(cpu) = &self.cpu {
            let result = &mut results[cpu.block];
            result.counters = cpu.counters.to_map();
            let busy_ns = cpu.counters.measured(cpu::BUSY_NS) as f64;
            result.utilization = ratio(busy_ns, (interval_ns * cpu.cores()) as f64);
            result.gauges = map(cpu.gauges(interval_ns));
        }
        for disk in &self.disks {
            let result = &mut results[disk.block];
            result.counters = disk.counters.to_map();
            let busy_ns = disk.counters.measured(BUSY_NS) as f64;
            result.utilization = ratio(busy_ns, (interval_ns * disk.slots()) as f64);
            let queued_ns = disk.counters.measured(QUEUED_NS) as f64;
            result.gauges = map(json!({
                "slots": disk.slots(),
                "queue_length": disk.queue_length(),
                "mean_queue_length": ratio(queued_ns, interval_ns as f64),
            }));
        }
        for pool in &self.pools {
            let result = &mut results[pool.block];
            result.counters = pool.counters.to_map();
            if let Some(background) = &pool.background {
                result.counters.extend(background.counters.to_map());
            }
            if let Some(writes) = &pool.at_commit {
                result.counters.extend(writes.counters.to_map());
            }
            let (hits, misses) = (pool.counters.measured(HITS), pool.counters.measured(MISSES));
            result.gauges = map(json!({
                "capacity_pages": pool.capacity(),
                "resident_pages": pool.resident_pages(),
                "dirty_pages": pool.dirty_pages(),
                "hit_ratio": ratio(hits as f64, (hits + misses) as f64),
            }));
        }
        for wal in &self.wals {
            let result = &mut results[wal.block];
            result.counters = wal.counters.to_map();
            let commits = wal.counters.measured(crate::blocks::wal::COMMITS) as f64;
            let flushes = wal.counters.measured(crate::blocks::wal::FLUSHES) as f64;
            result.gauges = map(json!({
                "pending_bytes": wal.pending_bytes(),
                "commits_per_flush": ratio(commits, flushes),
            }));
        }
        for tree in &self.trees {
            results[tree.block].counters = tree.counters.to_map();
            if let Some(copies) = &tree.copy_on_write {
                results[tree.block].counters.extend(copies.counters.to_map());
            }
            results[tree.block].gauges = map(tree.gauges());
        }
        for heap in &self.heaps {
            results[heap.block].counters = heap.counters.to_map();
            if let Some(vacuum) = &heap.vacuum {
                results[heap.block].counters.extend(vacuum.counters.to_map());
            }
            results[heap.block].gauges = map(heap.gauges());
        }
        for hash in &self.hashes {
            results[hash.block].counters = hash.counters.to_map();
            results[hash.block].gauges = map(hash.gauges());
        }
        for list in &self.skip_lists {
            results[list.block].counters = list.counters.to_map();
            results[list.block].gauges = map(list.gauges());
        }
        for lsm in &self.lsms {
            results[lsm.block].counters = lsm.counters.to_map();
            results[lsm.block].gauges = map(lsm.gauges());
        }
        for query in &self.query_blocks {
            results[query.block].counters = query.counters.to_map();
            results[query.block].gauges = map(self.query_gauges(query));
        }
        for space in self.spaces.iter().filter(|space| matches!(space.source, Source::Pool(_))) {
            let (hits, misses) = space.marked;
            let counters = &mut results[space.block].counters;
            for (name, requests) in [("pool_hits", space.hits - hits), ("pool_misses", space.misses - misses)]
            {
                let before = counters.get(name).and_then(Value::as_u64).unwrap_or_default();
                counters.insert(name.to_owned(), json!(before + requests));
            }
        }
        for operator in &self.operators {
            results[operator.block].counters = operator.counters.to_map();
        }
        self.client_result(&mut results[self.client_block], interval_ns);
        results
    }

    fn client_result(&self, result: &mut BlockResult, interval_ns: u64) {
        let totals = self.measured_totals();
        let mut all = Latencies::new(3);
        for (group, latencies) in self.program.groups.iter().zip(&self.latencies) {
            result.histograms.insert(format!("latency_ms {}", group.name), latencies.to_json());
            all.add(latencies);
        }
        result.histograms.insert("latency_ms".to_owned(), all.to_json());
        result.counters = map(json!({
            "operations": all.count(),
            "commits": totals.commits,
            "rows_not_found": totals.rows_not_found,
            "cpu_ns": totals.cpu_ns,
        }));
        let busy = all.mean_ms() * all.count() as f64;
        result.gauges = map(json!({
            "clients": self.client_count(),
            // Little's law, from the latencies: operations in progress on average.
            "mean_in_progress": ratio(busy, ns_to_ms(interval_ns)),
        }));
    }

    fn warnings(&self, seconds: f64) -> Vec<Warning> {
        let mut warnings = Vec::new();
        let mut warn = |code: &str, block: Option<usize>, message: String| {
            warnings.push(Warning {
                code: code.to_owned(),
                message,
                block_id: block.map(|block| self.plan.blocks[block].id.clone()),
            });
        };
        for pool in &self.pools {
            let filled = pool.counters.total(buffer::EVICTIONS) > pool.counters.measured(buffer::EVICTIONS);
            let touched = pool.counters.measured(MISSES) > 0;
            if touched && !filled && pool.resident_pages() == u64::from(pool.capacity()) {
                warn(
                    "POOL_FILLED_WHILE_MEASURED",
                    Some(pool.block),
                    "the buffer pool filled up only after the warm-up: its hit ratio includes a cold start"
                        .to_owned(),
                );
            }
        }
        if let Some(seconds) = self.sampler.coarsened_seconds() {
            warn(
                "SERIES_COARSENED",
                None,
                format!("the run is long: each point of a series stands for {seconds} s"),
            );
        }
        if self.trace.happened() > self.trace.kept() {
            let kept = self.trace.kept();
            warn(
                "EVENTS_DROPPED",
                None,
                format!("the trace holds the first {kept} of {} events", self.trace.happened()),
            );
        }
        if let Some(rate) = self.arrival_gap_ns.map(|gap_ns| NS_PER_SECOND as f64 / gap_ns) {
            let measured = self.latencies.iter().map(Latencies::count).sum::<u64>();
            let reached = ratio(measured as f64, seconds).unwrap_or_default();
            if reached < 0.95 * rate {
                warn(
                    "ARRIVALS_OUTRUN_SERVICE",
                    Some(self.client_block),
                    format!(
                        "{rate} operations arrive a second, {reached:.0} are served: latencies grow as long as the run goes on"
                    ),
                );
            }
        }
        for (index, block) in self.plan.blocks.iter().enumerate() {
            let idle = matches!(block.spec, Spec::Wal(_))
                && self
                    .wals
                    .iter()
                    .any(|wal| wal.block == index && wal.counters.total(crate::blocks::wal::RECORDS) == 0);
            if idle {
                warn("LOG_UNUSED", Some(index), "no operation of this workload writes to the log".to_owned());
            }
        }
        warnings.extend(self.query_warnings());
        warnings
    }
}

/// The quotient, where the divisor is above zero.
fn ratio(dividend: f64, divisor: f64) -> Option<f64> {
    (divisor > 0.0).then(|| dividend / divisor)
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
