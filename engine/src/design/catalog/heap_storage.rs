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
            name: "autovacuum_scale_factor",
            kind: ParameterKind::Number { min: 0.0, max: 100.0 },
            unit: Some("ratio"),
            default: ParameterDefault::Number(0.0),
            description: "With updates new_version: a vacuum begins when more versions are dead than the threshold and this part of the \
                              rows (autovacuum_vacuum_scale_factor: 0.2). 0: no vacuum during the run.",
        },
        Parameter {
            name: "autovacuum_threshold",
            kind: ParameterKind::Integer { min: 0, max: 2_147_483_647 },
            unit: Some("rows"),
            default: ParameterDefault::Integer(50),
            description: "Dead versions that are left alone however small the table is (autovacuum_vacuum_threshold: 50).",
        },
        Parameter {
            name: "autovacuum_naptime_seconds",
            kind: ParameterKind::Number { min: 0.001, max: 2_147_483.0 },
            unit: Some("s"),
            default: ParameterDefault::Number(60.0),
            description: "Time between two looks at whether a vacuum is due (autovacuum_naptime: 60 s).",
        },
        Parameter {
            name: "vacuum_cost_delay_ms",
            kind: ParameterKind::Number { min: 0.0, max: 100.0 },
            unit: Some("ms"),
            default: ParameterDefault::Number(2.0),
            description: "How long a vacuum sleeps after pages that cost 200: 1 each in memory, 2 when read, 20 more when made dirty \
                              (autovacuum_vacuum_cost_delay: 2 ms). Pages a second at most: 200 / (cost of a page · delay), with 2 ms \
                              50,000 read and 4,545 read and made dirty. 0: no pauses.",
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
        "vacuum_started",
        "vacuum_completed",
    ],
    model: Model {
        modelled: &[
            "PostgreSQL's pages: 24 bytes of header, 4 a line pointer, 24 of tuple header, rows aligned to 8, filled greedily to the fill factor.",
            "Free places are found and used again.",
            "Hint bits: the first visit after a committed update dirties the page.",
            "Versions of rows: HOT and other updates, pruning of pages on visits, dead line pointers, the free-space map (heapam.c, pruneheap.c, hio.c, freespace.c of PostgreSQL 15).",
            "VACUUM during the run, when dead versions > threshold + scale factor · rows: heap pages that changed since the last one, \
             every page of the trees, then the pages of dead line pointers again, paced by cost (autovacuum.c, vacuumlazy.c).",
        ],
        not_modelled: &[
            "TOAST: rows larger than a page.",
            "Pages of the visibility map, and scans of indexes alone by it.",
            "Aborted versions.",
            "VACUUM: cutting empty pages off the end of the heap, deleting empty index pages, reading hash indexes, skipping \
             indexes when few rows are dead, freezing, vacuums for inserts alone, ANALYZE.",
        ],
        measured_by: &["pg_heap", "pg_buffer", "pg_bloat", "pg_wal"],
    },
};
