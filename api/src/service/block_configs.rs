//! Block configurations that a user saves to use again.

use engine::Severity;
use entity::{
    block_config,
    store::block_configs::{self, BlockConfig},
};
use serde_json::{Value as Json, json};
use uuid::Uuid;
use worker::pool::Services;

use super::{
    ErrorCode, Fault, ServiceResult, UserError,
    creation::{begin_creation, commit},
    error::Detail,
    input::Mistakes,
};
use crate::auth::Viewer;

/// Configurations of one user.
const MAX_CONFIGS: u64 = 1_000;

/// What a configuration says.
#[derive(Clone, Debug)]
pub struct SaveBlockConfig {
    /// None makes a new one; else it replaces this one.
    pub id: Option<Uuid>,
    pub name: String,
    pub block_type: String,
    pub parameters: Json,
}

/// Saves a configuration whose parameters the catalogue allows.
pub async fn save(
    services: &Services,
    viewer: Option<Viewer>,
    input: SaveBlockConfig,
) -> ServiceResult<block_config::Model> {
    let viewer = viewer.ok_or(Fault::Unauthenticated)?;
    let mut mistakes = Mistakes::default();
    let name = mistakes.name(&input.name);
    check_parameters(&mut mistakes, &input);
    mistakes.none()?;
    let config = BlockConfig { name, block_type: input.block_type, parameters: input.parameters };
    let (txn, _) = begin_creation(services, viewer).await?;
    let saved = match input.id {
        Some(id) => block_configs::replace(&txn, viewer.user_id, id, config)
            .await?
            .ok_or_else(|| UserError::not_found(&["id"], "block configuration"))?,
        None => {
            let used = block_configs::count(&txn, viewer.user_id, None).await?;
            if used >= MAX_CONFIGS {
                let message = format!("there is room for {MAX_CONFIGS} configurations; delete one first");
                let quota = Detail::Quota { limit: MAX_CONFIGS, used };
                return Err(UserError::new(ErrorCode::QuotaExceeded, &[], message).with(quota).into());
            }
            block_configs::insert(&txn, viewer.user_id, config).await?
        }
    };
    commit(txn).await?;
    Ok(saved)
}

/// Deletes a configuration of the viewer.
pub async fn delete(services: &Services, viewer: Option<Viewer>, id: Uuid) -> ServiceResult<Uuid> {
    let viewer = viewer.ok_or(Fault::Unauthenticated)?;
    match block_configs::delete(&services.db, viewer.user_id, id).await? {
        true => Ok(id),
        false => Err(UserError::not_found(&["id"], "block configuration").into()),
    }
}

/// The engine reads parameters on a canvas; what it says of this block's own fields is what counts here.
fn check_parameters(mistakes: &mut Mistakes, input: &SaveBlockConfig) {
    mistakes.document(&["parameters"], &input.parameters);
    mistakes.check(!input.block_type.contains('\0'), &["type"], || "type must not contain NUL".into());
    let canvas = json!({
        "blocks": [{
            "id": "block",
            "type": input.block_type,
            "position": { "x": 0, "y": 0 },
            "parameters": input.parameters,
        }],
        "connections": [],
    });
    for diagnostic in engine::design::check(&canvas).diagnostics {
        let field = match diagnostic.path.as_slice() {
            [blocks, place, field @ ..] if blocks == "blocks" && place == "0" => field,
            _ => continue,
        };
        let about_it = field.first().is_some_and(|name| name == "type" || name == "parameters");
        if about_it && diagnostic.severity == Severity::Error {
            let path: Vec<&str> = field.iter().map(String::as_str).collect();
            mistakes.add(UserError::invalid(&path, diagnostic.message));
        }
    }
}
