//! Laws of concurrency control: how often transactions wait and deadlock, where locking thrashes, which schemes never deadlock, and
//! that what is called serializable is.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use common::{block, canvas, counter, quiet, run_with};
use engine::anomalies::{Anomaly, AnomalyReport, Status};
use engine::{Control, Options, Report, TraceLevel, simulate, workload};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Client → transactions → a skip list in memory, which costs next to nothing: what is left are the transactions.
fn in_memory(kind: &str, parameters: Value) -> Value {
    canvas(
        &[("client", "client", json!({})), ("txn", kind, parameters), ("rows", "skip-list", json!({}))],
        &["client.out -> txn", "txn.out -> rows"],
    )
}

/// Transactions of `r` updates of rows chosen uniformly, a millisecond each.
fn updates(r: usize, rows: u64, clients: u32, operations: u64) -> workload::Workload {
    let update = json!({"type": "UPDATE", "weight": 1, "transaction": "t",
                        "parameters": {"access": "point", "think_time_ms": 1.0}});
    let config = json!({"total_operations": operations, "warmup_operations": operations / 10, "concurrency": clients,
                        "record_count": rows, "record_bytes": 100});
    workload::parse(&json!({"operations": vec![update; r], "config": config})).unwrap()
}

fn locking(policy: &str) -> Value {
    json!({"deadlock_policy": policy, "backoff_ms": 1.0, "lock_timeout_ms": 50.0})
}

fn simulated(kind: &str, parameters: Value, work: &workload::Workload, seed: u64) -> Report {
    run_with(&in_memory(kind, parameters), work, &quiet(seed))
}

/// Gray and Reuter: with N transactions of r exclusive locks each on D rows, while it is small, a transaction waits (N−1)r²/2D
/// times: half of the others' r locks are held on average when each of its own r is asked for.
#[test]
fn waits_follow_the_square_of_the_locks() {
    for (clients, r, rows) in [(8, 8, 4_000u64), (16, 8, 8_000), (16, 10, 10_000), (4, 10, 3_000)] {
        // Locks that come with think time after them are held r+1 halves of a transaction: the law counts r of them.
        let work = updates(r, rows, clients, 60_000);
        let report = simulated("two-phase-locking", locking("detection"), &work, 1);
        let waits = counter(&report, "txn", "lock_waits") as f64
            / counter(&report, "txn", "transactions_started") as f64;
        let (n, r, d) = (f64::from(clients), r as f64, rows as f64);
        let held_while_asked = (r + 1.0) / r;
        let law = (n - 1.0) * r * r / (2.0 * d) * held_while_asked;
        assert!(
            law < 0.5 && (waits / law - 1.0).abs() < 0.08,
            "N {n} r {r} D {d}: {waits} waits, {law} by the law"
        );

        let deadlocks = counter(&report, "txn", "deadlocks") as f64 / report.summary.operations as f64;
        let law = n * r * r * r * r / (4.0 * d * d);
        let order = deadlocks / law;
        assert!((0.2..5.0).contains(&order), "N {n} r {r} D {d}: {deadlocks} deadlocks, {law} by the law");
    }
}

/// Tay: throughput of locking rises with the load, peaks near N r²/D = 1.5 (N about 75 for ten locks on 5000 rows), and falls.
#[test]
fn locking_thrashes_beyond_its_peak() {
    let throughput = |clients: u32| {
        let work = updates(10, 5_000, clients, 12_000);
        simulated("two-phase-locking", locking("detection"), &work, 1).summary.throughput_qps
    };
    let course: Vec<f64> = [20, 45, 75, 110, 250].into_iter().map(throughput).collect();
    let peak = course.iter().copied().fold(0.0, f64::max);
    let at = course.iter().position(|one| *one == peak).unwrap();
    assert!((1..=3).contains(&at), "{course:?}");
    assert!(course[0] < 0.9 * peak && course[4] < 0.9 * peak, "{course:?}");
}

#[test]
fn wound_wait_and_wait_die_never_wait_in_a_circle() {
    for policy in ["wound_wait", "wait_die", "no_wait"] {
        for seed in 1..5 {
            // If transactions waited in a circle, the run would be stuck.
            let report = simulated("two-phase-locking", locking(policy), &updates(6, 30, 16, 1_000), seed);
            assert_eq!(counter(&report, "txn", "deadlocks"), 0);
            assert!(report.summary.transactions_aborted > 100, "{policy}");
        }
    }
}

/// Transactions that read and update rows drawn with skew, as in the study of a thousand cores (Yu et al. 2014).
fn mixed(theta: f64, writes: usize, clients: u32) -> workload::Workload {
    let statement = |place: usize| {
        let kind = if place < writes { "UPDATE" } else { "SELECT" };
        json!({"type": kind, "weight": 1, "transaction": "t",
               "parameters": {"access": "point", "key": {"distribution": "zipfian", "theta": theta}, "think_time_ms": 0.1}})
    };
    let operations: Vec<Value> = (0..16).map(|place| statement((place * 7) % 16)).collect();
    let config = json!({"total_operations": 6_000, "concurrency": clients, "record_count": 10_000, "record_bytes": 100});
    workload::parse(&json!({"operations": operations, "config": config})).unwrap()
}

#[test]
fn schemes_rank_as_in_the_study_of_a_thousand_cores() {
    let throughput = |kind: &str, parameters: Value, theta: f64, writes: usize, clients: u32| {
        simulated(kind, parameters, &mixed(theta, writes, clients), 1).summary.throughput_qps
    };
    let schemes = [
        ("two-phase-locking", locking("detection")),
        ("two-phase-locking", locking("no_wait")),
        ("mvcc", json!({"isolation": "repeatable_read", "deadlock_timeout_ms": 0.0})),
        ("occ", json!({"backoff_ms": 1.0})),
    ];
    // Read-only transactions scale with the clients, whatever governs them.
    for (kind, parameters) in &schemes {
        let few = throughput(kind, parameters.clone(), 0.6, 0, 8);
        let many = throughput(kind, parameters.clone(), 0.6, 0, 64);
        assert!(many > 7.5 * few, "{kind}: {few} with 8, {many} with 64");
    }
    // With skew and writes, waiting for locks collapses where aborting at once still gains from more clients.
    let contended = |kind: &str, policy: &str, clients: u32| {
        let parameters = json!({"deadlock_policy": policy, "backoff_ms": 0.1});
        let parameters = if kind == "occ" { json!({"backoff_ms": 0.1}) } else { parameters };
        throughput(kind, parameters, 0.6, 8, clients)
    };
    let course = |policy: &str| [16, 64, 128].map(|clients| contended("two-phase-locking", policy, clients));
    let (detection, no_wait) = (course("detection"), course("no_wait"));
    assert!(detection[0] > detection[1] && detection[1] > detection[2], "{detection:?}");
    assert!(no_wait[0] < no_wait[1] && no_wait[1] < no_wait[2], "{no_wait:?}");
    assert!(detection[0] > no_wait[0] && no_wait[2] > 1.5 * detection[2], "{detection:?} {no_wait:?}");
    // Optimists abort at the end, when all has been done.
    let lost = |kind: &str, parameters: Value| {
        let report = simulated(kind, parameters, &mixed(0.8, 8, 64), 1);
        counter(&report, "txn", "aborted_ns") as f64 / report.summary.transactions_aborted.max(1) as f64
    };
    let (late, early) =
        (lost("occ", json!({"backoff_ms": 1.0})), lost("two-phase-locking", locking("no_wait")));
    assert!(late > 1.5 * early, "{late} ns an abort of OCC, {early} of no-wait");
}

fn checked(kind: &str, parameters: Value, document: &Value, seed: u64) -> (Report, AnomalyReport) {
    let work = workload::parse(document).unwrap();
    let options = Options { seed, trace: TraceLevel::Full, max_events: 4_000, ..Options::default() };
    let canvas = with_heap(kind, parameters);
    let report = simulate(&common::plan(&canvas), &work, &options, &Control::default()).unwrap();
    let anomalies = report.anomalies.clone().unwrap();
    (report, anomalies)
}

fn with_heap(kind: &str, parameters: Value) -> Value {
    canvas(
        &[
            ("client", "client", json!({})),
            ("txn", kind, parameters),
            ("scan", "index-scan", json!({})),
            ("index", "btree-index", json!({"page_size": 512})),
            ("heap", "heap-storage", json!({"page_size": 512})),
            ("disk", "disk", json!({})),
        ],
        &[
            "client.out -> txn",
            "txn.out -> scan",
            "scan.index -> index",
            "scan.table -> heap",
            "index.pages -> disk",
            "heap.pages -> disk",
        ],
    )
}

/// Two kinds of transactions of a few statements on few rows.
fn document(statements: &[(usize, bool)], rows: u64, clients: u32) -> Value {
    let templates = [
        ("SELECT", json!({"access": "point"})),
        ("UPDATE", json!({"access": "point"})),
        ("SELECT", json!({"access": "range", "rows": 3})),
        ("INSERT", json!({})),
        ("DELETE", json!({"access": "point"})),
        ("SELECT", json!({"access": "scan"})),
        ("UPDATE", json!({"access": "range", "rows": 2})),
    ];
    let operations: Vec<Value> = statements
        .iter()
        .map(|(template, first)| {
            let (kind, parameters) = &templates[*template];
            let mut parameters = parameters.clone();
            parameters["think_time_ms"] = json!(0.05);
            json!({"type": kind, "weight": 1, "transaction": if *first { "a" } else { "b" }, "parameters": parameters})
        })
        .collect();
    let config = json!({"total_operations": 60, "warmup_operations": 0, "concurrency": clients, "record_count": rows,
                        "record_bytes": 20});
    json!({"operations": operations, "config": config})
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Random histories of two-phase locking, serializable snapshots and validation have a serial order.
    #[test]
    fn serializable_histories_have_a_serial_order(
        statements in prop::collection::vec((0usize..7, any::<bool>()), 2..9),
        rows in 3u64..12,
        clients in 2u32..7,
        seed in 0u64..1_000,
    ) {
        let document = document(&statements, rows, clients);
        let mut schemes = vec![("occ", json!({"backoff_ms": 0.1}))];
        for policy in ["detection", "no_wait", "wait_die", "wound_wait"] {
            let mut parameters = locking(policy);
            parameters["backoff_ms"] = json!(0.1);
            schemes.push(("two-phase-locking", parameters));
        }
        let ssi = json!({"isolation": "serializable", "deadlock_timeout_ms": 0.1, "backoff_ms": 0.1});
        schemes.push(("mvcc", ssi));
        for (kind, parameters) in schemes {
            let (_, anomalies) = checked(kind, parameters.clone(), &document, seed);
            let found: Vec<_> = anomalies.findings.iter().filter(|one| one.status == Status::Found).collect();
            prop_assert!(anomalies.serializable && found.is_empty(), "{kind} {parameters}: {found:#?}");
        }
    }
}

/// Two accounts are read, one is written: each transaction alone keeps the sum, two at once need not.
#[test]
fn snapshots_skew_writes_and_serializable_levels_do_not() {
    let statements = [(0, true), (0, true), (1, true)];
    let document = document(&statements, 4, 6);
    let status = |kind: &str, parameters: Value| {
        let mut parameters = parameters;
        parameters["backoff_ms"] = json!(0.1);
        let (_, anomalies) = checked(kind, parameters, &document, 3);
        assert!(anomalies.complete && anomalies.transactions > 40);
        let skew = anomalies.findings.iter().find(|one| one.anomaly == Anomaly::WriteSkew).unwrap();
        assert_eq!(skew.status == Status::Found, skew.transactions.len() >= 2 && !skew.steps.is_empty());
        skew.status
    };
    let snapshot = json!({"isolation": "repeatable_read", "deadlock_timeout_ms": 0.1});
    assert_eq!(status("mvcc", snapshot), Status::Found);
    assert_eq!(
        status("mvcc", json!({"isolation": "serializable", "deadlock_timeout_ms": 0.1})),
        Status::Excluded
    );
    assert_eq!(status("two-phase-locking", json!({})), Status::Excluded);
    assert_eq!(status("two-phase-locking", json!({"isolation": "repeatable_read"})), Status::Excluded);
    assert_eq!(status("occ", json!({})), Status::Excluded);
}

#[test]
fn each_level_shows_what_it_allows_and_nothing_it_excludes() {
    let everything = [
        (0, true),
        (2, true),
        (0, true),
        (1, true),
        (2, true),
        (0, false),
        (3, false),
        (1, false),
        (4, false),
    ];
    let document = document(&everything, 8, 6);
    let found = |kind: &str, isolation: &str| {
        let mut seen = Vec::new();
        for seed in 0..12 {
            let parameters = match kind {
                "mvcc" => json!({"isolation": isolation, "deadlock_timeout_ms": 0.1, "backoff_ms": 0.1}),
                _ => json!({"isolation": isolation, "backoff_ms": 0.1}),
            };
            let (_, anomalies) = checked(kind, parameters, &document, seed);
            seen.extend(
                anomalies.findings.iter().filter(|one| one.status == Status::Found).map(|one| one.anomaly),
            );
        }
        seen.sort_unstable();
        seen.dedup();
        seen
    };
    let dirty = found("two-phase-locking", "read_uncommitted");
    assert!(dirty.contains(&Anomaly::DirtyRead), "{dirty:?}");
    let committed = found("two-phase-locking", "read_committed");
    assert!(
        committed.contains(&Anomaly::LostUpdate) || committed.contains(&Anomaly::FuzzyRead),
        "{committed:?}"
    );
    assert!(!committed.contains(&Anomaly::DirtyRead), "{committed:?}");
    let repeatable = found("two-phase-locking", "repeatable_read");
    assert!(repeatable.contains(&Anomaly::Phantom), "locks of rows leave phantoms alone: {repeatable:?}");
    assert!(!repeatable.contains(&Anomaly::LostUpdate), "{repeatable:?}");
    let committed = found("mvcc", "read_committed");
    assert!(
        committed.contains(&Anomaly::LostUpdate) || committed.contains(&Anomaly::FuzzyRead),
        "{committed:?}"
    );
    let snapshot = found("mvcc", "repeatable_read");
    assert!(snapshot.iter().all(|one| [Anomaly::WriteSkew, Anomaly::Phantom].contains(one)), "{snapshot:?}");
}

#[test]
fn only_a_full_trace_has_a_witness() {
    let work = updates(2, 10, 4, 50);
    let report = simulated("mvcc", json!({}), &work, 1);
    assert!(report.anomalies.is_none());
    let options = Options { trace: TraceLevel::Full, max_events: 10, ..quiet(1) };
    let report = run_with(&in_memory("mvcc", json!({})), &work, &options);
    let anomalies = report.anomalies.unwrap();
    assert!(!anomalies.complete && anomalies.transactions < 50, "what is beyond the limit is not checked");
    assert!(block(&run_with(&in_memory("mvcc", json!({})), &work, &options), "txn").counters.len() > 10);
}
