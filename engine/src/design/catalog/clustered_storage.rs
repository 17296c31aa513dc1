use super::*;

pub(super) const CLUSTERED_STORAGE: BlockType = BlockType {
    kind: "clustered-storage",
    aliases: &[],
    title: "Clustered storage",
    description: "Rows inside a B+tree in key order: one tree search finds the row, ranges read neighbouring pages. \
                      Page and row overheads of the page format.",
    category: Category::Storage,
    inputs: &[input(&[Category::Workload, Category::Transaction, Category::Query])],
    outputs: &[PAGES, LOG],
    parameters: &[
        TABLE,
        PAGE_SIZE,
        Parameter {
            name: "page_format",
            kind: ParameterKind::Choice(&["innodb", "sqlite", "lmdb"]),
            unit: None,
            default: ParameterDefault::Text("innodb"),
            description: "Whose pages: headers, bytes of a row beside its data, and how pages split and merge. innodb: a clustered \
                              index; sqlite: a table, siblings share their rows evenly, what does not fit a page goes to overflow \
                              pages; lmdb: halves, and almost full pages where keys are appended.",
        },
        Parameter {
            name: "without_rowid",
            kind: ParameterKind::Boolean,
            unit: None,
            default: ParameterDefault::Boolean(false),
            description: "sqlite: a WITHOUT ROWID table, whose rows lie in inner pages too, instead of a table whose key is the rowid.",
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
            description: "rightmost: a page splits where ascending (or descending) keys come in, and ordered keys fill it to the fill \
                              factor; middle: every page splits in half.",
        },
        Parameter {
            name: "merge_threshold",
            kind: ParameterKind::Number { min: 0.0, max: 0.5 },
            unit: Some("ratio"),
            default: ParameterDefault::Number(0.5),
            description: "A page emptier than this after a delete is merged into a sibling when both fit one page (InnoDB: 0.5, of the whole page).",
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
    model: Model {
        modelled: &[
            "Rows in the leaves of a B+tree, so one search finds them; splits, and merges below the threshold.",
            "InnoDB: a page splits in the middle, or where its last insert was if the new one is next to it; such a run leaves 1/16 free; records that moved leave garbage until the page is reorganised; a full page's last insert may go to the page on its right (btr0btr.cc, btr0cur.cc, page0page.ic, MariaDB 10.11).",
            "sqlite: cells of the file format (varints, integers by magnitude, overflow pages), balance_quick, balance_nonroot and balance_deeper of btree.c; page for page those of SQLite's files where nothing is drawn at random.",
            "lmdb: mdb_page_split's halves, or one node and its neighbour where keys are appended; copy-on-write with a free list of the pages each transaction freed.",
        ],
        not_modelled: &[
            "Overflow pages of long rows but in SQLite's format; LMDB's of values above half a page.",
            "sqlite: a row found in an inner page is still searched down to its leaf; the file's own free pages.",
            "lmdb: long-running readers that keep pages from being reused.",
            "InnoDB: rows of different sizes on one page; merges of pages with different parents.",
            "Adaptive hash index, change buffer.",
        ],
        measured_by: &["sqlite_shape", "sqlite_cache", "innodb", "innodb_pool"],
    },
};
