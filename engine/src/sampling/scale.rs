//! A design and a workload as much smaller as a sample is: what holds pages, bytes or rows, and what happens once so many of them
//! have changed. What is as fast as it was, devices and cores, stays.

use crate::plan::{Plan, Spec};
use crate::workload::{Table, Workload};

/// Records that a memtable holds at least.
const MIN_MEMTABLE_RECORDS: u64 = 200;

pub(super) fn workload(workload: &Workload, one_in: u32) -> Workload {
    let one_in = u64::from(one_in);
    let mut scaled = workload.clone();
    let config = &mut scaled.config;
    config.warmup_operations = Some(workload.effective_warmup_operations() / one_in);
    config.total_operations = (config.total_operations / one_in).max(1);
    config.record_count /= one_in;
    config.key_range = None;
    scaled.tables.iter_mut().for_each(|table| table.record_count /= one_in);
    scaled
}

pub(super) fn plan(plan: &Plan, one_in: u32) -> Plan {
    let mut scaled = plan.clone();
    for block in &mut scaled.blocks {
        scale(&mut block.spec, one_in);
    }
    scaled
}

fn scale(spec: &mut Spec, one_in: u32) {
    let (long, real) = (u64::from(one_in), f64::from(one_in));
    match spec {
        Spec::BufferPool(pool) => {
            pool.capacity_pages = (pool.capacity_pages / one_in).max(1);
            pool.free_pages_target = pool.free_pages_target.div_ceil(one_in);
            if let Some(checkpoint) = &mut pool.checkpoint {
                // In a time, each page of the sample sees as much as it would in so many times that time.
                checkpoint.interval_ns = checkpoint.interval_ns.map(|ns| (ns / long).max(1));
                checkpoint.log_bytes = checkpoint.log_bytes.map(|bytes| (bytes / long).max(1));
            }
            if let Some(frames) = pool.at_commit.as_mut().and_then(|writes| writes.checkpoint_frames.as_mut())
            {
                *frames = (*frames / one_in).max(1);
            }
        }
        Spec::Lsm(lsm) => {
            lsm.write_buffer_bytes = (lsm.write_buffer_bytes / long).max(1);
            lsm.target_file_bytes = (lsm.target_file_bytes / long).max(1);
            lsm.level_base_bytes = (lsm.level_base_bytes / long).max(1);
            lsm.soft_pending_bytes /= real;
            lsm.hard_pending_bytes /= real;
            lsm.load_puts = lsm.load_puts.map(|puts| puts / one_in);
        }
        Spec::Heap(heap) => {
            if let Some(vacuum) = &mut heap.vacuum {
                vacuum.threshold /= one_in;
                vacuum.naptime_ns = (vacuum.naptime_ns / long).max(1);
            }
        }
        _ => {}
    }
}

/// The sparsest sample that leaves every pool so many frames, and every memtable enough records.
pub(super) fn most_one_in(plan: &Plan, tables: &[Table], min_frames: u64) -> u64 {
    let of = |spec: &Spec| match spec {
        Spec::BufferPool(pool) => u64::from(pool.capacity_pages) / min_frames,
        Spec::Lsm(lsm) => {
            let table = tables.iter().find(|table| table.name == lsm.table);
            let record_bytes = table.map_or(1, |table| u64::from(table.record_bytes));
            lsm.write_buffer_bytes / (record_bytes * MIN_MEMTABLE_RECORDS)
        }
        _ => u64::MAX,
    };
    plan.blocks.iter().filter(|block| block.reachable).map(|block| of(&block.spec)).min().unwrap_or(u64::MAX)
}
