//! `pg_buffer`: hit ratios of PostgreSQL's shared buffers, and dirty pages written when they are evicted. Three kinds of cases:
//! reads of one page by row id, lookups through an index, and updates mixed with lookups.

use serde_json::{Map, Value, json};

use super::cases::Case;
use super::experiment::{Outcome, quantities, run};

/// Line pointer and tuple header, which the heap block adds itself.
const ROW_OVERHEAD_BYTES: u64 = 28;
/// One row of this size fills a page.
const ROW_OF_A_PAGE_BYTES: u64 = 8000;

pub(super) fn simulate(case: &Case, seed: u64) -> Option<Map<String, Value>> {
    let first = case.text("hot_ids").starts_with("rank r = id r");
    let key = json!({
        "distribution": "zipfian",
        "theta": case.number("theta")?,
        "hot_keys": if first { "first" } else { "scattered" },
    });
    let parameters = |access: &str| json!({"access": access, "key": key});
    let config = |records: u64, record_bytes: u64| {
        json!({
            "total_operations": case.whole("measured_ops"),
            "warmup_operations": case.whole("warmup_ops"),
            "record_count": records,
            "record_bytes": record_bytes,
            "insert_order": "ascending",
        })
    };
    let pool = json!({"capacity_pages": case.whole("buffer_pool_pages")?, "policy": "gclock"});
    let heap =
        json!({"hint_bits": true, "page_requests_per_update": 3, "page_size": case.whole("page_bytes")?});
    if !case.config.contains_key("index_pages") {
        let outcome = run(
            &[
                ("client", "client", json!({})),
                ("heap", "heap-storage", heap),
                ("pool", "buffer-pool", pool),
                ("disk", "disk", json!({})),
            ],
            &["client.out -> heap", "heap.pages -> pool", "pool.device -> disk"],
            &[("SELECT", 1.0, parameters("row_id"))],
            &config(case.whole("pages")?, ROW_OF_A_PAGE_BYTES),
            seed,
        )?;
        let requests = requests(&outcome, "heap")?;
        return Some(quantities([
            ("page_accesses", json!(requests.all())),
            ("hit_ratio", json!(requests.hit_ratio())),
        ]));
    }
    let fill_factor = case.percent("index_fillfactor_pct").unwrap_or(0.9);
    let record_bytes = match case.whole("bytes_per_record_incl_line_pointer") {
        Some(bytes) => bytes.checked_sub(ROW_OVERHEAD_BYTES)?,
        None => ROW_OF_A_PAGE_BYTES,
    };
    let writes = case.number("write_fraction").unwrap_or(0.0);
    let outcome = run(
        &[
            ("client", "client", json!({})),
            ("scan", "index-scan", json!({})),
            ("index", "btree-index", json!({"fill_factor": fill_factor})),
            ("heap", "heap-storage", heap),
            ("pool", "buffer-pool", pool),
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
        &[("UPDATE", writes, parameters("point")), ("SELECT", 1.0 - writes, parameters("point"))],
        &config(case.whole("records")?, record_bytes),
        seed,
    )?;
    let (heap, index) = (requests(&outcome, "heap")?, requests(&outcome, "index")?);
    let overall = Requests { hits: heap.hits + index.hits, misses: heap.misses + index.misses };
    let per_operation = |count: f64| json!(count / outcome.operations());
    Some(quantities([
        ("heap_accesses_per_op", per_operation(heap.all())),
        ("index_accesses_per_op", per_operation(index.all())),
        ("heap_hit_ratio", json!(heap.hit_ratio())),
        ("index_hit_ratio", json!(index.hit_ratio())),
        ("overall_hit_ratio", json!(overall.hit_ratio())),
        ("page_reads_per_op", per_operation(overall.misses)),
        (
            "dirty_pages_written_at_eviction_per_op",
            per_operation(outcome.counter("pool", "dirty_evictions")?),
        ),
    ]))
}

struct Requests {
    hits: f64,
    misses: f64,
}

impl Requests {
    fn all(&self) -> f64 {
        self.hits + self.misses
    }

    fn hit_ratio(&self) -> f64 {
        self.hits / self.all()
    }
}

fn requests(outcome: &Outcome, block: &str) -> Option<Requests> {
    Some(Requests {
        hits: outcome.counter(block, "pool_hits")?,
        misses: outcome.counter(block, "pool_misses")?,
    })
}
