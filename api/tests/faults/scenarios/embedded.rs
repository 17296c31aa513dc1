//! Faults of the embedded mode.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::{
    checker::COMPLETED,
    client::Size,
    stage::{Suite, Trial, submit_jobs},
};

/// The one process dies while two jobs run and all the others wait.
pub async fn killed(suite: &Suite, trial: &Trial) {
    let mut stage = suite.embedded(trial, &[]).await;
    let (long, jobs) = (2, trial.jobs + 2);
    for number in 0..long {
        stage.people[number].submit(&format!("long-{number}"), Size::Long, number as u64 + 1).await;
    }
    let started = Instant::now();
    while stage.checker.running().await != Some(long as u64) {
        assert!(started.elapsed() < Duration::from_secs(20), "two jobs run at a time");
        sleep(Duration::from_millis(5)).await;
    }
    submit_jobs(&stage.people, long..jobs, &mut trial.rng()).await;
    stage.api.program.kill();
    assert_eq!(stage.checker.running().await, Some(long as u64), "both ran when the process died");
    assert_eq!(stage.checker.unsettled().await, Some(jobs as u64), "all waited when the process died");
    stage.api.start_again().await;
    stage.judge(jobs, COMPLETED, trial).await;
    stage.checker.integrity().await;
}
