//! Lists of runs: of a design, a version, a workload or a user, filtered and in one of several orders.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveEnum, ColumnTrait, Condition, ConnectionTrait, DbBackend, FromQueryResult,
    sea_query::{Expr, ExprTrait, Query},
};
use uuid::Uuid;

use super::{
    page::{Cursor, CursorKey, Float, Keyset, Page, PageRequest, children_of_many},
    runs::{all, readable_designs, without_metrics},
};
use crate::{
    StoreError, simulation_run,
    status::{RunEngine, RunStatus},
};

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

    /// Who may read a design or a version may read its runs. The runs of a workload or a user are of many designs.
    fn spans_designs(self) -> bool {
        matches!(self, Self::Workload | Self::User)
    }
}

/// Which runs a list holds; none means all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RunFilter {
    pub status: Option<Vec<RunStatus>>,
    pub workload_id: Option<Uuid>,
    pub engine: Option<RunEngine>,
    pub min_throughput_qps: Option<Float>,
    pub completed_since: Option<DateTime<Utc>>,
}

impl RunFilter {
    fn condition(&self) -> Condition {
        use simulation_run::Column;
        let status = self.status.as_ref();
        Condition::all()
            .add_option(status.map(|list| Column::Status.is_in(list.iter().map(RunStatus::to_value))))
            .add_option(self.workload_id.map(|id| Column::WorkloadId.eq(id)))
            .add_option(self.engine.map(|engine| Column::Engine.eq(engine)))
            .add_option(self.min_throughput_qps.map(|least| Column::ThroughputQps.gte(least.0)))
            .add_option(self.completed_since.map(|since| Column::CompletedAt.gte(since)))
    }
}

/// What a list of runs is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunOrderField {
    CreatedAt,
    /// A run that has not completed counts as the latest.
    CompletedAt,
    /// A run without the figure counts as the slowest.
    ThroughputQps,
    /// A run without the figure counts as the slowest.
    LatencyP99Ms,
}

/// Stands for a time that has not come yet.
const NEVER: DateTime<Utc> = DateTime::from_timestamp(253_370_764_800, 0).expect("the year 9999 is a time");
/// Less than any throughput.
const NO_THROUGHPUT: f64 = -1.0;
/// More than any latency.
const NO_LATENCY: f64 = 1e308;

impl RunOrderField {
    /// The place of a row in a list of this order.
    pub fn cursor(self, run: &simulation_run::Model) -> Cursor {
        let key = match self {
            Self::CreatedAt => CursorKey::Time(run.created_at),
            Self::CompletedAt => CursorKey::Time(run.completed_at.unwrap_or(NEVER)),
            Self::ThroughputQps => CursorKey::Float(Float(run.throughput_qps.unwrap_or(NO_THROUGHPUT))),
            Self::LatencyP99Ms => CursorKey::Float(Float(run.latency_p99_ms.unwrap_or(NO_LATENCY))),
        };
        Cursor { key, id: run.id }
    }

    /// The expressions stand in the indexes letter by letter.
    fn key(self, backend: DbBackend) -> Expr {
        match self {
            Self::CreatedAt => Expr::col("created_at"),
            Self::CompletedAt if backend == DbBackend::Postgres => {
                Expr::cust("COALESCE(completed_at, TIMESTAMPTZ '9999-01-01 00:00:00+00')")
            }
            Self::CompletedAt => Expr::cust("COALESCE(completed_at, '9999-01-01T00:00:00+00:00')"),
            Self::ThroughputQps => Expr::cust("COALESCE(throughput_qps, -1)"),
            Self::LatencyP99Ms => Expr::cust("COALESCE(latency_p99_ms, 1e308)"),
        }
    }
}

/// A list of the runs of some parents: which, and in what order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RunList {
    pub parent: RunParent,
    pub filter: RunFilter,
    pub order: RunOrderField,
    pub descending: bool,
}

impl RunList {
    /// All runs of a parent, newest first.
    pub fn newest(parent: RunParent) -> Self {
        Self { parent, filter: RunFilter::default(), order: RunOrderField::CreatedAt, descending: true }
    }

    fn condition(&self, viewer: Option<Uuid>) -> Condition {
        let readable = || Expr::col("design_id").in_subquery(readable_designs(viewer));
        self.filter.condition().add_option(self.parent.spans_designs().then(readable))
    }
}

/// The requested page of the runs of each parent, without `metrics`. A parent without runs is absent. The caller has checked
/// that the viewer may read the parents.
pub async fn lists(
    db: &impl ConnectionTrait,
    list: &RunList,
    viewer: Option<Uuid>,
    parents: &[Uuid],
    request: &PageRequest,
) -> Result<HashMap<Uuid, Page<simulation_run::Model>>, StoreError> {
    let keyset = Keyset {
        key: list.order.key(db.get_database_backend()),
        id: Expr::col("id"),
        descending: list.descending,
    };
    let mut select = without_metrics();
    select.cond_where(list.condition(viewer));
    let parent_of = |run: &simulation_run::Model| list.parent.of(run);
    children_of_many(db, select, list.parent.column(), parents, &keyset, request, parent_of).await
}

/// How many runs the list of each parent holds. A parent without runs is absent.
pub async fn counts(
    db: &impl ConnectionTrait,
    list: &RunList,
    viewer: Option<Uuid>,
    parents: &[Uuid],
) -> Result<HashMap<Uuid, u64>, StoreError> {
    #[derive(FromQueryResult)]
    struct Count {
        parent: Uuid,
        runs: i64,
    }
    let column = list.parent.column();
    let select = Query::select()
        .expr_as(Expr::col(column), "parent")
        .expr_as(Expr::col(simulation_run::Column::Id).count(), "runs")
        .from(simulation_run::Entity)
        .and_where(Expr::col(column).is_in(parents.iter().copied()))
        .cond_where(list.condition(viewer))
        .group_by_col(column)
        .to_owned();
    let counts: Vec<Count> = all(db, &select).await?;
    Ok(counts.into_iter().map(|count| (count.parent, count.runs.unsigned_abs())).collect())
}
