//! A line of a design's versions under a name. The default branch, whose head is the design's canvas, has its design's id.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "design_branches")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub design_id: Uuid,
    /// Unique in its design.
    pub name: String,
    /// Number of its newest version.
    pub head_number: i32,
    pub created_at: DateTimeUtc,
}

impl Model {
    /// Whether its head is the canvas of the design.
    pub fn is_default(&self) -> bool {
        self.id == self.design_id
    }
}

impl ActiveModelBehavior for ActiveModel {}
