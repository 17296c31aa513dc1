//! Queues with several servers, closed networks and limited cores, against their known answers.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use common::{RANGE, READ, SCAN, bare_heap, block, canvas, run, workload};
use engine::Report;
use engine::report::Percentile;
use proptest::prelude::*;
use serde_json::{Value, json};

fn close(measured: f64, expected: f64, relative: f64, what: &str) {
    assert!((measured / expected - 1.0).abs() <= relative, "{what}: {measured}, expected {expected}");
}

fn cause(report: &Report, name: &str) -> f64 {
    let shares = report.latency_breakdown.iter().filter(|share| share.percentile == Percentile::Mean);
    shares.filter(|share| share.cause == name).map(|share| share.milliseconds).sum()
}

fn exponential_disk(slots: u32, mean_us: f64) -> Value {
    json!({"slots": slots, "read_us": mean_us, "bandwidth_mb_s": 100_000, "service_distribution": "exponential"})
}

/// Probability that an arrival waits in M/M/c with `load` of each server.
fn erlang_c(servers: u32, load: f64) -> f64 {
    let offered = load * f64::from(servers);
    // Erlang B by its recursion, then C from B.
    let blocked = (1..=servers).fold(1.0, |blocked, server| {
        let product = offered * blocked;
        product / (f64::from(server) + product)
    });
    blocked / (1.0 - load * (1.0 - blocked))
}

#[test]
fn exponential_slots_are_m_m_c() {
    for (servers, load) in [(2u32, 0.7), (4, 0.8), (8, 0.6)] {
        let service_ms = 1.0;
        let config = json!({
            "total_operations": 300_000, "warmup_operations": 20_000, "record_count": 1, "record_bytes": 100,
            "concurrency": 20_000, "arrival_rate_per_second": load * f64::from(servers) / service_ms * 1e3,
        });
        let design = bare_heap(exponential_disk(servers, service_ms * 1e3));
        let report = run(&design, &workload(&[(READ, 1.0, Value::Null)], config));
        let waiting_ms = erlang_c(servers, load) * service_ms / (f64::from(servers) * (1.0 - load));
        close(cause(&report, "device_queue"), waiting_ms, 0.06, &format!("wait of {servers} at {load}"));
        close(cause(&report, "device_read"), service_ms, 0.01, "service");
        close(block(&report, "disk").utilization.unwrap(), load, 0.01, "utilization");
    }
}

/// Throughput and response time of a closed network by exact mean value analysis: `demands` at queues, `think` at none.
fn mva(demands: &[f64], think: f64, clients: u32) -> (f64, f64) {
    let mut queues = vec![0.0; demands.len()];
    let (mut throughput, mut response) = (0.0, 0.0);
    for client in 1..=clients {
        let times: Vec<f64> =
            demands.iter().zip(&queues).map(|(demand, queue)| demand * (1.0 + queue)).collect();
        response = times.iter().sum();
        throughput = f64::from(client) / (think + response);
        queues = times.iter().map(|time| throughput * time).collect();
    }
    (throughput, response)
}

#[test]
fn a_closed_network_of_two_disks_follows_mean_value_analysis() {
    // An index of two levels on one disk, the row on another, no pool: two visits here and one there.
    let design = canvas(
        &[
            ("client", "client", json!({})),
            ("scan", "index-scan", json!({})),
            ("index", "btree-index", json!({})),
            ("heap", "heap-storage", json!({})),
            ("first", "disk", exponential_disk(1, 300.0)),
            ("second", "disk", exponential_disk(1, 400.0)),
        ],
        &[
            "client.out -> scan",
            "scan.index -> index",
            "scan.table -> heap",
            "index.pages -> first",
            "heap.pages -> second",
        ],
    );
    for clients in [1u32, 3, 8, 20] {
        let config = json!({
            "total_operations": 150_000, "warmup_operations": 5_000, "record_count": 20_000, "concurrency": clients,
        });
        let report = run(&design, &workload(&[(READ, 1.0, Value::Null)], config));
        // Cores are unlimited: processor time is time at no queue.
        let computing_ms = cause(&report, "cpu");
        let (throughput, response_ms) = mva(&[0.6, 0.4], computing_ms, clients);
        close(report.summary.throughput_qps / 1e3, throughput, 0.02, &format!("throughput of {clients}"));
        close(report.summary.latency_mean_ms, response_ms + computing_ms, 0.02, "response time");
    }
}

/// A table that fits its pool: operations only compute.
fn cached(cores: u32, config: &Value, operation: &str) -> Report {
    let design = canvas(
        &[
            ("client", "client", json!({})),
            ("cpu", "cpu", json!({"cores": cores, "persona": "sqlite"})),
            ("rows", "clustered-storage", json!({})),
            ("pool", "buffer-pool", json!({"capacity_pages": 10_000})),
            ("disk", "disk", json!({})),
        ],
        &["client.out -> rows", "client.cpu -> cpu", "rows.pages -> pool", "pool.device -> disk"],
    );
    let mut all = json!({"record_count": 5_000, "warmup_operations": 20_000});
    all.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
    run(&design, &workload(&[(operation, 1.0, Value::Null)], all))
}

#[test]
fn one_core_and_random_arrivals_are_m_d_1() {
    let alone = cached(1, &json!({"total_operations": 10_000, "concurrency": 1}), READ);
    let service_ms = alone.summary.latency_mean_ms;
    for load in [0.4, 0.8] {
        let rate = load / service_ms * 1e3;
        let config =
            json!({"total_operations": 300_000, "concurrency": 10_000, "arrival_rate_per_second": rate});
        let report = cached(1, &config, READ);
        close(block(&report, "cpu").utilization.unwrap(), load, 0.01, "utilization");
        let waiting_ms = load * service_ms / (2.0 * (1.0 - load));
        close(cause(&report, "cpu_queue"), waiting_ms, 0.05, &format!("wait at {load}"));
        close(cause(&report, "cpu"), service_ms, 0.001, "service");
    }
}

#[test]
fn cores_bound_the_throughput_of_clients_that_only_compute() {
    let service_ms =
        cached(1, &json!({"total_operations": 10_000, "concurrency": 1}), READ).summary.latency_mean_ms;
    for (cores, clients) in [(1u32, 4u32), (2, 8), (4, 3), (3, 3)] {
        let report = cached(cores, &json!({"total_operations": 50_000, "concurrency": clients}), READ);
        let busy = f64::from(cores.min(clients));
        close(report.summary.throughput_qps, busy / service_ms * 1e3, 0.001, "throughput");
        close(block(&report, "cpu").utilization.unwrap(), busy / f64::from(cores), 0.001, "utilization");
        // Little's law: everyone is at the cores.
        close(report.summary.latency_mean_ms, service_ms * f64::from(clients) / busy, 0.002, "response time");
    }
}

#[test]
fn a_long_scan_lets_others_in_between() {
    let config = json!({"total_operations": 300, "warmup_operations": 0, "concurrency": 2, "record_count": 400_000,
                        "record_bytes": 20});
    let mut design = canvas(
        &[
            ("client", "client", json!({})),
            ("cpu", "cpu", json!({"cores": 1})),
            ("rows", "clustered-storage", json!({})),
            ("pool", "buffer-pool", json!({"capacity_pages": 50_000})),
            ("disk", "disk", json!({})),
        ],
        &["client.out -> rows", "client.cpu -> cpu", "rows.pages -> pool", "pool.device -> disk"],
    );
    let mixed = workload(&[(READ, 50.0, Value::Null), (SCAN, 1.0, Value::Null)], config);
    let report = run(&design, &mixed);
    let read = report.operations.iter().find(|operation| operation.operations > 200).unwrap();
    let scan = report.operations.iter().find(|operation| operation.operations < 200).unwrap();
    // A scan computes for twenty milliseconds. A read that meets one waits for its quantum, not for all of it.
    assert!(
        scan.latency_p50_ms > 10.0 && read.latency_p99_ms < 3.0,
        "{} {}",
        scan.latency_p50_ms,
        read.latency_p99_ms
    );
    // Without the block nobody waits for a core.
    design["blocks"].as_array_mut().unwrap().remove(1);
    design["connections"].as_array_mut().unwrap().remove(1);
    assert_eq!(cause(&run(&design, &mixed), "cpu_queue"), 0.0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// More cores never slow a run of equal operations, and every nanosecond has a cause.
    #[test]
    fn more_cores_never_hurt(clients in 1u32..20, cores in 1u32..8, pool in 10u32..200) {
        let throughput = |cores: u32| {
            let mut design = common::heap_btree(pool, json!({}));
            design["blocks"].as_array_mut().unwrap().push(
                json!({"id": "cpu", "type": "cpu", "position": {"x": 0, "y": 0}, "parameters": {"cores": cores}}));
            design["connections"].as_array_mut().unwrap().push(json!({"id": "k",
                "source": {"blockId": "client", "port": "cpu"}, "target": {"blockId": "cpu", "port": "in"}}));
            let operations = [(READ, 3.0, Value::Null), (RANGE, 1.0, Value::Null), (common::UPDATE, 2.0, Value::Null)];
            let report = run(&design, &workload(&operations, json!({
                "record_count": 3_000, "total_operations": 4_000, "concurrency": clients})));
            let parts: f64 = report.latency_breakdown.iter()
                .filter(|share| share.percentile == Percentile::Mean).map(|share| share.milliseconds).sum();
            close(parts, report.summary.latency_mean_ms, 1e-6, "parts");
            (report.summary.throughput_qps, block(&report, "cpu").utilization.unwrap())
        };
        let (few, more) = (throughput(cores), throughput(cores * 2));
        // Another order of events may cost a little luck at the disk.
        prop_assert!(more.0 >= few.0 * 0.97, "{} {}", few.0, more.0);
        prop_assert!((0.0..=1.0).contains(&few.1));
    }
}
