//! The register of workers, and the switch that stops them all. Times are the database's own: a worker whose clock is wrong is neither dead nor alive for ever.

use std::time::Duration;

use sea_orm::{
    QueryOrder,
    entity::prelude::*,
    sea_query::{Expr, ExprTrait, OnConflict, Query},
};

use super::attempts::clock;
use crate::{
    DatabaseConnection, StoreError, queue_controls,
    worker::{Column, Entity, Model},
};

/// Tells that a worker lives, how much it has to do, and how long it is to be believed alive without another sign.
pub async fn beat(
    db: &DatabaseConnection,
    name: &str,
    slots: i32,
    busy_slots: i32,
    lease: Duration,
) -> Result<(), StoreError> {
    let insert = Query::insert()
        .into_table(Entity)
        .columns([Column::Name, Column::Slots, Column::BusySlots, Column::StartedAt, Column::AliveUntil])
        .values_panic([
            name.into(),
            slots.into(),
            busy_slots.into(),
            clock(db, Duration::ZERO),
            clock(db, lease),
        ])
        .on_conflict(
            OnConflict::column(Column::Name)
                .update_columns([Column::Slots, Column::BusySlots, Column::AliveUntil])
                .to_owned(),
        )
        .to_owned();
    db.execute(&insert).await?;
    Ok(())
}

/// Strikes a worker that ends off the register.
pub async fn remove(db: &DatabaseConnection, name: &str) -> Result<(), StoreError> {
    Entity::delete_by_id(name.to_owned()).exec(db).await?;
    Ok(())
}

/// The workers that are believed alive, by name.
pub async fn alive(db: &DatabaseConnection) -> Result<Vec<Model>, StoreError> {
    Ok(Entity::find()
        .filter(Expr::col(Column::AliveUntil).gt(clock(db, Duration::ZERO)))
        .order_by_asc(Column::Name)
        .all(db)
        .await?)
}

/// Whether workers may claim nothing.
pub async fn drained(db: &DatabaseConnection) -> Result<bool, StoreError> {
    Ok(queue_controls::Entity::find().one(db).await?.is_some_and(|controls| controls.drained))
}

/// Lets workers claim nothing from now on, or again. They look every few seconds.
pub async fn set_drained(db: &DatabaseConnection, drained: bool) -> Result<(), StoreError> {
    queue_controls::Entity::update_many()
        .col_expr(queue_controls::Column::Drained, Expr::value(drained))
        .exec(db)
        .await?;
    Ok(())
}
