use sea_orm_migration::{prelude::*, schema::*};

use crate::ddl;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// One row for each time a worker took a job, and what makes two jobs ask for the same result.
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("job_attempts")
                    .col(uuid("job_id"))
                    .col(integer("number"))
                    .col(text("worker"))
                    .col(timestamp_with_time_zone("started_at"))
                    .col(timestamp_with_time_zone_null("finished_at"))
                    .col(text_null("failure_code"))
                    .col(text_null("failure_message"))
                    .primary_key(Index::create().col("job_id").col("number"))
                    .foreign_key(&mut ddl::references(
                        "job_attempts",
                        "job_id",
                        "simulation_jobs",
                        ForeignKeyAction::Cascade,
                    ))
                    .to_owned(),
            )
            .await?;
        ddl::add_columns(manager, "simulation_jobs", [text_null("input_hash"), uuid_null("reused_run_id")])
            .await?;
        ddl::run_all(
            manager,
            &[
                "CREATE INDEX idx_jobs_answers ON simulation_jobs (design_id, input_hash, finished_at) \
                 WHERE status = 'completed' AND reused_run_id IS NULL",
                "CREATE INDEX idx_jobs_finished ON simulation_jobs (finished_at) WHERE finished_at IS NOT NULL",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run_all(manager, &["DROP INDEX idx_jobs_finished", "DROP INDEX idx_jobs_answers"]).await?;
        ddl::drop_columns(manager, "simulation_jobs", ["input_hash", "reused_run_id"]).await?;
        manager.drop_table(Table::drop().table("job_attempts").to_owned()).await
    }
}
