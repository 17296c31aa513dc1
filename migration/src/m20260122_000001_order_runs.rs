use sea_orm_migration::prelude::*;

use crate::ddl;

/// The parents of lists of runs, with the short names of their indexes.
const PARENTS: [(&str, &str); 4] = [
    ("design", "design_id"),
    ("version", "design_version_id"),
    ("user", "user_id"),
    ("workload", "workload_id"),
];

/// What lists of runs are sorted by: a run that lacks the figure has a fixed place at one end.
fn orders(manager: &SchemaManager<'_>) -> [(&'static str, &'static str); 3] {
    let completed = if ddl::is_postgres(manager) {
        "COALESCE(completed_at, TIMESTAMPTZ '9999-01-01 00:00:00+00')"
    } else {
        "COALESCE(completed_at, '9999-01-01T00:00:00+00:00')"
    };
    [
        ("completed", completed),
        ("throughput", "COALESCE(throughput_qps, -1)"),
        ("latency", "COALESCE(latency_p99_ms, 1e308)"),
    ]
}

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (parent, column) in PARENTS {
            for (order, key) in orders(manager) {
                let index = format!(
                    "CREATE INDEX idx_runs_{parent}_{order} ON simulation_runs ({column}, ({key}), id)"
                );
                ddl::run_all(manager, &[&index]).await?;
            }
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (parent, _) in PARENTS {
            for (order, _) in orders(manager) {
                ddl::run_all(manager, &[&format!("DROP INDEX idx_runs_{parent}_{order}")]).await?;
            }
        }
        Ok(())
    }
}
