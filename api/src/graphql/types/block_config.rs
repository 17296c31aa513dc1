use async_graphql::{Context, Error, ID, Object};
use chrono::{DateTime, Utc};
use entity::{
    block_config,
    store::{
        block_configs,
        page::{Cursor, CursorKey},
    },
};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::graphql::{
    context::services,
    errors::internal,
    id::GlobalId,
    pagination::{KeyKind, MAX_PAGE, PageArgs, Paged, connection},
};

/// `BlockConfig` of the schema.
pub struct BlockConfig(block_config::Model);

impl From<block_config::Model> for BlockConfig {
    fn from(row: block_config::Model) -> Self {
        Self(row)
    }
}

/// A block's parameters under a name, for use on any canvas.
#[Object]
impl BlockConfig {
    /// Opaque and globally unique; never parse it.
    pub async fn id(&self) -> ID {
        GlobalId::BlockConfig(self.0.id).into()
    }

    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Names a row of the block catalogue.
    async fn r#type(&self) -> &str {
        &self.0.block_type
    }

    /// Parameters that are set; the others have the defaults of the block's type.
    async fn parameters(&self) -> &Json {
        &self.0.parameters
    }

    pub async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    pub async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }
}

/// A page of an owner's configurations.
///
/// # Errors
/// Names the argument that breaks a rule.
pub async fn block_config_connection(
    ctx: &Context<'_>,
    owner: Uuid,
    block_type: Option<String>,
    args: PageArgs,
) -> Result<Paged<BlockConfig>, Error> {
    let request = args.request(KeyKind::Time, MAX_PAGE)?;
    let db = &services(ctx).db;
    let page = block_configs::list(db, owner, block_type.as_deref(), &request).await.map_err(internal)?;
    let cursor = |row: &block_config::Model| Cursor { key: CursorKey::Time(row.created_at), id: row.id };
    Ok(connection(page, cursor, BlockConfig::from, move |ctx| {
        let (db, block_type) = (services(ctx).db.clone(), block_type.clone());
        async move { block_configs::count(&db, owner, block_type.as_deref()).await.map_err(internal) }
    }))
}
