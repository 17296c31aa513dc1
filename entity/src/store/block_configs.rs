//! Saved block configurations. Each is its owner's alone.

use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, Select, Set,
    sea_query::Expr,
};
use serde_json::Value as Json;
use uuid::Uuid;

use super::page::{Keyset, Page, PageRequest};
use crate::{
    StoreError,
    block_config::{ActiveModel, Column, Entity, Model},
    time::now,
};

/// What a configuration says.
pub struct BlockConfig {
    pub name: String,
    pub block_type: String,
    pub parameters: Json,
}

/// Adds a configuration.
pub async fn insert(
    db: &impl ConnectionTrait,
    owner: Uuid,
    config: BlockConfig,
) -> Result<Model, StoreError> {
    let now = now();
    let row = ActiveModel {
        id: Set(Uuid::now_v7()),
        user_id: Set(owner),
        name: Set(config.name),
        block_type: Set(config.block_type),
        parameters: Set(config.parameters),
        created_at: Set(now),
        updated_at: Set(now),
    };
    Ok(row.insert(db).await?)
}

/// Replaces a configuration of this owner; none when they have no such one.
pub async fn replace(
    db: &impl ConnectionTrait,
    owner: Uuid,
    id: Uuid,
    config: BlockConfig,
) -> Result<Option<Model>, StoreError> {
    let replaced = Entity::update_many()
        .col_expr(Column::Name, Expr::value(config.name))
        .col_expr(Column::BlockType, Expr::value(config.block_type))
        .col_expr(Column::Parameters, Expr::value(config.parameters))
        .col_expr(Column::UpdatedAt, Expr::value(now()))
        .filter(Column::Id.eq(id))
        .filter(Column::UserId.eq(owner))
        .exec_with_returning(db)
        .await?;
    Ok(replaced.into_iter().next())
}

/// Removes a configuration of this owner. Tells whether there was one.
pub async fn delete(db: &impl ConnectionTrait, owner: Uuid, id: Uuid) -> Result<bool, StoreError> {
    let deleted =
        Entity::delete_many().filter(Column::Id.eq(id)).filter(Column::UserId.eq(owner)).exec(db).await?;
    Ok(deleted.rows_affected == 1)
}

/// The configurations among these ids that are this owner's, in any order.
pub async fn find_owned(
    db: &impl ConnectionTrait,
    ids: &[Uuid],
    owner: Uuid,
) -> Result<Vec<Model>, StoreError> {
    Ok(Entity::find()
        .filter(Column::Id.is_in(ids.iter().copied()))
        .filter(Column::UserId.eq(owner))
        .all(db)
        .await?)
}

/// A page of an owner's configurations, of one block type if one is given, newest first.
pub async fn list(
    db: &impl ConnectionTrait,
    owner: Uuid,
    block_type: Option<&str>,
    request: &PageRequest,
) -> Result<Page<Model>, StoreError> {
    let keyset = Keyset { key: Expr::col(Column::CreatedAt), id: Expr::col(Column::Id), descending: true };
    Ok(Page::of(keyset.apply(listed(owner, block_type), request).all(db).await?, request))
}

/// How many configurations the whole list holds.
pub async fn count(
    db: &impl ConnectionTrait,
    owner: Uuid,
    block_type: Option<&str>,
) -> Result<u64, StoreError> {
    Ok(listed(owner, block_type).count(db).await?)
}

fn listed(owner: Uuid, block_type: Option<&str>) -> Select<Entity> {
    let select = Entity::find().filter(Column::UserId.eq(owner));
    match block_type {
        Some(block_type) => select.filter(Column::BlockType.eq(block_type)),
        None => select,
    }
}
