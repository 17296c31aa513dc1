//! `sqlite_shape`: pages of an SQLite table or index after its rows were inserted one by one, or after CREATE INDEX.

use serde_json::{Map, Value, json};

use super::cases::Case;
use super::experiment::{quantities, run};

pub(super) fn simulate(case: &Case, seed: u64) -> Option<Map<String, Value>> {
    let order = match case.text("insert_order") {
        text if text.starts_with("ascending") => "ascending",
        text if text.starts_with("descending") => "descending",
        text if text.starts_with("random") => "hashed",
        _ => return None,
    };
    let structure = case.text("structure");
    if !structure.starts_with("secondary") {
        let key_bytes = key_bytes(structure)?;
        return tree(
            case,
            "clustered-storage",
            structure.contains("WITHOUT ROWID"),
            key_bytes,
            order,
            "inserted",
            seed,
        );
    }
    let index = |build: &str| tree(case, "btree-index", false, INTEGER_KEY_BYTES, order, build, seed);
    let mut all = index("inserted")?;
    for (name, value) in index("bulk")? {
        all.insert(format!("after_create_index_bulk.{name}"), value);
    }
    Some(all)
}

const INTEGER_KEY_BYTES: u64 = 8;

/// An integer, unless the case says `32-char text`.
fn key_bytes(structure: &str) -> Option<u64> {
    match structure.split_once("-char text") {
        Some((before, _)) => before.rsplit([' ', ',']).next()?.parse().ok(),
        None => Some(INTEGER_KEY_BYTES),
    }
}

fn tree(
    case: &Case,
    kind: &str,
    without_rowid: bool,
    key_bytes: u64,
    order: &str,
    build: &str,
    seed: u64,
) -> Option<Map<String, Value>> {
    let storage = kind == "clustered-storage";
    let mut parameters =
        json!({"page_format": "sqlite", "page_size": case.whole("page_bytes")?, "build": build});
    if storage {
        parameters["without_rowid"] = json!(without_rowid);
    }
    let outcome = run(
        &[("client", "client", json!({})), ("tree", kind, parameters), ("disk", "disk", json!({}))],
        &["client.out -> tree", "tree.pages -> disk"],
        &[("SELECT", 1.0, json!({"access": "point"}))],
        &json!({
            "total_operations": 1,
            "warmup_operations": 0,
            "record_count": case.whole("records")?,
            "record_bytes": key_bytes + case.whole("value_bytes")?,
            "key_bytes": key_bytes,
            "insert_order": order,
        }),
        seed,
    )?;
    let whole = |name: &str| outcome.gauge("tree", name)?.as_u64();
    let percent = |name: &str| Some(outcome.gauge("tree", name)?.as_f64()? * 100.0);
    let (leaf_pages, inner_pages) = (whole("leaf_pages")?, whole("inner_pages")?);
    let in_inner_pages = if storage && !without_rowid { 0 } else { leaf_pages - 1 };
    let mut all = quantities([
        ("depth", json!(whole("height")?)),
        ("leaf_pages", json!(leaf_pages)),
        ("interior_pages", json!(inner_pages)),
        ("overflow_pages", json!(whole("overflow_pages")?)),
        ("leaf_cells", json!(whole("keys")? - in_inner_pages)),
        ("leaf_fill_pct", json!(percent("leaf_density")?)),
        ("interior_fill_pct", json!(percent("inner_density")?)),
    ]);
    if storage {
        // And the page of the schema.
        all.insert("db_pages".to_owned(), json!(leaf_pages + inner_pages + whole("overflow_pages")? + 1));
    }
    Some(all)
}
