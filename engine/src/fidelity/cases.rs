//! Reads a file of measured cases: a list of whole cases, or the compressed form, where a kind holds what its cases share.

use serde_json::{Map, Value};

/// One measured configuration.
#[derive(Debug, Clone)]
pub struct Case {
    pub id: String,
    pub kind: String,
    /// What was measured, with its version where the file states it; empty where it names none.
    pub system: String,
    pub config: Map<String, Value>,
    /// One object a run or seed.
    pub results: Vec<Value>,
}

/// The cases of a file, in its order.
///
/// # Errors
/// A sentence that names the case and the field that is not as it should be.
pub fn read(file: &Value) -> Result<Vec<Case>, String> {
    match file {
        Value::Array(cases) => cases.iter().map(|case| whole(case, &Value::Null)).collect(),
        _ => {
            let cases = file.get("cases").and_then(Value::as_array).ok_or("the file has no list of cases")?;
            cases.iter().map(|case| whole(case, file)).collect()
        }
    }
}

fn whole(case: &Value, file: &Value) -> Result<Case, String> {
    let text = |name: &str| {
        let value = case.get(name).and_then(Value::as_str);
        value.map(str::to_owned).ok_or_else(|| format!("a case has no \"{name}\""))
    };
    let (id, kind) = (text("id")?, text("kind")?);
    let missing = |what: &str| format!("case {id} has no {what}");
    let own = case.get("config").and_then(Value::as_object).ok_or_else(|| missing("config"))?;
    let results = case.get("results").and_then(Value::as_array).ok_or_else(|| missing("results"))?;
    let Some(kinds) = file.get("kinds") else {
        let system = system(case, &Value::Null, file);
        return Ok(Case { id, kind, system, config: own.clone(), results: results.clone() });
    };
    let shared = kinds.get(&kind).ok_or_else(|| missing("kind among the kinds of the file"))?;
    let mut config = shared.get("common_config").and_then(Value::as_object).cloned().unwrap_or_default();
    if let Some(bundle) = own.get("use").and_then(Value::as_str) {
        let bundle = shared.get("bundles").and_then(|bundles| bundles.get(bundle)).and_then(Value::as_object);
        config.extend(bundle.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())));
    }
    config.extend(own.iter().map(|(name, value)| (name.clone(), value.clone())));
    config.remove("use");
    let texts = shared.get("text");
    for value in config.values_mut() {
        if let Some(long) = value.as_str().and_then(|short| texts?.get(short)) {
            *value = long.clone();
        }
    }
    let results = match case.get("fields").and_then(Value::as_str) {
        None => results.clone(),
        Some(list) => {
            let fields = shared
                .get("result_fields")
                .and_then(|fields| fields.get(list)?.as_array())
                .ok_or_else(|| missing("list of result fields"))?;
            let named = |row: &Value| {
                let values = row.as_array().into_iter().flatten();
                let names = fields.iter().filter_map(Value::as_str).map(str::to_owned);
                Value::Object(names.zip(values.cloned()).collect())
            };
            results.iter().map(named).collect()
        }
    };
    let system = system(case, shared, file);
    Ok(Case { id, kind, system, config, results })
}

/// What was measured: a case's own word, else its kind's.
fn system(case: &Value, shared: &Value, file: &Value) -> String {
    let name =
        case.get("system").or_else(|| shared.get("system")).and_then(Value::as_str).unwrap_or_default();
    let version = file.get("system_versions").and_then(|versions| versions.get(name)?.as_str());
    version.map_or_else(|| name.to_owned(), |version| format!("{name} {version}"))
}

/// The fields of a result, those of nested objects with dots in their names.
pub(super) fn flat(result: &Value) -> Vec<(String, Value)> {
    let mut fields = Vec::new();
    for (name, value) in result.as_object().into_iter().flatten() {
        if value.is_object() {
            fields.extend(flat(value).into_iter().map(|(inner, value)| (format!("{name}.{inner}"), value)));
        } else {
            fields.push((name.clone(), value.clone()));
        }
    }
    fields
}

impl Case {
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        self.config.get(name)?.as_f64()
    }

    pub(super) fn whole(&self, name: &str) -> Option<u64> {
        self.config.get(name)?.as_u64()
    }

    /// The text of a field; empty when it has none.
    pub(super) fn text(&self, name: &str) -> &str {
        self.config.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A percentage as a ratio.
    pub(super) fn percent(&self, name: &str) -> Option<f64> {
        self.number(name).map(|percent| percent / 100.0)
    }
}
