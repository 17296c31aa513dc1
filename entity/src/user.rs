//! A person with an account.

use sea_orm::entity::prelude::*;

use crate::status::{Role, Tier};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub handle: String,
    pub email: String,
    /// Argon2id, PHC string format.
    #[serde(skip)]
    pub password_hash: String,
    pub role: Role,
    pub tier: Tier,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub deleted_at: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}
