//! Samples of runs against the runs themselves.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use common::{INSERT, RANGE, READ, SCAN, UPDATE, heap_btree, plan, workload};
use engine::{
    Control, Options, Plan, Report, Sampling, SimulateError, TraceLevel, Workload, estimate, simulate,
    state_after, templates,
};
use serde_json::{Value, json};

fn run(plan: &Plan, workload: &Workload, sampling: Sampling, seed: u64) -> Result<Report, SimulateError> {
    let options = Options { sampling, seed, trace: TraceLevel::None, ..Options::default() };
    simulate(plan, workload, &options, &Control::default())
}

/// A heap with an index and a pool of 8,000 frames.
fn pooled(policy: &str) -> Plan {
    let mut design = heap_btree(8_000, json!({"preset": "nvme"}));
    design["blocks"][4]["parameters"]["policy"] = json!(policy);
    plan(&design)
}

fn asked(operations: &[(&str, f64, Value)], distribution: &str) -> Workload {
    workload(
        operations,
        json!({
            "total_operations": 400_000, "warmup_operations": 400_000, "concurrency": 16, "record_count": 1_000_000,
            "record_bytes": 200, "distribution": distribution,
        }),
    )
}

/// Holds a sample to the whole: the hit ratio within 0.015, pages, throughput and latency within 3 %.
fn hold(name: &str, plan: &Plan, workload: &Workload, one_in: u32) {
    let whole = run(plan, workload, Sampling::Off, 1).unwrap();
    let part = run(plan, workload, Sampling::OneIn(one_in), 1).unwrap();
    let sampling = part.sampling.clone().unwrap();
    assert_eq!(sampling.rate, 1.0 / f64::from(one_in));
    assert!(part.warnings.iter().any(|warning| warning.code == "SAMPLED"));
    let (whole, part) = (whole.summary, part.summary);
    assert_eq!(part.operations, whole.operations);
    if let (Some(expected), Some(found)) = (whole.cache_hit_ratio, part.cache_hit_ratio) {
        let (off, error) = ((found - expected).abs(), sampling.hit_ratio_error.unwrap());
        assert!(
            off < 0.015 && off < error && error < 0.03,
            "{name}: {found} is {off} off {expected}, told {error}"
        );
    }
    for (figure, expected, found, most) in [
        ("pages read", whole.pages_read as f64, part.pages_read as f64, 0.03),
        ("pages written", whole.pages_written as f64, part.pages_written as f64, 0.03),
        ("throughput", whole.throughput_qps, part.throughput_qps, 0.03),
        ("mean latency", whole.latency_mean_ms, part.latency_mean_ms, 0.03),
    ] {
        let off = found / expected - 1.0;
        println!("{name}, one in {one_in}: {figure} {off:+.3}");
        assert!(
            expected == found || off.abs() < most,
            "{name}: {figure} {found} is {off:+.3} off {expected}"
        );
    }
}

#[test]
fn samples_of_every_law_are_as_the_whole() {
    let half = [(READ, 1.0, Value::Null), (UPDATE, 1.0, Value::Null)];
    for law in ["uniform", "zipfian", "zipfian_ycsb", "scrambled_zipfian_ycsb", "latest", "hotspot"] {
        for one_in in [8, 30] {
            hold(law, &pooled("lru"), &asked(&half, law), one_in);
        }
    }
}

#[test]
fn samples_of_every_policy_are_as_the_whole() {
    let half = [(READ, 1.0, Value::Null), (UPDATE, 1.0, Value::Null)];
    for policy in ["gclock", "arc", "s3-fifo", "2q"] {
        hold(policy, &pooled(policy), &asked(&half, "zipfian"), 30);
    }
}

#[test]
fn a_sample_grows_as_the_whole_does() {
    let mix = [
        (READ, 1.0, Value::Null),
        (UPDATE, 1.0, Value::Null),
        (INSERT, 0.2, Value::Null),
        (RANGE, 0.2, Value::Null),
    ];
    hold("inserts", &pooled("lru"), &asked(&mix, "zipfian"), 8);
}

#[test]
fn a_tree_of_runs_is_sampled_with_its_memtables_and_levels() {
    let mut workload = templates::workload("ycsb-a").unwrap().workload();
    (workload.config.record_count, workload.config.total_operations) = (1_000_000, 1_000_000);
    (workload.config.record_bytes, workload.config.warmup_operations) = (200, Some(500_000));
    let mut design = templates::design("rocksdb").unwrap().canvas();
    let blocks = design["blocks"].as_array_mut().unwrap();
    let tree = blocks.iter_mut().find(|block| block["type"] == "lsm-tree").unwrap();
    for (name, mb) in [("write_buffer_bytes", 2), ("level_base_bytes", 8), ("target_file_bytes", 2)] {
        tree["parameters"][name] = json!(mb << 20);
    }
    hold("rocksdb", &plan(&design), &workload, 4);
}

#[test]
fn what_a_sample_cannot_tell_is_refused_or_run_as_a_whole() {
    let design = pooled("lru");
    let told = |workload: &Workload, sampling| match run(&design, workload, sampling, 1) {
        Err(SimulateError::InvalidWorkload(found)) => found[0].to_string(),
        other => panic!("{other:?}"),
    };
    let mut scans = asked(&[(SCAN, 1.0, Value::Null)], "uniform");
    (scans.config.total_operations, scans.config.warmup_operations) = (20_000, Some(0));
    assert!(told(&scans, Sampling::OneIn(2)).contains("reads all of table"));
    let sequential = asked(&[(READ, 1.0, Value::Null)], "sequential");
    assert!(told(&sequential, Sampling::OneIn(2)).contains("in an order"));
    let parts = asked(&[(READ, 1.0, serde_json::json!({"key": {"parts": 5}}))], "uniform");
    assert!(told(&parts, Sampling::OneIn(2)).contains("belong to others"));
    let reads = asked(&[(READ, 1.0, Value::Null)], "uniform");
    assert!(told(&reads, Sampling::OneIn(1_000)).contains("at most one in 31"));

    let mut few = sequential;
    few.config.total_operations = 5_000;
    let report = run(&design, &few, Sampling::Auto { seconds: 1e-6 }, 1).unwrap();
    assert!(report.sampling.is_none());
    assert!(report.warnings.iter().any(|warning| warning.code == "NOT_SAMPLED"));
}

#[test]
fn a_run_is_sampled_no_more_than_its_budget_asks_for() {
    let design = pooled("lru");
    let workload = asked(&[(READ, 1.0, Value::Null)], "zipfian");
    let rate = |seconds| {
        run(&design, &workload, Sampling::Auto { seconds }, 1).unwrap().sampling.map(|sampling| sampling.rate)
    };
    let whole = estimate::estimate(&design, &workload).unwrap().seconds;
    assert_eq!(rate(whole * 1.01), None);
    assert_eq!(rate(whole / 1.5), Some(0.5));
    assert!(rate(whole / 8.0).unwrap() < 0.13);
    assert!(rate(1e-9).unwrap() > 1.0 / 32.0, "never fewer frames than a pool needs");
    // The memory, too, is part of the budget.
    let bytes = estimate::estimate(&design, &workload).unwrap().memory_bytes;
    let options = Options {
        sampling: Sampling::Auto { seconds: 1e9 },
        memory_limit_bytes: bytes,
        trace: TraceLevel::None,
        ..Options::default()
    };
    assert!(simulate(&design, &workload, &options, &Control::default()).unwrap().sampling.is_some());
}

#[test]
fn equal_samples_are_equal_and_their_trace_can_be_replayed() {
    let (design, workload) =
        (pooled("lru"), asked(&[(READ, 1.0, Value::Null), (UPDATE, 1.0, Value::Null)], "zipfian"));
    let options = Options { sampling: Sampling::OneIn(30), seed: 5, ..Options::default() };
    let one = simulate(&design, &workload, &options, &Control::default()).unwrap();
    assert_eq!(
        one.result_hash,
        simulate(&design, &workload, &options, &Control::default()).unwrap().result_hash
    );
    assert_eq!(one.result_hash, one.compute_hash());
    let other = run(&design, &workload, Sampling::OneIn(30), 6).unwrap();
    assert_ne!(one.summary, other.summary, "another seed takes another sample");
    let last = one.events.last().unwrap();
    let snapshot =
        state_after(&design, &workload, &options, &Control::default(), last.sequence).unwrap().unwrap();
    assert_eq!(snapshot.time_ns, last.time_ns);
    assert_eq!(snapshot.blocks[4].state["frames_count"], 266);
}
