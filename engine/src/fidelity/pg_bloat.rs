//! `pg_bloat`: what updates, deletes and VACUUM leave of a heap and its index on the key. Three kinds of cases: rounds that
//! update every row in one transaction, updates of one row a transaction, and inserts after deletes and VACUUM.

use serde_json::{Map, Value, json};

use super::cases::Case;
use super::experiment::{Outcome, quantities, run};

/// Line pointer and tuple header, which the heap block adds itself.
const ROW_OVERHEAD_BYTES: u64 = 28;
/// The column that updates change holds small numbers: one byte of it changes.
pub(super) const CHANGED_BYTES: u64 = 1;

pub(super) fn simulate(case: &Case, seed: u64) -> Option<Map<String, Value>> {
    let record_bytes = case.whole("bytes_per_record_incl_line_pointer")?.checked_sub(ROW_OVERHEAD_BYTES)?;
    let table = Table {
        records: case.whole("records")?,
        record_bytes,
        page_bytes: case.whole("page_bytes")?,
        fill_factor: case.percent("fillfactor_pct")?,
        deleted_fraction: 0.0,
        key_index: case.text("structure").contains("B+tree on id"),
        column_index: case.config.get("v_indexed").and_then(Value::as_bool).unwrap_or(false),
        full_page_writes: true,
    };
    if case.text("op").starts_with("delete each row") {
        return deleted_and_reinserted(case, &table, seed);
    }
    match case.whole("rounds") {
        Some(rounds) => rounds_of_updates(&table, rounds, seed),
        None => single_updates(case, &table, seed),
    }
}

fn rounds_of_updates(table: &Table, rounds: u64, seed: u64) -> Option<Map<String, Value>> {
    let update = json!({
        "access": "scan",
        "changed_bytes": CHANGED_BYTES,
        "changes_indexed_column": table.column_index,
    });
    let after = |rounds: u64| table.run("UPDATE", &update, rounds, seed);
    let initial = table.run("SELECT", &json!({"access": "row_id"}), 1, seed)?;
    let mut pages = vec![initial.gauge("heap", "pages")?.clone()];
    for round in 1..rounds {
        pages.push(after(round)?.gauge("heap", "pages")?.clone());
    }
    let last = after(rounds)?;
    pages.push(last.gauge("heap", "pages")?.clone());
    let mut found = updates(&last)?;
    found.insert("heap_pages_initial_then_after_each_round".to_owned(), Value::Array(pages));
    found.insert("pk_index_pages_before".to_owned(), json!(index_pages(&initial)?));
    found.insert("pk_index_pages_after".to_owned(), json!(index_pages(&last)?));
    Some(found)
}

fn single_updates(case: &Case, table: &Table, seed: u64) -> Option<Map<String, Value>> {
    let key = match case.number("zipf_theta") {
        Some(theta) => json!({"distribution": "zipfian", "theta": theta}),
        None => json!("uniform"),
    };
    let update = json!({
        "access": "point",
        "key": key,
        "changed_bytes": CHANGED_BYTES,
        "changes_indexed_column": table.column_index,
    });
    let before = table.run("SELECT", &json!({"access": "row_id"}), 1, seed)?;
    let outcome = table.run("UPDATE", &update, case.whole("ops")?, seed)?;
    let mut found = updates(&outcome)?;
    found.insert("heap_pages_before".to_owned(), before.gauge("heap", "pages")?.clone());
    found.insert("pk_index_pages_before".to_owned(), json!(index_pages(&before)?));
    let count = outcome.counter("heap", "rows_updated")?;
    found.insert("heap_pages_after".to_owned(), outcome.gauge("heap", "pages")?.clone());
    found.insert("pk_index_pages_after".to_owned(), json!(index_pages(&outcome)?));
    found.insert("dead_tuples_left".to_owned(), outcome.gauge("heap", "dead_versions")?.clone());
    found.insert("free_percent".to_owned(), free_percent(&outcome)?);
    found.insert("wal_records_per_update".to_owned(), json!(outcome.counter("wal", "records")? / count));
    found.insert("wal_bytes_per_update".to_owned(), json!(outcome.counter("wal", "bytes_appended")? / count));
    found.insert("wal_full_page_images".to_owned(), json!(outcome.counter("wal", "full_page_images")?));
    Some(found)
}

fn deleted_and_reinserted(case: &Case, table: &Table, seed: u64) -> Option<Map<String, Value>> {
    let numbers = numbers_in(case.text("op"));
    let (fraction, inserts) = (*numbers.first()?, *numbers.get(1)? as u64);
    let before = table.run("SELECT", &json!({"access": "row_id"}), 1, seed)?;
    let table = Table { deleted_fraction: fraction, ..*table };
    let vacuumed = table.run("SELECT", &json!({"access": "row_id"}), 1, seed)?;
    let after = table.run("INSERT", &json!({}), inserts, seed)?;
    let rows = |outcome: &Outcome| outcome.gauge("heap", "rows")?.as_f64();
    Some(quantities([
        ("heap_pages_before", before.gauge("heap", "pages")?.clone()),
        ("deleted", json!(rows(&before)? - rows(&vacuumed)?)),
        ("heap_pages_after_vacuum", vacuumed.gauge("heap", "pages")?.clone()),
        ("free_percent_after_vacuum", free_percent(&vacuumed)?),
        ("heap_pages_after_reinsert", after.gauge("heap", "pages")?.clone()),
    ]))
}

fn updates(outcome: &Outcome) -> Option<Map<String, Value>> {
    let (updates, hot) = (outcome.counter("heap", "rows_updated")?, outcome.counter("heap", "hot_updates")?);
    Some(quantities([
        ("updates", json!(updates)),
        ("hot_updates", json!(hot)),
        ("hot_fraction", json!(hot / updates)),
    ]))
}

fn free_percent(outcome: &Outcome) -> Option<Value> {
    Some(json!(outcome.gauge("heap", "free_fraction")?.as_f64()? * 100.0))
}

/// Pages of the index on the key, its meta page included.
fn index_pages(outcome: &Outcome) -> Option<u64> {
    Some(
        outcome.gauge("index", "leaf_pages")?.as_u64()?
            + outcome.gauge("index", "inner_pages")?.as_u64()?
            + 1,
    )
}

/// The numbers in a sentence, in order.
fn numbers_in(text: &str) -> Vec<f64> {
    let words = text.split(|c: char| !(c.is_ascii_digit() || c == '.'));
    words.filter_map(|word| word.trim_matches('.').parse().ok()).collect()
}

/// A table as these measurements load it: rows in order of id, an index built at once on the id and maybe one on a column that
/// holds the same small number everywhere, so that changed values go to its end. No checkpoint happens after the start.
pub(super) struct Table {
    pub(super) records: u64,
    pub(super) record_bytes: u64,
    pub(super) page_bytes: u64,
    pub(super) fill_factor: f64,
    pub(super) deleted_fraction: f64,
    pub(super) key_index: bool,
    pub(super) column_index: bool,
    pub(super) full_page_writes: bool,
}

impl Table {
    /// Runs operations of one kind, each a transaction, one after the other.
    pub(super) fn run(&self, kind: &str, parameters: &Value, operations: u64, seed: u64) -> Option<Outcome> {
        let mut blocks = vec![
            ("client", "client", json!({})),
            (
                "heap",
                "heap-storage",
                json!({
                    "fill_factor": self.fill_factor,
                    "page_size": self.page_bytes,
                    "updates": "new_version",
                    "deleted_fraction": self.deleted_fraction,
                }),
            ),
            ("wal", "wal", json!({"record_format": "postgres", "full_page_writes": self.full_page_writes})),
            ("pool", "buffer-pool", json!({"capacity_pages": 32768, "policy": "gclock"})),
            ("disk", "disk", json!({})),
        ];
        let mut wires = vec![
            "client.out -> heap",
            "heap.pages -> pool",
            "heap.log -> wal",
            "pool.device -> disk",
            "wal.device -> disk",
        ];
        if self.key_index {
            blocks.push(("index", "btree-index", json!({"page_size": self.page_bytes})));
            wires.extend(["client.out -> index", "index.pages -> pool", "index.log -> wal"]);
        }
        if self.column_index {
            let parameters =
                json!({"page_size": self.page_bytes, "column": "other", "column_order": "ascending"});
            blocks.push(("column_index", "btree-index", parameters));
            wires.extend([
                "client.out -> column_index",
                "column_index.pages -> pool",
                "column_index.log -> wal",
            ]);
        }
        run(
            &blocks,
            &wires,
            &[(kind, 1.0, parameters.clone())],
            &json!({
                "total_operations": operations,
                "warmup_operations": 0,
                "record_count": self.records,
                "record_bytes": self.record_bytes,
                "insert_order": "ascending",
            }),
            seed,
        )
    }
}
