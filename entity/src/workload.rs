//! What clients ask of a design: tables, operations and how they arrive.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "workloads")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// None for the built-in templates.
    pub user_id: Option<Uuid>,
    /// Name of a built-in template in code and URLs; none for users' workloads.
    pub slug: Option<String>,
    pub name: String,
    pub description: Option<String>,
    /// `operations`, `tables` and `config` are the three parts of the engine's workload document.
    #[sea_orm(column_type = "JsonBinary")]
    pub operations: Json,
    #[sea_orm(column_type = "JsonBinary")]
    pub tables: Json,
    #[sea_orm(column_type = "JsonBinary")]
    pub config: Json,
    /// What filled the template that it was made from.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub variables: Option<Json>,
    pub is_template: bool,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    /// When operations, tables or config last changed; none: they are as they were made.
    pub content_changed_at: Option<DateTimeUtc>,
    pub deleted_at: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}
