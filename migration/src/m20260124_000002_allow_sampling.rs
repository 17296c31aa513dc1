use sea_orm_migration::{prelude::*, schema::*};

use crate::ddl;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Whether a job may be simulated in part when it is too large for its limits.
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut allowed = boolean("allow_sampling");
        allowed.default(false);
        ddl::add_columns(manager, "simulation_jobs", [allowed]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::drop_columns(manager, "simulation_jobs", ["allow_sampling"]).await
    }
}
