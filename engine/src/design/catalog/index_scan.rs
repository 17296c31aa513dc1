use super::*;

pub(super) const INDEX_SCAN: BlockType = BlockType {
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
    parameters: &[
        Parameter {
            name: "index_only",
            kind: ParameterKind::Boolean,
            unit: None,
            default: ParameterDefault::Boolean(false),
            description: "Reads ask the visibility map, and fetch a row only where not all rows of its page are seen by everyone.",
        },
        Parameter {
            name: "bitmap",
            kind: ParameterKind::Boolean,
            unit: None,
            default: ParameterDefault::Boolean(false),
            description: "Ranges collect the places of all rows first, then visit each page once, in order.",
        },
        Parameter {
            name: "work_mem_kib",
            kind: ParameterKind::Integer { min: 64, max: 16_777_216 },
            unit: Some("KiB"),
            default: ParameterDefault::Integer(4096),
            description: "What a bitmap may hold; beyond, it forgets which rows of a page it is about, and all of them are tested.",
        },
    ],
    events: &["index_lookup", "bitmap_built"],
    model: Model {
        modelled: &[
            "Search of an index, then one visit of the row's page for each row, in key order; rows in a row on one heap page are one visit, since a scan keeps its page pinned.",
            "Index-only reads as in PostgreSQL: one request of a page of the visibility map (32,672 heap pages of 8 KiB) whenever another than the one at hand is needed; changes of rows clear a page's bit.",
            "Bitmap heap scans: distinct pages in order, and exact places until `work_mem_kib` is full of page entries (64 bytes each), then half of the pages become lossy (tidbitmap.c).",
        ],
        not_modelled: &[
            "Vacuum does not set bits of the visibility map again.",
            "Combining several bitmaps, prefetching of heap pages.",
        ],
        measured_by: &["pg_access", "pg_buffer"],
    },
};
