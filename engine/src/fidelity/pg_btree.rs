//! `pg_btree`: shape of a B+tree, built at once or grown by inserts.

use serde_json::{Map, Value, json};

use super::cases::Case;
use super::experiment::{quantities, run};

pub(super) fn simulate(case: &Case, seed: u64) -> Option<Map<String, Value>> {
    let bulk = case.text("build").contains("CREATE INDEX");
    let outcome = run(
        &[
            ("client", "client", json!({})),
            ("scan", "index-scan", json!({})),
            (
                "index",
                "btree-index",
                json!({
                    "fill_factor": case.percent("fillfactor_pct")?,
                    "build": if bulk { "bulk" } else { "inserted" },
                    "page_size": case.whole("page_bytes")?,
                }),
            ),
            ("disk", "disk", json!({})),
        ],
        &["client.out -> scan", "scan.index -> index", "index.pages -> disk"],
        &[("SELECT", 1.0, json!({"access": "point"}))],
        &json!({
            "total_operations": 1,
            "warmup_operations": 0,
            "record_count": case.whole("records")?,
            "key_bytes": case.whole("key_bytes")?,
            "insert_order": if bulk { json!("ascending") } else { insert_order(case.text("insert_order"))? },
        }),
        seed,
    )?;
    let levels = outcome.gauge("index", "pages_per_level")?;
    let pages: Vec<u64> = levels.as_array()?.iter().filter_map(Value::as_u64).collect();
    let inner: u64 = pages.iter().skip(1).sum();
    Some(quantities([
        ("height", json!(pages.len())),
        ("level", json!(pages.len().checked_sub(1)?)),
        ("leaf_pages", json!(pages.first()?)),
        ("internal_pages", json!(inner)),
        // And the meta page.
        ("total_pages", json!(pages.first()? + inner + 1)),
        ("pages_per_level_leaf_first", levels.clone()),
        ("avg_leaf_density_pct", json!(outcome.gauge("index", "leaf_density")?.as_f64()? * 100.0)),
    ]))
}

/// The workload's word for how the keys of a case come in.
fn insert_order(text: &str) -> Option<Value> {
    let number_in = |text: &str| {
        let number: String = text.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        number.parse::<f64>().ok()
    };
    if text.starts_with("ascending") {
        Some(json!("ascending"))
    } else if text.starts_with("descending") {
        Some(json!("descending"))
    } else if text.starts_with("random") {
        Some(json!("hashed"))
    } else if text.contains("ascending key streams") {
        Some(json!({"interleaved": {"streams": number_in(text)? as u64}}))
    } else if let Some((_, rest)) = text.split_once("with p=") {
        Some(json!({"mixed": {"random_fraction": number_in(rest)?}}))
    } else {
        None
    }
}
