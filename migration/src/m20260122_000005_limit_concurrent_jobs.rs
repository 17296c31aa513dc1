use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// What the larger plan allows; jobs that were accepted before the limit keep to it.
const DEFAULT: i32 = 8;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .alter_table(
                Table::alter()
                    .table("simulation_jobs")
                    .add_column(integer("max_concurrent_jobs").default(DEFAULT))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .alter_table(
                Table::alter().table("simulation_jobs").drop_column("max_concurrent_jobs").to_owned(),
            )
            .await
    }
}
