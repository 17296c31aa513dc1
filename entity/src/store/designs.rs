//! Designs and their versions.
//!
//! A design is readable by its owner, and by everyone when it is PUBLIC, or UNLISTED and named by its id. Only its owner
//! changes it. An archived design is hidden from lists and from everyone but its owner.

use std::collections::HashMap;

use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DatabaseConnection, DatabaseTransaction,
    EntityTrait, Iterable, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select, Set,
    sea_query::{Expr, ExprTrait, Func, LikeExpr, Query},
};
use serde_json::Value as Json;
use uuid::Uuid;

use super::page::{Cursor, CursorKey, Keyset, Page, PageRequest, children_of_many};
use crate::{StoreError, design, design_version, status::Visibility, time::now};

/// What a new design is made of.
pub struct NewDesign {
    pub user_id: Uuid,
    pub name: String,
    pub description: Option<String>,
    pub canvas_state: Json,
    pub visibility: Visibility,
}

/// What an update changes; none leaves a value as it is.
#[derive(Default)]
pub struct DesignChange {
    pub name: Option<String>,
    pub description: Option<Option<String>>,
    pub canvas_state: Option<Json>,
    pub visibility: Option<Visibility>,
    /// Told with the version that a new canvas makes.
    pub message: Option<String>,
}

/// How an update ended.
pub enum Updated {
    /// The design as it is now, and the version that was appended if the canvas changed.
    Done(design::Model, Option<design_version::Model>),
    /// The design is at another version than expected; this is how it is.
    Conflict(design::Model),
    /// No such design of this owner.
    Missing,
}

/// Which designs a list holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DesignFilter {
    /// Words that name or description contain, whatever their case.
    pub search: Option<String>,
    pub visibility: Option<Vec<Visibility>>,
    pub updated_since: Option<chrono::DateTime<chrono::Utc>>,
    pub include_archived: bool,
}

/// Whose list it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DesignScope {
    /// What the viewer (none: an anonymous one) finds: their own and the public ones.
    VisibleTo(Option<Uuid>),
    /// Designs of `owner` as far as `viewer` may see them listed.
    OwnedBy { owner: Uuid, viewer: Option<Uuid> },
}

/// What a list of designs is sorted by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DesignOrder {
    CreatedAt,
    UpdatedAt,
    Name,
}

impl DesignOrder {
    /// The place of a row in a list of this order.
    pub fn cursor(self, row: &design::Model) -> Cursor {
        let key = match self {
            Self::CreatedAt => CursorKey::Time(row.created_at),
            Self::UpdatedAt => CursorKey::Time(row.updated_at),
            Self::Name => CursorKey::Text(row.name.clone()),
        };
        Cursor { key, id: row.id }
    }

    fn keyset(self, descending: bool) -> Keyset {
        let column = match self {
            Self::CreatedAt => design::Column::CreatedAt,
            Self::UpdatedAt => design::Column::UpdatedAt,
            Self::Name => design::Column::Name,
        };
        Keyset { key: Expr::col(column), id: Expr::col(design::Column::Id), descending }
    }
}

/// Adds a design and its version 1. Takes a transaction, because one without the other must not be.
pub async fn insert(txn: &DatabaseTransaction, new: NewDesign) -> Result<design::Model, StoreError> {
    let now = now();
    let design = design::ActiveModel {
        id: Set(Uuid::now_v7()),
        user_id: Set(Some(new.user_id)),
        name: Set(new.name),
        description: Set(new.description),
        canvas_state: Set(new.canvas_state.clone()),
        visibility: Set(new.visibility),
        version: Set(1),
        created_at: Set(now),
        updated_at: Set(now),
        deleted_at: Set(None),
    }
    .insert(txn)
    .await?;
    append_version(txn, design.id, 1, new.canvas_state, None, new.user_id).await?;
    Ok(design)
}

/// Changes a design that is still at `expected_version`; a changed canvas appends a version.
pub async fn update(
    db: &DatabaseConnection,
    owner: Uuid,
    id: Uuid,
    expected_version: i32,
    change: DesignChange,
) -> Result<Updated, StoreError> {
    let txn = super::begin(db).await?;
    let mut update = design::Entity::update_many()
        .col_expr(design::Column::Version, Expr::col(design::Column::Version).add(1))
        .col_expr(design::Column::UpdatedAt, Expr::value(now()));
    if let Some(name) = change.name {
        update = update.col_expr(design::Column::Name, Expr::value(name));
    }
    if let Some(description) = change.description {
        update = update.col_expr(design::Column::Description, Expr::value(description));
    }
    if let Some(visibility) = change.visibility {
        update = update.col_expr(design::Column::Visibility, Expr::value(visibility));
    }
    if let Some(canvas) = &change.canvas_state {
        update = update.col_expr(design::Column::CanvasState, Expr::value(canvas.clone()));
    }
    let matched = update
        .filter(design::Column::Id.eq(id))
        .filter(design::Column::UserId.eq(owner))
        .filter(design::Column::DeletedAt.is_null())
        .filter(design::Column::Version.eq(expected_version))
        .exec(&txn)
        .await?
        .rows_affected
        == 1;
    let current = design::Entity::find_by_id(id)
        .filter(design::Column::UserId.eq(owner))
        .filter(design::Column::DeletedAt.is_null())
        .one(&txn)
        .await?;
    let Some(current) = current else { return Ok(Updated::Missing) };
    if !matched {
        return Ok(Updated::Conflict(current));
    }
    let version = match change.canvas_state {
        Some(canvas) => {
            let number = head_of(&txn, id).await?.map_or(1, |head| head.version_number + 1);
            Some(append_version(&txn, id, number, canvas, change.message, owner).await?)
        }
        None => None,
    };
    txn.commit().await?;
    Ok(Updated::Done(current, version))
}

/// Hides a design of this owner, at `expected_version` if one is given. Archiving an archived design changes nothing.
pub async fn archive(
    db: &DatabaseConnection,
    owner: Uuid,
    id: Uuid,
    expected_version: Option<i32>,
) -> Result<Updated, StoreError> {
    let txn = super::begin(db).await?;
    // Locked, so that no update comes between the look at the version and the change.
    let current = design::Entity::find_by_id(id)
        .filter(design::Column::UserId.eq(owner))
        .lock_exclusive()
        .one(&txn)
        .await?;
    let Some(current) = current else { return Ok(Updated::Missing) };
    if expected_version.is_some_and(|expected| expected != current.version) {
        return Ok(Updated::Conflict(current));
    }
    if current.deleted_at.is_some() {
        return Ok(Updated::Done(current, None));
    }
    let (now, version) = (now(), current.version);
    let mut row: design::ActiveModel = current.into();
    row.deleted_at = Set(Some(now));
    row.updated_at = Set(now);
    row.version = Set(version + 1);
    let archived = row.update(&txn).await?;
    txn.commit().await?;
    Ok(Updated::Done(archived, None))
}

/// The designs among these ids that the viewer may open, in any order.
pub async fn find_visible(
    db: &impl ConnectionTrait,
    ids: &[Uuid],
    viewer: Option<Uuid>,
) -> Result<Vec<design::Model>, StoreError> {
    let open = Condition::all()
        .add(design::Column::Visibility.ne(Visibility::Private))
        .add(design::Column::DeletedAt.is_null());
    Ok(design::Entity::find()
        .filter(design::Column::Id.is_in(ids.iter().copied()))
        .filter(Condition::any().add(open).add_option(viewer.map(|id| design::Column::UserId.eq(id))))
        .all(db)
        .await?)
}

/// A page of a list of designs.
pub async fn list(
    db: &impl ConnectionTrait,
    scope: DesignScope,
    filter: &DesignFilter,
    order: DesignOrder,
    descending: bool,
    request: &PageRequest,
) -> Result<Page<design::Model>, StoreError> {
    let select = order.keyset(descending).apply(listed(scope, filter), request);
    Ok(Page::of(select.all(db).await?, request))
}

/// How many designs the whole list holds.
pub async fn count(
    db: &impl ConnectionTrait,
    scope: DesignScope,
    filter: &DesignFilter,
) -> Result<u64, StoreError> {
    Ok(listed(scope, filter).count(db).await?)
}

/// How many designs of this owner are not archived.
pub async fn count_owned(db: &impl ConnectionTrait, owner: Uuid) -> Result<u64, StoreError> {
    let scope = DesignScope::OwnedBy { owner, viewer: Some(owner) };
    count(db, scope, &DesignFilter::default()).await
}

fn listed(scope: DesignScope, filter: &DesignFilter) -> Select<design::Entity> {
    let public = design::Column::Visibility.eq(Visibility::Public);
    let (viewer, of_scope) = match scope {
        DesignScope::VisibleTo(viewer) => {
            let own = viewer.map(|id| design::Column::UserId.eq(id));
            (viewer, Condition::any().add(public).add_option(own))
        }
        DesignScope::OwnedBy { owner, viewer } => {
            let all_or_public = (viewer != Some(owner)).then_some(public);
            (viewer, Condition::all().add(design::Column::UserId.eq(owner)).add_option(all_or_public))
        }
    };
    let mut select = design::Entity::find().filter(of_scope);
    let living = design::Column::DeletedAt.is_null();
    select = match (filter.include_archived, viewer) {
        (true, Some(viewer)) => {
            select.filter(Condition::any().add(living).add(design::Column::UserId.eq(viewer)))
        }
        _ => select.filter(living),
    };
    if let Some(words) = filter.search.as_deref().map(str::trim).filter(|words| !words.is_empty()) {
        let pattern = format!("%{}%", escape_like(words));
        select = select.filter(
            Condition::any()
                .add(contains(design::Column::Name, &pattern))
                .add(contains(design::Column::Description, &pattern)),
        );
    }
    if let Some(visibility) = &filter.visibility {
        select = select.filter(design::Column::Visibility.is_in(visibility.iter().copied()));
    }
    if let Some(since) = filter.updated_since {
        select = select.filter(design::Column::UpdatedAt.gte(since));
    }
    select
}

fn contains(column: design::Column, pattern: &str) -> Expr {
    // Both sides folded by the database: SQLite folds ASCII letters alone, and must do so to both.
    Expr::expr(Func::lower(column.into_expr())).like(LikeExpr::new(pattern).escape('\\'))
}

/// Makes the wildcards of LIKE stand for themselves.
fn escape_like(text: &str) -> String {
    text.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_")
}

/// The versions with these ids whose design the viewer may open, in any order.
pub async fn find_visible_versions(
    db: &impl ConnectionTrait,
    ids: &[Uuid],
    viewer: Option<Uuid>,
) -> Result<Vec<design_version::Model>, StoreError> {
    let versions = design_version::Entity::find()
        .filter(design_version::Column::Id.is_in(ids.iter().copied()))
        .all(db)
        .await?;
    let designs: Vec<Uuid> = versions.iter().map(|version| version.design_id).collect();
    let visible: Vec<Uuid> =
        find_visible(db, &designs, viewer).await?.iter().map(|design| design.id).collect();
    Ok(versions.into_iter().filter(|version| visible.contains(&version.design_id)).collect())
}

/// The version of a design with this number, or its newest one. The caller has checked that the design may be read.
pub async fn find_version(
    db: &impl ConnectionTrait,
    design_id: Uuid,
    number: Option<i32>,
) -> Result<Option<design_version::Model>, StoreError> {
    match number {
        Some(number) => Ok(design_version::Entity::find()
            .filter(design_version::Column::DesignId.eq(design_id))
            .filter(design_version::Column::VersionNumber.eq(number))
            .one(db)
            .await?),
        None => head_of(db, design_id).await,
    }
}

/// The requested page of the versions of each design, newest first. The caller has checked that they may be read.
pub async fn version_lists(
    db: &impl ConnectionTrait,
    design_ids: &[Uuid],
    request: &PageRequest,
) -> Result<HashMap<Uuid, Page<design_version::Model>>, StoreError> {
    let keyset = Keyset { key: Expr::col("version_number"), id: Expr::col("id"), descending: true };
    let select =
        Query::select().columns(design_version::Column::iter()).from(design_version::Entity).to_owned();
    let parent_of = |row: &design_version::Model| row.design_id;
    children_of_many(db, select, "design_id", design_ids, &keyset, request, parent_of).await
}

/// How many versions a design has.
pub async fn count_versions(db: &impl ConnectionTrait, design_id: Uuid) -> Result<u64, StoreError> {
    Ok(design_version::Entity::find()
        .filter(design_version::Column::DesignId.eq(design_id))
        .count(db)
        .await?)
}

async fn head_of(
    db: &impl ConnectionTrait,
    design_id: Uuid,
) -> Result<Option<design_version::Model>, StoreError> {
    Ok(design_version::Entity::find()
        .filter(design_version::Column::DesignId.eq(design_id))
        .order_by_desc(design_version::Column::VersionNumber)
        .one(db)
        .await?)
}

async fn append_version(
    db: &impl ConnectionTrait,
    design_id: Uuid,
    number: i32,
    canvas_state: Json,
    message: Option<String>,
    author: Uuid,
) -> Result<design_version::Model, StoreError> {
    let row = design_version::ActiveModel {
        id: Set(Uuid::now_v7()),
        design_id: Set(design_id),
        version_number: Set(number),
        canvas_state: Set(canvas_state),
        commit_message: Set(message),
        author_id: Set(Some(author)),
        created_at: Set(now()),
    };
    Ok(row.insert(db).await?)
}
