use async_graphql::{Context, Enum, Error, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};
use entity::{job_log, simulation_job, status};
use serde_json::Value as Json;

use super::{
    design::Design, design_version::DesignVersion, job_list::log_connection, run::SimulationRun, user::User,
    workload::Workload,
};
use crate::graphql::{
    context::services,
    errors::internal,
    id::GlobalId,
    loaders::{DesignById, RunOfJob, UserById, VersionById, WorkloadById, load},
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

    /// How often a worker has started it.
    async fn attempt(&self) -> i32 {
        self.0.attempt
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
        let found = load(ctx, RunOfJob(self.0.id)).await.transpose()?;
        Some(found.map(SimulationRun::from))
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
