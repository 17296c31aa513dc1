//! Designs: made with their first version, changed under a lock on their row. Who may do what is told by
//! [`design_access`](super::design_access).

use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect,
    Set, TryIntoModel,
};
use serde_json::Value as Json;
use uuid::Uuid;

use super::{
    design_access::{self, Access, ShareLink, readable},
    versions::{self, DEFAULT_BRANCH, NewVersion},
};
use crate::{
    DatabaseTransaction, StoreError, design, design_branch, design_version, status::Visibility, time::now,
};

/// What a new design is made of.
pub struct NewDesign {
    pub user_id: Uuid,
    pub name: String,
    pub description: Option<String>,
    pub canvas_state: Json,
    pub visibility: Visibility,
    pub share_link: ShareLink,
    pub forked_from_id: Option<Uuid>,
}

/// What an update changes; none leaves a value as it is.
#[derive(Default)]
pub struct DesignChange {
    pub name: Option<String>,
    pub description: Option<Option<String>>,
    pub visibility: Option<Visibility>,
    /// A new head of a branch.
    pub head: Option<NewHead>,
    /// Archives the design, or takes it back.
    pub archived: Option<bool>,
}

/// A canvas that becomes the head of a branch.
pub struct NewHead {
    pub branch: design_branch::Model,
    pub canvas_state: Json,
    pub message: Option<String>,
    /// Number of the version of another branch that was merged into it.
    pub merged_number: Option<i32>,
}

/// A design after an update, and the version and branch that the update moved on.
pub struct Changed {
    pub design: design::Model,
    pub head: Option<(design_branch::Model, design_version::Model)>,
}

/// Adds a design, its version 1 and its default branch. Takes a transaction, because one without the others must not be.
pub async fn insert(txn: &DatabaseTransaction, new: NewDesign) -> Result<design::Model, StoreError> {
    let now = now();
    let design = design::Model {
        id: Uuid::now_v7(),
        user_id: Some(new.user_id),
        name: new.name,
        description: new.description,
        canvas_state: new.canvas_state.clone(),
        visibility: new.visibility,
        version: 1,
        version_count: 1,
        forked_from_id: new.forked_from_id,
        changed_by_id: Some(new.user_id),
        share_token: Some(new.share_link.token),
        share_token_hash: Some(new.share_link.hash),
        created_at: now,
        updated_at: now,
        deleted_at: None,
    };
    // A canvas need not come back from where it was just sent.
    let written = design.clone().into_active_model().reset_all();
    design::Entity::insert(written).exec_without_returning(txn).await?;
    versions::insert_branch(txn, design.id, design.id, DEFAULT_BRANCH.into(), 1).await?;
    let first = NewVersion {
        design_id: design.id,
        number: 1,
        branch_id: design.id,
        parent_number: None,
        merged_number: None,
        canvas_state: new.canvas_state,
        message: None,
        author_id: new.user_id,
    };
    versions::append(txn, first).await?;
    Ok(design)
}

/// The design, locked until the transaction ends, and what the viewer may do with it; none if they may not know of it.
pub async fn lock(
    txn: &DatabaseTransaction,
    id: Uuid,
    viewer: Uuid,
) -> Result<Option<(design::Model, Access)>, StoreError> {
    let Some(design) = design::Entity::find_by_id(id).lock_exclusive().one(txn).await? else {
        return Ok(None);
    };
    if design.user_id == Some(viewer) {
        return Ok(Some((design, Access::Own)));
    }
    let access = design_access::of_viewer(txn, &[id], Some(viewer)).await?;
    Ok(access.get(&id).map(|access| (design, *access)))
}

/// Changes a design that [`lock`] gave; its version grows by one.
pub async fn change(
    txn: &DatabaseTransaction,
    design: design::Model,
    changed_by: Uuid,
    change: DesignChange,
) -> Result<Changed, StoreError> {
    let now = now();
    let (id, version, count) = (design.id, design.version + 1, design.version_count + 1);
    let mut row: design::ActiveModel = design.into();
    row.version = Set(version);
    row.updated_at = Set(now);
    row.changed_by_id = Set(Some(changed_by));
    if let Some(name) = change.name {
        row.name = Set(name);
    }
    if let Some(description) = change.description {
        row.description = Set(description);
    }
    if let Some(visibility) = change.visibility {
        row.visibility = Set(visibility);
    }
    if let Some(archived) = change.archived {
        row.deleted_at = Set(archived.then_some(now));
    }
    if let Some(head) = &change.head {
        row.version_count = Set(count);
        if head.branch.is_default() {
            row.canvas_state = Set(head.canvas_state.clone());
        }
    }
    let written = design::Entity::update_many().set(row.clone()).filter(design::Column::Id.eq(id));
    written.exec(txn).await?;
    let design = row.try_into_model()?;
    let Some(head) = change.head else { return Ok(Changed { design, head: None }) };
    let appended = NewVersion {
        design_id: design.id,
        number: count,
        branch_id: head.branch.id,
        parent_number: Some(head.branch.head_number),
        merged_number: head.merged_number,
        canvas_state: head.canvas_state,
        message: head.message,
        author_id: changed_by,
    };
    let version = versions::append(txn, appended).await?;
    let branch = versions::move_head(txn, head.branch, count).await?;
    Ok(Changed { design, head: Some((branch, version)) })
}

/// The designs among these ids that the viewer may open, in any order.
pub async fn find_visible(
    db: &impl ConnectionTrait,
    ids: &[Uuid],
    viewer: Option<Uuid>,
) -> Result<Vec<design::Model>, StoreError> {
    Ok(design::Entity::find()
        .filter(design::Column::Id.is_in(ids.iter().copied()))
        .filter(readable(viewer))
        .all(db)
        .await?)
}

/// [`find_visible`] without the canvases.
pub async fn find_visible_heads(
    db: &impl ConnectionTrait,
    ids: &[Uuid],
    viewer: Option<Uuid>,
) -> Result<Vec<design::Head>, StoreError> {
    Ok(design::Entity::find()
        .select_only()
        .columns(design::Head::columns())
        .filter(design::Column::Id.is_in(ids.iter().copied()))
        .filter(readable(viewer))
        .into_model()
        .all(db)
        .await?)
}

/// The canvases of the designs among these ids that the viewer may open, each with the version of its design.
pub async fn find_visible_canvases(
    db: &impl ConnectionTrait,
    ids: &[Uuid],
    viewer: Option<Uuid>,
) -> Result<Vec<design::HeadCanvas>, StoreError> {
    Ok(design::Entity::find()
        .select_only()
        .columns([design::Column::Id, design::Column::Version, design::Column::CanvasState])
        .filter(design::Column::Id.is_in(ids.iter().copied()))
        .filter(readable(viewer))
        .into_model()
        .all(db)
        .await?)
}

/// The design that the share token with this hash opens, to anyone: one that is neither private nor archived.
pub async fn find_shared(
    db: &impl ConnectionTrait,
    share_token_hash: &str,
) -> Result<Option<design::Head>, StoreError> {
    Ok(design::Entity::find()
        .select_only()
        .columns(design::Head::columns())
        .filter(design::Column::ShareTokenHash.eq(share_token_hash))
        .filter(readable(None))
        .into_model()
        .one(db)
        .await?)
}
