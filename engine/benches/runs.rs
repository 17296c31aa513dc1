//! Whole runs, from the plan to the report, an operation each: `cargo bench -p engine --features bench --bench runs`.
//! A hundred million records, whose trees take minutes to build, only with `ENGINE_BENCH_LARGE=1`.

use divan::Bencher;
use divan::counter::ItemsCount;
use engine::{Control, Options, Plan, TraceLevel, Workload, design, simulate, templates};
use serde_json::{Value, json};

const OPERATIONS: u64 = 1_000_000;

fn main() {
    divan::main();
}

/// A design of the templates with other parameters: `(type, parameter, value)`.
fn plan(slug: &str, changes: &[(&str, &str, Value)]) -> Option<Plan> {
    let mut canvas = templates::design(slug)?.canvas();
    for block in canvas["blocks"].as_array_mut()? {
        for (kind, parameter, value) in changes {
            if block["type"] == *kind {
                block["parameters"][*parameter] = value.clone();
            }
        }
    }
    design::check(&canvas).plan
}

fn workload(slug: &str, records: u64, clients: u32) -> Option<Workload> {
    let mut workload = templates::workload(slug)?.workload();
    workload.config.record_count = records;
    workload.config.total_operations = OPERATIONS;
    workload.config.warmup_operations = Some(0);
    workload.config.concurrency = clients;
    Some(workload)
}

/// Everything a user waits for: load, run and report.
fn run(bencher: Bencher<'_, '_>, plan: Option<Plan>, workload: Option<Workload>, trace: TraceLevel) {
    let options = Options { trace, memory_limit_bytes: 4 << 30, ..Options::default() };
    let operations = workload.as_ref().map_or(0, |workload| workload.config.total_operations);
    bencher.counter(ItemsCount::new(operations)).bench_local(|| {
        let (plan, workload) = plan.as_ref().zip(workload.as_ref())?;
        simulate(plan, workload, &options, &Control::default()).ok().map(|report| report.result_hash)
    });
}

/// A pool of a tenth of the pages of a clustered tree of YCSB's rows.
fn pool_pages(records: u64) -> Value {
    json!(records / 15 / 10)
}

#[divan::bench(args = [1, 8, 64], sample_count = 5)]
fn ycsb_c_1m(bencher: Bencher<'_, '_>, clients: u32) {
    let plan = plan("clustered-large-pool", &[("buffer-pool", "capacity_pages", pool_pages(1_000_000))]);
    run(bencher, plan, workload("ycsb-c", 1_000_000, clients), TraceLevel::None);
}

#[divan::bench(args = [1, 8, 64], sample_count = 5)]
fn ycsb_a_1m(bencher: Bencher<'_, '_>, clients: u32) {
    let plan = plan("clustered-large-pool", &[("buffer-pool", "capacity_pages", pool_pages(1_000_000))]);
    run(bencher, plan, workload("ycsb-a", 1_000_000, clients), TraceLevel::None);
}

#[divan::bench(args = [1, 8, 64], sample_count = 5)]
fn ycsb_a_1m_heap_and_index(bencher: Bencher<'_, '_>, clients: u32) {
    run(bencher, plan("heap-btree", &[]), workload("ycsb-a", 1_000_000, clients), TraceLevel::None);
}

#[divan::bench(sample_count = 5)]
fn ycsb_a_1m_sampled_trace(bencher: Bencher<'_, '_>) {
    let plan = plan("clustered-large-pool", &[("buffer-pool", "capacity_pages", pool_pages(1_000_000))]);
    run(bencher, plan, workload("ycsb-a", 1_000_000, 8), TraceLevel::Sampled);
}

#[allow(clippy::disallowed_methods, reason = "a bench is asked for by the shell, unlike a run")]
#[divan::bench(args = ["bulk", "inserted"], sample_count = 1)]
fn ycsb_c_100m(bencher: Bencher<'_, '_>, build: &str) {
    if std::env::var_os("ENGINE_BENCH_LARGE").is_none() {
        return;
    }
    let plan = plan(
        "clustered-large-pool",
        &[
            ("buffer-pool", "capacity_pages", pool_pages(100_000_000)),
            ("clustered-storage", "build", json!(build)),
        ],
    );
    run(bencher, plan, workload("ycsb-c", 100_000_000, 8), TraceLevel::None);
}

#[divan::bench(sample_count = 5)]
fn lsm_writes(bencher: Bencher<'_, '_>) {
    let workload = workload("inserts", 0, 8);
    run(bencher, plan("lsm-leveled", &[("lsm-tree", "build", json!("empty"))]), workload, TraceLevel::None);
}

/// Reads every page of a heap of 100,000 rows, over and over: an item is a scan.
#[divan::bench(sample_count = 5)]
fn full_scans(bencher: Bencher<'_, '_>) {
    let mut workload = workload("full-scans", 100_000, 1);
    if let Some(workload) = &mut workload {
        workload.config.total_operations = 200;
    }
    run(bencher, plan("full-scan-ssd", &[]), workload, TraceLevel::None);
}
