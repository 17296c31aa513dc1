//! Replications: what common random numbers promise, and how often chance is taken for a difference.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use common::{READ, heap_btree, plan, quiet, workload};
use engine::replications::compare::{Verdict, compare};
use engine::replications::{Interval, Replications, replicate};
use engine::{Control, Options, Plan, SimulateError, StopCause, Workload, simulate};
use serde_json::{Value, json};

fn reads(operations: u64) -> Workload {
    let config = json!({
        "total_operations": operations, "warmup_operations": 300, "record_count": 2_000, "record_bytes": 500,
        "concurrency": 2, "distribution": "zipfian",
    });
    workload(&[(READ, 1.0, Value::Null)], config)
}

fn of(plan: &Plan, workload: &Workload, seed: u64, runs: u32) -> Replications {
    replicate(plan, workload, &quiet(seed), runs, &Control::default()).unwrap()
}

fn pool(pages: u32) -> Plan {
    plan(&heap_btree(pages, json!({"preset": "sata-ssd"})))
}

#[test]
fn run_i_is_the_run_of_its_seed() {
    let (design, workload) = (pool(40), reads(1_000));
    let found = of(&design, &workload, 7, 3);
    let throughput = &found.sample("throughput").unwrap().values;
    for (number, value) in throughput.iter().enumerate() {
        let report = simulate(&design, &workload, &quiet(7 + number as u64), &Control::default()).unwrap();
        assert_eq!(report.summary.throughput_qps, *value);
    }
    assert_eq!((found.runs, throughput.len()), (3, 3));
    assert!(found.sample("write amplification").is_none(), "nothing is written");
    // The last seed is followed by the first.
    assert_eq!(of(&design, &workload, u64::MAX, 2).sample("throughput").unwrap().values.len(), 2);
}

#[test]
fn equal_designs_under_the_same_seeds_differ_by_exactly_nothing() {
    let workload = reads(1_000);
    let found = compare(&of(&pool(40), &workload, 1, 4), &of(&pool(40), &workload, 1, 4));
    assert!(found.len() >= 8);
    for comparison in found {
        assert_eq!(comparison.difference, Interval { mean: 0.0, half_width: Some(0.0) });
        assert_eq!(comparison.verdict, Verdict::WithinNoise);
    }
}

/// Equal designs under different seeds differ by chance alone: one comparison in twenty is called significant.
#[test]
fn chance_is_taken_for_a_difference_in_a_twentieth_of_the_cases() {
    let (design, workload) = (pool(40), reads(300));
    let comparisons = 200u64;
    let mut significant = 0;
    for case in 0..comparisons {
        let seed = case * 10;
        let found = compare(&of(&design, &workload, seed, 5), &of(&design, &workload, seed + 5, 5));
        let latency = found.iter().find(|comparison| comparison.metric.name == "mean latency").unwrap();
        significant += u32::from(latency.verdict == Verdict::Significant);
    }
    // Binomial with mean 10 and standard deviation 3.1.
    assert!((2..=20).contains(&significant), "{significant} of {comparisons}");
}

#[test]
fn common_random_numbers_narrow_the_interval() {
    let workload = reads(2_000);
    let (small, large) = (of(&pool(40), &workload, 1, 10), of(&pool(44), &workload, 1, 10));
    let elsewhere = of(&pool(44), &workload, 1_000, 10);
    let width = |b: &Replications| {
        let found = compare(&small, b);
        let hits = found.iter().find(|comparison| comparison.metric.name == "hit ratio").unwrap().clone();
        (hits.difference.half_width.unwrap(), hits.verdict)
    };
    let (common, independent) = (width(&large), width(&elsewhere));
    assert!(common.0 * 2.0 < independent.0, "{common:?} {independent:?}");
    assert_eq!(common.1, Verdict::Significant, "four pages more are told from noise");
}

#[test]
fn a_stop_ends_replications_too() {
    let (design, workload) = (pool(40), reads(1_000));
    let control = Control::default();
    control.stop(StopCause::Canceled);
    let found = replicate(&design, &workload, &Options::default(), 3, &control);
    assert!(matches!(found, Err(SimulateError::Stopped(StopCause::Canceled))));
}
