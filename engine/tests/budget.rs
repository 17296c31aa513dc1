//! A run ends when it is told to, and never leaves a partial report.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use std::sync::Arc;

use common::{READ, UPDATE, heap_btree, plan, quiet, workload};
use engine::{Control, Options, SimulateError, StopCause, simulate};
use serde_json::{Value, json};

fn stopped(outcome: Result<engine::Report, SimulateError>) -> StopCause {
    match outcome {
        Err(SimulateError::Stopped(cause)) => cause,
        other => panic!("expected a stop, found {:?}", other.map(|report| report.summary)),
    }
}

fn long() -> engine::Workload {
    workload(
        &[(READ, 1.0, Value::Null), (UPDATE, 1.0, Value::Null)],
        json!({"total_operations": 1_000_000_000u64, "warmup_operations": 0, "concurrency": 8}),
    )
}

#[test]
fn a_stop_flag_set_before_the_run_ends_it_at_once() {
    let plan = plan(&heap_btree(100, json!({})));
    for cause in [StopCause::Canceled, StopCause::Deadline] {
        let control = Control::default();
        control.stop(cause);
        // The first cause given stays the one told.
        control.stop(StopCause::MemoryLimit);
        assert_eq!(stopped(simulate(&plan, &long(), &quiet(1), &control)), cause);
    }
}

#[test]
fn another_thread_stops_a_run_that_is_under_way() {
    let control = Arc::new(Control::default());
    let runner = {
        let control = Arc::clone(&control);
        std::thread::Builder::new()
            .spawn(move || simulate(&plan(&heap_btree(100, json!({}))), &long(), &quiet(1), &control))
            .unwrap()
    };
    // Progress shows that the run is in its loop; a thousand million operations leave it there.
    while control.progress() == 0.0 {
        std::thread::yield_now();
    }
    control.stop(StopCause::Canceled);
    assert_eq!(stopped(runner.join().unwrap()), StopCause::Canceled);
    assert!(control.progress() < 1.0);
}

#[test]
fn the_step_limit_counts_kernel_events() {
    let plan = plan(&heap_btree(100, json!({})));
    let options = Options { step_limit: 1_000, ..quiet(1) };
    assert_eq!(stopped(simulate(&plan, &long(), &options, &Control::default())), StopCause::StepLimit);
    let mut short = long();
    short.config.total_operations = 100;
    assert!(simulate(&plan, &short, &options, &Control::default()).is_ok());
}

#[test]
fn memory_is_charged_before_it_is_taken() {
    let plan = plan(&heap_btree(100, json!({})));
    let options = Options { memory_limit_bytes: 8 << 20, ..quiet(1) };
    let mut workload = long();
    workload.config.record_count = 1_000_000_000;
    assert_eq!(stopped(simulate(&plan, &workload, &options, &Control::default())), StopCause::MemoryLimit);
    // A pool's frames count too.
    let large_pool = common::plan(&heap_btree(10_000_000, json!({})));
    workload.config.record_count = 1_000;
    workload.config.total_operations = 100;
    assert_eq!(
        stopped(simulate(&large_pool, &workload, &options, &Control::default())),
        StopCause::MemoryLimit
    );
    assert!(simulate(&plan, &workload, &options, &Control::default()).is_ok());
}

#[test]
fn what_grows_during_a_run_is_charged_as_well() {
    // Rows are few at first; a million inserts outgrow the limit.
    let plan = plan(&heap_btree(100, json!({})));
    let mut workload = long();
    workload.operations =
        common::workload(&[(common::INSERT, 1.0, Value::Null)], json!({"total_operations": 1})).operations;
    workload.config.record_count = 1_000;
    workload.config.total_operations = 1_000_000;
    let enough = Options { memory_limit_bytes: 64 << 20, ..quiet(1) };
    let scarce = Options { memory_limit_bytes: 1 << 20, ..quiet(1) };
    assert_eq!(stopped(simulate(&plan, &workload, &scarce, &Control::default())), StopCause::MemoryLimit);
    assert!(simulate(&plan, &workload, &enough, &Control::default()).is_ok());
}

#[test]
fn a_finished_run_has_full_progress() {
    let control = Control::default();
    let mut workload = long();
    workload.config.total_operations = 1_000;
    simulate(&plan(&heap_btree(100, json!({}))), &workload, &quiet(1), &control).unwrap();
    assert_eq!(control.progress(), 1.0);
}
