//! Equal input gives equal bytes; another seed gives other ones; and a pinned report tells when results change.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use engine::templates;
use engine::{Control, Options, TraceLevel, simulate};
use sha2::{Digest, Sha256};

fn bytes(design: &str, workload: &str, options: &Options) -> Vec<u8> {
    let plan = common::plan(&templates::design(design).unwrap().canvas());
    let mut workload = templates::workload(workload).unwrap().workload();
    workload.config.record_count = 20_000;
    workload.config.warmup_operations = Some(500);
    workload.config.total_operations = workload.config.total_operations.min(5_000);
    let report = simulate(&plan, &workload, options, &Control::default()).unwrap();
    assert_eq!(report.result_hash, report.compute_hash());
    serde_json::to_vec(&report).unwrap()
}

#[test]
fn every_template_runs_twice_to_the_same_bytes() {
    for design in templates::designs() {
        for trace in [TraceLevel::Sampled, TraceLevel::Full] {
            let options = Options { seed: 7, trace, ..Options::default() };
            let first = bytes(design.slug, design.workload_slug, &options);
            assert!(first == bytes(design.slug, design.workload_slug, &options), "{}", design.slug);
            let other = bytes(design.slug, design.workload_slug, &Options { seed: 8, ..options });
            assert!(
                first != other || design.workload_slug == "full-scans",
                "{}: the seed has no effect",
                design.slug
            );
        }
    }
}

/// Tracing observes a run and never changes it.
#[test]
fn the_trace_level_changes_no_figure() {
    let report = |trace| -> serde_json::Value {
        let options = Options { seed: 3, trace, ..Options::default() };
        let mut report: serde_json::Value =
            serde_json::from_slice(&bytes("heap-btree", "ycsb-a", &options)).unwrap();
        for field in ["events", "event_count", "result_hash", "warnings"] {
            report[field] = serde_json::Value::Null;
        }
        report
    };
    let silent = report(TraceLevel::None);
    assert_eq!(silent, report(TraceLevel::Sampled));
    assert_eq!(silent, report(TraceLevel::Full));
}

/// A change of these means that results of this version and of earlier ones must not be compared: raise the version, say so in
/// the change's description, and pin the new values.
#[test]
fn pinned_reports() {
    let hash = |design, workload| {
        let bytes = bytes(design, workload, &Options { seed: 42, ..Options::default() });
        let digest = Sha256::digest(&bytes);
        digest[..8].iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let pinned = [
        ("heap-btree", "ycsb-a", "0abca44fe3e53d1b"),
        ("heap-btree", "ycsb-e", "8c33efea146f04c5"),
        ("clustered-large-pool", "ycsb-f", "2bc416b73d98ee3a"),
        ("ingest-async-cloud", "inserts", "bc8a3c08d32c4409"),
        ("lsm-leveled", "ycsb-a", "fdcfac706b613bf3"),
        ("full-scan-ssd", "full-scans", "f85163e5d86a2829"),
    ];
    let found: Vec<_> =
        pinned.iter().map(|(design, workload, _)| (*design, *workload, hash(design, workload))).collect();
    let expected: Vec<_> =
        pinned.iter().map(|(design, workload, hash)| (*design, *workload, (*hash).to_owned())).collect();
    assert_eq!(found, expected);
}
