//! Reading runs and their results. A run is readable exactly when its design is; finders that take a parent's id trust
//! their caller to have checked that.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityName, EntityTrait, FromQueryResult, Iterable,
    QueryFilter, QueryOrder,
    sea_query::{Expr, ExprTrait, Query, SelectStatement},
};
use serde_json::Value as Json;
use uuid::Uuid;

use super::{
    design_access,
    page::{Keyset, Page, PageRequest, children_of_many, group_by},
};
use crate::{StoreError, design, run_event, run_metric, simulation_run};

/// What a list of runs belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunParent {
    Design,
    DesignVersion,
    Workload,
    User,
}

impl RunParent {
    fn column(self) -> &'static str {
        match self {
            Self::Design => "design_id",
            Self::DesignVersion => "design_version_id",
            Self::Workload => "workload_id",
            Self::User => "user_id",
        }
    }

    fn of(self, run: &simulation_run::Model) -> Uuid {
        match self {
            Self::Design => run.design_id,
            Self::DesignVersion => run.design_version_id,
            Self::Workload => run.workload_id,
            Self::User => run.user_id.unwrap_or_default(),
        }
    }
}

/// The sort key of lists of runs: newest first.
fn newest_first() -> Keyset {
    Keyset { key: Expr::col("created_at"), id: Expr::col("id"), descending: true }
}

/// Every column of a run but its large `metrics`.
fn without_metrics() -> SelectStatement {
    let mut select = Query::select();
    select.from(simulation_run::Entity.table_ref());
    for column in simulation_run::Column::iter() {
        match column {
            simulation_run::Column::Metrics => select.expr_as(Expr::cust("NULL"), "metrics"),
            column => select.column(column),
        };
    }
    select
}

/// The runs among these ids whose design the viewer may open, in any order and without `metrics`.
pub async fn find_visible(
    db: &impl ConnectionTrait,
    ids: &[Uuid],
    viewer: Option<Uuid>,
) -> Result<Vec<simulation_run::Model>, StoreError> {
    let readable = Query::select()
        .column(design::Column::Id)
        .from(design::Entity)
        .cond_where(design_access::readable(viewer))
        .to_owned();
    let mut select = without_metrics();
    select
        .and_where(Expr::col(simulation_run::Column::Id).is_in(ids.iter().copied()))
        .and_where(Expr::col(simulation_run::Column::DesignId).in_subquery(readable));
    all(db, &select).await
}

/// The runs of these jobs, without `metrics`. Only the submitter of a job and admins come to its id.
pub async fn find_by_jobs(
    db: &impl ConnectionTrait,
    job_ids: &[Uuid],
) -> Result<Vec<simulation_run::Model>, StoreError> {
    let mut select = without_metrics();
    select.and_where(Expr::col(simulation_run::Column::JobId).is_in(job_ids.iter().copied()));
    all(db, &select).await
}

async fn all<M: FromQueryResult>(
    db: &impl ConnectionTrait,
    select: &SelectStatement,
) -> Result<Vec<M>, StoreError> {
    Ok(M::find_by_statement(db.get_database_backend().build(select)).all(db).await?)
}

/// The requested page of the runs of each parent, newest first and without `metrics`. A parent without runs is absent.
pub async fn lists(
    db: &impl ConnectionTrait,
    parent: RunParent,
    parents: &[Uuid],
    request: &PageRequest,
) -> Result<HashMap<Uuid, Page<simulation_run::Model>>, StoreError> {
    let parent_of = |run: &simulation_run::Model| parent.of(run);
    children_of_many(db, without_metrics(), parent.column(), parents, &newest_first(), request, parent_of)
        .await
}

/// How many runs each parent has. A parent without runs is absent.
pub async fn counts(
    db: &impl ConnectionTrait,
    parent: RunParent,
    parents: &[Uuid],
) -> Result<HashMap<Uuid, u64>, StoreError> {
    #[derive(FromQueryResult)]
    struct Count {
        parent: Uuid,
        runs: i64,
    }
    let select = Query::select()
        .expr_as(Expr::col(parent.column()), "parent")
        .expr_as(Expr::col(simulation_run::Column::Id).count(), "runs")
        .from(simulation_run::Entity)
        .and_where(Expr::col(parent.column()).is_in(parents.iter().copied()))
        .group_by_col(parent.column())
        .to_owned();
    let counts: Vec<Count> = all(db, &select).await?;
    Ok(counts.into_iter().map(|count| (count.parent, count.runs.unsigned_abs())).collect())
}

/// The `metrics` documents of these runs. A run that has none yet is absent.
pub async fn details(db: &impl ConnectionTrait, run_ids: &[Uuid]) -> Result<HashMap<Uuid, Json>, StoreError> {
    #[derive(FromQueryResult)]
    struct Details {
        id: Uuid,
        metrics: Option<Json>,
    }
    let select = Query::select()
        .columns([simulation_run::Column::Id, simulation_run::Column::Metrics])
        .from(simulation_run::Entity)
        .and_where(Expr::col(simulation_run::Column::Id).is_in(run_ids.iter().copied()))
        .to_owned();
    let rows: Vec<Details> = all(db, &select).await?;
    Ok(rows.into_iter().filter_map(|row| Some((row.id, row.metrics?))).collect())
}

/// Which samples of a run are wanted; none means all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct MetricFilter {
    pub names: Option<Vec<String>>,
    pub block_ids: Option<Vec<String>>,
    pub from: Option<DateTime<Utc>>,
    pub to: Option<DateTime<Utc>>,
}

/// The samples of these runs, by run, in the order of series and time.
pub async fn metrics(
    db: &impl ConnectionTrait,
    run_ids: &[Uuid],
    filter: &MetricFilter,
) -> Result<HashMap<Uuid, Vec<run_metric::Model>>, StoreError> {
    let mut select =
        run_metric::Entity::find().filter(run_metric::Column::RunId.is_in(run_ids.iter().copied()));
    if let Some(names) = &filter.names {
        select = select.filter(run_metric::Column::MetricName.is_in(names));
    }
    if let Some(block_ids) = &filter.block_ids {
        let block_id = match db.get_database_backend() {
            DbBackend::Postgres => Expr::cust("tags ->> 'block_id'"),
            _ => Expr::cust("json_extract(tags, '$.block_id')"),
        };
        select = select.filter(block_id.is_in(block_ids));
    }
    if let Some(from) = filter.from {
        select = select.filter(run_metric::Column::Time.gte(from));
    }
    if let Some(to) = filter.to {
        select = select.filter(run_metric::Column::Time.lte(to));
    }
    let rows = select
        .order_by_asc(run_metric::Column::RunId)
        .order_by_asc(run_metric::Column::Series)
        .order_by_asc(run_metric::Column::Time)
        .all(db)
        .await?;
    Ok(group_by(rows, |row| row.run_id))
}

/// Which events of a run are wanted; none means all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct EventFilter {
    pub types: Option<Vec<String>>,
    pub block_ids: Option<Vec<String>>,
    pub after_sequence: Option<i32>,
}

impl EventFilter {
    fn condition(&self) -> Condition {
        Condition::all()
            .add_option(self.types.as_ref().map(|types| Expr::col(run_event::Column::EventType).is_in(types)))
            .add_option(self.block_ids.as_ref().map(|ids| Expr::col(run_event::Column::BlockId).is_in(ids)))
            .add_option(
                self.after_sequence.map(|after| Expr::col(run_event::Column::SequenceNumber).gt(after)),
            )
    }
}

/// The requested page of the events of each run, in their order. A run without events is absent.
pub async fn events(
    db: &impl ConnectionTrait,
    run_ids: &[Uuid],
    filter: &EventFilter,
    request: &PageRequest,
) -> Result<HashMap<Uuid, Page<run_event::Model>>, StoreError> {
    let select = Query::select()
        .columns(run_event::Column::iter())
        .from(run_event::Entity)
        .cond_where(filter.condition())
        .to_owned();
    // A sequence number is unique in its run: the second key never decides.
    let keyset = Keyset { key: Expr::col("sequence_number"), id: Expr::col("run_id"), descending: false };
    children_of_many(db, select, "run_id", run_ids, &keyset, request, |row: &run_event::Model| row.run_id)
        .await
}

/// How many events of each run are stored and pass the filter. A run without any is absent.
pub async fn event_counts(
    db: &impl ConnectionTrait,
    run_ids: &[Uuid],
    filter: &EventFilter,
) -> Result<HashMap<Uuid, u64>, StoreError> {
    #[derive(FromQueryResult)]
    struct Count {
        run_id: Uuid,
        events: i64,
    }
    let select = Query::select()
        .column(run_event::Column::RunId)
        .expr_as(Expr::col(run_event::Column::SequenceNumber).count(), "events")
        .from(run_event::Entity)
        .and_where(Expr::col(run_event::Column::RunId).is_in(run_ids.iter().copied()))
        .cond_where(filter.condition())
        .group_by_col(run_event::Column::RunId)
        .to_owned();
    let counts: Vec<Count> = all(db, &select).await?;
    Ok(counts.into_iter().map(|count| (count.run_id, count.events.unsigned_abs())).collect())
}

/// The stored event of a run with this sequence number. The caller has checked that the run may be read.
pub async fn find_event(
    db: &impl ConnectionTrait,
    run_id: Uuid,
    sequence_number: i32,
) -> Result<Option<run_event::Model>, StoreError> {
    Ok(run_event::Entity::find_by_id((run_id, sequence_number)).one(db).await?)
}
