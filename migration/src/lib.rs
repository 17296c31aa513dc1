//! The schema of the database as steps, oldest first. A released step never changes; a change is a new step.
//!
//! The same steps run on PostgreSQL and on SQLite. Only what one of them lacks is conditional: GIN indexes and the
//! TimescaleDB hypertable exist on PostgreSQL alone.

mod ddl;
mod m20260120_000001_create_users;
mod m20260120_000002_create_sessions;
mod m20260120_000003_create_designs;
mod m20260120_000004_create_design_versions;
mod m20260120_000005_create_workloads;
mod m20260120_000006_create_templates;
mod m20260120_000007_create_simulation_jobs;
mod m20260120_000008_create_job_logs;
mod m20260120_000009_create_background_jobs;
mod m20260120_000010_create_simulation_runs;
mod m20260120_000011_create_run_metrics;
mod m20260120_000012_create_run_events;
mod m20260120_000013_create_idempotency_keys;
mod m20260120_000014_create_queue_entries;
mod m20260121_000001_create_design_branches;
mod m20260121_000002_create_design_collaborators;
mod m20260121_000003_share_designs;
mod m20260122_000001_order_runs;
mod m20260122_000002_count_event_bytes;
mod m20260122_000003_change_workloads;
mod m20260122_000004_create_block_configs;
mod m20260122_000005_limit_concurrent_jobs;
mod m20260122_000006_create_export_parts;
mod m20260123_000001_tell_attempts;
mod m20260123_000002_create_workers;
mod m20260124_000001_queue_in_turns;
mod m20260124_000002_allow_sampling;

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, TransactionTrait},
};

/// Names the lock that migrating processes take in turn, among all advisory locks of the database.
const LOCK: i64 = 0x0073_696D_756C_6174;

/// Applies the steps that a database has not seen yet. Of many processes that start at once on PostgreSQL, one does it and
/// the others wait for it; SQLite has one process.
///
/// On PostgreSQL all of it is one transaction, which a pooler keeps on one connection; `db` should be a connection made for
/// this, because it forgets the statements that it has prepared.
///
/// # Errors
/// The database's own.
pub async fn migrate(db: &DatabaseConnection) -> Result<(), DbErr> {
    if db.get_database_backend() != DbBackend::Postgres {
        return Migrator::up(db, None).await;
    }
    let transaction = db.begin().await?;
    // A pooler hands on connections with the prepared statements of whoever had them before, under the same names.
    let start = format!("DEALLOCATE ALL; SELECT pg_advisory_xact_lock({LOCK})");
    transaction.execute_unprepared(&start).await?;
    Migrator::up(&transaction, None).await?;
    transaction.commit().await
}

/// The steps, oldest first.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20260120_000001_create_users::Migration),
            Box::new(m20260120_000002_create_sessions::Migration),
            Box::new(m20260120_000003_create_designs::Migration),
            Box::new(m20260120_000004_create_design_versions::Migration),
            Box::new(m20260120_000005_create_workloads::Migration),
            Box::new(m20260120_000006_create_templates::Migration),
            Box::new(m20260120_000007_create_simulation_jobs::Migration),
            Box::new(m20260120_000008_create_job_logs::Migration),
            Box::new(m20260120_000009_create_background_jobs::Migration),
            Box::new(m20260120_000010_create_simulation_runs::Migration),
            Box::new(m20260120_000011_create_run_metrics::Migration),
            Box::new(m20260120_000012_create_run_events::Migration),
            Box::new(m20260120_000013_create_idempotency_keys::Migration),
            Box::new(m20260120_000014_create_queue_entries::Migration),
            Box::new(m20260121_000001_create_design_branches::Migration),
            Box::new(m20260121_000002_create_design_collaborators::Migration),
            Box::new(m20260121_000003_share_designs::Migration),
            Box::new(m20260122_000001_order_runs::Migration),
            Box::new(m20260122_000002_count_event_bytes::Migration),
            Box::new(m20260122_000003_change_workloads::Migration),
            Box::new(m20260122_000004_create_block_configs::Migration),
            Box::new(m20260122_000005_limit_concurrent_jobs::Migration),
            Box::new(m20260122_000006_create_export_parts::Migration),
            Box::new(m20260123_000001_tell_attempts::Migration),
            Box::new(m20260123_000002_create_workers::Migration),
            Box::new(m20260124_000001_queue_in_turns::Migration),
            Box::new(m20260124_000002_allow_sampling::Migration),
        ]
    }
}
