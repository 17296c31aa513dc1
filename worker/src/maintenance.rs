//! What has to be done once a night, whoever does it: rows that have had their time go.

use chrono::{DateTime, Days, NaiveDate, Utc};
use entity::{
    StoreError,
    store::{
        background::{self, Claim, MAINTENANCE},
        exports,
        maintenance::{self, Passing},
    },
};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use crate::{
    error::{JobError, OrRetry, Outcome, backoff},
    executor::Executor,
    queue::Delivery,
};

/// Rows removed by one statement.
const BATCH: u64 = 5_000;

/// The night that has come last: each begins at `hour` o'clock UTC.
pub(crate) fn last_night(now: DateTime<Utc>, hour: u32) -> NaiveDate {
    let begun = now.date_naive().and_hms_opt(hour, 0, 0).is_none_or(|start| start <= now.naive_utc());
    if begun { now.date_naive() } else { now.date_naive() - Days::new(1) }
}

/// Makes sure that the maintenance of a night is a job. Its id is the night's, so that of many workers one makes the row and
/// one does the work.
pub(crate) async fn schedule(executor: &Executor, night: NaiveDate) -> Result<(), StoreError> {
    let mut id = *b"maintenance-----";
    let date = night.format("%Y%m%d").to_string();
    id[8..].copy_from_slice(date.as_bytes());
    let id = uuid::Builder::from_custom_bytes(id).into_uuid();
    background::insert_once(&executor.services.db, id, MAINTENANCE).await
}

/// Removes what has had its time, if that is still to be done.
pub(crate) async fn handle(executor: &Executor, delivery: &Delivery) -> Result<Outcome, JobError> {
    let (db, lease) = (&executor.services.db, executor.timing.lease);
    let job = match background::claim(db, delivery.id, &executor.worker, lease).await.or_retry()? {
        Claim::Started(job) => job,
        Claim::Leased => return Ok(Outcome::Retry { delay: lease }),
        Claim::Over => return Ok(Outcome::Done),
    };
    match forget(executor, job.id, job.attempt).await {
        Ok(Some(removed)) => {
            tracing::info!(removed = %removed, action = "maintenance_done", "the night's maintenance is done");
            background::complete(db, job.id, job.attempt, Some(removed)).await.or_retry()?;
            Ok(Outcome::Done)
        }
        // The job went on without this worker.
        Ok(None) => Ok(Outcome::Done),
        Err(error) => {
            tracing::warn!(%error, "the maintenance met a fault");
            let again = background::requeue(db, &job).await.or_retry()?;
            let delay = backoff(i64::from(job.faults) + 1);
            Ok(if again { Outcome::Retry { delay } } else { Outcome::Done })
        }
    }
}

/// How many rows of each kind went; none when the attempt is over.
async fn forget(executor: &Executor, id: Uuid, attempt: i32) -> Result<Option<Json>, StoreError> {
    let Executor { services, timing, .. } = executor;
    let mut removed = Map::new();
    removed.insert("export_parts".into(), exports::forget_old(&services.db).await?.into());
    for (place, what) in (1u32..).zip(Passing::ALL) {
        let mut rows = 0;
        loop {
            let progress = f64::from(place) / (Passing::ALL.len() + 1) as f64;
            if !background::progress(&services.db, id, attempt, progress, timing.lease).await? {
                return Ok(None);
            }
            let batch = maintenance::forget(&services.db, what, BATCH).await?;
            rows += batch;
            if batch < BATCH {
                break;
            }
        }
        removed.insert(what.table().into(), rows.into());
    }
    Ok(Some(removed.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_night_begins_at_its_hour() {
        let night = |now: &str| last_night(now.parse().unwrap(), 3).to_string();
        assert_eq!(night("2026-03-01T02:59:59Z"), "2026-02-28");
        assert_eq!(night("2026-03-01T03:00:00Z"), "2026-03-01");
        assert_eq!(night("2026-03-01T23:59:59Z"), "2026-03-01");
    }
}
