//! Statements: choose a key, take the path the plan states, do to the row what the statement does.

use serde_json::json;

use super::operator::{CALLS, PAGES, ROWS};
use super::transaction::{Choice, Claim};
use super::wal::record::Record;
use super::{heap, tree_block, wal};
use crate::kernel::load::{BoundKey, BoundStatement, Find};
use crate::kernel::step::{Flow, Step};
use crate::kernel::{Kernel, Storage};
use crate::plan::Scheme;
use crate::workload::OperationType;
use crate::workload::access::{Access, RowLocking};
use crate::workload::part::Chosen;

/// Missing rows passed in one step.
const RANKS_AT_ONCE: u32 = 1 << 12;

impl Kernel<'_> {
    pub(crate) fn begin_statement(&mut self, client: u32, number: u16) -> Flow {
        self.cpu_ns += self.costs.statement_ns;
        let statement = self.statements[usize::from(number)];
        if statement.kind == OperationType::Insert {
            return self.begin_insert(client, number);
        }
        let (rank, rows) = self.choose_rows(client, number);
        if let (Access::Range { .. }, Some(all)) = (statement.access, &mut self.transactions) {
            all.record_range(client, statement.table, Some(rank));
        }
        // What writes blindly claims its key first; the others claim the rows they find.
        let blind = statement.access == Access::Point
            && matches!(statement.find, Find::Lsm { fetch: false, .. })
            && statement.kind == OperationType::Update;
        if blind && self.claim(client, number, rank) == Claim::Pass {
            return Flow::Next;
        }
        self.begin_access(client, number, rank, rows)
    }

    /// Takes the path of a statement to the rows from `rank` on.
    pub(crate) fn begin_access(&mut self, client: u32, number: u16, rank: u32, rows: u32) -> Flow {
        let statement = self.statements[usize::from(number)];
        if matches!(statement.access, Access::Range { .. }) {
            let state = &mut self.clients[client as usize];
            (state.pinned_page, state.pinned_map_page) = (u32::MAX, u32::MAX);
        }
        let deferred = self.transactions.as_ref().is_some_and(|all| all.spec.scheme == Scheme::Occ);
        let reads = statement.kind == OperationType::Select;
        match statement.find {
            Find::Lsm { .. } => self.begin_lsm_statement(client, number, rank, rows),
            Find::Hash { .. } => self.begin_hash_statement(client, number, rank),
            Find::SkipList { .. } => self.begin_skip_list_statement(client, number, rank, rows),
            Find::Search { tree, fetch, operator } => {
                if let Some(operator) = operator {
                    self.tell_index_lookup(client, operator, rank);
                }
                if statement.missing {
                    self.totals.rows_not_found += 1;
                    return self.search(client, tree, rank, false);
                }
                if statement.access == Access::Point {
                    let write =
                        !reads && !deferred && !fetch && self.trees[usize::from(tree)].tree.contains(rank);
                    let Some(level) = self.descend(client, tree, rank, write) else {
                        return self.row(client, number, rank);
                    };
                    self.push(client, Step::Row { statement: number, rank });
                    return self.walk_from(client, tree, level, write);
                }
                let leaf = self.trees[usize::from(tree)].tree.leaf_of(rank);
                self.begin_bitmap(client, number);
                self.push(client, Step::Range { statement: number, rank, remaining: rows, leaf });
                self.search(client, tree, rank, false)
            }
            Find::RowId { .. } => self.act_on_row(client, number, rank),
            Find::Query { query } => self.begin_query(client, query, rank),
            Find::Scan { operator, .. } => {
                if let Some(operator) = operator {
                    self.operators[usize::from(operator)].counters.add(CALLS, 1);
                }
                if !reads && statement.access != Access::Scan {
                    self.push(client, Step::Matches { statement: number, rank, remaining: rows });
                }
                self.push(client, Step::Scan { statement: number, position: 0, loaded: 0 });
                Flow::Next
            }
        }
    }

    /// The rank of the key this statement asks for, which stays the client's current key.
    #[inline]
    fn choose_key(&mut self, client: u32, number: u16) -> u32 {
        let statement = &self.statements[usize::from(number)];
        let state = &mut self.clients[client as usize];
        if let BoundKey::Draw(draw) = statement.key {
            let table = &mut self.tables[usize::from(statement.table)];
            let draw = &mut table.draws[usize::from(draw)];
            let record = draw.draw(&mut state.rng, table.arrived, state.operation) as u32;
            // A table without any row has no key to ask for; rank 0 is then simply not found.
            state.rank = if record < table.keys.universe() { table.keys.rank_of(record) } else { 0 };
            state.record = record;
        } else if let BoundKey::Part { part, of, at } = statement.key {
            let number = |slot: u16| state.remembered[usize::from(slot)];
            let of = of.map(|(slot, table)| {
                let record = number(slot);
                Chosen {
                    record: u64::from(record),
                    group: self.tables[usize::from(table)].keys.group_of(record),
                }
            });
            let (of, place) = (of.unwrap_or_default(), at.map_or(0, |slot| u64::from(number(slot))));
            let table = &mut self.tables[usize::from(statement.table)];
            let part = &mut table.parts[usize::from(part)];
            let record =
                part.draw(&mut state.rng, &table.keys, (of, place), table.arrived, state.operation) as u32;
            state.rank = table.keys.rank_of(record);
            state.record = record;
        }
        if let Some(slot) = statement.remember {
            state.remembered[usize::from(slot)] = state.record;
        }
        if let BoundKey::Fixed(rank) = statement.key {
            state.rank = rank;
            state.record = self.tables[usize::from(statement.table)].keys.record_of(rank);
        }
        state.rank
    }

    /// The first row a statement is about, and how many: drawn, or as before where its transaction is run again.
    #[inline]
    fn choose_rows(&mut self, client: u32, number: u16) -> (u32, u32) {
        if let Some(Choice { rank, record, rows }) = self.drawn_before(client) {
            let remember = self.statements[usize::from(number)].remember;
            let state = &mut self.clients[client as usize];
            (state.rank, state.record) = (rank, record);
            if let Some(slot) = remember {
                state.remembered[usize::from(slot)] = record;
            }
            return (rank, rows);
        }
        let key = self.choose_key(client, number);
        let (rank, rows) = match self.statements[usize::from(number)].access {
            Access::Point | Access::RowId | Access::Query => (key, 1),
            Access::Range { min_rows, max_rows } => {
                let rng = &mut self.clients[client as usize].rng;
                (key, (min_rows + rng.below(max_rows - min_rows + 1)) as u32)
            }
            Access::Scan => (0, u32::MAX),
        };
        let record = self.clients[client as usize].record;
        self.keep_choice(client, Choice { rank, record, rows });
        (rank, rows)
    }

    fn begin_insert(&mut self, client: u32, number: u16) -> Flow {
        let BoundStatement { table, remember, .. } = self.statements[usize::from(number)];
        let before = self.drawn_before(client);
        let state = &mut self.tables[usize::from(table)];
        let record = match before {
            Some(choice) => choice.record,
            None => {
                state.next_record += 1;
                state.next_record - 1
            }
        };
        let rank = state.keys.rank_of(record);
        if before.is_none() {
            self.keep_choice(client, Choice { rank, record, rows: 1 });
        }
        let state = &mut self.clients[client as usize];
        (state.rank, state.record) = (rank, record);
        if let Some(slot) = remember {
            state.remembered[usize::from(slot)] = record;
        }
        if self.transactions.is_some() {
            if self.claim_insert(client, number, rank, record) == Claim::Act {
                self.push_insert(client, table, rank, record);
            }
            return Flow::Next;
        }
        let state = &mut self.tables[usize::from(table)];
        let alone = state.indexes.is_empty()
            && state.column_indexes.is_empty()
            && state.hashes.is_empty()
            && state.skip_lists.is_empty();
        if let (&[lsm], None, true) = (&state.lsms[..], state.storage, alone) {
            // The LSM tree is all there is.
            self.totals.bytes_changed += u64::from(state.record_bytes);
            let flow = self.lsm_put(client, lsm, rank, false, false);
            if flow == Flow::Next {
                self.tables[usize::from(table)].arrived += 1;
            } else {
                let steps = &mut self.clients[client as usize].steps;
                steps.insert(steps.len() - 1, Step::RowArrived { table });
            }
            return flow;
        }
        self.push_insert(client, table, rank, record);
        Flow::Next
    }

    /// A row goes into its table's storage and every index.
    pub(crate) fn push_insert(&mut self, client: u32, table: u16, rank: u32, record: u32) {
        let state = &mut self.tables[usize::from(table)];
        self.totals.bytes_changed += u64::from(state.record_bytes);
        if let Some(arriving) = &mut state.arriving {
            arriving.insert(rank);
        }
        let steps = &mut self.clients[client as usize].steps;
        steps.push(Step::RowArrived { table });
        for lsm in state.lsms.iter().rev() {
            steps.push(Step::LsmPut { lsm: *lsm, rank, deleted: false, delayed: false });
        }
        steps.extend(state.skip_lists.iter().rev().map(|list| Step::SkipListInsert { list: *list, rank }));
        for hash in state.hashes.iter().rev() {
            steps.push(Step::HashInsert { hash: *hash, rank });
            steps.push(Step::HashVisit { hash: *hash, rank });
        }
        for tree in state.indexes.iter().rev() {
            steps.push(Step::TreeInsert { tree: *tree, rank });
            steps.push(Step::Search { tree: *tree, rank, write: true });
        }
        if let Some(Storage::Tree(tree)) = state.storage {
            steps.push(Step::TreeInsert { tree, rank });
            steps.push(Step::Search { tree, rank, write: true });
        }
        // Before the indexes on the key: whoever finds the row by its key finds all of it.
        for column in state.column_indexes.iter().rev() {
            let (tree, rank) = (column.tree, column.rank_of(record));
            steps.push(Step::TreeInsert { tree, rank });
            steps.push(Step::Search { tree, rank, write: true });
        }
        steps.push(Step::InsertRow { table, record });
    }

    pub(crate) fn tell_index_lookup(&mut self, client: u32, operator: u16, rank: u32) {
        let operator = &mut self.operators[usize::from(operator)];
        operator.counters.add(CALLS, 1);
        if self.clients[client as usize].traced {
            let block = operator.block;
            self.trace.emit(self.now_ns + self.cpu_ns, block, "index_lookup", || json!({"key": rank}));
        }
    }

    /// A point search has reached its leaf.
    pub(crate) fn row(&mut self, client: u32, number: u16, rank: u32) -> Flow {
        if let Find::Search { tree, .. } = self.statements[usize::from(number)].find {
            if !self.trees[usize::from(tree)].tree.contains(rank) {
                self.totals.rows_not_found += 1;
                let table = usize::from(self.statements[usize::from(number)].table);
                if let Some(Storage::Heap(heap)) = self.tables[table].storage {
                    self.visit_old_versions(client, tree, heap, rank);
                }
                return Flow::Next;
            }
        }
        self.act_on_row(client, number, rank)
    }

    /// Does to a row what the statement does. Its index entry, or its leaf, has been visited.
    pub(crate) fn act_on_row(&mut self, client: u32, number: u16, rank: u32) -> Flow {
        let statement = self.statements[usize::from(number)];
        let table = &self.tables[usize::from(statement.table)];
        let row_bytes = u64::from(table.record_bytes);
        let changes = statement.kind != OperationType::Select;
        let arriving = changes && table.arriving.as_ref().is_some_and(|arriving| arriving.contains(&rank));
        if arriving && !self.inserted_itself(client, statement.table, rank) {
            // To everyone but who inserts it the row is not there yet: what is taken from some structures now would be put into
            // the others afterwards.
            self.totals.rows_not_found += u64::from(statement.access == Access::Point);
            return Flow::Next;
        }
        if self.claim(client, number, rank) == Claim::Pass {
            return Flow::Next;
        }
        let table = &self.tables[usize::from(statement.table)];
        self.cpu_ns += statement.row_ns;
        match statement.kind {
            OperationType::Select => self.totals.bytes_asked += row_bytes,
            _ => self.totals.bytes_changed += row_bytes,
        }
        let (tree, storage) = match statement.find {
            Find::Search { tree, fetch, operator } => {
                let fetch = fetch && !self.seen_by_all(client, &statement, rank);
                if let Some(operator) = operator {
                    self.operators[usize::from(operator)].counters.add(ROWS, 1);
                    if fetch {
                        self.operators[usize::from(operator)].counters.add(PAGES, 1);
                    }
                }
                let table = &self.tables[usize::from(statement.table)];
                (Some(tree), if fetch { table.storage } else { None })
            }
            Find::Lsm { lsm, fetch, operator } => {
                if let Some(operator) = operator {
                    self.operators[usize::from(operator)].counters.add(ROWS, 1);
                    if fetch {
                        self.operators[usize::from(operator)].counters.add(PAGES, 1);
                    }
                }
                let storage = if fetch { table.storage } else { None };
                match statement.kind {
                    OperationType::Update if storage.is_none() => {
                        self.push(client, Step::LsmPut { lsm, rank, deleted: false, delayed: false });
                    }
                    OperationType::Delete if storage.is_none() => {
                        self.push(client, Step::RemoveRow { table: statement.table, rank, found_in: None });
                    }
                    _ => {}
                }
                (None, storage)
            }
            Find::Hash { fetch, operator, .. } => {
                if let (true, Some(operator)) = (fetch, operator) {
                    self.operators[usize::from(operator)].counters.add(PAGES, 1);
                }
                let storage = if fetch { table.storage } else { None };
                if statement.kind == OperationType::Delete && !fetch {
                    self.push(client, Step::RemoveRow { table: statement.table, rank, found_in: None });
                }
                (None, storage)
            }
            Find::SkipList { list, fetch, operator } => {
                if let Some(operator) = operator {
                    self.operators[usize::from(operator)].counters.add(ROWS, 1);
                    self.operators[usize::from(operator)].counters.add(PAGES, u64::from(fetch));
                }
                let storage = if fetch { table.storage } else { None };
                match statement.kind {
                    OperationType::Update if storage.is_none() => self.skip_list_update(client, list),
                    OperationType::Delete if storage.is_none() => {
                        self.push(client, Step::RemoveRow { table: statement.table, rank, found_in: None });
                    }
                    _ => {}
                }
                (None, storage)
            }
            Find::Scan { storage, .. } | Find::RowId { storage } => (None, Some(storage)),
            Find::Query { .. } => return Flow::Next,
        };
        match (storage, tree) {
            (Some(Storage::Heap(heap)), _) => self.act_on_heap_row(client, number, heap, rank, tree),
            (Some(Storage::Tree(clustered)), _) => {
                let write = statement.kind != OperationType::Select;
                self.change_tree_row(client, number, clustered, rank, tree);
                self.visit_overflow(client, clustered, rank, statement.kind == OperationType::Update);
                self.push(client, Step::Search { tree: clustered, rank, write });
            }
            (None, Some(tree)) => {
                self.change_tree_row(client, number, tree, rank, Some(tree));
                self.visit_overflow(client, tree, rank, statement.kind == OperationType::Update);
            }
            (None, None) => {}
        }
        Flow::Next
    }

    fn act_on_heap_row(
        &mut self,
        client: u32,
        statement_number: u16,
        heap: u16,
        rank: u32,
        found_in: Option<u16>,
    ) {
        let statement = self.statements[usize::from(statement_number)];
        let state = &self.clients[client as usize];
        // A query's rows are of other tables than the client's current key.
        let current = state.rank == rank && statement.locking != RowLocking::Never;
        let record = match current {
            true => state.record,
            false => self.tables[usize::from(statement.table)].keys.record_of(rank),
        };
        let block = &mut self.heaps[usize::from(heap)];
        if !block.contains(record) {
            self.totals.rows_not_found += 1;
            return;
        }
        let page = block.page_of(record);
        if statement.kind == OperationType::Select && matches!(statement.access, Access::Range { .. }) {
            // A scan keeps its page pinned: rows in a row on one are one visit.
            let pinned = std::mem::replace(&mut self.clients[client as usize].pinned_page, page);
            if pinned == page {
                return block.counters.add(heap::ROWS_READ, 1);
            }
        }
        let mut repeated = 0;
        let (space, number, wal) = (block.space, block.block, block.wal);
        if block.versions.is_some() {
            if let Some(tree) = found_in {
                self.visit_old_versions(client, tree, heap, rank);
            }
            if statement.kind == OperationType::Update {
                return self.update_version(client, statement_number, heap, rank, record);
            }
        }
        let pruned = self.prune_on_visit(client, heap, page);
        let block = &mut self.heaps[usize::from(heap)];
        let write = match statement.kind {
            OperationType::Update => {
                block.counters.add(heap::ROWS_UPDATED, 1);
                block.expect_hint(page);
                repeated = block.page_requests_per_update - 1;
                let bytes = u64::from(block.record_bytes);
                self.hide_page(client, heap, page);
                self.log(client, wal, bytes, |kernel| {
                    let block = &kernel.heaps[usize::from(heap)];
                    heap::update::in_place_record(block, page, statement.changed_bytes)
                });
                if self.clients[client as usize].traced {
                    self.trace.emit(
                        self.now_ns + self.cpu_ns,
                        number,
                        "record_updated",
                        || json!({"page_id": page, "record_id": record}),
                    );
                }
                true
            }
            OperationType::Delete => {
                self.push(client, Step::RemoveRow { table: statement.table, rank, found_in });
                true
            }
            OperationType::Select | OperationType::Insert => {
                block.counters.add(heap::ROWS_READ, 1);
                block.take_hint(page) || pruned
            }
        };
        self.count_repeated_hits(space, repeated);
        if !self.hit(client, space, page, write) {
            self.push(client, Step::Page { space, page, write });
        }
    }

    /// Changes a row on a leaf that is being visited.
    fn change_tree_row(&mut self, client: u32, number: u16, tree: u16, rank: u32, found_in: Option<u16>) {
        let statement = self.statements[usize::from(number)];
        match statement.kind {
            OperationType::Update => {
                let block = &mut self.trees[usize::from(tree)];
                block.counters.add(tree_block::UPDATES, 1);
                let (number, wal) = (block.block, block.wal);
                let bytes = u64::from(self.tables[usize::from(statement.table)].record_bytes);
                self.log(client, wal, bytes, |kernel| {
                    let leaf = kernel.trees[usize::from(tree)].tree.leaf_of(rank);
                    kernel.trees[usize::from(tree)].update_record(leaf, statement.changed_bytes)
                });
                if self.clients[client as usize].traced {
                    let leaf = self.trees[usize::from(tree)].tree.leaf_of(rank);
                    self.trace.emit(
                        self.now_ns + self.cpu_ns,
                        number,
                        "record_updated",
                        || json!({"page_id": leaf, "record_id": rank}),
                    );
                }
            }
            OperationType::Delete => {
                self.push(client, Step::RemoveRow { table: statement.table, rank, found_in });
            }
            OperationType::Select | OperationType::Insert => {}
        }
    }

    /// After a scan that changes rows: the ones it found, in key order from `rank` on.
    pub(crate) fn matches(&mut self, client: u32, number: u16, rank: u32, remaining: u32) -> Flow {
        let statement = self.statements[usize::from(number)];
        let Find::Scan { storage, .. } = statement.find else { return Flow::Next };
        let keys = &self.tables[usize::from(statement.table)].keys;
        let exists = |rank: u32| match storage {
            Storage::Heap(heap) => self.heaps[usize::from(heap)].contains(keys.record_of(rank)),
            Storage::Tree(tree) => self.trees[usize::from(tree)].tree.contains(rank),
        };
        let end = if statement.access == Access::Point { rank.saturating_add(1) } else { keys.universe() };
        let end = end.min(keys.universe());
        let until = end.min(rank.saturating_add(RANKS_AT_ONCE));
        let found = (rank..until).find(|rank| exists(*rank));
        if found.is_none() && until < end {
            // Few rows are left where so many are missing: others may look at the stop flag in between.
            self.worked(u64::from(RANKS_AT_ONCE) / 32);
            self.push(client, Step::Matches { statement: number, rank: until, remaining });
            return Flow::Next;
        }
        let Some(found) = found else {
            self.totals.rows_not_found += u64::from(statement.access == Access::Point);
            return Flow::Next;
        };
        if remaining > 1 && found + 1 < end {
            self.push(client, Step::Matches { statement: number, rank: found + 1, remaining: remaining - 1 });
        }
        self.act_on_row(client, number, found)
    }

    /// Takes a deleted row out of the tree it lies in and out of every index.
    pub(crate) fn remove_from_trees(&mut self, client: u32, table: u16, rank: u32, found_in: Option<u16>) {
        let state = &self.tables[usize::from(table)];
        let clustered = match state.storage {
            Some(Storage::Tree(tree)) => Some(tree),
            _ => None,
        };
        let steps = &mut self.clients[client as usize].steps;
        steps.extend(state.skip_lists.iter().map(|list| Step::SkipListRemove { list: *list, rank }));
        for hash in state.hashes.clone() {
            self.push(client, Step::HashRemove { hash, rank });
            self.push(client, Step::HashVisit { hash, rank });
        }
        let state = &self.tables[usize::from(table)];
        for lsm in state.lsms.clone() {
            self.push(client, Step::LsmPut { lsm, rank, deleted: true, delayed: false });
        }
        let state = &self.tables[usize::from(table)];
        let record = state.keys.record_of(rank);
        let columns = state.column_indexes.iter().map(|column| (column.tree, column.rank_of(record)));
        let on_key = clustered.into_iter().chain(state.indexes.iter().copied()).map(|tree| (tree, rank));
        let trees: Vec<(u16, u32)> = on_key.chain(columns).collect();
        for (tree, rank) in trees.into_iter().rev() {
            self.push(client, Step::TreeRemove { tree, rank });
            let block = &self.trees[usize::from(tree)];
            if found_in == Some(tree) && block.copy_on_write.is_none() {
                let page = block.tree.leaf_of(rank);
                self.push(client, Step::Page { space: block.first_space, page, write: true });
            } else {
                self.push(client, Step::Search { tree, rank, write: true });
            }
        }
    }

    /// Appends the record of a change of `bytes` to the log of the block that changed, if it has one. `record` describes it to a
    /// log whose records depend on more.
    #[inline]
    pub(crate) fn log(
        &mut self,
        client: u32,
        wal: Option<u16>,
        bytes: u64,
        record: impl FnOnce(&Self) -> Record,
    ) {
        let Some(wal) = wal else { return };
        let number = usize::from(wal);
        let bytes = if self.wals[number].wants_records() {
            let record = record(self);
            self.wals[number].append_record(bytes, &record)
        } else {
            self.wals[number].append_change(bytes)
        };
        self.cpu_ns += self.costs.log_record_ns;
        self.clients[client as usize].logs |= 1 << number;
        if self.clients[client as usize].traced {
            let block = self.wals[number].block;
            self.trace.emit(self.now_ns + self.cpu_ns, block, "log_append", || json!({"bytes": bytes}));
        }
        self.apply_log_action(number, wal::Action::Nothing);
    }
}
