//! Writes what a simulation found: the run row, its series, its events.

use chrono::Duration;
use sea_orm::{
    ActiveValue::{NotSet, Set},
    DbBackend, Statement,
    entity::prelude::*,
    sea_query::Expr,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    DatabaseTransaction, StoreError, run_event, run_metric, simulation_job,
    simulation_run::{ActiveModel, Column, Entity},
    status::{RunEngine, RunStatus},
    time,
};

/// Rows in one statement on SQLite: six values each, under its limit of 32,766 values.
const SQLITE_ROWS: usize = 5_000;
/// Rows in one statement on PostgreSQL, where a column is one array: bounds the memory of both sides.
const POSTGRES_ROWS: usize = 20_000;

/// A result to store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewRun {
    pub throughput_qps: Option<f64>,
    pub latency_p50_ms: Option<f64>,
    pub latency_p95_ms: Option<f64>,
    pub latency_p99_ms: Option<f64>,
    pub total_io_pages: Option<i64>,
    pub cache_hit_ratio: Option<f64>,
    /// The report's whole summary.
    pub summary: Json,
    /// The rest of the report without series and events.
    pub metrics: Json,
    pub engine_version: String,
    pub result_hash: String,
    /// Events that happened; `events` may hold fewer.
    pub event_count: i64,
    pub series: Vec<NewSeries>,
    pub events: Vec<NewEvent>,
}

/// A time series in buckets of equal length; bucket `i` starts at `i × interval_ns` of virtual time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewSeries {
    pub name: String,
    pub unit: Option<String>,
    pub block_id: Option<String>,
    pub interval_ns: i64,
    /// A bucket in which nothing was measured holds none and is not stored.
    pub values: Vec<Option<f64>>,
}

/// A traced event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewEvent {
    pub sequence_number: i32,
    pub time_ns: i64,
    pub event_type: String,
    pub block_id: String,
    pub payload: Json,
}

/// Makes the run row of a job's attempt, or takes the one of an earlier attempt, as RUNNING from now on.
pub async fn start(tx: &DatabaseTransaction, job: &simulation_job::Model) -> Result<(), StoreError> {
    let now = time::now();
    let again = Entity::update_many()
        .filter(Column::JobId.eq(job.id))
        .col_expr(Column::Status, Expr::value(RunStatus::Running))
        .col_expr(Column::StartedAt, Expr::value(now))
        .exec(tx)
        .await?;
    if again.rows_affected > 0 {
        return Ok(());
    }
    let run = ActiveModel {
        id: Set(Uuid::now_v7()),
        design_id: Set(job.design_id),
        design_version_id: Set(job.design_version_id),
        workload_id: Set(job.workload_id),
        user_id: Set(Some(job.user_id)),
        job_id: Set(Some(job.id)),
        status: Set(RunStatus::Running),
        engine: Set(RunEngine::Server),
        started_at: Set(now),
        seed: Set(Some(job.seed)),
        created_at: Set(now),
        completed_at: NotSet,
        throughput_qps: NotSet,
        latency_p50_ms: NotSet,
        latency_p95_ms: NotSet,
        latency_p99_ms: NotSet,
        total_io_pages: NotSet,
        cache_hit_ratio: NotSet,
        summary: NotSet,
        metrics: NotSet,
        engine_version: NotSet,
        result_hash: NotSet,
        event_count: NotSet,
        event_bytes: NotSet,
    };
    Entity::insert(run).exec_without_returning(tx).await?;
    Ok(())
}

/// Fills the run row of a job with its result and marks it COMPLETED.
pub async fn complete(tx: &DatabaseTransaction, job_id: Uuid, new: &NewRun) -> Result<(), StoreError> {
    let run = Entity::update_many()
        .filter(Column::JobId.eq(job_id))
        .col_expr(Column::Status, Expr::value(RunStatus::Completed))
        .col_expr(Column::CompletedAt, Expr::value(time::now()))
        .col_expr(Column::ThroughputQps, Expr::value(new.throughput_qps))
        .col_expr(Column::LatencyP50Ms, Expr::value(new.latency_p50_ms))
        .col_expr(Column::LatencyP95Ms, Expr::value(new.latency_p95_ms))
        .col_expr(Column::LatencyP99Ms, Expr::value(new.latency_p99_ms))
        .col_expr(Column::TotalIoPages, Expr::value(new.total_io_pages))
        .col_expr(Column::CacheHitRatio, Expr::value(new.cache_hit_ratio))
        .col_expr(Column::Summary, Expr::value(new.summary.clone()))
        .col_expr(Column::Metrics, Expr::value(new.metrics.clone()))
        .col_expr(Column::EngineVersion, Expr::value(new.engine_version.as_str()))
        .col_expr(Column::ResultHash, Expr::value(new.result_hash.as_str()))
        .col_expr(Column::EventCount, Expr::value(new.event_count))
        .col_expr(Column::EventBytes, Expr::value(stored_bytes(&new.events)))
        .exec_with_returning(tx)
        .await?
        .pop()
        .ok_or_else(|| DbErr::RecordNotFound(format!("the run of job {job_id}")))?;
    insert_metrics(tx, run.id, run.started_at, &new.series).await?;
    insert_events(tx, run.id, &new.events).await
}

/// Marks the run row of a job that ends without a result as FAILED.
pub async fn abandon(tx: &DatabaseTransaction, job_id: Uuid) -> Result<(), StoreError> {
    Entity::update_many()
        .filter(Column::JobId.eq(job_id))
        .col_expr(Column::Status, Expr::value(RunStatus::Failed))
        .col_expr(Column::CompletedAt, Expr::value(time::now()))
        .exec(tx)
        .await?;
    Ok(())
}

async fn insert_metrics(
    tx: &DatabaseTransaction,
    run_id: Uuid,
    started_at: DateTimeUtc,
    series: &[NewSeries],
) -> Result<(), StoreError> {
    let rows: Vec<run_metric::Model> = series
        .iter()
        .zip(0..)
        .flat_map(|(one, number)| {
            let tags = tags(one);
            one.values.iter().zip(0i64..).filter_map(move |(value, bucket)| {
                Some(run_metric::Model {
                    run_id,
                    series: number,
                    time: started_at + Duration::nanoseconds(bucket * one.interval_ns),
                    metric_name: one.name.clone(),
                    metric_value: (*value)?,
                    tags: Some(tags.clone()),
                })
            })
        })
        .collect();
    insert_samples(tx, run_id, &rows).await
}

/// Stores samples of one run.
pub(super) async fn insert_samples(
    tx: &DatabaseTransaction,
    run_id: Uuid,
    rows: &[run_metric::Model],
) -> Result<(), StoreError> {
    if tx.get_database_backend() != DbBackend::Postgres {
        for chunk in rows.chunks(SQLITE_ROWS) {
            let rows = chunk.iter().cloned().map(run_metric::ActiveModel::from);
            run_metric::Entity::insert_many(rows).exec_without_returning(tx).await?;
        }
        return Ok(());
    }
    for chunk in rows.chunks(POSTGRES_ROWS) {
        let values: [Value; 6] = [
            run_id.into(),
            chunk.iter().map(|row| row.series).collect::<Vec<_>>().into(),
            chunk.iter().map(|row| row.time).collect::<Vec<_>>().into(),
            chunk.iter().map(|row| row.metric_name.clone()).collect::<Vec<_>>().into(),
            chunk.iter().map(|row| row.metric_value).collect::<Vec<_>>().into(),
            chunk
                .iter()
                .map(|row| row.tags.clone().unwrap_or_default().to_string())
                .collect::<Vec<_>>()
                .into(),
        ];
        tx.execute_raw(Statement::from_sql_and_values(
            DbBackend::Postgres,
            "INSERT INTO run_metrics (run_id, series, time, metric_name, metric_value, tags) \
             SELECT $1, series, time, name, value, tags::jsonb \
             FROM unnest($2::int4[], $3::timestamptz[], $4::text[], $5::float8[], $6::text[]) \
             AS row (series, time, name, value, tags)",
            values,
        ))
        .await?;
    }
    Ok(())
}

fn tags(series: &NewSeries) -> Json {
    let mut tags = json!({ "interval_ms": series.interval_ns as f64 / 1e6 });
    for (key, value) in [("block_id", &series.block_id), ("unit", &series.unit)] {
        if let Some(value) = value {
            tags[key] = value.as_str().into();
        }
    }
    tags
}

/// What events take, as the plan counts it: their texts, and their two numbers.
pub(super) fn stored_bytes(events: &[NewEvent]) -> i64 {
    let bytes = |event: &NewEvent| {
        event.event_type.len() + event.block_id.len() + event.payload.to_string().len() + 12
    };
    i64::try_from(events.iter().map(bytes).sum::<usize>()).unwrap_or(i64::MAX)
}

pub(super) async fn insert_events(
    tx: &DatabaseTransaction,
    run_id: Uuid,
    events: &[NewEvent],
) -> Result<(), StoreError> {
    if tx.get_database_backend() != DbBackend::Postgres {
        for chunk in events.chunks(SQLITE_ROWS) {
            let rows = chunk.iter().cloned().map(|event| run_event::ActiveModel {
                run_id: Set(run_id),
                sequence_number: Set(event.sequence_number),
                time_ns: Set(event.time_ns),
                event_type: Set(event.event_type),
                block_id: Set(event.block_id),
                payload: Set(event.payload),
            });
            run_event::Entity::insert_many(rows).exec_without_returning(tx).await?;
        }
        return Ok(());
    }
    for chunk in events.chunks(POSTGRES_ROWS) {
        let values: [Value; 6] = [
            run_id.into(),
            chunk.iter().map(|event| event.sequence_number).collect::<Vec<_>>().into(),
            chunk.iter().map(|event| event.time_ns).collect::<Vec<_>>().into(),
            chunk.iter().map(|event| event.event_type.clone()).collect::<Vec<_>>().into(),
            chunk.iter().map(|event| event.block_id.clone()).collect::<Vec<_>>().into(),
            chunk.iter().map(|event| event.payload.to_string()).collect::<Vec<_>>().into(),
        ];
        tx.execute_raw(Statement::from_sql_and_values(
            DbBackend::Postgres,
            "INSERT INTO run_events (run_id, sequence_number, time_ns, event_type, block_id, payload) \
             SELECT $1, sequence, time_ns, type, block_id, payload::jsonb \
             FROM unnest($2::int4[], $3::int8[], $4::text[], $5::text[], $6::text[]) \
             AS row (sequence, time_ns, type, block_id, payload)",
            values,
        ))
        .await?;
    }
    Ok(())
}
