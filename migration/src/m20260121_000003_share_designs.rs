//! Share links, forks, who changed a design last, and the orders that lists of designs come in.

use rand::RngExt as _;
use sea_orm_migration::{prelude::*, schema::*, sea_orm::prelude::Uuid};
use sha2::{Digest as _, Sha256};

use crate::ddl;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::add_columns(
            manager,
            "designs",
            [
                text_null("share_token"),
                text_null("share_token_hash"),
                uuid_null("forked_from_id"),
                uuid_null("changed_by_id"),
            ],
        )
        .await?;
        ddl::run_all(manager, &["UPDATE designs SET changed_by_id = user_id"]).await?;
        give_share_tokens(manager).await?;
        ddl::run_all(
            manager,
            &[
                "CREATE UNIQUE INDEX idx_designs_share ON designs (share_token_hash)",
                // With archived designs, whose owner may list them too.
                "CREATE INDEX idx_designs_user_created ON designs (user_id, created_at, id)",
                "CREATE INDEX idx_designs_user_name ON designs (user_id, name, id)",
                "CREATE INDEX idx_designs_public_created ON designs (created_at, id) WHERE visibility = 'public' AND deleted_at IS NULL",
                "CREATE INDEX idx_designs_public_name ON designs (name, id) WHERE visibility = 'public' AND deleted_at IS NULL",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run_all(
            manager,
            &[
                "DROP INDEX idx_designs_share",
                "DROP INDEX idx_designs_user_created",
                "DROP INDEX idx_designs_user_name",
                "DROP INDEX idx_designs_public_created",
                "DROP INDEX idx_designs_public_name",
            ],
        )
        .await?;
        ddl::drop_columns(
            manager,
            "designs",
            ["share_token", "share_token_hash", "forked_from_id", "changed_by_id"],
        )
        .await
    }
}

/// Gives every design that there is a share token from the system's randomness, and its SHA-256.
async fn give_share_tokens(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let db = manager.get_connection();
    let builder = db.get_database_backend();
    let designs = builder.build(Query::select().column("id").from("designs"));
    for row in db.query_all_raw(designs).await? {
        let id: Uuid = row.try_get("", "id")?;
        let token = hex(&rand::rng().random::<[u8; 24]>());
        let hash = hex(&Sha256::digest(&token));
        let update = Query::update()
            .table("designs")
            .value("share_token", token)
            .value("share_token_hash", hash)
            .and_where(Expr::col("id").eq(id))
            .to_owned();
        db.execute_raw(builder.build(&update)).await?;
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
