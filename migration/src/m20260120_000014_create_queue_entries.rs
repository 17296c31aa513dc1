use sea_orm_migration::{prelude::*, schema::*};

use crate::ddl;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// The job queue of the embedded mode. It exists on SQLite alone: with PostgreSQL the queue is in Redis.
///
/// An entry waits in its lane, rests until `due_at_ms`, or is held by a worker until `lease_expires_at_ms`. Times are
/// milliseconds of the Unix epoch by the database's clock.
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if ddl::is_postgres(manager) {
            return Ok(());
        }
        manager
            .create_table(
                Table::create()
                    .table("queue_entries")
                    .col(ColumnDef::new("sequence").integer().not_null().primary_key().auto_increment())
                    .col(text_uniq("id"))
                    .col(text("payload"))
                    .col(text("user_id"))
                    .col(integer("lane"))
                    .col(boolean("short"))
                    .col(integer("attempts"))
                    .col(big_integer("enqueued_at_ms"))
                    .col(big_integer_null("due_at_ms"))
                    .col(big_integer_null("lease_expires_at_ms"))
                    .col(text_null("worker"))
                    .to_owned(),
            )
            .await?;
        ddl::run_all(
            manager,
            &[
                "CREATE INDEX idx_queue_waiting ON queue_entries (lane, sequence) \
                 WHERE due_at_ms IS NULL AND lease_expires_at_ms IS NULL",
                "CREATE INDEX idx_queue_due ON queue_entries (due_at_ms) WHERE due_at_ms IS NOT NULL",
                "CREATE INDEX idx_queue_leased ON queue_entries (lease_expires_at_ms) \
                 WHERE lease_expires_at_ms IS NOT NULL",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("queue_entries").if_exists().to_owned()).await
    }
}
