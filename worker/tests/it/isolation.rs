//! Simulations in processes of their own.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use entity::status::{FailureCode, JobStatus};
use serde_json::json;
use uuid::Uuid;
use worker::{executor::Timing, isolation};

use crate::support::{World, canvas, endless_workload, small_workload};

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_worker"))
}

/// A program that does not do what it should; it goes when it is dropped.
struct Script(PathBuf);

impl Script {
    fn new(text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("simulator-child-{}", Uuid::new_v4()));
        std::fs::write(&path, format!("#!/bin/sh\nread -r task\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self(path)
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn a_child_finds_what_a_thread_finds() {
    for world in &World::all().await {
        let mut hashes = Vec::new();
        for executor in [world.executor(), world.executor().with_isolation_in(program())] {
            let job = world.queued().await;
            executor.drain().await.unwrap();
            world.assert_status(&job, JobStatus::Completed).await;
            let run = world.runs(&job).await.remove(0);
            hashes.push((run.result_hash, run.summary, run.metrics, run.event_count));
        }
        assert!(hashes[0].0.is_some());
        assert_eq!(hashes[0], hashes[1]);
        world.assert_queue_empty().await;
    }
}

#[tokio::test]
async fn a_child_that_does_not_end_is_killed_at_its_deadline() {
    let sleeper = Script::new("sleep 1000");
    for world in &World::all().await {
        for program in [program(), &sleeper.0] {
            // Nobody waits for a child to obey.
            let timing = Timing { overrun: Duration::from_secs(3_600), ..Timing::default() };
            let executor = world.executor().with_isolation_in(program).with_timing(timing);
            let job = world.job(canvas(), &endless_workload(), |new| new.timeout_seconds = 1).await;
            world.enqueue(&job).await;
            executor.drain().await.unwrap();
            world.assert_status(&job, JobStatus::TimedOut).await;
        }
    }
}

#[tokio::test]
async fn what_a_child_dies_of_is_what_the_job_fails_for() {
    for world in &World::all().await {
        for (text, code) in [
            ("kill -ABRT $$", FailureCode::MemoryLimit),
            ("kill -XCPU $$", FailureCode::Timeout),
            ("kill -KILL $$", FailureCode::Internal),
            ("echo nonsense", FailureCode::Internal),
            ("exit 0", FailureCode::Internal),
        ] {
            let script = Script::new(text);
            let executor = world.executor().with_isolation_in(&script.0);
            let job = world.queued().await;
            // What may be ours is tried three times.
            while !world.reread(&job).await.status.is_terminal() {
                executor.drain().await.unwrap();
                world.clock.advance(Duration::from_secs(60));
            }
            assert_eq!(world.reread(&job).await.failure_code, Some(code), "{text}");
        }
        world.assert_queue_empty().await;
    }
}

#[test]
fn a_child_is_bounded_by_the_system_and_does_not_outlive_its_parent() {
    let mut child = Command::new(program())
        .arg(isolation::ARGUMENT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let workload = serde_json::to_value(endless_workload()).unwrap();
    let task = json!({
        "canvas": canvas(), "workload": workload, "seed": 1, "trace": "none", "max_events": 0,
        "memory_limit_bytes": 1u64 << 30, "timeout_seconds": 100, "allow_sampling": false,
    });
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "{task}").unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("progress"));
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let limit = |name: &str| limits.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(limit("Max address space").contains(&((1u64 << 30) + (512 << 20)).to_string()), "{limits}");
    assert!(limit("Max cpu time").contains("105"), "{limits}");

    drop(input);
    assert!(!child.wait().unwrap().success(), "it ends with its parent's end of the pipe");
}

#[tokio::test]
async fn a_bad_design_is_refused_before_a_child_is_made() {
    for world in &World::all().await {
        let mut broken = canvas();
        broken["blocks"][0]["type"] = json!("abacus");
        let job = world.job(broken, &small_workload(), |_| {}).await;
        world.enqueue(&job).await;
        let nothing = Path::new("/nonexistent");
        world.executor().with_isolation_in(nothing).drain().await.unwrap();
        assert_eq!(world.reread(&job).await.failure_code, Some(FailureCode::InvalidDesign));
    }
}
