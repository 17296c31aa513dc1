//! Jobs that want more memory than they may have.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use crate::{
    client::Size,
    stage::{Suite, Trial},
};

/// What a job may have.
const CAP_MB: u64 = 24;
/// Slots of a worker.
const SLOTS: u64 = 2;
/// Beside what jobs have: connections, buffers, and what an allocator keeps of what was given back.
const SLACK_KIB: u64 = 24 << 10;

/// Every job grows until it has all that it may. Each ends with a failure that says so, and no worker ever holds more than its slots
/// may have, by a quarter.
pub async fn capped(suite: &Suite, trial: &Trial) {
    let mut stage = suite.production(trial).await;
    for worker in &mut stage.workers {
        worker.program.stop().await;
        worker.program.set_variables(&[("JOB_MEMORY_MB", &CAP_MB.to_string())]);
        worker.program.start();
        worker.ready().await;
    }
    let base_kib: Vec<u64> = stage.workers.iter().map(|worker| worker.program.most_memory_kib()).collect();
    let jobs = trial.jobs.min(60);
    let mut ids = Vec::new();
    for number in 0..jobs {
        let person = &stage.people[number % stage.people.len()];
        ids.push((
            number % stage.people.len(),
            person.submit(&format!("growing-{number}"), Size::Growing, number as u64 + 1).await,
        ));
    }
    stage.judge(jobs, &|_, status| status == "failed", trial).await;
    for (person, id) in ids {
        let query = "query ($id: ID!) { simulationJob(id: $id) { failure { code } attempt } }";
        let job = stage.people[person].send(query, json!({ "id": id })).await.unwrap();
        let job = &job["simulationJob"];
        assert_eq!(
            (&job["failure"]["code"], &job["attempt"]),
            (&json!("MEMORY_LIMIT"), &json!(1)),
            "never tried again"
        );
    }
    // The last ones give back what they held.
    sleep(Duration::from_millis(200)).await;
    stage.workers_survived();
    for (worker, base_kib) in stage.workers.iter().zip(base_kib) {
        let most_kib = worker.program.most_memory_kib();
        let may_kib = base_kib + SLOTS * CAP_MB * 1024 * 5 / 4 + SLACK_KIB;
        println!("{}: {} MiB idle, {} MiB at most", worker.program.name, base_kib >> 10, most_kib >> 10);
        assert!(most_kib < may_kib, "{} held {most_kib} KiB, may hold {may_kib}", worker.program.name);
        assert!(most_kib > base_kib + CAP_MB * 1024 / 2, "{} never held what a job may", worker.program.name);
    }
}
