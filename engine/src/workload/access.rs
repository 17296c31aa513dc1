//! What an operation does, read from its template and its `parameters`:
//!
//! | parameter | values |
//! |---|---|
//! | `access` | `point`, `range`, `scan`, `row_id` (the row's place in a heap is known: no index is searched); the template is then free text |
//! | `table` | a table of the workload |
//! | `rows` | rows of a range: a number, or `{"min": 1, "max": 100}` for a uniform draw |
//! | `key` | a distribution for this operation alone, by name or with constants (`workload/key.rs`), or `previous`: the key of the operation before it in its transaction |
//! | `missing` | true: a point SELECT through an index asks for a key next to the chosen one that does not exist |
//! | `changes_indexed_column` | true: an UPDATE gives the column of every index that is not on the key a new value |
//! | `changed_bytes` | bytes of the row that an UPDATE changes; the whole row without the key when absent |
//! | `locking` | of a SELECT: `share` or `update` locks its rows as SELECT … FOR SHARE and FOR UPDATE do, where the design has a transaction block |
//! | `think_time_ms` | the client thinks so long after this statement, inside its transaction |
//! | `key_column` | the key's name in the template |
//! | `name` | the operation's name in the report |

use serde_json::Value;

use super::key::{self, KeyLaw};
use super::read::{DISTRIBUTIONS, wrong_parameter};
use super::sql::{self, TemplateAccess};
use super::{Config, Operation, OperationType, Table, Workload};
use crate::design::nearest;
use crate::design::reader::{Fields, child};
use crate::design::{Code, Diagnostic};
use crate::units::ms_to_ns;

/// Longest think time of a statement.
const MAX_THINK_TIME_MS: f64 = 3_600_000.0;
const LOCKING: &[(&str, RowLocking)] = &[("share", RowLocking::Share), ("update", RowLocking::Update)];
/// Most rows a stated range may have.
const MAX_RANGE_ROWS: u64 = 1_000_000;
const PARAMETERS: [&str; 11] = [
    "access",
    "table",
    "rows",
    "key",
    "missing",
    "changes_indexed_column",
    "changed_bytes",
    "locking",
    "think_time_ms",
    "key_column",
    "name",
];

/// One statement of a workload, understood.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Statement {
    pub(crate) kind: OperationType,
    pub(crate) table: usize,
    pub(crate) access: Access,
    pub(crate) key: KeyChoice,
    /// A key next to the chosen one that does not exist.
    pub(crate) missing: bool,
    /// An UPDATE gives indexed columns beside the key new values.
    pub(crate) changes_indexed_column: bool,
    /// Bytes of the row that an UPDATE changes.
    pub(crate) changed_bytes: u32,
    pub(crate) locking: RowLocking,
    pub(crate) think_ns: u64,
}

/// Whether a SELECT locks the rows it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum RowLocking {
    #[default]
    None,
    Share,
    Update,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Point,
    /// A number of rows from the chosen key on, drawn uniformly.
    Range {
        min_rows: u64,
        max_rows: u64,
    },
    Scan,
    /// One row, whose page in the heap is known.
    RowId,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum KeyChoice {
    Drawn(KeyLaw),
    /// The key of the statement before it in the same transaction.
    Previous,
}

/// Understands the operation at position `index`; what it cannot is told in `found`.
pub(crate) fn statement(
    workload: &Workload,
    tables: &[Table],
    index: usize,
    found: &mut Vec<Diagnostic>,
) -> Option<Statement> {
    let operation = &workload.operations[index];
    let path = vec!["operations".to_owned(), index.to_string()];
    let stated = Stated::read(operation, &workload.config, &path, found)?;
    let reading = read_template(operation, &stated, &path, found)?;
    let table_name = stated.table.as_deref().or(reading.as_ref().map(|reading| reading.table.as_str()));
    let table = find_table(workload, tables, table_name, &path, found)?;
    let access = access(operation, &stated, reading.as_ref(), &path, found)?;
    let key = stated.key.unwrap_or(KeyChoice::Drawn(KeyLaw::Named(workload.config.distribution)));
    if key == KeyChoice::Previous && !follows_in_transaction(workload, index) {
        found.push(operation_error(
            Code::OperationMismatch,
            child(&child(&path, "parameters"), "key"),
            "\"previous\" needs an operation before it in the same transaction".to_owned(),
        ));
        return None;
    }
    let missing = stated.missing.unwrap_or_default();
    if missing && (operation.kind != OperationType::Select || access != Access::Point) {
        found.push(operation_error(
            Code::OperationMismatch,
            child(&child(&path, "parameters"), "missing"),
            "only a SELECT of one key can ask for a missing one".to_owned(),
        ));
        return None;
    }
    if let KeyChoice::Drawn(law) = key {
        let records = tables[table].record_count;
        if law.region() >= records && law.region() > 0 {
            found.push(operation_error(
                Code::ValueOutOfRange,
                child(&child(&path, "parameters"), "key"),
                format!(
                    "the region of {} records leaves none of the table's {records} to draw from",
                    law.region()
                ),
            ));
            return None;
        }
    }
    let row = &tables[table];
    for (stated, name) in [
        (stated.changes_indexed_column.is_some(), "changes_indexed_column"),
        (stated.changed_bytes.is_some(), "changed_bytes"),
    ] {
        if stated && operation.kind != OperationType::Update {
            found.push(operation_error(
                Code::OperationMismatch,
                child(&child(&path, "parameters"), name),
                format!("only an UPDATE can have \"{name}\""),
            ));
            return None;
        }
    }
    if stated.locking.is_some() && operation.kind != OperationType::Select {
        found.push(operation_error(
            Code::OperationMismatch,
            child(&child(&path, "parameters"), "locking"),
            "only a SELECT can have \"locking\"; changes lock their rows anyway".to_owned(),
        ));
        return None;
    }
    let think_time_ms = stated.think_time_ms.unwrap_or(0.0);
    if !(0.0..=MAX_THINK_TIME_MS).contains(&think_time_ms) {
        found.push(operation_error(
            Code::ValueOutOfRange,
            child(&child(&path, "parameters"), "think_time_ms"),
            format!("from 0 to {MAX_THINK_TIME_MS} ms; it is {think_time_ms}"),
        ));
        return None;
    }
    let changed_bytes = match stated.changed_bytes {
        None => row.record_bytes.saturating_sub(row.key_bytes),
        Some(bytes) if (1..=u64::from(row.record_bytes)).contains(&bytes) => bytes as u32,
        Some(bytes) => {
            found.push(operation_error(
                Code::ValueOutOfRange,
                child(&child(&path, "parameters"), "changed_bytes"),
                format!("an UPDATE changes 1 to {} bytes of a row, not {bytes}", row.record_bytes),
            ));
            return None;
        }
    };
    Some(Statement {
        kind: operation.kind,
        table,
        access,
        key,
        missing,
        changes_indexed_column: stated.changes_indexed_column.unwrap_or_default(),
        changed_bytes,
        locking: stated.locking.unwrap_or_default(),
        think_ns: ms_to_ns(think_time_ms),
    })
}

/// The name of an operation in the report: stated, or its kind and access.
pub(crate) fn name_of(operation: &Operation, statement: &Statement) -> String {
    let stated =
        operation.parameters.as_ref().and_then(|parameters| parameters.get("name")).and_then(Value::as_str);
    stated.map_or_else(
        || {
            let access = match (operation.kind, statement.access) {
                (OperationType::Insert, _) | (_, Access::Point | Access::RowId) => "",
                (_, Access::Range { .. }) => " range",
                (_, Access::Scan) => " scan",
            };
            format!("{}{access}", operation.kind.as_str())
        },
        str::to_owned,
    )
}

/// The fields of `parameters` this reads. Others are values of the template and stay unread.
struct Stated {
    access: Option<TemplateAccess>,
    table: Option<String>,
    rows: Option<(u64, u64)>,
    key: Option<KeyChoice>,
    missing: Option<bool>,
    changes_indexed_column: Option<bool>,
    changed_bytes: Option<u64>,
    locking: Option<RowLocking>,
    think_time_ms: Option<f64>,
    key_column: Option<String>,
}

impl Stated {
    fn read(
        operation: &Operation,
        config: &Config,
        path: &[String],
        found: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let empty = Value::Object(serde_json::Map::new());
        let parameters = operation.parameters.as_ref().unwrap_or(&empty);
        let before = found.len();
        let path = child(path, "parameters");
        let fields = Fields::of(parameters, path.clone(), found)?;
        if let Value::Object(object) = parameters {
            for name in object.keys().filter(|name| !PARAMETERS.contains(&name.as_str())) {
                if let Some(near) = nearest::nearest(name, PARAMETERS).filter(|near| near.len() > 3) {
                    let message = format!("\"{name}\" is not read here: did you mean \"{near}\"?");
                    found.push(wrong_parameter(child(&path, name), message));
                }
            }
        }
        let accesses = [
            ("point", TemplateAccess::Point),
            ("range", TemplateAccess::Range),
            ("scan", TemplateAccess::Scan),
            ("row_id", TemplateAccess::RowId),
        ];
        let mut keys: Vec<(&'static str, KeyChoice)> =
            DISTRIBUTIONS.iter().map(|(word, law)| (*word, KeyChoice::Drawn(KeyLaw::Named(*law)))).collect();
        keys.push(("previous", KeyChoice::Previous));
        fields.optional_text("name", found);
        let stated = Self {
            access: fields.optional_choice("access", &accesses, found),
            table: fields.optional_text("table", found).map(str::to_owned),
            rows: fields.optional("rows").and_then(|value| read_rows(value, &path, found)),
            key: match fields.optional("key") {
                Some(value) if value.is_object() => {
                    key::read(value, fields.path_of("key"), config, found).map(KeyChoice::Drawn)
                }
                _ => fields.optional_choice("key", &keys, found),
            },
            missing: fields.optional("missing").and_then(|value| read_flag(value, "missing", &path, found)),
            changes_indexed_column: fields
                .optional("changes_indexed_column")
                .and_then(|value| read_flag(value, "changes_indexed_column", &path, found)),
            changed_bytes: fields.optional_whole("changed_bytes", found),
            locking: fields.optional_choice("locking", LOCKING, found),
            think_time_ms: fields.optional_number("think_time_ms", found),
            key_column: fields.optional_text("key_column", found).map(str::to_owned),
        };
        (found.len() == before).then_some(stated)
    }
}

fn read_flag(value: &Value, name: &str, path: &[String], found: &mut Vec<Diagnostic>) -> Option<bool> {
    if !value.is_boolean() {
        found.push(wrong_parameter(child(path, name), format!("\"{name}\" must be true or false")));
    }
    value.as_bool()
}

fn read_rows(value: &Value, path: &[String], found: &mut Vec<Diagnostic>) -> Option<(u64, u64)> {
    let path = child(path, "rows");
    let (min, max) = if value.is_object() {
        let fields = Fields::of(value, path.clone(), found)?;
        fields.reject_unknown(&["min", "max"], found);
        (fields.whole("min", found)?, fields.whole("max", found)?)
    } else {
        let rows = crate::design::reader::whole_number(value).and_then(|rows| u64::try_from(rows).ok());
        let Some(rows) = rows else {
            found.push(wrong_parameter(
                path,
                "\"rows\" must be a whole number, or an object with min and max".to_owned(),
            ));
            return None;
        };
        (rows, rows)
    };
    if min == 0 || max < min || max > MAX_RANGE_ROWS {
        found.push(operation_error(
            Code::ValueOutOfRange,
            path,
            format!("a range has 1 to {MAX_RANGE_ROWS} rows, and max is not below min"),
        ));
        return None;
    }
    Some((min, max))
}

/// The template's reading; `Some(None)` when the access is stated and the template is free text.
fn read_template(
    operation: &Operation,
    stated: &Stated,
    path: &[String],
    found: &mut Vec<Diagnostic>,
) -> Option<Option<sql::Reading>> {
    let free_insert = operation.kind == OperationType::Insert && operation.template.trim().is_empty();
    if stated.access.is_some() || free_insert {
        return Some(None);
    }
    match sql::read(&operation.template, stated.key_column.as_deref()) {
        Ok(reading) if reading.kind == operation.kind => Some(Some(reading)),
        Ok(reading) => {
            found.push(operation_error(
                Code::OperationMismatch,
                child(path, "template"),
                format!(
                    "the type is {} but the template is {}",
                    operation.kind.as_str(),
                    reading.kind.as_str()
                ),
            ));
            None
        }
        Err(reason) => {
            found.push(operation_error(
                Code::UnknownAccess,
                child(path, "template"),
                format!(
                    "the template of this {} is not understood: {reason}. A template such as \"SELECT * FROM main WHERE \
                     id = ?\" is; or state parameters.access",
                    operation.kind.as_str()
                ),
            ));
            None
        }
    }
}

fn find_table(
    workload: &Workload,
    tables: &[Table],
    name: Option<&str>,
    path: &[String],
    found: &mut Vec<Diagnostic>,
) -> Option<usize> {
    // A workload without declared tables has one, and every template means it.
    if workload.tables.is_empty() {
        return Some(0);
    }
    let Some(name) = name else {
        if tables.len() == 1 {
            return Some(0);
        }
        found.push(operation_error(
            Code::UnknownTable,
            path.to_vec(),
            "the workload has several tables: name one in parameters.table".to_owned(),
        ));
        return None;
    };
    let position = tables.iter().position(|table| table.name.eq_ignore_ascii_case(name));
    if position.is_none() {
        let hint = nearest::suggestion(name, tables.iter().map(|table| table.name.as_str()));
        found.push(operation_error(
            Code::UnknownTable,
            path.to_vec(),
            format!("the workload has no table \"{name}\": {hint}"),
        ));
    }
    position
}

fn access(
    operation: &Operation,
    stated: &Stated,
    reading: Option<&sql::Reading>,
    path: &[String],
    found: &mut Vec<Diagnostic>,
) -> Option<Access> {
    if operation.kind == OperationType::Insert {
        return Some(Access::Point);
    }
    match stated.access.or(reading.map(|reading| reading.access))? {
        TemplateAccess::Point => Some(Access::Point),
        TemplateAccess::RowId => Some(Access::RowId),
        TemplateAccess::Scan if operation.kind == OperationType::Delete => {
            found.push(operation_error(
                Code::OperationMismatch,
                path.to_vec(),
                "a DELETE without a condition would empty the table for the rest of the run: give it a key or a range"
                    .to_owned(),
            ));
            None
        }
        TemplateAccess::Scan => Some(Access::Scan),
        TemplateAccess::Range => {
            let limit = reading.and_then(|reading| reading.rows).map(|rows| (rows, rows));
            let rows = stated.rows.or(limit.filter(|(rows, _)| (1..=MAX_RANGE_ROWS).contains(rows)));
            if rows.is_none() {
                found.push(operation_error(
                    Code::UnknownAccess,
                    path.to_vec(),
                    format!(
                        "how many rows the range has is not stated: give a LIMIT from 1 to {MAX_RANGE_ROWS}, or parameters.rows \
                         such as 10 or {{\"min\": 1, \"max\": 100}}"
                    ),
                ));
            }
            rows.map(|(min_rows, max_rows)| Access::Range { min_rows, max_rows })
        }
    }
}

/// Whether an earlier operation shares this one's named transaction.
fn follows_in_transaction(workload: &Workload, index: usize) -> bool {
    let transaction = &workload.operations[index].transaction;
    transaction.is_some()
        && workload.operations[..index].iter().any(|earlier| earlier.transaction == *transaction)
}

fn operation_error(code: Code, path: Vec<String>, message: String) -> Diagnostic {
    Diagnostic { path, ..Diagnostic::error(code, &[], message) }
}
