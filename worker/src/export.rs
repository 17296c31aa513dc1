//! The handler of exports: everything a user owns, as one JSON document in pieces.

use entity::{
    DatabaseConnection, StoreError, background_job,
    store::{
        background::{self, Claim},
        exports::{self, Owned, OwnedRow},
        page::{Cursor, CursorKey, PageRequest},
        run_series::{self, SeriesRequest},
        runs::{self, EventFilter},
    },
};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::{
    error::{JobError, OrRetry, Outcome, backoff},
    executor::Executor,
    queue::Delivery,
};

/// Rows read at a time.
const PAGE: u64 = 100;
/// Events read at a time.
const EVENTS: u64 = 1_000;
/// A piece is stored when it is this long.
const PIECE_BYTES: usize = 256 << 10;

/// Why a text came to no end.
#[derive(Debug, thiserror::Error)]
enum ExportError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The job went on without this worker, or is gone with its user.
    #[error("the attempt is over")]
    Over,
}

/// Exports the data of the job's user, if that is still to be done.
pub(crate) async fn handle(executor: &Executor, delivery: &Delivery) -> Result<Outcome, JobError> {
    let (db, lease) = (&executor.services.db, executor.timing.lease);
    let job = match background::claim(db, delivery.id, &executor.worker, lease).await.or_retry()? {
        Claim::Started(job) => job,
        Claim::Leased => return Ok(Outcome::Retry { delay: lease }),
        Claim::Over => return Ok(Outcome::Done),
    };
    let Some(user_id) = job.user_id else { return Ok(Outcome::Abort) };
    match write(executor, &job, user_id).await {
        Ok(()) => {
            background::complete(db, job.id, job.attempt, None).await.or_retry()?;
            tracing::info!(%user_id, action = "user_data_exported", "a user's data was exported");
            Ok(Outcome::Done)
        }
        Err(ExportError::Over) => Ok(Outcome::Done),
        Err(ExportError::Store(error)) => {
            tracing::warn!(%error, "an export met a fault");
            let again = background::requeue(db, &job).await.or_retry()?;
            let delay = backoff(i64::from(job.faults) + 1);
            Ok(if again { Outcome::Retry { delay } } else { Outcome::Done })
        }
    }
}

async fn write(executor: &Executor, job: &background_job::Model, user_id: Uuid) -> Result<(), ExportError> {
    let db = &executor.services.db;
    exports::begin_text(db, user_id).await?;
    let mut text = Text { executor, job, piece: String::new(), stored: 0, progress: 0.0 };
    text.piece.push_str("{\"exported_at\":");
    text.value(&json!(entity::time::now())).await?;
    for (place, list) in (0u32..).zip(Owned::ALL) {
        text.progress = f64::from(place) / Owned::ALL.len() as f64;
        text.piece.push_str(&format!(",\"{}\":[", list.table()));
        let mut after = None;
        loop {
            let rows = exports::page(db, list, user_id, after, PAGE).await?;
            for (i, OwnedRow { id, row }) in rows.iter().enumerate() {
                if after.is_some() || i > 0 {
                    text.piece.push(',');
                }
                match list {
                    Owned::SimulationRuns => text.run(db, *id, row).await?,
                    Owned::SimulationJobs => {
                        let mut row = row.clone();
                        row["logs"] = exports::job_lines(db, *id).await?.into();
                        text.value(&row).await?;
                    }
                    _ => text.value(row).await?,
                }
            }
            after = rows.last().map(|row| row.id).or(after);
            if rows.len() < PAGE as usize {
                break;
            }
        }
        text.piece.push(']');
    }
    text.piece.push('}');
    text.store().await
}

/// A document that is stored in pieces as it grows.
struct Text<'a> {
    executor: &'a Executor,
    job: &'a background_job::Model,
    piece: String,
    stored: i32,
    progress: f64,
}

impl Text<'_> {
    async fn value(&mut self, value: &Json) -> Result<(), ExportError> {
        self.piece.push_str(&value.to_string());
        if self.piece.len() < PIECE_BYTES { Ok(()) } else { self.store().await }
    }

    /// A run with its series in columns and its events.
    async fn run(&mut self, db: &DatabaseConnection, id: Uuid, row: &Json) -> Result<(), ExportError> {
        let whole = SeriesRequest { max_points: u32::MAX, ..SeriesRequest::default() };
        let series = run_series::series(db, &[id], &whole).await?.remove(&id).unwrap_or_default();
        let series = series.into_iter().map(
            |one| json!({ "name": one.name, "tags": one.tags, "times": one.times, "values": one.values }),
        );
        let mut run = row.clone();
        run["series"] = series.collect();
        // An object's text without its last brace, so that the events can follow piece by piece.
        let opened = run.to_string();
        self.piece.push_str(opened.strip_suffix('}').unwrap_or(&opened));
        self.piece.push_str(",\"events\":[");
        let mut after = None;
        loop {
            let request = PageRequest { limit: EVENTS, backward: false, after: after.clone(), before: None };
            let page = runs::events(db, &[id], &EventFilter::default(), &request).await?.remove(&id);
            let Some(page) = page else { break };
            for (i, event) in page.rows.iter().enumerate() {
                if after.is_some() || i > 0 {
                    self.piece.push(',');
                }
                self.value(&json!({
                    "sequence": event.sequence_number,
                    "time_ns": event.time_ns,
                    "type": event.event_type,
                    "block_id": event.block_id,
                    "payload": event.payload,
                }))
                .await?;
            }
            let last = page.rows.last().map(|event| i64::from(event.sequence_number));
            after = last.map(|sequence| Cursor { key: CursorKey::Integer(sequence), id });
            if !page.has_next {
                break;
            }
        }
        self.piece.push_str("]}");
        Ok(())
    }

    /// Stores what has grown, and shows that this worker lives.
    async fn store(&mut self) -> Result<(), ExportError> {
        let Executor { services, timing, .. } = self.executor;
        let (job, progress) = (self.job, self.progress);
        if !background::progress(&services.db, job.id, job.attempt, progress, timing.lease).await? {
            return Err(ExportError::Over);
        }
        exports::append_text(&services.db, job.id, self.stored, std::mem::take(&mut self.piece)).await?;
        self.stored += 1;
        Ok(())
    }
}
