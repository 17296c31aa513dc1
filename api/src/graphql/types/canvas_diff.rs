use async_graphql::{Error, SimpleObject};
use entity::design_version;
use serde::Deserialize as _;
use serde_json::Value as Json;

use super::{
    canvas::{Block, BlockLink},
    design_version::DesignVersion,
};
use crate::{graphql::errors::internal, service::canvas_diff::diff};

/// What is different between two versions of a canvas. A link that leads elsewhere is among the removed as it was and among
/// the added as it is.
#[derive(SimpleObject)]
pub struct CanvasDiff {
    base: DesignVersion,
    head: DesignVersion,
    added: Vec<Block>,
    removed: Vec<Block>,
    changed: Vec<BlockChange>,
    added_links: Vec<BlockLink>,
    removed_links: Vec<BlockLink>,
}

/// A block that is in both versions but not the same.
#[derive(SimpleObject)]
pub struct BlockChange {
    before: Block,
    after: Block,
    /// Where they differ, as JSON Pointers into the block of the raw canvas: "/parameters/fill_factor".
    paths: Vec<String>,
}

impl CanvasDiff {
    /// What is different on the canvas of `head`.
    ///
    /// # Errors
    /// An internal fault: what is stored was valid when it was stored.
    pub fn between(base: design_version::Model, head: design_version::Model) -> Result<Self, Error> {
        let found = diff(&base.canvas_state, &head.canvas_state);
        let changed = found.changed.into_iter().map(|change| {
            Ok(BlockChange {
                before: block(change.before)?,
                after: block(change.after)?,
                paths: change.paths,
            })
        });
        Ok(Self {
            added: found.added.into_iter().map(block).collect::<Result<_, _>>()?,
            removed: found.removed.into_iter().map(block).collect::<Result<_, _>>()?,
            changed: changed.collect::<Result<_, Error>>()?,
            added_links: found.added_links.into_iter().map(link).collect::<Result<_, _>>()?,
            removed_links: found.removed_links.into_iter().map(link).collect::<Result<_, _>>()?,
            base: base.into(),
            head: head.into(),
        })
    }
}

fn block(stored: &Json) -> Result<Block, Error> {
    engine::design::Block::deserialize(stored).map(|block| Block::from(&block)).map_err(internal)
}

fn link(stored: &Json) -> Result<BlockLink, Error> {
    engine::design::Connection::deserialize(stored).map(|link| BlockLink::from(&link)).map_err(internal)
}
