//! Checks a canvas and returns every problem, not only the first. A valid canvas becomes a plan.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::canvas::{Block, Canvas, Connection};
use super::canvas_reader::read;
use super::catalog::{self, BlockType, Category};
use super::parameters::check_parameters;
use super::{Code, Diagnostic, Severity, nearest};
use crate::plan::{self, Plan};

/// Most blocks a canvas may hold.
pub const MAX_BLOCKS: usize = 100;
/// Most connections a canvas may hold.
pub const MAX_CONNECTIONS: usize = 200;

/// What validation found, and the plan of a valid design.
#[derive(Debug, Clone)]
pub struct Checked {
    pub diagnostics: Vec<Diagnostic>,
    /// Present exactly when no diagnostic is an error.
    pub plan: Option<Plan>,
}

impl Checked {
    pub fn is_valid(&self) -> bool {
        self.plan.is_some()
    }
}

/// Checks any JSON as a canvas. Never panics; every diagnostic carries the path of what it is about.
pub fn check(canvas: &Value) -> Checked {
    let mut found = Vec::new();
    let plan = check_canvas(canvas, &mut found);
    let valid = found.iter().all(|diagnostic| diagnostic.severity != Severity::Error);
    Checked { diagnostics: found, plan: plan.filter(|_| valid) }
}

fn check_canvas(value: &Value, found: &mut Vec<Diagnostic>) -> Option<Plan> {
    if too_large(value, found) {
        return None;
    }
    let canvas = read(value, found)?;
    let design = Design::new(&canvas, found);
    design.check_ports(found);
    if has_error(found) {
        return None;
    }
    // What follows speaks about the graph as a whole and would only repeat the problems above.
    design.check_graph(found);
    design.check_unique_client(found);
    if has_error(found) {
        return None;
    }
    plan::compile::compile(&canvas, found)
}

fn has_error(found: &[Diagnostic]) -> bool {
    found.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
}

fn too_large(value: &Value, found: &mut Vec<Diagnostic>) -> bool {
    for (name, limit) in [("blocks", MAX_BLOCKS), ("connections", MAX_CONNECTIONS)] {
        let length = value.get(name).and_then(Value::as_array).map_or(0, Vec::len);
        if length > limit {
            found.push(Diagnostic::error(
                Code::TooLarge,
                &[name],
                format!("a canvas holds at most {limit} {name}; this one has {length}"),
            ));
        }
    }
    !found.is_empty()
}

/// The canvas with its names resolved as far as they can be.
struct Design<'a> {
    canvas: &'a Canvas,
    kinds: Vec<Option<&'static BlockType>>,
    /// (connection, source block, output port, target block), only those that are right.
    edges: Vec<(usize, usize, &'static str, usize)>,
    index_of: BTreeMap<&'a str, usize>,
}

impl<'a> Design<'a> {
    fn new(canvas: &'a Canvas, found: &mut Vec<Diagnostic>) -> Self {
        let mut design = Self { canvas, kinds: Vec::new(), edges: Vec::new(), index_of: BTreeMap::new() };
        for (index, block) in canvas.blocks.iter().enumerate() {
            design.check_block(index, block, found);
        }
        let mut ids = BTreeSet::new();
        for (index, connection) in canvas.connections.iter().enumerate() {
            if !ids.insert(connection.id.as_str()) {
                let message = format!("two connections have the id \"{}\"", connection.id);
                found.push(Diagnostic::error(
                    Code::DuplicateId,
                    &["connections", &index.to_string(), "id"],
                    message,
                ));
            }
            design.check_connection(index, connection, found);
        }
        design
    }

    fn check_block(&mut self, index: usize, block: &'a Block, found: &mut Vec<Diagnostic>) {
        let place = index.to_string();
        if self.index_of.insert(&block.id, index).is_some() {
            let message = format!("two blocks have the id \"{}\"", block.id);
            found.push(
                Diagnostic::error(Code::DuplicateId, &["blocks", &place, "id"], message).at_block(&block.id),
            );
        }
        let kind = catalog::block_type(&block.kind);
        self.kinds.push(kind);
        match kind {
            Some(kind) => check_parameters(kind, index, block, found),
            None => {
                let hint =
                    nearest::suggestion(&block.kind, catalog::block_types().iter().map(|kind| kind.kind));
                let message = format!("there is no block type \"{}\": {hint}", shown(&block.kind));
                found.push(
                    Diagnostic::error(Code::UnknownBlockType, &["blocks", &place, "type"], message)
                        .at_block(&block.id),
                );
            }
        }
    }

    fn check_connection(&mut self, index: usize, connection: &Connection, found: &mut Vec<Diagnostic>) {
        let place = index.to_string();
        let source = self.resolve(&connection.source.block_id, &["connections", &place, "source"], found);
        let target = self.resolve(&connection.target.block_id, &["connections", &place, "target"], found);
        let output = source.and_then(|(block, kind)| {
            let port = kind.output(&connection.source.port);
            if port.is_none() {
                let hint =
                    nearest::suggestion(&connection.source.port, kind.outputs.iter().map(|port| port.name));
                let message = format!(
                    "{} has no output port \"{}\": {hint}",
                    a(kind.kind),
                    shown(&connection.source.port)
                );
                let path = ["connections", place.as_str(), "source", "port"];
                found.push(
                    Diagnostic::error(Code::UnknownPort, &path, message)
                        .at_block(&self.canvas.blocks[block].id),
                );
            }
            port
        });
        if let Some((block, kind)) = target {
            if kind.input(&connection.target.port).is_none() {
                let message = if kind.inputs.is_empty() {
                    format!("{} has no input port: requests start there", a(kind.kind))
                } else {
                    format!(
                        "{} has no input port \"{}\": connect to \"in\"",
                        a(kind.kind),
                        shown(&connection.target.port)
                    )
                };
                let path = ["connections", place.as_str(), "target", "port"];
                found.push(
                    Diagnostic::error(Code::UnknownPort, &path, message)
                        .at_block(&self.canvas.blocks[block].id),
                );
                return;
            }
        }
        let (Some((from, from_kind)), Some(port), Some((to, to_kind))) = (source, output, target) else {
            return;
        };
        if !port.accepts.contains(&to_kind.category) {
            let accepts: Vec<String> = port.accepts.iter().map(Category::to_string).collect();
            let message = format!(
                "port \"{}\" of {} accepts {}; {} is {}",
                port.name,
                a(from_kind.kind),
                accepts.join(", "),
                a(to_kind.kind),
                to_kind.category
            );
            found.push(
                Diagnostic::error(Code::PortMismatch, &["connections", &place], message)
                    .at_block(&self.canvas.blocks[from].id),
            );
            return;
        }
        if self.edges.iter().any(|edge| (edge.1, edge.2, edge.3) == (from, port.name, to)) {
            let message = format!(
                "port \"{}\" of \"{}\" is already connected to \"{}\"",
                port.name, self.canvas.blocks[from].id, self.canvas.blocks[to].id
            );
            found.push(
                Diagnostic::error(Code::DuplicateConnection, &["connections", &place], message)
                    .at_block(&self.canvas.blocks[from].id),
            );
            return;
        }
        self.edges.push((index, from, port.name, to));
    }

    /// The block of this id. Its type is absent when the catalogue does not know it, which was told already.
    fn resolve(
        &self,
        block_id: &str,
        path: &[&str],
        found: &mut Vec<Diagnostic>,
    ) -> Option<(usize, &'static BlockType)> {
        let Some(&block) = self.index_of.get(block_id) else {
            let hint = nearest::nearest(block_id, self.index_of.keys().copied())
                .map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"));
            let message = format!("there is no block \"{}\" on the canvas{hint}", shown(block_id));
            let mut path = path.to_vec();
            path.push("blockId");
            found.push(Diagnostic::error(Code::DanglingConnection, &path, message));
            return None;
        };
        self.kinds[block].map(|kind| (block, kind))
    }

    fn check_ports(&self, found: &mut Vec<Diagnostic>) {
        for (index, block) in self.canvas.blocks.iter().enumerate() {
            let Some(kind) = self.kinds[index] else { continue };
            for port in kind.outputs {
                let edges: Vec<usize> = self
                    .edges
                    .iter()
                    .filter(|edge| edge.1 == index && edge.2 == port.name)
                    .map(|edge| edge.0)
                    .collect();
                if port.required && edges.is_empty() {
                    let accepts: Vec<String> =
                        port.accepts.iter().map(|category| needed(*category)).collect();
                    let message = format!(
                        "{} needs {} on its \"{}\" port; block \"{}\" has none",
                        a(kind.kind),
                        accepts.join(" or "),
                        port.name,
                        block.id
                    );
                    found.push(
                        Diagnostic::error(Code::MissingConnection, &["blocks", &index.to_string()], message)
                            .at_block(&block.id),
                    );
                }
                for edge in edges.iter().skip(1).filter(|_| !port.many) {
                    let message = format!(
                        "port \"{}\" of {} takes one connection; block \"{}\" has {}",
                        port.name,
                        a(kind.kind),
                        block.id,
                        edges.len()
                    );
                    let path = ["connections", &edge.to_string()];
                    found.push(
                        Diagnostic::error(Code::TooManyConnections, &path, message).at_block(&block.id),
                    );
                }
            }
        }
    }

    fn check_graph(&self, found: &mut Vec<Diagnostic>) {
        if let Some(circle) = self.find_cycle() {
            let ids: Vec<&str> = circle.iter().map(|block| self.canvas.blocks[*block].id.as_str()).collect();
            let message = format!("requests would run in a circle: {} → {}", ids.join(" → "), ids[0]);
            found.push(
                Diagnostic::error(Code::Cycle, &["blocks", &circle[0].to_string()], message).at_block(ids[0]),
            );
        }
        let mut reached = vec![false; self.canvas.blocks.len()];
        let mut open: Vec<usize> =
            (0..reached.len()).filter(|block| self.is_category(*block, Category::Workload)).collect();
        if open.is_empty() {
            return;
        }
        while let Some(block) = open.pop() {
            if !reached[block] {
                reached[block] = true;
                open.extend(self.edges.iter().filter(|edge| edge.1 == block).map(|edge| edge.3));
            }
        }
        for (index, block) in self.canvas.blocks.iter().enumerate().filter(|(index, _)| !reached[*index]) {
            let message =
                format!("no request reaches block \"{}\": nothing the client calls leads to it", block.id);
            found.push(
                Diagnostic::warning(Code::UnreachableBlock, &["blocks", &index.to_string()], message)
                    .at_block(&block.id),
            );
        }
    }

    fn check_unique_client(&self, found: &mut Vec<Diagnostic>) {
        let clients: Vec<usize> = (0..self.canvas.blocks.len())
            .filter(|block| self.is_category(*block, Category::Workload))
            .collect();
        if clients.is_empty() {
            found.push(Diagnostic::error(
                Code::NoClient,
                &["blocks"],
                "a design needs a client: the block where the workload enters",
            ));
        }
        for extra in clients.iter().skip(1) {
            found.push(
                Diagnostic::error(
                    Code::MultipleClients,
                    &["blocks", &extra.to_string()],
                    "a design has one client; connect it to several blocks instead",
                )
                .at_block(&self.canvas.blocks[*extra].id),
            );
        }
    }

    fn is_category(&self, block: usize, category: Category) -> bool {
        self.kinds[block].is_some_and(|kind| kind.category == category)
    }

    /// The blocks of one circle, in order of the requests; the first in canvas order leads.
    fn find_cycle(&self) -> Option<Vec<usize>> {
        // 0 unseen, 1 on the current path, 2 done.
        let mut state = vec![0u8; self.canvas.blocks.len()];
        for start in 0..state.len() {
            let mut path: Vec<(usize, usize)> = Vec::new();
            if state[start] == 0 {
                state[start] = 1;
                path.push((start, 0));
            }
            while let Some((block, next)) = path.pop() {
                let Some(edge) = self.edges.iter().filter(|edge| edge.1 == block).nth(next) else {
                    state[block] = 2;
                    continue;
                };
                path.push((block, next + 1));
                let target = edge.3;
                match state[target] {
                    0 => {
                        state[target] = 1;
                        path.push((target, 0));
                    }
                    1 => {
                        let from = path.iter().position(|(block, _)| *block == target).unwrap_or(0);
                        return Some(path[from..].iter().map(|(block, _)| *block).collect());
                    }
                    _ => {}
                }
            }
        }
        None
    }
}

/// A block type with its article.
pub(super) fn a(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
    format!("{article} {kind}")
}

/// A category as something one can be told to add.
fn needed(category: Category) -> String {
    match category {
        Category::Query => "a query operator",
        Category::Index => "an index",
        Category::Storage => "a storage",
        Category::Buffer => "a buffer pool",
        Category::Log => "a log",
        Category::Device => "a device",
        Category::Transaction => "a transaction manager",
        Category::Workload => "a client",
        Category::Cpu => "a cpu",
    }
    .to_owned()
}

/// User text inside a message, cut to a readable length.
pub(super) fn shown(text: &str) -> String {
    if text.chars().count() <= 60 { text.to_owned() } else { text.chars().take(60).chain(['…']).collect() }
}
