//! Measured cases of real systems, simulated and scored. What does not agree is in `fidelity/known-misses.json` with its cause,
//! a list that may only become shorter.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeSet;

use engine::fidelity::{self, Case, Prediction, Score};
use serde_json::{Value, json};

fn cases() -> Vec<Case> {
    let file: Value = serde_json::from_str(include_str!("fidelity/train.json")).unwrap();
    fidelity::read(&file).unwrap()
}

/// Scores cases, and holds what misses to the known list, both ways.
fn check(cases: &[Case]) -> Score {
    let predictions: Vec<Prediction> = cases.iter().filter_map(fidelity::predict).collect();
    let score = fidelity::score(cases, &predictions);
    let known: Vec<Value> = serde_json::from_str(include_str!("fidelity/known-misses.json")).unwrap();
    let name = |miss: &Value| {
        (miss["id"].as_str().unwrap().to_owned(), miss["quantity"].as_str().unwrap().to_owned())
    };
    assert!(known.iter().all(|miss| miss["cause"].as_str().is_some_and(|cause| !cause.is_empty())));
    let found: BTreeSet<_> = score.misses.iter().map(name).collect();
    let known: BTreeSet<_> =
        known.iter().map(name).filter(|(id, _)| cases.iter().any(|case| case.id == *id)).collect();
    assert_eq!(found, known, "take what agrees now off the list; what does not has to be mended");
    score
}

fn of_kind(kind: &str) -> Vec<Case> {
    cases().into_iter().filter(|case| case.kind == kind).collect()
}

#[test]
fn postgresql_trees_heaps_buffers_versions_and_logs_agree() {
    for (kind, count, median_limit) in [
        ("pg_btree", 35, 0.5),
        ("pg_heap", 12, 0.01),
        ("pg_buffer", 30, 0.5),
        ("pg_bloat", 14, 0.1),
        ("pg_wal", 8, 1.0),
    ] {
        let cases = of_kind(kind);
        assert_eq!(cases.len(), count);
        let score = &check(&cases).by_kind[kind];
        assert_eq!(score.missing, 0);
        assert!(score.median_abs_pct_error.unwrap() <= median_limit, "{kind}: {score:?}");
    }
}

/// One case of a shape of trace, the one with the largest cache: `engine fidelity` runs them all.
fn policies_agree_on(shape: &str) {
    let mut cases = of_kind("cache");
    cases.retain(|case| {
        let trace = &case.config["trace"];
        trace["type"] == shape && trace["requests"].as_u64().unwrap() <= 1_000_000
    });
    cases.sort_by_key(|case| std::cmp::Reverse(case.config["cache_objects"].as_u64().unwrap()));
    let score = &check(&cases[..1]).by_kind["cache"];
    assert_eq!(score.missing, 0);
    assert!(score.median_abs_pct_error.unwrap() <= 0.5, "{score:?}");
}

#[test]
fn replacement_policies_agree_on_independent_requests() {
    policies_agree_on("zipf");
}

#[test]
fn replacement_policies_agree_on_a_loop() {
    policies_agree_on("loop");
}

#[test]
fn replacement_policies_agree_with_scans_in_between() {
    policies_agree_on("zipf_scan");
}

#[test]
fn replacement_policies_agree_when_the_hot_set_moves() {
    policies_agree_on("zipf_shift");
}

#[test]
fn replacement_policies_agree_beside_a_loop() {
    policies_agree_on("loop_zipf");
}

#[test]
fn compressed_and_expanded_cases_are_the_same() {
    let compressed = cases();
    assert_eq!(compressed.len(), 337);
    let expanded: Vec<Value> = compressed
        .iter()
        .map(|case| json!({"id": case.id, "kind": case.kind, "config": case.config, "results": case.results}))
        .collect();
    let again = fidelity::read(&Value::Array(expanded)).unwrap();
    for (one, other) in compressed.iter().zip(&again) {
        assert_eq!((&one.id, &one.config, &one.results), (&other.id, &other.config, &other.results));
        assert!(!one.config.contains_key("use") && one.results.iter().all(Value::is_object));
    }
}

#[test]
fn unknown_and_absent_is_missing_and_wrong_is_a_miss() {
    let mut cases = of_kind("pg_heap");
    cases.truncate(3);
    let mut predictions: Vec<Prediction> = cases.iter().filter_map(fidelity::predict).collect();
    cases[0].kind = "something else".to_owned();
    assert!(fidelity::predict(&cases[0]).is_none());
    predictions.remove(0);
    predictions[0].quantities["heap_pages"] = json!(1);
    predictions[1].quantities.remove("seqscan_page_accesses");
    let score = fidelity::score(&cases, &predictions);
    assert_eq!((score.cases, score.passed, score.misses.len()), (3, 0, 2));
    assert_eq!(score.by_kind["something else"].missing, 1);
}

#[test]
fn what_is_no_case_file_is_told() {
    for (file, told) in [
        (json!({}), "no list of cases"),
        (json!([{"id": "a"}]), "no \"kind\""),
        (
            json!({"kinds": {}, "cases": [{"id": "a", "kind": "b", "config": {}, "results": []}]}),
            "case a has no kind",
        ),
    ] {
        let error = fidelity::read(&file).unwrap_err();
        assert!(error.contains(told), "{error}");
    }
}
