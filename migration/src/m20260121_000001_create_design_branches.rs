//! Versions become a graph: each has a branch and up to two parents, and a branch has a head.

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
                    .table("design_branches")
                    .col(pk_uuid("id"))
                    .col(uuid("design_id"))
                    .col(text("name"))
                    .col(integer("head_number"))
                    .col(timestamp_with_time_zone("created_at"))
                    .foreign_key(&mut ddl::references(
                        "design_branches",
                        "design_id",
                        "designs",
                        ForeignKeyAction::Cascade,
                    ))
                    .to_owned(),
            )
            .await?;
        ddl::run_all(
            manager,
            &[
                "CREATE UNIQUE INDEX idx_branches_name ON design_branches (design_id, name)",
                "CREATE INDEX idx_branches_created ON design_branches (design_id, created_at, id)",
            ],
        )
        .await?;
        ddl::add_columns(
            manager,
            "design_versions",
            [uuid_null("branch_id"), integer_null("parent_number"), integer_null("merged_number")],
        )
        .await?;
        ddl::add_columns(manager, "designs", [integer("version_count").default(0).to_owned()]).await?;
        // Until now every design had one line of versions. It becomes the default branch, which has its design's id.
        ddl::run_all(
            manager,
            &[
                "UPDATE designs SET version_count = \
                 (SELECT coalesce(max(version_number), 0) FROM design_versions WHERE design_id = designs.id)",
                "INSERT INTO design_branches (id, design_id, name, head_number, created_at) \
                 SELECT id, id, 'main', version_count, created_at FROM designs WHERE version_count > 0",
                "UPDATE design_versions SET branch_id = design_id, \
                 parent_number = CASE WHEN version_number > 1 THEN version_number - 1 END",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::drop_columns(manager, "designs", ["version_count"]).await?;
        ddl::drop_columns(manager, "design_versions", ["branch_id", "parent_number", "merged_number"])
            .await?;
        manager.drop_table(Table::drop().table("design_branches").to_owned()).await
    }
}
