//! What an operator has set for all workers: one row.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "queue_controls")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    /// Nobody claims jobs: those that run may finish, all others wait.
    pub drained: bool,
}

impl ActiveModelBehavior for ActiveModel {}
