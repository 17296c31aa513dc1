//! Faults of the servers that the product stores its things in.

use std::time::Duration;

use rand::{RngExt as _, rngs::StdRng};
use tokio::time::sleep;

use crate::{
    checker::COMPLETED,
    stage::{Suite, Trial, submit_jobs},
};

/// Redis dies in the middle and comes back with nothing.
pub async fn redis_emptied(suite: &Suite, trial: &Trial) {
    let mut stage = suite.production(trial).await;
    let mut rng = trial.rng();
    let middle = trial.jobs / 2;
    submit_jobs(&stage.people, 0..middle, &mut rng).await;
    stage.redis.program.kill();
    let pause = moment(&mut rng, 100..2_000);
    let restart = async {
        sleep(pause).await;
        stage.redis.start_again().await;
    };
    // Some jobs are accepted while there is no queue.
    tokio::join!(submit_jobs(&stage.people, middle..trial.jobs, &mut rng), restart);
    stage.judge(trial.jobs, COMPLETED, trial).await;
}

/// Redis stands still for five seconds, and goes on as if nothing had happened.
pub async fn redis_paused(suite: &Suite, trial: &Trial) {
    let mut stage = suite.production(trial).await;
    let mut rng = trial.rng();
    let begin = moment(&mut rng, 100..1_500);
    let pause = async {
        sleep(begin).await;
        stage.redis.program.signal("STOP");
        sleep(Duration::from_secs(5)).await;
        stage.redis.program.signal("CONT");
    };
    tokio::join!(submit_jobs(&stage.people, 0..trial.jobs, &mut rng), pause);
    stage.judge(trial.jobs, COMPLETED, trial).await;
    stage.workers_survived();
}

/// PostgreSQL ends in the middle, in good order or as in a crash, and comes back.
pub async fn postgres_restarted(suite: &mut Suite, trial: &Trial) {
    let mut stage = suite.production(trial).await;
    let mut rng = trial.rng();
    let (begin, pause) = (moment(&mut rng, 300..2_000), moment(&mut rng, 0..2_000));
    // Sessions are ended by both; the first lets them roll back.
    let signal = if rng.random_bool(0.5) { "INT" } else { "QUIT" };
    let restart = async {
        sleep(begin).await;
        suite.postgres.program.end(signal).await;
        sleep(pause).await;
        suite.postgres.start_again().await;
    };
    tokio::join!(submit_jobs(&stage.people, 0..trial.jobs, &mut rng), restart);
    stage.judge(trial.jobs, COMPLETED, trial).await;
    stage.workers_survived();
}

fn moment(rng: &mut StdRng, milliseconds: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(rng.random_range(milliseconds))
}
