//! Simulation jobs as their users see them: submitting, finding, canceling, and the log. What workers do with a job is in
//! [`attempts`](super::attempts).

use sea_orm::{
    ActiveValue::Set,
    IntoActiveModel, QueryOrder, QuerySelect, UpdateMany,
    entity::prelude::*,
    sea_query::{Condition, Expr, ExprTrait, Order, Query},
};
use serde_json::json;

use super::{begin, results};
use crate::{
    DatabaseTransaction, StoreError, design_version, job_log,
    simulation_job::{ActiveModel, Column, Entity, Model},
    simulation_run,
    status::{JobStatus, LogLevel, Priority, RunStatus, Trace},
    time, workload,
};

/// A simulation to queue.
#[derive(Clone, Debug)]
pub struct NewJob {
    pub user_id: Uuid,
    pub design_id: Uuid,
    pub design_version_id: Uuid,
    pub workload_id: Uuid,
    pub priority: Priority,
    pub seed: i64,
    pub trace: Trace,
    pub max_events: i32,
    pub allow_sampling: bool,
    pub timeout_seconds: i32,
    pub memory_limit_bytes: i64,
    pub max_concurrent_jobs: i32,
    pub total_operations: i64,
    /// None: its result answers no other job.
    pub input_hash: Option<String>,
    pub request_id: Option<String>,
}

/// The same once more.
impl From<&Model> for NewJob {
    fn from(job: &Model) -> Self {
        Self {
            user_id: job.user_id,
            design_id: job.design_id,
            design_version_id: job.design_version_id,
            workload_id: job.workload_id,
            priority: job.priority,
            seed: job.seed,
            trace: job.trace,
            max_events: job.max_events,
            allow_sampling: job.allow_sampling,
            timeout_seconds: job.timeout_seconds,
            memory_limit_bytes: job.memory_limit_bytes,
            max_concurrent_jobs: job.max_concurrent_jobs,
            total_operations: job.total_operations,
            input_hash: job.input_hash.clone(),
            request_id: job.request_id.clone(),
        }
    }
}

/// What a request to cancel came to.
#[derive(Clone, Debug, PartialEq)]
pub enum CancelOutcome {
    /// It was waiting and will never start.
    Canceled(Model),
    /// It is running; its worker was asked to stop.
    Requested(Model),
    /// It had ended before.
    AlreadyEnded(Model),
    Missing,
}

/// Stores a job as QUEUED with the first line of its log. The caller commits `conn` and then tells the queue.
pub async fn insert(conn: &impl ConnectionTrait, new: NewJob) -> Result<Model, StoreError> {
    let job = queued(new);
    Entity::insert(active(job.clone())).exec_without_returning(conn).await?;
    log(conn, &job, Line::info("queued").with(json!({ "priority": job.priority }))).await?;
    Ok(job)
}

/// Stores a job as COMPLETED: `run_id` is what it would find.
pub async fn insert_answered(
    conn: &impl ConnectionTrait,
    new: NewJob,
    run_id: Uuid,
) -> Result<Model, StoreError> {
    let waiting = queued(new);
    let now = Some(waiting.created_at);
    let job = Model {
        status: JobStatus::Completed,
        progress: 1.0,
        reused_run_id: Some(run_id),
        started_at: now,
        finished_at: now,
        ..waiting
    };
    Entity::insert(active(job.clone())).exec_without_returning(conn).await?;
    log(conn, &job, Line::info("answered by an identical earlier run")).await?;
    Ok(job)
}

/// The newest run of this design that a worker completed for the same input.
pub async fn find_answer(
    conn: &impl ConnectionTrait,
    design_id: Uuid,
    input_hash: &str,
) -> Result<Option<Uuid>, StoreError> {
    let answers = Query::select()
        .column(Column::Id)
        .from(Entity)
        .and_where(Expr::col(Column::DesignId).eq(design_id))
        .and_where(Expr::col(Column::InputHash).eq(input_hash))
        // The words of the index.
        .and_where(Expr::cust("status = 'completed' AND reused_run_id IS NULL"))
        .order_by(Column::FinishedAt, Order::Desc)
        .limit(1)
        .to_owned();
    let run = simulation_run::Entity::find()
        .filter(simulation_run::Column::JobId.in_subquery(answers))
        .filter(simulation_run::Column::Status.eq(RunStatus::Completed))
        .one(conn)
        .await?;
    Ok(run.map(|run| run.id))
}

fn queued(new: NewJob) -> Model {
    let now = time::now();
    Model {
        id: Uuid::now_v7(),
        user_id: new.user_id,
        design_id: new.design_id,
        design_version_id: new.design_version_id,
        workload_id: new.workload_id,
        status: JobStatus::Queued,
        priority: new.priority,
        seed: new.seed,
        trace: new.trace,
        max_events: new.max_events,
        allow_sampling: new.allow_sampling,
        timeout_seconds: new.timeout_seconds,
        memory_limit_bytes: new.memory_limit_bytes,
        max_concurrent_jobs: new.max_concurrent_jobs,
        total_operations: new.total_operations,
        attempt: 0,
        faults: 0,
        workers_lost: 0,
        worker: None,
        lease_expires_at: None,
        cancel_requested: false,
        progress: 0.0,
        sequence: 1,
        failure_code: None,
        failure_message: None,
        input_hash: new.input_hash,
        reused_run_id: None,
        request_id: new.request_id,
        created_at: now,
        updated_at: now,
        started_at: None,
        finished_at: None,
    }
}

/// Every column is written, also those that hold their default.
fn active(job: Model) -> ActiveModel {
    job.into_active_model().reset_all()
}

/// The job of this id, whoever's it is: for workers and for data loaders that check rights by design.
pub async fn find(conn: &impl ConnectionTrait, id: Uuid) -> Result<Option<Model>, StoreError> {
    Ok(Entity::find_by_id(id).one(conn).await?)
}

/// The jobs of these ids in no particular order; missing ones are left out.
pub async fn find_many(conn: &impl ConnectionTrait, ids: &[Uuid]) -> Result<Vec<Model>, StoreError> {
    Ok(Entity::find().filter(Column::Id.is_in(ids.iter().copied())).all(conn).await?)
}

/// The job if this user submitted it.
pub async fn find_for_user(
    conn: &impl ConnectionTrait,
    id: Uuid,
    user_id: Uuid,
) -> Result<Option<Model>, StoreError> {
    Ok(Entity::find_by_id(id).filter(Column::UserId.eq(user_id)).one(conn).await?)
}

/// How many jobs of a user run at present.
pub async fn count_running(conn: &impl ConnectionTrait, user_id: Uuid) -> Result<u64, StoreError> {
    let running =
        Entity::find().filter(Column::UserId.eq(user_id)).filter(Column::Status.eq(JobStatus::Running));
    Ok(running.count(conn).await?)
}

/// What a job is to simulate, for the worker that runs it; none for what was deleted since it was submitted.
pub async fn inputs(
    conn: &impl ConnectionTrait,
    job: &Model,
) -> Result<(Option<design_version::Model>, Option<workload::Model>), StoreError> {
    let version = design_version::Entity::find_by_id(job.design_version_id).one(conn).await?;
    let workload = workload::Entity::find_by_id(job.workload_id).one(conn).await?;
    Ok((version, workload))
}

/// Cancels a waiting job, or asks the worker of a running one to stop. Asking twice changes nothing. The caller takes a
/// canceled job off the queue, and announces a request on the bus.
pub async fn request_cancel(db: &crate::DatabaseConnection, id: Uuid) -> Result<CancelOutcome, StoreError> {
    let tx = begin(db).await?;
    let waiting = update(
        &tx,
        Condition::all().add(Column::Id.eq(id)).add(Column::Status.eq(JobStatus::Queued)),
        |job| {
            job.col_expr(Column::Status, Expr::value(JobStatus::Canceled))
                .col_expr(Column::FinishedAt, Expr::value(time::now()))
        },
        |_| Line::info("canceled before it started"),
    )
    .await?;
    let outcome = match waiting {
        Some(job) => {
            // A job that was handed back has a run already.
            results::abandon(&tx, id).await?;
            CancelOutcome::Canceled(job)
        }
        None => {
            let asked = update(
                &tx,
                Condition::all()
                    .add(Column::Id.eq(id))
                    .add(Column::Status.eq(JobStatus::Running))
                    .add(Column::CancelRequested.eq(false)),
                |job| job.col_expr(Column::CancelRequested, Expr::value(true)),
                |_| Line::info("cancellation requested"),
            )
            .await?;
            match asked {
                Some(job) => CancelOutcome::Requested(job),
                None => match find(&tx, id).await? {
                    Some(job) if job.status.is_terminal() => CancelOutcome::AlreadyEnded(job),
                    Some(job) => CancelOutcome::Requested(job),
                    None => CancelOutcome::Missing,
                },
            }
        }
    };
    tx.commit().await?;
    Ok(outcome)
}

/// Waiting jobs from the oldest on, `limit` at most, after the one that was created at `after.0` under the id `after.1`.
pub async fn queued_after(
    conn: &impl ConnectionTrait,
    after: Option<(DateTimeUtc, Uuid)>,
    limit: u64,
) -> Result<Vec<Model>, StoreError> {
    let mut waiting = Entity::find()
        .filter(Column::Status.eq(JobStatus::Queued))
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Id)
        .limit(limit);
    if let Some((created_at, id)) = after {
        waiting = waiting.filter(
            Expr::tuple([Expr::col(Column::CreatedAt), Expr::col(Column::Id)])
                .gt(Expr::tuple([Expr::value(created_at), Expr::value(id)])),
        );
    }
    Ok(waiting.all(conn).await?)
}

/// Lines of the job's log with a sequence above `after_sequence`, oldest first, `limit` at most.
pub async fn logs(
    conn: &impl ConnectionTrait,
    job_id: Uuid,
    after_sequence: i32,
    limit: u64,
) -> Result<Vec<job_log::Model>, StoreError> {
    Ok(job_log::Entity::find()
        .filter(job_log::Column::JobId.eq(job_id))
        .filter(job_log::Column::Sequence.gt(after_sequence))
        .order_by_asc(job_log::Column::Sequence)
        .limit(limit)
        .all(conn)
        .await?)
}

/// A line for a job's log.
pub(super) struct Line {
    level: LogLevel,
    message: String,
    fields: Option<Json>,
}

impl Line {
    pub(super) fn info(message: impl Into<String>) -> Self {
        Self { level: LogLevel::Info, message: message.into(), fields: None }
    }

    pub(super) fn warn(message: impl Into<String>) -> Self {
        Self { level: LogLevel::Warn, ..Self::info(message) }
    }

    pub(super) fn error(message: impl Into<String>) -> Self {
        Self { level: LogLevel::Error, ..Self::info(message) }
    }

    pub(super) fn with(self, fields: Json) -> Self {
        Self { fields: Some(fields), ..self }
    }
}

/// Changes the job that `guard` matches, under the next number of its update sequence, and logs the change under the same
/// number. None when nothing matches: somebody else was faster.
pub(super) async fn update(
    tx: &DatabaseTransaction,
    guard: Condition,
    change: impl FnOnce(UpdateMany<Entity>) -> UpdateMany<Entity>,
    line: impl FnOnce(&Model) -> Line,
) -> Result<Option<Model>, StoreError> {
    let Some(job) = touch(tx, guard, change).await? else { return Ok(None) };
    log(tx, &job, line(&job)).await?;
    Ok(Some(job))
}

/// [`update`] without a line in the log.
pub(super) async fn touch(
    conn: &impl ConnectionTrait,
    guard: Condition,
    change: impl FnOnce(UpdateMany<Entity>) -> UpdateMany<Entity>,
) -> Result<Option<Model>, StoreError> {
    let next = Entity::update_many()
        .filter(guard)
        .col_expr(Column::Sequence, Expr::col(Column::Sequence).add(1))
        .col_expr(Column::UpdatedAt, Expr::value(time::now()));
    Ok(change(next).exec_with_returning(conn).await?.pop())
}

async fn log(conn: &impl ConnectionTrait, job: &Model, line: Line) -> Result<(), StoreError> {
    let row = job_log::ActiveModel {
        job_id: Set(job.id),
        sequence: Set(job.sequence),
        time: Set(job.updated_at),
        level: Set(line.level),
        message: Set(line.message),
        fields: Set(line.fields),
    };
    job_log::Entity::insert(row).exec_without_returning(conn).await?;
    Ok(())
}
