//! Faults between a client's request and the job that comes of it.

use std::time::Duration;

use futures_util::future::join_all;
use rand::RngExt as _;
use tokio::time::sleep;

use crate::{
    checker::COMPLETED,
    client::{Refusal, Size},
    stage::{Suite, Trial},
};

/// Submits of the same job at a time.
const DUPLICATES: usize = 100;
/// Submits under way when the api dies.
const UNDER_WAY: usize = 4;

/// One job, asked for a hundred times at once, in each of a few rounds; then another input under its key.
pub async fn duplicated(suite: &Suite, trial: &Trial) {
    let stage = suite.production(trial).await;
    let rounds = (trial.jobs / 20).max(2);
    for round in 0..rounds {
        let person = &stage.people[round % stage.people.len()];
        let (key, seed) = (format!("again-{round}"), round as u64 + 1);
        let answers = join_all((0..DUPLICATES).map(|_| person.submit(&key, Size::Small, seed))).await;
        assert!(answers.iter().all(|id| *id == answers[0]), "every answer names the same job: {answers:?}");
        let other = person.submit_once(&key, Size::Small, seed + 1_000).await;
        let refused =
            matches!(&other, Err(Refusal::Mistake { code, .. }) if code == "IDEMPOTENCY_KEY_REUSED");
        assert!(refused, "another input under the same key: {other:?}");
    }
    stage.judge(rounds, COMPLETED, trial).await;
}

/// The api dies with requests under way, again and again. In every other round Redis stands still, so that rows are committed
/// and cannot come to the queue.
pub async fn api_killed(suite: &Suite, trial: &Trial) {
    let mut stage = suite.production(trial).await;
    let mut rng = trial.rng();
    let rounds = (trial.jobs / UNDER_WAY).max(4);
    for round in 0..rounds {
        let frozen = round % 2 == 0;
        // A request takes some milliseconds; one that waits for Redis has its row well before a second is over.
        let moment = Duration::from_millis(if frozen { 1_000 } else { rng.random_range(0..60) });
        if frozen {
            stage.redis.program.signal("STOP");
        }
        let people = &stage.people;
        let submits = join_all((0..UNDER_WAY).map(async |number| {
            let key = format!("round-{round}-{number}");
            let seed = (round * UNDER_WAY + number + 1) as u64;
            // No answer is one too.
            let _ = people[number].submit_once(&key, Size::Small, seed).await;
        }));
        let kill = async {
            sleep(moment).await;
            stage.api.program.kill();
        };
        tokio::join!(submits, kill);
        if frozen {
            stage.redis.program.signal("CONT");
        }
        stage.api.start_again().await;
    }
    let seen: usize = stage.people.iter().map(|person| person.accepted.lock().unwrap().len()).sum();
    let made = stage.checker.jobs_made().await;
    assert!(made >= seen + rounds / 2, "the api died between row and answer: {made} jobs, {seen} answers");
    stage.judge(rounds * UNDER_WAY, COMPLETED, trial).await;
}
