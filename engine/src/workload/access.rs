//! What an operation does, read from its template and its `parameters`:
//!
//! | parameter | values |
//! |---|---|
//! | `access` | `point`, `range`, `scan`, `row_id` (the row's place in a heap is known: no index is searched); the template is then free text |
//! | `table` | a table of the workload |
//! | `rows` | rows of a range: a number, or `{"min": 1, "max": 100}` for a uniform draw |
//! | `key` | a distribution for this operation alone, by name or with constants (`workload/key.rs`), or `previous`: the key of the operation before it in its transaction; or, with `of`, a key that belongs to that of an earlier operation (`workload/part.rs`) |
//! | `repeat` | how often the operation runs, or `{"min": 5, "max": 15}` for a uniform draw; neighbours of a transaction with the same `repeat` go round together |
//! | `first_key` | instead of `key`: always the key at this place in key order, from 0 |
//! | `missing` | true: a point SELECT through an index asks for a key next to the chosen one that does not exist |
//! | `changes_indexed_column` | true: an UPDATE gives the column of every index that is not on the key a new value |
//! | `changed_bytes` | bytes of the row that an UPDATE changes; the whole row without the key when absent |
//! | `locking` | of a SELECT: `share` or `update` locks its rows as SELECT … FOR SHARE and FOR UPDATE do, where the design has a transaction block |
//! | `think_time_ms` | the client thinks so long after this statement, inside its transaction |
//! | `key_column` | the key's name in the template |
//! | `name` | the operation's name in the report, and by which later operations of its transaction call it |
//!
//! Joins and sorts have more (`workload/query.rs`).

use serde_json::Value;

use super::key::{self, KeyLaw};
use super::part::{self, PartKey};
use super::query::{self, QueryShape, StatedQuery};
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
/// Most times that an operation is repeated.
const MAX_REPEATS: u64 = 1_000;
const PARAMETERS: [&str; 13] = [
    "access",
    "table",
    "rows",
    "key",
    "repeat",
    "first_key",
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
    /// How often it runs, at least and at most.
    pub(crate) repeat: (u16, u16),
    /// A key next to the chosen one that does not exist.
    pub(crate) missing: bool,
    /// An UPDATE gives indexed columns beside the key new values.
    pub(crate) changes_indexed_column: bool,
    /// Bytes of the row that an UPDATE changes.
    pub(crate) changed_bytes: u32,
    pub(crate) locking: RowLocking,
    pub(crate) think_ns: u64,
    /// Of a query that joins or sorts.
    pub(crate) query: Option<QueryShape>,
}

/// Whether a SELECT locks the rows it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum RowLocking {
    #[default]
    None,
    Share,
    Update,
    /// It belongs to a query that joins or sorts, which locks nothing.
    Never,
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
    /// A join, or a sort.
    Query,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum KeyChoice {
    Drawn(KeyLaw),
    /// The key of the statement before it in the same transaction.
    Previous,
    /// One that belongs to the key of an earlier statement of the same transaction.
    Part(PartKey),
    /// The key of this rank.
    Fixed(u32),
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
    let (first, second) = named_tables(&stated, reading.as_ref(), &path, found)?;
    let table = find_table(workload, tables, first, &path, found)?;
    let access = access(operation, &stated, reading.as_ref(), &path, found)?;
    let query = if access == Access::Query {
        let second = match second {
            Some(second) => Some(find_table(workload, tables, Some(second), &path, found)?),
            None => None,
        };
        let tables = (tables, table, second);
        Some(query::shape(operation, &stated.query, reading.as_ref(), tables, &path, found)?)
    } else {
        stated.query.reject(&path, found)?;
        None
    };
    let key = match (&stated.part, stated.first_key) {
        (Some(part), _) => KeyChoice::Part(resolve(part, workload, index, &path, found)?),
        (None, Some(rank)) if rank >= tables[table].record_count => {
            found.push(operation_error(
                Code::ValueOutOfRange,
                child(&child(&path, "parameters"), "first_key"),
                format!(
                    "the table has {} rows: \"first_key\" is a place below that",
                    tables[table].record_count
                ),
            ));
            return None;
        }
        (None, Some(rank)) => KeyChoice::Fixed(rank as u32),
        (None, None) => stated.key.unwrap_or(KeyChoice::Drawn(KeyLaw::Named(workload.config.distribution))),
    };
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
    if key == KeyChoice::Previous && !same_table_before(workload, tables, index, table) {
        found.push(operation_error(
            Code::OperationMismatch,
            child(&child(&path, "parameters"), "key"),
            "the operation before it asks another table: give that one a name, and this one {\"of\": name} as its key"
                .to_owned(),
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
        repeat: stated.repeat.map_or((1, 1), |(min, max)| (min as u16, max as u16)),
        missing,
        changes_indexed_column: stated.changes_indexed_column.unwrap_or_default(),
        changed_bytes,
        locking: stated.locking.unwrap_or_default(),
        think_ns: ms_to_ns(think_time_ms),
        query,
    })
}

/// The tables of an operation: its own, and that it joins.
fn named_tables<'s>(
    stated: &'s Stated,
    reading: Option<&'s sql::Reading>,
    path: &[String],
    found: &mut Vec<Diagnostic>,
) -> Option<(Option<&'s str>, Option<&'s str>)> {
    let read = reading.map(|reading| reading.table.as_str());
    let joined = reading.and_then(|reading| reading.join.as_ref()).map(|join| join.table.as_str());
    match (stated.access, &stated.query.tables) {
        (Some(TemplateAccess::Join), Some(tables)) => {
            Some((tables.first().map(String::as_str), tables.get(1).map(String::as_str)))
        }
        (Some(TemplateAccess::Join), None) => {
            found.push(operation_error(
                Code::UnknownTable,
                child(&child(path, "parameters"), "tables"),
                "a join needs \"tables\", the names of the two tables it joins".to_owned(),
            ));
            None
        }
        _ => Some((stated.table.as_deref().or(read), joined)),
    }
}

/// The name of an operation in the report: stated, or its kind and access.
pub(crate) fn name_of(operation: &Operation, statement: &Statement) -> String {
    let stated =
        operation.parameters.as_ref().and_then(|parameters| parameters.get("name")).and_then(Value::as_str);
    stated.map_or_else(
        || {
            let joins = statement.query.is_some_and(|query| query.join.is_some());
            let access = match (operation.kind, statement.access) {
                (OperationType::Insert, _) | (_, Access::Point | Access::RowId) => "",
                (_, Access::Range { .. }) => " range",
                (_, Access::Scan) => " scan",
                (_, Access::Query) if joins => " join",
                (_, Access::Query) => " sort",
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
    part: Option<part::Stated>,
    repeat: Option<(u64, u64)>,
    first_key: Option<u64>,
    missing: Option<bool>,
    changes_indexed_column: Option<bool>,
    changed_bytes: Option<u64>,
    locking: Option<RowLocking>,
    think_time_ms: Option<f64>,
    key_column: Option<String>,
    query: StatedQuery,
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
            let known = || PARAMETERS.into_iter().chain(query::PARAMETERS);
            for name in object.keys().filter(|name| known().all(|known| known != name.as_str())) {
                if let Some(near) = nearest::nearest(name, known()).filter(|near| near.len() > 3) {
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
            ("join", TemplateAccess::Join),
            ("sort", TemplateAccess::Sort),
        ];
        let mut keys: Vec<(&'static str, KeyChoice)> =
            DISTRIBUTIONS.iter().map(|(word, law)| (*word, KeyChoice::Drawn(KeyLaw::Named(*law)))).collect();
        keys.push(("previous", KeyChoice::Previous));
        fields.optional_text("name", found);
        let stated = Self {
            access: fields.optional_choice("access", &accesses, found),
            table: fields.optional_text("table", found).map(str::to_owned),
            rows: fields.optional("rows").and_then(|value| {
                let rule = format!("a range has 1 to {MAX_RANGE_ROWS} rows, and max is not below min");
                read_between("rows", value, (MAX_RANGE_ROWS, rule), &path, found)
            }),
            repeat: fields.optional("repeat").and_then(|value| {
                let rule = format!("an operation runs 1 to {MAX_REPEATS} times, and max is not below min");
                read_between("repeat", value, (MAX_REPEATS, rule), &path, found)
            }),
            part: match fields.optional("key").filter(|value| part::is_part(value)) {
                Some(value) => part::read(value, fields.path_of("key"), config, found),
                None => None,
            },
            key: match fields.optional("key") {
                Some(value) if part::is_part(value) => None,
                Some(value) if value.is_object() => {
                    key::read(value, fields.path_of("key"), config, found).map(KeyChoice::Drawn)
                }
                _ => fields.optional_choice("key", &keys, found),
            },
            first_key: fields.optional_whole("first_key", found),
            missing: fields.optional("missing").and_then(|value| read_flag(value, "missing", &path, found)),
            changes_indexed_column: fields
                .optional("changes_indexed_column")
                .and_then(|value| read_flag(value, "changes_indexed_column", &path, found)),
            changed_bytes: fields.optional_whole("changed_bytes", found),
            locking: fields.optional_choice("locking", LOCKING, found),
            think_time_ms: fields.optional_number("think_time_ms", found),
            key_column: fields.optional_text("key_column", found).map(str::to_owned),
            query: StatedQuery::read(&fields, &path, found),
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

/// A number from 1 on, or one with `min` and `max`.
fn read_between(
    name: &str,
    value: &Value,
    (most, rule): (u64, String),
    path: &[String],
    found: &mut Vec<Diagnostic>,
) -> Option<(u64, u64)> {
    let path = child(path, name);
    let (min, max) = if value.is_object() {
        let fields = Fields::of(value, path.clone(), found)?;
        fields.reject_unknown(&["min", "max"], found);
        (fields.whole("min", found)?, fields.whole("max", found)?)
    } else {
        let number = crate::design::reader::whole_number(value).and_then(|rows| u64::try_from(rows).ok());
        let Some(number) = number else {
            found.push(wrong_parameter(
                path,
                format!("\"{name}\" must be a whole number, or an object with min and max"),
            ));
            return None;
        };
        (number, number)
    };
    if min == 0 || max < min || max > most {
        found.push(operation_error(Code::ValueOutOfRange, path, rule));
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
        TemplateAccess::Join | TemplateAccess::Sort => Some(Access::Query),
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

/// The operations that a key belongs to: of the names it states, the last before it in its transaction.
fn resolve(
    part: &part::Stated,
    workload: &Workload,
    index: usize,
    path: &[String],
    found: &mut Vec<Diagnostic>,
) -> Option<PartKey> {
    let operations = &workload.operations;
    let earlier = |name: &str| {
        let transaction = operations[index].transaction.as_ref()?;
        let has_name = |operation: &Operation| {
            let parameters = operation.parameters.as_ref();
            parameters.and_then(|parameters| parameters.get("name")).and_then(Value::as_str) == Some(name)
        };
        operations[..index]
            .iter()
            .rposition(|earlier| earlier.transaction.as_ref() == Some(transaction) && has_name(earlier))
    };
    match part.resolve(earlier) {
        Ok(key) => Some(key),
        Err(name) => {
            found.push(operation_error(
                Code::OperationMismatch,
                child(&child(path, "parameters"), "key"),
                format!("no operation before it in the same transaction has the name \"{name}\""),
            ));
            None
        }
    }
}

/// Whether the operation before this one in its transaction is on the same table.
fn same_table_before(workload: &Workload, tables: &[Table], index: usize, table: usize) -> bool {
    let transaction = &workload.operations[index].transaction;
    let before = workload.operations[..index].iter().rposition(|earlier| earlier.transaction == *transaction);
    // What is wrong with the one before is told where its turn is.
    before
        .and_then(|before| statement(workload, tables, before, &mut Vec::new()))
        .is_none_or(|before| before.table == table)
}

/// Whether an earlier operation shares this one's named transaction.
fn follows_in_transaction(workload: &Workload, index: usize) -> bool {
    let transaction = &workload.operations[index].transaction;
    transaction.is_some()
        && workload.operations[..index].iter().any(|earlier| earlier.transaction == *transaction)
}

pub(super) fn operation_error(code: Code, path: Vec<String>, message: String) -> Diagnostic {
    Diagnostic { path, ..Diagnostic::error(code, &[], message) }
}
