use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [json_binary_null("variables"), timestamp_with_time_zone_null("content_changed_at")] {
            manager.alter_table(Table::alter().table("workloads").add_column(column).to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in ["variables", "content_changed_at"] {
            manager.alter_table(Table::alter().table("workloads").drop_column(column).to_owned()).await?;
        }
        Ok(())
    }
}
