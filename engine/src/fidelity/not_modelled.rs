//! Measured quantities that predictions do not give, each with the reason.

/// Kind, what names begin with, reason.
const REASONS: &[(&str, &str, &str)] = &[
    ("cache", "approx.", "Formulas the measurement compares itself with, not figures of a cache."),
    ("cache", "max_abs_diff_other_seed", "A difference between two measured seeds."),
    ("cache", "miss_2nd_half.", "A run counts over one interval; the whole trace is compared."),
    ("cache", "miss_all.LIRS", "LIRS is not among the policies."),
    (
        "lsm_leveldb",
        "levels_level_files_mb",
        "A report tells files and bytes by level in another form; their sum decides the write amplification.",
    ),
    (
        "lsm_leveldb",
        "write_amp_incl_log",
        "The log is a block of its own, and the canvas of these cases has none.",
    ),
    ("lsm_read", "get_", "Which level answered a get is not counted; the blocks read are."),
    ("lsm_read", "scan50.found", "Rows found are those of the workload."),
    ("lsm_read", "levels_at_read_time", "A report tells files and bytes by level in another form."),
    (
        "lsm_write",
        "compaction",
        "A report counts compactions and their bytes, not those of each pair of levels.",
    ),
    (
        "lsm_write",
        "trivial_moves",
        "Counted, and not compared: how many files move at once is RocksDB's detail.",
    ),
    ("lsm_write", "wal_bytes", "The log is a block of its own, and the canvas of these cases has none."),
    (
        "lsm_write",
        "",
        "A figure of RocksDB's statistics that follows from the flushes and compactions compared.",
    ),
    ("pg_btree", "deleted_pages", "Pages are deleted by vacuum, which none of these cases runs."),
    ("pg_btree", "leaf_fragmentation_pct", "Where a page lies in the file is not modelled."),
    ("pg_buffer", "buffer_allocs_per_op", "The same as the page reads compared."),
    ("pg_buffer", "hot_fraction", "These canvases update rows in place; versions are compared by pg_bloat."),
    ("pg_hash", "free_percent", "Follows from the pages and entries compared."),
    ("pg_heap", "", "Follows from the pages and rows compared."),
    ("pg_locks", "transactions", "How many the measurement ran; a simulated run is longer."),
    ("pg_join", "inner_", "The name of the plan node or of the relation."),
    ("pg_join", "loop_inner_relation", "The name of the relation."),
    ("pg_join", "sorts", "Follows from the runs and pages compared by pg_sort."),
    ("pg_sort", "space_kb", "Follows from the temporary pages compared."),
    ("rank", "decisive_faster", "Speed depends on the machine that measured."),
    ("rank", "decisive_", "Told by the figures themselves."),
    ("rank", "engines.", "Given under the names that scoring asks for; speeds depend on the machine."),
    (
        "rank",
        "file_bytes_at_end",
        "Each phase is simulated on its own, so no simulated file has seen them all.",
    ),
    ("sqlite_shape", "db_pages", "Free pages inside the file are not modelled."),
    ("sqlite_shape", "table.", "Of an index's table, which other cases measure."),
];

/// Why predictions of a kind do not give a quantity.
pub(super) fn reason(kind: &str, quantity: &str) -> Option<&'static str> {
    let (_, _, reason) = REASONS.iter().find(|(of, start, _)| *of == kind && quantity.starts_with(start))?;
    Some(reason)
}
