//! `innodb_pool`: page reads of InnoDB's buffer pool under point queries of a clustered table.

use serde_json::{Map, Value, json};

use super::cases::Case;
use super::experiment::{quantities, run};

/// The descriptor of a page (`buf_block_t`) takes its bytes from the pool's memory.
const DESCRIPTOR_BYTES: u64 = 160;
/// The cases ran with `innodb_lru_scan_depth` 100.
const FREE_PAGES_TARGET: u64 = 100;
/// Pages of the system tablespace, of undo logs and of the dictionary that a server keeps in use: "a few tens".
const SYSTEM_PAGES: u64 = 40;
/// 132 bytes of a page are overhead, 1/16 of it stays free when keys ascend.
const PAGE_OVERHEAD_BYTES: u64 = 132;
/// Header of a record, transaction id and roll pointer: what the storage adds to a row itself.
const ROW_OVERHEAD_BYTES: u64 = 18;

pub(super) fn simulate(case: &Case, seed: u64) -> Option<Map<String, Value>> {
    let (page_bytes, records) = (case.whole("page_bytes")?, case.whole("records")?);
    let leaves =
        case.config.get("pages_per_level_leaf_first")?.get(0)?.as_u64().filter(|leaves| *leaves > 0)?;
    // The rows that fill the leaves of the case, with half a byte of directory each.
    let rows = records.div_ceil(leaves);
    let row_bytes = (page_bytes - page_bytes / 16 - PAGE_OVERHEAD_BYTES - rows.div_ceil(2)) / rows;
    let total_pages = case.whole("buffer_pool_bytes")? / (page_bytes + DESCRIPTOR_BYTES);
    let outcome = run(
        &[
            ("client", "client", json!({})),
            ("rows", "clustered-storage", json!({"build": "inserted", "page_size": page_bytes})),
            (
                "pool",
                "buffer-pool",
                json!({
                    "capacity_pages": total_pages.checked_sub(SYSTEM_PAGES)?,
                    "policy": "midpoint-lru",
                    "old_blocks_time_ms": 0,
                    "free_pages_target": FREE_PAGES_TARGET,
                }),
            ),
            ("disk", "disk", json!({})),
        ],
        &["client.out -> rows", "rows.pages -> pool", "pool.device -> disk"],
        &[(
            "SELECT",
            1.0,
            json!({"access": "point", "key": {"distribution": "zipfian", "theta": case.number("theta")?}}),
        )],
        &json!({
            "total_operations": case.whole("measured_ops")?,
            "warmup_operations": case.whole("warmup_ops")?,
            "record_count": records,
            "record_bytes": row_bytes.checked_sub(ROW_OVERHEAD_BYTES)?,
            "insert_order": "ascending",
        }),
        seed,
    )?;
    let (hits, misses) = (outcome.counter("pool", "hits")?, outcome.counter("pool", "misses")?);
    let resident = outcome.gauge("pool", "resident_pages")?.as_u64()?;
    Some(quantities([
        ("page_reads_per_op", json!(misses / outcome.operations())),
        ("read_ahead_pages", json!(0)),
        ("logical_requests_per_op", json!((hits + misses) / outcome.operations())),
        ("hit_ratio_of_requests", json!(hits / (hits + misses))),
        ("pool_pages_total", json!(total_pages)),
        ("pool_pages_holding_data", json!(resident + SYSTEM_PAGES)),
    ]))
}
