//! Who may do what with a design: its owner, its collaborators, everyone while it is not private, and admins.
//!
//! An archived design is hidden from everyone but its owner and admins.

use std::collections::HashMap;

use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult, PaginatorTrait,
    QueryFilter, QueryOrder, Set,
    sea_query::{Expr, ExprTrait, OnConflict, Query},
};
use uuid::Uuid;

use super::page::group_by;
use crate::{
    StoreError, design, design_collaborator,
    status::{CollaboratorRole, Role, Visibility},
    time::now,
    user,
};

/// What a viewer may do with a design; who may do more may do all that comes before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Not even know of it.
    None,
    /// Read it, as everyone may who finds it or has its link.
    Open,
    /// Read it, because it was shared with them.
    View,
    /// Change its canvas, name and description, and run it.
    Edit,
    /// Share and archive it.
    Own,
}

/// The designs that the viewer may open, as a condition on a query of `designs`.
pub(super) fn readable(viewer: Option<Uuid>) -> Condition {
    let living = || design::Column::DeletedAt.is_null();
    let open = Condition::all().add(visibility().ne(word(Visibility::Private))).add(living());
    match viewer {
        None => Condition::any().add(open),
        Some(viewer) => Condition::any()
            .add(design::Column::UserId.eq(viewer))
            .add(open)
            .add(Condition::all().add(shared_with(viewer)).add(living()))
            .add(is_admin(viewer)),
    }
}

/// The visibility of a design, to be compared with a [`word`].
pub(super) fn visibility() -> Expr {
    Expr::col((design::Entity, design::Column::Visibility))
}

/// A visibility as a constant of the statement. A bound value would hide from PostgreSQL how many designs are meant, and that a
/// partial index holds them: a plan made once for all values would read tables from end to end.
pub(super) fn word(visibility: Visibility) -> Expr {
    Expr::cust(format!("'{}'", visibility.as_str()))
}

/// The designs that were shared with a user, as a condition on a query of `designs`.
pub(super) fn shared_with(user_id: Uuid) -> Expr {
    Expr::exists(
        Query::select()
            .expr(Expr::val(1))
            .from(design_collaborator::Entity)
            .and_where(design_collaborator::Column::UserId.eq(user_id))
            .and_where(
                Expr::col((design_collaborator::Entity, design_collaborator::Column::DesignId))
                    .equals((design::Entity, design::Column::Id)),
            )
            .to_owned(),
    )
}

fn is_admin(user_id: Uuid) -> Expr {
    Expr::exists(
        Query::select()
            .expr(Expr::val(1))
            .from(user::Entity)
            .and_where(user::Column::Id.eq(user_id))
            .and_where(user::Column::Role.eq(Role::Admin))
            .and_where(user::Column::DeletedAt.is_null())
            .to_owned(),
    )
}

/// What the viewer may do with each of these designs; those they may not know of are absent.
pub async fn of_viewer(
    db: &impl ConnectionTrait,
    design_ids: &[Uuid],
    viewer: Option<Uuid>,
) -> Result<HashMap<Uuid, Access>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        user_id: Option<Uuid>,
        visibility: Visibility,
        archived: bool,
        admin: bool,
        role: Option<CollaboratorRole>,
    }
    let select = Query::select()
        .columns([
            (design::Entity, design::Column::Id),
            (design::Entity, design::Column::UserId),
            (design::Entity, design::Column::Visibility),
        ])
        .expr_as(design::Column::DeletedAt.is_not_null(), "archived")
        .expr_as(viewer.map_or(Expr::val(false), is_admin), "admin")
        .column((design_collaborator::Entity, design_collaborator::Column::Role))
        .from(design::Entity)
        .left_join(
            design_collaborator::Entity,
            Condition::all()
                .add(
                    Expr::col((design_collaborator::Entity, design_collaborator::Column::DesignId))
                        .equals((design::Entity, design::Column::Id)),
                )
                // Nobody has the nil id.
                .add(design_collaborator::Column::UserId.eq(viewer.unwrap_or_default())),
        )
        .and_where(design::Column::Id.is_in(design_ids.iter().copied()))
        .to_owned();
    let rows = Row::find_by_statement(db.get_database_backend().build(&select)).all(db).await?;
    let access = |row: &Row| match row.role {
        _ if row.admin || (viewer.is_some() && row.user_id == viewer) => Access::Own,
        _ if row.archived => Access::None,
        Some(CollaboratorRole::Editor) => Access::Edit,
        Some(CollaboratorRole::Viewer) => Access::View,
        None if row.visibility != Visibility::Private => Access::Open,
        None => Access::None,
    };
    let known = rows.iter().map(|row| (row.id, access(row)));
    Ok(known.filter(|(_, access)| *access > Access::None).collect())
}

/// Shares a design with a user in this role, whatever role they had before.
pub async fn set_collaborator(
    db: &impl ConnectionTrait,
    design_id: Uuid,
    user_id: Uuid,
    role: CollaboratorRole,
) -> Result<(), StoreError> {
    let row = design_collaborator::ActiveModel {
        design_id: Set(design_id),
        user_id: Set(user_id),
        role: Set(role),
        created_at: Set(now()),
    };
    let key = [design_collaborator::Column::DesignId, design_collaborator::Column::UserId];
    design_collaborator::Entity::insert(row)
        .on_conflict(OnConflict::columns(key).update_column(design_collaborator::Column::Role).to_owned())
        .exec_without_returning(db)
        .await?;
    Ok(())
}

/// Ends the sharing of a design with a user. It may have ended before.
pub async fn remove_collaborator(
    db: &impl ConnectionTrait,
    design_id: Uuid,
    user_id: Uuid,
) -> Result<(), StoreError> {
    design_collaborator::Entity::delete_by_id((design_id, user_id)).exec(db).await?;
    Ok(())
}

/// Whom these designs were shared with, in the order it was done. A design that was shared with nobody is absent. The
/// caller has checked that the viewer may know.
pub async fn collaborators(
    db: &impl ConnectionTrait,
    design_ids: &[Uuid],
) -> Result<HashMap<Uuid, Vec<design_collaborator::Model>>, StoreError> {
    let rows = design_collaborator::Entity::find()
        .filter(design_collaborator::Column::DesignId.is_in(design_ids.iter().copied()))
        .order_by_asc(design_collaborator::Column::CreatedAt)
        .order_by_asc(design_collaborator::Column::UserId)
        .all(db)
        .await?;
    Ok(group_by(rows, |row| row.design_id))
}

/// How many others than this user a design was shared with.
pub async fn count_other_collaborators(
    db: &impl ConnectionTrait,
    design_id: Uuid,
    user_id: Uuid,
) -> Result<u64, StoreError> {
    Ok(design_collaborator::Entity::find()
        .filter(design_collaborator::Column::DesignId.eq(design_id))
        .filter(design_collaborator::Column::UserId.ne(user_id))
        .count(db)
        .await?)
}

/// Gives a design another share token; the one before opens nothing any more.
pub async fn set_share_link(
    db: &impl ConnectionTrait,
    design: design::Model,
    link: ShareLink,
) -> Result<design::Model, StoreError> {
    let mut row: design::ActiveModel = design.into();
    row.share_token = Set(Some(link.token));
    row.share_token_hash = Set(Some(link.hash));
    Ok(row.update(db).await?)
}

/// A share token and its SHA-256 in hexadecimal.
#[derive(Clone)]
pub struct ShareLink {
    pub token: String,
    pub hash: String,
}
