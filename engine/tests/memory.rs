//! The memory a process really holds, against the cap it was given.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![cfg(all(feature = "cli", target_os = "linux"))]

use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Most memory a process has held so far, in KiB; absent once it has ended.
fn peak_kib(child: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Runs a template until it ends: its most memory in KiB, its exit code and what it said.
fn run(template: &str, workload: &str, memory_mb: u64, more: &[&str]) -> (u64, i32, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_engine"))
        .args(["simulate", "--template", template, "--workload", workload])
        .args(["--memory-mb", &memory_mb.to_string()])
        .args(more)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        peak = peak.max(peak_kib(&child).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(1));
    }
    let output = child.wait_with_output().unwrap();
    (peak, output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// What the program itself takes, in KiB: a run of next to nothing.
fn program_kib() -> u64 {
    let few = ["--records", "1000", "--operations", "20000", "--trace", "none"];
    run("heap-btree", "ycsb-a", 64, &few).0
}

#[test]
fn runs_that_grow_end_at_their_cap() {
    let program_kib = program_kib();
    let many = ["--trace", "none", "--records", "1000", "--operations", "30000000"];
    let hundred_million = ["--trace", "none", "--records", "100000000", "--operations", "1000"];
    let versions = ["--trace", "none", "--records", "1000000", "--operations", "3000000"];
    let every_event = ["--trace", "full", "--max-events", "100000000", "--operations", "3000000"];
    let designs: [(&str, &str, u64, &[&str]); 7] = [
        // Of an index that starts with a hundred million keys the bitmaps alone are too much, of an empty tree what it grows to.
        ("heap-btree", "inserts", 24, &hundred_million),
        ("clustered-large-pool", "inserts", 12, &many),
        ("lsm-leveled", "inserts", 32, &many),
        ("lsm-universal", "inserts", 32, &many),
        ("leveldb", "inserts", 32, &many),
        ("postgres-15", "ycsb-a", 12, &versions),
        ("heap-btree", "ycsb-a", 32, &every_event),
    ];
    for (template, workload, cap_mb, more) in designs {
        let (peak, code, told) = run(template, workload, cap_mb, more);
        assert!(code == 1 && told.contains("memory limit"), "{template}: {code} {told}");
        let held = peak.saturating_sub(program_kib);
        assert!(peak > 0 && held <= cap_mb * 1024 * 5 / 4, "{template}: {held} KiB of {cap_mb} MiB");
    }
}

/// A trace that is kept whole is held once more, and larger, as the report it ends up in.
#[test]
fn the_report_of_a_long_trace_is_charged_as_well() {
    let program_kib = program_kib();
    let long = ["--trace", "full", "--max-events", "50000", "--operations", "20000", "--records", "10000"];
    let (peak, code, told) = run("heap-btree", "ycsb-a", 100, &long);
    assert_eq!(code, 0, "{told}");
    assert!(peak - program_kib <= 100 * 1024 * 5 / 4, "{peak} KiB");
    let (_, code, told) = run("heap-btree", "ycsb-a", 24, &long);
    assert!(code == 1 && told.contains("memory limit"), "{code} {told}");
}

#[test]
fn a_run_that_ends_stays_within_its_cap() {
    let cap_mb = 40;
    let more = ["--trace", "none", "--records", "20000000", "--operations", "100000"];
    let (peak, code, told) = run("heap-btree", "ycsb-a", cap_mb, &more);
    assert_eq!(code, 0, "{told}");
    assert!(peak <= cap_mb * 1024 * 5 / 4, "{peak} KiB");
}
