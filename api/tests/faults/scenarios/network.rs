//! Faults of the network between workers and the servers.

use std::time::Duration;

use rand::{RngExt as _, seq::IndexedRandom as _};
use tokio::time::sleep;

use crate::{
    checker::COMPLETED,
    proxy::Network,
    stage::{Suite, Trial, submit_jobs},
};

/// Connections of workers are reset, refused and held up.
pub async fn cut(suite: &Suite, trial: &Trial) {
    let mut stage = suite.production(trial).await;
    let (mut rng, mut luck) = (trial.rng(), trial.rng());
    let cutting = async {
        for _ in 0..CUTS {
            sleep(Duration::from_millis(luck.random_range(100..500))).await;
            let worker = stage.workers.choose(&mut luck).unwrap();
            let proxy = if luck.random_bool(0.7) { &worker.to_postgres } else { &worker.to_redis };
            proxy.set(if luck.random_bool(0.5) { Network::Refuses } else { Network::Stalls });
            // Shorter than a lease, and longer.
            sleep(Duration::from_millis(luck.random_range(500..5_000))).await;
            // Whatever was held up is lost, or arrives after all.
            if luck.random_bool(0.5) {
                proxy.set(Network::Refuses);
                sleep(Duration::from_millis(200)).await;
            }
            proxy.set(Network::Works);
        }
    };
    tokio::join!(submit_jobs(&stage.people, 0..trial.jobs, &mut rng), cutting);
    stage.workers_survived();
    let jobs = stage.work_alone(trial).await;
    stage.judge(trial.jobs + jobs, COMPLETED, trial).await;
}

const CUTS: usize = 4;

/// Connections of every worker go silent for ever while jobs run; new ones work.
pub async fn silent(suite: &Suite, trial: &Trial) {
    let mut stage = suite.production(trial).await;
    let (mut rng, mut luck) = (trial.rng(), trial.rng());
    let forgetting = async {
        for worker in &stage.workers {
            sleep(Duration::from_millis(luck.random_range(300..1_500))).await;
            worker.to_postgres.forget();
            worker.to_redis.forget();
        }
    };
    tokio::join!(submit_jobs(&stage.people, 0..trial.jobs, &mut rng), forgetting);
    stage.workers_survived();
    let jobs = stage.work_alone(trial).await;
    stage.judge(trial.jobs + jobs, COMPLETED, trial).await;
}
