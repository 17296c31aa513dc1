//! `pg_wal`: log records, bytes and full-page images of single-row changes, one a transaction.

use serde_json::{Map, Value, json};

use super::cases::Case;
use super::experiment::quantities;
use super::pg_bloat::{CHANGED_BYTES, Table};

/// The measured tuples include their header, which the block adds itself.
const TUPLE_HEADER_BYTES: u64 = 24;

pub(super) fn simulate(case: &Case, seed: u64) -> Option<Map<String, Value>> {
    let op = case.text("op");
    let column_index = case.text("structure").contains("B+tree on v");
    let (kind, parameters) = match op.split(',').next()? {
        "insert" => ("INSERT", json!({})),
        "delete" => ("DELETE", json!({"access": "point"})),
        "update_hot" | "update_nonhot" => (
            "UPDATE",
            json!({
                "access": "point",
                "changed_bytes": CHANGED_BYTES,
                "changes_indexed_column": column_index,
            }),
        ),
        _ => return None,
    };
    let table = Table {
        records: case.whole("records")?,
        record_bytes: case.whole("record_bytes")?.checked_sub(TUPLE_HEADER_BYTES)?,
        page_bytes: case.whole("page_bytes")?,
        fill_factor: case.percent("fillfactor_pct")?,
        deleted_fraction: 0.0,
        key_index: true,
        column_index,
        full_page_writes: case.config.get("full_page_writes")?.as_bool()?,
    };
    let operations = case.whole("ops")?;
    let outcome = table.run(kind, &parameters, operations, seed)?;
    let bytes = outcome.counter("wal", "bytes_appended")?;
    Some(quantities([
        ("wal_records", json!(outcome.counter("wal", "records")?)),
        ("wal_full_page_images", json!(outcome.counter("wal", "full_page_images")?)),
        ("wal_bytes", json!(bytes)),
        ("wal_bytes_per_txn", json!(bytes / outcome.operations())),
        ("heap_pages_after", outcome.gauge("heap", "pages")?.clone()),
    ]))
}
