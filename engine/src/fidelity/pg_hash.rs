//! `pg_hash`: pages of a hash index built at once or with its table, and page accesses of a lookup.

use serde_json::{Map, Value, json};

use super::cases::Case;
use super::experiment::{quantities, run};

/// A heap row of these tables is its key.
const RECORD_BYTES: u64 = 8;

pub(super) fn simulate(case: &Case, seed: u64) -> Option<Map<String, Value>> {
    let outcome = run(
        &[
            ("client", "client", json!({})),
            ("scan", "index-scan", json!({})),
            (
                "index",
                "hash-index",
                json!({
                    "fill_factor": case.percent("fillfactor_pct")?,
                    "build": if case.text("build") == "bulk" { "bulk" } else { "inserted" },
                    "page_size": case.whole("page_bytes")?,
                }),
            ),
            ("heap", "heap-storage", json!({"page_size": case.whole("page_bytes")?})),
            ("pool", "buffer-pool", json!({"capacity_pages": 65536})),
            ("disk", "disk", json!({})),
        ],
        &[
            "client.out -> scan",
            "scan.index -> index",
            "scan.table -> heap",
            "index.pages -> pool",
            "heap.pages -> pool",
            "pool.device -> disk",
        ],
        &[("SELECT", 1.0, json!({"access": "point"}))],
        &json!({
            // More lookups than were measured: their mean is what is compared.
            "total_operations": 100 * case.whole("lookups")?,
            "warmup_operations": 0,
            "record_count": case.whole("records")?,
            "key_bytes": case.whole("key_bytes")?,
            "record_bytes": RECORD_BYTES,
            "insert_order": "hashed",
        }),
        seed,
    )?;
    let gauge = |name: &str| outcome.gauge("index", name).cloned();
    let accesses = outcome.counter("pool", "hits")? + outcome.counter("pool", "misses")?;
    Some(quantities([
        ("index_pages_total", gauge("pages")?),
        ("bucket_pages", gauge("bucket_pages")?),
        ("overflow_pages", gauge("overflow_pages")?),
        // The meta page is not one.
        ("bitmap_pages", json!(gauge("meta_pages")?.as_u64()?.checked_sub(1)?)),
        ("unused_pages", gauge("unused_pages")?),
        ("page_accesses_per_lookup_incl_heap", json!(accesses / outcome.operations())),
    ]))
}
