//! `innodb`: shape of clustered and secondary indexes, grown by inserts or built at once.

use serde_json::{Map, Value, json};

use super::cases::Case;
use super::experiment::{Outcome, run};

/// Header of a record, transaction id and roll pointer: what the storage adds to a row itself.
const ROW_OVERHEAD_BYTES: u64 = 18;
/// Header of an entry of a secondary index.
const ENTRY_HEADER_BYTES: u64 = 5;
/// The indexed column of the secondary cases is a bigint.
const SECONDARY_KEY_BYTES: u64 = 8;
/// A row of the table under the secondary indexes. The cases do not say; it is the same table in all of them: two bigints
/// and 20 bytes of other columns.
const INDEXED_ROW_BYTES: u64 = 36;

const LEAVES_FIRST: &str = "pages_per_level_leaf_first";

/// Chance moves the pages of a small table of random keys by several percent: the run in the middle of several tells.
pub(super) fn simulate(case: &Case, first_seed: u64) -> Option<Map<String, Value>> {
    let random = [case.text("insert_order"), case.text("key_order_of_k")].contains(&"rand");
    let seeds = first_seed..first_seed + if random { 5 } else { 1 };
    let mut runs = seeds.map(|seed| simulate_once(case, seed)).collect::<Option<Vec<_>>>()?;
    runs.sort_by_key(|quantities| {
        let pages =
            ["", "secondary_incremental."].map(|prefix| quantities.get(&format!("{prefix}{LEAVES_FIRST}")));
        pages.into_iter().flatten().find_map(|pages| pages.get(0)?.as_u64())
    });
    Some(runs.swap_remove(runs.len() / 2))
}

fn simulate_once(case: &Case, seed: u64) -> Option<Map<String, Value>> {
    let mut quantities = Map::new();
    let record_bytes = case.whole("leaf_record_bytes")?;
    if !case.text("structure").starts_with("secondary") {
        let order = insert_order(case.text("insert_order"))?;
        let row_bytes = record_bytes.checked_sub(ROW_OVERHEAD_BYTES)?;
        let outcome = clustered(case, row_bytes, case.whole("key_bytes")?, order, seed)?;
        tell(&outcome, "rows", "", &mut quantities)?;
        return Some(quantities);
    }
    let order = insert_order(case.text("key_order_of_k"))?;
    let primary_key_bytes = record_bytes.checked_sub(ENTRY_HEADER_BYTES + SECONDARY_KEY_BYTES)?;
    for (build, name) in [("inserted", "secondary_incremental."), ("bulk", "secondary_bulk_add_index.")] {
        let index = json!({
            "page_format": "innodb",
            "primary_key_bytes": primary_key_bytes,
            "build": build,
            "fill_factor": 1.0,
            "page_size": case.whole("page_bytes")?,
        });
        let outcome = run(
            &[
                ("client", "client", json!({})),
                ("scan", "index-scan", json!({})),
                ("index", "btree-index", index),
                ("disk", "disk", json!({})),
            ],
            &["client.out -> scan", "scan.index -> index", "index.pages -> disk"],
            &[("SELECT", 1.0, json!({"access": "point"}))],
            &config(case, INDEXED_ROW_BYTES, SECONDARY_KEY_BYTES, order)?,
            seed,
        )?;
        tell(&outcome, "index", name, &mut quantities)?;
    }
    let outcome = clustered(case, INDEXED_ROW_BYTES, primary_key_bytes, "ascending", seed)?;
    tell(&outcome, "rows", "clustered.", &mut quantities)?;
    Some(quantities)
}

/// The table itself, grown by inserts.
fn clustered(case: &Case, row_bytes: u64, key_bytes: u64, order: &str, seed: u64) -> Option<Outcome> {
    run(
        &[
            ("client", "client", json!({})),
            (
                "rows",
                "clustered-storage",
                json!({"build": "inserted", "page_size": case.whole("page_bytes")?}),
            ),
            ("disk", "disk", json!({})),
        ],
        &["client.out -> rows", "rows.pages -> disk"],
        &[("SELECT", 1.0, json!({"access": "point"}))],
        &config(case, row_bytes, key_bytes, order)?,
        seed,
    )
}

fn config(case: &Case, row_bytes: u64, key_bytes: u64, order: &str) -> Option<Value> {
    Some(json!({
        "total_operations": 1,
        "warmup_operations": 0,
        "record_count": case.whole("records")?,
        "record_bytes": row_bytes,
        "key_bytes": key_bytes,
        "insert_order": order,
    }))
}

/// The workload's word for an order of keys.
fn insert_order(text: &str) -> Option<&'static str> {
    Some(match text {
        "seq" => "ascending",
        "desc" => "descending",
        "rand" => "hashed",
        _ => return None,
    })
}

/// The shape of a tree, under names that begin with `prefix`.
fn tell(outcome: &Outcome, block: &str, prefix: &str, quantities: &mut Map<String, Value>) -> Option<()> {
    let gauge = |name: &str| outcome.gauge(block, name).cloned();
    for (name, value) in [
        ("height", gauge("height")?),
        (LEAVES_FIRST, gauge("pages_per_level")?),
        ("leaf_records", gauge("keys")?),
        ("leaf_fill_pct", json!(gauge("leaf_density")?.as_f64()? * 100.0)),
    ] {
        quantities.insert(format!("{prefix}{name}"), value);
    }
    Some(())
}
