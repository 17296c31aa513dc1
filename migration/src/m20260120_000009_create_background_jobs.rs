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
                    .table("background_jobs")
                    .col(pk_uuid("id"))
                    .col(text("kind"))
                    .col(uuid_null("user_id"))
                    .col(json_binary("input"))
                    .col(json_binary_null("result"))
                    .col(ddl::one_of(
                        "status",
                        &["queued", "running", "completed", "failed", "canceled", "timed_out"],
                    ))
                    .col(ddl::one_of("priority", &["low", "normal", "high"]))
                    .col(integer("attempt"))
                    .col(integer("faults"))
                    .col(integer("workers_lost"))
                    .col(text_null("worker"))
                    .col(timestamp_with_time_zone_null("lease_expires_at"))
                    .col(double("progress"))
                    .col(text_null("failure_code"))
                    .col(text_null("failure_message"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone("updated_at"))
                    .col(timestamp_with_time_zone_null("started_at"))
                    .col(timestamp_with_time_zone_null("finished_at"))
                    .foreign_key(&mut ddl::references(
                        "background_jobs",
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
                "CREATE INDEX idx_background_jobs_user ON background_jobs (user_id, created_at, id)",
                "CREATE INDEX idx_background_jobs_queued ON background_jobs (created_at, id) WHERE status = 'queued'",
                "CREATE INDEX idx_background_jobs_running ON background_jobs (lease_expires_at) WHERE status = 'running'",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("background_jobs").to_owned()).await
    }
}
