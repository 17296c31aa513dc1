//! The canvas as people draw it: blocks, connections, viewport. Field names are those of the stored JSON.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A design as drawn. Unknown extra fields are ignored here; the store keeps the raw JSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Canvas {
    /// The real system whose values its blocks take where they state none; a name of the catalogue's personas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persona: Option<String>,
    pub blocks: Vec<Block>,
    #[serde(default)]
    pub connections: Vec<Connection>,
    #[serde(default)]
    pub viewport: Viewport,
}

/// One block: an id unique on the canvas, a type of the catalogue, and that type's parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Block {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    /// Instead of the canvas's persona.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persona: Option<String>,
    #[serde(default)]
    pub position: Position,
    #[serde(default)]
    pub parameters: Map<String, Value>,
}

/// Where a block is drawn, in canvas pixels. It has no meaning for a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Position {
    pub x: f64,
    pub y: f64,
}

/// A directed edge: requests flow from the source's output port to the target's input port.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    pub id: String,
    pub source: Port,
    pub target: Port,
}

/// One end of a connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Port {
    pub block_id: String,
    pub port: String,
}

/// The part of the canvas in view.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Viewport {
    pub x: f64,
    pub y: f64,
    pub zoom: f64,
}

impl Default for Viewport {
    fn default() -> Self {
        Self { x: 0.0, y: 0.0, zoom: 1.0 }
    }
}
