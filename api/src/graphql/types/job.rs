use async_graphql::{Context, Enum, Error, ID, Object, SimpleObject};
use chrono::{DateTime, TimeDelta, Utc};
use entity::{
    job_attempt, job_log, simulation_job, status,
    store::attempts::{MAX_FAULTS, MAX_WORKERS_LOST},
};
use serde_json::Value as Json;

use super::{
    design::Design, design_version::DesignVersion, job_list::log_connection, run::SimulationRun, user::User,
    workload::Workload,
};
use crate::graphql::{
    context::services,
    errors::internal,
    id::GlobalId,
    loaders::{AttemptsOf, DesignById, RunById, RunOfJob, UserById, VersionById, WorkloadById, load},
    pagination::{PageArgs, Paged},
    scalars::BigInt,
};

/// `SimulationJob` of the schema.
#[derive(Clone)]
pub struct SimulationJob(simulation_job::Model);

impl From<simulation_job::Model> for SimulationJob {
    fn from(row: simulation_job::Model) -> Self {
        Self(row)
    }
}

/// A simulation asked of the server.
#[Object]
impl SimulationJob {
    /// Opaque and globally unique; never parse it.
    pub async fn id(&self) -> ID {
        GlobalId::SimulationJob(self.0.id).into()
    }

    /// Terminal states never change.
    pub async fn status(&self) -> JobStatus {
        self.0.status.into()
    }

    /// 0 to 1.
    pub async fn progress(&self) -> f64 {
        self.0.progress
    }

    /// Why it ended without a result.
    pub async fn failure(&self) -> Option<JobFailure> {
        JobFailure::of(self.0.failure_code, self.0.failure_message.as_deref())
    }

    /// The lane it waits in.
    async fn priority(&self) -> JobPriority {
        self.0.priority.into()
    }

    /// How often a worker has started it; 0 while it waits for the first time, and where an earlier run answered it.
    async fn attempt(&self) -> i32 {
        self.0.attempt
    }

    /// The most attempts it can come to: it ends sooner when its attempts fail for a reason of the server's own, later ones
    /// only follow workers that were lost. An attempt that a worker handed back at its shutdown does not count.
    async fn max_attempts(&self) -> i32 {
        MAX_FAULTS + MAX_WORKERS_LOST - 1
    }

    /// Each time a worker took it, oldest first.
    async fn attempts(&self, ctx: &Context<'_>) -> Result<Vec<JobAttempt>, Error> {
        let rows = load(ctx, AttemptsOf(self.0.id)).await?.unwrap_or_default();
        Ok(rows.into_iter().map(JobAttempt::from).collect())
    }

    /// When it will have finished if it goes on as fast as it has since it started, its timeout at the latest; null unless
    /// it runs and has made progress.
    async fn estimated_finish_at(&self) -> Option<DateTime<Utc>> {
        let started_at = self.0.started_at.filter(|_| self.0.status == status::JobStatus::Running)?;
        if self.0.progress <= 0.0 {
            return None;
        }
        let elapsed_ms = (self.0.updated_at - started_at).num_milliseconds().max(0) as f64;
        let whole_ms = (elapsed_ms / self.0.progress).min(f64::from(self.0.timeout_seconds) * 1000.0);
        Some(started_at + TimeDelta::milliseconds(whole_ms as i64))
    }

    /// The time a run may take.
    async fn timeout_seconds(&self) -> i32 {
        self.0.timeout_seconds
    }

    /// Place in the order in which its lane would now be served; null unless QUEUED.
    async fn queue_position(&self, ctx: &Context<'_>) -> Option<Result<i32, Error>> {
        if self.0.status != status::JobStatus::Queued {
            return None;
        }
        let position = services(ctx).queue.position(self.0.id).await.map_err(internal).transpose()?;
        Some(position.map(|place| i32::try_from(place).unwrap_or(i32::MAX)))
    }

    /// The seed of the run's randomness.
    async fn seed(&self) -> Option<BigInt> {
        Some(BigInt(self.0.seed))
    }

    async fn design(&self, ctx: &Context<'_>) -> Option<Result<Design, Error>> {
        let found = load(ctx, DesignById(self.0.design_id)).await.transpose()?;
        Some(found.map(Design::from))
    }

    async fn design_version(&self, ctx: &Context<'_>) -> Option<Result<DesignVersion, Error>> {
        let found = load(ctx, VersionById(self.0.design_version_id)).await.transpose()?;
        Some(found.map(DesignVersion::from))
    }

    async fn workload(&self, ctx: &Context<'_>) -> Option<Result<Workload, Error>> {
        let found = load(ctx, WorkloadById(self.0.workload_id)).await.transpose()?;
        Some(found.map(Workload::from))
    }

    async fn submitted_by(&self, ctx: &Context<'_>) -> Option<Result<User, Error>> {
        let found = load(ctx, UserById(self.0.user_id)).await.transpose()?;
        Some(found.map(User::from))
    }

    /// Null until a worker has claimed the job; RUNNING while it runs.
    async fn run(&self, ctx: &Context<'_>) -> Option<Result<SimulationRun, Error>> {
        let found = match self.0.reused_run_id {
            Some(id) => load(ctx, RunById(id)).await,
            None => load(ctx, RunOfJob(self.0.id)).await,
        };
        Some(found.transpose()?.map(SimulationRun::from))
    }

    /// Whether an identical earlier run answered it.
    async fn reused(&self) -> bool {
        self.0.reused_run_id.is_some()
    }

    /// What happened to it, oldest first: lines of this level and above.
    async fn logs(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(default_with = "Some(LogLevel::Info)")] min_level: Option<LogLevel>,
    ) -> Option<Result<Paged<JobLog>, Error>> {
        let args = PageArgs { first, after, last, before };
        Some(log_connection(ctx, self.0.id, min_level.unwrap_or(LogLevel::Info), args).await)
    }

    pub async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When a worker started it last.
    async fn started_at(&self) -> Option<DateTime<Utc>> {
        self.0.started_at
    }

    pub async fn finished_at(&self) -> Option<DateTime<Utc>> {
        self.0.finished_at
    }
}

/// Life of a job; the last four are final.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "status::JobStatus")]
pub enum JobStatus {
    Queued,
    Running,
    Completed,
    Failed,
    Canceled,
    TimedOut,
}

/// HIGH is the premium queue; LOW is background work that never delays the other two.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "status::Priority")]
pub enum JobPriority {
    Low,
    Normal,
    High,
}

/// Why a job ended without a result.
#[derive(SimpleObject)]
pub struct JobFailure {
    code: JobFailureCode,
    message: String,
    /// Whether submitting the same again can end otherwise.
    retryable: bool,
}

impl JobFailure {
    /// What a job's row says of its failure.
    pub fn of(code: Option<status::FailureCode>, message: Option<&str>) -> Option<Self> {
        let code = code?;
        let message = message.unwrap_or_default().to_owned();
        Some(Self { code: code.into(), message, retryable: code.is_retryable() })
    }
}

/// Reasons for which jobs fail.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "status::FailureCode")]
pub enum JobFailureCode {
    Timeout,
    MemoryLimit,
    EventLimit,
    InvalidDesign,
    InvalidWorkload,
    WorkerLost,
    Internal,
}

/// One delivery to one worker.
#[derive(SimpleObject)]
pub struct JobAttempt {
    /// From 1.
    number: i32,
    worker: String,
    started_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    /// Why it gave no result; null on the last one of a completed job.
    failure: Option<JobFailure>,
}

impl From<job_attempt::Model> for JobAttempt {
    fn from(row: job_attempt::Model) -> Self {
        Self {
            number: row.number,
            worker: row.worker,
            started_at: row.started_at,
            finished_at: row.finished_at,
            failure: JobFailure::of(row.failure_code, row.failure_message.as_deref()),
        }
    }
}

/// A line of a job's log.
#[derive(SimpleObject)]
pub struct JobLog {
    /// The job's update sequence at which the line was told.
    sequence: i32,
    time: DateTime<Utc>,
    level: LogLevel,
    message: String,
    fields: Option<Json>,
}

impl From<job_log::Model> for JobLog {
    fn from(row: job_log::Model) -> Self {
        Self {
            sequence: row.sequence,
            time: row.time,
            level: row.level.into(),
            message: row.message,
            fields: row.fields,
        }
    }
}

/// Severity of a line.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "status::LogLevel")]
pub enum LogLevel {
    Debug,
    Info,
    Warn,
    Error,
}

/// How much of a run is kept as events: NONE keeps metrics only; SAMPLED keeps whole operations chosen at a fixed rate; FULL
/// keeps everything up to maxEvents.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "status::Trace")]
pub enum TraceLevel {
    None,
    Sampled,
    Full,
}
