//! Checks a block's parameters against the catalogue.

use serde_json::Value;

use super::canvas::Block;
use super::catalog::{BlockType, Parameter, ParameterKind};
use super::reader::{type_name, whole_number};
use super::validate::{a, shown};
use super::{Code, Diagnostic, nearest};

/// More parameters than any kind of block has.
const MAX_PARAMETERS: usize = 100;

pub(super) fn check_parameters(
    kind: &'static BlockType,
    index: usize,
    block: &Block,
    found: &mut Vec<Diagnostic>,
) {
    if block.parameters.len() > MAX_PARAMETERS {
        // Each of them would get a diagnostic, and each costs a search for the nearest name.
        let place = index.to_string();
        let path = ["blocks", place.as_str(), "parameters"];
        let message = format!(
            "a block has at most {MAX_PARAMETERS} parameters; this one has {}",
            block.parameters.len()
        );
        found.push(Diagnostic::error(Code::TooLarge, &path, message).at_block(&block.id));
        return;
    }
    for (name, value) in &block.parameters {
        let place = index.to_string();
        let path = ["blocks", place.as_str(), "parameters", name.as_str()];
        let problem = match kind.parameter(name) {
            None => {
                let hint = nearest::suggestion(name, kind.parameters.iter().map(|parameter| parameter.name));
                Some((
                    Code::UnknownParameter,
                    format!("{} has no parameter \"{}\": {hint}", a(kind.kind), shown(name)),
                ))
            }
            Some(parameter) => check_value(parameter, value),
        };
        if let Some((code, message)) = problem {
            found.push(Diagnostic::error(code, &path, message).at_block(&block.id));
        }
    }
}

/// What is wrong with a parameter's value, if anything.
fn check_value(parameter: &Parameter, value: &Value) -> Option<(Code, String)> {
    let name = parameter.name;
    let unit =
        parameter.unit.filter(|unit| *unit != "ratio").map_or_else(String::new, |unit| format!(" {unit}"));
    let wrong_type = |expected: &str| {
        Some((Code::ParameterType, format!("\"{name}\" must be {expected}, not {}", type_name(value))))
    };
    let out_of_range =
        |rule: String| Some((Code::ParameterOutOfRange, format!("\"{name}\" must be {rule}; it is {value}")));
    match &parameter.kind {
        ParameterKind::Integer { min, max } => match whole_number(value) {
            None if value.is_number() => out_of_range(format!("a whole number from {min} to {max}{unit}")),
            None => wrong_type("a whole number"),
            Some(number) if number < i128::from(*min) || number > i128::from(*max) => {
                out_of_range(format!("from {min} to {max}{unit}"))
            }
            Some(_) => None,
        },
        ParameterKind::IntegerChoice(choices) => {
            let listed: Vec<String> = choices.iter().map(i64::to_string).collect();
            match whole_number(value) {
                None if !value.is_number() => wrong_type("a whole number"),
                Some(number) if choices.iter().any(|choice| i128::from(*choice) == number) => None,
                _ => out_of_range(format!("one of {}{unit}", listed.join(", "))),
            }
        }
        ParameterKind::Number { min, max } => match value.as_f64() {
            None => wrong_type("a number"),
            Some(number) if !(*min..=*max).contains(&number) => {
                out_of_range(format!("from {min} to {max}{unit}"))
            }
            Some(_) => None,
        },
        ParameterKind::Boolean if value.is_boolean() => None,
        ParameterKind::Boolean => wrong_type("true or false"),
        ParameterKind::Choice(choices) => match value.as_str() {
            None => wrong_type("a string"),
            Some(text) if choices.contains(&text) => None,
            Some(text) => {
                let hint = nearest::nearest(text, choices.iter().copied())
                    .map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"));
                let message = format!(
                    "\"{name}\" must be one of {}; it is \"{}\"{hint}",
                    choices.join(", "),
                    shown(text)
                );
                Some((Code::ParameterOutOfRange, message))
            }
        },
        ParameterKind::Text { max_length } => match value.as_str() {
            None => wrong_type("a string"),
            Some(text) if text.is_empty() || text.chars().count() > *max_length => Some((
                Code::ParameterOutOfRange,
                format!("\"{name}\" must have 1 to {max_length} characters"),
            )),
            Some(_) => None,
        },
    }
}
