use super::*;

pub(super) const BTREE_INDEX: BlockType = BlockType {
    kind: "btree-index",
    aliases: &[],
    title: "B+tree index",
    description: "A B+tree from keys to rows, with the page arithmetic and split rules of the page format.",
    category: Category::Index,
    inputs: &[input(&[Category::Workload, Category::Transaction, Category::Query])],
    outputs: &[PAGES, LOG],
    parameters: &[
        INDEXED_TABLE,
        PAGE_SIZE,
        Parameter {
            name: "page_format",
            kind: ParameterKind::Choice(&["postgres", "innodb", "sqlite", "lmdb"]),
            unit: None,
            default: ParameterDefault::Text("postgres"),
            description: "Whose pages: headers, what an entry holds beside its key, and how pages split and merge. postgres: nbtree; \
                              innodb: a secondary index; sqlite: entries also lie in inner pages, siblings share their entries \
                              evenly; lmdb: halves, and almost full pages where keys are appended.",
        },
        Parameter {
            name: "primary_key_bytes",
            kind: ParameterKind::Integer { min: 1, max: 3072 },
            unit: Some("bytes"),
            default: ParameterDefault::Derived("the key bytes of the table"),
            description: "innodb: bytes of the primary key that an entry holds beside its own key.",
        },
        Parameter {
            name: "column",
            kind: ParameterKind::Choice(&["key", "other"]),
            unit: None,
            default: ParameterDefault::Text("key"),
            description: "key: the index is on the table's key, and unique; other: on another column, which an UPDATE with \
                              changes_indexed_column gives a new value. Each row has its own value.",
        },
        Parameter {
            name: "column_order",
            kind: ParameterKind::Choice(&["hashed", "ascending"]),
            unit: None,
            default: ParameterDefault::Text("hashed"),
            description: "column other: hashed values arrive in no order; ascending ones are each larger than all before, those of updates \
                              too, like a time of last change.",
        },
        Parameter {
            name: "column_bytes",
            kind: ParameterKind::Integer { min: 1, max: 1000 },
            unit: Some("bytes"),
            default: ParameterDefault::Integer(8),
            description: "column other: bytes of a value.",
        },
        Parameter {
            name: "copy_on_write",
            kind: ParameterKind::Boolean,
            unit: None,
            default: ParameterDefault::Boolean(false),
            description: "Whether a transaction writes each changed page, and all pages above it, to a new place, and frees the old \
                              one for later transactions (LMDB). Needs a buffer pool that writes back at commit.",
        },
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
    model: Model {
        modelled: &[
            "Page arithmetic of nbtree: 8152 usable bytes, high keys, 12-byte first inner item; bulk build at the fill factor, inner pages at 70 % (src/backend/access/nbtree, PostgreSQL 15).",
            "InnoDB's secondary indexes: entries of key and primary key, splits in the middle or at the point of a run of inserts, garbage until a page is reorganised, merges under half a page (btr0btr.cc, btr0cur.cc, MariaDB 10.11).",
            "Splits where both halves get most alike; the rightmost page splits at the fill factor, so ascending keys pack well.",
            "A search visits one page a level: height = 1 + ⌈log_fanout(leaves)⌉.",
            "Entries of old versions, and the simple deletion, bottom-up deletion and deduplication that make room for new ones before a leaf splits (nbtinsert.c, nbtdedup.c).",
        ],
        not_modelled: &[
            "Page latches and concurrent splits.",
            "Prefix truncation of separators.",
            "Columns with equal values in many rows, and posting lists of different rows: a column index has an entry of full size for each row.",
        ],
        measured_by: &["pg_btree", "pg_buffer", "pg_bloat", "pg_wal", "sqlite_shape", "innodb"],
    },
};
