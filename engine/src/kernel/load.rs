//! Prepares a run: binds the workload to the plan, builds the world it happens in, and the clients.

use std::collections::{BTreeSet, VecDeque};

use super::budget::{Control, Memory, Options, TraceLevel};
use super::calendar::Calendar;
use super::cause::Causes;
use super::client::Client;
use super::cost::{self, Costs};
use super::horizon::Horizon;
use super::program::{Changes, Program, Statement};
use super::world::World;
use super::{Kernel, Storage, TableState, Totals, measure};
use crate::SimulateError;
use crate::blocks::cpu::Cpu;
use crate::blocks::query::BoundQuery;
use crate::blocks::query::bind::Binder;
use crate::blocks::transaction::Transactions;
use crate::design::{Code, Diagnostic};
use crate::metrics::bands::Bands;
use crate::metrics::histogram::{LATENCIES_BYTES, Latencies};
use crate::plan::query::Input;
use crate::plan::route::table_of;
use crate::plan::{BlockIndex, FetchSpec, Plan, Route, Spec};
use crate::prng::Stream;
use crate::trace::Trace;
use crate::units::{NS_PER_SECOND, ms_to_ns};
use crate::workload::access::{Access, KeyChoice, RowLocking};
use crate::workload::distribution::KeyDraw;
use crate::workload::key::KeyLaw;
use crate::workload::keyspace::KeySpace;
use crate::workload::part::{Parent, PartDraw, PartKey, Place};
use crate::workload::sampled::{Sample, SampledDraw};
use crate::workload::{Config, OperationType, Table, Workload};

/// How a statement finds its rows, by number instead of by block.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Find {
    /// Search of a tree; `fetch` where the row lies elsewhere.
    Search {
        tree: u16,
        fetch: bool,
        operator: Option<u16>,
    },
    /// Search of an LSM tree; `fetch` where the row lies elsewhere.
    Lsm {
        lsm: u16,
        fetch: bool,
        operator: Option<u16>,
    },
    /// Search of a hash index; `fetch` where the row lies elsewhere.
    Hash {
        hash: u16,
        fetch: bool,
        operator: Option<u16>,
    },
    /// Search of a skip list; `fetch` where the row lies elsewhere.
    SkipList {
        list: u16,
        fetch: bool,
        operator: Option<u16>,
    },
    Scan {
        storage: Storage,
        read_ahead_pages: u32,
        operator: Option<u16>,
    },
    /// The row's page is known.
    RowId {
        storage: Storage,
    },
    /// A join, or a sort, by its number among the queries.
    Query {
        query: u16,
    },
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum BoundKey {
    /// A draw of the table.
    Draw(u16),
    Previous,
    /// A choice of the table among the rows that belong to one: `of` where it is remembered, and its table; `at` where the number
    /// is that is the place among them.
    Part {
        part: u16,
        of: Option<(u16, u16)>,
        at: Option<u16>,
    },
    /// This rank.
    Fixed(u32),
}

/// A statement, ready to run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BoundStatement {
    pub(crate) kind: OperationType,
    pub(crate) access: Access,
    pub(crate) table: u16,
    pub(crate) key: BoundKey,
    /// Where its record is remembered, for later statements of the transaction.
    pub(crate) remember: Option<u16>,
    pub(crate) find: Find,
    /// Processor time of one row.
    pub(crate) row_ns: u64,
    /// It asks for a key next to the one chosen that does not exist.
    pub(crate) missing: bool,
    /// It gives indexed columns beside the key new values.
    pub(crate) changes_indexed_column: bool,
    /// Bytes of the row that it changes.
    pub(crate) changed_bytes: u32,
    /// A SELECT that locks its rows.
    pub(crate) locking: RowLocking,
    /// The client thinks so long after it.
    pub(crate) think_ns: u64,
    /// How rows are fetched that an index found.
    pub(crate) fetch: FetchSpec,
    /// A query reads its rows.
    pub(crate) feeds: bool,
}

impl<'a> Kernel<'a> {
    pub(super) fn load(
        plan: &'a Plan,
        workload: &Workload,
        one_in: Option<u32>,
        options: &Options,
        control: &'a Control,
    ) -> Result<Self, SimulateError> {
        let mut budget = Memory::new(options.memory_limit_bytes);
        let memory = &mut budget;
        let seed = options.seed;
        let program = Program::bind(plan, workload, seed)?;
        let config = &workload.config;
        let changes = program.changes(control)?;
        let universes = universes(&program.tables, &changes)?;
        let mut key_spaces = Vec::with_capacity(universes.len());
        for (table, universe) in program.tables.iter().zip(&universes) {
            memory.charge(KeySpace::memory_for(table, *universe))?;
            key_spaces.push(KeySpace::new(table, *universe, seed, || control.check())?);
        }

        // Each heap that is vacuumed has a client of its own.
        let vacuumed = |spec: &Spec| matches!(spec, Spec::Heap(heap) if heap.vacuum.is_some());
        let workers = plan.blocks.iter().filter(|block| block.reachable && vacuumed(&block.spec)).count();
        let clients = config.concurrency + workers as u32;
        let mut world = World::new(plan, seed, clients);
        world.add_devices(memory)?;
        world.add_tables(&program.tables, &key_spaces, &changes, control, memory)?;
        world.add_operators(memory)?;
        if let Some(one_in) = one_in {
            for block in &mut world.trees {
                let height = block.tree.height_of(block.tree.pages(0) * u64::from(one_in));
                block.unseen_levels = (height - block.tree.height()) as u8;
            }
        }

        let mut tables = Vec::with_capacity(program.tables.len());
        for (index, (table, keys)) in program.tables.iter().zip(key_spaces).enumerate() {
            let draws = draws(&program, index, config, table, changes[index].inserts, one_in, seed);
            memory.charge(draws.iter().map(KeyDraw::memory_bytes).sum())?;
            let table_plan = plan.table(&table.name);
            let storage = table_plan.and_then(|plan| plan.storage);
            let column_indexes = world.take_column_indexes(&table.name);
            let numbers_of = |wanted: &dyn Fn(&Spec) -> bool| -> Vec<u16> {
                let indexes = table_plan.into_iter().flat_map(|plan| &plan.indexes);
                indexes
                    .filter(|block| wanted(&plan.blocks[**block].spec))
                    .map(|block| world.numbers.of(*block))
                    .collect()
            };
            tables.push(TableState {
                keys,
                storage: storage.map(|block| world.storage(block)),
                indexes: numbers_of(&|spec| matches!(spec, Spec::BtreeIndex(_))),
                column_indexes,
                lsms: numbers_of(&|spec| matches!(spec, Spec::Lsm(_))),
                hashes: numbers_of(&|spec| matches!(spec, Spec::Hash(_))),
                skip_lists: numbers_of(&|spec| matches!(spec, Spec::SkipList(_))),
                record_bytes: table.record_bytes,
                next_record: table.record_count as u32,
                arriving: changes_meet_inserts(&program, index, config).then(BTreeSet::new),
                arrived: table.record_count,
                draws,
                parts: Vec::new(),
            });
        }
        add_parts(&program, &mut tables, config, seed, memory)?;
        let costs = cost::costs(plan.processor);
        let mut statements: Vec<BoundStatement> = program
            .statements
            .iter()
            .enumerate()
            .map(|statement| bind(statement, &program, &world, &tables, &costs))
            .collect();
        let queries = bind_queries(&program, &world, &tables, &costs, seed, &mut statements);

        let client_block = plan
            .blocks
            .iter()
            .position(|block| matches!(block.spec, Spec::Client { .. }))
            .unwrap_or_default();
        let cpu = cores(plan, config.concurrency);
        let mut causes = Causes::new(
            client_block,
            world.disks.iter().map(|disk| disk.block),
            world.pools.iter().map(|pool| pool.block),
            world.wals.iter().map(|wal| wal.block),
            world.lsms.iter().map(|lsm| lsm.block),
            cpu.as_ref().map(|cpu| cpu.block),
        );
        if program.statements.iter().any(|statement| statement.think_ns > 0) {
            causes.think = causes.add(&["think_time"], client_block);
        }
        let transactions = transactions(plan, &world, clients as usize, tables.len(), options, &mut causes);
        if transactions.is_some() {
            memory.charge(Transactions::memory_for(clients as usize, tables.len()))?;
        }
        let remembered = remembered(&program).len();
        let per_client = remembered * 4
            + size_of::<Client>()
            + 16 * size_of::<super::step::Step>()
            + causes.list.len() * 8;
        memory.charge(u64::from(clients) * per_client as u64)?;
        memory
            .charge(program.groups.len() as u64 * LATENCIES_BYTES + Bands::memory_for(causes.list.len()))?;

        let pools: Vec<usize> = world.pools.iter().map(|pool| pool.block).collect();
        let forcing_pools = (0u16..)
            .zip(&world.pools)
            .filter_map(|(number, pool)| pool.at_commit.as_ref().map(|_| number))
            .collect();
        let disks: Vec<usize> = world.disks.iter().map(|disk| disk.block).collect();
        let vacuums: Vec<u16> = (0u16..)
            .zip(&world.heaps)
            .filter_map(|(number, heap)| heap.vacuum.as_ref().map(|_| number))
            .collect();
        let clients = config.concurrency as usize + vacuums.len();
        let versioned = world.heaps.iter().any(|heap| heap.versions.is_some());
        Ok(Kernel {
            plan,
            control,
            memory: budget,
            loaded_bytes: 0,
            stopped: None,
            paused: None,
            versioned,
            horizon: Horizon::default(),
            statements,
            tables,
            calendar: Calendar::default(),
            costs,
            now_ns: 0,
            cpu_ns: 0,
            spaces: world.spaces,
            disks: world.disks,
            pools: world.pools,
            wals: world.wals,
            trees: world.trees,
            heaps: world.heaps,
            lsms: world.lsms,
            cpu,
            hashes: world.hashes,
            skip_lists: world.skip_lists,
            lsm_pages: Vec::new(),
            operators: world.operators,
            transactions,
            queries,
            query_blocks: world.query_blocks,
            fed: Vec::new(),
            clients: (0..clients).map(|_| Client::new(remembered)).collect(),
            spent_ns: vec![0; clients * causes.list.len()],
            ready: VecDeque::new(),
            released: Vec::new(),
            runs: Vec::new(),
            free_runs: Vec::new(),
            timers: 0,
            vacuums,
            washed: Vec::new(),
            forcing_pools,
            writer_lock: Default::default(),
            forced: Vec::new(),
            copies_written: 0,
            header_spaces: world.header_spaces.into_iter().map(|(_, space)| space).collect(),
            client_block,
            issued: 0,
            completed: 0,
            arrival_gap_ns: config.arrival_rate_per_second.map(|rate| NS_PER_SECOND as f64 / rate),
            arrivals: Stream::new(seed, "arrivals"),
            backlog: VecDeque::new(),
            arrived: 0,
            idle: Vec::new(),
            // Arrivals do not wait for anyone to think.
            think_ns: if config.arrival_rate_per_second.is_some() {
                0
            } else {
                ms_to_ns(config.think_time_ms)
            },
            operations_per_transaction: config.operations_per_transaction,
            latencies: program.groups.iter().map(|_| Latencies::new(3)).collect(),
            bands: Bands::new(causes.list.len()),
            sampler: measure::sampler(plan, &pools, &disks),
            trace: Trace::new(options.trace, options.max_events, program.total, seed),
            totals: Totals::default(),
            totals_at_mark: Totals::default(),
            measured_from_ns: None,
            events: 0,
            next_check: 0,
            causes,
            program,
        })
    }
}

/// Whether a statement may come upon a row of a table that another client is inserting, and change or delete it.
fn changes_meet_inserts(program: &Program, table: usize, config: &Config) -> bool {
    let does = |wanted: fn(OperationType) -> bool| {
        program.statements.iter().any(|one| usize::from(one.table) == table && wanted(one.kind))
    };
    config.concurrency > 1
        && does(|kind| kind == OperationType::Insert)
        && does(|kind| matches!(kind, OperationType::Update | OperationType::Delete))
}

/// The cores of the block on the client's `cpu` port, if there is one.
fn cores(plan: &Plan, clients: u32) -> Option<Cpu> {
    let mut blocks = plan.blocks.iter().enumerate().filter(|(_, block)| block.reachable);
    blocks.find_map(|(index, block)| match &block.spec {
        Spec::Cpu(cpu) => Some(Cpu::new(index, cpu.cores, clients)),
        _ => None,
    })
}

/// The block that governs transactions, if the client leads to one.
fn transactions(
    plan: &Plan,
    world: &World<'_>,
    clients: usize,
    tables: usize,
    options: &Options,
    causes: &mut Causes,
) -> Option<Box<Transactions>> {
    let mut blocks = plan.blocks.iter().enumerate().filter(|(_, block)| block.reachable);
    blocks.find_map(|(index, block)| {
        let Spec::Transaction(spec) = &block.spec else { return None };
        let first = causes.add(&["lock_wait", "backoff", "validation"], index);
        let wal = spec.log.map(|log| world.numbers.of(log));
        let back_offs = Stream::new(options.seed, "back-off");
        let causes = [first, first + 1, first + 2];
        let mut all = Transactions::new(index, spec.clone(), wal, (clients, tables), back_offs, causes);
        if options.trace == TraceLevel::Full {
            all.record(options.max_events);
        }
        Some(Box::new(all))
    })
}

/// Keys of each table: the rows loaded and all that the run inserts.
fn universes(tables: &[Table], changes: &[Changes]) -> Result<Vec<u32>, SimulateError> {
    let mut universes = Vec::with_capacity(tables.len());
    for (table, changes) in tables.iter().zip(changes) {
        let keys = table.record_count + changes.inserts;
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
    one_in: Option<u32>,
    seed: u64,
) -> Vec<KeyDraw> {
    let times = u64::from(one_in.unwrap_or(1));
    let draws = laws(program, table).into_iter().map(|law| {
        let stream = Stream::new(seed, &format!("hot keys of {}", rows.name));
        KeyDraw::new(law, config, rows.record_count * times, inserts * times, stream)
    });
    let mut draws: Vec<KeyDraw> = draws.collect();
    // Where all records are alike, any of them are a fair sample.
    let mut skewed: Vec<KeyDraw> =
        draws.iter().filter(|draw| !matches!(draw, KeyDraw::Uniform)).cloned().collect();
    if one_in.is_some() && !skewed.is_empty() {
        let stream = Stream::new(seed, &format!("sample of {}", rows.name));
        let records = (rows.record_count.max(1)) * times;
        let sample = Sample::fairest(times, &mut skewed, records, stream);
        for draw in draws.iter_mut().filter(|draw| !matches!(draw, KeyDraw::Uniform)) {
            *draw = KeyDraw::Sampled(Box::new(SampledDraw::new(draw.clone(), sample)));
        }
    }
    draws
}

fn laws(program: &Program, table: usize) -> Vec<KeyLaw> {
    let mut laws = Vec::new();
    for statement in program.statements.iter().filter(|statement| usize::from(statement.table) == table) {
        match statement.key {
            KeyChoice::Drawn(law) if !laws.contains(&law) => laws.push(law),
            _ => {}
        }
    }
    laws
}

/// The statements that later ones of their transactions refer to.
fn remembered(program: &Program) -> Vec<usize> {
    let mut referred: BTreeSet<usize> = BTreeSet::new();
    for statement in &program.statements {
        if let KeyChoice::Part(mut key) = statement.key {
            key.map(|position| {
                referred.insert(position);
                position
            });
        }
    }
    referred.into_iter().collect()
}

/// Statements of a table whose keys belong to others: each has a choice of its own.
fn with_parts(program: &Program, table: u16) -> impl Iterator<Item = (usize, PartKey)> {
    let numbered = program.statements.iter().enumerate();
    numbered.filter(move |(_, statement)| statement.table == table).filter_map(|(number, statement)| {
        match statement.key {
            KeyChoice::Part(key) => Some((number, key)),
            _ => None,
        }
    })
}

fn add_parts(
    program: &Program,
    tables: &mut [TableState],
    config: &Config,
    seed: u64,
    memory: &mut Memory,
) -> Result<(), SimulateError> {
    for (table, state) in (0u16..).zip(tables) {
        let rows = &program.tables[usize::from(table)];
        for (_, key) in with_parts(program, table) {
            memory.charge(PartDraw::memory_for(&key, &state.keys))?;
            let parents = match key.of {
                Parent::Statement(of) => {
                    program.tables[usize::from(program.statements[of].table)].record_count
                }
                Parent::Parts { .. } => 0,
            };
            let counts = (parents, rows.record_count);
            let stream = Stream::new(seed, &format!("hot keys of {}", rows.name));
            let part = PartDraw::new(&key, config, counts, &state.keys, stream);
            memory.charge(part.draw_bytes())?;
            state.parts.push(part);
        }
    }
    Ok(())
}

fn bind(
    (number, statement): (usize, &Statement),
    program: &Program,
    world: &World<'_>,
    tables: &[TableState],
    costs: &Costs,
) -> BoundStatement {
    let changes = statement.kind != OperationType::Select;
    let storage = tables[usize::from(statement.table)].storage;
    // An index may cover what a query reads, but a change always reaches the row.
    let search = |index: BlockIndex, fetch: bool, via: Option<BlockIndex>| {
        let number = world.numbers.of(index);
        let fetch = fetch || changes && storage.is_some();
        let operator = via.map(|via| world.numbers.of(via));
        match world.spec(index) {
            Spec::Lsm(_) => Find::Lsm { lsm: number, fetch, operator },
            Spec::Hash(_) => Find::Hash { hash: number, fetch, operator },
            Spec::SkipList(_) => Find::SkipList { list: number, fetch, operator },
            _ => Find::Search { tree: number, fetch, operator },
        }
    };
    let find = match statement.route {
        Route::ClusteredSearch { storage } => {
            Find::Search { tree: world.numbers.of(storage), fetch: false, operator: None }
        }
        Route::IndexScan { via, index, table } => search(index, table.is_some(), Some(via)),
        Route::IndexSearch { index, table } => search(index, table.is_some(), None),
        Route::RowId { storage } => Find::RowId { storage: world.storage(storage) },
        // Numbered by `bind_queries`.
        Route::Query { .. } => Find::Query { query: 0 },
        Route::FullScan { via, storage, read_ahead_pages } => Find::Scan {
            storage: world.storage(storage),
            read_ahead_pages,
            operator: via.map(|via| world.numbers.of(via)),
        },
    };
    let remembered = remembered(program);
    let slot_of =
        |statement: usize| remembered.iter().position(|one| *one == statement).map(|slot| slot as u16);
    let key = match statement.key {
        KeyChoice::Previous => BoundKey::Previous,
        KeyChoice::Part(key) => {
            let part = with_parts(program, statement.table).position(|(other, _)| other == number);
            let of = match key.of {
                Parent::Statement(of) => slot_of(of).map(|slot| (slot, program.statements[of].table)),
                Parent::Parts { .. } => None,
            };
            let at = match key.place {
                Place::At(at) => slot_of(at),
                _ => None,
            };
            BoundKey::Part { part: part.unwrap_or_default() as u16, of, at }
        }
        KeyChoice::Fixed(rank) => BoundKey::Fixed(rank),
        KeyChoice::Drawn(law) => {
            let position = laws(program, usize::from(statement.table)).iter().position(|other| *other == law);
            BoundKey::Draw(position.unwrap_or_default() as u16)
        }
    };
    BoundStatement {
        kind: statement.kind,
        access: statement.access,
        table: statement.table,
        key,
        remember: slot_of(number),
        find,
        row_ns: match statement.access {
            Access::Point | Access::RowId => costs.row_ns,
            Access::Range { .. } | Access::Scan | Access::Query => costs.range_row_ns,
        },
        missing: statement.missing,
        changes_indexed_column: statement.changes_indexed_column,
        changed_bytes: statement.changed_bytes,
        locking: statement.locking,
        think_ns: statement.think_ns,
        fetch: match statement.route {
            Route::IndexScan { via, .. } => fetch_of(world.spec(via)),
            _ => FetchSpec::Plain,
        },
        feeds: false,
    }
}

fn fetch_of(spec: &Spec) -> FetchSpec {
    match spec {
        Spec::IndexScan { fetch, .. } => *fetch,
        _ => FetchSpec::Plain,
    }
}

/// The joins and sorts among the statements; what they read becomes statements behind those of the program.
fn bind_queries(
    program: &Program,
    world: &World<'_>,
    tables: &[TableState],
    costs: &Costs,
    seed: u64,
    statements: &mut Vec<BoundStatement>,
) -> Vec<BoundQuery> {
    let stored = |index: BlockIndex| {
        let name = table_of(world.spec(index));
        let position = program.tables.iter().position(|table| Some(table.name.as_str()) == name);
        position.is_some_and(|position| tables[position].storage.is_some())
    };
    let find = |input: Input| match input {
        Input::Scan { via, storage, read_ahead_pages } => Find::Scan {
            storage: world.storage(storage),
            read_ahead_pages,
            operator: via.map(|via| world.numbers.of(via)),
        },
        Input::Index { via, index, table } => {
            let (number, operator) = (world.numbers.of(index), via.map(|via| world.numbers.of(via)));
            let fetch = table.is_some() || via.is_none() && stored(index);
            match world.spec(index) {
                Spec::Lsm(_) => Find::Lsm { lsm: number, fetch, operator },
                Spec::Hash(_) => Find::Hash { hash: number, fetch, operator },
                Spec::SkipList(_) => Find::SkipList { list: number, fetch, operator },
                // Rows of a clustered storage lie where they are found.
                Spec::Clustered(_) => Find::Search { tree: number, fetch: false, operator },
                _ => Find::Search { tree: number, fetch, operator },
            }
        }
    };
    let binder = Binder {
        plan: world.plan(),
        tables: &program.tables,
        seed,
        number_of: &|block| world.numbers.of(block),
        find: &find,
        row_ns: (costs.row_ns, costs.range_row_ns),
    };
    let mut queries = Vec::new();
    for (place, statement) in program.statements.iter().enumerate() {
        let (Route::Query { root }, Some(shape)) = (statement.route, &statement.query) else { continue };
        if let Some(query) = binder.query(root, usize::from(statement.table), shape, statements) {
            statements[place].find = Find::Query { query: queries.len() as u16 };
            queries.push(query);
        }
    }
    queries
}
