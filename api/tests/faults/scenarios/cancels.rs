//! Cancels that race with the ends of their jobs.

use std::{collections::BTreeMap, time::Duration};

use futures_util::{StreamExt as _, stream};
use rand::RngExt as _;
use tokio::time::sleep;

use crate::{
    client::{Refusal, Size, row_id},
    stage::{Suite, Trial},
};

/// Users who submit and cancel at a time.
const AT_ONCE: usize = 12;
/// The longest that one waits with a cancel.
const LATEST_MS: u64 = 250;

/// Twice as many jobs as the trial says, each canceled soon after it was accepted: before it starts, while it runs, and after
/// its end. What the answers say must be what became of the jobs.
pub async fn racing(suite: &Suite, trial: &Trial) {
    let stage = suite.production(trial).await;
    let mut rng = trial.rng();
    let jobs = 2 * trial.jobs;
    let delays: Vec<u64> = (0..jobs).map(|_| rng.random_range(0..LATEST_MS)).collect();
    let racing = stream::iter(delays.into_iter().enumerate()).map(async |(number, delay_ms)| {
        let person = &stage.people[number % stage.people.len()];
        let size = if number % 3 == 0 { Size::Medium } else { Size::Small };
        let id = person.submit(&format!("race-{number}"), size, number as u64 + 1).await;
        sleep(Duration::from_millis(delay_ms)).await;
        (row_id(&id), person.cancel(&id).await)
    });
    let answers: BTreeMap<String, Result<String, Refusal>> = racing.buffer_unordered(AT_ONCE).collect().await;
    let allowed = |id: &str, status: &str| match &answers[id] {
        // It waited, and will never start.
        Ok(answer) if answer == "CANCELED" => status == "canceled",
        // It ran, and its worker was asked to stop; the result may have been faster.
        Ok(_) => ["canceled", "completed"].contains(&status),
        Err(Refusal::Mistake { code, .. }) => code == "NOT_CANCELABLE" && status == "completed",
        Err(_) => false,
    };
    stage.judge(jobs, &allowed, trial).await;
    let canceled = answers.values().filter(|answer| answer.is_ok()).count();
    assert!(canceled > 0 && canceled < jobs, "{canceled} of {jobs} cancels came in time: nothing raced");
}
