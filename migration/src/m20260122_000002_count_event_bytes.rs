use sea_orm_migration::{prelude::*, schema::*};

use crate::ddl;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .alter_table(
                Table::alter()
                    .table("simulation_runs")
                    .add_column(big_integer("event_bytes").default(0))
                    .to_owned(),
            )
            .await?;
        // What a user's events take is one range of this index.
        ddl::run_all(
            manager,
            &["CREATE INDEX idx_runs_user_event_bytes ON simulation_runs (user_id, event_bytes)"],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run_all(manager, &["DROP INDEX idx_runs_user_event_bytes"]).await?;
        manager
            .alter_table(Table::alter().table("simulation_runs").drop_column("event_bytes").to_owned())
            .await
    }
}
