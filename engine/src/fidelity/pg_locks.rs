//! `pg_locks`: transactions of single-row statements with think time, at three isolation levels: waits, deadlocks, serialization
//! failures.

use serde_json::{Map, Value, json};

use super::cases::Case;
use super::experiment::{quantities, run_workload};

/// What a statement takes the server and the way there and back: the middle of the range that the cases state.
const SERVICE_MS: f64 = 0.3;
/// Chance moves the figures of a run as short as the measured ones; a longer one has their mean.
const TRANSACTIONS: u64 = 30_000;
const WARMUP: u64 = 500;
/// Not stated; what a row of `pg_wal` has without its header. Decides how many rows share a page, and so what SSI locks.
const RECORD_BYTES: u64 = 120;

pub(super) fn simulate(case: &Case, seed: u64) -> Option<Map<String, Value>> {
    let rows = case.whole("hot_rows")?;
    let statements = case.whole("rows_per_txn")?;
    let kinds = kinds(case.text("txn"), statements)?;
    // In order of rows: each statement has a slice of them to itself, here a table.
    let sorted = case.text("row_choice").contains("ascending");
    let tables = if sorted { statements } else { 1 };
    let key = match case.text("row_choice").split_once("theta ") {
        Some((_, theta)) => {
            let theta: f64 = theta.split(' ').next()?.parse().ok()?;
            json!({"distribution": "zipfian", "theta": theta})
        }
        None => json!("uniform"),
    };
    let think_ms = case.number("think_ms_after_each_statement")? + SERVICE_MS;
    let retries = match case.text("on_abort").split_once("up to ") {
        Some((_, times)) => Some(times.split(' ').next()?.parse::<u64>().ok()?),
        None => None,
    };
    let transactions = json!({
        "isolation": case.text("isolation").replace(' ', "_"),
        "deadlock_timeout_ms": case.number("deadlock_timeout_ms")?,
        "on_abort": if retries.is_some() { "retry" } else { "fail" },
        "max_retries": retries.unwrap_or(1),
        "backoff_ms": 0.0,
    });

    let name = |kind: &str, table: u64| format!("{kind}{table}");
    let mut blocks = vec![
        ("client".to_owned(), "client", json!({})),
        ("mvcc".to_owned(), "mvcc", transactions),
        ("pool".to_owned(), "buffer-pool", json!({"capacity_pages": 16_384, "policy": "gclock"})),
        ("disk".to_owned(), "disk", json!({"preset": "nvme"})),
    ];
    let mut wires = vec!["client.out -> mvcc".to_owned(), "pool.device -> disk".to_owned()];
    let mut list = Vec::new();
    for table in 0..tables {
        let (scan, index, heap) = (name("scan", table), name("index", table), name("heap", table));
        wires.push(format!("mvcc.out -> {scan}"));
        wires.push(format!("{scan}.index -> {index}"));
        wires.push(format!("{scan}.table -> {heap}"));
        wires.push(format!("{index}.pages -> pool"));
        wires.push(format!("{heap}.pages -> pool"));
        let heap_parameters = json!({"table": name("t", table), "updates": "new_version", "hint_bits": true});
        blocks.push((scan, "index-scan", json!({})));
        blocks.push((index, "btree-index", json!({})));
        blocks.push((heap, "heap-storage", heap_parameters));
        list.push(json!({
            "name": name("t", table), "record_count": rows / tables, "record_bytes": RECORD_BYTES,
            "key_bytes": 4, "insert_order": "ascending",
        }));
    }
    let operations: Vec<Value> = kinds
        .iter()
        .zip(0..)
        .map(|((kind, locking), place)| {
            let table = if sorted { place } else { 0 };
            let mut parameters = json!({
                "access": "point", "table": name("t", table), "key": key, "think_time_ms": think_ms,
            });
            if let Some(locking) = locking {
                parameters["locking"] = json!(locking);
            }
            json!({"type": kind, "weight": 1.0, "transaction": "t", "parameters": parameters})
        })
        .collect();
    let config = json!({
        "total_operations": TRANSACTIONS,
        "warmup_operations": WARMUP,
        "concurrency": case.whole("clients")?,
        // BEGIN, and the first statement until it asks for its lock.
        "think_time_ms": 2.0 * SERVICE_MS,
    });
    let blocks: Vec<(&str, &str, Value)> =
        blocks.iter().map(|(id, kind, parameters)| (id.as_str(), *kind, parameters.clone())).collect();
    let wires: Vec<&str> = wires.iter().map(String::as_str).collect();
    let workload = json!({"operations": operations, "tables": list, "config": config});
    let outcome = run_workload(&blocks, &wires, &workload, seed)?;

    let failed = outcome.counter("mvcc", "operations_failed")?;
    let transactions = outcome.operations() + failed;
    let per_1000 = |count: f64| 1_000.0 * count / transactions;
    let deadlocks = outcome.counter("mvcc", "aborts_deadlock")?;
    let failures = outcome.counter("mvcc", "aborts_serialization_failure")?;
    let mut found = quantities([
        ("mean_blocked_clients", outcome.gauge("mvcc", "mean_blocked_clients")?.clone()),
        ("committed_tps", json!(outcome.throughput())),
        ("mean_latency_ms", json!(outcome.latency_mean_ms())),
    ]);
    // What is run again and succeeds is no abort of its transaction.
    let (aborted, again) = match retries {
        None => ((deadlocks, failures), None),
        Some(_) => ((0.0, 0.0), Some(outcome.counter("mvcc", "retries")?)),
    };
    found.insert("deadlock_aborts_per_1000".to_owned(), json!(per_1000(aborted.0)));
    found.insert("serialization_aborts_per_1000".to_owned(), json!(per_1000(aborted.1)));
    if let Some(again) = again {
        found.insert("retries_per_1000".to_owned(), json!(per_1000(again)));
    }
    Some(found)
}

/// The statements of a transaction: type, and how a SELECT locks.
fn kinds(text: &str, statements: u64) -> Option<Vec<(&'static str, Option<&'static str>)>> {
    let reads = |locking| {
        let mut kinds = vec![("SELECT", locking); usize::try_from(statements).ok()?.checked_sub(1)?];
        kinds.push(("UPDATE", None));
        Some(kinds)
    };
    if text.contains("FOR SHARE") {
        reads(Some("share"))
    } else if text.contains("plain SELECT") {
        reads(None)
    } else {
        text.contains("single-row UPDATE")
            .then_some(vec![("UPDATE", None); usize::try_from(statements).ok()?])
    }
}
