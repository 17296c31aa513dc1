//! The compiled design: dense ids, typed parameters, and for every table the path each kind of access takes.
//! Immutable; `Display` is its stable text form.

mod checks;
pub(crate) mod compile;
mod explain;
pub(crate) mod query;
pub(crate) mod route;
mod transaction;

pub(crate) use route::{Route, TablePlan};
pub(crate) use transaction::{DeadlockPolicy, Isolation, Scheme, TransactionSpec, Victim};

use crate::blocks::hash::Method;
use crate::workload::InsertOrder;

/// Position of a block in the plan, which is its position on the canvas.
pub(crate) type BlockIndex = usize;

/// A valid design, ready to run.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub(crate) blocks: Vec<PlanBlock>,
    /// Whose processor times: the cpu block's, else the canvas's persona.
    pub(crate) processor: Processor,
    /// In order of name.
    pub(crate) tables: Vec<TablePlan>,
    /// What the client's operations may enter at.
    pub(crate) entries: Vec<BlockIndex>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PlanBlock {
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    /// Whether the client leads to it.
    pub(crate) reachable: bool,
    pub(crate) spec: Spec,
}

/// A block's parameters, with defaults filled in and ports resolved.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Spec {
    Client { out: Vec<BlockIndex> },
    Transaction(TransactionSpec),
    IndexScan { index: BlockIndex, table: Option<BlockIndex>, fetch: FetchSpec },
    SeqScan { table: BlockIndex, read_ahead_pages: u32 },
    BtreeIndex(TreeSpec),
    Hash(HashSpec),
    SkipList(SkipListSpec),
    Lsm(LsmSpec),
    Heap(HeapSpec),
    Clustered(TreeSpec),
    BufferPool(PoolSpec),
    Wal(WalSpec),
    Disk(DiskSpec),
    Cpu(CpuSpec),
    Join(query::JoinSpec),
    Sort(query::SortSpec),
}

/// How an index scan comes from entries to rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FetchSpec {
    /// Row by row, in the order of the entries.
    Plain,
    /// Only where the visibility map does not say that every row of the page is seen by all.
    IndexOnly,
    /// Pages in order, after all entries; so many bytes hold the rows' places.
    Bitmap { memory_bytes: u64 },
}

/// Whose pages a tree has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PageFormat {
    Postgres,
    InnoDb,
    Sqlite,
    Lmdb,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TreeSpec {
    pub(crate) table: String,
    pub(crate) page_size_bytes: u32,
    pub(crate) page_format: PageFormat,
    /// InnoDB's secondary indexes: what an entry holds beside its key; absent: as many bytes as the key.
    pub(crate) primary_key_bytes: Option<u32>,
    pub(crate) without_rowid: bool,
    pub(crate) copy_on_write: bool,
    pub(crate) fill_factor: f64,
    pub(crate) bulk_build: bool,
    pub(crate) rightmost_split: bool,
    pub(crate) merge_threshold: f64,
    /// Of an index on another column than the key: how the column's values arrive, and their bytes.
    pub(crate) column: Option<ColumnSpec>,
    pub(crate) pages: BlockIndex,
    pub(crate) log: Option<BlockIndex>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ColumnSpec {
    pub(crate) order: InsertOrder,
    pub(crate) value_bytes: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CompactionKind {
    Leveled,
    Universal,
    LazyLeveled,
    LevelDb,
}

/// Whose memtables and table files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LsmFormat {
    RocksDb,
    LevelDb,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BloomKind {
    None,
    Uniform,
    Monkey,
}

/// How the loaded rows came into a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LsmBuild {
    Inserted,
    Empty,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LsmSpec {
    pub(crate) table: String,
    pub(crate) page_size_bytes: u32,
    pub(crate) compaction: CompactionKind,
    pub(crate) write_buffer_bytes: u64,
    pub(crate) max_memtables: u32,
    pub(crate) max_background_jobs: u32,
    pub(crate) target_file_bytes: u64,
    pub(crate) level_base_bytes: u64,
    pub(crate) size_ratio: f64,
    /// Level 0 included.
    pub(crate) levels: u32,
    pub(crate) dynamic_level_bytes: bool,
    pub(crate) level0_trigger_files: u32,
    pub(crate) slowdown_files: u32,
    pub(crate) stop_files: u32,
    pub(crate) delayed_write_mb_s: f64,
    pub(crate) soft_pending_bytes: f64,
    pub(crate) hard_pending_bytes: f64,
    /// Values of at least this size are kept apart from their keys; absent: none is.
    pub(crate) min_blob_bytes: Option<u32>,
    pub(crate) blob_gc_age_cutoff: f64,
    pub(crate) universal_size_ratio_percent: u32,
    pub(crate) max_size_amplification_percent: u32,
    pub(crate) bloom: BloomKind,
    pub(crate) bloom_bits: f64,
    /// Writers wait until every flush and compaction is done.
    pub(crate) settled: bool,
    pub(crate) build: LsmBuild,
    /// Puts of the load, of uniformly drawn keys; absent: one for each row.
    pub(crate) load_puts: Option<u32>,
    pub(crate) pages: BlockIndex,
    pub(crate) log: Option<BlockIndex>,
}

impl LsmSpec {
    /// Compactions at once. A quarter of the jobs, and at least one, are for flushes (RocksDB's `GetBGJobLimits`).
    pub(crate) fn max_compactions(&self) -> usize {
        (self.max_background_jobs - (self.max_background_jobs / 4).max(1)).max(1) as usize
    }

    /// Lazy leveling: runs of a tier that become one.
    pub(crate) fn runs_per_tier(&self) -> usize {
        libm::round(self.size_ratio).max(2.0) as usize
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HashSpec {
    pub(crate) table: String,
    pub(crate) page_size_bytes: u32,
    pub(crate) method: Method,
    pub(crate) fill_factor: f64,
    pub(crate) bulk_build: bool,
    pub(crate) pages: BlockIndex,
    pub(crate) log: Option<BlockIndex>,
}

/// When a heap is vacuumed, and how fast.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct VacuumSpec {
    /// Dead rows beyond `threshold` that make a vacuum due, as part of the rows.
    pub(crate) scale_factor: f64,
    pub(crate) threshold: u32,
    pub(crate) naptime_ns: u64,
    pub(crate) cost_delay_ns: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SkipListSpec {
    pub(crate) table: String,
    pub(crate) probability: f64,
    pub(crate) max_height: u32,
    pub(crate) log: Option<BlockIndex>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HeapSpec {
    pub(crate) table: String,
    pub(crate) page_size_bytes: u32,
    pub(crate) fill_factor: f64,
    pub(crate) hint_bits: bool,
    pub(crate) page_requests_per_update: u32,
    /// Updates make new versions; otherwise they change rows in place.
    pub(crate) versions: bool,
    /// Part of the loaded rows that was deleted, and vacuumed away, before the run.
    pub(crate) deleted_fraction: f64,
    /// Absent where nobody vacuums during the run.
    pub(crate) vacuum: Option<VacuumSpec>,
    pub(crate) pages: BlockIndex,
    pub(crate) log: Option<BlockIndex>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PolicyKind {
    Lru,
    MidpointLru {
        old_blocks_time_ns: u64,
    },
    Fifo,
    Random,
    Clock,
    Gclock,
    Lfu,
    TwoQ,
    Arc,
    /// K is 2.
    LruK {
        /// Whether evicted pages are remembered.
        history: bool,
    },
    Slru,
    /// RocksDB's block cache.
    HighPriorityLru,
    Sieve,
    S3Fifo,
    WTinyLfu,
    CleanFirstLru,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PoolSpec {
    pub(crate) capacity_pages: u32,
    pub(crate) policy: PolicyKind,
    /// Frames that a cleaner keeps free; 0: no cleaner.
    pub(crate) free_pages_target: u32,
    pub(crate) writer: Option<WriterSpec>,
    pub(crate) checkpoint: Option<CheckpointSpec>,
    /// Absent: a changed page is written when it is evicted.
    pub(crate) at_commit: Option<AtCommit>,
    pub(crate) device: BlockIndex,
}

/// A background writer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WriterSpec {
    pub(crate) delay_ns: u64,
    /// Pages a round at most.
    pub(crate) max_pages: u32,
    /// Pages kept clean over those lately needed in a round.
    pub(crate) multiplier: f64,
}

/// When checkpoints begin, by time or by volume of the log, and the part of either over which they spread.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CheckpointSpec {
    pub(crate) interval_ns: Option<u64>,
    pub(crate) log_bytes: Option<u64>,
    pub(crate) completion_target: f64,
}

/// How a pool writes changed pages when a transaction commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AtCommit {
    /// Absent: pages go to their places; else to a journal, which is checkpointed when it has so many frames.
    pub(crate) checkpoint_frames: Option<u32>,
    pub(crate) sync: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommitMode {
    Sync,
    Interval,
    Async,
}

/// How long log records are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordFormat {
    /// The bytes that change, and a header.
    Generic,
    Postgres,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WalSpec {
    pub(crate) commit_mode: CommitMode,
    pub(crate) group_commit: bool,
    pub(crate) flush_interval_ns: u64,
    pub(crate) record_format: RecordFormat,
    pub(crate) full_page_writes: bool,
    pub(crate) device: BlockIndex,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DiskSpec {
    pub(crate) slots: u32,
    pub(crate) read_ns: u64,
    pub(crate) write_ns: u64,
    pub(crate) seek_ns: u64,
    pub(crate) bandwidth_mb_s: f64,
    pub(crate) fsync_ns: u64,
    pub(crate) exponential: bool,
}

/// Whose processor times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Processor {
    Generic,
    Postgres15,
    Innodb,
    Sqlite,
    Rocksdb,
    Leveldb,
    Lmdb,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CpuSpec {
    pub(crate) cores: u32,
    pub(crate) processor: Processor,
}

impl Plan {
    /// The plan of a table, where some block serves it.
    pub(crate) fn table(&self, name: &str) -> Option<&TablePlan> {
        self.tables.iter().find(|table| table.name == name)
    }

    /// Ids of the blocks, in canvas order.
    pub fn block_ids(&self) -> impl Iterator<Item = &str> {
        self.blocks.iter().map(|block| block.id.as_str())
    }
}
