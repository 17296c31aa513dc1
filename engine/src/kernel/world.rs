//! Builds what a run finds when it begins: devices, pools and logs, then storages and indexes with their loaded rows.

use super::budget::{Control, LOAD_POLL, Limits, Memory, StopCause};
use super::loaded_tree::{bulk_tree, inserted_tree, without_deleted};
use super::program::Changes;
use super::{Source, Space, Storage};
use crate::SimulateError;
use crate::blocks::bits::Bits;
use crate::blocks::buffer::Pool;
use crate::blocks::buffer::page_logs::PageLogs;
use crate::blocks::column_index::ColumnIndex;
use crate::blocks::copy_on_write::CopyOnWrite;
use crate::blocks::disk::Disk;
use crate::blocks::hash::Buckets;
use crate::blocks::hash_block::HashBlock;
use crate::blocks::heap::versions::Versions;
use crate::blocks::heap::visibility::VisibilityMap;
use crate::blocks::heap::{self, HeapBlock};
use crate::blocks::lsm::Lsm;
use crate::blocks::lsm_block::LsmBlock;
use crate::blocks::operator::Operator;
use crate::blocks::query::QueryBlock;
use crate::blocks::skip_list::SkipList;
use crate::blocks::skip_list_block::SkipListBlock;
use crate::blocks::tree::{Cells, MAX_LEVELS, Structure, Tree, TreeShape};
use crate::blocks::tree_block::{Overflow, TreeBlock};
use crate::blocks::wal::Wal;
use crate::design::{Code, Diagnostic};
use crate::plan::route::table_of;
use crate::plan::{
    BlockIndex, ColumnSpec, FetchSpec, HashSpec, HeapSpec, LsmBuild, LsmSpec, PageFormat, Plan, SkipListSpec,
    Spec, TreeSpec,
};
use crate::prng::Stream;
use crate::workload::keyspace::KeySpace;
use crate::workload::{InsertOrder, Table};

/// What an index entry holds beside its key: the place of a row (a page and a slot).
const ROW_PLACE_BYTES: u32 = 8;

/// Number of each block among those of its kind.
pub(super) struct Numbers(Vec<Option<u16>>);

impl Numbers {
    pub(super) fn of(&self, block: BlockIndex) -> u16 {
        // Reachable blocks are numbered before anything asks for them.
        self.0[block].unwrap_or_default()
    }
}

/// What is built so far.
pub(super) struct World<'a> {
    plan: &'a Plan,
    seed: u64,
    clients: u32,
    pub(super) numbers: Numbers,
    pub(super) spaces: Vec<Space>,
    pub(super) disks: Vec<Disk>,
    pub(super) pools: Vec<Pool>,
    pub(super) wals: Vec<Wal>,
    pub(super) trees: Vec<TreeBlock>,
    pub(super) heaps: Vec<HeapBlock>,
    pub(super) lsms: Vec<LsmBlock>,
    pub(super) hashes: Vec<HashBlock>,
    pub(super) skip_lists: Vec<SkipListBlock>,
    pub(super) operators: Vec<Operator>,
    pub(super) query_blocks: Vec<QueryBlock>,
    /// Where pages come from, and the space of the header page that trees of one database share there.
    pub(super) header_spaces: Vec<(BlockIndex, u16)>,
    /// With the names of their tables.
    column_indexes: Vec<(String, ColumnIndex)>,
}

impl<'a> World<'a> {
    pub(super) fn new(plan: &'a Plan, seed: u64, clients: u32) -> Self {
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
            lsms: Vec::new(),
            hashes: Vec::new(),
            skip_lists: Vec::new(),
            operators: Vec::new(),
            query_blocks: Vec::new(),
            header_spaces: Vec::new(),
            column_indexes: Vec::new(),
        }
    }

    /// The indexes of a table that are not on its key.
    pub(super) fn take_column_indexes(&mut self, table: &str) -> Vec<ColumnIndex> {
        let all = std::mem::take(&mut self.column_indexes);
        let (of_table, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|(name, _)| name == table);
        self.column_indexes = others;
        of_table.into_iter().map(|(_, index)| index).collect()
    }

    pub(super) fn plan(&self) -> &'a Plan {
        self.plan
    }

    pub(super) fn spec(&self, block: BlockIndex) -> &'a Spec {
        &self.plan.blocks[block].spec
    }

    fn reachable(&self) -> impl Iterator<Item = (BlockIndex, &'a Spec)> + use<'a> {
        let blocks = &self.plan.blocks;
        blocks
            .iter()
            .enumerate()
            .filter(|(_, block)| block.reachable)
            .map(|(index, block)| (index, &block.spec))
    }

    pub(super) fn storage(&self, block: BlockIndex) -> Storage {
        match self.plan.blocks[block].spec {
            Spec::Clustered(_) => Storage::Tree(self.numbers.of(block)),
            _ => Storage::Heap(self.numbers.of(block)),
        }
    }

    pub(super) fn add_devices(&mut self, memory: &mut Memory) -> Result<(), StopCause> {
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
                    memory.charge(Pool::memory_for(pool, self.clients))?;
                    let disk = self.numbers.of(pool.device);
                    let stream =
                        Stream::new(self.seed, &format!("evictions of {}", self.plan.blocks[block].id));
                    let built =
                        Pool::new(block, disk, pool.capacity_pages, pool.policy, self.clients, stream);
                    self.pools.push(built.with_background(pool).with_commit_writes(pool.at_commit));
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
    pub(super) fn add_tables(
        &mut self,
        tables: &[Table],
        keys: &[KeySpace],
        changes: &[Changes],
        control: &Control,
        memory: &mut Memory,
    ) -> Result<(), SimulateError> {
        let mut too_large = Vec::new();
        for (block, spec) in self.reachable() {
            let name = table_of(spec).unwrap_or_default();
            // A table the workload does not have stays empty.
            let Some(position) = tables.iter().position(|table| table.name == name) else {
                self.add_empty(block, spec);
                continue;
            };
            let (table, keys) = (&tables[position], &keys[position]);
            let built = match spec {
                Spec::BtreeIndex(TreeSpec { column: Some(column), .. }) => self.add_column_index(
                    block,
                    spec,
                    *column,
                    table,
                    keys,
                    &changes[position],
                    control,
                    memory,
                )?,
                Spec::BtreeIndex(tree) => {
                    let shape = match tree.page_format {
                        PageFormat::Sqlite => {
                            let structure = Structure::Index(keys.clone());
                            let cells =
                                Cells::new(tree.page_size_bytes, structure, table.key_bytes, table.key_bytes);
                            Some(TreeShape::sqlite(cells, keys.universe()))
                        }
                        PageFormat::Lmdb => {
                            TreeShape::lmdb(tree.page_size_bytes, table.key_bytes, ROW_PLACE_BYTES)
                        }
                        PageFormat::Postgres => TreeShape::postgres_index(
                            tree.page_size_bytes,
                            table.key_bytes,
                            tree.fill_factor,
                            tree.rightmost_split,
                            tree.merge_threshold,
                        ),
                        PageFormat::InnoDb => TreeShape::innodb_secondary(
                            tree.page_size_bytes,
                            table.key_bytes,
                            tree.primary_key_bytes.unwrap_or(table.key_bytes),
                            tree.fill_factor,
                            tree.rightmost_split,
                            tree.merge_threshold,
                        ),
                    };
                    self.add_tree(block, tree, shape, table, keys, control, memory)?
                }
                Spec::Clustered(tree) => {
                    let shape = match tree.page_format {
                        PageFormat::Sqlite => {
                            let structure =
                                if tree.without_rowid { Structure::WithoutRowid } else { Structure::Table };
                            let cells = Cells::new(
                                tree.page_size_bytes,
                                structure,
                                table.key_bytes,
                                table.record_bytes,
                            );
                            Some(TreeShape::sqlite(cells, keys.universe()))
                        }
                        PageFormat::Lmdb => TreeShape::lmdb(
                            tree.page_size_bytes,
                            table.key_bytes,
                            table.record_bytes.saturating_sub(table.key_bytes),
                        ),
                        PageFormat::Postgres | PageFormat::InnoDb => TreeShape::innodb_clustered(
                            tree.page_size_bytes,
                            table.record_bytes,
                            table.key_bytes,
                            tree.fill_factor,
                            tree.rightmost_split,
                            tree.merge_threshold,
                        ),
                    };
                    self.add_tree(block, tree, shape, table, keys, control, memory)?
                }
                Spec::Hash(spec) => {
                    self.add_hash(block, spec, table, keys, control, memory)?;
                    true
                }
                Spec::SkipList(spec) => {
                    self.add_skip_list(block, spec, table, keys, control, memory)?;
                    true
                }
                Spec::Lsm(spec) => {
                    self.add_lsm(block, spec, table, keys, control, memory)?;
                    true
                }
                Spec::Heap(spec) => {
                    match heap::rows_per_page(spec.page_size_bytes, table.record_bytes, spec.fill_factor) {
                        Some(rows) => {
                            self.add_heap(block, spec, rows, table, keys.universe(), control, memory)?;
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
        let pages_per_row =
            shape.sqlite.as_ref().map_or(0, |cells| cells.most_overflow_pages(keys.universe()));
        if keys.universe().checked_mul(pages_per_row).is_none() {
            return Ok(false);
        }
        memory.charge(Bits::bytes_for(keys.universe()))?;
        let loaded = table.record_count as u32;
        let tree = if spec.bulk_build {
            bulk_tree(shape, keys, loaded, control, memory)?
        } else {
            inserted_tree(shape, keys, loaded, control, memory)?
        };
        let tree = match self.heap_of(table) {
            Some(heap) if heap.deleted_fraction > 0.0 => {
                without_deleted(tree, self.deleted(heap, table), keys, loaded, control)?
            }
            _ => tree,
        };
        let tree =
            if self.heap_of(table).is_some_and(|heap| heap.versions) { tree.with_versions() } else { tree };
        memory.charge(tree.memory_bytes() - Bits::bytes_for(keys.universe()))?;
        let first_space = self.spaces.len() as u16;
        for level in 0..MAX_LEVELS {
            let pages = if level < tree.height() { tree.allocated(level) } else { 0 };
            self.add_space(block, (spec.pages, spec.log), spec.page_size_bytes, pages, memory)?;
        }
        self.numbers.0[block] = Some(self.trees.len() as u16);
        let wal = spec.log.map(|log| self.numbers.of(log));
        let mut tree = TreeBlock::new(block, tree, first_space, wal, spec.page_size_bytes);
        if pages_per_row > 0 {
            tree.overflow = Some(Overflow { space: self.spaces.len() as u16, pages_per_row });
            self.add_space(block, (spec.pages, spec.log), spec.page_size_bytes, 0, memory)?;
        }
        if spec.copy_on_write {
            tree.copy_on_write = Some(CopyOnWrite::new(spec.page_size_bytes, tree.pages()));
        }
        if spec.page_format == PageFormat::Sqlite {
            tree.header = Some(self.header_space(block, spec, memory)?);
        }
        self.trees.push(tree);
        Ok(true)
    }

    /// The space of page 1 of the database that a tree of SQLite's belongs to: one for all that share their pages' source.
    fn header_space(
        &mut self,
        block: BlockIndex,
        spec: &TreeSpec,
        memory: &mut Memory,
    ) -> Result<u16, StopCause> {
        if let Some((_, space)) = self.header_spaces.iter().find(|(source, _)| *source == spec.pages) {
            return Ok(*space);
        }
        let space = self.spaces.len() as u16;
        self.add_space(block, (spec.pages, spec.log), spec.page_size_bytes, 1, memory)?;
        self.header_spaces.push((spec.pages, space));
        Ok(space)
    }

    /// An index on another column, over entries for all rows and for every change of the column.
    #[allow(clippy::too_many_arguments, reason = "one call, where every value has its own name")]
    fn add_column_index(
        &mut self,
        block: BlockIndex,
        spec: &Spec,
        column: ColumnSpec,
        table: &Table,
        keys: &KeySpace,
        changes: &Changes,
        control: &Control,
        memory: &mut Memory,
    ) -> Result<bool, SimulateError> {
        let Spec::BtreeIndex(tree) = spec else { return Ok(true) };
        let shape = TreeShape::postgres_index(
            tree.page_size_bytes,
            column.value_bytes,
            tree.fill_factor,
            tree.rightmost_split,
            tree.merge_threshold,
        );
        let rows = keys.universe();
        // Changes beyond what a run can number leave their columns as they are.
        let entries = (u64::from(rows) + changes.column_changes).min(u64::from(u32::MAX - 64)) as u32;
        let values =
            Table { name: self.plan.blocks[block].id.clone(), insert_order: column.order, ..table.clone() };
        memory.charge(KeySpace::memory_for(&values, entries.max(1)))?;
        let values = KeySpace::new(&values, entries.max(1), self.seed, || control.check())?;
        let built = self.add_tree(block, tree, shape, table, &values, control, memory)?;
        if built {
            let index = ColumnIndex::new(self.numbers.of(block), values, rows);
            self.column_indexes.push((table.name.clone(), index));
        }
        Ok(built)
    }

    fn add_hash(
        &mut self,
        block: BlockIndex,
        spec: &HashSpec,
        table: &Table,
        keys: &KeySpace,
        control: &Control,
        memory: &mut Memory,
    ) -> Result<(), SimulateError> {
        memory.charge(Buckets::memory_for(keys.universe()))?;
        let loaded = table.record_count as u32;
        // What PostgreSQL takes a table for that nobody has counted: full pages, at least ten while it is new.
        let rows_per_page = self
            .heap_of(table)
            .and_then(|heap| heap::rows_per_page(heap.page_size_bytes, table.record_bytes, heap.fill_factor));
        let expected = match (spec.bulk_build, rows_per_page) {
            (true, Some(rows)) => u64::from(loaded.div_ceil(rows)) * u64::from(rows),
            (true, None) => u64::from(loaded),
            (false, rows) => 10 * u64::from(rows.unwrap_or(0)),
        };
        let mut buckets =
            Buckets::new(spec.method, spec.page_size_bytes, spec.fill_factor, expected, keys.universe());
        let deleted = self.heap_of(table).map(|heap| self.deleted(heap, table));
        for record in 0..loaded {
            if u64::from(record) % LOAD_POLL == 0 {
                control.check()?;
                memory.verify(buckets.memory_bytes())?;
            }
            if !deleted.as_ref().is_some_and(|deleted| deleted(record)) {
                buckets.insert(keys.rank_of(record));
            }
        }
        memory.charge(buckets.memory_bytes() - Buckets::memory_for(keys.universe()))?;
        let first_space = self.spaces.len() as u16;
        for pages in
            [buckets.bucket_pages(), buckets.overflow_pages() + buckets.unused_pages(), buckets.meta_pages()]
        {
            self.add_space(block, (spec.pages, spec.log), spec.page_size_bytes, pages as u32, memory)?;
        }
        self.numbers.0[block] = Some(self.hashes.len() as u16);
        let wal = spec.log.map(|log| self.numbers.of(log));
        self.hashes.push(HashBlock::new(block, buckets, first_space, wal, spec.page_size_bytes));
        Ok(())
    }

    fn add_skip_list(
        &mut self,
        block: BlockIndex,
        spec: &SkipListSpec,
        table: &Table,
        keys: &KeySpace,
        control: &Control,
        memory: &mut Memory,
    ) -> Result<(), SimulateError> {
        memory.charge(SkipList::memory_for(keys.universe()))?;
        let mut list = self.empty_skip_list(block, spec, keys.universe());
        let deleted = self.heap_of(table).map(|heap| self.deleted(heap, table));
        for record in 0..table.record_count as u32 {
            if u64::from(record) % LOAD_POLL == 0 {
                control.check()?;
            }
            if !deleted.as_ref().is_some_and(|deleted| deleted(record)) {
                list.insert(keys.rank_of(record));
            }
        }
        let stored = self.plan.table(&table.name).is_some_and(|plan| plan.storage.is_some());
        let entry_bytes = if stored { table.key_bytes + ROW_PLACE_BYTES } else { table.record_bytes };
        self.numbers.0[block] = Some(self.skip_lists.len() as u16);
        let wal = spec.log.map(|log| self.numbers.of(log));
        self.skip_lists.push(SkipListBlock::new(block, list, wal, table.key_bytes, entry_bytes));
        Ok(())
    }

    fn empty_skip_list(&self, block: BlockIndex, spec: &SkipListSpec, universe: u32) -> SkipList {
        let towers = Stream::new(self.seed, &format!("towers of {}", self.plan.blocks[block].id));
        SkipList::new(universe, spec.probability, spec.max_height, towers)
    }

    /// The heap a table's rows lie in.
    fn heap_of(&self, table: &Table) -> Option<&'a HeapSpec> {
        let plan = self.plan;
        match &plan.blocks[plan.table(&table.name)?.storage?].spec {
            Spec::Heap(heap) => Some(heap),
            _ => None,
        }
    }

    /// Which loaded records of a heap were deleted before the run.
    fn deleted(&self, heap: &HeapSpec, table: &Table) -> impl Fn(u32) -> bool + use<> {
        let (stream, part) =
            (Stream::new(self.seed, &format!("deleted rows of {}", table.name)), heap.deleted_fraction);
        move |record| part > 0.0 && stream.at(u64::from(record)).unit() < part
    }

    fn add_lsm(
        &mut self,
        block: BlockIndex,
        spec: &LsmSpec,
        table: &Table,
        keys: &KeySpace,
        control: &Control,
        memory: &mut Memory,
    ) -> Result<(), SimulateError> {
        let limits = Limits { control, memory_bytes: memory.left_bytes() };
        memory.charge(Lsm::memory_for(keys.universe()))?;
        // Beside a storage the tree is an index: it holds the place of each row.
        let stored = self.plan.table(&table.name).is_some_and(|plan| plan.storage.is_some());
        let value_bytes =
            if stored { ROW_PLACE_BYTES } else { table.record_bytes.saturating_sub(table.key_bytes) };
        let mut lsm = Lsm::new(spec.clone(), table.key_bytes, value_bytes, keys.universe());
        let loaded = table.record_count;
        let draws = Stream::new(self.seed, &format!("load of {}", table.name));
        let puts = match spec.build {
            LsmBuild::Empty => 0,
            LsmBuild::Inserted if loaded == 0 => 0,
            LsmBuild::Inserted => spec.load_puts.map_or(loaded, u64::from),
        };
        let deleted = self.heap_of(table).map(|heap| self.deleted(heap, table));
        for put in 0..puts {
            if put % LOAD_POLL == 0 {
                control.check()?;
                memory.verify(lsm.memory_bytes())?;
                lsm.catch_up();
            }
            let record = if spec.load_puts.is_some() { draws.at(put).below(loaded) } else { put };
            if deleted.as_ref().is_some_and(|deleted| deleted(record as u32)) {
                continue;
            }
            lsm.put(keys.rank_of(record as u32), false);
            if lsm.is_full() {
                lsm.seal_full();
                lsm.settle(limits)?;
            }
        }
        lsm.flush_all(limits)?;
        let in_bits = Lsm::memory_for(keys.universe());
        memory.charge(lsm.memory_bytes().saturating_sub(in_bits))?;
        let space = self.spaces.len() as u16;
        self.add_space(block, (spec.pages, None), spec.page_size_bytes, 0, memory)?;
        self.numbers.0[block] = Some(self.lsms.len() as u16);
        let wal = spec.log.map(|log| self.numbers.of(log));
        self.lsms.push(LsmBlock::new(block, lsm, space, wal, spec.clone()));
        Ok(())
    }

    #[allow(clippy::too_many_arguments, reason = "one call, where every value has its own name")]
    fn add_heap(
        &mut self,
        block: BlockIndex,
        spec: &HeapSpec,
        rows_per_page: u32,
        table: &Table,
        universe: u32,
        control: &Control,
        memory: &mut Memory,
    ) -> Result<(), StopCause> {
        memory.charge(Bits::bytes_for(universe))?;
        let space = self.spaces.len() as u16;
        let mut heap = HeapBlock::new(
            block,
            space,
            spec.log.map(|log| self.numbers.of(log)),
            spec.page_size_bytes,
            table.record_bytes,
            rows_per_page,
            table.record_count as u32,
            universe,
        )
        .with_updates(spec.hint_bits, spec.page_requests_per_update);
        if spec.versions {
            memory.charge(Versions::memory_for(universe))?;
            heap = heap.with_versions(spec.fill_factor);
        }
        if spec.deleted_fraction > 0.0 {
            heap.delete_loaded(self.deleted(spec, table), control)?;
        }
        if let Some(vacuum) = &spec.vacuum {
            heap = heap.with_vacuum(vacuum.clone());
        }
        self.add_space(block, (spec.pages, spec.log), spec.page_size_bytes, heap.pages(), memory)?;
        if self.has_index_only_scan(block) {
            let map = VisibilityMap::new(self.spaces.len() as u16, spec.page_size_bytes, heap.pages());
            memory.charge(map.memory_bytes())?;
            self.add_space(block, (spec.pages, spec.log), spec.page_size_bytes, map.pages(), memory)?;
            heap.visibility = Some(map);
        }
        self.numbers.0[block] = Some(self.heaps.len() as u16);
        self.heaps.push(heap);
        Ok(())
    }

    /// Whether someone reads a heap's visibility map.
    fn has_index_only_scan(&self, heap: BlockIndex) -> bool {
        let mut specs = self.reachable();
        specs.any(|(_, spec)| {
            matches!(spec, Spec::IndexScan { table: Some(table), fetch: FetchSpec::IndexOnly, .. } if *table == heap)
        })
    }

    /// `log`: where changes of the pages are written to before the pages are.
    fn add_space(
        &mut self,
        block: BlockIndex,
        (pages_from, log): (BlockIndex, Option<BlockIndex>),
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
        self.spaces.push(Space { source, block, page_bytes, hits: 0, misses: 0, marked: (0, 0) });
        if let Source::Pool(pool) = source {
            memory.charge(u64::from(pages) * 4)?;
            self.pools[usize::from(pool)].reserve(space, pages);
            if let Some(log) = log {
                let log = self.numbers.of(log);
                if self.pools[usize::from(pool)].page_logs.is_none() {
                    memory.charge(PageLogs::memory_for(self.pools[usize::from(pool)].capacity()))?;
                }
                let place = self.pools[usize::from(pool)].add_log(space, log);
                let pools = &mut self.wals[usize::from(log)].pools;
                if !pools.contains(&(pool, place)) {
                    pools.push((pool, place));
                }
            }
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
        let Ok(keys) = KeySpace::new(&unused, 1, self.seed, || Ok::<(), std::convert::Infallible>(()));
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
            Spec::Hash(spec) => {
                self.numbers.0[block] = Some(self.hashes.len() as u16);
                let buckets =
                    Buckets::new(spec.method, spec.page_size_bytes, spec.fill_factor, 0, keys.universe());
                self.hashes.push(HashBlock::new(block, buckets, 0, None, spec.page_size_bytes));
            }
            Spec::SkipList(spec) => {
                self.numbers.0[block] = Some(self.skip_lists.len() as u16);
                let list = self.empty_skip_list(block, spec, keys.universe());
                self.skip_lists.push(SkipListBlock::new(block, list, None, 1, 1));
            }
            Spec::Lsm(spec) => {
                self.numbers.0[block] = Some(self.lsms.len() as u16);
                let lsm = Lsm::new(spec.clone(), 1, 0, keys.universe());
                self.lsms.push(LsmBlock::new(block, lsm, 0, None, spec.clone()));
            }
            Spec::Heap(heap) => {
                self.numbers.0[block] = Some(self.heaps.len() as u16);
                self.heaps.push(HeapBlock::new(block, 0, None, heap.page_size_bytes, 1, 1, 0, 1));
            }
            _ => {}
        }
    }

    pub(super) fn add_operators(&mut self, memory: &mut Memory) -> Result<(), StopCause> {
        for (block, spec) in self.reachable() {
            let operator = match spec {
                Spec::IndexScan { .. } => Operator::index_scan(block),
                Spec::SeqScan { .. } => Operator::seq_scan(block),
                Spec::Join(join) => {
                    let place = (join.spill, join.page_size_bytes);
                    self.add_query_block(block, join.memory_bytes, place, false, memory)?;
                    continue;
                }
                Spec::Sort(sort) => {
                    let place = (sort.spill, sort.page_size_bytes);
                    self.add_query_block(block, sort.memory_bytes, place, true, memory)?;
                    continue;
                }
                _ => continue,
            };
            self.numbers.0[block] = Some(self.operators.len() as u16);
            self.operators.push(operator);
        }
        Ok(())
    }

    fn add_query_block(
        &mut self,
        block: BlockIndex,
        memory_bytes: u64,
        (spill, page_bytes): (Option<BlockIndex>, u32),
        sort: bool,
        memory: &mut Memory,
    ) -> Result<(), StopCause> {
        let mut temp = None;
        if let Some(spill) = spill {
            temp = Some(self.spaces.len() as u16);
            self.add_space(block, (spill, None), page_bytes, 0, memory)?;
        }
        self.numbers.0[block] = Some(self.query_blocks.len() as u16);
        self.query_blocks.push(QueryBlock::new(block, memory_bytes, temp, sort));
        Ok(())
    }
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
