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
                    .table("design_collaborators")
                    .col(uuid("design_id"))
                    .col(uuid("user_id"))
                    .col(ddl::one_of("role", &["viewer", "editor"]))
                    .col(timestamp_with_time_zone("created_at"))
                    .primary_key(Index::create().col("design_id").col("user_id"))
                    .foreign_key(&mut ddl::references(
                        "design_collaborators",
                        "design_id",
                        "designs",
                        ForeignKeyAction::Cascade,
                    ))
                    .foreign_key(&mut ddl::references(
                        "design_collaborators",
                        "user_id",
                        "users",
                        ForeignKeyAction::Cascade,
                    ))
                    .to_owned(),
            )
            .await?;
        // What is shared with a user.
        ddl::run_all(
            manager,
            &["CREATE INDEX idx_collaborators_user ON design_collaborators (user_id, design_id)"],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("design_collaborators").to_owned()).await
    }
}
