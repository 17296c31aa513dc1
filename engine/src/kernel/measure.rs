//! The measured interval, and figures over virtual time.

use super::Kernel;
use crate::blocks::buffer::{HITS, MISSES};
use crate::blocks::disk::{BUSY_NS, Disk, PAGES_READ, PAGES_WRITTEN};
use crate::metrics::series::{Course, Join, Sampler};
use crate::plan::Plan;
use crate::units::NS_PER_SECOND;

/// Counters of a sampler that belong to no single block: pages read, pages written.
const SHARED_COUNTERS: usize = 2;

/// The courses of a run: throughput and latency, pages, then hit ratios by pool and utilization by disk.
pub(super) fn sampler(plan: &Plan, pools: &[usize], disks: &[usize]) -> Sampler {
    let course = |name, unit, block: Option<usize>, join| Course {
        name,
        unit,
        block_id: block.map(|block| plan.blocks[block].id.clone()),
        join,
    };
    let mut courses = vec![
        course("throughput_qps", Some("1/s"), None, Join::Mean),
        course("latency_p50_ms", Some("ms"), None, Join::Max),
        course("latency_p99_ms", Some("ms"), None, Join::Max),
        course("pages_read", Some("pages"), None, Join::Sum),
        course("pages_written", Some("pages"), None, Join::Sum),
    ];
    courses
        .extend(pools.iter().map(|pool| course("cache_hit_ratio", Some("ratio"), Some(*pool), Join::Mean)));
    courses.extend(disks.iter().map(|disk| course("utilization", Some("ratio"), Some(*disk), Join::Mean)));
    Sampler::new(courses, SHARED_COUNTERS + 2 * pools.len() + disks.len())
}

impl Kernel<'_> {
    /// The warm-up is over: every counter is read from here on.
    pub(super) fn begin_measuring(&mut self) {
        let now_ns = self.now_ns;
        self.measured_from_ns = Some(now_ns);
        self.totals_at_mark = self.totals;
        if let Some(cpu) = &mut self.cpu {
            cpu.integrate(now_ns);
            cpu.counters.mark();
        }
        for disk in &mut self.disks {
            disk.integrate(now_ns);
            disk.counters.mark();
        }
        for pool in &mut self.pools {
            pool.counters.mark();
            if let Some(background) = &mut pool.background {
                background.counters.mark();
            }
            if let Some(writes) = &mut pool.at_commit {
                writes.counters.mark();
            }
        }
        self.spaces.iter_mut().for_each(|space| space.marked = (space.hits, space.misses));
        self.wals.iter_mut().for_each(|wal| wal.counters.mark());
        for tree in &mut self.trees {
            tree.counters.mark();
            if let Some(copies) = &mut tree.copy_on_write {
                copies.counters.mark();
            }
        }
        for heap in &mut self.heaps {
            heap.counters.mark();
            if let Some(vacuum) = &mut heap.vacuum {
                vacuum.counters.mark();
            }
        }
        self.lsms.iter_mut().for_each(|lsm| lsm.counters.mark());
        self.hashes.iter_mut().for_each(|hash| hash.counters.mark());
        self.skip_lists.iter_mut().for_each(|list| list.counters.mark());
        self.operators.iter_mut().for_each(|operator| operator.counters.mark());
        if let Some(all) = &mut self.transactions {
            all.integrate(now_ns);
            all.counters.mark();
        }
        self.query_blocks.iter_mut().for_each(|query| query.counters.mark());
    }

    /// Ends the open bucket of the series at `end_ns`.
    pub(super) fn close_bucket(&mut self, end_ns: u64) {
        let start_ns = self.sampler.next_ns() - self.sampler.interval_ns();
        let width_ns = end_ns.saturating_sub(start_ns);
        if width_ns == 0 {
            return;
        }
        let seconds = width_ns as f64 / NS_PER_SECOND as f64;
        let latencies = self.sampler.latencies();
        let count = latencies.count();
        let quantile = |part| (count > 0).then(|| latencies.quantile_ms(part));
        let mut bucket = vec![Some(count as f64 / seconds), quantile(0.50), quantile(0.99)];
        let total =
            |disks: &[Disk], counter| disks.iter().map(|disk| disk.counters.total(counter)).sum::<u64>();
        for (shared, counter) in [PAGES_READ, PAGES_WRITTEN].into_iter().enumerate() {
            bucket.push(Some(self.sampler.growth(shared, total(&self.disks, counter)) as f64));
        }
        let mut next = SHARED_COUNTERS;
        for pool in &self.pools {
            let hits = self.sampler.growth(next, pool.counters.total(HITS));
            let misses = self.sampler.growth(next + 1, pool.counters.total(MISSES));
            next += 2;
            bucket.push((hits + misses > 0).then(|| hits as f64 / (hits + misses) as f64));
        }
        for disk in &mut self.disks {
            disk.integrate(end_ns);
            let busy_ns = self.sampler.growth(next, disk.counters.total(BUSY_NS));
            next += 1;
            bucket.push(Some(busy_ns as f64 / (width_ns * disk.slots()) as f64));
        }
        self.sampler.close(bucket);
    }
}
