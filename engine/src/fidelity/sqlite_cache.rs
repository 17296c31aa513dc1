//! `sqlite_cache`: hits, reads, writes and spills of SQLite's page cache over a rowid table, without a journal.

use serde_json::{Map, Value, json};

use super::cases::Case;
use super::experiment::{quantities, run};

const KEY_BYTES: u64 = 8;

pub(super) fn simulate(case: &Case, seed: u64) -> Option<Map<String, Value>> {
    let adjacent = case.text("hot_keys").starts_with("adjacent");
    let key = json!({
        "distribution": "zipfian",
        "theta": case.number("theta")?,
        "hot_keys": if adjacent { "first" } else { "scattered" },
    });
    let parameters = json!({"access": "point", "key": key});
    let writes = case.number("write_fraction")?;
    let outcome = run(
        &[
            ("client", "client", json!({})),
            (
                "table",
                "clustered-storage",
                json!({"page_format": "sqlite", "page_size": case.whole("page_bytes")?, "build": "inserted"}),
            ),
            (
                "pool",
                "buffer-pool",
                json!({
                    "policy": "clean-first-lru",
                    "capacity_pages": case.whole("cache_pages")?,
                    "write_back": "commit",
                    "sync_at_commit": false,
                }),
            ),
            ("disk", "disk", json!({})),
        ],
        &["client.out -> table", "table.pages -> pool", "pool.device -> disk"],
        &[("UPDATE", writes, parameters.clone()), ("SELECT", 1.0 - writes, parameters)],
        &json!({
            "total_operations": case.whole("measured_ops")?,
            "warmup_operations": case.whole("warmup_ops")?,
            "operations_per_transaction": case.whole("ops_per_transaction")?,
            "record_count": case.whole("records")?,
            "record_bytes": KEY_BYTES + case.whole("value_bytes")?,
            "key_bytes": KEY_BYTES,
            "insert_order": "ascending",
        }),
        seed,
    )?;
    let operations = outcome.operations();
    let counter = |name: &str| outcome.counter("pool", name);
    let (hits, misses) = (counter("hits")?, counter("misses")?);
    Some(quantities([
        ("page_accesses_per_op", json!((hits + misses) / operations)),
        ("hit_ratio", json!(hits / (hits + misses))),
        ("page_reads_per_op", json!(misses / operations)),
        ("page_writes_per_op", json!((counter("pages_forced")? + counter("spills")?) / operations)),
        ("cache_spills", json!(counter("spills")?)),
    ]))
}
