//! Scalars that GraphQL lacks.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};

/// `BigInt` of the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(transparent)]
pub struct BigInt(pub i64);

/// 64-bit integer serialised as a string.
#[Scalar]
impl ScalarType for BigInt {
    fn parse(value: Value) -> InputValueResult<Self> {
        let parsed = match &value {
            Value::String(text) => text.parse().ok(),
            Value::Number(number) => number.as_i64(),
            _ => None,
        };
        parsed.map(Self).ok_or_else(|| {
            InputValueError::custom("a BigInt is a whole number of 64 bits, as a string or a number")
        })
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

impl BigInt {
    /// A count; the few beyond 2^63−1 stand at that bound.
    pub fn of(count: u64) -> Self {
        Self(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

/// `URL` of the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url(pub url::Url);

/// WHATWG URL.
#[Scalar(name = "URL", specified_by_url = "https://url.spec.whatwg.org/")]
impl ScalarType for Url {
    fn parse(value: Value) -> InputValueResult<Self> {
        let parsed = match &value {
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        parsed
            .map(Self)
            .ok_or_else(|| InputValueError::custom("a URL is a string such as https://example.org/"))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_big_int_is_read_from_text_and_number_and_written_as_text() {
        let max = BigInt(i64::MAX);
        assert_eq!(max.to_value(), Value::String("9223372036854775807".into()));
        assert_eq!(BigInt::parse(max.to_value()).unwrap(), max);
        assert_eq!(BigInt::parse(Value::from(7)).unwrap(), BigInt(7));
        for bad in [Value::from("7.5"), Value::from(""), Value::from(true), Value::from(1.5), Value::Null] {
            assert!(BigInt::parse(bad.clone()).is_err(), "{bad}");
        }
    }
}
