//! `pg_join`: page accesses, batches and temporary pages of hash, sort-merge and nested-loop joins.

use serde_json::{Map, Value, json};

use super::cases::Case;
use super::experiment::run_on_tables;
use super::pg_sort::kib;

/// Of the measured rows: line pointer and header, which the block adds itself, and half of the padding to 8 bytes.
const ROW_OVERHEAD_BYTES: u64 = 4 + 24 + 4;

/// Where a row is that a scan looks for is chance: so many queries, each with other rows, are run for their mean.
const QUERIES_OF_SCANS: u64 = 1_000;

pub(super) fn simulate(case: &Case, seed: u64) -> Option<Map<String, Value>> {
    let algorithm = case.text("algorithm");
    let (outer_rows, inner_rows) = (case.whole("outer_rows")?, case.whole("inner_rows")?);
    let mut operation = json!({"access": "join", "tables": ["r", "s"]});
    let (kind, parameters, indexed) = if algorithm.contains("hash join") {
        let memory = json!({
            "work_mem_kib": kib(case.text("work_mem"))?,
            "hash_mem_multiplier": case.number("hash_mem_multiplier").unwrap_or(1.0),
        });
        ("hash-join", memory, false)
    } else if algorithm.contains("merge join") {
        ("sort-merge-join", json!({"work_mem_kib": kib(case.text("work_mem"))?}), false)
    } else if algorithm.starts_with("index nested loop") {
        operation["filtered_rows"] = json!(case.whole("outer_rows_passing")?);
        ("nested-loop-join", json!({}), true)
    } else if algorithm.starts_with("simple") {
        let passing: String =
            algorithm.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
        operation["filtered_rows"] = json!(passing.parse::<u64>().ok()?);
        ("nested-loop-join", json!({"method": "row"}), false)
    } else {
        return None;
    };
    let scans = kind == "nested-loop-join" && !indexed;
    let queries = if scans { QUERIES_OF_SCANS } else { 1 };
    let page_bytes = case.whole("page_bytes")?;
    let pages = || json!({"page_size": page_bytes});
    let heap = |table: &str| json!({"page_size": page_bytes, "table": table});
    let mut blocks = vec![
        ("client", "client", json!({})),
        ("join", kind, parameters),
        ("outer", "seq-scan", json!({})),
        ("r", "heap-storage", heap("r")),
        ("s", "heap-storage", heap("s")),
        ("pool", "buffer-pool", json!({"capacity_pages": 65_536})),
        ("disk", "disk", json!({})),
    ];
    let mut wires = vec![
        "client.out -> join",
        "join.outer -> outer",
        "outer.table -> r",
        "join.inner -> inner",
        "r.pages -> pool",
        "s.pages -> pool",
        "pool.device -> disk",
    ];
    if indexed {
        blocks.extend([("inner", "index-scan", json!({})), ("index", "btree-index", pages())]);
        wires.extend(["inner.index -> index", "inner.table -> s", "index.pages -> pool"]);
    } else {
        blocks.push(("inner", "seq-scan", json!({})));
        wires.push("inner.table -> s");
    }
    if kind != "nested-loop-join" {
        wires.push("join.spill -> disk");
    }
    let table = |name: &str, rows: u64, bytes: &str| {
        let record_bytes = case.whole(bytes)?.checked_sub(ROW_OVERHEAD_BYTES)?;
        Some(json!({"name": name, "record_count": rows, "record_bytes": record_bytes}))
    };
    let outcome = run_on_tables(
        &blocks,
        &wires,
        &[("SELECT", 1.0, operation)],
        &json!([
            table("r", outer_rows, "outer_record_bytes_incl_line_pointer")?,
            table("s", inner_rows, "inner_record_bytes_incl_line_pointer")?,
        ]),
        &json!({"total_operations": queries, "warmup_operations": 0}),
        seed,
    )?;
    let accesses = |block: &str| {
        let (hits, misses) = (outcome.counter(block, "pool_hits"), outcome.counter(block, "pool_misses"));
        (hits.unwrap_or(0.0) + misses.unwrap_or(0.0)) / queries as f64
    };
    let joined = |name: &str| Some(outcome.counter("join", name)? / queries as f64);
    let inner = accesses("s") + accesses("index");
    let mut found = Map::new();
    found.insert("page_accesses".to_owned(), json!(accesses("r") + inner));
    if kind != "nested-loop-join" {
        found.insert("temp_pages_written".to_owned(), json!(joined("temp_pages_written")?));
        found.insert("temp_pages_read".to_owned(), json!(joined("temp_pages_read")?));
    }
    if kind == "hash-join" {
        let gauge = |name: &str| outcome.gauge("join", name).cloned();
        found.insert("batches".to_owned(), gauge("batches")?);
        found.insert("planned_batches".to_owned(), gauge("planned_batches")?);
        found.insert("buckets".to_owned(), gauge("buckets")?);
        let peak_kib = gauge("peak_memory_bytes")?.as_u64()?.div_ceil(1024);
        found.insert("peak_hash_memory_kb".to_owned(), json!(peak_kib));
    }
    if indexed {
        let lookups = joined("inner_lookups")?;
        found.insert("inner_loops".to_owned(), json!(lookups));
        found.insert("inner_page_accesses".to_owned(), json!(inner));
        found.insert("inner_accesses_per_lookup".to_owned(), json!(inner / lookups));
    } else if scans {
        found.insert("loops".to_owned(), json!(joined("inner_scans")?));
    }
    Some(found)
}
