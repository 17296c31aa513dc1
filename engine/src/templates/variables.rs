//! What a workload template leaves to its user.

use serde_json::Value;

use crate::design::nearest;
use crate::design::reader::{malformed, type_name, whole_number};
use crate::design::{Code, Diagnostic};

/// A whole number that a workload is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    pub name: &'static str,
    pub description: &'static str,
    pub default: u64,
    pub min: u64,
    pub max: u64,
}

const fn variable(
    name: &'static str,
    default: u64,
    min: u64,
    max: u64,
    description: &'static str,
) -> Variable {
    Variable { name, description, default, min, max }
}

pub(super) const TPCC: &[Variable] = &[
    variable("warehouses", 1, 1, 1_000, "Warehouses, of half a million rows and ten clients each."),
    variable(
        "pauses_percent",
        0,
        0,
        1_000,
        "Time between a client's transactions, of the specification's mean keying and think times: 100 keeps them, 0 leaves them out.",
    ),
];
pub(super) const SYSBENCH: &[Variable] = &[
    variable("tables", 1, 1, 11, "Tables, named sbtest1, sbtest2 and so on; the design has to hold them."),
    variable("table_size", 100_000, 1, 100_000_000, "Rows of each table."),
];
pub(super) const SMALLBANK: &[Variable] =
    &[variable("accounts", 100_000, 100, 100_000_000, "Accounts, each with a row in every table.")];
pub(super) const TATP: &[Variable] =
    &[variable("subscribers", 100_000, 100, 100_000_000, "Subscribers, with ten rows each in all tables.")];

/// The values of the variables, in their order.
pub(super) fn read(variables: &[Variable], stated: &Value) -> Result<Vec<u64>, Vec<Diagnostic>> {
    let place = |name: &str| vec!["variables".to_owned(), name.to_owned()];
    let Value::Object(object) = stated else {
        let message = format!("expected an object, found {}", type_name(stated));
        return Err(vec![malformed(vec!["variables".to_owned()], message)]);
    };
    let mut found = Vec::new();
    for name in object.keys().filter(|name| variables.iter().all(|variable| variable.name != name.as_str())) {
        let hint = nearest::suggestion(name, variables.iter().map(|variable| variable.name));
        found.push(malformed(place(name), format!("there is no variable \"{name}\": {hint}")));
    }
    let mut values = Vec::new();
    for variable in variables {
        let Some(value) = object.get(variable.name) else {
            values.push(variable.default);
            continue;
        };
        let number = whole_number(value).and_then(|number| u64::try_from(number).ok());
        match number.filter(|number| (variable.min..=variable.max).contains(number)) {
            Some(number) => values.push(number),
            None => {
                let message = format!(
                    "\"{}\" is a whole number from {} to {}",
                    variable.name, variable.min, variable.max
                );
                let diagnostic = malformed(place(variable.name), message);
                found.push(Diagnostic { code: Code::ValueOutOfRange, ..diagnostic });
            }
        }
    }
    if found.is_empty() { Ok(values) } else { Err(found) }
}
