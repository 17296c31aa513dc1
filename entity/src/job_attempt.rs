//! One time that a worker took a job.

use sea_orm::entity::prelude::*;

use crate::status::FailureCode;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "job_attempts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub job_id: Uuid,
    /// The job's `attempt` while it lasted, from 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i32,
    pub worker: String,
    pub started_at: DateTimeUtc,
    /// None while it lasts.
    pub finished_at: Option<DateTimeUtc>,
    /// Why it gave no result; none for one that did, and for one that was canceled.
    pub failure_code: Option<FailureCode>,
    /// Fit for the user's eyes.
    pub failure_message: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
