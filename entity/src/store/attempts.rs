//! Simulation jobs as workers drive them. Every write compares (id, RUNNING, attempt) before it sets anything, so that a
//! worker that lost its job, or was handed the same job twice, changes nothing.
//!
//! Leases are written and judged by the clock of the database: a worker whose own clock is wrong neither loses its jobs nor
//! takes others'.

use std::time::Duration;

use sea_orm::{
    DbBackend, QueryOrder, QuerySelect, UpdateMany,
    entity::prelude::*,
    sea_query::{Condition, Expr, ExprTrait},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    begin, job_attempts,
    jobs::{self, Line},
    results::{self, NewRun},
    users,
};
use crate::{
    DatabaseConnection, DatabaseTransaction, StoreError,
    simulation_job::{Column, Entity, Model},
    status::{FailureCode, JobStatus},
    time,
};

/// Attempts that may end in an internal fault before the job is given up.
pub const MAX_FAULTS: i32 = 3;
/// Workers that may vanish under a job before it is given up: it is likely what kills them.
pub const MAX_WORKERS_LOST: i32 = 10;

/// What an attempt to start a job found.
#[derive(Clone, Debug)]
pub enum Claim {
    /// The job is now RUNNING under the claimer's lease.
    Started(Model),
    /// Nothing changed: its user's plan lets no further job run at present.
    PlanIsFull,
    /// Nothing changed: it runs already, or has ended.
    NotQueued(Model),
    Missing,
}

/// What became of a lease that was to be extended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    Held {
        cancel_requested: bool,
    },
    /// The job went on without this worker.
    Lost,
}

/// Why a job ended without a result. The message is shown to the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub code: FailureCode,
    pub message: String,
}

/// Why a running job goes back to the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requeue {
    /// The worker is shutting down; the attempt counts against nobody.
    HandedBack,
    /// There was no room for its result; the attempt counts against nobody.
    NoRoom,
    /// Something of ours broke.
    Fault,
    /// The lease ran out: the worker is believed dead. Applies only if it did run out.
    WorkerLost,
}

/// Starts a QUEUED job: RUNNING, the next attempt, a lease for `worker`, and a RUNNING run row.
pub async fn claim(
    db: &DatabaseConnection,
    id: Uuid,
    worker: &str,
    lease: Duration,
) -> Result<Claim, StoreError> {
    let tx = begin(db).await?;
    if is_plan_full(&tx, id).await? {
        return Ok(Claim::PlanIsFull);
    }
    let until = clock(db, lease);
    let started = jobs::update(
        &tx,
        Condition::all().add(Column::Id.eq(id)).add(Column::Status.eq(JobStatus::Queued)),
        |job| {
            job.col_expr(Column::Status, Expr::value(JobStatus::Running))
                .col_expr(Column::Attempt, Expr::col(Column::Attempt).add(1))
                .col_expr(Column::Worker, Expr::value(worker))
                .col_expr(Column::LeaseExpiresAt, until)
                .col_expr(Column::Progress, Expr::value(0.0))
                .col_expr(Column::StartedAt, Expr::value(time::now()))
        },
        |job| {
            Line::info(format!("attempt {} started on {worker}", job.attempt))
                .with(json!({ "attempt": job.attempt, "worker": worker }))
        },
    )
    .await?;
    let claim = match started {
        Some(job) => {
            job_attempts::open(&tx, &job, worker).await?;
            results::start(&tx, &job).await?;
            Claim::Started(job)
        }
        None => match jobs::find(&tx, id).await? {
            Some(job) => Claim::NotQueued(job),
            None => Claim::Missing,
        },
    };
    tx.commit().await?;
    Ok(claim)
}

/// Whether as many jobs of a waiting job's user run as may. The user's row is locked, so that of two workers that ask at
/// once the second sees what the first has started.
async fn is_plan_full(tx: &DatabaseTransaction, id: Uuid) -> Result<bool, StoreError> {
    let Some(job) = jobs::find(tx, id).await?.filter(|job| job.status == JobStatus::Queued) else {
        return Ok(false);
    };
    users::find_for_update(tx, job.user_id).await?;
    let running = jobs::count_running(tx, job.user_id).await?;
    Ok(running >= u64::from(job.max_concurrent_jobs.unsigned_abs()))
}

/// Extends the lease of a running attempt, and learns whether its user asked to cancel.
pub async fn renew_lease(
    db: &DatabaseConnection,
    id: Uuid,
    attempt: i32,
    lease: Duration,
) -> Result<Lease, StoreError> {
    let renewed = Entity::update_many()
        .filter(running(id, attempt))
        .col_expr(Column::LeaseExpiresAt, clock(db, lease))
        .exec_with_returning(db)
        .await?;
    Ok(match renewed.first() {
        Some(job) => Lease::Held { cancel_requested: job.cancel_requested },
        None => Lease::Lost,
    })
}

/// Records how far a running attempt is, from 0 to 1; None when the attempt is over.
pub async fn progress(
    db: &DatabaseConnection,
    id: Uuid,
    attempt: i32,
    progress: f64,
) -> Result<Option<Model>, StoreError> {
    jobs::touch(db, running(id, attempt), |job| job.col_expr(Column::Progress, Expr::value(progress))).await
}

/// Commits the result of an attempt in one transaction: run row, series, events, job COMPLETED. None, and nothing stored,
/// when the attempt is over.
pub async fn complete(
    db: &DatabaseConnection,
    id: Uuid,
    attempt: i32,
    run: &NewRun,
) -> Result<Option<Model>, StoreError> {
    let tx = begin(db).await?;
    let job = jobs::update(
        &tx,
        running(id, attempt),
        |job| ended(job, JobStatus::Completed).col_expr(Column::Progress, Expr::value(1.0)),
        |job| {
            let seconds = elapsed_seconds(job);
            Line::info(format!("finished in {seconds:.3} s"))
                .with(json!({ "attempt": job.attempt, "seconds": seconds }))
        },
    )
    .await?;
    if let Some(job) = &job {
        job_attempts::close(&tx, job, None).await?;
        results::complete(&tx, id, run).await?;
    }
    tx.commit().await?;
    Ok(job)
}

/// Ends a running attempt and its job as FAILED, or as TIMED_OUT when the failure is its timeout. None when the attempt is
/// over.
pub async fn fail(
    db: &DatabaseConnection,
    id: Uuid,
    attempt: i32,
    failure: &Failure,
) -> Result<Option<Model>, StoreError> {
    end(db, running(id, attempt), failure).await
}

/// Ends a running attempt and its job as CANCELED. None when the attempt is over.
pub async fn cancel(db: &DatabaseConnection, id: Uuid, attempt: i32) -> Result<Option<Model>, StoreError> {
    let tx = begin(db).await?;
    let job = jobs::update(
        &tx,
        running(id, attempt),
        |job| ended(job, JobStatus::Canceled),
        |_| Line::info("canceled"),
    )
    .await?;
    if let Some(job) = &job {
        job_attempts::close(&tx, job, None).await?;
        results::abandon(&tx, id).await?;
    }
    tx.commit().await?;
    Ok(job)
}

/// Sends a running job back to QUEUED, or ends it as FAILED when `why` has happened too often, or as CANCELED when its user
/// asked for that. None when the attempt is over, or its lease is good after all.
pub async fn requeue(
    db: &DatabaseConnection,
    id: Uuid,
    attempt: i32,
    why: Requeue,
) -> Result<Option<Model>, StoreError> {
    let mut guard = running(id, attempt);
    if why == Requeue::WorkerLost {
        guard = guard.add(lease_over(db));
    }
    let Some(job) = Entity::find().filter(guard.clone()).one(db).await? else { return Ok(None) };
    // The counters move only with the status, which the guard pins, so what was read still holds when the guard does.
    let (faults, workers_lost) = match why {
        Requeue::HandedBack | Requeue::NoRoom => (job.faults, job.workers_lost),
        Requeue::Fault => (job.faults + 1, job.workers_lost),
        Requeue::WorkerLost => (job.faults, job.workers_lost + 1),
    };
    if job.cancel_requested {
        return cancel(db, id, attempt).await;
    }
    if faults >= MAX_FAULTS {
        let message = format!("the simulation failed {faults} times for a reason of the server's own");
        return end(db, guard, &Failure { code: FailureCode::Internal, message }).await;
    }
    if workers_lost >= MAX_WORKERS_LOST {
        let message = format!("{workers_lost} workers were lost while they ran this simulation");
        return end(db, guard, &Failure { code: FailureCode::WorkerLost, message }).await;
    }
    let (line, code, message) = match why {
        Requeue::HandedBack => {
            let message = "handed back by a worker that is shutting down";
            (Line::info(message), FailureCode::WorkerLost, message)
        }
        Requeue::NoRoom => {
            let line = Line::warn("there was no room to store the result; the attempt will be repeated");
            (line, FailureCode::Internal, "there was no room for the result")
        }
        Requeue::Fault => {
            let line = Line::warn("the attempt met an internal fault; it will be repeated");
            (line, FailureCode::Internal, "an internal fault")
        }
        Requeue::WorkerLost => {
            let line = Line::warn("the worker was lost; the attempt will be repeated");
            (line, FailureCode::WorkerLost, "the worker was lost")
        }
    };
    let tx = begin(db).await?;
    let waiting = jobs::update(
        &tx,
        guard.clone().add(Column::CancelRequested.eq(false)),
        |job| {
            job.col_expr(Column::Status, Expr::value(JobStatus::Queued))
                .col_expr(Column::Faults, Expr::value(faults))
                .col_expr(Column::WorkersLost, Expr::value(workers_lost))
                .col_expr(Column::Worker, Expr::value(None::<String>))
                .col_expr(Column::LeaseExpiresAt, Expr::value(None::<DateTimeUtc>))
                .col_expr(Column::Progress, Expr::value(0.0))
        },
        |job| line.with(json!({ "attempt": job.attempt })),
    )
    .await?;
    if let Some(job) = &waiting {
        job_attempts::close(&tx, job, Some(&Failure { code, message: message.to_owned() })).await?;
    }
    tx.commit().await?;
    if waiting.is_some() {
        return Ok(waiting);
    }
    // Its user asked for its end since it was read, or somebody was faster.
    match Entity::find().filter(guard.add(Column::CancelRequested.eq(true))).one(db).await? {
        Some(_) => cancel(db, id, attempt).await,
        None => Ok(None),
    }
}

/// Running jobs whose lease has run out, the longest-lost first, `limit` at most.
pub async fn expired_leases(db: &DatabaseConnection, limit: u64) -> Result<Vec<Model>, StoreError> {
    Ok(Entity::find()
        .filter(Column::Status.eq(JobStatus::Running))
        .filter(lease_over(db))
        .order_by_asc(Column::LeaseExpiresAt)
        .limit(limit)
        .all(db)
        .await?)
}

async fn end(
    db: &DatabaseConnection,
    guard: Condition,
    failure: &Failure,
) -> Result<Option<Model>, StoreError> {
    let status = match failure.code {
        FailureCode::Timeout => JobStatus::TimedOut,
        _ => JobStatus::Failed,
    };
    let tx = begin(db).await?;
    let job = jobs::update(
        &tx,
        guard,
        |job| {
            ended(job, status)
                .col_expr(Column::FailureCode, Expr::value(failure.code))
                .col_expr(Column::FailureMessage, Expr::value(failure.message.as_str()))
        },
        |job| {
            Line::error(format!("failed: {}", failure.message))
                .with(json!({ "attempt": job.attempt, "code": failure.code }))
        },
    )
    .await?;
    if let Some(job) = &job {
        job_attempts::close(&tx, job, Some(failure)).await?;
        results::abandon(&tx, job.id).await?;
    }
    tx.commit().await?;
    Ok(job)
}

fn running(id: Uuid, attempt: i32) -> Condition {
    Condition::all()
        .add(Column::Id.eq(id))
        .add(Column::Status.eq(JobStatus::Running))
        .add(Column::Attempt.eq(attempt))
}

fn ended(job: UpdateMany<Entity>, status: JobStatus) -> UpdateMany<Entity> {
    job.col_expr(Column::Status, Expr::value(status))
        .col_expr(Column::LeaseExpiresAt, Expr::value(None::<DateTimeUtc>))
        .col_expr(Column::FinishedAt, Expr::value(time::now()))
}

fn elapsed_seconds(job: &Model) -> f64 {
    let elapsed = job.finished_at.zip(job.started_at).map(|(end, start)| end - start).unwrap_or_default();
    elapsed.num_milliseconds() as f64 / 1000.0
}

fn lease_over(db: &DatabaseConnection) -> Expr {
    Expr::col(Column::LeaseExpiresAt).lte(clock(db, Duration::ZERO))
}

/// The database's own time, `ahead` of now.
pub(super) fn clock(db: &DatabaseConnection, ahead: Duration) -> Expr {
    let seconds = ahead.as_secs_f64();
    Expr::cust(match db.get_database_backend() {
        DbBackend::Postgres => format!("clock_timestamp() + {seconds:.3} * interval '1 second'"),
        // The form in which a bound time is stored, so that the texts compare as times.
        _ => format!("strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now', '+{seconds:.3} seconds')"),
    })
}
