//! From a checked canvas to a plan: parameters read with the catalogue's defaults, ports resolved to dense ids,
//! rules that need both checked.

use serde_json::Value;

use super::query::{JoinMethod, JoinSpec, SortSpec};
use super::route::{self, table_of};
use super::{
    AtCommit, BlockIndex, BloomKind, CheckpointSpec, ColumnSpec, CommitMode, CompactionKind, CpuSpec,
    DiskSpec, FetchSpec, HashSpec, HeapSpec, LsmBuild, LsmSpec, PageFormat, Plan, PlanBlock, PolicyKind,
    PoolSpec, Processor, RecordFormat, Scheme, SkipListSpec, Spec, TreeSpec, VacuumSpec, WalSpec, WriterSpec,
};
use crate::blocks::hash::Method;
use crate::design::catalog::{self, BlockType, ParameterDefault, Persona};
use crate::design::{Block, Canvas, Diagnostic};
use crate::units::{ms_to_ns, us_to_ns};
use crate::workload::InsertOrder;

/// A background writer that comes more often would only cost time to simulate.
const SHORTEST_DELAY_NS: u64 = 1_000_000;

/// Compiles a canvas whose blocks, parameters and ports have been checked.
pub(crate) fn compile(canvas: &Canvas, found: &mut Vec<Diagnostic>) -> Option<Plan> {
    let mut blocks = Vec::with_capacity(canvas.blocks.len());
    for (index, block) in canvas.blocks.iter().enumerate() {
        let kind = catalog::block_type(&block.kind)?;
        let persona = block.persona.as_ref().or(canvas.persona.as_ref());
        let persona = persona.and_then(|name| catalog::persona(name));
        let reader = Reader { canvas, index, block, kind, persona };
        blocks.push(PlanBlock {
            id: block.id.clone(),
            kind: kind.kind,
            reachable: false,
            spec: reader.spec()?,
        });
    }
    inherit_tables(canvas, &mut blocks);
    mark_reachable(canvas, &mut blocks);
    super::checks::check(&blocks, found);

    let client_out = blocks.iter().find_map(|block| match &block.spec {
        Spec::Client { out } => Some(super::transaction::serving(out, &blocks)),
        _ => None,
    })?;
    let mut names: Vec<&str> = blocks.iter().filter_map(|block| table_of(&block.spec)).collect();
    names.sort_unstable();
    names.dedup();
    let tables = names.iter().filter_map(|name| route::table_plan(name, &blocks, &client_out)).collect();
    let processor = blocks
        .iter()
        .find_map(|block| match &block.spec {
            Spec::Cpu(cpu) if block.reachable => Some(cpu.processor),
            _ => None,
        })
        .unwrap_or_else(|| processor(canvas.persona.as_deref()));
    Some(Plan { blocks, processor, tables, entries: client_out })
}

fn processor(persona: Option<&str>) -> Processor {
    match persona {
        Some("postgres-15") => Processor::Postgres15,
        Some("innodb") => Processor::Innodb,
        Some("sqlite") => Processor::Sqlite,
        Some("rocksdb") => Processor::Rocksdb,
        Some("leveldb") => Processor::Leveldb,
        Some("lmdb") => Processor::Lmdb,
        _ => Processor::Generic,
    }
}

/// Reads one block's parameters and ports.
pub(super) struct Reader<'a> {
    canvas: &'a Canvas,
    index: usize,
    block: &'a Block,
    kind: &'static BlockType,
    persona: Option<&'static Persona>,
}

impl Reader<'_> {
    fn spec(&self) -> Option<Spec> {
        Some(match self.kind.kind {
            "client" => Spec::Client { out: self.targets("out") },
            "two-phase-locking" => Spec::Transaction(self.transaction(Scheme::TwoPhaseLocking)?),
            "mvcc" => Spec::Transaction(self.transaction(Scheme::Mvcc)?),
            "occ" => Spec::Transaction(self.transaction(Scheme::Occ)?),
            "index-scan" => Spec::IndexScan {
                index: self.target("index")?,
                table: self.target("table"),
                fetch: self.fetch()?,
            },
            "seq-scan" => Spec::SeqScan {
                table: self.target("table")?,
                read_ahead_pages: self.integer("read_ahead_pages")?,
            },
            "btree-index" => Spec::BtreeIndex(TreeSpec { column: self.column()?, ..self.tree()? }),
            "clustered-storage" => Spec::Clustered(self.tree()?),
            "lsm-tree" => Spec::Lsm(self.lsm()?),
            "hash-index" => Spec::Hash(HashSpec {
                // Empty until `inherit_tables` has seen the whole plan.
                table: self.text("table").unwrap_or_default(),
                page_size_bytes: self.integer("page_size")?,
                method: match self.text("method")?.as_str() {
                    "extendible" => Method::Extendible,
                    _ => Method::Linear,
                },
                fill_factor: self.number("fill_factor")?,
                bulk_build: self.text("build")? == "bulk",
                pages: self.target("pages")?,
                log: self.target("log"),
            }),
            "skip-list" => Spec::SkipList(SkipListSpec {
                table: self.text("table").unwrap_or_default(),
                probability: self.number("probability")?,
                max_height: self.integer("max_height")?,
                log: self.target("log"),
            }),
            "heap-storage" => Spec::Heap(HeapSpec {
                table: self.text("table")?,
                page_size_bytes: self.integer("page_size")?,
                fill_factor: self.number("fill_factor")?,
                hint_bits: self.boolean("hint_bits")?,
                page_requests_per_update: self.integer("page_requests_per_update")?,
                versions: self.text("updates")? == "new_version",
                deleted_fraction: self.number("deleted_fraction")?,
                vacuum: self.vacuum()?,
                pages: self.target("pages")?,
                log: self.target("log"),
            }),
            "buffer-pool" => Spec::BufferPool(PoolSpec {
                capacity_pages: self.integer("capacity_pages")?,
                policy: self.policy()?,
                free_pages_target: self.integer("free_pages_target")?,
                writer: self.background_writer()?,
                checkpoint: self.checkpoint()?,
                at_commit: self.at_commit()?,
                device: self.target("device")?,
            }),
            "wal" => Spec::Wal(WalSpec {
                commit_mode: match self.text("commit_mode")?.as_str() {
                    "interval" => CommitMode::Interval,
                    "async" => CommitMode::Async,
                    _ => CommitMode::Sync,
                },
                group_commit: self.boolean("group_commit")?,
                flush_interval_ns: ms_to_ns(self.number("flush_interval_ms")?),
                record_format: match self.text("record_format")?.as_str() {
                    "postgres" => RecordFormat::Postgres,
                    _ => RecordFormat::Generic,
                },
                full_page_writes: self.boolean("full_page_writes")?,
                device: self.target("device")?,
            }),
            "disk" => Spec::Disk(self.disk()?),
            "nested-loop-join" => Spec::Join(self.join(JoinMethod::NestedLoop {
                buffer_pages: self.integer("buffer_pages")?,
                by_row: self.text("method")? == "row",
            })?),
            "hash-join" => {
                let join = self.join(JoinMethod::Hash { grace: self.text("method")? == "grace" })?;
                let multiplier = self.number("hash_mem_multiplier")?;
                Spec::Join(JoinSpec { memory_bytes: (join.memory_bytes as f64 * multiplier) as u64, ..join })
            }
            "sort-merge-join" => Spec::Join(self.join(JoinMethod::SortMerge)?),
            "sort" => Spec::Sort(SortSpec {
                input: self.target("input")?,
                spill: self.target("spill"),
                memory_bytes: self.work_memory_bytes()?,
                page_size_bytes: self.integer("page_size")?,
            }),
            "cpu" => Spec::Cpu(CpuSpec { cores: self.integer("cores")?, processor: self.processor() }),
            _ => return None,
        })
    }

    fn fetch(&self) -> Option<FetchSpec> {
        let (index_only, bitmap) = (self.boolean("index_only")?, self.boolean("bitmap")?);
        Some(match (bitmap, index_only) {
            (true, _) => FetchSpec::Bitmap { memory_bytes: self.work_memory_bytes()? },
            (false, true) => FetchSpec::IndexOnly,
            (false, false) => FetchSpec::Plain,
        })
    }

    fn work_memory_bytes(&self) -> Option<u64> {
        Some(u64::from(self.integer("work_mem_kib")?) * 1024)
    }

    fn join(&self, method: JoinMethod) -> Option<JoinSpec> {
        let page_size_bytes: u32 = self.integer("page_size")?;
        Some(JoinSpec {
            outer: self.target("outer")?,
            inner: self.target("inner")?,
            spill: self.target("spill"),
            memory_bytes: match method {
                JoinMethod::NestedLoop { buffer_pages, .. } => {
                    u64::from(buffer_pages) * u64::from(page_size_bytes)
                }
                _ => self.work_memory_bytes()?,
            },
            page_size_bytes,
            method,
        })
    }

    fn tree(&self) -> Option<TreeSpec> {
        Some(TreeSpec {
            // Empty until `inherit_tables` has seen the whole plan.
            table: self.text("table").unwrap_or_default(),
            page_size_bytes: self.integer("page_size")?,
            page_format: match self.text("page_format")?.as_str() {
                "innodb" => PageFormat::InnoDb,
                "sqlite" => PageFormat::Sqlite,
                "lmdb" => PageFormat::Lmdb,
                _ => PageFormat::Postgres,
            },
            primary_key_bytes: self.integer("primary_key_bytes"),
            copy_on_write: self.boolean("copy_on_write")?,
            without_rowid: self.boolean("without_rowid").unwrap_or(false),
            fill_factor: self.number("fill_factor")?,
            bulk_build: self.text("build")? == "bulk",
            rightmost_split: self.text("split_rule")? == "rightmost",
            merge_threshold: self.number("merge_threshold")?,
            column: None,
            pages: self.target("pages")?,
            log: self.target("log"),
        })
    }

    /// Absent inside where the index is on the key.
    fn column(&self) -> Option<Option<ColumnSpec>> {
        if self.text("column")? == "key" {
            return Some(None);
        }
        let order = match self.text("column_order")?.as_str() {
            "ascending" => InsertOrder::Ascending,
            _ => InsertOrder::Hashed,
        };
        Some(Some(ColumnSpec { order, value_bytes: self.integer("column_bytes")? }))
    }

    fn lsm(&self) -> Option<LsmSpec> {
        let size_ratio = self.number("size_ratio")?;
        let compaction = match self.text("compaction")?.as_str() {
            "universal" => CompactionKind::Universal,
            "lazy-leveled" => CompactionKind::LazyLeveled,
            "leveldb" => CompactionKind::LevelDb,
            _ => CompactionKind::Leveled,
        };
        let trigger = match compaction {
            // A tier is merged when it is complete.
            CompactionKind::LazyLeveled => libm::ceil(size_ratio) as u32,
            _ => self.integer("level0_trigger_files")?,
        };
        // One more file than the trigger always gives a compaction something to do, so writers cannot wait for ever.
        let slowdown = self.integer("slowdown_files")?.max(trigger);
        let gib = |name: &str| Some(self.number(name)? * f64::from(1 << 30));
        Some(LsmSpec {
            // Empty until `inherit_tables` has seen the whole plan.
            table: self.text("table").unwrap_or_default(),
            page_size_bytes: self.integer("page_size")?,
            compaction,
            write_buffer_bytes: u64::from(self.integer("write_buffer_bytes")?),
            max_background_jobs: self.integer("max_background_jobs")?,
            max_memtables: self.integer("max_memtables")?,
            target_file_bytes: u64::from(self.integer("target_file_bytes")?),
            level_base_bytes: u64::from(self.integer("level_base_bytes")?),
            size_ratio,
            levels: self.integer("levels")?,
            dynamic_level_bytes: self.boolean("dynamic_level_bytes")?,
            level0_trigger_files: trigger,
            slowdown_files: slowdown,
            stop_files: self.integer("stop_files")?.max(slowdown).max(trigger + 1),
            delayed_write_mb_s: self.number("delayed_write_mb_s")?,
            soft_pending_bytes: gib("soft_pending_gib")?,
            hard_pending_bytes: gib("hard_pending_gib")?,
            min_blob_bytes: self.integer("min_blob_bytes"),
            blob_gc_age_cutoff: self.number("blob_gc_age_cutoff")?,
            universal_size_ratio_percent: self.integer("universal_size_ratio_percent")?,
            max_size_amplification_percent: self.integer("max_size_amplification_percent")?,
            bloom: match self.text("bloom")?.as_str() {
                "none" => BloomKind::None,
                "monkey" => BloomKind::Monkey,
                _ => BloomKind::Uniform,
            },
            bloom_bits: self.number("bloom_bits")?,
            settled: self.text("background")? == "settled",
            build: match self.text("build")?.as_str() {
                "empty" => LsmBuild::Empty,
                _ => LsmBuild::Inserted,
            },
            load_puts: self.integer("load_puts"),
            pages: self.target("pages")?,
            log: self.target("log"),
        })
    }

    /// The outer absence is an unreadable parameter, the inner one no background writer.
    fn background_writer(&self) -> Option<Option<WriterSpec>> {
        let delay_ns = ms_to_ns(self.number("background_writer_delay_ms")?);
        let spec = WriterSpec {
            delay_ns: delay_ns.max(SHORTEST_DELAY_NS),
            max_pages: self.integer("background_writer_max_pages")?,
            multiplier: self.number("background_writer_multiplier")?,
        };
        Some((delay_ns > 0).then_some(spec))
    }

    fn vacuum(&self) -> Option<Option<VacuumSpec>> {
        let spec = VacuumSpec {
            scale_factor: self.number("autovacuum_scale_factor")?,
            threshold: self.integer("autovacuum_threshold")?,
            naptime_ns: ms_to_ns(self.number("autovacuum_naptime_seconds")? * 1e3),
            cost_delay_ns: ms_to_ns(self.number("vacuum_cost_delay_ms")?),
        };
        // Without versions nothing is left to vacuum.
        let wanted = spec.scale_factor > 0.0 && self.text("updates")? == "new_version";
        Some(wanted.then_some(spec))
    }

    fn checkpoint(&self) -> Option<Option<CheckpointSpec>> {
        let interval_ns = ms_to_ns(self.number("checkpoint_interval_seconds")? * 1e3);
        let log_bytes = u64::from(self.integer("checkpoint_log_bytes")?);
        let spec = CheckpointSpec {
            interval_ns: (interval_ns > 0).then_some(interval_ns),
            log_bytes: (log_bytes > 0).then_some(log_bytes),
            completion_target: self.number("checkpoint_completion_target")?,
        };
        Some((interval_ns > 0 || log_bytes > 0).then_some(spec))
    }

    fn at_commit(&self) -> Option<Option<AtCommit>> {
        let checkpoint_frames = self.integer("checkpoint_frames")?;
        let writes = AtCommit {
            checkpoint_frames: (self.text("journal")? == "wal").then_some(checkpoint_frames),
            sync: self.boolean("sync_at_commit")?,
        };
        Some((self.text("write_back")? == "commit").then_some(writes))
    }

    fn policy(&self) -> Option<PolicyKind> {
        Some(match self.text("policy")?.as_str() {
            "midpoint-lru" => {
                PolicyKind::MidpointLru { old_blocks_time_ns: ms_to_ns(self.number("old_blocks_time_ms")?) }
            }
            "fifo" => PolicyKind::Fifo,
            "random" => PolicyKind::Random,
            "clock" => PolicyKind::Clock,
            "gclock" => PolicyKind::Gclock,
            "lfu" => PolicyKind::Lfu,
            "2q" => PolicyKind::TwoQ,
            "arc" => PolicyKind::Arc,
            "lru-k" => PolicyKind::LruK { history: self.boolean("lru_k_history")? },
            "slru" => PolicyKind::Slru,
            "high-priority-lru" => PolicyKind::HighPriorityLru,
            "sieve" => PolicyKind::Sieve,
            "s3-fifo" => PolicyKind::S3Fifo,
            "w-tinylfu" => PolicyKind::WTinyLfu,
            "clean-first-lru" => PolicyKind::CleanFirstLru,
            _ => PolicyKind::Lru,
        })
    }

    fn processor(&self) -> Processor {
        let stated = self.text("persona");
        processor(stated.as_deref().or(self.persona.map(|persona| persona.name)))
    }

    fn disk(&self) -> Option<DiskSpec> {
        let preset = crate::blocks::disk::preset(&self.text("preset")?);
        let read_us = self.number("read_us").unwrap_or(preset.read_us);
        Some(DiskSpec {
            slots: self.integer("slots").unwrap_or(preset.slots),
            read_ns: us_to_ns(read_us),
            write_ns: us_to_ns(read_us * self.number("write_ratio").unwrap_or(preset.write_ratio)),
            seek_ns: us_to_ns(self.number("seek_us").unwrap_or(preset.seek_us)),
            bandwidth_mb_s: self.number("bandwidth_mb_s").unwrap_or(preset.bandwidth_mb_s),
            fsync_ns: us_to_ns(self.number("fsync_us").unwrap_or(preset.fsync_us)),
            exponential: self.text("service_distribution")? == "exponential",
        })
    }

    pub(super) fn targets(&self, port: &str) -> Vec<BlockIndex> {
        let from = &self.canvas.blocks[self.index].id;
        self.canvas
            .connections
            .iter()
            .filter(|connection| connection.source.block_id == *from && connection.source.port == port)
            .filter_map(|connection| {
                self.canvas.blocks.iter().position(|block| block.id == connection.target.block_id)
            })
            .collect()
    }

    pub(super) fn target(&self, port: &str) -> Option<BlockIndex> {
        self.targets(port).first().copied()
    }

    fn given(&self, name: &str) -> Option<&Value> {
        self.block.parameters.get(name)
    }

    /// What an unstated parameter is: the persona's value, or the catalogue's.
    fn default(&self, name: &str) -> Option<&'static ParameterDefault> {
        let preset = self.persona.and_then(|persona| persona.value(self.kind.kind, name));
        preset.or_else(|| self.kind.parameter(name).map(|parameter| &parameter.default))
    }

    pub(super) fn integer(&self, name: &str) -> Option<u32> {
        match self.given(name) {
            Some(value) => crate::design::reader::whole_number(value).and_then(|whole| whole.try_into().ok()),
            None => match self.default(name)? {
                ParameterDefault::Integer(value) => (*value).try_into().ok(),
                _ => None,
            },
        }
    }

    pub(super) fn number(&self, name: &str) -> Option<f64> {
        match self.given(name) {
            Some(value) => value.as_f64(),
            None => match self.default(name)? {
                ParameterDefault::Number(value) => Some(*value),
                _ => None,
            },
        }
    }

    fn boolean(&self, name: &str) -> Option<bool> {
        match self.given(name) {
            Some(value) => value.as_bool(),
            None => match self.default(name)? {
                ParameterDefault::Boolean(value) => Some(*value),
                _ => None,
            },
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        match self.given(name) {
            Some(value) => value.as_str().map(str::to_owned),
            None => match self.default(name)? {
                ParameterDefault::Text(value) => Some((*value).to_owned()),
                _ => None,
            },
        }
    }
}

/// An index without a table of its own takes that of the storage an index scan reads together with it; otherwise `main`.
fn inherit_tables(canvas: &Canvas, blocks: &mut [PlanBlock]) {
    for index in 0..blocks.len() {
        let stated = canvas.blocks[index].parameters.contains_key("table");
        let inherits = matches!(
            blocks[index].spec,
            Spec::BtreeIndex(_) | Spec::Hash(_) | Spec::SkipList(_) | Spec::Lsm(_)
        );
        if stated || !inherits {
            continue;
        }
        let inherited = blocks
            .iter()
            .find_map(|block| match block.spec {
                Spec::IndexScan { index: scanned, table: Some(table), .. } if scanned == index => {
                    table_of(&blocks[table].spec)
                }
                _ => None,
            })
            .unwrap_or("main")
            .to_owned();
        match &mut blocks[index].spec {
            Spec::BtreeIndex(tree) => tree.table = inherited,
            Spec::Hash(hash) => hash.table = inherited,
            Spec::SkipList(list) => list.table = inherited,
            Spec::Lsm(lsm) => lsm.table = inherited,
            _ => {}
        }
    }
}

fn mark_reachable(canvas: &Canvas, blocks: &mut [PlanBlock]) {
    let mut open: Vec<BlockIndex> =
        (0..blocks.len()).filter(|block| matches!(blocks[*block].spec, Spec::Client { .. })).collect();
    while let Some(block) = open.pop() {
        if blocks[block].reachable {
            continue;
        }
        blocks[block].reachable = true;
        for connection in &canvas.connections {
            if connection.source.block_id == blocks[block].id {
                open.extend(blocks.iter().position(|target| target.id == connection.target.block_id));
            }
        }
    }
}
