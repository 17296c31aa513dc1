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
                    .table("run_events")
                    .col(uuid("run_id"))
                    .col(integer("sequence_number"))
                    .col(big_integer("time_ns"))
                    .col(text("event_type"))
                    .col(text("block_id"))
                    .col(json_binary("payload"))
                    .primary_key(Index::create().col("run_id").col("sequence_number"))
                    .foreign_key(&mut ddl::references(
                        "run_events",
                        "run_id",
                        "simulation_runs",
                        ForeignKeyAction::Cascade,
                    ))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("run_events").to_owned()).await
    }
}
