//! Scores predictions: a case passes when every scored quantity is given and close to a measured run, the nearest one because
//! seeds differ. A case without a prediction is missing, and has not passed.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Prediction;
use super::cases::{Case, flat};
use super::rules::rules;

/// Fields of a `rank` case, the quantity that decides, and the share of pairs that have to be in order.
const RANKS: [(&str, &str, f64); 2] = [
    ("decisive_fewer_bytes_written", "written_bytes_per_op", 1.0),
    ("decisive_less_cpu", "cpu_us_per_op", 0.8),
];

/// The cases of one kind.
#[derive(Debug, Clone, Default, Serialize)]
pub struct KindScore {
    pub cases: u32,
    pub passed: u32,
    pub missing: u32,
    pub median_abs_pct_error: Option<f64>,
    pub max_abs_pct_error: Option<f64>,
}

/// The whole file.
#[derive(Debug, Clone, Serialize)]
pub struct Score {
    pub cases: u32,
    pub passed: u32,
    /// Passed over all.
    pub share: f64,
    pub by_kind: BTreeMap<String, KindScore>,
    /// Each quantity out of its tolerance: `{id, quantity, measured, simulated}`.
    #[serde(skip)]
    pub misses: Vec<Value>,
}

/// Compares predictions with the cases they are about.
pub fn score(cases: &[Case], predictions: &[Prediction]) -> Score {
    let mut by_kind: BTreeMap<String, KindScore> = BTreeMap::new();
    let mut errors: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let mut misses = Vec::new();
    for case in cases {
        let kind = by_kind.entry(case.kind.clone()).or_default();
        kind.cases += 1;
        let Some(prediction) = predictions.iter().find(|prediction| prediction.id == case.id) else {
            kind.missing += 1;
            continue;
        };
        let before = misses.len();
        if case.kind == "rank" {
            rank(case, &prediction.quantities, &mut misses);
        } else {
            let errors = errors.entry(&case.kind).or_default();
            compare(case, &prediction.quantities, errors, &mut misses);
        }
        kind.passed += u32::from(misses.len() == before);
    }
    for (name, mut list) in errors {
        if let (Some(kind), Some((median, max))) = (by_kind.get_mut(name), median_and_max(&mut list)) {
            kind.median_abs_pct_error = Some(median);
            kind.max_abs_pct_error = Some(max);
        }
    }
    let total: u32 = by_kind.values().map(|kind| kind.cases).sum();
    let passed: u32 = by_kind.values().map(|kind| kind.passed).sum();
    let share = round(f64::from(passed) / f64::from(total.max(1)), 10_000.0);
    Score { cases: total, passed, share, by_kind, misses }
}

/// By how many percent each scored number of a case differs from the nearest measured one.
pub(super) fn errors(case: &Case, prediction: &Prediction) -> Vec<f64> {
    let mut errors = Vec::new();
    if case.kind != "rank" {
        compare(case, &prediction.quantities, &mut errors, &mut Vec::new());
    }
    errors
}

/// The middle of a list and its largest value, rounded as scores show them.
pub(super) fn median_and_max(list: &mut [f64]) -> Option<(f64, f64)> {
    list.sort_by(f64::total_cmp);
    let middle = list.len() / 2;
    let upper = *list.get(middle)?;
    let median = if list.len() % 2 == 1 { upper } else { (list[middle - 1] + upper) / 2.0 };
    list.last().map(|max| (round(median, 100.0), round(*max, 10.0)))
}

fn round(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}

fn compare(case: &Case, given: &Map<String, Value>, errors: &mut Vec<f64>, misses: &mut Vec<Value>) {
    let runs: Vec<Map<String, Value>> =
        case.results.iter().map(|run| flat(run).into_iter().collect()).collect();
    for (quantity, check) in rules(case) {
        let measured: Vec<&Value> =
            runs.iter().filter_map(|run| run.get(&quantity)).filter(|value| !value.is_null()).collect();
        if measured.is_empty() {
            continue;
        }
        let simulated = given.get(&quantity);
        if !simulated.is_some_and(|simulated| measured.iter().any(|run| check.holds(run, simulated))) {
            misses.push(json!({
                "id": case.id, "quantity": quantity, "measured": measured, "simulated": simulated,
            }));
        }
        if let Some(simulated) = simulated.and_then(Value::as_f64) {
            let distance = |value: &f64| (value - simulated).abs();
            let numbers = measured.iter().filter_map(|value| value.as_f64());
            let nearest = numbers.min_by(|a, b| distance(a).total_cmp(&distance(b)));
            if let Some(nearest) = nearest.filter(|nearest| *nearest != 0.0) {
                errors.push(100.0 * distance(&nearest) / nearest.abs());
            }
        }
    }
}

/// Pairs of engines `better>worse`: the first has to come out lower.
fn rank(case: &Case, given: &Map<String, Value>, misses: &mut Vec<Value>) {
    for (field, metric, share) in RANKS {
        let pairs = case.results.first().and_then(|result| result.get(field)?.as_array());
        let pairs: Vec<&str> = pairs.into_iter().flatten().filter_map(Value::as_str).collect();
        let value = |engine: &str| given.get(&format!("{metric}.{engine}")).and_then(Value::as_f64);
        let right = pairs.iter().filter(|pair| {
            let engines = pair.split_once('>').and_then(|(a, b)| value(a).zip(value(b)));
            engines.is_some_and(|(better, worse)| better < worse)
        });
        let right = right.count();
        if (right as f64) < share * pairs.len() as f64 {
            misses.push(json!({"id": case.id, "quantity": field, "pairs": pairs.len(), "right": right}));
        }
    }
}
