//! Faults of workers.

use std::{
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use rand::RngExt as _;
use tokio::time::sleep;

use crate::{
    checker::COMPLETED,
    servers::run,
    stage::{Production, Suite, Trial, submit_jobs},
};

/// Every second a worker dies and another takes its place, until all is done.
pub async fn killed(suite: &Suite, trial: &Trial) {
    let mut stage = suite.production(trial).await;
    let (mut rng, mut luck) = (trial.rng(), trial.rng());
    let Production { people, checker, workers, .. } = &mut stage;
    let submitted = AtomicBool::new(false);
    let submitting = async {
        submit_jobs(people, 0..trial.jobs, &mut rng).await;
        submitted.store(true, Ordering::SeqCst);
    };
    let killing = async {
        let mut kills = 0;
        while !submitted.load(Ordering::SeqCst) || checker.unsettled().await != Some(0) || kills == 0 {
            sleep(Duration::from_secs(1)).await;
            let victim = &mut workers[luck.random_range(0..WORKERS)].program;
            victim.kill();
            victim.start();
            kills += 1;
        }
    };
    let both = async { tokio::join!(submitting, killing) };
    tokio::time::timeout(trial.patience(), both).await.expect("the jobs end although workers die");
    stage.judge(trial.jobs, COMPLETED, trial).await;
}

const WORKERS: usize = 3;

/// The clock of one worker jumps by an hour, there and back, while all work.
pub async fn clock_jumps(suite: &Suite, trial: &Trial) {
    let mut stage = suite.production(trial).await;
    let (mut rng, mut luck) = (trial.rng(), trial.rng());
    let clock = stage.folder().join("clock");
    let set_clock = |offset_seconds: i32| std::fs::write(&clock, format!("{offset_seconds:+}\n")).unwrap();
    set_clock(0);
    let library = run(Command::new("faketime").args(["-m", "-f", "+0", "printenv", "LD_PRELOAD"]));
    let worker = &mut stage.workers[0];
    worker.program.kill();
    worker.program.set_variables(&[
        ("LD_PRELOAD", library.trim()),
        ("FAKETIME_TIMESTAMP_FILE", &clock.display().to_string()),
        ("FAKETIME_NO_CACHE", "1"),
        // A clock that is set jumps; what measures spans of time does not.
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ]);
    worker.program.start();
    worker.ready().await;
    let jumping = async {
        for _ in 0..JUMPS {
            set_clock(if luck.random_bool(0.5) { HOUR } else { -HOUR });
            sleep(Duration::from_millis(luck.random_range(500..2_000))).await;
            set_clock(0);
            sleep(Duration::from_millis(luck.random_range(200..800))).await;
        }
        // It stays wrong.
        set_clock(HOUR);
    };
    tokio::join!(submit_jobs(&stage.people, 0..trial.jobs, &mut rng), jumping);
    let jobs = stage.work_alone(trial).await;
    stage.judge(trial.jobs + jobs, COMPLETED, trial).await;
    let told = stage.checker.jobs_started_at_odd_times().await;
    assert!(told > 0, "no job was started by the worker whose clock is wrong");
}

const HOUR: i32 = 3_600;
const JUMPS: usize = 3;
