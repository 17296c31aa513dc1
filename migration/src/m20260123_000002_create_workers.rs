use sea_orm_migration::{prelude::*, schema::*};

use crate::ddl;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Who works, for those who watch the queues, and whether anybody may; and what the nightly maintenance looks for.
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("workers")
                    .col(ColumnDef::new("name").text().not_null().primary_key())
                    .col(integer("slots"))
                    .col(integer("busy_slots"))
                    .col(timestamp_with_time_zone("started_at"))
                    .col(timestamp_with_time_zone("alive_until"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("queue_controls")
                    .col(ColumnDef::new("id").integer().not_null().primary_key().check(Expr::cust("id = 1")))
                    .col(boolean("drained"))
                    .to_owned(),
            )
            .await?;
        ddl::run_all(
            manager,
            &[
                "INSERT INTO queue_controls (id, drained) VALUES (1, FALSE)",
                "CREATE INDEX sessions_expires ON sessions (expires_at)",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run_all(manager, &["DROP INDEX sessions_expires"]).await?;
        manager.drop_table(Table::drop().table("queue_controls").to_owned()).await?;
        manager.drop_table(Table::drop().table("workers").to_owned()).await
    }
}
