//! `cache`: miss ratios of replacement policies on synthetic traces, from an empty cache. An object is a page of a heap with one
//! row a page, read by its row id; each policy runs through the same trace.

use serde_json::{Map, Value, json};

use super::cases::Case;
use super::experiment;

/// Names of the measured policies, the catalogue's, and the parameters that make one the other.
const POLICIES: [(&str, &str, Option<bool>); 14] = [
    ("LRU", "lru", None),
    ("FIFO", "fifo", None),
    ("CLOCK", "clock", None),
    ("LFU", "lfu", None),
    ("ARC", "arc", None),
    ("TwoQ", "2q", None),
    ("S3FIFO", "s3-fifo", None),
    ("SIEVE", "sieve", None),
    ("LRU2_no_history", "lru-k", Some(false)),
    ("LRU2_full_history", "lru-k", Some(true)),
    ("RANDOM", "random", None),
    ("SLRU", "slru", None),
    ("WTinyLFU", "w-tinylfu", None),
    ("CLOCK5_postgres", "gclock", None),
];

pub(super) fn simulate(case: &Case, seed: u64) -> Option<Map<String, Value>> {
    let trace = case.config.get("trace")?;
    let field = |name: &str| trace.get(name).and_then(Value::as_u64);
    let objects = field("objects")?;
    let theta = trace.get("theta");
    let (records, key) = match trace.get("type")?.as_str()? {
        "zipf" => (objects, json!({"distribution": "zipfian", "theta": theta})),
        "loop" => (objects, json!({"distribution": "sequential"})),
        "zipf_scan" => {
            let region = field("scan_region")?;
            let key = json!({
                "distribution": "zipfian_with_scans",
                "theta": theta,
                "scan_every": field("period")?,
                "scan_rows": field("scan_len")?,
                "scan_region": region,
            });
            (objects + region, key)
        }
        "zipf_shift" => {
            let key = json!({
                "distribution": "shifting_zipfian",
                "theta": theta,
                "shift_every": field("phase")?,
                "shift_rows": field("shift")?,
            });
            (objects, key)
        }
        "loop_zipf" => {
            let loop_rows = field("loop_len")?;
            let key = json!({
                "distribution": "zipfian_with_loop",
                "theta": theta,
                "zipfian_fraction": trace.get("p_zipf")?,
                "loop_rows": loop_rows,
            });
            (objects + loop_rows, key)
        }
        _ => return None,
    };
    let config = json!({
        "total_operations": field("requests")?,
        "warmup_operations": 0,
        "record_count": records,
        "record_bytes": 8000,
        "insert_order": "ascending",
    });
    let mut misses = Map::new();
    for (name, policy, history) in POLICIES {
        let mut pool = json!({"capacity_pages": case.whole("cache_objects")?, "policy": policy});
        if let Some(history) = history {
            pool["lru_k_history"] = json!(history);
        }
        let outcome = experiment::run(
            &[
                ("client", "client", json!({})),
                ("heap", "heap-storage", json!({})),
                ("pool", "buffer-pool", pool),
                ("disk", "disk", json!({})),
            ],
            &["client.out -> heap", "heap.pages -> pool", "pool.device -> disk"],
            &[("SELECT", 1.0, json!({"access": "row_id", "key": key}))],
            &config,
            seed,
        )?;
        let missed = outcome.counter("pool", "misses")? / outcome.operations();
        misses.insert(format!("miss_all.{name}"), json!(missed));
    }
    Some(misses)
}
