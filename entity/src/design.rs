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
    /// Versions of the canvas so far, on all branches together; the number of the newest one.
    pub version_count: i32,
    /// The design that it began as a copy of.
    pub forked_from_id: Option<Uuid>,
    /// Who made the last update.
    pub changed_by_id: Option<Uuid>,
    /// Opens the design while it is not private. Stored as it is, because it is shown again to those who may share; it
    /// gives nothing that the row does not hold anyway.
    pub share_token: Option<String>,
    /// SHA-256 of the token in hexadecimal. A token is looked up by this, so that the time that a look-up takes tells
    /// nothing of how much of a guess was right.
    pub share_token_hash: Option<String>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    /// Set while the design is archived.
    pub deleted_at: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}
