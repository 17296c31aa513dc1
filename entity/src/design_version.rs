//! One state of a design's canvas. Append-only.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "design_versions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub design_id: Uuid,
    /// 1, 2, 3 … within the design, over all its branches; parents have smaller numbers than their children.
    pub version_number: i32,
    /// The branch that it was made on.
    pub branch_id: Option<Uuid>,
    /// Number of the version that it changed; none of the first.
    pub parent_number: Option<i32>,
    /// Number of the version that was merged into the parent.
    pub merged_number: Option<i32>,
    #[sea_orm(column_type = "JsonBinary")]
    pub canvas_state: Json,
    pub commit_message: Option<String>,
    pub author_id: Option<Uuid>,
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
