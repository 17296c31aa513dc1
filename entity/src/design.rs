//! A canvas under a name: the head of its versions.

use sea_orm::entity::prelude::*;

use crate::status::Visibility;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "designs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// None once the owner's account is gone.
    pub user_id: Option<Uuid>,
    pub name: String,
    pub description: Option<String>,
    /// The canvas exactly as the client sent it.
    #[sea_orm(column_type = "JsonBinary")]
    pub canvas_state: Json,
    pub visibility: Visibility,
    /// Grows by one with every update; the optimistic lock.
    pub version: i32,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    /// Set while the design is archived.
    pub deleted_at: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}
