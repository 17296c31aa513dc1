//! The catalogue: ONE table of block types, ports and parameters. The validator, the compiler, the API's block types,
//! the JSON Schemas and the documentation all read it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

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
    /// Named presets of real systems for this block's parameters.
    pub personas: &'static [&'static str],
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

    /// The JSON Schema (2020-12) of this type's `parameters` object, with units, ranges, defaults and documentation.
    pub fn parameter_schema(&self) -> Value {
        let properties: Map<String, Value> =
            self.parameters.iter().map(|parameter| (parameter.name.to_owned(), parameter.schema())).collect();
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
        match &self.default {
            ParameterDefault::Integer(value) => schema["default"] = json!(value),
            ParameterDefault::Number(value) => schema["default"] = json!(value),
            ParameterDefault::Boolean(value) => schema["default"] = json!(value),
            ParameterDefault::Text(value) => schema["default"] = json!(value),
            ParameterDefault::Derived(sentence) => schema["x-default"] = json!(sentence),
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
const PAGE_SIZE: Parameter = Parameter {
    name: "page_size",
    kind: ParameterKind::IntegerChoice(&[4096, 8192, 16384, 32768]),
    unit: Some("bytes"),
    default: ParameterDefault::Integer(8192),
    description: "Bytes of one page. Blocks that share a buffer pool need the same size.",
};

const BLOCK_TYPES: &[BlockType] = &[
    BlockType {
        kind: "client",
        aliases: &[],
        title: "Client",
        description: "Where the workload enters: closed-loop clients with think time, or open-loop arrivals at a rate. \
                      Connected to several blocks, each operation takes the path the plan states.",
        category: Category::Workload,
        inputs: &[],
        outputs: &[
            output(
                "out",
                &[Category::Transaction, Category::Query, Category::Index, Category::Storage],
                true,
                true,
                "What serves the operations.",
            ),
            output(
                "cpu",
                &[Category::Cpu],
                false,
                false,
                "The cores operations run on; without it they are unlimited.",
            ),
        ],
        parameters: &[],
        events: &["operation_started", "operation_completed", "transaction_committed"],
        personas: &[],
    },
    BlockType {
        kind: "index-scan",
        aliases: &[],
        title: "Index scan",
        description: "Finds keys in an index, then fetches each row from its table. Without a table the index covers the row.",
        category: Category::Query,
        inputs: &[input(&[Category::Workload, Category::Transaction, Category::Query])],
        outputs: &[
            output("index", &[Category::Index], true, false, "The index it searches."),
            output("table", &[Category::Storage], false, false, "The storage it fetches rows from."),
        ],
        parameters: &[],
        events: &["index_lookup"],
        personas: &[],
    },
    BlockType {
        kind: "seq-scan",
        aliases: &[],
        title: "Sequential scan",
        description: "Reads every page of a table and keeps the rows that match.",
        category: Category::Query,
        inputs: &[input(&[Category::Workload, Category::Transaction, Category::Query])],
        outputs: &[output("table", &[Category::Storage], true, false, "The storage it reads.")],
        parameters: &[Parameter {
            name: "read_ahead_pages",
            kind: ParameterKind::Integer { min: 1, max: 256 },
            unit: Some("pages"),
            default: ParameterDefault::Integer(16),
            description: "Most pages asked of the device in one request (16 pages of 8 KiB are Linux's default 128 KiB).",
        }],
        events: &["page_scan"],
        personas: &[],
    },
    BlockType {
        kind: "btree-index",
        aliases: &[],
        title: "B+tree index",
        description: "A B+tree from keys to rows, with PostgreSQL's page arithmetic and split rules.",
        category: Category::Index,
        inputs: &[input(&[Category::Workload, Category::Transaction, Category::Query])],
        outputs: &[PAGES, LOG],
        parameters: &[
            Parameter {
                name: "table",
                kind: ParameterKind::Text { max_length: 63 },
                unit: None,
                default: ParameterDefault::Derived(
                    "the table of the storage an index scan reads together with it; otherwise main",
                ),
                description: "Name of the table it indexes.",
            },
            PAGE_SIZE,
            Parameter {
                name: "fill_factor",
                kind: ParameterKind::Number { min: 0.5, max: 1.0 },
                unit: Some("ratio"),
                default: ParameterDefault::Number(0.9),
                description: "How full bulk loading, and splits of the rightmost leaf, leave a leaf page.",
            },
            Parameter {
                name: "build",
                kind: ParameterKind::Choice(&["bulk", "inserted"]),
                unit: None,
                default: ParameterDefault::Text("bulk"),
                description: "How the loaded rows came in: packed bottom-up from sorted keys (CREATE INDEX), or inserted one by one.",
            },
            Parameter {
                name: "split_rule",
                kind: ParameterKind::Choice(&["rightmost", "middle"]),
                unit: None,
                default: ParameterDefault::Text("rightmost"),
                description: "rightmost: the last page of a level splits at the fill factor, so ascending keys pack well; \
                              middle: every page splits in half.",
            },
            Parameter {
                name: "merge_threshold",
                kind: ParameterKind::Number { min: 0.0, max: 0.5 },
                unit: Some("ratio"),
                default: ParameterDefault::Number(0.0),
                description: "A page emptier than this after a delete is merged into a sibling; 0 keeps pages, as PostgreSQL does until vacuum.",
            },
        ],
        events: &[
            "btree_traverse",
            "btree_lookup",
            "btree_split",
            "btree_merge",
            "page_read",
            "page_allocated",
            "page_scan",
        ],
        personas: &[],
    },
    BlockType {
        kind: "lsm-tree",
        aliases: &[],
        title: "LSM tree",
        description: "A log-structured merge tree: writes go to a memtable, full memtables become sorted files, compaction merges \
                      files from level to level. An update or a delete writes without reading. It holds the rows where no \
                      storage of the table is on the canvas.",
        category: Category::Index,
        inputs: &[input(&[Category::Workload, Category::Transaction, Category::Query])],
        outputs: &[PAGES, LOG],
        parameters: &[
            Parameter {
                name: "table",
                kind: ParameterKind::Text { max_length: 63 },
                unit: None,
                default: ParameterDefault::Derived(
                    "the table of the storage an index scan reads together with it; otherwise main",
                ),
                description: "Name of the table whose rows, or index entries, it holds.",
            },
            Parameter {
                name: "page_size",
                kind: ParameterKind::IntegerChoice(&[4096, 8192, 16384, 32768]),
                unit: Some("bytes"),
                default: ParameterDefault::Integer(4096),
                description: "Bytes of a data block: what a read asks of the pool or the device. Blocks that share a buffer pool need the same size.",
            },
            Parameter {
                name: "compaction",
                kind: ParameterKind::Choice(&["leveled", "universal", "leveldb"]),
                unit: None,
                default: ParameterDefault::Text("leveled"),
                description: "leveled: RocksDB, one sorted run a level; universal: RocksDB, similar runs are merged, fewer bytes written and more runs to read; leveldb: LevelDB, with its memtable and files.",
            },
            Parameter {
                name: "write_buffer_bytes",
                kind: ParameterKind::Integer { min: 65536, max: 1073741824 },
                unit: Some("bytes"),
                default: ParameterDefault::Integer(67_108_864),
                description: "Memory of a memtable; it is flushed when its arena has used it up.",
            },
            Parameter {
                name: "max_memtables",
                kind: ParameterKind::Integer { min: 2, max: 16 },
                unit: Some("memtables"),
                default: ParameterDefault::Integer(2),
                description: "Memtables at most; when all are full, writers wait for a flush.",
            },
            Parameter {
                name: "target_file_bytes",
                kind: ParameterKind::Integer { min: 65536, max: 1073741824 },
                unit: Some("bytes"),
                default: ParameterDefault::Integer(67_108_864),
                description: "Size at which a compaction ends a file.",
            },
            Parameter {
                name: "level_base_bytes",
                kind: ParameterKind::Integer { min: 65536, max: 4294967295 },
                unit: Some("bytes"),
                default: ParameterDefault::Integer(268_435_456),
                description: "Size of level 1 above which it is compacted (LevelDB: 10 MB).",
            },
            Parameter {
                name: "size_ratio",
                kind: ParameterKind::Number { min: 2.0, max: 100.0 },
                unit: Some("ratio"),
                default: ParameterDefault::Number(10.0),
                description: "Size of a level over that of the level above it.",
            },
            Parameter {
                name: "levels",
                kind: ParameterKind::Integer { min: 3, max: 12 },
                unit: Some("levels"),
                default: ParameterDefault::Integer(7),
                description: "Levels, level 0 included.",
            },
            Parameter {
                name: "dynamic_level_bytes",
                kind: ParameterKind::Boolean,
                unit: None,
                default: ParameterDefault::Boolean(true),
                description: "leveled: targets follow the last level upwards, so that it always holds most of the data; otherwise they grow from level 1 down.",
            },
            Parameter {
                name: "level0_trigger_files",
                kind: ParameterKind::Integer { min: 1, max: 256 },
                unit: Some("files"),
                default: ParameterDefault::Integer(4),
                description: "Files of level 0 (universal: sorted runs) at which a compaction begins.",
            },
            Parameter {
                name: "slowdown_files",
                kind: ParameterKind::Integer { min: 1, max: 1024 },
                unit: Some("files"),
                default: ParameterDefault::Integer(20),
                description: "Files of level 0 from which on writes are delayed.",
            },
            Parameter {
                name: "stop_files",
                kind: ParameterKind::Integer { min: 2, max: 2048 },
                unit: Some("files"),
                default: ParameterDefault::Integer(36),
                description: "Files of level 0 at which writes stop until a compaction has ended; at least slowdown_files and one more than the trigger.",
            },
            Parameter {
                name: "delayed_write_mb_s",
                kind: ParameterKind::Number { min: 0.1, max: 10_000.0 },
                unit: Some("MB/s"),
                default: ParameterDefault::Number(16.0),
                description: "Bytes a second let through while writes are delayed.",
            },
            Parameter {
                name: "universal_size_ratio_percent",
                kind: ParameterKind::Integer { min: 0, max: 1000 },
                unit: Some("percent"),
                default: ParameterDefault::Integer(1),
                description: "universal: a run joins a merge when it is at most this much larger than all before it.",
            },
            Parameter {
                name: "max_size_amplification_percent",
                kind: ParameterKind::Integer { min: 1, max: 10000 },
                unit: Some("percent"),
                default: ParameterDefault::Integer(200),
                description: "universal: everything is merged when the newer runs hold this much of the oldest.",
            },
            Parameter {
                name: "bloom",
                kind: ParameterKind::Choice(&["none", "uniform", "monkey"]),
                unit: None,
                default: ParameterDefault::Text("uniform"),
                description: "Filters of the files: none, the same bits a key everywhere, or more bits in upper levels (Monkey).",
            },
            Parameter {
                name: "bloom_bits",
                kind: ParameterKind::Number { min: 1.0, max: 32.0 },
                unit: Some("bits"),
                default: ParameterDefault::Number(10.0),
                description: "Filter bits a key (monkey: on average).",
            },
            Parameter {
                name: "background",
                kind: ParameterKind::Choice(&["concurrent", "settled"]),
                unit: None,
                default: ParameterDefault::Text("concurrent"),
                description: "concurrent: flushes and compactions share the device with the operations; settled: writers wait until both are done.",
            },
            Parameter {
                name: "build",
                kind: ParameterKind::Choice(&["inserted", "empty"]),
                unit: None,
                default: ParameterDefault::Text("inserted"),
                description: "How the loaded rows came in: put one by one, then flushed and compacted to rest; or not at all, and updates write them first.",
            },
            Parameter {
                name: "load_puts",
                kind: ParameterKind::Integer { min: 0, max: 2000000000 },
                unit: Some("puts"),
                default: ParameterDefault::Derived("one put for each loaded row, in order of arrival"),
                description: "Puts of the load when it wrote keys drawn uniformly, some often and some never.",
            },
        ],
        events: &["lsm_put", "lsm_get", "lsm_flush", "lsm_compaction", "page_read"],
        personas: &[],
    },
    BlockType {
        kind: "heap-storage",
        aliases: &[],
        title: "Heap storage",
        description: "Rows in arrival order, found by row id or by reading everything. PostgreSQL's page and tuple overheads.",
        category: Category::Storage,
        inputs: &[input(&[Category::Workload, Category::Transaction, Category::Query])],
        outputs: &[PAGES, LOG],
        parameters: &[
            TABLE,
            PAGE_SIZE,
            Parameter {
                name: "fill_factor",
                kind: ParameterKind::Number { min: 0.1, max: 1.0 },
                unit: Some("ratio"),
                default: ParameterDefault::Number(1.0),
                description: "How full inserts leave a page (PostgreSQL's default is 1).",
            },
            Parameter {
                name: "hint_bits",
                kind: ParameterKind::Boolean,
                unit: None,
                default: ParameterDefault::Boolean(false),
                description: "Whether the first visit of a page after a committed update changes the page, because it notes on the \
                              rows that the change committed, as PostgreSQL does.",
            },
            Parameter {
                name: "page_requests_per_update",
                kind: ParameterKind::Integer { min: 1, max: 16 },
                unit: Some("requests"),
                default: ParameterDefault::Integer(1),
                description: "Requests of the row's page in one update; the page stays pinned, so all but the first are hits that an \
                              eviction policy does not see (PostgreSQL: 3).",
            },
        ],
        events: &[
            "page_read",
            "page_allocated",
            "page_scan",
            "record_inserted",
            "record_updated",
            "record_deleted",
        ],
        personas: &[],
    },
    BlockType {
        kind: "clustered-storage",
        aliases: &[],
        title: "Clustered storage",
        description: "Rows inside a B+tree in key order: one tree search finds the row, ranges read neighbouring pages. \
                      InnoDB's page and record overheads.",
        category: Category::Storage,
        inputs: &[input(&[Category::Workload, Category::Transaction, Category::Query])],
        outputs: &[PAGES, LOG],
        parameters: &[
            TABLE,
            PAGE_SIZE,
            Parameter {
                name: "fill_factor",
                kind: ParameterKind::Number { min: 0.5, max: 1.0 },
                unit: Some("ratio"),
                default: ParameterDefault::Number(0.9375),
                description: "How full bulk loading, and splits of the rightmost leaf, leave a leaf page (InnoDB: 15/16).",
            },
            Parameter {
                name: "build",
                kind: ParameterKind::Choice(&["bulk", "inserted"]),
                unit: None,
                default: ParameterDefault::Text("bulk"),
                description: "How the loaded rows came in: packed bottom-up from sorted keys, or inserted one by one.",
            },
            Parameter {
                name: "split_rule",
                kind: ParameterKind::Choice(&["rightmost", "middle"]),
                unit: None,
                default: ParameterDefault::Text("rightmost"),
                description: "rightmost: the last page of a level splits at the fill factor; middle: every page splits in half.",
            },
            Parameter {
                name: "merge_threshold",
                kind: ParameterKind::Number { min: 0.0, max: 0.5 },
                unit: Some("ratio"),
                default: ParameterDefault::Number(0.5),
                description: "A page emptier than this after a delete is merged into a sibling when both fit one page (InnoDB: 0.5).",
            },
        ],
        events: &[
            "btree_traverse",
            "btree_lookup",
            "btree_split",
            "btree_merge",
            "page_read",
            "page_allocated",
            "page_scan",
            "record_inserted",
            "record_updated",
            "record_deleted",
        ],
        personas: &[],
    },
    BlockType {
        kind: "buffer-pool",
        aliases: &["lru-buffer"],
        title: "Buffer pool",
        description: "Pages kept in memory: an eviction policy, dirty pages written back when evicted, pins, and at most one \
                      read in flight for a page.",
        category: Category::Buffer,
        inputs: &[input(&[Category::Index, Category::Storage, Category::Query])],
        outputs: &[output("device", &[Category::Device], true, false, "The device behind it.")],
        parameters: &[
            Parameter {
                name: "capacity_pages",
                kind: ParameterKind::Integer { min: 1, max: 16_777_216 },
                unit: Some("pages"),
                default: ParameterDefault::Integer(4096),
                description: "Page frames it holds.",
            },
            Parameter {
                name: "policy",
                kind: ParameterKind::Choice(&[
                    "lru",
                    "midpoint-lru",
                    "fifo",
                    "random",
                    "clock",
                    "gclock",
                    "lfu",
                    "2q",
                    "arc",
                    "lru-k",
                    "slru",
                    "sieve",
                    "s3-fifo",
                    "w-tinylfu",
                ]),
                unit: None,
                default: ParameterDefault::Text("lru"),
                description: "Which page is evicted. lru: the one used longest ago; midpoint-lru: InnoDB's, new pages enter at 3/8 of \
                              the list; fifo: the first loaded; random; clock: one use bit; gclock: PostgreSQL's, usage counts up \
                              to 5; lfu: the one used least since it was loaded; 2q; arc; lru-k: K is 2; slru: four segments; \
                              sieve; s3-fifo; w-tinylfu.",
            },
            Parameter {
                name: "old_blocks_time_ms",
                kind: ParameterKind::Number { min: 0.0, max: 3_600_000.0 },
                unit: Some("ms"),
                default: ParameterDefault::Number(1000.0),
                description: "midpoint-lru: a page used again sooner than this after it was loaded stays old (innodb_old_blocks_time).",
            },
            Parameter {
                name: "lru_k_history",
                kind: ParameterKind::Boolean,
                unit: None,
                default: ParameterDefault::Boolean(true),
                description: "lru-k: whether the last use of an evicted page is remembered, for good.",
            },
        ],
        events: &["page_read_from_disk", "page_evicted", "page_written_back"],
        personas: &[],
    },
    BlockType {
        kind: "wal",
        aliases: &[],
        title: "Write-ahead log",
        description: "Changes are appended to a log, and commits wait for it as the commit mode says. One flush runs at a time; \
                      commits that arrive meanwhile share the next one.",
        category: Category::Log,
        inputs: &[input(&[Category::Transaction, Category::Index, Category::Storage])],
        outputs: &[output("device", &[Category::Device], true, false, "The device the log lies on.")],
        parameters: &[
            Parameter {
                name: "commit_mode",
                kind: ParameterKind::Choice(&["sync", "interval", "async"]),
                unit: None,
                default: ParameterDefault::Text("sync"),
                description: "sync: a commit waits for the flush of its records; interval: it waits for the next periodic flush; \
                              async: it does not wait, a periodic flush follows.",
            },
            Parameter {
                name: "group_commit",
                kind: ParameterKind::Boolean,
                unit: None,
                default: ParameterDefault::Boolean(true),
                description: "In sync mode, whether commits that wait together share one flush; otherwise each has its own.",
            },
            Parameter {
                name: "flush_interval_ms",
                kind: ParameterKind::Number { min: 0.01, max: 60_000.0 },
                unit: Some("ms"),
                default: ParameterDefault::Number(200.0),
                description: "Time between periodic flushes in the interval and async modes (PostgreSQL's wal_writer_delay is 200 ms).",
            },
        ],
        events: &["log_append", "log_flush"],
        personas: &[],
    },
    BlockType {
        kind: "disk",
        aliases: &[],
        title: "Disk",
        description: "A device with a number of parallel slots and one queue. A request takes base time, a seek unless it follows \
                      the previous one, and transfer time; a preset gives the figures, parameters change them one by one.",
        category: Category::Device,
        inputs: &[input(&[
            Category::Buffer,
            Category::Log,
            Category::Index,
            Category::Storage,
            Category::Query,
        ])],
        outputs: &[],
        parameters: &[
            Parameter {
                name: "preset",
                kind: ParameterKind::Choice(&["nvme", "sata-ssd", "cloud-volume", "hdd"]),
                unit: None,
                default: ParameterDefault::Text("nvme"),
                description: "The kind of device the other figures are taken from.",
            },
            Parameter {
                name: "slots",
                kind: ParameterKind::Integer { min: 1, max: 1024 },
                unit: Some("requests"),
                default: ParameterDefault::Derived("by preset: nvme 6, sata-ssd 9, cloud-volume 19, hdd 1"),
                description: "Requests served at the same time.",
            },
            Parameter {
                name: "read_us",
                kind: ParameterKind::Number { min: 0.1, max: 1_000_000.0 },
                unit: Some("µs"),
                default: ParameterDefault::Derived(
                    "by preset: nvme 12.4, sata-ssd 100, cloud-volume 180, hdd 100",
                ),
                description: "Base time of a read.",
            },
            Parameter {
                name: "write_ratio",
                kind: ParameterKind::Number { min: 0.1, max: 100.0 },
                unit: Some("ratio"),
                default: ParameterDefault::Derived("by preset: nvme 3, sata-ssd 1.5, cloud-volume 2, hdd 1"),
                description: "Base time of a write over that of a read.",
            },
            Parameter {
                name: "seek_us",
                kind: ParameterKind::Number { min: 0.0, max: 1_000_000.0 },
                unit: Some("µs"),
                default: ParameterDefault::Derived(
                    "by preset: hdd 12670 (8.5 ms seek and half a turn at 7200/min), others 0",
                ),
                description: "Added to a request that does not follow the previous one on the device.",
            },
            Parameter {
                name: "bandwidth_mb_s",
                kind: ParameterKind::Number { min: 0.1, max: 100_000.0 },
                unit: Some("MB/s"),
                default: ParameterDefault::Derived(
                    "by preset: nvme 3000, sata-ssd 520, cloud-volume 250, hdd 200",
                ),
                description: "Bytes the device moves in a second, over all slots together.",
            },
            Parameter {
                name: "fsync_us",
                kind: ParameterKind::Number { min: 0.0, max: 1_000_000.0 },
                unit: Some("µs"),
                default: ParameterDefault::Derived(
                    "by preset: nvme 20, sata-ssd 1000, cloud-volume 200, hdd 8333 (a turn)",
                ),
                description: "Added to a write that must be durable, such as a log flush.",
            },
            Parameter {
                name: "service_distribution",
                kind: ParameterKind::Choice(&["constant", "exponential"]),
                unit: None,
                default: ParameterDefault::Text("constant"),
                description: "Whether a request takes exactly its time, or a random time with that mean.",
            },
        ],
        events: &[],
        personas: &[],
    },
];
