//! `pg_sort`: runs, merge passes and temporary pages of external sorts.

use serde_json::{Map, Value, json};

use super::cases::Case;
use super::experiment::{quantities, run};

/// A row in a sort: a header of 16 bytes, columns, and padding to 8 bytes, of which half is taken to be there.
const TUPLE_OVERHEAD_BYTES: u64 = 16 + 4;

pub(super) fn simulate(case: &Case, seed: u64) -> Option<Map<String, Value>> {
    let rows = case.whole("rows")?;
    let outcome = run(
        &[
            ("client", "client", json!({})),
            ("sort", "sort", json!({"work_mem_kib": kib(case.text("work_mem"))?})),
            ("scan", "seq-scan", json!({})),
            ("heap", "heap-storage", json!({"page_size": case.whole("page_bytes")?})),
            ("disk", "disk", json!({})),
        ],
        &[
            "client.out -> sort",
            "sort.input -> scan",
            "scan.table -> heap",
            "heap.pages -> disk",
            "sort.spill -> disk",
        ],
        &[("SELECT", 1.0, json!({"access": "sort"}))],
        &json!({
            "total_operations": 1,
            "warmup_operations": 0,
            "record_count": rows,
            "record_bytes": case.whole("minimal_tuple_bytes")?.checked_sub(TUPLE_OVERHEAD_BYTES)?,
        }),
        seed,
    )?;
    let passes = outcome.gauge("sort", "merge_passes")?.clone();
    let external = outcome.counter("sort", "external_sorts")? > 0.0;
    let mut found = quantities([
        ("method", json!(if external { "external merge" } else { "quicksort" })),
        ("space_type", json!(if external { "Disk" } else { "Memory" })),
        ("temp_pages_written", json!(outcome.counter("sort", "temp_pages_written")?)),
        ("temp_pages_read", json!(outcome.counter("sort", "temp_pages_read")?)),
        ("initial_runs", json!(outcome.counter("sort", "initial_runs")?)),
    ]);
    found.insert("merge_passes".to_owned(), passes);
    Some(found)
}

/// A setting such as `256kB` or `4MB`.
pub(super) fn kib(setting: &str) -> Option<u64> {
    let number = |unit: &str| setting.strip_suffix(unit)?.parse::<u64>().ok();
    number("kB").or_else(|| Some(number("MB")? * 1024)).or_else(|| Some(number("GB")? * 1024 * 1024))
}
