//! What a learner expects of transactions: who waits, who aborts, what that costs, and what the report says about it.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use common::{block, counter, plan, quiet, run, run_with};
use engine::{Control, Options, Report, TraceLevel, simulate, state_after, workload};
use serde_json::{Value, json};

/// Client → transactions → index scan over a B+tree and a heap → a pool that holds everything.
fn governed(kind: &str, parameters: Value, heap: Value) -> Value {
    common::canvas(
        &[
            ("client", "client", json!({})),
            ("txn", kind, parameters),
            ("scan", "index-scan", json!({})),
            ("index", "btree-index", json!({})),
            ("heap", "heap-storage", heap),
            ("pool", "buffer-pool", json!({"capacity_pages": 100_000})),
            ("disk", "disk", json!({})),
        ],
        &[
            "client.out -> txn",
            "txn.out -> scan",
            "scan.index -> index",
            "scan.table -> heap",
            "index.pages -> pool",
            "heap.pages -> pool",
            "pool.device -> disk",
        ],
    )
}

/// Transactions of statements `(type, parameters)` on one table.
fn transactions(statements: &[(&str, Value)], config: Value) -> workload::Workload {
    let operations: Vec<Value> = statements
        .iter()
        .map(|(kind, extra)| {
            let mut parameters = json!({"access": "point"});
            parameters.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            json!({"type": kind, "weight": 1, "transaction": "t", "parameters": parameters})
        })
        .collect();
    workload::parse(&json!({"operations": operations, "config": config}))
        .unwrap_or_else(|found| panic!("{found:?}"))
}

/// `count` updates of one row each, with a little time in between.
fn updates(count: usize, rows: u64, clients: u32, operations: u64) -> workload::Workload {
    let statements = vec![("UPDATE", json!({"think_time_ms": 1.0})); count];
    transactions(
        &statements,
        json!({"total_operations": operations, "concurrency": clients, "record_count": rows, "record_bytes": 100}),
    )
}

fn aborted(report: &Report) -> u64 {
    report.summary.transactions_aborted
}

const POLICIES: [&str; 5] = ["detection", "no_wait", "wait_die", "wound_wait", "timeout"];

fn locking(policy: &str) -> Value {
    json!({"deadlock_policy": policy, "backoff_ms": 0.5, "lock_timeout_ms": 5.0})
}

#[test]
fn one_client_never_waits_and_pays_for_its_locks_nowhere() {
    let work = updates(4, 100, 1, 500);
    for (kind, parameters) in [("two-phase-locking", json!({})), ("mvcc", json!({})), ("occ", json!({}))] {
        let report = run(&governed(kind, parameters, json!({})), &work);
        assert_eq!((aborted(&report), report.summary.transactions_committed), (0, 500), "{kind}");
        assert_eq!(counter(&report, "txn", "lock_waits") + counter(&report, "txn", "blocked_ns"), 0);
    }
}

#[test]
fn every_policy_ends_every_transaction_and_accounts_for_every_attempt() {
    let work = updates(4, 40, 8, 800);
    for policy in POLICIES {
        let report = run(&governed("two-phase-locking", locking(policy), json!({})), &work);
        let summary = &report.summary;
        let (failed, retries) =
            (counter(&report, "txn", "operations_failed"), counter(&report, "txn", "retries"));
        assert_eq!(summary.operations + failed, 800, "{policy}");
        assert_eq!(aborted(&report), failed + retries, "{policy}: an abort is run again, or has failed");
        assert!(aborted(&report) > 0, "{policy}");
        let deadlocks = counter(&report, "txn", "deadlocks");
        assert_eq!(deadlocks > 0, policy == "detection", "{policy}");
        assert_eq!(summary.deadlocks, deadlocks);
        let waits = counter(&report, "txn", "lock_waits");
        assert_eq!(waits == 0, policy == "no_wait", "{policy}");
        // What is waited for is told under its name.
        let causes = |name: &str| report.latency_breakdown.iter().any(|share| share.cause == name);
        assert_eq!(causes("lock_wait"), policy != "no_wait", "{policy}");
        assert!(causes("backoff") && causes("think_time"), "{policy}");
        assert!(counter(&report, "txn", "aborted_ns") > 0, "{policy}");
    }
}

#[test]
fn blocked_time_is_the_time_spent_waiting() {
    let report = run(&governed("two-phase-locking", locking("wound_wait"), json!({})), &{
        let mut work = updates(3, 50, 8, 2_000);
        work.config.warmup_operations = Some(0);
        work
    });
    let mean: f64 = block(&report, "txn").gauges["mean_blocked_clients"].as_f64().unwrap();
    let blocked_ms = counter(&report, "txn", "blocked_ns") as f64 / 1e6;
    let share = report
        .latency_breakdown
        .iter()
        .find(|share| share.cause == "lock_wait" && share.percentile == engine::report::Percentile::Mean)
        .unwrap();
    let waited_ms = share.milliseconds * report.summary.operations as f64;
    assert!((waited_ms / blocked_ms - 1.0).abs() < 0.02, "{waited_ms} of {blocked_ms}");
    assert!((mean - blocked_ms / 1e3 / report.summary.simulated_seconds).abs() < 1e-6);
}

#[test]
fn rows_taken_in_order_never_deadlock() {
    let tables: Vec<Value> =
        (0..3).map(|table| json!({"name": format!("t{table}"), "record_count": 8})).collect();
    let operations: Vec<Value> = (0..3)
        .map(|table| {
            json!({"type": "UPDATE", "weight": 1, "transaction": "t",
                   "parameters": {"access": "point", "table": format!("t{table}"), "think_time_ms": 1.0}})
        })
        .collect();
    let config = json!({"total_operations": 2_000, "concurrency": 16});
    let work =
        workload::parse(&json!({"operations": operations, "tables": tables, "config": config})).unwrap();
    let heaps: Vec<(String, Value)> =
        (0..3).map(|table| (format!("heap{table}"), json!({"table": format!("t{table}")}))).collect();
    let mut blocks = vec![("client", "client", json!({})), ("disk", "disk", json!({}))];
    let mut wires = vec!["client.out -> txn".to_owned()];
    for (id, parameters) in &heaps {
        blocks.push((id, "heap-storage", parameters.clone()));
        wires.push(format!("txn.out -> {id}"));
        wires.push(format!("{id}.pages -> disk"));
    }
    for kind in ["two-phase-locking", "mvcc"] {
        let parameters = match kind {
            // Without an index a statement reads its table from end to end: locks of rows alone leave that out.
            "mvcc" => json!({"deadlock_timeout_ms": 0.0}),
            _ => json!({"isolation": "read_uncommitted"}),
        };
        let mut blocks = blocks.clone();
        blocks.push(("txn", kind, parameters));
        let wires: Vec<&str> = wires.iter().map(String::as_str).collect();
        let report = run(&common::canvas(&blocks, &wires), &work);
        assert!(counter(&report, "txn", "lock_waits") > 100, "{kind}");
        assert_eq!(aborted(&report), 0, "{kind}");
    }
}

#[test]
fn readers_of_versions_neither_wait_nor_make_wait() {
    let read = ("SELECT", json!({"think_time_ms": 1.0}));
    let work = transactions(
        &[read.clone(), read.clone(), read, ("UPDATE", json!({}))],
        json!({"total_operations": 1_000, "concurrency": 8, "record_count": 20, "record_bytes": 100}),
    );
    let waits = |kind: &str, parameters: Value| {
        counter(&run(&governed(kind, parameters, json!({})), &work), "txn", "lock_waits")
    };
    let (versions, locks) = (waits("mvcc", json!({})), waits("two-phase-locking", json!({})));
    assert!(locks > 10 * versions.max(1), "{locks} waits with locks, {versions} with versions");
    // Short read locks of read committed stand in between.
    let short = waits("two-phase-locking", json!({"isolation": "read_committed"}));
    assert!(versions < short && short < locks, "{versions} {short} {locks}");
}

#[test]
fn the_first_updater_wins_unless_the_rule_says_otherwise() {
    let work = updates(3, 30, 8, 600);
    let report =
        |parameters: Value| run(&governed("mvcc", parameters, json!({"updates": "new_version"})), &work);
    let failures = |report: &Report| counter(report, "txn", "aborts_serialization_failure");
    let committed = report(json!({"isolation": "read_committed", "deadlock_timeout_ms": 5.0}));
    assert_eq!(failures(&committed), 0, "it goes on with the new version");
    let snapshot = json!({"isolation": "repeatable_read", "deadlock_timeout_ms": 5.0});
    assert!(failures(&report(snapshot.clone())) > 50);
    let mut newest = snapshot;
    newest["write_rule"] = json!("newest_version");
    assert_eq!(failures(&report(newest)), 0);
}

#[test]
fn failed_transactions_serve_nobody() {
    let work = updates(4, 20, 8, 600);
    let report = |on_abort: &str| {
        let parameters = json!({"on_abort": on_abort, "deadlock_policy": "no_wait", "backoff_ms": 2.0});
        run(&governed("two-phase-locking", parameters, json!({})), &work)
    };
    let (failing, retrying) = (report("fail"), report("retry"));
    let failed = counter(&failing, "txn", "operations_failed");
    assert!(failed > 100 && counter(&failing, "txn", "retries") == 0);
    assert_eq!(failing.summary.operations + failed, 600);
    assert!(failing.summary.latency_mean_ms < retrying.summary.latency_mean_ms, "retries take their time");
    let series = failing.series.iter().find(|series| series.name == "throughput_qps").unwrap();
    assert!(series.values.iter().flatten().sum::<f64>() > 0.0);
}

#[test]
fn aborted_changes_are_undone() {
    let insert = json!([
        {"type": "INSERT", "weight": 1, "transaction": "t", "parameters": {"access": "point"}},
        {"type": "UPDATE", "weight": 1, "transaction": "t", "parameters": {"access": "point", "think_time_ms": 1.0}},
        {"type": "DELETE", "weight": 1, "transaction": "t", "parameters": {"access": "point", "think_time_ms": 1.0}},
        {"type": "UPDATE", "weight": 1, "transaction": "t", "parameters": {"access": "point", "think_time_ms": 1.0}},
    ]);
    let config = json!({"total_operations": 300, "warmup_operations": 0, "concurrency": 6, "record_count": 60,
                        "record_bytes": 100});
    let work = workload::parse(&json!({"operations": insert, "config": config})).unwrap();
    for (kind, parameters) in [
        ("two-phase-locking", json!({"deadlock_policy": "no_wait", "on_abort": "fail"})),
        ("mvcc", json!({"isolation": "repeatable_read", "on_abort": "fail", "deadlock_timeout_ms": 1.0})),
        ("occ", json!({"on_abort": "fail"})),
    ] {
        for updates in ["in_place", "new_version"] {
            let report = run(&governed(kind, parameters.clone(), json!({"updates": updates})), &work);
            assert!(aborted(&report) > 20, "{kind}");
            let inserted = report.summary.transactions_committed;
            let gone = counter(&report, "heap", "rows_deleted")
                - (counter(&report, "heap", "rows_inserted") - inserted);
            let rows = block(&report, "heap").gauges["rows"].as_u64().unwrap();
            assert_eq!(rows, 60 + inserted - gone, "{kind} {updates}");
            let keys = block(&report, "index").gauges["keys"].as_u64().unwrap();
            assert_eq!(keys, rows, "{kind} {updates}: the index has what the heap has");
        }
    }
}

#[test]
fn a_transaction_of_several_operations_keeps_its_locks_to_the_end() {
    let operations = json!([{"type": "UPDATE", "weight": 1, "parameters": {"access": "point"}}]);
    let work = |batch: u32| {
        let config = json!({"total_operations": 2_000, "concurrency": 4, "record_count": 50, "think_time_ms": 1.0,
                            "record_bytes": 100, "operations_per_transaction": batch});
        workload::parse(&json!({"operations": operations, "config": config})).unwrap()
    };
    let waits = |batch: u32| {
        let report = run(&governed("two-phase-locking", json!({}), json!({})), &work(batch));
        let failed = counter(&report, "txn", "operations_failed");
        assert_eq!(report.summary.operations + failed, 2_000);
        counter(&report, "txn", "lock_waits")
    };
    let (alone, together) = (waits(1), waits(5));
    assert!(alone < together / 20, "{alone} waits alone, {together} in transactions of five");
}

#[test]
fn events_tell_the_life_of_a_transaction_and_the_circle_of_a_deadlock() {
    let canvas = governed("two-phase-locking", json!({"victim": "youngest"}), json!({}));
    let work = updates(3, 12, 6, 60);
    let options = Options { trace: TraceLevel::Full, max_events: 100_000, ..quiet(1) };
    let report = run_with(&canvas, &work, &options);
    let events = |kind: &str| report.events.iter().filter(|event| event.kind == kind).count() as u64;
    for kind in ["txn_begin", "lock_acquired", "lock_wait", "deadlock_detected", "txn_abort", "txn_commit"] {
        assert!(events(kind) > 0, "{kind}");
    }
    assert_eq!(events("txn_begin"), events("txn_commit") + events("txn_abort"));
    let circle = report.events.iter().find(|event| event.kind == "deadlock_detected").unwrap();
    let numbers: Vec<u64> =
        circle.payload["cycle"].as_array().unwrap().iter().filter_map(Value::as_u64).collect();
    assert!(numbers.len() >= 2 && circle.payload["victim"] == json!(numbers.iter().max().unwrap()));

    // The state when someone waits shows the lock with its holder and its queue.
    let wait = report.events.iter().find(|event| event.kind == "lock_wait").unwrap();
    let snapshot =
        state_after(&plan(&canvas), &work, &options, &Control::default(), wait.sequence).unwrap().unwrap();
    let state = &snapshot.blocks.iter().find(|block| block.block_id == "txn").unwrap().state;
    let lock = &state["locks"][0];
    assert_eq!((lock["queue"].as_array().unwrap().len(), &lock["holders"][0]["mode"]), (1, &json!("X")));
    assert!(state["transactions_count"].as_u64().unwrap() >= 2);
}

#[test]
fn a_long_snapshot_keeps_versions() {
    let versions = |slow_ms: f64| {
        let operations = json!([
            {"type": "UPDATE", "weight": 50, "parameters": {"access": "point"}},
            {"type": "SELECT", "weight": 1, "transaction": "slow", "parameters": {"access": "point", "think_time_ms": slow_ms}},
        ]);
        let config =
            json!({"total_operations": 4_000, "concurrency": 4, "record_count": 100, "record_bytes": 100});
        let work = workload::parse(&json!({"operations": operations, "config": config})).unwrap();
        let report =
            run(&governed("mvcc", json!({}), json!({"updates": "new_version", "fill_factor": 0.5})), &work);
        block(&report, "heap").gauges["pages"].as_u64().unwrap()
    };
    assert!(versions(5.0) > versions(0.0), "what a snapshot may see cannot be pruned");
}

#[test]
fn optimists_lose_their_work_late() {
    let work = updates(4, 60, 8, 600);
    let per_abort_ns = |kind: &str, parameters: Value| {
        let report = run(&governed(kind, parameters, json!({})), &work);
        counter(&report, "txn", "aborted_ns") as f64 / aborted(&report) as f64
    };
    let late = per_abort_ns("occ", json!({"backoff_ms": 0.5}));
    let early = per_abort_ns("two-phase-locking", locking("no_wait"));
    assert!(late > 1.5 * early, "{late} ns an abort at validation, {early} at the first conflict");
}

#[test]
fn commits_reach_the_log_of_the_transaction_block() {
    let mut canvas = governed("mvcc", json!({}), json!({}));
    let extra = common::canvas(&[("wal", "wal", json!({}))], &["txn.log -> wal", "wal.device -> disk"]);
    for part in ["blocks", "connections"] {
        let more = extra[part].as_array().unwrap().clone();
        let list = canvas[part].as_array_mut().unwrap();
        for mut item in more {
            if part == "connections" {
                item["id"] = json!(format!("log {}", item["source"]["blockId"]));
            }
            list.push(item);
        }
    }
    let work = updates(1, 1_000, 2, 300);
    let report = simulate(&plan(&canvas), &work, &quiet(1), &Control::default()).unwrap();
    assert_eq!(counter(&report, "wal", "commits"), 300);
}
