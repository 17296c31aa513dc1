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
        .args(["simulate", "--trace", "none", "--template", template, "--workload", workload])
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

#[test]
fn a_run_that_grows_ends_at_its_cap() {
    // Large enough that the program itself, a few megabytes, is little beside it.
    let cap_mb = 64;
    for template in ["lsm-leveled", "heap-btree"] {
        // Of an index that starts with a hundred million keys the bitmaps alone are too much, of an empty tree what it grows to.
        let records = if template == "heap-btree" { "100000000" } else { "1000" };
        let (peak, code, told) =
            run(template, "inserts", cap_mb, &["--records", records, "--operations", "30000000"]);
        assert!(code == 1 && told.contains("memory limit"), "{template}: {code} {told}");
        assert!(peak > 0 && peak <= cap_mb * 1024 * 5 / 4, "{template}: {peak} KiB");
    }
}

#[test]
fn a_run_that_ends_stays_within_its_cap() {
    let cap_mb = 40;
    let (peak, code, told) =
        run("heap-btree", "ycsb-a", cap_mb, &["--records", "20000000", "--operations", "100000"]);
    assert_eq!(code, 0, "{told}");
    assert!(peak <= cap_mb * 1024 * 5 / 4, "{peak} KiB");
}
