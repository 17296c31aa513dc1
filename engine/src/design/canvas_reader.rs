//! Reads a canvas from untrusted JSON.

use serde_json::{Map, Value};

use super::canvas::{Block, Canvas, Connection, Port, Position};
use super::reader::{Fields, malformed, type_name};
use super::validate::shown;
use super::{Code, Diagnostic, catalog, nearest};

const MAX_ID_LENGTH: usize = 128;

/// Reads the parts that have the right form. A block or connection that has not is told and leaves nothing behind.
pub(super) fn read(value: &Value, found: &mut Vec<Diagnostic>) -> Option<Canvas> {
    let fields = Fields::of(value, Vec::new(), found)?;
    let persona = read_persona(&fields, found);
    let blocks: Vec<Option<Block>> =
        fields.list("blocks", found)?.map(|(path, item)| read_block(item, path, found)).collect();
    let connections: Vec<Option<Connection>> = match fields.optional_list("connections", found) {
        Some(items) => items.map(|(path, item)| read_connection(item, path, found)).collect(),
        None => Vec::new(),
    };
    // Positions in the lists are part of every path, so nothing may be dropped silently.
    let blocks = blocks.into_iter().collect::<Option<Vec<_>>>()?;
    let connections = connections.into_iter().collect::<Option<Vec<_>>>()?;
    Some(Canvas { persona, blocks, connections, viewport: Default::default() })
}

fn read_block(value: &Value, path: Vec<String>, found: &mut Vec<Diagnostic>) -> Option<Block> {
    let fields = Fields::of(value, path, found)?;
    let id = read_id(&fields, found);
    let kind = fields.text("type", found);
    let persona = read_persona(&fields, found);
    let position = fields.optional("position").and_then(|item| {
        let fields = Fields::of(item, fields.path_of("position"), found)?;
        let (x, y) = (fields.number("x", found), fields.number("y", found));
        Some(Position { x: x?, y: y? })
    });
    let parameters = match fields.optional("parameters") {
        None => Map::new(),
        Some(Value::Object(parameters)) => parameters.clone(),
        Some(other) => {
            let message = format!("\"parameters\" must be an object, not {}", type_name(other));
            found.push(malformed(fields.path_of("parameters"), message));
            return None;
        }
    };
    Some(Block {
        id: id?,
        kind: kind?.to_owned(),
        persona,
        position: position.unwrap_or_default(),
        parameters,
    })
}

fn read_persona(fields: &Fields<'_>, found: &mut Vec<Diagnostic>) -> Option<String> {
    let name = fields.optional_text("persona", found)?;
    if catalog::persona(name).is_none() {
        let hint = nearest::suggestion(name, catalog::personas().iter().map(|persona| persona.name));
        let message = format!("there is no persona \"{}\": {hint}", shown(name));
        let path = fields.path_of("persona");
        found.push(Diagnostic { path, ..Diagnostic::error(Code::UnknownPersona, &[], message) });
    }
    Some(name.to_owned())
}

fn read_id(fields: &Fields<'_>, found: &mut Vec<Diagnostic>) -> Option<String> {
    let id = fields.text("id", found)?;
    if id.is_empty() || id.chars().count() > MAX_ID_LENGTH {
        let message = format!("an id has 1 to {MAX_ID_LENGTH} characters");
        found.push(malformed(fields.path_of("id"), message));
        return None;
    }
    Some(id.to_owned())
}

fn read_connection(value: &Value, path: Vec<String>, found: &mut Vec<Diagnostic>) -> Option<Connection> {
    let fields = Fields::of(value, path, found)?;
    let id = read_id(&fields, found);
    let mut end = |name: &str| {
        let item = fields.required(name, found)?;
        let fields = Fields::of(item, fields.path_of(name), found)?;
        let (block_id, port) = (fields.text("blockId", found), fields.text("port", found));
        Some(Port { block_id: block_id?.to_owned(), port: port?.to_owned() })
    };
    let (source, target) = (end("source"), end("target"));
    Some(Connection { id: id?, source: source?, target: target? })
}
