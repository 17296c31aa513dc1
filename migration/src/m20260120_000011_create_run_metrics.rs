use sea_orm_migration::{prelude::*, schema::*};

use crate::ddl;

/// A hypertable where TimescaleDB is there to be used, a plain table otherwise. An extension that is installed is used;
/// one that is preloaded is installed first, if this role may (creating it where it is not preloaded ends the connection).
const HYPERTABLE: &str = r"
DO $$
BEGIN
    BEGIN
        IF current_setting('shared_preload_libraries') LIKE '%timescaledb%' THEN
            CREATE EXTENSION IF NOT EXISTS timescaledb;
        END IF;
    EXCEPTION WHEN insufficient_privilege THEN
        RAISE NOTICE 'this role cannot install TimescaleDB: %', SQLERRM;
    END;
    IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'timescaledb') THEN
        PERFORM create_hypertable('run_metrics', 'time');
    END IF;
END
$$";

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("run_metrics")
                    .col(timestamp_with_time_zone("time"))
                    .col(uuid("run_id"))
                    .col(integer("series"))
                    .col(text("metric_name"))
                    .col(double("metric_value"))
                    .col(json_binary_null("tags"))
                    .primary_key(Index::create().col("run_id").col("series").col("time"))
                    .foreign_key(&mut ddl::references(
                        "run_metrics",
                        "run_id",
                        "simulation_runs",
                        ForeignKeyAction::Cascade,
                    ))
                    .to_owned(),
            )
            .await?;
        if ddl::is_postgres(manager) {
            ddl::run_all(manager, &[HYPERTABLE]).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("run_metrics").to_owned()).await
    }
}
