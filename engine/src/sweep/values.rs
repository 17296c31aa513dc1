//! The values of a setting: lists, geometric and arithmetic ranges.

use serde_json::{Number, Value};

/// Whole numbers beyond are not exact.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Reads `1,2,4`, `lru,fifo`, `1k..1M*2` or `0..1+0.25`.
pub(super) fn parse(text: &str, max_values: usize) -> Result<Vec<Value>, String> {
    let values = match text.split_once("..") {
        Some((from, rest)) => range(from, rest, max_values)?.into_iter().map(number_value).collect(),
        None => text.split(',').map(item).collect::<Result<Vec<_>, _>>()?,
    };
    if values.len() > max_values {
        return Err(format!("{} values are too many; at most {max_values} are run", values.len()));
    }
    Ok(values)
}

fn range(from: &str, rest: &str, max_values: usize) -> Result<Vec<f64>, String> {
    // A sign may stand before the end of a range, and an exponent in it: the last of these says how to go on.
    let Some(sign) = rest.rfind(['*', '+']) else {
        return Err(format!(
            "\"{from}..{rest}\" does not say how to go on: write {from}..{rest}*2 or {from}..{rest}+10"
        ));
    };
    let (to, step) = (&rest[..sign], &rest[sign + 1..]);
    let read = |text: &str| number(text).ok_or_else(|| format!("\"{text}\" is no number"));
    let (first, last, step) = (read(from)?, read(to)?, read(step)?);
    let multiplies = rest[sign..].starts_with('*');
    if last < first {
        return Err(format!("{to} lies below {from}"));
    }
    if multiplies && (step <= 1.0 || first <= 0.0) {
        return Err("a factor must be above 1, and the first value above 0".to_owned());
    }
    if !multiplies && step <= 0.0 {
        return Err("a step must be above 0".to_owned());
    }
    // Sums and products of decimals miss their end by a rounding.
    let end = last + libm::fabs(last) * 1e-9;
    let mut values = Vec::new();
    let mut value = first;
    while value <= end {
        if values.len() == max_values {
            return Err(format!("the range has more than {max_values} values"));
        }
        values.push(value);
        value = if multiplies { value * step } else { first + step * values.len() as f64 };
    }
    Ok(values)
}

fn item(text: &str) -> Result<Value, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("a value is missing".to_owned());
    }
    Ok(match (number(text), text) {
        (Some(number), _) => number_value(number),
        (None, "true") => Value::Bool(true),
        (None, "false") => Value::Bool(false),
        (None, text) => Value::String(text.to_owned()),
    })
}

/// A finite number, perhaps with a unit prefix.
fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let units =
        [("Ki", 1024.0), ("Mi", 1_048_576.0), ("Gi", 1_073_741_824.0), ("k", 1e3), ("M", 1e6), ("G", 1e9)];
    let unit = units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)));
    let (digits, factor) = unit.unwrap_or((text, 1.0));
    // The parser of the standard library knows words for numbers that are none.
    if !digits.ends_with(|last: char| last.is_ascii_digit() || last == '.') {
        return None;
    }
    digits.parse::<f64>().ok().map(|number| number * factor).filter(|number| number.is_finite())
}

/// A whole number is written as one.
fn number_value(number: f64) -> Value {
    if libm::trunc(number) == number && libm::fabs(number) < EXACT {
        return Value::from(number as i64);
    }
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(text: &str) -> Result<Value, String> {
        parse(text, 20).map(Value::Array)
    }

    #[test]
    fn lists_and_ranges_are_read() {
        for (text, expected) in [
            ("1,2, 4", json!([1, 2, 4])),
            ("7", json!([7])),
            ("lru,clock,true,0.5", json!(["lru", "clock", true, 0.5])),
            ("1k..8k*2", json!([1_000, 2_000, 4_000, 8_000])),
            ("1Ki..3Ki+1Ki", json!([1_024, 2_048, 3_072])),
            ("1..10*3", json!([1, 3, 9])),
            ("0..1+0.25", json!([0, 0.25, 0.5, 0.75, 1])),
            ("0.1..0.3+0.1", json!([0.1, 0.2, 0.1 + 0.1 * 2.0])),
            ("-2..-1+1", json!([-2, -1])),
            ("5..5*2", json!([5])),
            ("1.5M", json!([1_500_000])),
            ("inf,nan,k", json!(["inf", "nan", "k"])),
        ] {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_range_is_told() {
        for (text, expected) in [
            ("1..2", "does not say how to go on"),
            ("a..2*2", "\"a\" is no number"),
            ("2..1*2", "1 lies below 2"),
            ("1..2*1", "a factor must be above 1"),
            ("0..2*2", "the first value above 0"),
            ("1..2+0", "a step must be above 0"),
            ("1..1M+1", "more than 20 values"),
            ("1,,2", "a value is missing"),
            ("", "a value is missing"),
            ("1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21", "21 values are too many"),
        ] {
            let found = read(text).unwrap_err();
            assert!(found.contains(expected), "{text}: {found}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_no_list_is_too_long(text in "[0-9a-zé.,*+kMi -]{0,24}") {
            if let Ok(values) = parse(&text, 20) {
                prop_assert!((1..=20).contains(&values.len()));
            }
        }
    }
}
