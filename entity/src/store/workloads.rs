//! Workloads: users' own and the built-in templates.
//!
//! A workload is readable by its owner, by everyone when it is a template, and by whoever may read a design that has run it.

use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, Set,
    sea_query::{Expr, ExprTrait, Query},
};
use serde_json::Value as Json;
use uuid::Uuid;

use super::{
    design_access,
    page::{Keyset, Page, PageRequest},
};
use crate::{StoreError, design, simulation_run, time::now, workload};

/// What a new workload is made of.
pub struct NewWorkload {
    pub user_id: Uuid,
    pub name: String,
    pub description: Option<String>,
    pub operations: Json,
    pub tables: Json,
    pub config: Json,
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
        operations: Set(new.operations),
        tables: Set(new.tables),
        config: Set(new.config),
        is_template: Set(false),
        created_at: Set(now),
        updated_at: Set(now),
        deleted_at: Set(None),
    };
    Ok(row.insert(db).await?)
}

/// The workloads among these ids that the viewer may open, in any order.
pub async fn find_visible(
    db: &impl ConnectionTrait,
    ids: &[Uuid],
    viewer: Option<Uuid>,
) -> Result<Vec<workload::Model>, StoreError> {
    let run_by_open_designs = Query::select()
        .column((simulation_run::Entity, simulation_run::Column::WorkloadId))
        .from(simulation_run::Entity)
        .inner_join(
            design::Entity,
            Expr::col((design::Entity, design::Column::Id))
                .equals((simulation_run::Entity, simulation_run::Column::DesignId)),
        )
        .and_where(simulation_run::Column::WorkloadId.is_in(ids.iter().copied()))
        .cond_where(design_access::readable(viewer))
        .to_owned();
    Ok(workload::Entity::find()
        .filter(workload::Column::Id.is_in(ids.iter().copied()))
        .filter(
            Condition::any()
                .add(workload::Column::IsTemplate.eq(true))
                .add_option(viewer.map(|id| workload::Column::UserId.eq(id)))
                .add(workload::Column::Id.in_subquery(run_by_open_designs)),
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
