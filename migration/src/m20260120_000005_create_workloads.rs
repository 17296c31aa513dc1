use sea_orm_migration::{prelude::*, schema::*};

use crate::ddl;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("workloads")
                    .col(pk_uuid("id"))
                    .col(uuid_null("user_id"))
                    .col(text_null("slug"))
                    .col(text("name"))
                    .col(text_null("description"))
                    .col(json_binary("operations"))
                    .col(json_binary("tables"))
                    .col(json_binary("config"))
                    .col(boolean("is_template"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone("updated_at"))
                    .col(timestamp_with_time_zone_null("deleted_at"))
                    .foreign_key(&mut ddl::references(
                        "workloads",
                        "user_id",
                        "users",
                        ForeignKeyAction::SetNull,
                    ))
                    .to_owned(),
            )
            .await?;
        ddl::run_all(
            manager,
            &[
                "CREATE UNIQUE INDEX workloads_slug ON workloads (slug) WHERE slug IS NOT NULL",
                "CREATE INDEX workloads_user ON workloads (user_id, created_at, id) WHERE deleted_at IS NULL",
                "CREATE INDEX workloads_templates ON workloads (created_at, id) WHERE is_template",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("workloads").to_owned()).await
    }
}
