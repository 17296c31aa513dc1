//! Work the server does on the side (exports, reports, maintenance), on the rails of the simulation jobs.

use sea_orm::entity::prelude::*;

use crate::status::{FailureCode, JobStatus, Priority};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "background_jobs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// What is to be done; names the handler.
    pub kind: String,
    pub user_id: Option<Uuid>,
    #[sea_orm(column_type = "JsonBinary")]
    pub input: Json,
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub result: Option<Json>,
    pub status: JobStatus,
    pub priority: Priority,
    pub attempt: i32,
    pub faults: i32,
    pub workers_lost: i32,
    pub worker: Option<String>,
    pub lease_expires_at: Option<DateTimeUtc>,
    pub progress: f64,
    pub failure_code: Option<FailureCode>,
    pub failure_message: Option<String>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub started_at: Option<DateTimeUtc>,
    pub finished_at: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}
