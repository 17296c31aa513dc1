//! A canvas under a name: the head of its versions.

use sea_orm::{FromQueryResult, Iterable, entity::prelude::*};

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

/// A design without its canvas, which is most of its bytes and seldom asked for.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct Head {
    pub id: Uuid,
    pub user_id: Option<Uuid>,
    pub name: String,
    pub description: Option<String>,
    pub visibility: Visibility,
    pub version: i32,
    pub version_count: i32,
    pub forked_from_id: Option<Uuid>,
    pub changed_by_id: Option<Uuid>,
    pub share_token: Option<String>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub deleted_at: Option<DateTimeUtc>,
}

impl Head {
    /// The columns that it is made of.
    pub fn columns() -> impl Iterator<Item = Column> {
        Column::iter().filter(|column| !matches!(column, Column::CanvasState | Column::ShareTokenHash))
    }
}

impl From<Model> for Head {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            user_id: row.user_id,
            name: row.name,
            description: row.description,
            visibility: row.visibility,
            version: row.version,
            version_count: row.version_count,
            forked_from_id: row.forked_from_id,
            changed_by_id: row.changed_by_id,
            share_token: row.share_token,
            created_at: row.created_at,
            updated_at: row.updated_at,
            deleted_at: row.deleted_at,
        }
    }
}

/// A canvas that stood at the head of a design: a version of a design never has another.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct HeadCanvas {
    pub id: Uuid,
    pub version: i32,
    pub canvas_state: Json,
}
