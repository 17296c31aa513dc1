//! A line of a job's log.

use sea_orm::entity::prelude::*;

use crate::status::LogLevel;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "job_logs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub job_id: Uuid,
    /// The job's update sequence at which the line was told.
    #[sea_orm(primary_key, auto_increment = false)]
    pub sequence: i32,
    pub time: DateTimeUtc,
    pub level: LogLevel,
    pub message: String,
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub fields: Option<Json>,
}

impl ActiveModelBehavior for ActiveModel {}
