//! Closed forms that any queueing system obeys, and the queues whose answers are known.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use common::{INSERT, RANGE, READ, SCAN, UPDATE, bare_heap, block, counter, heap_btree, run, workload};
use engine::Report;
use engine::report::Percentile;
use serde_json::{Value, json};

fn utilization(report: &Report) -> f64 {
    block(report, "disk").utilization.unwrap()
}

fn close(measured: f64, expected: f64, relative: f64, what: &str) {
    assert!((measured / expected - 1.0).abs() <= relative, "{what}: {measured}, expected {expected}");
}

/// One row on one page, read straight from a single-slot disk at a Poisson rate.
fn single_queue(service_us: f64, distribution: &str, load: f64) -> Report {
    // A page takes no time to move at this bandwidth, so the base time is the service time.
    let disk = json!({
        "slots": 1, "read_us": service_us, "bandwidth_mb_s": 100_000, "service_distribution": distribution,
    });
    let config = json!({
        "total_operations": 400_000,
        "warmup_operations": 20_000,
        "record_count": 1,
        "record_bytes": 100,
        "concurrency": 20_000,
        "arrival_rate_per_second": load / service_us * 1e6,
    });
    run(&bare_heap(disk), &workload(&[(READ, 1.0, Value::Null)], config))
}

fn cause(report: &Report, name: &str) -> f64 {
    let shares = report.latency_breakdown.iter().filter(|share| share.percentile == Percentile::Mean);
    shares.filter(|share| share.cause == name).map(|share| share.milliseconds).sum()
}

#[test]
fn exponential_service_is_m_m_1() {
    for load in [0.3, 0.6, 0.8] {
        let service_ms = 1.0;
        let report = single_queue(service_ms * 1e3, "exponential", load);
        close(utilization(&report), load, 0.01, "utilization");
        let at_disk_ms = cause(&report, "device_queue") + cause(&report, "device_read");
        close(at_disk_ms, service_ms / (1.0 - load), 0.04, "response time");
        // Quantile p of M/M/1 is -ln(1 - p) / (μ - λ); the rest of the operation is a few microseconds.
        let rate = (1.0 - load) / service_ms;
        close(report.summary.latency_p50_ms, -libm::log(0.5) / rate, 0.04, "p50");
        close(report.summary.latency_p99_ms, -libm::log(0.01) / rate, 0.05, "p99");
    }
}

#[test]
fn constant_service_is_m_d_1() {
    for load in [0.3, 0.6, 0.8] {
        let service_ms = 1.0;
        let report = single_queue(service_ms * 1e3, "constant", load);
        close(utilization(&report), load, 0.01, "utilization");
        close(cause(&report, "device_queue"), load * service_ms / (2.0 * (1.0 - load)), 0.04, "wait");
        close(cause(&report, "device_read"), service_ms, 0.001, "service");
    }
}

/// A few designs and workloads of very different kinds.
fn variety() -> Vec<Report> {
    let config = |operations: u64, clients: u32| {
        json!({
            "total_operations": operations, "concurrency": clients, "record_count": 20_000, "record_bytes": 300,
            "distribution": "zipfian",
        })
    };
    let mix = [
        (READ, 5.0, Value::Null),
        (UPDATE, 3.0, Value::Null),
        (INSERT, 1.0, Value::Null),
        (RANGE, 1.0, Value::Null),
    ];
    vec![
        run(&heap_btree(200, json!({})), &workload(&mix, config(20_000, 1))),
        run(&heap_btree(200, json!({"preset": "hdd"})), &workload(&mix, config(4_000, 8))),
        run(&heap_btree(50, json!({"preset": "sata-ssd", "slots": 2})), &workload(&mix, config(20_000, 64))),
        run(&heap_btree(4, json!({})), &workload(&mix, config(10_000, 32))),
        run(&heap_btree(300, json!({})), &workload(&[(SCAN, 1.0, Value::Null)], config(40, 4))),
        run(
            &heap_btree(100, json!({"preset": "cloud-volume"})),
            &workload(&mix, {
                let mut config = config(10_000, 16);
                config["think_time_ms"] = json!(1.5);
                config["operations_per_transaction"] = json!(4);
                config
            }),
        ),
    ]
}

#[test]
fn every_run_obeys_the_operational_laws() {
    for report in variety() {
        let summary = &report.summary;
        let disk = block(&report, "disk");
        let seconds = summary.simulated_seconds;
        // Utilization law: slots · U · T = busy time.
        let busy_seconds = counter(&report, "disk", "busy_ns") as f64 / 1e9;
        let slots = disk.gauges["slots"].as_f64().unwrap();
        close(busy_seconds, slots * disk.utilization.unwrap() * seconds, 1e-9, "busy time");
        assert!(disk.utilization.unwrap() <= 1.0 + 1e-9);
        // Forced flow: the pool's misses and write-backs are the disk's page reads and writes, but for those that were under
        // way at the ends of the interval.
        let misses = counter(&report, "pool", "misses");
        let write_backs = counter(&report, "pool", "dirty_evictions");
        assert!(misses.abs_diff(summary.pages_read) <= 512, "{misses} {}", summary.pages_read);
        assert!(write_backs.abs_diff(summary.pages_written) <= 64, "{write_backs} {}", summary.pages_written);
        assert_eq!(summary.total_io_pages, summary.pages_read + summary.pages_written);
        // Each bar of a waterfall is part of its percentile, and the bars are all of it.
        for (percentile, latency_ms) in [
            (Percentile::P50, summary.latency_p50_ms),
            (Percentile::P95, summary.latency_p95_ms),
            (Percentile::P99, summary.latency_p99_ms),
            (Percentile::Mean, summary.latency_mean_ms),
        ] {
            let parts = report.latency_breakdown.iter().filter(|share| share.percentile == percentile);
            let sum: f64 = parts.map(|share| share.milliseconds).sum();
            close(sum, latency_ms, 1e-9, "waterfall");
        }
        let of_operations: u64 = report.operations.iter().map(|operation| operation.operations).sum();
        assert_eq!(of_operations, summary.operations);
    }
}

#[test]
fn littles_law_holds_in_the_closed_loop() {
    for (clients, think_ms) in [(1u32, 0.0), (16, 0.0), (16, 2.0), (128, 0.5)] {
        let config = json!({
            "total_operations": 60_000, "concurrency": clients, "think_time_ms": think_ms, "record_count": 20_000,
            "record_bytes": 300,
        });
        let report = run(
            &heap_btree(200, json!({"preset": "sata-ssd"})),
            &workload(&[(READ, 1.0, Value::Null)], config),
        );
        // N = X · (R + Z)
        let cycle_seconds = (report.summary.latency_mean_ms + think_ms) / 1e3;
        close(report.summary.throughput_qps * cycle_seconds, f64::from(clients), 0.01, "clients");
    }
}

#[test]
fn throughput_stays_below_the_asymptotes() {
    // One read a lookup at most: X ≤ min(k / D, N / (R0 + Z)).
    for clients in [1u32, 4, 32] {
        let disk = json!({"slots": 4, "read_us": 100, "bandwidth_mb_s": 100_000});
        let config = json!({
            "total_operations": 20_000, "concurrency": clients, "record_count": 1, "record_bytes": 100,
        });
        let report = run(&bare_heap(disk), &workload(&[(READ, 1.0, Value::Null)], config));
        let bound = (4.0 / 100e-6f64).min(f64::from(clients) / 100e-6);
        assert!(report.summary.throughput_qps <= bound);
        close(report.summary.throughput_qps, bound, 0.03, "throughput");
    }
}

#[test]
fn group_commit_lies_between_one_and_two_flushes() {
    // Everything is in memory; the disk only takes the log: s = 150 µs write base + 1000 µs flush + 8 µs for one block.
    let flush_ms = 1.15 + 4096.0 / 520e6 * 1e3;
    for clients in [1u32, 8, 64] {
        let config = json!({
            "total_operations": 20_000, "concurrency": clients, "record_count": 1_000, "record_bytes": 100,
        });
        let report = run(
            &heap_btree(5_000, json!({"preset": "sata-ssd"})),
            &workload(&[(UPDATE, 1.0, Value::Null)], config),
        );
        let (n, latency_ms) = (f64::from(clients), report.summary.latency_mean_ms);
        assert!(latency_ms > flush_ms && latency_ms < 2.1 * flush_ms, "{clients}: {latency_ms}");
        let per_flush = report.summary.throughput_qps * flush_ms / 1e3;
        assert!(per_flush >= 0.47 * n && per_flush <= n, "{clients}: {per_flush}");
    }
}

#[test]
fn open_loop_latency_counts_from_the_arrival() {
    // Twice as many arrivals as can be served: the backlog, and with it the latency, grows as long as the run lasts.
    let config = json!({
        "total_operations": 20_000, "warmup_operations": 0, "record_count": 1, "record_bytes": 100, "concurrency": 1,
        "arrival_rate_per_second": 20_000,
    });
    let disk = json!({"slots": 1, "read_us": 100, "bandwidth_mb_s": 100_000});
    let report = run(&bare_heap(disk), &workload(&[(READ, 1.0, Value::Null)], config));
    // Served in 2 s what came in 1 s: the last waits about 1 s, the mean half of it.
    close(report.summary.latency_max_ms, 1_000.0, 0.06, "last");
    close(report.summary.latency_mean_ms, 500.0, 0.06, "mean");
    assert!(cause(&report, "client_queue") > 0.95 * report.summary.latency_mean_ms);
    assert!(report.warnings.iter().any(|warning| warning.code == "ARRIVALS_OUTRUN_SERVICE"));
}
