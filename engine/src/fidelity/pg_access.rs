//! `pg_access`: page accesses of point lookups and of range scans through an index: plain, index-only, by bitmap.

use serde_json::{Map, Value, json};

use super::cases::Case;
use super::experiment::{quantities, run};

/// The measured rows include their line pointer and their header, which the block adds itself.
const ROW_OVERHEAD_BYTES: u64 = 4 + 24;
/// More lookups than were measured: their mean is what is compared.
const LOOKUPS: u64 = 10_000;

pub(super) fn simulate(case: &Case, seed: u64) -> Option<Map<String, Value>> {
    let records = case.whole("records")?;
    let point = case.text("op").starts_with("point");
    let index_only = case.config.get("index_only") == Some(&json!(true)) || case.text("plan") == "indexonly";
    let bitmap = case.text("plan") == "bitmap";
    let rows = if point { 1 } else { (records as f64 * case.number("fraction")?).round() as u64 };
    let operation = if point {
        json!({"access": "point"})
    } else {
        json!({"access": "range", "rows": rows, "first_key": case.whole("first_key")?.checked_sub(1)?})
    };
    let page_bytes = case.whole("page_bytes")?;
    let outcome = run(
        &[
            ("client", "client", json!({})),
            ("scan", "index-scan", json!({"index_only": index_only, "bitmap": bitmap})),
            (
                "index",
                "btree-index",
                json!({"page_size": page_bytes, "fill_factor": case.percent("index_fillfactor_pct").unwrap_or(0.9)}),
            ),
            ("heap", "heap-storage", json!({"page_size": page_bytes})),
            ("pool", "buffer-pool", json!({"capacity_pages": 65_536})),
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
        &[("SELECT", 1.0, operation)],
        &json!({
            "total_operations": if point { LOOKUPS } else { 1 },
            "warmup_operations": 0,
            "record_count": records,
            "record_bytes": case.whole("bytes_per_record_incl_line_pointer")?.checked_sub(ROW_OVERHEAD_BYTES)?,
            // The rows lie in order of one column, and at random as to the other.
            "insert_order": if case.text("index_on") == "id" { "ascending" } else { "hashed" },
        }),
        seed,
    )?;
    let accesses = |block: &str| {
        let (hits, misses) = (outcome.counter(block, "pool_hits"), outcome.counter(block, "pool_misses"));
        Some(hits? + misses?)
    };
    let all = accesses("index")? + accesses("heap")?;
    if point {
        return Some(quantities([("page_accesses_per_lookup", json!(all / outcome.operations()))]));
    }
    let mut found = quantities([("rows", json!(rows)), ("page_accesses", json!(all))]);
    if bitmap {
        found.insert("heap_pages_visited".to_owned(), json!(accesses("heap")?));
        found.insert("index_page_accesses".to_owned(), json!(accesses("index")?));
    }
    if index_only {
        found.insert("heap_fetches".to_owned(), json!(outcome.counter("scan", "rows_fetched")?));
    }
    Some(found)
}
