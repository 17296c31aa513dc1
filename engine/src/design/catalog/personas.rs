//! Presets of real systems. A canvas, or one of its blocks, names a persona; parameters it does not state then take the persona's
//! value instead of the catalogue's default.

use super::{BlockType, ParameterDefault};
use ParameterDefault::{Boolean, Integer, Number, Text};

/// The values a persona gives to the parameters of one block type.
#[derive(Debug)]
struct Preset {
    kind: &'static str,
    parameters: &'static [(&'static str, ParameterDefault)],
}

/// A real system whose habits blocks can take on.
#[derive(Debug)]
pub struct Persona {
    pub name: &'static str,
    pub title: &'static str,
    /// The system's version and where its figures come from.
    pub description: &'static str,
    /// Slug of the design template that starts with it.
    pub template_slug: &'static str,
    presets: &'static [Preset],
}

impl Persona {
    /// The value this persona gives to a parameter of a block type, where it differs from the catalogue or is worth stating.
    pub fn value(&self, kind: &str, parameter: &str) -> Option<&'static ParameterDefault> {
        let preset = self.presets.iter().find(|preset| preset.kind == kind)?;
        preset.parameters.iter().find(|(name, _)| *name == parameter).map(|(_, value)| value)
    }

    /// Every parameter it sets: block type, parameter, value.
    pub fn values(
        &self,
    ) -> impl Iterator<Item = (&'static str, &'static str, &'static ParameterDefault)> + use<> {
        self.presets
            .iter()
            .flat_map(|preset| preset.parameters.iter().map(|(name, value)| (preset.kind, *name, value)))
    }
}

/// Every persona, in the order a palette shows them.
pub fn personas() -> &'static [Persona] {
    PERSONAS
}

/// The persona of this name.
pub fn persona(name: &str) -> Option<&'static Persona> {
    PERSONAS.iter().find(|persona| persona.name == name)
}

impl BlockType {
    /// Names of the personas that set parameters of this block type.
    pub fn personas(&self) -> Vec<&'static str> {
        let sets = |persona: &&Persona| persona.presets.iter().any(|preset| preset.kind == self.kind);
        PERSONAS.iter().filter(sets).map(|persona| persona.name).collect()
    }
}

const PERSONAS: &[Persona] = &[
    Persona {
        name: "postgres-15",
        title: "PostgreSQL 15",
        description: "Heap and nbtree in pages of 8 KiB, clock sweep with usage counts up to 5, log with group commit. Values are the \
                      server's defaults (postgresql.conf and src/include of 15.x).",
        template_slug: "postgres-15",
        presets: &[
            Preset {
                kind: "heap-storage",
                parameters: &[
                    ("page_size", Integer(8192)),
                    ("fill_factor", Number(1.0)),
                    ("hint_bits", Boolean(true)),
                    ("updates", Text("new_version")),
                    ("page_requests_per_update", Integer(3)),
                    ("autovacuum_scale_factor", Number(0.2)),
                    ("autovacuum_threshold", Integer(50)),
                    ("autovacuum_naptime_seconds", Number(60.0)),
                    ("vacuum_cost_delay_ms", Number(2.0)),
                ],
            },
            Preset {
                kind: "btree-index",
                parameters: &[
                    ("page_size", Integer(8192)),
                    ("fill_factor", Number(0.9)),
                    ("split_rule", Text("rightmost")),
                    ("merge_threshold", Number(0.0)),
                ],
            },
            Preset {
                kind: "buffer-pool",
                parameters: &[
                    ("policy", Text("gclock")),
                    ("background_writer_delay_ms", Number(200.0)),
                    ("background_writer_max_pages", Integer(100)),
                    ("background_writer_multiplier", Number(2.0)),
                    ("checkpoint_interval_seconds", Number(300.0)),
                    // max_wal_size (1 GiB) over 1 + the completion target.
                    ("checkpoint_log_bytes", Integer(565_127_276)),
                    ("checkpoint_completion_target", Number(0.9)),
                ],
            },
            Preset {
                kind: "mvcc",
                parameters: &[
                    ("isolation", Text("read_committed")),
                    ("deadlock_timeout_ms", Number(1_000.0)),
                ],
            },
            Preset { kind: "seq-scan", parameters: &[("read_ahead_pages", Integer(16))] },
            Preset {
                kind: "hash-join",
                parameters: &[("work_mem_kib", Integer(4096)), ("hash_mem_multiplier", Number(2.0))],
            },
            Preset { kind: "sort-merge-join", parameters: &[("work_mem_kib", Integer(4096))] },
            Preset { kind: "sort", parameters: &[("work_mem_kib", Integer(4096))] },
            Preset {
                kind: "wal",
                parameters: &[
                    ("commit_mode", Text("sync")),
                    ("group_commit", Boolean(true)),
                    ("record_format", Text("postgres")),
                    ("full_page_writes", Boolean(true)),
                ],
            },
        ],
    },
    Persona {
        name: "innodb",
        title: "InnoDB",
        description: "Rows clustered in a B+tree of 16 KiB pages, midpoint LRU with an old sublist of 3/8 and one second, merges \
                      under 50 %. Values are the defaults of MySQL 8.0 and MariaDB 10.11.",
        template_slug: "innodb",
        presets: &[
            // Plain reads see the transaction's snapshot; writes lock rows, take the newest version and look for deadlocks at once.
            Preset {
                kind: "mvcc",
                parameters: &[
                    ("isolation", Text("repeatable_read")),
                    ("write_rule", Text("newest_version")),
                    ("deadlock_timeout_ms", Number(0.0)),
                    ("victim", Text("fewest_locks")),
                ],
            },
            // Its isolation level SERIALIZABLE: reads lock, too.
            Preset {
                kind: "two-phase-locking",
                parameters: &[
                    ("isolation", Text("serializable")),
                    ("deadlock_policy", Text("detection")),
                    ("deadlock_timeout_ms", Number(0.0)),
                    ("victim", Text("fewest_locks")),
                ],
            },
            Preset {
                kind: "clustered-storage",
                parameters: &[
                    ("page_size", Integer(16_384)),
                    ("page_format", Text("innodb")),
                    ("fill_factor", Number(0.9375)),
                    ("merge_threshold", Number(0.5)),
                ],
            },
            Preset {
                kind: "btree-index",
                parameters: &[
                    ("page_size", Integer(16_384)),
                    ("page_format", Text("innodb")),
                    ("fill_factor", Number(1.0)),
                    ("merge_threshold", Number(0.5)),
                ],
            },
            Preset {
                kind: "buffer-pool",
                parameters: &[("policy", Text("midpoint-lru")), ("old_blocks_time_ms", Number(1000.0))],
            },
            Preset { kind: "seq-scan", parameters: &[("read_ahead_pages", Integer(64))] },
            Preset {
                kind: "wal",
                parameters: &[("commit_mode", Text("sync")), ("group_commit", Boolean(true))],
            },
        ],
    },
    Persona {
        name: "sqlite",
        title: "SQLite",
        description: "Rowid tables in pages of 4 KiB with three-way rebalancing, one writer, a page cache written at commit to a \
                      journal in WAL mode. Other values are the library's defaults (3.40 and later).",
        template_slug: "sqlite",
        presets: &[
            Preset {
                kind: "clustered-storage",
                parameters: &[("page_size", Integer(4096)), ("page_format", Text("sqlite"))],
            },
            Preset {
                kind: "btree-index",
                parameters: &[("page_size", Integer(4096)), ("page_format", Text("sqlite"))],
            },
            Preset {
                kind: "buffer-pool",
                parameters: &[
                    ("policy", Text("clean-first-lru")),
                    ("capacity_pages", Integer(500)),
                    ("write_back", Text("commit")),
                    ("journal", Text("wal")),
                    ("checkpoint_frames", Integer(1000)),
                ],
            },
        ],
    },
    Persona {
        name: "rocksdb",
        title: "RocksDB",
        description: "Leveled LSM tree with dynamic level sizes, two write buffers of 64 MiB, filters of 10 bits a key where a block \
                      cache is used. Values are the library's defaults (7.8).",
        template_slug: "rocksdb",
        presets: &[
            Preset {
                kind: "lsm-tree",
                parameters: &[
                    ("page_size", Integer(4096)),
                    ("compaction", Text("leveled")),
                    ("write_buffer_bytes", Integer(67_108_864)),
                    ("max_memtables", Integer(2)),
                    ("target_file_bytes", Integer(67_108_864)),
                    ("level_base_bytes", Integer(268_435_456)),
                    ("size_ratio", Number(10.0)),
                    ("levels", Integer(7)),
                    ("dynamic_level_bytes", Boolean(true)),
                    ("level0_trigger_files", Integer(4)),
                    ("slowdown_files", Integer(20)),
                    ("stop_files", Integer(36)),
                ],
            },
            Preset { kind: "buffer-pool", parameters: &[("policy", Text("high-priority-lru"))] },
            Preset {
                kind: "wal",
                parameters: &[("commit_mode", Text("async")), ("group_commit", Boolean(true))],
            },
        ],
    },
    Persona {
        name: "leveldb",
        title: "LevelDB",
        description: "LSM tree with one write buffer of 4 MiB, files of 2 MiB, levels of 10 MiB times ten, compacted round robin, no \
                      filter by default. Values are the library's defaults (1.23).",
        template_slug: "leveldb",
        presets: &[
            Preset {
                kind: "lsm-tree",
                parameters: &[
                    ("page_size", Integer(4096)),
                    ("compaction", Text("leveldb")),
                    ("write_buffer_bytes", Integer(4_194_304)),
                    ("target_file_bytes", Integer(2_097_152)),
                    ("level_base_bytes", Integer(10_485_760)),
                    ("size_ratio", Number(10.0)),
                    ("levels", Integer(7)),
                    ("level0_trigger_files", Integer(4)),
                    ("slowdown_files", Integer(8)),
                    ("stop_files", Integer(12)),
                    ("bloom", Text("none")),
                ],
            },
            Preset {
                kind: "buffer-pool",
                parameters: &[("policy", Text("lru")), ("capacity_pages", Integer(2048))],
            },
            Preset { kind: "wal", parameters: &[("commit_mode", Text("async"))] },
        ],
    },
    Persona {
        name: "lmdb",
        title: "LMDB",
        description: "Copy-on-write B+tree in pages of 4 KiB, read through the operating system's page cache and written at commit; no \
                      log. Values are the library's defaults (0.9.24).",
        template_slug: "lmdb",
        presets: &[
            Preset {
                kind: "clustered-storage",
                parameters: &[
                    ("page_size", Integer(4096)),
                    ("page_format", Text("lmdb")),
                    ("copy_on_write", Boolean(true)),
                ],
            },
            Preset {
                kind: "btree-index",
                parameters: &[
                    ("page_size", Integer(4096)),
                    ("page_format", Text("lmdb")),
                    ("copy_on_write", Boolean(true)),
                ],
            },
            Preset {
                kind: "buffer-pool",
                parameters: &[
                    ("policy", Text("lru")),
                    ("write_back", Text("commit")),
                    ("sync_at_commit", Boolean(true)),
                ],
            },
        ],
    },
];
