//! Before a row is read or written: the lock it needs, and whether the transaction's snapshot lets it.

use serde_json::json;

use super::lock_table::{Item, Mode};
use super::ssi::Target;
use super::{Change, Choice, OLD_VERSIONS_READ, Reason, Write};
use crate::kernel::load::Find;
use crate::kernel::step::{Flow, Step};
use crate::kernel::{Kernel, Storage};
use crate::plan::{Isolation, Scheme};
use crate::workload::OperationType;
use crate::workload::access::RowLocking;

/// What becomes of a row that a statement has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// The statement does with it what it does.
    Act,
    /// The change is put off, or steps that come first have been pushed.
    Pass,
}

impl Kernel<'_> {
    /// Claims a row for a statement. Where that means a wait, the row comes again as a step.
    #[inline]
    pub(crate) fn claim(&mut self, client: u32, number: u16, rank: u32) -> Claim {
        let Some(all) = &self.transactions else { return Claim::Act };
        let statement = &self.statements[usize::from(number)];
        let txn = &all.txns[client as usize];
        if txn.applying || statement.locking == RowLocking::Never {
            return Claim::Act;
        }
        if let Some(reason) = txn.killed {
            self.push(client, Step::Abort { reason });
            return Claim::Pass;
        }
        let table = statement.table;
        let mode = match (all.spec.scheme, statement.kind, statement.locking) {
            (Scheme::Occ, ..) => return self.claim_optimistically(client, number, rank),
            (_, OperationType::Select, RowLocking::Update) => Some(Mode::Exclusive),
            (_, OperationType::Select, RowLocking::Share) => Some(Mode::Shared),
            (Scheme::Mvcc, OperationType::Select, RowLocking::None) => None,
            (Scheme::TwoPhaseLocking, OperationType::Select, RowLocking::None) => {
                (all.spec.isolation > Isolation::ReadUncommitted).then_some(Mode::Shared)
            }
            _ => Some(Mode::Exclusive),
        };
        if let Some(mode) = mode.filter(|mode| !all.locks.table_covers(client, table, *mode)) {
            if !self.take_lock(client, Item::Row(table, rank), mode) {
                // Afterwards the row is looked for again: it may be gone.
                let again = match self.statements[usize::from(number)].find {
                    Find::Search { .. } => Step::Row { statement: number, rank },
                    _ => Step::ScannedRow { statement: number, rank },
                };
                self.push(client, again);
                self.push(client, Step::Lock { table, rank, mode });
                return Claim::Pass;
            }
        }
        self.claimed(client, number, rank)
    }

    /// Waits for the lock of a row.
    pub(crate) fn lock_row(&mut self, client: u32, table: u16, rank: u32, mode: Mode) -> Flow {
        let Some(all) = &self.transactions else { return Flow::Next };
        if let Some(reason) = all.txns[client as usize].killed {
            return self.abort_transaction(client, reason);
        }
        let item = Item::Row(table, rank);
        if self.take_lock(client, item, mode) {
            return Flow::Next;
        }
        let flow = self.stand_in_line(client, item, mode);
        if flow == Flow::Yield {
            self.push(client, Step::Lock { table, rank, mode });
        }
        flow
    }

    /// The lock is there: what the snapshot says, and what is noted.
    fn claimed(&mut self, client: u32, number: u16, rank: u32) -> Claim {
        let statement = self.statements[usize::from(number)];
        let table = statement.table;
        let Some(all) = &mut self.transactions else { return Claim::Act };
        let reads = statement.kind == OperationType::Select;
        let mvcc = all.spec.scheme == Scheme::Mvcc;
        let snapshot = all.txns[client as usize].snapshot;
        let outdated = mvcc
            && all.spec.isolation >= Isolation::RepeatableRead
            && all.changed_since(table, rank, snapshot);
        if outdated && all.spec.first_updater_wins() && (!reads || statement.locking != RowLocking::None) {
            // First updater wins: the row was changed by a transaction that this one does not see.
            self.push(client, Step::Abort { reason: Reason::Serialization });
            return Claim::Pass;
        }
        if outdated {
            all.counters.add(OLD_VERSIONS_READ, 1);
            self.cpu_ns += self.costs.row_ns;
        }
        if self.note_dependencies(client, number, rank).is_err() {
            self.push(client, Step::Abort { reason: Reason::Serialization });
            return Claim::Pass;
        }
        if mvcc && self.clients[client as usize].traced {
            self.tell_version(client, table, rank, reads, snapshot, outdated);
        }
        if let Some(all) = self.transactions.as_mut().filter(|all| all.recorder.is_some()) {
            let writes = (!reads).then_some(statement.kind == OperationType::Delete);
            all.record_row(client, table, rank, writes);
        }
        let change = match statement.kind {
            OperationType::Select => return Claim::Act,
            OperationType::Delete => Change::Delete,
            _ => Change::Update,
        };
        let later = change == Change::Delete;
        let record = self.tables[usize::from(table)].keys.record_of(rank);
        let Some(all) = &mut self.transactions else { return Claim::Act };
        let writes = &mut all.txns[client as usize].writes;
        let gone = |write: &Write| write.later && (write.table, write.rank) == (table, rank);
        if later && writes.iter().any(gone) {
            return Claim::Pass;
        }
        writes.push(Write { statement: number, table, rank, record, change, later });
        if later { Claim::Pass } else { Claim::Act }
    }

    fn tell_version(&mut self, client: u32, table: u16, rank: u32, reads: bool, snapshot: u32, old: bool) {
        let Some(all) = &self.transactions else { return };
        let (block, number) = (all.block, all.txns[client as usize].number);
        let kind = if reads { "mvcc_read" } else { "mvcc_write" };
        self.trace.emit(
            self.now_ns + self.cpu_ns,
            block,
            kind,
            || json!({"table": table, "key": rank, "transaction": number, "snapshot": snapshot, "old_version": old}),
        );
    }

    /// OCC's read phase: rows are noted, changes are put off.
    fn claim_optimistically(&mut self, client: u32, number: u16, rank: u32) -> Claim {
        let statement = self.statements[usize::from(number)];
        let record = self.tables[usize::from(statement.table)].keys.record_of(rank);
        let Some(all) = &mut self.transactions else { return Claim::Act };
        let txn = &mut all.txns[client as usize];
        txn.reads.push((statement.table, rank));
        let writes =
            (statement.kind != OperationType::Select).then_some(statement.kind == OperationType::Delete);
        all.record_row(client, statement.table, rank, writes);
        let txn = &mut all.txns[client as usize];
        let change = match statement.kind {
            OperationType::Select => return Claim::Act,
            OperationType::Delete => Change::Delete,
            _ => Change::Update,
        };
        self.cpu_ns += statement.row_ns;
        txn.writes.push(Write {
            statement: number,
            table: statement.table,
            rank,
            record,
            change,
            later: true,
        });
        Claim::Pass
    }

    /// An INSERT: its row is locked before anyone can find it. False when steps that come first have been pushed.
    pub(crate) fn claim_insert(&mut self, client: u32, number: u16, rank: u32, record: u32) -> Claim {
        let table = self.statements[usize::from(number)].table;
        let Some(all) = &mut self.transactions else { return Claim::Act };
        let later = all.spec.scheme == Scheme::Occ;
        let write = Write { statement: number, table, rank, record, change: Change::Insert, later };
        all.txns[client as usize].writes.push(write);
        all.record_insert(client, table, rank);
        if later {
            return Claim::Pass;
        }
        // Nobody knows of the row yet, so nobody can hold it.
        self.take_lock(client, Item::Row(table, rank), Mode::Exclusive);
        if self.note_dependencies(client, number, rank).is_err() {
            self.push(client, Step::Abort { reason: Reason::Serialization });
            return Claim::Pass;
        }
        Claim::Act
    }

    /// SSI: who reads and writes what.
    fn note_dependencies(
        &mut self,
        client: u32,
        number: u16,
        rank: u32,
    ) -> Result<(), super::ssi::Dangerous> {
        let statement = self.statements[usize::from(number)];
        let Some(all) = &mut self.transactions else { return Ok(()) };
        let (Some(ssi), Some(xact)) = (&mut all.ssi, all.txns[client as usize].ssi) else { return Ok(()) };
        if ssi.doomed(xact) {
            return Err(super::ssi::Dangerous);
        }
        let table = statement.table;
        let state = &self.tables[usize::from(table)];
        let page = match state.storage {
            Some(Storage::Heap(heap)) => {
                let heap = &self.heaps[usize::from(heap)];
                Target::Page(heap.space, heap.page_of(state.keys.record_of(rank)))
            }
            Some(Storage::Tree(tree)) => {
                let tree = &self.trees[usize::from(tree)];
                Target::Page(tree.first_space, tree.tree.leaf_of(rank))
            }
            // Without pages every row stands for itself.
            None => Target::Row(table, rank),
        };
        let leaf = |tree: u16| {
            let tree = &self.trees[usize::from(tree)];
            Target::Page(tree.first_space, tree.tree.leaf_of(rank))
        };
        if let Find::Search { tree, fetch: true, .. } = statement.find {
            if statement.kind != OperationType::Insert {
                ssi.read_coarse(xact, leaf(tree));
            }
        }
        if statement.kind == OperationType::Insert {
            // A new row is on no page that was read: it matters to readers of the index leaf it comes to, and of the table.
            let pages: Vec<Target> = state.indexes.iter().map(|tree| leaf(*tree)).collect();
            return ssi.write(xact, (table, rank), &pages);
        }
        // A change has read the row before.
        let writing = all.locks.exclusive_holder(table, rank);
        let writing = writing.and_then(|holder| all.txns[holder as usize].ssi);
        ssi.read_row(xact, (table, rank), page, writing)?;
        if statement.kind == OperationType::Select {
            return Ok(());
        }
        ssi.write(xact, (table, rank), &[page])
    }

    /// SSI: a row's new version needs an entry on a leaf of an index, whose readers may have looked for it.
    pub(crate) fn note_index_entry(&mut self, client: u32, table: u16, tree: u16, rank: u32) {
        let (space, leaf) = {
            let block = &self.trees[usize::from(tree)];
            (block.first_space, block.tree.leaf_of(rank))
        };
        let Some(all) = &mut self.transactions else { return };
        let (Some(ssi), Some(xact)) = (&mut all.ssi, all.txns[client as usize].ssi) else { return };
        if ssi.write(xact, (table, rank), &[Target::Page(space, leaf)]).is_err() {
            all.txns[client as usize].killed = Some(Reason::Serialization);
        }
    }

    /// SSI: a leaf was split.
    pub(crate) fn note_split(&mut self, space: u16, left: u32, right: u32) {
        if let Some(ssi) = self.transactions.as_mut().and_then(|all| all.ssi.as_mut()) {
            ssi.split(space, left, right);
        }
    }

    /// The key of a statement that is run again: the same as before.
    pub(crate) fn drawn_before(&mut self, client: u32) -> Option<Choice> {
        let txn = &mut self.transactions.as_mut()?.txns[client as usize];
        let choice = txn.choices.get(txn.next_choice).copied()?;
        txn.next_choice += 1;
        Some(choice)
    }

    /// Keeps what a statement drew, in case it is run again.
    pub(crate) fn keep_choice(&mut self, client: u32, choice: Choice) {
        if let Some(all) = &mut self.transactions {
            if all.spec.max_retries > 0 {
                let txn = &mut all.txns[client as usize];
                txn.choices.push(choice);
                txn.next_choice += 1;
            }
        }
    }

    /// Whether the client's transaction has put a row in that others do not see yet.
    pub(crate) fn inserted_itself(&self, client: u32, table: u16, rank: u32) -> bool {
        let Some(all) = &self.transactions else { return false };
        let is_it =
            |write: &Write| write.change == Change::Insert && (write.table, write.rank) == (table, rank);
        all.txns[client as usize].writes.iter().any(is_it)
    }
}
