//! `lsm_read`: blocks RocksDB reads for gets of keys that are there, gets of keys that are not, and short ranges.

use serde_json::{Map, Value, json};

use super::cases::Case;
use super::experiment::{Outcome, run};
use super::lsm;

/// What a cached block is charged for besides its bytes: its handle with the key, and the block object.
const CACHED_BLOCK_OVERHEAD_BYTES: u64 = 220;
/// Ranges of a case, and rows of each.
const RANGES: u64 = 5_000;
const RANGE_ROWS: u64 = 50;

pub(super) fn simulate(case: &Case, seed: u64) -> Option<Map<String, Value>> {
    let gets = case.whole("reads")?;
    let mut found = Map::new();
    for (group, operations, parameters) in [
        ("get_existing", gets, json!({"access": "point"})),
        ("get_missing", gets, json!({"access": "point", "missing": true})),
        ("scan50", RANGES, json!({"access": "range", "rows": RANGE_ROWS})),
    ] {
        let outcome = read(case, operations, parameters, seed)?;
        let mut give = |name: &str, count: f64| {
            found.insert(format!("{group}.{name}"), json!(count / outcome.operations()));
        };
        // Without a cache every block visited is read.
        let hits = outcome.counter("cache", "hits").unwrap_or_default();
        give("data_block_reads_per_op", outcome.counter("tree", "block_reads")? - hits);
        give("block_cache_hits_per_op", hits);
        give("bloom_useful_per_op", outcome.counter("tree", "bloom_negatives")?);
        give("bloom_false_positive_per_op", outcome.counter("tree", "bloom_false_positives")?);
        found.insert(format!("{group}.ops"), json!(operations));
    }
    Some(found)
}

/// Reads from a tree that has been filled, flushed and compacted to rest.
fn read(case: &Case, operations: u64, mut parameters: Value, seed: u64) -> Option<Outcome> {
    let mut tree = lsm::tree(case)?;
    if case.text("workload").contains("replacement") {
        tree["load_puts"] = json!(case.whole("ops")?);
    }
    parameters["key"] = match case.text("read_distribution") {
        "zipf" => json!({"distribution": "zipfian", "theta": case.number("read_theta")?}),
        "uniform" => json!({"distribution": "uniform"}),
        _ => return None,
    };
    let mut config = lsm::config(case, operations)?;
    let mut blocks =
        vec![("client", "client", json!({})), ("tree", "lsm-tree", tree), ("disk", "disk", json!({}))];
    let wires: &[&str] =
        match case.whole("block_cache_bytes")? / (case.whole("block_bytes")? + CACHED_BLOCK_OVERHEAD_BYTES) {
            0 => &["client.out -> tree", "tree.pages -> disk"],
            pages => {
                config["warmup_operations"] = json!(operations);
                blocks.push((
                    "cache",
                    "buffer-pool",
                    json!({"capacity_pages": pages, "policy": "high-priority-lru"}),
                ));
                &["client.out -> tree", "tree.pages -> cache", "cache.device -> disk"]
            }
        };
    run(&blocks, wires, &[("SELECT", 1.0, parameters)], &config, seed)
}
