use super::*;

pub(super) const WAL: BlockType = BlockType {
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
        Parameter {
            name: "record_format",
            kind: ParameterKind::Choice(&["generic", "postgres"]),
            unit: None,
            default: ParameterDefault::Text("generic"),
            description: "generic: a record is the bytes that change and a header of 48; postgres: records as long as PostgreSQL writes them, \
                              for each kind of change, in log pages of 8 KiB.",
        },
        Parameter {
            name: "full_page_writes",
            kind: ParameterKind::Boolean,
            unit: None,
            default: ParameterDefault::Boolean(false),
            description: "Whether the first record that changes a page after a checkpoint holds the whole page (PostgreSQL: on). A run \
                              begins right after a checkpoint.",
        },
    ],
    events: &["log_append", "log_flush"],
    model: Model {
        modelled: &[
            "Commit waits for a flush (sync), for the next periodic one (interval), or not at all (async).",
            "Group commit: one flush serves all that wait; with n clients and flush time s, s ≤ latency ≤ 2s and n/2s ≤ throughput ≤ n/s.",
            "PostgreSQL's records byte by byte (xlogrecord.h, heapam_xlog.h, nbtxlog.h), and full-page images without the hole of the page.",
        ],
        not_modelled: &["Segment switches and recycling of log files.", "Contention on log buffers."],
        measured_by: &["pg_bloat", "pg_wal"],
    },
};
