//! The stable text form of a plan: blocks with their resolved parameters, then each table with its paths.

use std::fmt;

use super::query::JoinMethod;
use super::{
    AtCommit, BlockIndex, BloomKind, CommitMode, CompactionKind, FetchSpec, LsmBuild, PageFormat, Plan,
    PolicyKind, PoolSpec, Processor, RecordFormat, Route, Scheme, Spec, TransactionSpec, TreeSpec,
};
use crate::blocks::hash::Method;
use crate::units::{ns_to_ms, ns_to_seconds};

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "blocks")?;
        for block in &self.blocks {
            let unused = if block.reachable { "" } else { "  (unreachable)" };
            writeln!(f, "  {} {}{unused}", block.kind, block.id)?;
            for line in self.details(&block.spec) {
                writeln!(f, "    {line}")?;
            }
        }
        if self.processor != Processor::Generic {
            writeln!(f, "processor times of {}", processor_name(self.processor))?;
        }
        for table in &self.tables {
            writeln!(f, "table {}", table.name)?;
            let route = |route: &Option<Route>| {
                route.as_ref().map_or_else(|| "by joins and sorts only".to_owned(), |route| self.route(route))
            };
            if table.point == table.range {
                writeln!(f, "  point, range  {}", route(&table.point))?;
            } else {
                writeln!(f, "  point         {}", route(&table.point))?;
                writeln!(f, "  range         {}", route(&table.range))?;
            }
            writeln!(f, "  scan          {}", route(&table.scan))?;
            let blocks = table.storage.iter().chain(&table.indexes).chain(&table.column_indexes);
            let writes: Vec<&str> = blocks.map(|block| self.id(*block)).collect();
            writeln!(f, "  insert        {}", writes.join(", "))?;
            let versions =
                |block: &BlockIndex| matches!(&self.blocks[*block].spec, Spec::Heap(heap) if heap.versions);
            let update = match table.storage.iter().any(versions) {
                true => "add a new version of the row",
                false => "change the row in place",
            };
            writeln!(f, "  update        find as above, then {update}")?;
            writeln!(f, "  delete        find as above, then remove from {}", writes.join(", "))?;
        }
        Ok(())
    }
}

impl Plan {
    fn id(&self, block: BlockIndex) -> &str {
        &self.blocks[block].id
    }

    fn route(&self, route: &Route) -> String {
        let fetch = |table: Option<BlockIndex>| {
            table.map_or_else(
                || "the index covers the row".to_owned(),
                |table| format!("fetch rows from {}", self.id(table)),
            )
        };
        match *route {
            Route::ClusteredSearch { storage } => format!("search the tree of {}", self.id(storage)),
            Route::IndexScan { via, index, table } => {
                format!("{}: search {}, {}", self.id(via), self.id(index), fetch(table))
            }
            Route::IndexSearch { index, table } => format!("search {}, {}", self.id(index), fetch(table)),
            Route::Query { root } => self.id(root).to_owned(),
            Route::RowId { storage } => format!("the row's page of {}", self.id(storage)),
            Route::FullScan { via, storage, read_ahead_pages } => {
                let via = via.map_or_else(String::new, |via| format!("{}: ", self.id(via)));
                format!("{via}read all of {}, {read_ahead_pages} page(s) a request", self.id(storage))
            }
        }
    }

    fn transaction(&self, transaction: &TransactionSpec) -> Vec<String> {
        let out: Vec<&str> = transaction.out.iter().map(|block| self.id(*block)).collect();
        let log = transaction.log.map_or_else(String::new, |log| format!(", log → {}", self.id(log)));
        let conflicts = match transaction.scheme {
            Scheme::Occ => "validation at commit",
            _ => transaction.policy.name(),
        };
        let aborted = match transaction.max_retries {
            0 => "aborted transactions have failed".to_owned(),
            retries => format!(
                "aborted transactions are run again up to {retries} times after {} ms",
                ns_to_ms(transaction.back_off_ns)
            ),
        };
        let isolation = transaction.isolation.name().replace('_', " ");
        let scheme = transaction.scheme.name();
        vec![
            format!("{scheme}, {isolation}, {conflicts}; {aborted}"),
            format!("out → {}{log}", out.join(", ")),
        ]
    }

    fn spill(&self, spill: Option<BlockIndex>) -> String {
        spill.map_or_else(|| "in memory only".to_owned(), |spill| format!("spill → {}", self.id(spill)))
    }

    fn details(&self, spec: &Spec) -> Vec<String> {
        let log = |log: Option<BlockIndex>| {
            log.map_or_else(|| "changes not logged".to_owned(), |log| format!("log → {}", self.id(log)))
        };
        let tree = |tree: &TreeSpec| {
            vec![
                format!(
                    "table {}, {} pages of {} bytes{}, fill factor {}, {}, {} split, merge below {}",
                    tree.table,
                    match tree.page_format {
                        PageFormat::Postgres => "postgres",
                        PageFormat::InnoDb => "innodb",
                        PageFormat::Sqlite if tree.without_rowid => "sqlite (without rowid)",
                        PageFormat::Sqlite => "sqlite",
                        PageFormat::Lmdb => "lmdb",
                    },
                    tree.page_size_bytes,
                    if tree.copy_on_write { " copied on write" } else { "" },
                    tree.fill_factor,
                    if tree.bulk_build { "bulk built" } else { "built by inserts" },
                    if tree.rightmost_split { "rightmost" } else { "middle" },
                    tree.merge_threshold
                ),
                match &tree.column {
                    Some(column) => format!(
                        "on a column of {} bytes that arrives in {:?} order",
                        column.value_bytes, column.order
                    ),
                    None => "on the key".to_owned(),
                },
                format!("pages → {}, {}", self.id(tree.pages), log(tree.log)),
            ]
        };
        match spec {
            Spec::Client { out } => {
                let out: Vec<&str> = out.iter().map(|block| self.id(*block)).collect();
                vec![format!("out → {}", out.join(", "))]
            }
            Spec::Transaction(transaction) => self.transaction(transaction),
            Spec::IndexScan { index, table, fetch } => {
                let table = table.map_or_else(String::new, |table| format!(", table → {}", self.id(table)));
                let fetch = match fetch {
                    FetchSpec::Plain => String::new(),
                    FetchSpec::IndexOnly => ", index only".to_owned(),
                    FetchSpec::Bitmap { memory_bytes } => format!(", bitmap in {memory_bytes} bytes"),
                };
                vec![format!("index → {}{table}{fetch}", self.id(*index))]
            }
            Spec::Join(join) => {
                let method = match join.method {
                    JoinMethod::NestedLoop { by_row: true, .. } => {
                        "an index search or a scan for each outer row".to_owned()
                    }
                    JoinMethod::NestedLoop { buffer_pages, .. } => {
                        format!(
                            "an index search for each outer row, or a scan for each {buffer_pages} - 2 outer pages"
                        )
                    }
                    JoinMethod::Hash { grace: true } => {
                        format!("grace hash join in {} bytes", join.memory_bytes)
                    }
                    JoinMethod::Hash { grace: false } => {
                        format!("hybrid hash join in {} bytes", join.memory_bytes)
                    }
                    JoinMethod::SortMerge => format!("sorts in {} bytes each", join.memory_bytes),
                };
                let (outer, inner) = (self.id(join.outer), self.id(join.inner));
                vec![format!("outer → {outer}, inner → {inner}, {method}, {}", self.spill(join.spill))]
            }
            Spec::Sort(sort) => vec![format!(
                "input → {}, {} bytes, {}",
                self.id(sort.input),
                sort.memory_bytes,
                self.spill(sort.spill)
            )],
            Spec::SeqScan { table, read_ahead_pages } => {
                vec![format!("table → {}, read ahead {read_ahead_pages} pages", self.id(*table))]
            }
            Spec::BtreeIndex(index) => tree(index),
            Spec::Clustered(storage) => tree(storage),
            Spec::Hash(hash) => vec![
                format!(
                    "table {}, {} hashing, pages of {} bytes, fill factor {}, {}",
                    hash.table,
                    match hash.method {
                        Method::Linear => "linear",
                        Method::Extendible => "extendible",
                    },
                    hash.page_size_bytes,
                    hash.fill_factor,
                    if hash.bulk_build { "built at once" } else { "built by inserts" }
                ),
                format!("pages → {}, {}", self.id(hash.pages), log(hash.log)),
            ],
            Spec::SkipList(list) => vec![format!(
                "table {}, in memory, towers of up to {} pointers with probability {}, {}",
                list.table,
                list.max_height,
                list.probability,
                log(list.log)
            )],
            Spec::Lsm(lsm) => vec![
                format!(
                    "table {}, blocks of {} bytes, {} compaction, {}",
                    lsm.table,
                    lsm.page_size_bytes,
                    match lsm.compaction {
                        CompactionKind::Leveled if lsm.dynamic_level_bytes => "leveled (dynamic level bytes)",
                        CompactionKind::Leveled => "leveled",
                        CompactionKind::Universal => "universal",
                        CompactionKind::LazyLeveled => "lazy-leveled",
                        CompactionKind::LevelDb => "LevelDB's",
                    },
                    match lsm.build {
                        LsmBuild::Inserted => "built by puts",
                        LsmBuild::Empty => "empty at first",
                    }
                ),
                format!(
                    "{} memtables of {} bytes, files of {} bytes, level 1 of {} bytes, size ratio {}, {} levels",
                    lsm.max_memtables,
                    lsm.write_buffer_bytes,
                    lsm.target_file_bytes,
                    lsm.level_base_bytes,
                    lsm.size_ratio,
                    lsm.levels
                ),
                format!(
                    "level 0: compaction at {} files, slowdown at {}, stop at {}; {}",
                    lsm.level0_trigger_files,
                    lsm.slowdown_files,
                    lsm.stop_files,
                    if lsm.settled {
                        "writers wait for the background"
                    } else {
                        "compacts in the background"
                    }
                ),
                format!(
                    "{}, pages → {}, {}",
                    match lsm.bloom {
                        BloomKind::None => "no filters".to_owned(),
                        BloomKind::Uniform => format!("{} filter bits a key", lsm.bloom_bits),
                        BloomKind::Monkey => format!("{} filter bits a key, Monkey", lsm.bloom_bits),
                    },
                    self.id(lsm.pages),
                    log(lsm.log)
                ),
            ],
            Spec::Heap(heap) => vec![
                format!(
                    "table {}, pages of {} bytes, fill factor {}, updates {}",
                    heap.table,
                    heap.page_size_bytes,
                    heap.fill_factor,
                    match (heap.versions, &heap.vacuum) {
                        (false, _) => "in place".to_owned(),
                        (true, None) => "make new versions".to_owned(),
                        (true, Some(vacuum)) => format!(
                            "make new versions, vacuumed above {} + {} · rows dead ones",
                            vacuum.threshold, vacuum.scale_factor
                        ),
                    }
                ),
                format!("pages → {}, {}", self.id(heap.pages), log(heap.log)),
            ],
            Spec::BufferPool(pool) => {
                let policy = policy_name(pool.policy);
                let at_commit = match pool.at_commit {
                    None => String::new(),
                    Some(AtCommit { checkpoint_frames, sync }) => format!(
                        ", changed pages are written at commit{}{}",
                        checkpoint_frames.map_or_else(String::new, |frames| format!(
                            " to a journal with a checkpoint at {frames} frames"
                        )),
                        if sync { " and made durable" } else { "" }
                    ),
                };
                let capacity = pool.capacity_pages;
                let mut lines =
                    vec![format!("{capacity} pages, {policy}{at_commit}, device → {}", self.id(pool.device))];
                lines.extend(background(pool));
                lines
            }
            Spec::Wal(wal) => {
                let mode = match wal.commit_mode {
                    CommitMode::Sync if wal.group_commit => "commit waits, group commit".to_owned(),
                    CommitMode::Sync => "commit waits, one flush each".to_owned(),
                    CommitMode::Interval => {
                        format!("commit waits for the flush every {} ms", ns_to_ms(wal.flush_interval_ns))
                    }
                    CommitMode::Async => {
                        format!("commit does not wait, flush every {} ms", ns_to_ms(wal.flush_interval_ns))
                    }
                };
                let records = match wal.record_format {
                    RecordFormat::Generic => "generic records",
                    RecordFormat::Postgres => "PostgreSQL's records",
                };
                let images = if wal.full_page_writes { " and full-page images" } else { "" };
                vec![format!("{mode}, {records}{images}, device → {}", self.id(wal.device))]
            }
            Spec::Disk(disk) => vec![format!(
                "{} slot(s), read {} ms, write {} ms, seek {} ms, {} MB/s, fsync {} ms, {} service",
                disk.slots,
                ns_to_ms(disk.read_ns),
                ns_to_ms(disk.write_ns),
                ns_to_ms(disk.seek_ns),
                disk.bandwidth_mb_s,
                ns_to_ms(disk.fsync_ns),
                if disk.exponential { "exponential" } else { "constant" }
            )],
            Spec::Cpu(cpu) => {
                vec![format!("{} core(s), processor times of {}", cpu.cores, processor_name(cpu.processor))]
            }
        }
    }
}

/// What a pool does beside its clients, a line each.
fn background(pool: &PoolSpec) -> Vec<String> {
    let cleaner =
        (pool.free_pages_target > 0).then(|| format!("cleaner keeps {} pages free", pool.free_pages_target));
    let writer = pool.writer.as_ref().map(|writer| {
        format!(
            "background writer every {} ms, at most {} pages, {} times the need",
            ns_to_ms(writer.delay_ns),
            writer.max_pages,
            writer.multiplier
        )
    });
    let checkpoint = pool.checkpoint.as_ref().map(|checkpoint| {
        let interval = checkpoint.interval_ns.map(|ns| format!("every {} s", ns_to_seconds(ns)));
        let volume = checkpoint.log_bytes.map(|bytes| format!("every {bytes} bytes of log"));
        let when: Vec<String> = interval.into_iter().chain(volume).collect();
        format!("checkpoint {}, spread over {} of it", when.join(" or "), checkpoint.completion_target)
    });
    [cleaner, writer, checkpoint].into_iter().flatten().collect()
}

fn processor_name(processor: Processor) -> &'static str {
    match processor {
        Processor::Generic => "a generic system",
        Processor::Postgres15 => "PostgreSQL 15",
        Processor::Innodb => "InnoDB",
        Processor::Sqlite => "SQLite",
        Processor::Rocksdb => "RocksDB",
        Processor::Leveldb => "LevelDB",
        Processor::Lmdb => "LMDB",
    }
}

fn policy_name(policy: PolicyKind) -> String {
    match policy {
        PolicyKind::Lru => "lru".to_owned(),
        PolicyKind::MidpointLru { old_blocks_time_ns } => {
            format!("midpoint-lru with {} ms in the old part", ns_to_ms(old_blocks_time_ns))
        }
        PolicyKind::Fifo => "fifo".to_owned(),
        PolicyKind::Random => "random".to_owned(),
        PolicyKind::Clock => "clock".to_owned(),
        PolicyKind::Gclock => "gclock".to_owned(),
        PolicyKind::Lfu => "lfu".to_owned(),
        PolicyKind::TwoQ => "2q".to_owned(),
        PolicyKind::Arc => "arc".to_owned(),
        PolicyKind::LruK { history } => {
            format!("lru-k, evicted pages {}", if history { "remembered" } else { "forgotten" })
        }
        PolicyKind::Slru => "slru".to_owned(),
        PolicyKind::HighPriorityLru => "high-priority-lru".to_owned(),
        PolicyKind::Sieve => "sieve".to_owned(),
        PolicyKind::S3Fifo => "s3-fifo".to_owned(),
        PolicyKind::WTinyLfu => "w-tinylfu".to_owned(),
        PolicyKind::CleanFirstLru => "clean-first-lru".to_owned(),
    }
}
