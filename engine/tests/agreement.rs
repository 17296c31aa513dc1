//! Measured cases of real systems, simulated and scored. What does not agree is in `fidelity/known-misses.json` with its cause,
//! a list that may only become shorter.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use engine::catalog::{self, Agreement};
use engine::fidelity::{self, Case, Prediction};
use serde_json::{Value, json};

fn cases() -> Vec<Case> {
    let file: Value = serde_json::from_str(include_str!("fidelity/train.json")).unwrap();
    fidelity::read(&file).unwrap()
}

/// The kinds that are simulated, each with its number of cases and the most its median error may be, in percent.
const KINDS: &[(&str, u32, f64)] = &[
    ("cache", 22, 0.2),
    ("innodb", 10, 0.1),
    ("innodb_pool", 5, 1.0),
    ("lsm_leveldb", 4, 6.0),
    ("lsm_read", 11, 2.0),
    ("lsm_write", 22, 0.5),
    ("pg_access", 40, 0.5),
    ("pg_bloat", 14, 0.1),
    ("pg_btree", 35, 0.1),
    ("pg_buffer", 30, 0.2),
    ("pg_hash", 8, 0.1),
    ("pg_heap", 12, 0.01),
    ("pg_locks", 17, 6.0),
    ("pg_join", 33, 0.1),
    ("pg_sort", 10, 2.0),
    ("pg_wal", 8, 1.0),
    // Engines are compared by their order alone.
    ("rank", 19, 0.0),
    ("sqlite_cache", 15, 0.2),
    ("sqlite_shape", 22, 0.1),
];

/// Every case of the file that is simulated, on as many threads as there are cores: a case knows of no other.
fn predictions(cases: &[Case]) -> Vec<Prediction> {
    let next = AtomicUsize::new(0);
    let work = || {
        let one = || cases.get(next.fetch_add(1, Ordering::Relaxed));
        std::iter::from_fn(one).filter_map(fidelity::predict).collect::<Vec<_>>()
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

#[test]
fn measured_cases_agree() {
    let cases = cases();
    let predictions = predictions(&cases);
    let score = fidelity::score(&cases, &predictions);

    // Whoever misses is known, and whoever is known misses.
    let known: Vec<Value> = serde_json::from_str(include_str!("fidelity/known-misses.json")).unwrap();
    assert!(known.iter().all(|miss| miss["cause"].as_str().is_some_and(|cause| !cause.is_empty())));
    let name = |miss: &Value| {
        (miss["id"].as_str().unwrap().to_owned(), miss["quantity"].as_str().unwrap().to_owned())
    };
    let found: BTreeSet<_> = score.misses.iter().map(name).collect();
    let named: BTreeSet<_> = known.iter().map(name).collect();
    assert_eq!(found, named, "take what agrees now off the list; what does not has to be mended");

    // What the catalogue tells of each block is what came out just now.
    let told: BTreeMap<String, Agreement> = catalog::block_types()
        .iter()
        .filter_map(|block| Some((block.kind.to_owned(), block.agreement()?)))
        .collect();
    assert_eq!(told, fidelity::agreement(&cases, &predictions, &score), "write engine/FIDELITY.md anew");

    let document = fidelity::markdown(&cases, &predictions, &score, &known);
    assert!(!document.contains("No reason is stated"), "say why in fidelity/not_modelled.rs: {document}");

    let (mut total, mut passed) = (0, 0);
    for &(kind, count, median_limit) in KINDS {
        let score = &score.by_kind[kind];
        assert_eq!((score.cases, score.missing), (count, 0), "{kind}");
        assert!(score.median_abs_pct_error.is_none_or(|median| median <= median_limit), "{kind}: {score:?}");
        total += score.cases;
        passed += score.passed;
    }
    assert!(f64::from(passed) >= 0.95 * f64::from(total), "{passed} of {total}");
    let others = score.by_kind.iter().filter(|(kind, _)| KINDS.iter().all(|known| known.0 != **kind));
    assert!(others.clone().all(|(_, score)| score.missing == score.cases), "list the kind above: {score:?}");
}

#[test]
fn trees_built_in_order_have_exactly_the_measured_pages() {
    let mut cases = of_kind("pg_btree");
    // Where no key is drawn at random, measured runs do not differ from each other.
    cases.retain(|case| !case.config["insert_order"].as_str().unwrap().contains("random"));
    assert_eq!(cases.len(), 24);
    for case in &cases {
        let prediction = fidelity::predict(case).unwrap();
        for quantity in ["pages_per_level_leaf_first", "total_pages"] {
            assert_eq!(prediction.quantities[quantity], case.results[0][quantity], "{} {quantity}", case.id);
        }
        let density = |value: &Value| value["avg_leaf_density_pct"].as_f64().unwrap();
        let simulated = prediction.quantities["avg_leaf_density_pct"].as_f64().unwrap();
        assert!((simulated - density(&case.results[0])).abs() < 0.1, "{}: {simulated}", case.id);
    }
}

fn of_kind(kind: &str) -> Vec<Case> {
    cases().into_iter().filter(|case| case.kind == kind).collect()
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
