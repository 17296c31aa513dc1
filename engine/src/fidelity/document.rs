//! What the measured cases say about each block, for the catalogue, and about each kind, for people.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value;

use super::not_modelled::reason;
use super::score::{Score, errors, median_and_max};
use super::{Case, Prediction};
use crate::catalog::{Agreement, block_types};

/// By block type: how the cases that hold it came out. A block nothing measures is not in it.
pub fn agreement(cases: &[Case], predictions: &[Prediction], score: &Score) -> BTreeMap<String, Agreement> {
    let failed: BTreeSet<&str> = score.misses.iter().filter_map(|miss| miss["id"].as_str()).collect();
    let predicted: BTreeMap<&str, &Prediction> =
        predictions.iter().map(|prediction| (prediction.id.as_str(), prediction)).collect();
    let mut blocks = BTreeMap::new();
    for block in block_types() {
        let of_block = |case: &&Case| block.model.measured_by.contains(&case.kind.as_str());
        let held: Vec<&Case> = cases.iter().filter(of_block).collect();
        if held.is_empty() {
            continue;
        }
        let passed =
            held.iter().filter(|case| predicted.contains_key(&*case.id) && !failed.contains(&*case.id));
        let mut list: Vec<f64> =
            held.iter().filter_map(|case| Some(errors(case, predicted.get(&*case.id)?))).flatten().collect();
        let figures = median_and_max(&mut list);
        let systems: BTreeSet<&str> = held.iter().map(|case| case.system.as_str()).collect();
        blocks.insert(
            block.kind.to_owned(),
            Agreement {
                cases: held.len() as u32,
                passed: passed.count() as u32,
                median_error_percent: figures.map(|(median, _)| median),
                max_error_percent: figures.map(|(_, max)| max),
                systems: systems.into_iter().map(str::to_owned).collect(),
            },
        );
    }
    blocks
}

/// The report on agreement as Markdown. `known_misses`: the list of what does not agree, with causes.
pub fn markdown(cases: &[Case], predictions: &[Prediction], score: &Score, known_misses: &[Value]) -> String {
    let mut text = String::from(
        "# Agreement with measured systems\n\nWritten by `engine fidelity CASES --document DIR`; do not edit. A case passes when every \
         scored quantity is within the tolerance of a measured run. Errors are those of the scored numbers.\n\n",
    );
    let percent = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value}"));
    let _ = writeln!(
        text,
        "{} of {} cases pass.\n\n| kind | system | cases | passed | median error % | largest error % |\n|---|---|---|---|---|---|",
        score.passed, score.cases
    );
    for (kind, figures) in &score.by_kind {
        let of_kind = || cases.iter().filter(|case| case.kind == *kind);
        let systems: BTreeSet<&str> = of_kind().map(|case| case.system.as_str()).collect();
        let _ = writeln!(
            text,
            "| {kind} | {} | {} | {} | {} | {} |",
            systems.into_iter().collect::<Vec<_>>().join(", "),
            figures.cases,
            figures.passed,
            percent(figures.median_abs_pct_error),
            percent(figures.max_abs_pct_error),
        );
    }
    text.push_str("\n## Blocks\n");
    let agreement = agreement(cases, predictions, score);
    for block in block_types() {
        let _ = writeln!(text, "\n### {} (`{}`)\n", block.title, block.kind);
        if let Some(found) = agreement.get(block.kind) {
            let _ = writeln!(
                text,
                "{} of {} cases ({}); median error {} %, largest {} %.\n",
                found.passed,
                found.cases,
                block.model.measured_by.join(", "),
                percent(found.median_error_percent),
                percent(found.max_error_percent)
            );
        }
        for sentence in block.model.modelled {
            let _ = writeln!(text, "- {sentence}");
        }
        for sentence in block.model.not_modelled {
            let _ = writeln!(text, "- Not modelled: {sentence}");
        }
    }
    text.push_str("\n## Measured and not modelled\n\n");
    for ((kind, reason), names) in not_modelled(cases, predictions) {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(text, "- {kind}: {}. {reason}", names.join(", "));
    }
    text.push_str("\n## What does not agree\n\n");
    for miss in known_misses {
        let field = |name: &str| miss[name].as_str().unwrap_or_default();
        let _ = writeln!(text, "- `{}`, {}: {}", field("id"), field("quantity"), field("cause"));
    }
    text
}

/// Names of quantities by kind and reason.
fn not_modelled<'a>(
    cases: &'a [Case],
    predictions: &'a [Prediction],
) -> BTreeMap<(&'a str, &'static str), BTreeSet<&'a str>> {
    let kinds: BTreeMap<&str, &str> = cases.iter().map(|case| (&*case.id, &*case.kind)).collect();
    let mut names: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
    for prediction in predictions {
        let Some(kind) = kinds.get(&*prediction.id) else { continue };
        for name in &prediction.not_modelled {
            let reason = reason(kind, name).unwrap_or("No reason is stated.");
            names.entry((*kind, reason)).or_default().insert(name);
        }
    }
    names
}
