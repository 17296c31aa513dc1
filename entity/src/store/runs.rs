//! Reading runs and their results. A run is readable exactly when its design is; finders that take a parent's id trust
//! their caller to have checked that.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{
    Condition, ConnectionTrait, EntityName, EntityTrait, FromQueryResult, Iterable,
    sea_query::{Expr, ExprTrait, Query, SelectStatement},
};
use serde_json::Value as Json;
use uuid::Uuid;

use super::{
    design_access,
    page::{Keyset, Page, PageRequest, children_of_many},
};
use crate::{StoreError, design, design_version, run_event, simulation_run, workload};

/// Every column of a run but its large `metrics`.
pub(super) fn without_metrics() -> SelectStatement {
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
    let mut select = without_metrics();
    select
        .and_where(Expr::col(simulation_run::Column::Id).is_in(ids.iter().copied()))
        .and_where(of_readable_design(viewer));
    all(db, &select).await
}

/// That the viewer may open a run's design, for runs that are found by something rarer. It is asked of each of them: the offset
/// keeps PostgreSQL from joining the tables in the other order, which looks cheap to it while there are few designs.
pub(super) fn of_readable_design(viewer: Option<Uuid>) -> Expr {
    Expr::exists(
        Query::select()
            .expr(Expr::val(1))
            .from(design::Entity)
            .and_where(
                Expr::col((design::Entity, design::Column::Id))
                    .equals((simulation_run::Entity, simulation_run::Column::DesignId)),
            )
            .cond_where(design_access::readable(viewer))
            .limit(1)
            .offset(0)
            .to_owned(),
    )
}

/// The ids of the designs that the viewer may open.
pub(super) fn readable_designs(viewer: Option<Uuid>) -> SelectStatement {
    Query::select()
        .column(design::Column::Id)
        .from(design::Entity)
        .cond_where(design_access::readable(viewer))
        .to_owned()
}

/// The runs of these jobs whose design the viewer may open, without `metrics`: who submitted a job may have lost its design.
pub async fn find_by_jobs(
    db: &impl ConnectionTrait,
    job_ids: &[Uuid],
    viewer: Option<Uuid>,
) -> Result<Vec<simulation_run::Model>, StoreError> {
    let mut select = without_metrics();
    select
        .and_where(Expr::col(simulation_run::Column::JobId).is_in(job_ids.iter().copied()))
        .and_where(of_readable_design(viewer));
    all(db, &select).await
}

pub(super) async fn all<M: FromQueryResult>(
    db: &impl ConnectionTrait,
    select: &SelectStatement,
) -> Result<Vec<M>, StoreError> {
    Ok(M::find_by_statement(db.get_database_backend().build(select)).all(db).await?)
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

/// What a run is of, as people call it.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Source {
    pub run_id: Uuid,
    pub design_name: String,
    pub version_number: i32,
    pub workload_changed_at: Option<DateTime<Utc>>,
}

/// What these runs are of, in any order. The caller has checked that they may be read.
pub async fn sources(db: &impl ConnectionTrait, run_ids: &[Uuid]) -> Result<Vec<Source>, StoreError> {
    use simulation_run::Column;
    let run = |column: Column| (simulation_run::Entity, column);
    let select = Query::select()
        .expr_as(Expr::col(run(Column::Id)), "run_id")
        .expr_as(Expr::col((design::Entity, design::Column::Name)), "design_name")
        .expr_as(Expr::col((design_version::Entity, design_version::Column::VersionNumber)), "version_number")
        .expr_as(Expr::col((workload::Entity, workload::Column::ContentChangedAt)), "workload_changed_at")
        .from(simulation_run::Entity)
        .inner_join(
            design::Entity,
            Expr::col((design::Entity, design::Column::Id)).equals(run(Column::DesignId)),
        )
        .inner_join(
            design_version::Entity,
            Expr::col((design_version::Entity, design_version::Column::Id))
                .equals(run(Column::DesignVersionId)),
        )
        .inner_join(
            workload::Entity,
            Expr::col((workload::Entity, workload::Column::Id)).equals(run(Column::WorkloadId)),
        )
        .and_where(Expr::col(run(Column::Id)).is_in(run_ids.iter().copied()))
        .to_owned();
    all(db, &select).await
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
