//! A built-in design to start from.

use sea_orm::entity::prelude::*;

use crate::status::TemplateCategory;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "templates")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub slug: String,
    pub name: String,
    pub description: String,
    pub category: TemplateCategory,
    #[sea_orm(column_type = "JsonBinary")]
    pub canvas_state: Json,
    /// The workload that shows what the template is about.
    pub workload_id: Option<Uuid>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
