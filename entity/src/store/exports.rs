//! What a user owns, page by page for an export, and the exported text.

use chrono::Duration;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, Set,
    sea_query::{Expr, ExprTrait, Query},
};
use serde_json::Value as Json;
use uuid::Uuid;

use super::background::USER_DATA_EXPORT;
use crate::{
    DatabaseConnection, StoreError, background_job, block_config, design, design_version, export_part,
    job_log, session, simulation_job, simulation_run, status::JobStatus, time::now, user, workload,
};

/// How long an exported text is kept.
pub const KEPT: Duration = Duration::hours(24);

/// A list of things that a user owns, in the order of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owned {
    Account,
    Sessions,
    Designs,
    DesignVersions,
    Workloads,
    BlockConfigs,
    SimulationJobs,
    BackgroundJobs,
    /// Series and events of a run are read with [`run_series`](super::run_series) and [`runs`](super::runs).
    SimulationRuns,
}

impl Owned {
    /// Every list.
    pub const ALL: [Self; 9] = [
        Self::Account,
        Self::Sessions,
        Self::Designs,
        Self::DesignVersions,
        Self::Workloads,
        Self::BlockConfigs,
        Self::SimulationJobs,
        Self::BackgroundJobs,
        Self::SimulationRuns,
    ];

    /// Its table, which names it in the export.
    pub fn table(self) -> &'static str {
        match self {
            Self::Account => "users",
            Self::Sessions => "sessions",
            Self::Designs => "designs",
            Self::DesignVersions => "design_versions",
            Self::Workloads => "workloads",
            Self::BlockConfigs => "block_configs",
            Self::SimulationJobs => "simulation_jobs",
            Self::BackgroundJobs => "background_jobs",
            Self::SimulationRuns => "simulation_runs",
        }
    }
}

/// A thing of an export: its id and its row, which holds no secret.
#[derive(Clone, Debug)]
pub struct OwnedRow {
    pub id: Uuid,
    pub row: Json,
}

/// Reads `$limit` rows of an entity with ids above `$after`.
macro_rules! page {
    ($entity:ident, $condition:expr, $db:expr, $after:expr, $limit:expr) => {{
        let mut select =
            $entity::Entity::find().filter($condition).order_by_asc($entity::Column::Id).limit($limit);
        if let Some(after) = $after {
            select = select.filter($entity::Column::Id.gt(after));
        }
        let rows = select.all($db).await?;
        rows.into_iter()
            .map(|row| Ok(OwnedRow { id: row.id, row: json_of(&row)? }))
            .collect::<Result<Vec<_>, StoreError>>()
    }};
}

/// The next rows of a list, `limit` at most, in the order of their ids from the one after `after` on.
pub async fn page(
    db: &DatabaseConnection,
    list: Owned,
    user_id: Uuid,
    after: Option<Uuid>,
    limit: u64,
) -> Result<Vec<OwnedRow>, StoreError> {
    match list {
        Owned::Account => page!(user, user::Column::Id.eq(user_id), db, after, limit),
        Owned::Sessions => page!(session, session::Column::UserId.eq(user_id), db, after, limit),
        Owned::Designs => page!(design, design::Column::UserId.eq(user_id), db, after, limit),
        Owned::DesignVersions => {
            let own_designs = Query::select()
                .column(design::Column::Id)
                .from(design::Entity)
                .and_where(design::Column::UserId.eq(user_id))
                .to_owned();
            let own = Condition::any()
                .add(design_version::Column::AuthorId.eq(user_id))
                .add(Expr::col(design_version::Column::DesignId).in_subquery(own_designs));
            page!(design_version, own, db, after, limit)
        }
        Owned::Workloads => page!(workload, workload::Column::UserId.eq(user_id), db, after, limit),
        Owned::BlockConfigs => {
            page!(block_config, block_config::Column::UserId.eq(user_id), db, after, limit)
        }
        Owned::SimulationJobs => {
            page!(simulation_job, simulation_job::Column::UserId.eq(user_id), db, after, limit)
        }
        Owned::BackgroundJobs => {
            page!(background_job, background_job::Column::UserId.eq(user_id), db, after, limit)
        }
        Owned::SimulationRuns => {
            page!(simulation_run, simulation_run::Column::UserId.eq(user_id), db, after, limit)
        }
    }
}

/// The log of a job of an export.
pub async fn job_lines(db: &DatabaseConnection, job_id: Uuid) -> Result<Vec<Json>, StoreError> {
    let lines = job_log::Entity::find()
        .filter(job_log::Column::JobId.eq(job_id))
        .order_by_asc(job_log::Column::Sequence)
        .all(db)
        .await?;
    lines.iter().map(json_of).collect()
}

fn json_of(row: &impl serde::Serialize) -> Result<Json, StoreError> {
    serde_json::to_value(row).map_err(|source| StoreError::Corrupt { what: "row", source })
}

/// Begins the text of a job anew: removes what an earlier attempt wrote, and what the user exported before.
pub async fn begin_text(db: &DatabaseConnection, user_id: Uuid) -> Result<(), StoreError> {
    let jobs = Query::select()
        .column(background_job::Column::Id)
        .from(background_job::Entity)
        .and_where(background_job::Column::UserId.eq(user_id))
        .to_owned();
    export_part::Entity::delete_many()
        .filter(Expr::col(export_part::Column::JobId).in_subquery(jobs))
        .exec(db)
        .await?;
    Ok(())
}

/// Adds a piece to the text of a job.
pub async fn append_text(
    db: &DatabaseConnection,
    job_id: Uuid,
    part_number: i32,
    content: String,
) -> Result<(), StoreError> {
    let row = export_part::ActiveModel {
        job_id: Set(job_id),
        part_number: Set(part_number),
        content: Set(content),
    };
    row.insert(db).await?;
    Ok(())
}

/// A piece of the text of a job; none after the last one.
pub async fn read_text(
    db: &impl ConnectionTrait,
    job_id: Uuid,
    part_number: i32,
) -> Result<Option<String>, StoreError> {
    let part = export_part::Entity::find_by_id((job_id, part_number)).one(db).await?;
    Ok(part.map(|part| part.content))
}

/// Removes the texts that have been kept long enough; how many pieces they were.
pub async fn forget_old(db: &DatabaseConnection) -> Result<u64, StoreError> {
    let old = Query::select()
        .column(background_job::Column::Id)
        .from(background_job::Entity)
        .and_where(background_job::Column::Kind.eq(USER_DATA_EXPORT))
        .and_where(background_job::Column::Status.eq(JobStatus::Completed))
        .and_where(background_job::Column::FinishedAt.lt(now() - KEPT))
        .to_owned();
    let forgotten = export_part::Entity::delete_many()
        .filter(Expr::col(export_part::Column::JobId).in_subquery(old))
        .exec(db)
        .await?;
    Ok(forgotten.rows_affected)
}
