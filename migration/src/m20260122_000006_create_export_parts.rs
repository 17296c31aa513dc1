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
                    .table("export_parts")
                    .col(uuid("job_id"))
                    .col(integer("part_number"))
                    .col(text("content"))
                    .primary_key(Index::create().col("job_id").col("part_number"))
                    .foreign_key(&mut ddl::references(
                        "export_parts",
                        "job_id",
                        "background_jobs",
                        ForeignKeyAction::Cascade,
                    ))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("export_parts").to_owned()).await
    }
}
