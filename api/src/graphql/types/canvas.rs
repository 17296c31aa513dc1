use std::sync::Arc;

use async_graphql::{Enum, Error, Object, SimpleObject};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::graphql::errors::internal;

/// `Canvas` of the schema.
pub struct Canvas {
    raw: Arc<Json>,
    parsed: engine::Canvas,
}

impl Canvas {
    /// Reads a stored canvas.
    ///
    /// # Errors
    /// An internal fault: what is stored was valid when it was stored.
    pub fn read(raw: Arc<Json>) -> Result<Self, Error> {
        let parsed = engine::Canvas::deserialize(&*raw).map_err(internal)?;
        Ok(Self { raw, parsed })
    }
}

/// Typed view for queries, raw for lossless save and restore.
#[Object]
impl Canvas {
    /// The blocks, all of them or those of some types.
    async fn blocks(
        &self,
        #[graphql(desc = "Types to keep; all when omitted.")] types: Option<Vec<String>>,
    ) -> Vec<Block> {
        let wanted =
            |block: &&engine::design::Block| types.as_ref().is_none_or(|types| types.contains(&block.kind));
        self.parsed.blocks.iter().filter(wanted).map(Block::from).collect()
    }

    /// The connections between ports.
    async fn links(&self) -> Vec<BlockLink> {
        self.parsed.connections.iter().map(BlockLink::from).collect()
    }

    /// What part of the canvas its author looked at.
    async fn viewport(&self) -> Viewport {
        let engine::design::Viewport { x, y, zoom } = self.parsed.viewport;
        Viewport { x, y, zoom }
    }

    /// The canvas exactly as it was saved.
    async fn raw(&self) -> &Json {
        &self.raw
    }
}

/// A part of a database: a storage, an index, a buffer pool, a disk …
#[derive(SimpleObject)]
pub struct Block {
    /// Unique on its canvas.
    block_id: String,
    /// Names a row of the block catalogue.
    r#type: String,
    x: f64,
    y: f64,
    /// Parameters that were set; the others have the defaults of the block's type.
    parameters: Json,
}

impl From<&engine::design::Block> for Block {
    fn from(block: &engine::design::Block) -> Self {
        Self {
            block_id: block.id.clone(),
            r#type: block.kind.clone(),
            x: block.position.x,
            y: block.position.y,
            parameters: Json::Object(block.parameters.clone()),
        }
    }
}

/// A wire from an output port to an input port; requests flow along it.
#[derive(SimpleObject)]
pub struct BlockLink {
    /// Unique on its canvas.
    link_id: String,
    source: Port,
    target: Port,
}

/// An end of a wire.
#[derive(SimpleObject)]
pub struct Port {
    block_id: String,
    port: String,
}

impl From<&engine::design::Connection> for BlockLink {
    fn from(connection: &engine::design::Connection) -> Self {
        let port =
            |port: &engine::design::Port| Port { block_id: port.block_id.clone(), port: port.port.clone() };
        Self {
            link_id: connection.id.clone(),
            source: port(&connection.source),
            target: port(&connection.target),
        }
    }
}

/// The visible part of a canvas.
#[derive(SimpleObject)]
pub struct Viewport {
    x: f64,
    y: f64,
    zoom: f64,
}

/// The outcome of the static checks of a canvas.
#[derive(SimpleObject)]
pub struct CanvasValidation {
    /// Whether the canvas could be run.
    valid: bool,
    /// Everything that was found, errors and warnings.
    diagnostics: Vec<CanvasDiagnostic>,
    /// The compiled plan in stable text form; null when invalid.
    plan: Option<String>,
}

impl CanvasValidation {
    /// Checks a canvas.
    pub fn of(canvas: &Json) -> Self {
        let checked = engine::design::check(canvas);
        Self {
            valid: checked.is_valid(),
            plan: checked.plan.as_ref().map(ToString::to_string),
            diagnostics: checked.diagnostics.into_iter().map(CanvasDiagnostic::from).collect(),
        }
    }
}

/// code is stable (UNKNOWN_BLOCK_TYPE, PARAMETER_OUT_OF_RANGE, PORT_MISMATCH, CYCLE, ...); path points into the canvas.
#[derive(SimpleObject)]
pub struct CanvasDiagnostic {
    severity: DiagnosticSeverity,
    code: String,
    message: String,
    path: Vec<String>,
    block_id: Option<String>,
}

/// How bad a diagnostic is: a canvas with an ERROR cannot be run.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "engine::Severity")]
pub enum DiagnosticSeverity {
    Error,
    Warning,
}

impl From<engine::Diagnostic> for CanvasDiagnostic {
    fn from(found: engine::Diagnostic) -> Self {
        Self {
            severity: found.severity.into(),
            code: found.code.to_string(),
            message: found.message,
            path: found.path,
            block_id: found.block_id,
        }
    }
}
