//! A sample of one of a run's time series.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "run_metrics")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub run_id: Uuid,
    /// Number of the series within the run: one for each (name, tags).
    #[sea_orm(primary_key, auto_increment = false)]
    pub series: i32,
    /// Start of the run plus the virtual time of the sample.
    #[sea_orm(primary_key, auto_increment = false)]
    pub time: DateTimeUtc,
    pub metric_name: String,
    pub metric_value: f64,
    /// `{"block_id", "unit", "interval_ms"}`, as far as they apply.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub tags: Option<Json>,
}

impl ActiveModelBehavior for ActiveModel {}
