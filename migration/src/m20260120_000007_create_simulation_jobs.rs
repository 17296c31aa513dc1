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
                    .table("simulation_jobs")
                    .col(pk_uuid("id"))
                    .col(uuid("user_id"))
                    .col(uuid("design_id"))
                    .col(uuid("design_version_id"))
                    .col(uuid("workload_id"))
                    .col(ddl::one_of(
                        "status",
                        &["queued", "running", "completed", "failed", "canceled", "timed_out"],
                    ))
                    .col(ddl::one_of("priority", &["low", "normal", "high"]))
                    .col(big_integer("seed"))
                    .col(ddl::one_of("trace", &["none", "sampled", "full"]))
                    .col(integer("max_events"))
                    .col(integer("timeout_seconds"))
                    .col(big_integer("memory_limit_bytes"))
                    .col(big_integer("total_operations"))
                    .col(integer("attempt"))
                    .col(integer("faults"))
                    .col(integer("workers_lost"))
                    .col(text_null("worker"))
                    .col(timestamp_with_time_zone_null("lease_expires_at"))
                    .col(boolean("cancel_requested"))
                    .col(double("progress"))
                    .col(integer("sequence"))
                    .col(text_null("failure_code"))
                    .col(text_null("failure_message"))
                    .col(text_null("request_id"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone("updated_at"))
                    .col(timestamp_with_time_zone_null("started_at"))
                    .col(timestamp_with_time_zone_null("finished_at"))
                    .foreign_key(&mut ddl::references(
                        "simulation_jobs",
                        "user_id",
                        "users",
                        ForeignKeyAction::Cascade,
                    ))
                    .foreign_key(&mut ddl::references(
                        "simulation_jobs",
                        "design_id",
                        "designs",
                        ForeignKeyAction::Cascade,
                    ))
                    .foreign_key(&mut ddl::references(
                        "simulation_jobs",
                        "design_version_id",
                        "design_versions",
                        ForeignKeyAction::Cascade,
                    ))
                    .foreign_key(&mut ddl::references(
                        "simulation_jobs",
                        "workload_id",
                        "workloads",
                        ForeignKeyAction::Cascade,
                    ))
                    .to_owned(),
            )
            .await?;
        ddl::run_all(
            manager,
            &[
                "CREATE INDEX idx_jobs_user ON simulation_jobs (user_id, created_at, id)",
                "CREATE INDEX idx_jobs_design ON simulation_jobs (design_id)",
                "CREATE INDEX idx_jobs_version ON simulation_jobs (design_version_id)",
                "CREATE INDEX idx_jobs_workload ON simulation_jobs (workload_id)",
                "CREATE INDEX idx_jobs_queued ON simulation_jobs (created_at, id) WHERE status = 'queued'",
                "CREATE INDEX idx_jobs_running ON simulation_jobs (lease_expires_at) WHERE status = 'running'",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("simulation_jobs").to_owned()).await
    }
}
