use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use serde_json::Value as Json;

use super::{Payload, UserErrors, key};
use crate::{
    graphql::{
        context::{services, viewer},
        errors::settle,
        id::{GlobalId, block_config_key},
        types::block_config::BlockConfig,
    },
    service::{
        ServiceResult,
        block_configs::{self, SaveBlockConfig},
    },
};

#[derive(Default)]
pub struct BlockConfigMutation;

#[Object]
impl BlockConfigMutation {
    /// Saves a block configuration for use again.
    async fn block_config_save(
        &self,
        ctx: &Context<'_>,
        input: BlockConfigSaveInput,
    ) -> Payload<BlockConfigSavePayload> {
        Some(settle(save(ctx, input).await).map(|(config, user_errors)| BlockConfigSavePayload {
            block_config: config.map(BlockConfig::from),
            user_errors,
        }))
    }

    /// Deletes a block configuration. Canvases that took its parameters over keep them.
    async fn block_config_delete(
        &self,
        ctx: &Context<'_>,
        input: BlockConfigDeleteInput,
    ) -> Payload<BlockConfigDeletePayload> {
        Some(
            settle(delete(ctx, input).await)
                .map(|(deleted, user_errors)| BlockConfigDeletePayload { deleted_id: deleted, user_errors }),
        )
    }
}

async fn save(ctx: &Context<'_>, input: BlockConfigSaveInput) -> ServiceResult<entity::block_config::Model> {
    let id = match &input.id {
        Some(id) => Some(key(id, block_config_key, "id", "block configuration")?),
        None => None,
    };
    let config =
        SaveBlockConfig { id, name: input.name, block_type: input.r#type, parameters: input.parameters };
    block_configs::save(services(ctx), viewer(ctx), config).await
}

async fn delete(ctx: &Context<'_>, input: BlockConfigDeleteInput) -> ServiceResult<ID> {
    let id = key(&input.id, block_config_key, "id", "block configuration")?;
    let deleted = block_configs::delete(services(ctx), viewer(ctx), id).await?;
    Ok(GlobalId::BlockConfig(deleted).into())
}

/// With an id, replaces that configuration.
#[derive(InputObject)]
pub struct BlockConfigSaveInput {
    id: Option<ID>,
    name: String,
    /// Names a row of the block catalogue.
    r#type: String,
    parameters: Json,
}

/// A configuration to delete.
#[derive(InputObject)]
pub struct BlockConfigDeleteInput {
    id: ID,
}

/// The configuration as it is now, or why it is not saved.
#[derive(SimpleObject)]
pub struct BlockConfigSavePayload {
    block_config: Option<BlockConfig>,
    user_errors: UserErrors,
}

/// What was deleted, or why nothing was.
#[derive(SimpleObject)]
pub struct BlockConfigDeletePayload {
    deleted_id: Option<ID>,
    user_errors: UserErrors,
}
