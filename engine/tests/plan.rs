//! The stable text form of plans, and which path serves which access.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use common::{canvas, plan};
use engine::templates;
use serde_json::json;

#[test]
fn the_plan_of_the_first_template_reads_like_this() {
    let text = plan(&templates::design("heap-btree").unwrap().canvas()).to_string();
    assert_eq!(text, include_str!("plan/heap-btree.txt"));
}

/// The lines of a plan that speak of paths.
fn paths(blocks: &[(&str, &str, serde_json::Value)], wires: &[&str]) -> Vec<String> {
    let text = plan(&canvas(blocks, wires)).to_string();
    text.lines()
        .filter(|line| line.starts_with("  point") || line.starts_with("  scan "))
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

#[test]
fn the_preferred_path_is_taken() {
    let blocks = [
        ("client", "client", json!({})),
        ("seq", "seq-scan", json!({})),
        ("ix", "index-scan", json!({})),
        ("index", "btree-index", json!({})),
        ("heap", "heap-storage", json!({})),
        ("disk", "disk", json!({})),
    ];
    let wires = [
        "client.out -> seq",
        "client.out -> ix",
        "seq.table -> heap",
        "ix.index -> index",
        "ix.table -> heap",
        "index.pages -> disk",
        "heap.pages -> disk",
    ];
    assert_eq!(
        paths(&blocks, &wires),
        [
            "point, range ix: search index, fetch rows from heap",
            "scan seq: read all of heap, 16 page(s) a request"
        ]
    );

    let bare =
        [("client", "client", json!({})), ("heap", "heap-storage", json!({})), ("disk", "disk", json!({}))];
    assert_eq!(
        paths(&bare, &["client.out -> heap", "heap.pages -> disk"]),
        ["point, range read all of heap, 1 page(s) a request", "scan read all of heap, 1 page(s) a request"]
    );

    let clustered = [
        ("client", "client", json!({})),
        ("rows", "clustered-storage", json!({})),
        ("disk", "disk", json!({})),
    ];
    assert_eq!(
        paths(&clustered, &["client.out -> rows", "rows.pages -> disk"]),
        ["point, range search the tree of rows", "scan read all of rows, 1 page(s) a request"]
    );

    let index_only =
        [("client", "client", json!({})), ("index", "btree-index", json!({})), ("disk", "disk", json!({}))];
    assert_eq!(
        paths(&index_only, &["client.out -> index", "index.pages -> disk"]),
        [
            "point, range search index, the index covers the row",
            "scan search index, the index covers the row"
        ]
    );
}
