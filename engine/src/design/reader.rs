//! Reads untrusted JSON field by field, so that every problem is told and not only the first.

use serde_json::{Map, Value};

use super::{Code, Diagnostic, nearest};

/// A JSON object at a known place, and the list its problems go to.
pub(crate) struct Fields<'a> {
    object: &'a Map<String, Value>,
    path: Vec<String>,
}

pub(crate) fn child(path: &[String], part: impl ToString) -> Vec<String> {
    let mut path = path.to_vec();
    path.push(part.to_string());
    path
}

pub(crate) fn malformed(path: Vec<String>, message: String) -> Diagnostic {
    Diagnostic { path, ..Diagnostic::error(Code::MalformedJson, &[], message) }
}

/// What a value is, in the words of JSON.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

impl<'a> Fields<'a> {
    /// The object at `path`; anything else is a diagnostic.
    pub(crate) fn of(value: &'a Value, path: Vec<String>, found: &mut Vec<Diagnostic>) -> Option<Self> {
        match value {
            Value::Object(object) => Some(Self { object, path }),
            other => {
                found.push(malformed(path, format!("expected an object, found {}", type_name(other))));
                None
            }
        }
    }

    pub(crate) fn path_of(&self, name: &str) -> Vec<String> {
        child(&self.path, name)
    }

    /// The field, where present and not null.
    pub(crate) fn optional(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// The field; its absence is a diagnostic.
    pub(crate) fn required(&self, name: &str, found: &mut Vec<Diagnostic>) -> Option<&'a Value> {
        let value = self.optional(name);
        if value.is_none() {
            let message = match self.object.keys().find(|key| key.eq_ignore_ascii_case(name)) {
                Some(key) if key != name => {
                    format!("the field \"{name}\" is missing; \"{key}\" is written differently")
                }
                _ => format!("the field \"{name}\" is missing"),
            };
            found.push(malformed(self.path_of(name), message));
        }
        value
    }

    fn wrong(&self, name: &str, expected: &str, value: &Value, found: &mut Vec<Diagnostic>) {
        let message = format!("\"{name}\" must be {expected}, not {}", type_name(value));
        found.push(malformed(self.path_of(name), message));
    }

    pub(crate) fn text(&self, name: &str, found: &mut Vec<Diagnostic>) -> Option<&'a str> {
        let value = self.required(name, found)?;
        if value.as_str().is_none() {
            self.wrong(name, "a string", value, found);
        }
        value.as_str()
    }

    pub(crate) fn optional_text(&self, name: &str, found: &mut Vec<Diagnostic>) -> Option<&'a str> {
        self.optional(name)?;
        self.text(name, found)
    }

    pub(crate) fn number(&self, name: &str, found: &mut Vec<Diagnostic>) -> Option<f64> {
        let value = self.required(name, found)?;
        if !value.is_number() {
            self.wrong(name, "a number", value, found);
        }
        value.as_f64()
    }

    pub(crate) fn optional_number(&self, name: &str, found: &mut Vec<Diagnostic>) -> Option<f64> {
        self.optional(name)?;
        self.number(name, found)
    }

    /// A whole number that fits `T`; `1e3` counts as whole.
    pub(crate) fn whole<T: TryFrom<i128>>(&self, name: &str, found: &mut Vec<Diagnostic>) -> Option<T> {
        let value = self.required(name, found)?;
        let whole = whole_number(value).and_then(|whole| T::try_from(whole).ok());
        if whole.is_none() {
            let shown = if value.is_number() { value.to_string() } else { type_name(value).to_owned() };
            let message = format!("\"{name}\" must be a whole number in range, not {shown}");
            found.push(malformed(self.path_of(name), message));
        }
        whole
    }

    pub(crate) fn optional_whole<T: TryFrom<i128>>(
        &self,
        name: &str,
        found: &mut Vec<Diagnostic>,
    ) -> Option<T> {
        self.optional(name)?;
        self.whole(name, found)
    }

    /// The items of a list, each with its path.
    pub(crate) fn list(
        &self,
        name: &str,
        found: &mut Vec<Diagnostic>,
    ) -> Option<impl Iterator<Item = (Vec<String>, &'a Value)> + use<'a>> {
        let value = self.required(name, found)?;
        let Value::Array(items) = value else {
            self.wrong(name, "a list", value, found);
            return None;
        };
        let path = self.path_of(name);
        Some(items.iter().enumerate().map(move |(index, item)| (child(&path, index), item)))
    }

    pub(crate) fn optional_list(
        &self,
        name: &str,
        found: &mut Vec<Diagnostic>,
    ) -> Option<impl Iterator<Item = (Vec<String>, &'a Value)> + use<'a>> {
        self.optional(name)?;
        self.list(name, found)
    }

    /// One of a set of words; the message offers the nearest.
    pub(crate) fn optional_choice<T: Copy>(
        &self,
        name: &str,
        choices: &[(&'static str, T)],
        found: &mut Vec<Diagnostic>,
    ) -> Option<T> {
        let text = self.optional_text(name, found)?;
        let chosen = choices.iter().find(|(word, _)| *word == text).map(|(_, choice)| *choice);
        if chosen.is_none() {
            let hint = nearest::suggestion(text, choices.iter().map(|(word, _)| *word));
            found.push(malformed(self.path_of(name), format!("\"{name}\" cannot be \"{text}\": {hint}")));
        }
        chosen
    }

    /// Field names that mean nothing here; a misspelt field must not be taken for an absent one.
    pub(crate) fn reject_unknown(&self, known: &[&str], found: &mut Vec<Diagnostic>) {
        for name in self.object.keys().filter(|name| !known.contains(&name.as_str())) {
            let hint = nearest::suggestion(name, known.iter().copied());
            found.push(malformed(self.path_of(name), format!("unknown field \"{name}\": {hint}")));
        }
    }
}

/// The value as a whole number: integers, and floats without a fraction.
pub(crate) fn whole_number(value: &Value) -> Option<i128> {
    if let Some(whole) = value.as_i64() {
        return Some(i128::from(whole));
    }
    if let Some(whole) = value.as_u64() {
        return Some(i128::from(whole));
    }
    let float = value.as_f64()?;
    // Beyond 2^53 a float no longer names one whole number.
    (float == libm::trunc(float) && libm::fabs(float) <= 9_007_199_254_740_992.0).then_some(float as i128)
}
