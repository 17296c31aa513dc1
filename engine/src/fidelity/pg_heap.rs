//! `pg_heap`: pages of a heap filled by one load, and page accesses of a sequential scan.

use serde_json::{Map, Value, json};

use super::cases::Case;
use super::experiment::{quantities, run};

/// The measured tuples include their header, which the block adds itself.
const TUPLE_HEADER_BYTES: u64 = 24;

pub(super) fn simulate(case: &Case, seed: u64) -> Option<Map<String, Value>> {
    let outcome = run(
        &[
            ("client", "client", json!({})),
            ("scan", "seq-scan", json!({})),
            (
                "heap",
                "heap-storage",
                json!({"fill_factor": case.percent("fillfactor_pct")?, "page_size": case.whole("page_bytes")?}),
            ),
            ("pool", "buffer-pool", json!({"capacity_pages": 64})),
            ("disk", "disk", json!({})),
        ],
        &["client.out -> scan", "scan.table -> heap", "heap.pages -> pool", "pool.device -> disk"],
        &[("SELECT", 1.0, json!({"access": "scan"}))],
        &json!({
            "total_operations": 1,
            "warmup_operations": 0,
            "record_count": case.whole("records")?,
            "record_bytes": case.whole("tuple_bytes_aligned")?.checked_sub(TUPLE_HEADER_BYTES)?,
            "insert_order": "ascending",
        }),
        seed,
    )?;
    let accesses = outcome.counter("pool", "hits")? + outcome.counter("pool", "misses")?;
    Some(quantities([
        ("heap_pages", outcome.gauge("heap", "pages")?.clone()),
        ("seqscan_page_accesses", json!(accesses)),
        ("rows_scanned", json!(outcome.counter("scan", "rows_scanned")?)),
    ]))
}
