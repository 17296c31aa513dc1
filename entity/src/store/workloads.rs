//! Workloads: users' own and the built-in templates.
//!
//! A workload is readable by its owner, by everyone when it is a template, and by whoever may read a design that has run it.

use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QuerySelect, Set,
    sea_query::{Expr, ExprTrait, Query},
};
use serde_json::Value as Json;
use uuid::Uuid;

use super::{
    design_access,
    page::{Keyset, Page, PageRequest},
};
use crate::{
    DatabaseTransaction, StoreError, design, simulation_job, simulation_run, status::JobStatus, time::now,
    workload,
};

/// What a new workload is made of.
pub struct NewWorkload {
    pub user_id: Uuid,
    pub name: String,
    pub description: Option<String>,
    pub content: WorkloadContent,
    /// What filled the template that it was made from.
    pub variables: Option<Json>,
}

/// What a workload asks: the three parts of the engine's document.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkloadContent {
    pub operations: Json,
    pub tables: Json,
    pub config: Json,
}

impl WorkloadContent {
    /// What a stored workload asks.
    pub fn of(workload: &workload::Model) -> Self {
        Self {
            operations: workload.operations.clone(),
            tables: workload.tables.clone(),
            config: workload.config.clone(),
        }
    }
}

/// What an update changes; none leaves a value as it is.
#[derive(Default)]
pub struct WorkloadChange {
    pub name: Option<String>,
    pub description: Option<Option<String>>,
    /// No longer what the variables made of a template.
    pub content: Option<WorkloadContent>,
}

/// Whose list it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WorkloadScope {
    OwnedBy(Uuid),
    Templates,
}

/// Adds a workload.
pub async fn insert(db: &impl ConnectionTrait, new: NewWorkload) -> Result<workload::Model, StoreError> {
    let now = now();
    let row = workload::ActiveModel {
        id: Set(Uuid::now_v7()),
        user_id: Set(Some(new.user_id)),
        slug: Set(None),
        name: Set(new.name),
        description: Set(new.description),
        operations: Set(new.content.operations),
        tables: Set(new.content.tables),
        config: Set(new.content.config),
        variables: Set(new.variables),
        is_template: Set(false),
        created_at: Set(now),
        updated_at: Set(now),
        content_changed_at: Set(None),
        deleted_at: Set(None),
    };
    Ok(row.insert(db).await?)
}

/// The workload if this user owns it, locked until the transaction ends.
pub async fn find_for_update(
    txn: &DatabaseTransaction,
    id: Uuid,
    owner: Uuid,
) -> Result<Option<workload::Model>, StoreError> {
    Ok(workload::Entity::find_by_id(id)
        .filter(workload::Column::UserId.eq(owner))
        .lock_exclusive()
        .one(txn)
        .await?)
}

/// Changes a workload that is locked.
pub async fn update(
    txn: &DatabaseTransaction,
    workload: workload::Model,
    change: WorkloadChange,
) -> Result<workload::Model, StoreError> {
    let now = now();
    let mut row = workload.into_active_model();
    if let Some(name) = change.name {
        row.name = Set(name);
    }
    if let Some(description) = change.description {
        row.description = Set(description);
    }
    if let Some(content) = change.content {
        row.operations = Set(content.operations);
        row.tables = Set(content.tables);
        row.config = Set(content.config);
        row.variables = Set(None);
        row.content_changed_at = Set(Some(now));
    }
    row.updated_at = Set(now);
    Ok(row.update(txn).await?)
}

/// Archives a workload that is locked.
pub async fn archive(
    txn: &DatabaseTransaction,
    workload: workload::Model,
) -> Result<workload::Model, StoreError> {
    let now = now();
    let mut row = workload.into_active_model();
    row.deleted_at = Set(Some(now));
    row.updated_at = Set(now);
    Ok(row.update(txn).await?)
}

/// Whether a job that has not ended runs this workload.
pub async fn has_unfinished_jobs(txn: &DatabaseTransaction, id: Uuid) -> Result<bool, StoreError> {
    let unfinished = simulation_job::Entity::find()
        .filter(simulation_job::Column::WorkloadId.eq(id))
        .filter(simulation_job::Column::Status.is_in([JobStatus::Queued, JobStatus::Running]))
        .one(txn)
        .await?;
    Ok(unfinished.is_some())
}

/// The workloads among these ids that the viewer may open, in any order.
pub async fn find_visible(
    db: &impl ConnectionTrait,
    ids: &[Uuid],
    viewer: Option<Uuid>,
) -> Result<Vec<workload::Model>, StoreError> {
    // Looked for only where the workload is nobody's to see otherwise, and no further than the first: there may be a million.
    let run_by_open_design = Query::select()
        .expr(Expr::val(1))
        .from(simulation_run::Entity)
        .inner_join(
            design::Entity,
            Expr::col((design::Entity, design::Column::Id))
                .equals((simulation_run::Entity, simulation_run::Column::DesignId)),
        )
        .and_where(
            Expr::col((simulation_run::Entity, simulation_run::Column::WorkloadId))
                .equals((workload::Entity, workload::Column::Id)),
        )
        .cond_where(design_access::readable(viewer))
        .limit(1)
        .offset(0)
        .to_owned();
    Ok(workload::Entity::find()
        .filter(workload::Column::Id.is_in(ids.iter().copied()))
        .filter(
            Condition::any()
                .add(workload::Column::IsTemplate.eq(true))
                .add_option(viewer.map(|id| workload::Column::UserId.eq(id)))
                .add(Expr::exists(run_by_open_design)),
        )
        .all(db)
        .await?)
}

/// The built-in workload with this slug.
pub async fn find_by_slug(
    db: &impl ConnectionTrait,
    slug: &str,
) -> Result<Option<workload::Model>, StoreError> {
    Ok(workload::Entity::find().filter(workload::Column::Slug.eq(slug)).one(db).await?)
}

/// A page of a list of workloads: a user's newest first, templates in the order they were written in.
pub async fn list(
    db: &impl ConnectionTrait,
    scope: WorkloadScope,
    request: &PageRequest,
) -> Result<Page<workload::Model>, StoreError> {
    let keyset = Keyset {
        key: Expr::col(workload::Column::CreatedAt),
        id: Expr::col(workload::Column::Id),
        descending: scope != WorkloadScope::Templates,
    };
    let select = keyset.apply(workload::Entity::find().filter(listed(scope)), request);
    Ok(Page::of(select.all(db).await?, request))
}

/// How many workloads the whole list holds.
pub async fn count(db: &impl ConnectionTrait, scope: WorkloadScope) -> Result<u64, StoreError> {
    Ok(workload::Entity::find().filter(listed(scope)).count(db).await?)
}

fn listed(scope: WorkloadScope) -> Condition {
    let living = Condition::all().add(workload::Column::DeletedAt.is_null());
    match scope {
        WorkloadScope::OwnedBy(owner) => living.add(workload::Column::UserId.eq(owner)),
        WorkloadScope::Templates => living.add(workload::Column::IsTemplate.eq(true)),
    }
}
