//! A simulation asked of the server. The row is the truth about a job; the queue only wakes a worker.

use sea_orm::entity::prelude::*;

use crate::status::{FailureCode, JobStatus, Priority, Trace};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "simulation_jobs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: Uuid,
    pub design_id: Uuid,
    pub design_version_id: Uuid,
    pub workload_id: Uuid,
    pub status: JobStatus,
    pub priority: Priority,
    pub seed: i64,
    pub trace: Trace,
    pub max_events: i32,
    /// It may be simulated in part when it is too large for its limits.
    pub allow_sampling: bool,
    pub timeout_seconds: i32,
    pub memory_limit_bytes: i64,
    /// Jobs of its user that may run at a time, this one included.
    pub max_concurrent_jobs: i32,
    /// Operations of the workload, for estimates and quotas.
    pub total_operations: i64,
    /// How often a worker has started it.
    pub attempt: i32,
    /// Attempts that ended in an internal fault.
    pub faults: i32,
    /// Attempts whose worker vanished.
    pub workers_lost: i32,
    /// Who runs it, and until when that worker is believed alive without another sign.
    pub worker: Option<String>,
    pub lease_expires_at: Option<DateTimeUtc>,
    pub cancel_requested: bool,
    /// 0 to 1.
    pub progress: f64,
    /// Number of the newest update that subscribers were told of.
    pub sequence: i32,
    pub failure_code: Option<FailureCode>,
    /// Fit for the user's eyes.
    pub failure_message: Option<String>,
    /// What decides its result, hashed; none for jobs from before results were used again.
    pub input_hash: Option<String>,
    /// The earlier run that answered it.
    pub reused_run_id: Option<Uuid>,
    /// The HTTP request that submitted it, to follow it through the logs.
    pub request_id: Option<String>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    /// When its latest attempt started.
    pub started_at: Option<DateTimeUtc>,
    pub finished_at: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}
