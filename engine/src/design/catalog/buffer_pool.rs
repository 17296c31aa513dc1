use super::*;

pub(super) const BUFFER_POOL: BlockType = BlockType {
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
                "high-priority-lru",
                "sieve",
                "s3-fifo",
                "w-tinylfu",
                "clean-first-lru",
            ]),
            unit: None,
            default: ParameterDefault::Text("lru"),
            description: "Which page is evicted. lru: the one used longest ago; midpoint-lru: InnoDB's, new pages enter at 3/8 of \
                              the list; fifo: the first loaded; random; clock: one use bit; gclock: PostgreSQL's, usage counts up \
                              to 5; lfu: the one used least since it was loaded; 2q; arc; lru-k: K is 2; slru: four segments; \
                              sieve; s3-fifo; w-tinylfu; clean-first-lru: SQLite's, dirty pages stay while a tenth of the \
                              frames is clean; high-priority-lru: RocksDB's block cache, half of it for blocks used again.",
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
        Parameter {
            name: "free_pages_target",
            kind: ParameterKind::Integer { min: 0, max: 16_777_215 },
            unit: Some("pages"),
            default: ParameterDefault::Integer(0),
            description: "Frames a page cleaner keeps free: when fewer than half of them are, it evicts the next victims, dirty ones \
                              once they are written, until so many are (innodb_lru_scan_depth). 0: no cleaner.",
        },
        Parameter {
            name: "background_writer_delay_ms",
            kind: ParameterKind::Number { min: 0.0, max: 10_000.0 },
            unit: Some("ms"),
            default: ParameterDefault::Number(0.0),
            description: "Time between two rounds of the background writer, which writes dirty pages that would be evicted next; 1 ms at \
                              least (bgwriter_delay: 200 ms). 0: no background writer.",
        },
        Parameter {
            name: "background_writer_max_pages",
            kind: ParameterKind::Integer { min: 0, max: 1_073_741_823 },
            unit: Some("pages"),
            default: ParameterDefault::Integer(100),
            description: "Most pages the background writer writes in a round (bgwriter_lru_maxpages).",
        },
        Parameter {
            name: "background_writer_multiplier",
            kind: ParameterKind::Number { min: 0.0, max: 10.0 },
            unit: Some("ratio"),
            default: ParameterDefault::Number(2.0),
            description: "Pages the background writer keeps clean over those lately needed in a round (bgwriter_lru_multiplier).",
        },
        Parameter {
            name: "checkpoint_interval_seconds",
            kind: ParameterKind::Number { min: 0.0, max: 86_400.0 },
            unit: Some("s"),
            default: ParameterDefault::Number(0.0),
            description: "Time from the begin of a checkpoint to that of the next; a checkpoint writes all pages dirty when it begins \
                              (checkpoint_timeout: 300 s). 0: none by time.",
        },
        Parameter {
            name: "checkpoint_log_bytes",
            kind: ParameterKind::Integer { min: 0, max: 4_294_967_295 },
            unit: Some("bytes"),
            default: ParameterDefault::Integer(0),
            description: "Bytes written to the logs of the pool's pages since a checkpoint began that make the next one begin (about half \
                              of max_wal_size). 0: none by volume.",
        },
        Parameter {
            name: "checkpoint_completion_target",
            kind: ParameterKind::Number { min: 0.0, max: 1.0 },
            unit: Some("ratio"),
            default: ParameterDefault::Number(0.9),
            description: "Part of the interval, or of the log volume, over which a checkpoint spreads its writes.",
        },
        Parameter {
            name: "write_back",
            kind: ParameterKind::Choice(&["eviction", "commit"]),
            unit: None,
            default: ParameterDefault::Text("eviction"),
            description: "When changed pages are written. eviction: when their frame is needed; commit: all of them before the \
                              transaction ends, as systems with one writer and no redo log do (SQLite, LMDB).",
        },
        Parameter {
            name: "journal",
            kind: ParameterKind::Choice(&["off", "wal"]),
            unit: None,
            default: ParameterDefault::Text("off"),
            description: "With write_back commit. off: pages go to their places; wal: they are appended to a journal, and a checkpoint \
                              copies the last version of each to its place (SQLite's WAL mode).",
        },
        Parameter {
            name: "checkpoint_frames",
            kind: ParameterKind::Integer { min: 1, max: 16_777_216 },
            unit: Some("frames"),
            default: ParameterDefault::Integer(1000),
            description: "With journal wal: pages in the journal from which on a commit checkpoints it (SQLite's wal_autocheckpoint).",
        },
        Parameter {
            name: "sync_at_commit",
            kind: ParameterKind::Boolean,
            unit: None,
            default: ParameterDefault::Boolean(true),
            description: "With write_back commit: whether the transaction waits until what it wrote is durable.",
        },
    ],
    events: &[
        "page_read_from_disk",
        "page_evicted",
        "page_written_back",
        "checkpoint_started",
        "checkpoint_completed",
    ],
    model: Model {
        modelled: &[
            "One frame a page; pins; write-back of dirty pages when they are evicted; one read in flight a page, others wait for it.",
            "On demand: InnoDB's page cleaner keeps frames free; PostgreSQL's background writer writes what is evicted next; a checkpoint writes what is dirty when it begins, by time or log volume, spread over its completion target (buf0flu.cc, bufmgr.c).",
            "Log before data: a changed page is written after the log has reached its last change.",
            "Write-back at commit: each changed page once, in place, to new places, or to a journal whose checkpoint copies the last version of each page (SQLite's WAL: frames of a page and 24 bytes, pages spilled before the commit overwritten in their frames).",
            "Sixteen policies, each after its paper or source: GCLOCK counts to 5 as PostgreSQL's sweep, midpoint LRU enters at 3/8 as InnoDB.",
            "Agrees with Che's approximation Σ(1−e^(−p·T)) = C for LRU and independent requests.",
        ],
        not_modelled: &[
            "Latch contention on the pool's hash table and lists.",
            "A checkpoint's final sync; the background writer's slow walk around an idle pool.",
            "Double caching in the operating system.",
        ],
        measured_by: &["cache", "pg_buffer", "sqlite_cache", "innodb_pool"],
    },
};
