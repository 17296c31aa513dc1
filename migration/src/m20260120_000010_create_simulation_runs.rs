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
                    .table("simulation_runs")
                    .col(pk_uuid("id"))
                    .col(uuid("design_id"))
                    .col(uuid("design_version_id"))
                    .col(uuid("workload_id"))
                    .col(uuid_null("user_id"))
                    .col(uuid_null("job_id"))
                    .col(ddl::one_of("status", &["running", "completed", "failed"]))
                    .col(ddl::one_of("engine", &["client", "server"]))
                    .col(timestamp_with_time_zone("started_at"))
                    .col(timestamp_with_time_zone_null("completed_at"))
                    .col(double_null("throughput_qps"))
                    .col(double_null("latency_p50_ms"))
                    .col(double_null("latency_p95_ms"))
                    .col(double_null("latency_p99_ms"))
                    .col(big_integer_null("total_io_pages"))
                    .col(double_null("cache_hit_ratio"))
                    .col(json_binary_null("summary"))
                    .col(json_binary_null("metrics"))
                    .col(big_integer_null("seed"))
                    .col(text_null("engine_version"))
                    .col(text_null("result_hash"))
                    .col(big_integer_null("event_count"))
                    .col(timestamp_with_time_zone("created_at"))
                    .foreign_key(&mut ddl::references(
                        "simulation_runs",
                        "design_id",
                        "designs",
                        ForeignKeyAction::Cascade,
                    ))
                    .foreign_key(&mut ddl::references(
                        "simulation_runs",
                        "design_version_id",
                        "design_versions",
                        ForeignKeyAction::Cascade,
                    ))
                    .foreign_key(&mut ddl::references(
                        "simulation_runs",
                        "workload_id",
                        "workloads",
                        ForeignKeyAction::Cascade,
                    ))
                    .foreign_key(&mut ddl::references(
                        "simulation_runs",
                        "user_id",
                        "users",
                        ForeignKeyAction::SetNull,
                    ))
                    .foreign_key(&mut ddl::references(
                        "simulation_runs",
                        "job_id",
                        "simulation_jobs",
                        ForeignKeyAction::SetNull,
                    ))
                    .to_owned(),
            )
            .await?;
        ddl::run_all(
            manager,
            &[
                "CREATE INDEX idx_runs_design ON simulation_runs (design_id, created_at, id)",
                "CREATE INDEX idx_runs_version ON simulation_runs (design_version_id, created_at, id)",
                "CREATE INDEX idx_runs_user ON simulation_runs (user_id, created_at, id)",
                "CREATE INDEX idx_runs_workload ON simulation_runs (workload_id, created_at, id)",
                "CREATE UNIQUE INDEX idx_runs_job ON simulation_runs (job_id) WHERE job_id IS NOT NULL",
                "CREATE INDEX idx_runs_completed ON simulation_runs (completed_at) WHERE status = 'completed'",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("simulation_runs").to_owned()).await
    }
}
