//! Queries that join two tables, or sort: read from a template such as
//! `SELECT * FROM orders o JOIN customers c ON o.customer_id = c.id WHERE o.id <= 100 ORDER BY o.day LIMIT 10`, or stated in `parameters`:
//!
//! | parameter | values |
//! |---|---|
//! | `access` | `join` or `sort`; the template is then free text |
//! | `tables` | join: the names of two tables |
//! | `matches` | join: rows of the second table that a row of the first one matches, on average; absent, the first table refers to the second one's key |
//! | `match_fraction` | join: part of the rows that refer to a key whose row is there (1 when absent) |
//! | `selectivity` | part of the first table's rows that pass its condition (1 when absent) |
//! | `filtered_rows` | or how many of them do |
//! | `sorted` | join: true sorts the result |
//! | `limit_rows` | rows of the result at most |

use super::access::operation_error;
use super::read::wrong_parameter;
use super::sql::Reading;
use super::{Operation, OperationType, Table};
use crate::design::reader::{Fields, child};
use crate::design::{Code, Diagnostic};

/// Virtual time has an end.
const MOST_RESULT_ROWS: f64 = 1e12;

/// What a query asks for beside its first table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct QueryShape {
    pub(crate) join: Option<JoinShape>,
    pub(crate) passing: Passing,
    /// The result is sorted.
    pub(crate) ordered: bool,
    pub(crate) limit: Option<u64>,
}

/// How the rows of two tables belong together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct JoinShape {
    /// The table named second.
    pub(crate) table: usize,
    /// Whether the key of the first table is joined, and whether that of the second is.
    pub(crate) by_key: [bool; 2],
    /// Values there are to refer to; where both sides refer, as many as give the matches stated.
    pub(crate) values: f64,
}

/// Which rows of the first table pass its condition.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Passing {
    All,
    Rows(u64),
}

/// The fields of `parameters` that queries read.
#[derive(Debug, Default)]
pub(super) struct StatedQuery {
    pub(super) tables: Option<Vec<String>>,
    matches: Option<f64>,
    match_fraction: Option<f64>,
    selectivity: Option<f64>,
    filtered_rows: Option<u64>,
    sorted: Option<bool>,
    limit_rows: Option<u64>,
}

pub(super) const PARAMETERS: [&str; 7] =
    ["tables", "matches", "match_fraction", "selectivity", "filtered_rows", "sorted", "limit_rows"];

impl StatedQuery {
    pub(super) fn read(fields: &Fields<'_>, path: &[String], found: &mut Vec<Diagnostic>) -> Self {
        let tables = fields.optional("tables").map(|value| {
            let names = value.as_array().into_iter().flatten();
            names.map(|name| name.as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
        });
        if tables.as_ref().is_some_and(|tables| tables.len() != 2 || tables.iter().any(String::is_empty)) {
            let message = "\"tables\" must be the names of two tables".to_owned();
            found.push(wrong_parameter(child(path, "tables"), message));
        }
        let mut number = |name: &'static str, most: f64| {
            let value = fields.optional_number(name, found)?;
            if value <= 0.0 || value > most {
                found.push(operation_error(
                    Code::ValueOutOfRange,
                    child(path, name),
                    format!("\"{name}\" must be above 0 and at most {most}; it is {value}"),
                ));
            }
            Some(value)
        };
        let matches = number("matches", 1e9);
        let (match_fraction, selectivity) = (number("match_fraction", 1.0), number("selectivity", 1.0));
        let sorted = fields.optional("sorted").and_then(|value| match value.as_bool() {
            None => {
                let message = "\"sorted\" must be true or false".to_owned();
                found.push(wrong_parameter(child(path, "sorted"), message));
                None
            }
            stated => stated,
        });
        Self {
            tables,
            matches,
            match_fraction,
            selectivity,
            filtered_rows: fields.optional_whole("filtered_rows", found),
            sorted,
            limit_rows: fields.optional_whole("limit_rows", found),
        }
    }

    /// The first of the parameters that only a query can have.
    fn first_given(&self) -> Option<&'static str> {
        let given = [
            self.tables.is_some(),
            self.matches.is_some(),
            self.match_fraction.is_some(),
            self.selectivity.is_some(),
            self.filtered_rows.is_some(),
            self.sorted.is_some(),
            self.limit_rows.is_some(),
        ];
        PARAMETERS.into_iter().zip(given).find_map(|(name, given)| given.then_some(name))
    }

    /// Tells a parameter of queries beside another access.
    pub(super) fn reject(&self, path: &[String], found: &mut Vec<Diagnostic>) -> Option<()> {
        let Some(name) = self.first_given() else { return Some(()) };
        found.push(operation_error(
            Code::OperationMismatch,
            child(&child(path, "parameters"), name),
            format!("only an operation that joins or sorts can have \"{name}\""),
        ));
        None
    }
}

/// The shape of a query over these tables: positions of the first and, of a join, the second.
pub(super) fn shape(
    operation: &Operation,
    stated: &StatedQuery,
    reading: Option<&Reading>,
    tables: (&[Table], usize, Option<usize>),
    path: &[String],
    found: &mut Vec<Diagnostic>,
) -> Option<QueryShape> {
    let (tables, first, second) = tables;
    let mut tell = |name: &str, code: Code, message: String| {
        found.push(operation_error(code, child(&child(path, "parameters"), name), message));
    };
    if operation.kind != OperationType::Select {
        tell("access", Code::OperationMismatch, "only a SELECT joins or sorts".to_owned());
        return None;
    }
    let rows = tables[first].record_count;
    let condition = reading.map_or(Filter::None, |reading| reading.filter);
    let passing = match (stated.filtered_rows, stated.selectivity, condition) {
        (Some(passing), ..) if passing > rows => {
            let message = format!("the table has {rows} rows, so {passing} cannot pass");
            tell("filtered_rows", Code::ValueOutOfRange, message);
            return None;
        }
        (Some(passing), ..) => Passing::Rows(passing),
        (None, Some(part), _) => Passing::Rows(libm::round(rows as f64 * part) as u64),
        (None, None, Filter::Rows(passing)) => Passing::Rows(passing.min(rows)),
        (None, None, Filter::Unknown) => {
            tell(
                "selectivity",
                Code::UnknownAccess,
                "how many rows pass the condition is not stated: give \"selectivity\", the part of the first table's rows, or \
                 \"filtered_rows\""
                    .to_owned(),
            );
            return None;
        }
        (None, None, Filter::None) => Passing::All,
    };
    let join = match second {
        None => None,
        Some(second) => {
            let by_key = match (stated.matches, reading.and_then(|reading| reading.join.as_ref())) {
                (Some(_), _) => [false, false],
                (None, Some(join)) => join.by_key,
                (None, None) => [false, true],
            };
            let other = tables[second].record_count;
            let fraction = stated.match_fraction.unwrap_or(1.0);
            if stated.matches.is_some_and(|matches| matches > other as f64) {
                let message = format!(
                    "a row cannot match more rows of \"{}\" than it has: {other}",
                    tables[second].name
                );
                tell("matches", Code::ValueOutOfRange, message);
                return None;
            }
            let values = match by_key {
                [false, false] => {
                    let Some(matches) = stated.matches else {
                        tell(
                            "matches",
                            Code::UnknownAccess,
                            "neither column it joins by is a table's key: give \"matches\", how many rows of the second table a row \
                             of the first one matches on average"
                                .to_owned(),
                        );
                        return None;
                    };
                    other as f64 / matches
                }
                [_, true] => other as f64 / fraction,
                [true, false] => rows as f64 / fraction,
            };
            if rows as f64 * other as f64 / values > MOST_RESULT_ROWS {
                let message = format!("the join would have more than {MOST_RESULT_ROWS:.0} rows");
                tell("matches", Code::ValueOutOfRange, message);
                return None;
            }
            Some(JoinShape { table: second, by_key, values: values.clamp(1.0, f64::from(u32::MAX - 1)) })
        }
    };
    // What sorts and does not join has nothing else to say.
    let ordered = second.is_none() || stated.sorted.unwrap_or(reading.is_some_and(|reading| reading.ordered));
    Some(QueryShape {
        join,
        passing,
        ordered,
        limit: stated.limit_rows.or(reading.and_then(|reading| reading.rows)),
    })
}

/// What a WHERE clause of a query says about its first table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filter {
    None,
    /// On its key, with numbers.
    Rows(u64),
    /// Something else, of which only the part of the rows that passes matters.
    Unknown,
}

/// What a JOIN says.
#[derive(Debug, PartialEq)]
pub(super) struct ReadJoin {
    pub(super) table: String,
    pub(super) by_key: [bool; 2],
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn told(operation: Value) -> Result<QueryShape, String> {
        let table = |name: &str, rows: u64| json!({"name": name, "record_count": rows});
        let document = json!({
            "operations": [operation],
            "tables": [table("orders", 1000), table("customers", 100)],
            "config": {"total_operations": 1},
        });
        let workload = crate::workload::parse(&document).map_err(|found| found[0].to_string())?;
        let mut found = Vec::new();
        let statement = crate::workload::access::statement(&workload, &workload.tables, 0, &mut found);
        statement.and_then(|statement| statement.query).ok_or_else(|| format!("{found:?}"))
    }

    fn select(template: &str, parameters: Value) -> Result<QueryShape, String> {
        told(json!({"type": "SELECT", "weight": 1, "template": template, "parameters": parameters}))
    }

    #[test]
    fn joins_are_read() {
        let shape =
            select("SELECT * FROM orders o JOIN customers c ON o.customer_id = c.id", json!({})).unwrap();
        let join = shape.join.unwrap();
        assert_eq!((join.table, join.by_key, join.values), (1, [false, true], 100.0));
        assert_eq!((shape.passing, shape.ordered, shape.limit), (Passing::All, false, None));
        let shape = select(
            "SELECT * FROM customers c JOIN orders o ON o.customer_id = c.id WHERE c.id = ? ORDER BY o.day LIMIT 5",
            json!({}),
        )
        .unwrap();
        assert_eq!(shape.join.unwrap().by_key, [true, false]);
        assert_eq!((shape.passing, shape.ordered, shape.limit), (Passing::Rows(1), true, Some(5)));
        let shape =
            select("SELECT * FROM orders, customers WHERE orders.customer_id = customers.id", json!({}));
        assert!(shape.is_err());
    }

    #[test]
    fn joins_and_sorts_are_stated() {
        let stated =
            json!({"access": "join", "tables": ["orders", "customers"], "matches": 4, "selectivity": 0.5});
        let shape = select("anything", stated).unwrap();
        assert_eq!(shape.join.unwrap(), JoinShape { table: 1, by_key: [false, false], values: 25.0 });
        assert_eq!(shape.passing, Passing::Rows(500));
        let shape =
            select("anything", json!({"access": "sort", "table": "orders", "limit_rows": 10})).unwrap();
        assert_eq!((shape.join, shape.ordered, shape.limit), (None, true, Some(10)));
        let shape = select("SELECT * FROM orders ORDER BY day", json!({})).unwrap();
        assert_eq!((shape.join, shape.ordered), (None, true));
    }

    #[test]
    fn what_is_missing_is_told() {
        for (template, parameters, expected) in [
            ("SELECT * FROM orders o JOIN customers c ON o.a = c.b", json!({}), "parameters.matches"),
            (
                "SELECT * FROM orders o JOIN customers c ON o.customer_id = c.id WHERE o.day > 5",
                json!({}),
                "parameters.selectivity",
            ),
            ("SELECT * FROM orders o LEFT JOIN customers c ON o.customer_id = c.id", json!({}), "template"),
            ("SELECT * FROM orders o JOIN customers c", json!({}), "template"),
            ("", json!({"access": "join"}), "parameters.tables"),
            ("", json!({"access": "join", "tables": ["orders"]}), "parameters.tables"),
            ("", json!({"access": "join", "tables": ["orders", "nobody"]}), "operations[0]"),
            (
                "",
                json!({"access": "join", "tables": ["orders", "customers"], "match_fraction": 0}),
                "parameters.match_fraction",
            ),
            (
                "",
                json!({"access": "join", "tables": ["orders", "customers"], "filtered_rows": 1001}),
                "parameters.filtered_rows",
            ),
            (
                "",
                json!({"access": "join", "tables": ["orders", "customers"], "sorted": 1}),
                "parameters.sorted",
            ),
            ("SELECT * FROM orders WHERE id = ?", json!({"selectivity": 0.5}), "parameters.selectivity"),
        ] {
            let error = select(template, parameters.clone()).unwrap_err();
            assert!(error.contains(expected), "{template} {parameters}: {error}");
        }
    }
}
