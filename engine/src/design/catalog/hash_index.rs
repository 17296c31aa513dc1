use super::*;

pub(super) const HASH_INDEX: BlockType = BlockType {
    kind: "hash-index",
    aliases: &[],
    title: "Hash index",
    description: "Finds single keys by their hash, in a bucket that is a page: linear hashing as PostgreSQL does it, or extendible hashing. \
                      It knows no order, so ranges need another path.",
    category: Category::Index,
    inputs: &[input(&[Category::Workload, Category::Transaction, Category::Query])],
    outputs: &[PAGES, LOG],
    parameters: &[
        INDEXED_TABLE,
        PAGE_SIZE,
        Parameter {
            name: "method",
            kind: ParameterKind::Choice(&["linear", "extendible"]),
            unit: None,
            default: ParameterDefault::Text("linear"),
            description: "linear: buckets split in turn as the table grows, and full ones go on in overflow pages; extendible: a full bucket \
                              splits, and a directory that doubles leads to the buckets.",
        },
        Parameter {
            name: "fill_factor",
            kind: ParameterKind::Number { min: 0.1, max: 1.0 },
            unit: Some("ratio"),
            default: ParameterDefault::Number(0.75),
            description: "linear: how full buckets are meant to be on average before one more is added (PostgreSQL: 0.75).",
        },
        Parameter {
            name: "build",
            kind: ParameterKind::Choice(&["bulk", "inserted"]),
            unit: None,
            default: ParameterDefault::Text("bulk"),
            description: "How the loaded rows came in: at once, into as many buckets as the table is taken to need, or one by one.",
        },
    ],
    events: &["hash_lookup", "hash_split", "page_read", "page_allocated"],
    model: Model {
        modelled: &[
            "Linear hashing as in PostgreSQL 15: hashint8, one split for every fill factor × page of entries, bucket pages made in splitpoint phases, overflow pages chained and freed by splits (hashpage.c, hashovfl.c).",
            "Extendible hashing (Fagin, Nievergelt, Pippenger, Strong 1979): directory of 2^d entries, buckets of one page, ln 2 full on average.",
        ],
        not_modelled: &[
            "Joining buckets after deletes.",
            "Dead entries of old versions: a moved row's entry is replaced.",
            "Bitmap pages of overflow pages are counted, not visited.",
        ],
        measured_by: &["pg_hash"],
    },
};
