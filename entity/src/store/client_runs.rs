//! Results that were computed by a client: stored whole, and their events as they arrive.

use std::collections::HashSet;

use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    FromQueryResult, IntoActiveModel, QuerySelect,
    entity::prelude::*,
    sea_query::{Expr, Query},
};

use super::{
    results::{NewEvent, insert_events, insert_samples, stored_bytes},
    runs::all,
};
use crate::{
    DatabaseTransaction, StoreError, run_event, run_metric,
    simulation_run::{ActiveModel, Column, Entity, Model},
    status::{RunEngine, RunStatus},
    time,
};

/// A completed run to store.
#[derive(Clone, Debug)]
pub struct NewClientRun {
    pub design_id: Uuid,
    pub design_version_id: Uuid,
    pub workload_id: Uuid,
    pub user_id: Uuid,
    pub started_at: DateTimeUtc,
    pub completed_at: DateTimeUtc,
    pub throughput_qps: Option<f64>,
    pub latency_p50_ms: Option<f64>,
    pub latency_p95_ms: Option<f64>,
    pub latency_p99_ms: Option<f64>,
    pub total_io_pages: Option<i64>,
    pub cache_hit_ratio: Option<f64>,
    pub summary: Json,
    pub metrics: Option<Json>,
    pub seed: Option<i64>,
    pub engine_version: Option<String>,
    pub result_hash: Option<String>,
    /// Events that happened; `events` may hold fewer.
    pub event_count: i64,
    pub series: Vec<NewColumns>,
    pub events: Vec<NewEvent>,
}

/// A time series in columns: `values[i]` at `times[i]`.
#[derive(Clone, Debug)]
pub struct NewColumns {
    pub name: String,
    pub tags: Json,
    pub times: Vec<DateTimeUtc>,
    pub values: Vec<f64>,
}

/// Stores a run as COMPLETED with its series and events.
pub async fn insert(tx: &DatabaseTransaction, new: NewClientRun) -> Result<Model, StoreError> {
    let run = ActiveModel {
        id: Set(Uuid::now_v7()),
        design_id: Set(new.design_id),
        design_version_id: Set(new.design_version_id),
        workload_id: Set(new.workload_id),
        user_id: Set(Some(new.user_id)),
        job_id: Set(None),
        status: Set(RunStatus::Completed),
        engine: Set(RunEngine::Client),
        started_at: Set(new.started_at),
        completed_at: Set(Some(new.completed_at)),
        throughput_qps: Set(new.throughput_qps),
        latency_p50_ms: Set(new.latency_p50_ms),
        latency_p95_ms: Set(new.latency_p95_ms),
        latency_p99_ms: Set(new.latency_p99_ms),
        total_io_pages: Set(new.total_io_pages),
        cache_hit_ratio: Set(new.cache_hit_ratio),
        summary: Set(Some(new.summary)),
        metrics: Set(new.metrics),
        seed: Set(new.seed),
        engine_version: Set(new.engine_version),
        result_hash: Set(new.result_hash),
        event_count: Set(Some(new.event_count)),
        event_bytes: Set(stored_bytes(&new.events)),
        created_at: Set(time::now()),
    };
    let run = run.insert(tx).await?;
    let samples: Vec<run_metric::Model> = new
        .series
        .into_iter()
        .zip(0..)
        .flat_map(|(columns, series)| samples(run.id, series, columns))
        .collect();
    insert_samples(tx, run.id, &samples).await?;
    insert_events(tx, run.id, &new.events).await?;
    Ok(run)
}

fn samples(run_id: Uuid, series: i32, columns: NewColumns) -> impl Iterator<Item = run_metric::Model> {
    let NewColumns { name, tags, times, values } = columns;
    times.into_iter().zip(values).map(move |(time, metric_value)| run_metric::Model {
        run_id,
        series,
        time,
        metric_name: name.clone(),
        metric_value,
        tags: Some(tags.clone()),
    })
}

/// The run if this user owns it, locked until the transaction ends.
pub async fn find_for_update(
    tx: &DatabaseTransaction,
    id: Uuid,
    owner: Uuid,
) -> Result<Option<Model>, StoreError> {
    Ok(Entity::find_by_id(id).filter(Column::UserId.eq(owner)).lock_exclusive().one(tx).await?)
}

/// The events among these that the run, which is locked, does not hold yet.
pub async fn unknown_events(
    tx: &DatabaseTransaction,
    run_id: Uuid,
    events: Vec<NewEvent>,
) -> Result<Vec<NewEvent>, StoreError> {
    let known: Vec<i32> = run_event::Entity::find()
        .select_only()
        .column(run_event::Column::SequenceNumber)
        .filter(run_event::Column::RunId.eq(run_id))
        .filter(run_event::Column::SequenceNumber.is_in(events.iter().map(|event| event.sequence_number)))
        .into_tuple()
        .all(tx)
        .await?;
    let known: HashSet<i32> = known.into_iter().collect();
    Ok(events.into_iter().filter(|event| !known.contains(&event.sequence_number)).collect())
}

/// Adds events to a run that is locked and does not hold them yet.
pub async fn append_events(
    tx: &DatabaseTransaction,
    run: Model,
    events: &[NewEvent],
) -> Result<Model, StoreError> {
    if events.is_empty() {
        return Ok(run);
    }
    insert_events(tx, run.id, events).await?;
    let stored = run_event::Entity::find().filter(run_event::Column::RunId.eq(run.id)).count(tx).await?;
    let stored = i64::try_from(stored).unwrap_or(i64::MAX);
    let (happened, bytes) = (run.event_count.unwrap_or_default(), run.event_bytes);
    let mut row = run.into_active_model();
    row.event_count = Set(Some(happened.max(stored)));
    row.event_bytes = Set(bytes + stored_bytes(events));
    Ok(row.update(tx).await?)
}

/// What these events would take, as the plan counts it.
pub fn event_bytes(events: &[NewEvent]) -> u64 {
    stored_bytes(events).unsigned_abs()
}

/// What the stored events of all runs of a user take.
pub async fn event_bytes_of(conn: &impl ConnectionTrait, user_id: Uuid) -> Result<u64, StoreError> {
    #[derive(FromQueryResult)]
    struct Sum {
        bytes: i64,
    }
    let select = Query::select()
        .expr_as(Expr::cust("CAST(COALESCE(SUM(event_bytes), 0) AS bigint)"), "bytes")
        .from(Entity)
        .and_where(Column::UserId.eq(user_id))
        .to_owned();
    let sums: Vec<Sum> = all(conn, &select).await?;
    Ok(sums.first().map_or(0, |sum| sum.bytes.unsigned_abs()))
}
