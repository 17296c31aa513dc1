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
                    .table("designs")
                    .col(pk_uuid("id"))
                    .col(uuid_null("user_id"))
                    .col(text("name"))
                    .col(text_null("description"))
                    .col(json_binary("canvas_state"))
                    .col(ddl::one_of("visibility", &["private", "unlisted", "public"]))
                    .col(integer("version"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone("updated_at"))
                    .col(timestamp_with_time_zone_null("deleted_at"))
                    .foreign_key(&mut ddl::references(
                        "designs",
                        "user_id",
                        "users",
                        ForeignKeyAction::SetNull,
                    ))
                    .to_owned(),
            )
            .await?;
        ddl::run_all(
            manager,
            &[
                "CREATE INDEX idx_designs_user ON designs (user_id, updated_at, id) WHERE deleted_at IS NULL",
                "CREATE INDEX idx_designs_public ON designs (updated_at, id) WHERE visibility = 'public' AND deleted_at IS NULL",
            ],
        )
        .await?;
        if ddl::is_postgres(manager) {
            // Finds designs by block: canvas_state @> '{"blocks": [{"type": "lsm-tree"}]}'.
            ddl::run_all(
                manager,
                &["CREATE INDEX idx_designs_canvas ON designs USING gin (canvas_state jsonb_path_ops)"],
            )
            .await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("designs").to_owned()).await
    }
}
