//! A process that takes jobs, as it last told of itself.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "workers")]
pub struct Model {
    /// Unlike any other's, now or ever.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// Jobs it takes at a time.
    pub slots: i32,
    pub busy_slots: i32,
    pub started_at: DateTimeUtc,
    /// Believed dead from then on, unless it tells of itself again.
    pub alive_until: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
