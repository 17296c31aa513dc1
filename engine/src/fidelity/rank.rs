//! `rank`: bytes written and processor time of an operation on RocksDB, LevelDB, LMDB and SQLite, the same workload on each. What
//! counts is the order of the engines. The bytes are those handed to the operating system, so nothing the devices do matters.

use serde_json::{Map, Value, json};

use super::cases::Case;
use super::experiment::{Outcome, run};

const PAGE_BYTES: u64 = 4096;

pub(super) fn simulate(case: &Case, seed: u64) -> Option<Map<String, Value>> {
    let phase = Phase::read(case)?;
    let mut quantities = Map::new();
    for engine in ["rocksdb", "leveldb", "lmdb", "sqlite"] {
        let outcome = match engine {
            "rocksdb" | "leveldb" => log_structured(case, &phase, engine, seed)?,
            _ => copied_or_journalled(case, &phase, engine, seed)?,
        };
        let operations = outcome.operations();
        let cpu_us = outcome.counter("client", "cpu_ns")? / 1_000.0;
        quantities
            .insert(format!("written_bytes_per_op.{engine}"), json!(outcome.written_bytes()? / operations));
        quantities.insert(format!("cpu_us_per_op.{engine}"), json!(cpu_us / operations));
    }
    Some(quantities)
}

fn log_structured(case: &Case, phase: &Phase, persona: &str, seed: u64) -> Option<Outcome> {
    let synchronous = case.config.get("fsync_at_commit")?.as_bool()?;
    let mut tree = json!({
        "write_buffer_bytes": 2 << 20,
        "target_file_bytes": 2 << 20,
        "level_base_bytes": if persona == "rocksdb" { 8 << 20 } else { 10 << 20 },
        "page_size": PAGE_BYTES,
        "bloom": "uniform",
        "bloom_bits": 10,
    });
    if persona == "rocksdb" {
        tree["dynamic_level_bytes"] = json!(false);
    } else {
        tree["compaction"] = json!("leveldb");
    }
    run(
        &[
            ("client", "client", json!({})),
            ("cpu", "cpu", json!({"persona": persona})),
            ("tree", "lsm-tree", tree),
            (
                "cache",
                "buffer-pool",
                json!({"capacity_pages": case.whole("engine_cache_bytes")? / PAGE_BYTES}),
            ),
            ("log", "wal", json!({"commit_mode": if synchronous { "sync" } else { "async" }})),
            ("disk", "disk", json!({})),
        ],
        &[
            "client.out -> tree",
            "client.cpu -> cpu",
            "tree.pages -> cache",
            "tree.log -> log",
            "cache.device -> disk",
            "log.device -> disk",
        ],
        &phase.operations,
        &phase.config,
        seed,
    )
}

fn copied_or_journalled(case: &Case, phase: &Phase, persona: &str, seed: u64) -> Option<Outcome> {
    // LMDB has no cache of its own: its pages are mapped, and the operating system's cache held them all.
    let pool = if persona == "sqlite" {
        json!({
            "policy": "clean-first-lru",
            "capacity_pages": case.whole("engine_cache_bytes")? / PAGE_BYTES,
            "write_back": "commit",
            "journal": "wal",
            "sync_at_commit": case.config.get("fsync_at_commit")?,
        })
    } else {
        json!({
            "capacity_pages": 1 << 20,
            "write_back": "commit",
            "sync_at_commit": case.config.get("fsync_at_commit")?,
        })
    };
    run(
        &[
            ("client", "client", json!({})),
            ("cpu", "cpu", json!({"persona": persona})),
            (
                "tree",
                "clustered-storage",
                json!({
                    "page_format": persona,
                    "copy_on_write": persona == "lmdb",
                    "page_size": PAGE_BYTES,
                    "build": "inserted",
                }),
            ),
            ("cache", "buffer-pool", pool),
            ("disk", "disk", json!({})),
        ],
        &["client.out -> tree", "client.cpu -> cpu", "tree.pages -> cache", "cache.device -> disk"],
        &phase.operations,
        &phase.config,
        seed,
    )
}

impl Outcome {
    /// Bytes handed to the operating system. A log's count when they are appended, whether a run saw them flushed or not.
    fn written_bytes(&self) -> Option<f64> {
        let log = self.counter("log", "bytes_appended");
        let Some(log) = log else { return self.counter("disk", "bytes_written") };
        Some(log + self.counter("tree", "bytes_flushed")? + self.counter("tree", "bytes_compacted")?)
    }
}

/// What runs after the load.
struct Phase {
    operations: Vec<(&'static str, f64, Value)>,
    config: Value,
}

impl Phase {
    fn read(case: &Case) -> Option<Self> {
        let text = case.text("op");
        let theta = text.split("zipf ").nth(1).map(|rest| rest.trim_end_matches([',', ')']));
        let theta = theta.and_then(|rest| rest.split([',', ' ']).next()?.parse::<f64>().ok());
        let share = |word: &str| -> Option<f64> {
            // "95% read, 5% overwrite, …": the number in front of each word.
            let (before, _) = text.split_once(word)?;
            before.rsplit_once('%')?.0.rsplit([' ', ',']).next()?.parse().ok()
        };
        let mut operations = Vec::new();
        let loads = text.starts_with("insert all keys");
        if loads {
            operations.push(("INSERT", 1.0, json!({"access": "point"})));
        }
        for (word, kind, parameters) in [
            ("% point read", "SELECT", json!({"access": "point"})),
            ("% read", "SELECT", json!({"access": "point"})),
            ("% overwrite", "UPDATE", json!({"access": "point"})),
            ("% insert", "INSERT", json!({"access": "point"})),
            ("% short range scan", "SELECT", json!({"access": "range", "rows": {"min": 1, "max": 100}})),
        ] {
            if let Some(share) = share(&word[1..]).filter(|_| text.contains(word)) {
                operations.push((kind, share, parameters));
            }
        }
        let records = if loads { 0 } else { case.whole("records")? };
        let mut config = json!({
            "total_operations": case.whole("ops")?,
            "warmup_operations": 0,
            "record_count": records,
            "key_bytes": case.whole("key_bytes")?,
            "record_bytes": case.whole("key_bytes")? + case.whole("value_bytes")?,
            "operations_per_transaction": case.whole("ops_per_commit")?,
            "insert_order": if text.contains("high end") { "ascending" } else { "hashed" },
        });
        if let Some(theta) = theta {
            config["distribution"] = json!("zipfian");
            config["zipfian_theta"] = json!(theta);
        }
        (!operations.is_empty()).then_some(Self { operations, config })
    }
}
