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
                    .table("block_configs")
                    .col(pk_uuid("id"))
                    .col(uuid("user_id"))
                    .col(text("name"))
                    .col(text("block_type"))
                    .col(json_binary("parameters"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone("updated_at"))
                    .foreign_key(&mut ddl::references(
                        "block_configs",
                        "user_id",
                        "users",
                        ForeignKeyAction::Cascade,
                    ))
                    .to_owned(),
            )
            .await?;
        ddl::run_all(
            manager,
            &[
                "CREATE INDEX idx_block_configs_user ON block_configs (user_id, created_at, id)",
                "CREATE INDEX idx_block_configs_type ON block_configs (user_id, block_type, created_at, id)",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("block_configs").to_owned()).await
    }
}
