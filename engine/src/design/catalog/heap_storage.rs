use super::*;

pub(super) const HEAP_STORAGE: BlockType = BlockType {
    kind: "heap-storage",
    aliases: &[],
    title: "Heap storage",
    description: "Rows in arrival order, found by row id or by reading everything. PostgreSQL's page and tuple overheads; updates in \
                      place, or by new versions as PostgreSQL keeps them.",
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
            name: "updates",
            kind: ParameterKind::Choice(&["in_place", "new_version"]),
            unit: None,
            default: ParameterDefault::Text("in_place"),
            description: "in_place: an update changes its row, a delete frees its place at once. new_version: an update adds a version, on the \
                              row's page when there is room and no indexed column changes (HOT), otherwise on another page with new \
                              entries in all indexes; pages are pruned on visits, and dead rows stay until then (PostgreSQL).",
        },
        Parameter {
            name: "deleted_fraction",
            kind: ParameterKind::Number { min: 0.0, max: 1.0 },
            unit: Some("ratio"),
            default: ParameterDefault::Number(0.0),
            description: "Part of the loaded rows, chosen at random, that was deleted and vacuumed away before the run: inserts find their \
                              places again.",
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
        "page_pruned",
    ],
    model: Model {
        modelled: &[
            "PostgreSQL's pages: 24 bytes of header, 4 a line pointer, 24 of tuple header, rows aligned to 8, filled greedily to the fill factor.",
            "Free places are found and used again.",
            "Hint bits: the first visit after a committed update dirties the page.",
            "Versions of rows: HOT and other updates, pruning of pages on visits, dead line pointers, the free-space map (heapam.c, pruneheap.c, hio.c, freespace.c of PostgreSQL 15).",
        ],
        not_modelled: &["TOAST: rows larger than a page.", "Visibility map.", "Aborted versions."],
        measured_by: &["pg_heap", "pg_buffer", "pg_bloat", "pg_wal"],
    },
};
