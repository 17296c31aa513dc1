//! Builds the world a run happens in: devices, pools and logs, then the loaded tables, then the clients.

use std::collections::VecDeque;

use super::budget::{Control, Memory, Options, StopCause};
use super::calendar::Calendar;
use super::cause::Causes;
use super::client::Client;
use super::program::{Program, Statement};
use super::{Kernel, Source, Space, Storage, TableState, Totals, measure};
use crate::SimulateError;
use crate::blocks::bits::Bits;
use crate::blocks::buffer::Pool;
use crate::blocks::disk::Disk;
use crate::blocks::heap::{self, HeapBlock};
use crate::blocks::operator::Operator;
use crate::blocks::tree::{MAX_LEVELS, Tree, TreeShape};
use crate::blocks::tree_block::TreeBlock;
use crate::blocks::wal::Wal;
use crate::design::{Code, Diagnostic};
use crate::metrics::bands::Bands;
use crate::metrics::histogram::{LATENCIES_BYTES, Latencies};
use crate::plan::{BlockIndex, Plan, Route, Spec, TreeSpec};
use crate::prng::Stream;
use crate::trace::Trace;
use crate::units::{NS_PER_SECOND, ms_to_ns};
use crate::workload::access::{Access, KeyChoice};
use crate::workload::distribution::KeyDraw;
use crate::workload::keyspace::KeySpace;
use crate::workload::{Config, InsertOrder, OperationType, Table, Workload};

/// Records inserted one by one between two looks at the stop flag.
const LOAD_POLL: u32 = 1 << 18;

/// How a statement finds its rows, by number instead of by block.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Find {
    /// Search of a tree; `fetch` where the row lies elsewhere.
    Search {
        tree: u16,
        fetch: bool,
        operator: Option<u16>,
    },
    Scan {
        storage: Storage,
        read_ahead_pages: u32,
        operator: Option<u16>,
    },
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum BoundKey {
    /// A draw of the table.
    Draw(u16),
    Previous,
}

/// A statement, ready to run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BoundStatement {
    pub(crate) kind: OperationType,
    pub(crate) access: Access,
    pub(crate) table: u16,
    pub(crate) key: BoundKey,
    pub(crate) find: Find,
}

/// Number of each block among those of its kind.
struct Numbers(Vec<Option<u16>>);

impl Numbers {
    fn of(&self, block: BlockIndex) -> u16 {
        // Reachable blocks are numbered before anything asks for them.
        self.0[block].unwrap_or_default()
    }
}

/// What is built so far.
struct World<'a> {
    plan: &'a Plan,
    seed: u64,
    clients: u32,
    numbers: Numbers,
    spaces: Vec<Space>,
    disks: Vec<Disk>,
    pools: Vec<Pool>,
    wals: Vec<Wal>,
    trees: Vec<TreeBlock>,
    heaps: Vec<HeapBlock>,
    operators: Vec<Operator>,
}

impl<'a> Kernel<'a> {
    pub(super) fn load(
        plan: &'a Plan,
        workload: &Workload,
        options: &Options,
        control: &Control,
        memory: &mut Memory,
    ) -> Result<Self, SimulateError> {
        let seed = options.seed;
        let program = Program::bind(plan, workload, seed)?;
        let config = &workload.config;
        let inserts = program.inserts();
        let universes = universes(&program.tables, &inserts)?;
        let key_spaces: Vec<KeySpace> = program
            .tables
            .iter()
            .zip(&universes)
            .map(|(table, universe)| KeySpace::new(table, *universe, seed))
            .collect();

        let mut world = World::new(plan, seed, config.concurrency);
        world.add_devices(memory)?;
        world.add_tables(&program.tables, &key_spaces, control, memory)?;
        world.add_operators();

        let mut tables = Vec::with_capacity(program.tables.len());
        for (index, (table, keys)) in program.tables.iter().zip(key_spaces).enumerate() {
            let draws = draws(&program, index, config, table, inserts[index], seed);
            memory.charge(draws.iter().map(KeyDraw::memory_bytes).sum())?;
            let table_plan = plan.table(&table.name);
            let storage = table_plan.and_then(|plan| plan.storage);
            tables.push(TableState {
                keys,
                storage: storage.map(|block| world.storage(block)),
                indexes: table_plan.map_or_else(Vec::new, |plan| {
                    plan.indexes.iter().map(|block| world.numbers.of(*block)).collect()
                }),
                record_bytes: table.record_bytes,
                next_record: table.record_count as u32,
                arrived: table.record_count,
                live: table.record_count,
                draws,
            });
        }
        let statements =
            program.statements.iter().map(|statement| bind(statement, &program, &world, &tables)).collect();

        let client_block = plan
            .blocks
            .iter()
            .position(|block| matches!(block.spec, Spec::Client { .. }))
            .unwrap_or_default();
        let causes = Causes::new(
            client_block,
            world.disks.iter().map(|disk| disk.block),
            world.pools.iter().map(|pool| pool.block),
            world.wals.iter().map(|wal| wal.block),
        );
        let per_client = size_of::<Client>() + 16 * size_of::<super::step::Step>() + causes.list.len() * 8;
        memory.charge(u64::from(config.concurrency) * per_client as u64)?;
        memory
            .charge(program.groups.len() as u64 * LATENCIES_BYTES + Bands::memory_for(causes.list.len()))?;

        let pools: Vec<usize> = world.pools.iter().map(|pool| pool.block).collect();
        let disks: Vec<usize> = world.disks.iter().map(|disk| disk.block).collect();
        Ok(Kernel {
            plan,
            statements,
            tables,
            calendar: Calendar::default(),
            now_ns: 0,
            cpu_ns: 0,
            spaces: world.spaces,
            disks: world.disks,
            pools: world.pools,
            wals: world.wals,
            trees: world.trees,
            heaps: world.heaps,
            operators: world.operators,
            clients: (0..config.concurrency).map(|_| Client::new()).collect(),
            spent_ns: vec![0; config.concurrency as usize * causes.list.len()],
            ready: VecDeque::new(),
            released: Vec::new(),
            runs: Vec::new(),
            free_runs: Vec::new(),
            client_block,
            issued: 0,
            completed: 0,
            arrival_gap_ns: config.arrival_rate_per_second.map(|rate| NS_PER_SECOND as f64 / rate),
            arrivals: Stream::new(seed, "arrivals"),
            backlog: VecDeque::new(),
            arrived: 0,
            idle: Vec::new(),
            think_ns: ms_to_ns(config.think_time_ms),
            operations_per_transaction: config.operations_per_transaction,
            latencies: program.groups.iter().map(|_| Latencies::new(3)).collect(),
            bands: Bands::new(causes.list.len()),
            sampler: measure::sampler(plan, &pools, &disks),
            trace: Trace::new(options.trace, options.max_events, program.total, seed),
            totals: Totals::default(),
            totals_at_mark: Totals::default(),
            measured_from_ns: None,
            causes,
            program,
        })
    }
}

/// Keys of each table: the rows loaded and all that the run inserts.
fn universes(tables: &[Table], inserts: &[u64]) -> Result<Vec<u32>, SimulateError> {
    let mut universes = Vec::with_capacity(tables.len());
    for (table, inserts) in tables.iter().zip(inserts) {
        let keys = table.record_count + inserts;
        match u32::try_from(keys).ok().filter(|keys| *keys < u32::MAX - 64) {
            Some(keys) => universes.push(keys.max(1)),
            None => {
                return Err(SimulateError::InvalidWorkload(vec![Diagnostic::error(
                    Code::ValueOutOfRange,
                    &["config", "total_operations"],
                    format!(
                        "table \"{}\" would grow to {keys} rows; a run handles about 4 billion",
                        table.name
                    ),
                )]));
            }
        }
    }
    Ok(universes)
}

/// One key choice for each law the statements of a table use, in the order of `laws`.
fn draws(
    program: &Program,
    table: usize,
    config: &Config,
    rows: &Table,
    inserts: u64,
    seed: u64,
) -> Vec<KeyDraw> {
    laws(program, table)
        .into_iter()
        .map(|law| {
            let stream = Stream::new(seed, &format!("hot keys of {}", rows.name));
            KeyDraw::new(law, config, rows.record_count, inserts, stream)
        })
        .collect()
}

fn laws(program: &Program, table: usize) -> Vec<crate::workload::Distribution> {
    let mut laws = Vec::new();
    for statement in program.statements.iter().filter(|statement| usize::from(statement.table) == table) {
        match statement.key {
            KeyChoice::Drawn(law) if !laws.contains(&law) => laws.push(law),
            _ => {}
        }
    }
    laws
}

fn bind(
    statement: &Statement,
    program: &Program,
    world: &World<'_>,
    tables: &[TableState],
) -> BoundStatement {
    let changes = statement.kind != OperationType::Select;
    let storage = tables[usize::from(statement.table)].storage;
    // An index may cover what a query reads, but a change always reaches the row.
    let search = |index: BlockIndex, fetch: bool, via: Option<BlockIndex>| Find::Search {
        tree: world.numbers.of(index),
        fetch: fetch || changes && storage.is_some(),
        operator: via.map(|via| world.numbers.of(via)),
    };
    let find = match statement.route {
        Route::ClusteredSearch { storage } => {
            Find::Search { tree: world.numbers.of(storage), fetch: false, operator: None }
        }
        Route::IndexScan { via, index, table } => search(index, table.is_some(), Some(via)),
        Route::IndexSearch { index, table } => search(index, table.is_some(), None),
        Route::FullScan { via, storage, read_ahead_pages } => Find::Scan {
            storage: world.storage(storage),
            read_ahead_pages,
            operator: via.map(|via| world.numbers.of(via)),
        },
    };
    let key = match statement.key {
        KeyChoice::Previous => BoundKey::Previous,
        KeyChoice::Drawn(law) => {
            let position = laws(program, usize::from(statement.table)).iter().position(|other| *other == law);
            BoundKey::Draw(position.unwrap_or_default() as u16)
        }
    };
    BoundStatement { kind: statement.kind, access: statement.access, table: statement.table, key, find }
}

impl<'a> World<'a> {
    fn new(plan: &'a Plan, seed: u64, clients: u32) -> Self {
        Self {
            plan,
            seed,
            clients,
            numbers: Numbers(vec![None; plan.blocks.len()]),
            spaces: Vec::new(),
            disks: Vec::new(),
            pools: Vec::new(),
            wals: Vec::new(),
            trees: Vec::new(),
            heaps: Vec::new(),
            operators: Vec::new(),
        }
    }

    fn reachable(&self) -> impl Iterator<Item = (BlockIndex, &'a Spec)> + use<'a> {
        let blocks = &self.plan.blocks;
        blocks
            .iter()
            .enumerate()
            .filter(|(_, block)| block.reachable)
            .map(|(index, block)| (index, &block.spec))
    }

    fn storage(&self, block: BlockIndex) -> Storage {
        match self.plan.blocks[block].spec {
            Spec::Clustered(_) => Storage::Tree(self.numbers.of(block)),
            _ => Storage::Heap(self.numbers.of(block)),
        }
    }

    fn add_devices(&mut self, memory: &mut Memory) -> Result<(), StopCause> {
        for (block, spec) in self.reachable() {
            if let Spec::Disk(disk) = spec {
                let number = self.disks.len();
                self.numbers.0[block] = Some(number as u16);
                let stream = Stream::new(self.seed, &format!("disk {}", self.plan.blocks[block].id));
                self.disks.push(Disk::new(block, number as u8, disk.clone(), stream));
            }
        }
        for (block, spec) in self.reachable() {
            match spec {
                Spec::BufferPool(pool) => {
                    self.numbers.0[block] = Some(self.pools.len() as u16);
                    memory.charge(Pool::memory_for(pool.capacity_pages, pool.policy, self.clients))?;
                    let disk = self.numbers.of(pool.device);
                    self.pools.push(Pool::new(block, disk, pool.capacity_pages, pool.policy, self.clients));
                }
                Spec::Wal(wal) => {
                    self.numbers.0[block] = Some(self.wals.len() as u16);
                    self.wals.push(Wal::new(block, self.numbers.of(wal.device), wal.clone()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Builds storages and indexes with the rows that are loaded before the run.
    fn add_tables(
        &mut self,
        tables: &[Table],
        keys: &[KeySpace],
        control: &Control,
        memory: &mut Memory,
    ) -> Result<(), SimulateError> {
        let mut too_large = Vec::new();
        for (block, spec) in self.reachable() {
            let name = crate::plan::route::table_of(spec).unwrap_or_default();
            // A table the workload does not have stays empty.
            let Some(position) = tables.iter().position(|table| table.name == name) else {
                self.add_empty(block, spec);
                continue;
            };
            let (table, keys) = (&tables[position], &keys[position]);
            let built = match spec {
                Spec::BtreeIndex(tree) => {
                    let shape = TreeShape::postgres_index(
                        tree.page_size_bytes,
                        table.key_bytes,
                        tree.fill_factor,
                        tree.rightmost_split,
                        tree.merge_threshold,
                    );
                    self.add_tree(block, tree, shape, table, keys, control, memory)?
                }
                Spec::Clustered(tree) => {
                    let shape = TreeShape::innodb_clustered(
                        tree.page_size_bytes,
                        table.record_bytes,
                        table.key_bytes,
                        tree.fill_factor,
                        tree.rightmost_split,
                        tree.merge_threshold,
                    );
                    self.add_tree(block, tree, shape, table, keys, control, memory)?
                }
                Spec::Heap(spec) => {
                    match heap::rows_per_page(spec.page_size_bytes, table.record_bytes, spec.fill_factor) {
                        Some(rows) => {
                            self.add_heap(block, spec, rows, table, keys.universe(), memory)?;
                            true
                        }
                        None => false,
                    }
                }
                _ => true,
            };
            if !built {
                too_large.push(record_too_large(self.plan, block, spec, table));
            }
        }
        if too_large.is_empty() { Ok(()) } else { Err(SimulateError::InvalidDesign(too_large)) }
    }

    /// Whether the keys (or rows) fit the pages.
    #[allow(
        clippy::too_many_arguments,
        reason = "one call for each of two kinds, where every value has its own name"
    )]
    fn add_tree(
        &mut self,
        block: BlockIndex,
        spec: &TreeSpec,
        shape: Option<TreeShape>,
        table: &Table,
        keys: &KeySpace,
        control: &Control,
        memory: &mut Memory,
    ) -> Result<bool, SimulateError> {
        let Some(shape) = shape else { return Ok(false) };
        memory.charge(Bits::bytes_for(keys.universe()))?;
        let loaded = table.record_count as u32;
        let tree = if spec.bulk_build {
            bulk_tree(shape, keys, loaded)
        } else {
            inserted_tree(shape, keys, loaded, control, memory)?
        };
        memory.charge(tree.memory_bytes() - Bits::bytes_for(keys.universe()))?;
        let first_space = self.spaces.len() as u16;
        for level in 0..MAX_LEVELS {
            let pages = if level < tree.height() { tree.allocated(level) } else { 0 };
            self.add_space(block, spec.pages, spec.page_size_bytes, pages, memory)?;
        }
        self.numbers.0[block] = Some(self.trees.len() as u16);
        let wal = spec.log.map(|log| self.numbers.of(log));
        self.trees.push(TreeBlock::new(block, tree, first_space, wal, spec.page_size_bytes));
        Ok(true)
    }

    fn add_heap(
        &mut self,
        block: BlockIndex,
        spec: &crate::plan::HeapSpec,
        rows_per_page: u32,
        table: &Table,
        universe: u32,
        memory: &mut Memory,
    ) -> Result<(), StopCause> {
        memory.charge(Bits::bytes_for(universe))?;
        let space = self.spaces.len() as u16;
        let heap = HeapBlock::new(
            block,
            space,
            spec.log.map(|log| self.numbers.of(log)),
            spec.page_size_bytes,
            table.record_bytes,
            rows_per_page,
            table.record_count as u32,
            universe,
        );
        self.add_space(block, spec.pages, spec.page_size_bytes, heap.pages(), memory)?;
        self.numbers.0[block] = Some(self.heaps.len() as u16);
        self.heaps.push(heap);
        Ok(())
    }

    fn add_space(
        &mut self,
        block: BlockIndex,
        pages_from: BlockIndex,
        page_bytes: u32,
        pages: u32,
        memory: &mut Memory,
    ) -> Result<(), StopCause> {
        let number = self.numbers.of(pages_from);
        let source = match self.plan.blocks[pages_from].spec {
            Spec::BufferPool(_) => Source::Pool(number),
            _ => Source::Disk(number),
        };
        let space = self.spaces.len() as u16;
        self.spaces.push(Space { source, block, page_bytes });
        if let Source::Pool(pool) = source {
            memory.charge(u64::from(pages) * 4)?;
            self.pools[usize::from(pool)].reserve(space, pages);
        }
        Ok(())
    }

    /// A storage or index of a table the workload does not use: it exists, and nothing ever happens to it.
    fn add_empty(&mut self, block: BlockIndex, spec: &Spec) {
        let unused = Table {
            name: String::new(),
            record_count: 0,
            record_bytes: 1,
            key_bytes: 1,
            insert_order: InsertOrder::Ascending,
        };
        let keys = KeySpace::new(&unused, 1, self.seed);
        match spec {
            Spec::BtreeIndex(tree) | Spec::Clustered(tree) => {
                if let Some(shape) = TreeShape::postgres_index(
                    tree.page_size_bytes,
                    8,
                    tree.fill_factor,
                    tree.rightmost_split,
                    0.0,
                ) {
                    self.numbers.0[block] = Some(self.trees.len() as u16);
                    let tree_block = TreeBlock::new(
                        block,
                        Tree::empty(shape, keys.universe()),
                        0,
                        None,
                        tree.page_size_bytes,
                    );
                    self.trees.push(tree_block);
                }
            }
            Spec::Heap(heap) => {
                self.numbers.0[block] = Some(self.heaps.len() as u16);
                self.heaps.push(HeapBlock::new(block, 0, None, heap.page_size_bytes, 1, 1, 0, 1));
            }
            _ => {}
        }
    }

    fn add_operators(&mut self) {
        for (block, spec) in self.reachable() {
            let operator = match spec {
                Spec::IndexScan { .. } => Operator::index_scan(block),
                Spec::SeqScan { .. } => Operator::seq_scan(block),
                _ => continue,
            };
            self.numbers.0[block] = Some(self.operators.len() as u16);
            self.operators.push(operator);
        }
    }
}

/// A tree packed from the loaded keys in order.
fn bulk_tree(shape: TreeShape, keys: &KeySpace, loaded: u32) -> Tree {
    let universe = keys.universe();
    let mut present = Bits::new(universe);
    let contiguous = match keys.order() {
        InsertOrder::Descending => Some(universe - loaded),
        InsertOrder::Ascending => Some(0),
        // Hashed keys fill every rank when nothing is inserted later.
        InsertOrder::Hashed => (loaded == universe).then_some(0),
    };
    match contiguous {
        Some(base) => present.fill(base, base + loaded),
        None => (0..loaded).for_each(|record| present.set(keys.rank_of(record))),
    }
    Tree::bulk(shape, universe, present, u64::from(loaded), contiguous)
}

/// A tree that grew by inserting the loaded records in order of arrival.
fn inserted_tree(
    shape: TreeShape,
    keys: &KeySpace,
    loaded: u32,
    control: &Control,
    memory: &Memory,
) -> Result<Tree, StopCause> {
    let mut tree = Tree::empty(shape, keys.universe());
    for record in 0..loaded {
        if record % LOAD_POLL == 0 {
            if let Some(cause) = control.stop_cause() {
                return Err(cause);
            }
            memory.verify(tree.memory_bytes())?;
        }
        tree.insert(keys.rank_of(record));
    }
    Ok(tree)
}

fn record_too_large(plan: &Plan, block: BlockIndex, spec: &Spec, table: &Table) -> Diagnostic {
    let id = &plan.blocks[block].id;
    let message = match spec {
        Spec::BtreeIndex(_) => format!(
            "keys of {} bytes are too large for index \"{id}\": at least three have to fit a page; use a larger page_size",
            table.key_bytes
        ),
        Spec::Clustered(_) => format!(
            "rows of {} bytes with keys of {} are too large for \"{id}\": two rows have to fit a leaf page and three keys an \
             inner one; use a larger page_size",
            table.record_bytes, table.key_bytes
        ),
        _ => format!(
            "a row of {} bytes does not fit a page of \"{id}\"; use a larger page_size",
            table.record_bytes
        ),
    };
    let path = ["blocks", &block.to_string(), "parameters", "page_size"];
    Diagnostic::error(Code::RecordTooLarge, &path, message).at_block(id)
}
