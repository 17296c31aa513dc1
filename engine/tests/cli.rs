//! The command line: what it prints, and how it exits.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![cfg(feature = "cli")]

mod common;

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

fn engine(arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_engine"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that fails on its arguments does not read its input.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn a_template_runs_and_the_report_comes_as_json() {
    let arguments = [
        "simulate",
        "--template",
        "heap-btree",
        "--records",
        "5000",
        "--operations",
        "2000",
        "--clients",
        "4",
    ];
    let (code, text, _) = engine(&arguments, "");
    assert_eq!(code, 0);
    for expected in ["2000 operations", "throughput", "where the p99 goes", "buffer-pool"] {
        assert!(text.contains(expected), "{expected} is missing in\n{text}");
    }
    let json_arguments: Vec<&str> = arguments.iter().copied().chain(["--json", "--seed", "9"]).collect();
    let (code, text, _) = engine(&json_arguments, "");
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, report["seed"].as_u64()), (0, Some(9)));
    assert_eq!(report["summary"]["operations"], 2000);
}

#[test]
fn a_canvas_is_read_from_standard_input() {
    let good = common::heap_btree(10, json!({})).to_string();
    assert_eq!(engine(&["validate", "-"], &good), (0, "valid\n".to_owned(), String::new()));
    let (code, text, _) = engine(&["plan", "-"], &good);
    assert!(code == 0 && text.contains("scan: search index, fetch rows from heap"));
    let bad = common::heap_btree(0, json!({"presett": "nvme"})).to_string();
    let (code, _, told) = engine(&["validate", "-"], &bad);
    assert_eq!(code, 1);
    assert!(told.contains("PARAMETER_OUT_OF_RANGE at blocks[4].parameters.capacity_pages"), "{told}");
    assert!(told.contains("UNKNOWN_PARAMETER at blocks[6].parameters.presett"), "{told}");
}

#[test]
fn what_cannot_be_read_exits_with_2_and_says_why() {
    for (arguments, input, expected) in [
        (vec!["validate", "no-such-file.json"], "", "cannot read no-such-file.json"),
        (vec!["validate", "-"], "{", "- is not JSON"),
        (vec!["simulate", "--template", "nothing"], "", "known are: heap-btree"),
        (vec!["simulate", "--template", "heap-btree", "--workload", "x"], "", "known are: ycsb-a"),
        (vec!["simulate"], "", "CANVAS"),
    ] {
        let (code, _, told) = engine(&arguments, input);
        assert_eq!(code, 2, "{arguments:?}");
        assert!(told.contains(expected), "{arguments:?}: {told}");
    }
}

#[test]
fn the_catalogue_lists_every_block() {
    let (code, text, _) = engine(&["catalog", "--json"], "");
    let types: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, types.as_array().unwrap().len()), (0, engine::catalog::block_types().len()));
    let (_, text, _) = engine(&["catalog"], "");
    assert!(engine::catalog::block_types().iter().all(|block| text.contains(block.kind)));
}

const SMALL: [&str; 4] = ["--records", "3000", "--operations", "2000"];

fn with_small(arguments: &[&'static str]) -> Vec<&'static str> {
    arguments.iter().chain(&SMALL).copied().collect()
}

#[test]
fn compare_says_what_is_significant() {
    let arguments = with_small(&["compare", "heap-btree", "bad-no-buffer", "--workload-template", "ycsb-c"]);
    let (code, text, told) = engine(&arguments, "");
    assert_eq!(code, 0, "{told}");
    let row = |metric: &str| text.lines().find(|line| line.starts_with(metric)).unwrap().to_owned();
    assert!(row("throughput 1/s").ends_with("  significant"), "{text}");
    assert!(row("pages read").ends_with("  significant"), "{text}");
    assert!(text.lines().last().unwrap().starts_with("Against A, B has "), "{text}");
    assert!(text.contains("5 runs of each, seeds 1 to 5"), "{text}");
    // The same design twice: common random numbers leave no difference at all.
    let (code, text, _) =
        engine(&with_small(&["compare", "heap-btree", "heap-btree", "--runs", "3", "--seed", "9"]), "");
    assert!(code == 0 && text.contains("seeds 9 to 11"));
    assert!(text.ends_with("Between A and B there is no difference beyond noise.\n"), "{text}");
    assert_eq!(text.matches("  no difference beyond noise").count(), text.matches(" ± 0 ").count(), "{text}");
}

#[test]
fn compare_reads_files_and_gives_every_run_as_json() {
    let folder = std::env::temp_dir().join(format!("engine-cli-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str, value: Value| {
        let path = folder.join(name);
        std::fs::write(&path, value.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let a = file("a.json", common::heap_btree(20, json!({})));
    let b = file("b.json", common::heap_btree(200, json!({})));
    let operations = json!([{"type": "SELECT", "template": common::READ, "weight": 1}]);
    let config = json!({"total_operations": 1_000, "record_count": 2_000});
    let workload = file("w.json", json!({"operations": operations, "config": config}));
    let (code, text, told) =
        engine(&["compare", &a, &b, "--workload", &workload, "--runs", "4", "--json"], "");
    assert_eq!(code, 0, "{told}");
    let found: Value = serde_json::from_str(&text).unwrap();
    let hits = &found["comparisons"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["metric"]["name"] == "hit ratio")
        .unwrap();
    assert_eq!(hits["verdict"], "significant");
    assert!(hits["difference"]["mean"].as_f64().unwrap() > 0.1, "{hits}");
    assert_eq!(found["b"]["samples"][0]["values"].as_array().unwrap().len(), 4);
    // What is wrong is said of the design it is wrong with.
    let bad = file("bad.json", common::heap_btree(0, json!({})));
    let (code, _, told) = engine(&["compare", &a, &bad, "--workload", &workload], "");
    assert_eq!(code, 1);
    assert!(told.contains("bad.json:\nerror PARAMETER_OUT_OF_RANGE at blocks[4]"), "{told}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn sweep_prints_a_row_a_value_and_the_knee() {
    // Uniform reads: each page more pays as much as the one before, until all are in the pool.
    let place = "pool.parameters.capacity_pages";
    let set = "pool.parameters.capacity_pages=40..400+40";
    let canvas = common::heap_btree(1, json!({})).to_string();
    let size = ["--records", "7000", "--operations", "20000"];
    let arguments = ["sweep", "-", "--workload-template", "point-reads-small", "--set", set];
    let (code, text, told) = engine(&[&arguments[..], &size].concat(), &canvas);
    assert_eq!(code, 0, "{told}");
    let rows: Vec<Vec<&str>> = text
        .lines()
        .skip(1)
        .take_while(|line| !line.is_empty())
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows.len(), 10, "{text}");
    assert!(text.starts_with(place) && rows[9][0] == "400", "{text}");
    let hit_ratio = |row: &[&str]| row[3].parse::<f64>().unwrap();
    // The corner lies between the last row that does not hold them all and the first that does.
    let first_full = rows.iter().position(|row| hit_ratio(row) == hit_ratio(&rows[9])).unwrap();
    let knee = rows[first_full - 1..=first_full]
        .iter()
        .any(|row| text.contains(&format!("Knee of hit ratio: {place}={};", row[0])));
    assert!(first_full < 9 && knee, "{text}");
    // Several settings make every combination; texts are values, too.
    let arguments = with_small(&[
        "sweep",
        "heap-btree",
        "--set",
        "workload.config.concurrency=1,4",
        "--set",
        "disk.parameters.preset=nvme,hdd",
        "--json",
    ]);
    let (code, text, told) = engine(&arguments, "");
    assert_eq!(code, 0, "{told}");
    let found: Value = serde_json::from_str(&text).unwrap();
    let values: Vec<&Value> =
        found["points"].as_array().unwrap().iter().map(|point| &point["values"]).collect();
    assert_eq!(values, [&json!([1, "nvme"]), &json!([1, "hdd"]), &json!([4, "nvme"]), &json!([4, "hdd"])]);
}

#[test]
fn values_of_a_sweep_are_checked_as_a_canvas_is() {
    for (set, code, expected) in [
        ("disk.parameters.slots=0,1", 1, "disk.parameters.slots=0:\nerror PARAMETER_OUT_OF_RANGE at blocks["),
        ("disk.parameters.slot=1", 1, "error UNKNOWN_PARAMETER at blocks["),
        ("workload.config.concurrency=0", 1, "error VALUE_OUT_OF_RANGE at config.concurrency"),
        ("workload.config.distribution=flat", 1, "config.distribution"),
        ("dsk.parameters.slots=1", 2, "\"dsk.parameters.slots\" is no place"),
        ("disk.parameters.slots=1..2", 2, "does not say how to go on"),
        ("disk.parameters.slots=1..1k+1", 2, "more than 256 values"),
        ("workload.nothing.there=1", 2, "\"workload.nothing.there\" is no place"),
    ] {
        let (found, _, told) = engine(&with_small(&["sweep", "heap-btree", "--set", set]), "");
        assert_eq!(found, code, "{set}: {told}");
        assert!(told.contains(expected), "{set}: {told}");
    }
    let (code, _, told) = engine(&["sweep", "nothing", "--set", "disk.parameters.slots=1"], "");
    assert!(code == 2 && told.contains("there is no file nothing"), "{told}");
}
