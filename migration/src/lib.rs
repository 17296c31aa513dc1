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

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;

/// Applies the steps that a database has not seen yet.
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
        ]
    }
}
