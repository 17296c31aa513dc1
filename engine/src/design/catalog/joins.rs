//! The joins and the sort.

use super::*;

const OUTER: PortType = output(
    "outer",
    &[Category::Query, Category::Storage, Category::Index],
    true,
    false,
    "The side that is read once and drives the join: a scan, a storage or an index.",
);
const INNER: PortType = output(
    "inner",
    &[Category::Query, Category::Storage, Category::Index],
    true,
    false,
    "The side that rows are looked up on.",
);
const SPILL: PortType = output(
    "spill",
    &[Category::Buffer, Category::Device],
    false,
    false,
    "Where temporary files go. Without it everything stays in memory, however much it is, and the report warns.",
);
const INPUT: PortType = output(
    "input",
    &[Category::Query, Category::Storage],
    true,
    false,
    "What it sorts: a scan, a storage or a join.",
);
const WORK_MEMORY: Parameter = Parameter {
    name: "work_mem_kib",
    kind: ParameterKind::Integer { min: 64, max: 16_777_216 },
    unit: Some("KiB"),
    default: ParameterDefault::Integer(4096),
    description: "Memory of one sort, or one hash table, before it goes to temporary files (PostgreSQL: work_mem, 4 MiB).",
};
const ENTERED: PortType = input(&[Category::Workload, Category::Transaction, Category::Query]);
const SPILLED: &str = "Temporary files are written and read by extents of 16 pages; in a pool page by page, where pages of files that were read stay until they are evicted.";
const NOT_JOINED: &str =
    "Joins of joins, outer joins, parallel workers; which rows match is known by key, or drawn uniformly.";

pub(super) const NESTED_LOOP_JOIN: BlockType = BlockType {
    kind: "nested-loop-join",
    aliases: &[],
    title: "Nested loop join",
    description: "For each row of the outer side it searches the inner index; where the inner side is no index, it scans it for each block of \
                  outer pages, or for each outer row.",
    category: Category::Query,
    inputs: &[ENTERED],
    outputs: &[OUTER, INNER],
    parameters: &[
        Parameter {
            name: "buffer_pages",
            kind: ParameterKind::Integer { min: 3, max: 1_000_000 },
            unit: Some("pages"),
            default: ParameterDefault::Integer(64),
            description: "Pages B of memory: B - 2 hold a block of the outer side, one a page of the inner side, one the result.",
        },
        Parameter {
            name: "method",
            kind: ParameterKind::Choice(&["block", "row"]),
            unit: None,
            default: ParameterDefault::Text("block"),
            description: "Without an inner index. block: a scan of the inner side for each block of outer pages; row: for each outer row that \
                          passes the condition, up to the match where the inner key is joined.",
        },
        PAGE_SIZE,
    ],
    events: &["join_row", "join_block"],
    model: Model {
        modelled: &[
            "With an inner index: M + |R|·c page accesses, c those of one search and fetch.",
            "In blocks: M + ⌈M/(B−2)⌉·N; row by row: M + |R|·N, or half of it on average where the first match ends a scan.",
        ],
        not_modelled: &[
            NOT_JOINED,
            "Materialized inner sides, memoized lookups.",
            "An inner index on a column that is not the key.",
        ],
        measured_by: &["pg_join"],
    },
};

pub(super) const HASH_JOIN: BlockType = BlockType {
    kind: "hash-join",
    aliases: &[],
    title: "Hash join",
    description: "Builds a hash table of the inner side and looks up the rows of the outer one. What does not fit memory goes to temporary \
                  files, batch by batch.",
    category: Category::Query,
    inputs: &[ENTERED],
    outputs: &[OUTER, INNER, SPILL],
    parameters: &[
        WORK_MEMORY,
        Parameter {
            name: "hash_mem_multiplier",
            kind: ParameterKind::Number { min: 1.0, max: 1000.0 },
            unit: Some("ratio"),
            default: ParameterDefault::Number(1.0),
            description: "A hash table may take so many times work_mem_kib (PostgreSQL 15: 2).",
        },
        Parameter {
            name: "method",
            kind: ParameterKind::Choice(&["hybrid", "grace"]),
            unit: None,
            default: ParameterDefault::Text("hybrid"),
            description: "hybrid: the first batch stays in memory while both sides are read (PostgreSQL); grace: all batches go to files when \
                          there are several.",
        },
        PAGE_SIZE,
    ],
    events: &["hash_join_build", "hash_join_batch", "hash_join_probe"],
    model: Model {
        modelled: &[
            "PostgreSQL 15's hybrid hash join row by row: buckets and batches from the rows expected, batch by bits of the row's hash, twice as many batches when one outgrows its memory, rows moved on between files (nodeHash.c, nodeHashjoin.c).",
            "In memory M + N page accesses; grace 3(M + N), where temporary pages hold rows without page headers.",
            SPILLED,
        ],
        not_modelled: &[
            NOT_JOINED,
            "The table for the outer side's most common values (its memory is set aside).",
        ],
        measured_by: &["pg_join"],
    },
};

pub(super) const SORT_MERGE_JOIN: BlockType = BlockType {
    kind: "sort-merge-join",
    aliases: &[],
    title: "Sort-merge join",
    description: "Sorts both sides by the join's column, unless an index or a sort delivers them in order, and merges them.",
    category: Category::Query,
    inputs: &[ENTERED],
    outputs: &[OUTER, INNER, SPILL],
    parameters: &[WORK_MEMORY, PAGE_SIZE],
    events: &["sort_run", "sort_merge", "merge_join"],
    model: Model {
        modelled: &[
            "Two of PostgreSQL 15's external sorts and one pass over both results. The last merge of a sort feeds the join, so M + N + 2·pages·(passes − 1), passes = 1 + ⌈log_k runs⌉.",
            "An inner side whose rows may match several outer ones is sorted into a file of its own, to be read again.",
            SPILLED,
        ],
        not_modelled: &[NOT_JOINED, "Ending before the longer side does."],
        measured_by: &["pg_join"],
    },
};

pub(super) const SORT: BlockType = BlockType {
    kind: "sort",
    aliases: &[],
    title: "Sort",
    description: "Sorts rows in memory, or in runs on temporary files that are merged. With a limit it keeps the first rows only.",
    category: Category::Query,
    inputs: &[ENTERED],
    outputs: &[INPUT, SPILL],
    parameters: &[WORK_MEMORY, PAGE_SIZE],
    events: &["sort_run", "sort_merge", "sort_completed"],
    model: Model {
        modelled: &[
            "PostgreSQL 15's tuplesort: quicksort in memory; runs as long as the memory left by the array of tuples and the tapes' buffers; balanced merges of work_mem/272 KiB tapes, 6 at least; the last merge on the fly; top rows in a heap (tuplesort.c, logtape.c).",
            SPILLED,
        ],
        not_modelled: &[
            "The order of the values: rows already in order form runs as others do.",
            "Incremental sorts, parallel workers, abbreviated keys.",
        ],
        measured_by: &["pg_sort", "pg_join"],
    },
};
