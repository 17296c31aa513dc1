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
                    .table("design_versions")
                    .col(pk_uuid("id"))
                    .col(uuid("design_id"))
                    .col(integer("version_number"))
                    .col(json_binary("canvas_state"))
                    .col(text_null("commit_message"))
                    .col(uuid_null("author_id"))
                    .col(timestamp_with_time_zone("created_at"))
                    .foreign_key(&mut ddl::references(
                        "design_versions",
                        "design_id",
                        "designs",
                        ForeignKeyAction::Cascade,
                    ))
                    .foreign_key(&mut ddl::references(
                        "design_versions",
                        "author_id",
                        "users",
                        ForeignKeyAction::SetNull,
                    ))
                    .to_owned(),
            )
            .await?;
        ddl::run_all(
            manager,
            &["CREATE UNIQUE INDEX idx_versions_design ON design_versions (design_id, version_number)"],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("design_versions").to_owned()).await
    }
}
