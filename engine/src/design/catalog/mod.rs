//! The catalogue: ONE table of block types, ports and parameters, each row in a file of its own. The validator, the
//! compiler, the API's block types, the JSON Schemas and the documentation all read it.

mod btree_index;
mod buffer_pool;
mod client;
mod clustered_storage;
mod cpu;
mod disk;
mod hash_index;
mod heap_storage;
mod index_scan;
mod joins;
mod lsm_tree;
mod model;
mod mvcc;
mod occ;
mod personas;
mod seq_scan;
mod skip_list;
mod transaction;
mod two_phase_locking;
mod wal;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub use model::{Agreement, Model};
pub use personas::{Persona, persona, personas};

/// What a block is for. Ports accept categories, so a new block fits wherever its category does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Category {
    Workload,
    Transaction,
    Query,
    Index,
    Storage,
    Buffer,
    Log,
    Device,
    Cpu,
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Category::Workload => "workload",
            Category::Transaction => "transaction",
            Category::Query => "query",
            Category::Index => "index",
            Category::Storage => "storage",
            Category::Buffer => "buffer",
            Category::Log => "log",
            Category::Device => "device",
            Category::Cpu => "cpu",
        })
    }
}

/// A named end of connections. On an output, `accepts` lists what may be connected to it; on an input, what may connect.
#[derive(Debug)]
pub struct PortType {
    pub name: &'static str,
    pub description: &'static str,
    pub accepts: &'static [Category],
    /// A block without a connection here is an error.
    pub required: bool,
    /// Whether it takes more than one connection.
    pub many: bool,
}

/// The values a parameter may take.
#[derive(Debug)]
pub enum ParameterKind {
    Integer {
        min: i64,
        max: i64,
    },
    /// One of a few whole numbers.
    IntegerChoice(&'static [i64]),
    Number {
        min: f64,
        max: f64,
    },
    Boolean,
    Choice(&'static [&'static str]),
    Text {
        max_length: usize,
    },
}

/// What a parameter is when the canvas does not say.
#[derive(Debug)]
pub enum ParameterDefault {
    Integer(i64),
    Number(f64),
    Boolean(bool),
    Text(&'static str),
    /// It follows from something else; the sentence says from what.
    Derived(&'static str),
}

impl ParameterDefault {
    /// The value as JSON; a derived one has none.
    pub fn json(&self) -> Option<Value> {
        match self {
            ParameterDefault::Integer(value) => Some(json!(value)),
            ParameterDefault::Number(value) => Some(json!(value)),
            ParameterDefault::Boolean(value) => Some(json!(value)),
            ParameterDefault::Text(value) => Some(json!(value)),
            ParameterDefault::Derived(_) => None,
        }
    }
}

/// One knob of a block type.
#[derive(Debug)]
pub struct Parameter {
    pub name: &'static str,
    pub kind: ParameterKind,
    pub unit: Option<&'static str>,
    pub default: ParameterDefault,
    pub description: &'static str,
}

/// One row of the catalogue.
#[derive(Debug)]
pub struct BlockType {
    pub kind: &'static str,
    /// Other names a canvas may use for it.
    pub aliases: &'static [&'static str],
    pub title: &'static str,
    pub description: &'static str,
    pub category: Category,
    pub inputs: &'static [PortType],
    pub outputs: &'static [PortType],
    pub parameters: &'static [Parameter],
    /// Types of the events this block can put into a trace.
    pub events: &'static [&'static str],
    pub model: Model,
}

/// Every block type, in the order a palette shows them.
pub fn block_types() -> &'static [BlockType] {
    BLOCK_TYPES
}

/// The block type of this name or alias.
pub fn block_type(kind: &str) -> Option<&'static BlockType> {
    BLOCK_TYPES.iter().find(|block| block.kind == kind || block.aliases.contains(&kind))
}

impl BlockType {
    /// The parameter of this name.
    pub fn parameter(&self, name: &str) -> Option<&'static Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }

    /// The output port of this name.
    pub fn output(&self, name: &str) -> Option<&'static PortType> {
        self.outputs.iter().find(|port| port.name == name)
    }

    /// The input port of this name.
    pub fn input(&self, name: &str) -> Option<&'static PortType> {
        self.inputs.iter().find(|port| port.name == name)
    }

    /// A parameter's schema; `x-personas` lists what personas set it to.
    fn schema_of(&self, parameter: &Parameter) -> Value {
        let mut schema = parameter.schema();
        let values: Map<String, Value> = personas()
            .iter()
            .filter_map(|persona| {
                let value = persona.value(self.kind, parameter.name)?;
                Some((persona.name.to_owned(), value.json()?))
            })
            .collect();
        if !values.is_empty() {
            schema["x-personas"] = Value::Object(values);
        }
        schema
    }

    /// The JSON Schema (2020-12) of this type's `parameters` object, with units, ranges, defaults and documentation.
    pub fn parameter_schema(&self) -> Value {
        let properties: Map<String, Value> = self
            .parameters
            .iter()
            .map(|parameter| (parameter.name.to_owned(), self.schema_of(parameter)))
            .collect();
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": format!("{} parameters", self.title),
            "description": self.description,
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
        })
    }
}

impl Parameter {
    /// The JSON Schema of this parameter alone. `x-unit` names the unit, `x-default` a default that is derived.
    pub fn schema(&self) -> Value {
        let mut schema = match &self.kind {
            ParameterKind::Integer { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
            ParameterKind::IntegerChoice(choices) => json!({"type": "integer", "enum": choices}),
            ParameterKind::Number { min, max } => json!({"type": "number", "minimum": min, "maximum": max}),
            ParameterKind::Boolean => json!({"type": "boolean"}),
            ParameterKind::Choice(choices) => json!({"type": "string", "enum": choices}),
            ParameterKind::Text { max_length } => {
                json!({"type": "string", "minLength": 1, "maxLength": max_length})
            }
        };
        schema["description"] = json!(self.description);
        if let Some(unit) = self.unit {
            schema["x-unit"] = json!(unit);
        }
        match (&self.default, self.default.json()) {
            (ParameterDefault::Derived(sentence), _) => schema["x-default"] = json!(sentence),
            (_, value) => schema["default"] = json!(value),
        }
        schema
    }
}

const fn output(
    name: &'static str,
    accepts: &'static [Category],
    required: bool,
    many: bool,
    description: &'static str,
) -> PortType {
    PortType { name, description, accepts, required, many }
}

/// Every block but the client is entered at `in`. Several blocks may share one, so it takes many connections.
const fn input(accepts: &'static [Category]) -> PortType {
    PortType { name: "in", description: "Where requests come in.", accepts, required: false, many: true }
}

const PAGES: PortType = output(
    "pages",
    &[Category::Buffer, Category::Device],
    true,
    false,
    "Where its pages are read and written: a buffer pool, or a device directly.",
);
const LOG: PortType = output(
    "log",
    &[Category::Log],
    false,
    false,
    "The write-ahead log of its changes; without it changes are not logged.",
);

const TABLE: Parameter = Parameter {
    name: "table",
    kind: ParameterKind::Text { max_length: 63 },
    unit: None,
    default: ParameterDefault::Text("main"),
    description: "Name of the workload's table this block holds.",
};
const INDEXED_TABLE: Parameter = Parameter {
    name: "table",
    kind: ParameterKind::Text { max_length: 63 },
    unit: None,
    default: ParameterDefault::Derived(
        "the table of the storage an index scan reads together with it; otherwise main",
    ),
    description: "Name of the table whose rows, or index entries, it holds.",
};
const PAGE_SIZE: Parameter = Parameter {
    name: "page_size",
    kind: ParameterKind::IntegerChoice(&[512, 1024, 2048, 4096, 8192, 16384, 32768, 65536]),
    unit: Some("bytes"),
    default: ParameterDefault::Integer(8192),
    description: "Bytes of one page. Blocks that share a buffer pool need the same size.",
};

const BLOCK_TYPES: &[BlockType] = &[
    client::CLIENT,
    two_phase_locking::TWO_PHASE_LOCKING,
    mvcc::MVCC,
    occ::OCC,
    index_scan::INDEX_SCAN,
    seq_scan::SEQ_SCAN,
    joins::NESTED_LOOP_JOIN,
    joins::HASH_JOIN,
    joins::SORT_MERGE_JOIN,
    joins::SORT,
    btree_index::BTREE_INDEX,
    hash_index::HASH_INDEX,
    skip_list::SKIP_LIST,
    lsm_tree::LSM_TREE,
    heap_storage::HEAP_STORAGE,
    clustered_storage::CLUSTERED_STORAGE,
    buffer_pool::BUFFER_POOL,
    wal::WAL,
    disk::DISK,
    cpu::CPU,
];
