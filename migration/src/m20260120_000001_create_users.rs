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
                    .table("users")
                    .col(pk_uuid("id"))
                    .col(text("handle"))
                    .col(text("email"))
                    .col(text("password_hash"))
                    .col(ddl::one_of("role", &["user", "admin"]))
                    .col(ddl::one_of("tier", &["free", "premium"]))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone("updated_at"))
                    .col(timestamp_with_time_zone_null("deleted_at"))
                    .to_owned(),
            )
            .await?;
        ddl::run_all(
            manager,
            &[
                "CREATE UNIQUE INDEX users_handle ON users (lower(handle))",
                "CREATE UNIQUE INDEX users_email ON users (lower(email))",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("users").to_owned()).await
    }
}
