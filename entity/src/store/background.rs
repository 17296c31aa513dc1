//! Background jobs: the same life as simulation jobs, without logs and update numbers. Every write of a worker compares
//! (id, RUNNING, attempt) before it sets anything.

use std::time::Duration;

use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    QueryOrder, QuerySelect, UpdateMany,
    entity::prelude::*,
    sea_query::{Condition, Expr, ExprTrait, OnConflict},
};

use super::attempts::{Failure, MAX_FAULTS, MAX_WORKERS_LOST, clock};
use crate::{
    DatabaseConnection, StoreError,
    background_job::{ActiveModel, Column, Entity, Model},
    status::{FailureCode, JobStatus, Priority},
    time,
};

/// Kind of the jobs that export a user's data.
pub const USER_DATA_EXPORT: &str = "user_data_export";
/// Kind of the jobs that clean up once a night.
pub const MAINTENANCE: &str = "maintenance";

/// What an attempt to start a job found.
#[derive(Clone, Debug)]
pub enum Claim {
    /// The job is now RUNNING under the claimer's lease.
    Started(Box<Model>),
    /// Nothing changed: another worker is believed to run it.
    Leased,
    /// There is nothing left to do: it has ended, or is gone with its user.
    Over,
}

/// Stores a job as QUEUED. The caller commits and then tells the queue.
pub async fn insert(conn: &impl ConnectionTrait, user_id: Uuid, kind: &str) -> Result<Model, StoreError> {
    Ok(queued(Uuid::now_v7(), Some(user_id), kind).insert(conn).await?)
}

/// Stores a job of the server's own as QUEUED, unless there is one of this id. The reconciler tells the queue.
pub async fn insert_once(conn: &impl ConnectionTrait, id: Uuid, kind: &str) -> Result<(), StoreError> {
    let there = OnConflict::column(Column::Id).do_nothing().to_owned();
    let row = queued(id, None, kind);
    Entity::insert(row).on_conflict(there).exec_without_returning(conn).await?;
    Ok(())
}

fn queued(id: Uuid, user_id: Option<Uuid>, kind: &str) -> ActiveModel {
    let now = time::now();
    ActiveModel {
        id: Set(id),
        kind: Set(kind.to_owned()),
        user_id: Set(user_id),
        input: Set(Json::Object(Default::default())),
        result: Set(None),
        status: Set(JobStatus::Queued),
        priority: Set(Priority::Low),
        attempt: Set(0),
        faults: Set(0),
        workers_lost: Set(0),
        worker: Set(None),
        lease_expires_at: Set(None),
        progress: Set(0.0),
        failure_code: Set(None),
        failure_message: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
        started_at: Set(None),
        finished_at: Set(None),
    }
}

/// The job of this id, whoever's it is.
pub async fn find(conn: &impl ConnectionTrait, id: Uuid) -> Result<Option<Model>, StoreError> {
    Ok(Entity::find_by_id(id).one(conn).await?)
}

/// The jobs of a kind among these ids that are this user's, in any order.
pub async fn find_owned(
    conn: &impl ConnectionTrait,
    ids: &[Uuid],
    kind: &str,
    user_id: Uuid,
) -> Result<Vec<Model>, StoreError> {
    Ok(Entity::find()
        .filter(Column::Id.is_in(ids.iter().copied()))
        .filter(Column::Kind.eq(kind))
        .filter(Column::UserId.eq(user_id))
        .all(conn)
        .await?)
}

/// Whether a job of this kind of the user has not ended.
pub async fn has_unfinished(
    conn: &impl ConnectionTrait,
    user_id: Uuid,
    kind: &str,
) -> Result<bool, StoreError> {
    let unfinished = Entity::find()
        .filter(Column::UserId.eq(user_id))
        .filter(Column::Kind.eq(kind))
        .filter(Column::Status.is_in([JobStatus::Queued, JobStatus::Running]))
        .one(conn)
        .await?;
    Ok(unfinished.is_some())
}

/// Starts a job that waits, or one whose worker is lost: RUNNING, the next attempt, a lease for `worker`.
pub async fn claim(
    db: &DatabaseConnection,
    id: Uuid,
    worker: &str,
    lease: Duration,
) -> Result<Claim, StoreError> {
    let lost = Condition::all().add(Column::Status.eq(JobStatus::Running)).add(lease_over(db));
    let started = Entity::update_many()
        .col_expr(
            Column::WorkersLost,
            Expr::cust("workers_lost + CASE status WHEN 'running' THEN 1 ELSE 0 END"),
        )
        .col_expr(Column::Status, Expr::value(JobStatus::Running))
        .col_expr(Column::Attempt, Expr::col(Column::Attempt).add(1))
        .col_expr(Column::Worker, Expr::value(worker))
        .col_expr(Column::LeaseExpiresAt, clock(db, lease))
        .col_expr(Column::StartedAt, Expr::col(Column::StartedAt).if_null(Expr::value(time::now())))
        .col_expr(Column::UpdatedAt, Expr::value(time::now()))
        .filter(Column::Id.eq(id))
        .filter(Condition::any().add(Column::Status.eq(JobStatus::Queued)).add(lost))
        .exec_with_returning(db)
        .await?
        .pop();
    match started {
        Some(job) if job.workers_lost >= MAX_WORKERS_LOST => {
            let message = format!("{} workers were lost while they did this", job.workers_lost);
            fail(db, job.id, job.attempt, &Failure { code: FailureCode::WorkerLost, message }).await?;
            Ok(Claim::Over)
        }
        Some(job) => Ok(Claim::Started(Box::new(job))),
        None => match find(db, id).await? {
            Some(job) if job.status == JobStatus::Running => Ok(Claim::Leased),
            _ => Ok(Claim::Over),
        },
    }
}

/// Records how far a running attempt is, from 0 to 1, and extends its lease. False when the attempt is over.
pub async fn progress(
    db: &DatabaseConnection,
    id: Uuid,
    attempt: i32,
    progress: f64,
    lease: Duration,
) -> Result<bool, StoreError> {
    let told = Entity::update_many()
        .col_expr(Column::Progress, Expr::value(progress))
        .col_expr(Column::LeaseExpiresAt, clock(db, lease))
        .col_expr(Column::UpdatedAt, Expr::value(time::now()))
        .filter(running(id, attempt))
        .exec(db)
        .await?;
    Ok(told.rows_affected == 1)
}

/// Ends a running attempt and its job as COMPLETED, with what there is to tell of it. False when the attempt is over.
pub async fn complete(
    db: &DatabaseConnection,
    id: Uuid,
    attempt: i32,
    result: Option<Json>,
) -> Result<bool, StoreError> {
    end(db, id, attempt, JobStatus::Completed, |job| {
        job.col_expr(Column::Progress, Expr::value(1.0)).col_expr(Column::Result, Expr::value(result))
    })
    .await
}

/// Ends a running attempt and its job as FAILED. False when the attempt is over.
pub async fn fail(
    db: &DatabaseConnection,
    id: Uuid,
    attempt: i32,
    failure: &Failure,
) -> Result<bool, StoreError> {
    end(db, id, attempt, JobStatus::Failed, |job| {
        job.col_expr(Column::FailureCode, Expr::value(failure.code))
            .col_expr(Column::FailureMessage, Expr::value(failure.message.as_str()))
    })
    .await
}

async fn end(
    db: &DatabaseConnection,
    id: Uuid,
    attempt: i32,
    status: JobStatus,
    change: impl FnOnce(UpdateMany<Entity>) -> UpdateMany<Entity>,
) -> Result<bool, StoreError> {
    let ended = Entity::update_many()
        .col_expr(Column::Status, Expr::value(status))
        .col_expr(Column::LeaseExpiresAt, Expr::value(None::<DateTimeUtc>))
        .col_expr(Column::UpdatedAt, Expr::value(time::now()))
        .col_expr(Column::FinishedAt, Expr::value(time::now()))
        .filter(running(id, attempt));
    Ok(change(ended).exec(db).await?.rows_affected == 1)
}

/// Sends a running attempt that met a fault of ours back to QUEUED, or ends its job when that happened too often. True when
/// it is queued again.
pub async fn requeue(db: &DatabaseConnection, job: &Model) -> Result<bool, StoreError> {
    if job.faults + 1 >= MAX_FAULTS {
        let message = format!("it failed {} times for a reason of the server's own", job.faults + 1);
        fail(db, job.id, job.attempt, &Failure { code: FailureCode::Internal, message }).await?;
        return Ok(false);
    }
    let requeued = Entity::update_many()
        .col_expr(Column::Status, Expr::value(JobStatus::Queued))
        .col_expr(Column::Faults, Expr::col(Column::Faults).add(1))
        .col_expr(Column::LeaseExpiresAt, Expr::value(None::<DateTimeUtc>))
        .col_expr(Column::Progress, Expr::value(0.0))
        .col_expr(Column::UpdatedAt, Expr::value(time::now()))
        .filter(running(job.id, job.attempt))
        .exec(db)
        .await?;
    Ok(requeued.rows_affected == 1)
}

/// Jobs that wait, and jobs whose worker is lost: what the queue has to know of. The oldest first, `limit` at most.
pub async fn to_be_done(db: &DatabaseConnection, limit: u64) -> Result<Vec<Model>, StoreError> {
    let lost = Condition::all().add(Column::Status.eq(JobStatus::Running)).add(lease_over(db));
    Ok(Entity::find()
        .filter(Condition::any().add(Column::Status.eq(JobStatus::Queued)).add(lost))
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Id)
        .limit(limit)
        .all(db)
        .await?)
}

fn running(id: Uuid, attempt: i32) -> Condition {
    Condition::all()
        .add(Column::Id.eq(id))
        .add(Column::Status.eq(JobStatus::Running))
        .add(Column::Attempt.eq(attempt))
}

fn lease_over(db: &DatabaseConnection) -> Expr {
    Expr::col(Column::LeaseExpiresAt).lte(clock(db, Duration::ZERO))
}
