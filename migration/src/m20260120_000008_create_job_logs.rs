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
                    .table("job_logs")
                    .col(uuid("job_id"))
                    .col(integer("sequence"))
                    .col(timestamp_with_time_zone("time"))
                    .col(ddl::one_of("level", &["debug", "info", "warn", "error"]))
                    .col(text("message"))
                    .col(json_binary_null("fields"))
                    .primary_key(Index::create().col("job_id").col("sequence"))
                    .foreign_key(&mut ddl::references(
                        "job_logs",
                        "job_id",
                        "simulation_jobs",
                        ForeignKeyAction::Cascade,
                    ))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("job_logs").to_owned()).await
    }
}
