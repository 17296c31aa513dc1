//! Full disks.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use crate::{
    checker::COMPLETED,
    client::{Refusal, Size},
    stage::{Suite, Trial, submit_jobs},
};

/// Jobs that may be accepted although no page is free any more: into the room that is left in pages.
const LAST_ONES: usize = 200;

/// The SQLite file can grow no more while jobs run and are submitted. Clients are told so, what is stored can be read, nothing
/// breaks, and with the room comes the rest of the results.
pub async fn full(suite: &Suite, trial: &Trial) {
    // Room for every result, and a lot that is in the way for a while.
    let limit_mb = trial.jobs as u64 + 24;
    let mut stage = suite.embedded(trial, &[("SQLITE_MAX_MB", &limit_mb.to_string())]).await;
    submit_jobs(&stage.people, 0..trial.jobs, &mut trial.rng()).await;
    stage.checker.execute(&format!("PRAGMA max_page_count = {}", limit_mb * 256)).await;
    stage.checker.execute("CREATE TABLE filler (bytes)").await;
    let mut bytes: u64 = 1 << 20;
    while bytes >= 1 << 10 {
        let fill = format!("INSERT INTO filler VALUES (zeroblob({bytes}))");
        // Larger pieces first, until not even the smallest fits.
        if !stage.checker.try_to(&fill).await {
            bytes /= 2;
        }
    }

    let mut keys = trial.jobs;
    let refusal = loop {
        assert!(keys < trial.jobs + LAST_ONES, "jobs are accepted, and the disk is full");
        keys += 1;
        match stage.people[0].submit_once(&format!("job-{keys}"), Size::Small, keys as u64).await {
            Ok(_) => {}
            Err(refusal) => break refusal,
        }
    };
    let Refusal::Fault { code, answer } = refusal else { panic!("{refusal:?}") };
    assert_eq!(code, "STORAGE_FULL", "{answer}");
    for word in ["SQL", "sqlite", "database", "Exec", "panic"] {
        assert!(!answer.contains(word), "the answer tells of the inside: {answer}");
    }
    let read = stage.people[0].send("{ viewer { designs(first: 5) { nodes { name } } } }", json!({})).await;
    assert!(read.is_ok(), "what is stored can be read: {read:?}");
    // Jobs run, and their results find no room, for a while.
    sleep(Duration::from_secs(5)).await;
    assert!(stage.api.program.is_alive(), "the api has ended");
    assert!(stage.checker.unsettled().await > Some(0), "some results do not fit");
    stage.checker.integrity().await;

    stage.checker.execute("DROP TABLE filler").await;
    stage.people[0].submit("after", Size::Small, keys as u64 + 1).await;
    stage.judge(keys + 1, COMPLETED, trial).await;
    stage.checker.integrity().await;
}
