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
