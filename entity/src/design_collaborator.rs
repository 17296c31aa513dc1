//! Someone whom a design was shared with.

use sea_orm::entity::prelude::*;

use crate::status::CollaboratorRole;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "design_collaborators")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub design_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Uuid,
    pub role: CollaboratorRole,
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
