//! One execution of a workload on a version of a design, and its result.

use sea_orm::entity::prelude::*;

use crate::status::{RunEngine, RunStatus};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "simulation_runs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub design_id: Uuid,
    pub design_version_id: Uuid,
    pub workload_id: Uuid,
    pub user_id: Option<Uuid>,
    /// The job that computed it; none for results saved by a client.
    pub job_id: Option<Uuid>,
    pub status: RunStatus,
    pub engine: RunEngine,
    pub started_at: DateTimeUtc,
    pub completed_at: Option<DateTimeUtc>,
    /// The summary's figures that lists filter and sort by.
    pub throughput_qps: Option<f64>,
    pub latency_p50_ms: Option<f64>,
    pub latency_p95_ms: Option<f64>,
    pub latency_p99_ms: Option<f64>,
    pub total_io_pages: Option<i64>,
    pub cache_hit_ratio: Option<f64>,
    /// The report's whole summary.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub summary: Option<Json>,
    /// The rest of the report (operations, blocks, latency breakdown, warnings) without series and events. Large: lists
    /// leave it out, so a row read from a list has none.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub metrics: Option<Json>,
    pub seed: Option<i64>,
    pub engine_version: Option<String>,
    pub result_hash: Option<String>,
    /// Events that happened; fewer may be stored.
    pub event_count: Option<i64>,
    /// What its stored events take, as the plan counts it.
    pub event_bytes: i64,
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
