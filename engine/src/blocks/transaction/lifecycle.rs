//! How a transaction begins, validates, commits, aborts and is run again.

use serde_json::json;

use super::lock_table::{Item, Mode};
use super::ssi::Dangerous;
use super::{
    ABORTED_NS, COMMITTED, Change, OPERATIONS_FAILED, RETRIES, Reason, STARTED, Transactions, Txn,
    VALIDATIONS, Write,
};
use crate::kernel::Kernel;
use crate::kernel::calendar::Event;
use crate::kernel::client::Stage;
use crate::kernel::load::Find;
use crate::kernel::step::{Flow, Step};
use crate::plan::{Isolation, Scheme};
use crate::workload::OperationType;
use crate::workload::access::Access;

/// Back-off doubles with every attempt up to this many times.
const MOST_DOUBLINGS: u32 = 6;
/// Draws of back-off kept apart for each operation.
const ATTEMPTS_APART: u64 = 1 << 12;

impl Kernel<'_> {
    /// The first operation of a transaction begins, or another one joins it.
    pub(crate) fn join_transaction(&mut self, client: u32, begins: bool) {
        let state = &self.clients[client as usize];
        let part = (state.group, state.operation);
        let Some(all) = &mut self.transactions else { return };
        let txn = &mut all.txns[client as usize];
        if begins {
            let kept = std::mem::take(txn);
            *txn = Txn {
                writes: emptied(kept.writes),
                reads: emptied(kept.reads),
                tables_read: emptied(kept.tables_read),
                choices: emptied(kept.choices),
                parts: emptied(kept.parts),
                timer_set: kept.timer_set,
                ..Txn::default()
            };
            txn.parts.push(part);
            self.begin_attempt(client);
        } else {
            txn.parts.push(part);
            txn.part = txn.parts.len() - 1;
        }
    }

    fn begin_attempt(&mut self, client: u32) {
        let now_ns = self.now_ns;
        let Some(all) = &mut self.transactions else { return };
        all.counters.add(STARTED, 1);
        let number = all.counters.total(STARTED);
        let txn = &mut all.txns[client as usize];
        txn.active = true;
        txn.number = number;
        if txn.attempts == 0 {
            txn.age = number;
        }
        txn.began_ns = now_ns;
        txn.snapshot = all.commits;
        txn.ssi = all.ssi.as_mut().map(super::ssi::Ssi::begin);
        let (block, attempt) = (all.block, txn.attempts + 1);
        if self.clients[client as usize].traced {
            self.trace.emit(
                now_ns,
                block,
                "txn_begin",
                || json!({"transaction": number, "client": client, "attempt": attempt}),
            );
        }
    }

    /// Before a statement: what it needs as a whole. What the client does first, if it cannot begin yet.
    pub(crate) fn enter_statement(&mut self, client: u32, number: u16) -> Option<Flow> {
        let all = self.transactions.as_mut()?;
        let statement = &self.statements[usize::from(number)];
        let txn = &mut all.txns[client as usize];
        if let Some(reason) = txn.killed {
            return Some(self.abort_transaction(client, reason));
        }
        if matches!(statement.find, Find::Query { .. }) {
            return None;
        }
        if all.spec.scheme == Scheme::Mvcc && all.spec.isolation <= Isolation::ReadCommitted {
            txn.snapshot = all.commits;
        }
        all.record_statement(client);
        let writes = statement.kind != OperationType::Select;
        let scans = matches!(statement.find, Find::Scan { .. }) || statement.access == Access::Scan;
        let (scans, whole) =
            (scans && statement.kind != OperationType::Insert, statement.access == Access::Scan && writes);
        let range = matches!(statement.access, Access::Range { .. });
        let table = statement.table;
        let mode = match all.spec.scheme {
            Scheme::Occ => {
                if scans || range {
                    all.txns[client as usize].tables_read.push((table, scans));
                }
                None
            }
            Scheme::Mvcc if whole => Some(Mode::Exclusive),
            Scheme::Mvcc => writes.then_some(Mode::IntentionExclusive),
            Scheme::TwoPhaseLocking => {
                let all_rows = scans || range && all.spec.isolation == Isolation::Serializable;
                match (writes, all_rows) {
                    _ if whole => Some(Mode::Exclusive),
                    (true, true) => Some(Mode::SharedIntentionExclusive),
                    (true, false) => Some(Mode::IntentionExclusive),
                    (false, _) if all.spec.isolation == Isolation::ReadUncommitted => None,
                    (false, true) => Some(Mode::Shared),
                    (false, false) => Some(Mode::IntentionShared),
                }
            }
        };
        if let Some(mode) = mode {
            if !self.take_lock(client, Item::Table(table), mode) {
                // The statement is entered again afterwards.
                return Some(self.stand_in_line(client, Item::Table(table), mode));
            }
        }
        if (scans || range) && self.read_predicate(client, table).is_err() {
            return Some(self.abort_transaction(client, Reason::Serialization));
        }
        if let (true, Some(all)) = (scans, &mut self.transactions) {
            all.record_range(client, table, None);
        }
        if whole {
            if let Some(flow) = self.write_table(client, number) {
                return Some(flow);
            }
        }
        let all = self.transactions.as_ref()?;
        if all.spec.scheme == Scheme::TwoPhaseLocking
            && all.spec.isolation == Isolation::ReadCommitted
            && !writes
        {
            self.push(client, Step::EndStatement);
        }
        None
    }

    /// More than single rows of a table are read. A range locks its table as a scan does: which pages of an index it will touch is not
    /// known yet.
    fn read_predicate(&mut self, client: u32, table: u16) -> Result<(), Dangerous> {
        let Some(all) = &mut self.transactions else { return Ok(()) };
        let (Some(ssi), Some(xact)) = (&mut all.ssi, all.txns[client as usize].ssi) else { return Ok(()) };
        let writes = |txn: &&Txn| txn.writes.iter().any(|write| write.table == table);
        let writing: Vec<u32> = all.txns.iter().filter(writes).filter_map(|txn| txn.ssi).collect();
        ssi.read_table(xact, table, &writing)
    }

    /// An UPDATE of every row, whose table is locked.
    fn write_table(&mut self, client: u32, number: u16) -> Option<Flow> {
        let table = self.statements[usize::from(number)].table;
        let all = self.transactions.as_mut()?;
        let txn = &mut all.txns[client as usize];
        let later = all.spec.scheme == Scheme::Occ;
        let outdated =
            all.spec.first_updater_wins() && all.table_stamps[usize::from(table)].any > txn.snapshot;
        txn.writes.push(Write { statement: number, table, rank: 0, record: 0, change: Change::Table, later });
        if outdated {
            return Some(self.abort_transaction(client, Reason::Serialization));
        }
        if later {
            self.next_stage(client);
            return Some(Flow::Next);
        }
        None
    }

    /// All statements have run: the transaction validates, carries out what it put off, and goes on to commit.
    pub(crate) fn validate(&mut self, client: u32) -> Flow {
        let Some(all) = &mut self.transactions else { return Flow::Next };
        let txn = &mut all.txns[client as usize];
        if let Some(reason) = txn.killed {
            return self.abort_transaction(client, reason);
        }
        if all.spec.scheme == Scheme::Occ {
            if self.cpu_ns > 0 {
                return Flow::Yield;
            }
            // One transaction after the other validates and writes (Kung and Robinson 1981, serial validation).
            if all.validating.is_some_and(|other| other != client) {
                all.validation_queue.push_back(client);
                self.clients[client as usize].waiting_since_ns = self.now_ns;
                return Flow::Wait;
            }
            all.validating = Some(client);
            if !all.is_valid(client) {
                let next = all.leave_validation(client, &mut self.ready);
                self.charge_validation(next);
                return self.abort_transaction(client, Reason::Validation);
            }
            all.counters.add(VALIDATIONS, 1);
            let txn = &all.txns[client as usize];
            self.cpu_ns += (txn.reads.len() + txn.writes.len()) as u64 * self.costs.key_compare_ns;
        }
        let Some(all) = &mut self.transactions else { return Flow::Next };
        let txn = &mut all.txns[client as usize];
        if let (Some(ssi), Some(xact)) = (&mut all.ssi, txn.ssi) {
            if ssi.prepare(xact).is_err() {
                return self.abort_transaction(client, Reason::Serialization);
            }
        }
        txn.committing = true;
        txn.applying = true;
        let wrote = !txn.writes.is_empty();
        let steps = &mut self.clients[client as usize].steps;
        steps.push(Step::WritesDone);
        let later = txn.writes.iter().enumerate().rev().filter(|(_, write)| write.later);
        steps.extend(later.map(|(place, _)| Step::Apply { place: place as u32 }));
        if let (true, Some(wal)) = (wrote, all.wal) {
            self.clients[client as usize].logs |= 1 << wal;
        }
        if std::mem::take(&mut self.clients[client as usize].wrote) {
            self.cpu_ns += self.costs.commit_ns;
        }
        self.clients[client as usize].stage = Stage::Commit;
        Flow::Next
    }

    /// What was put off has been carried out.
    pub(crate) fn writes_done(&mut self, client: u32) -> Flow {
        let Some(all) = &mut self.transactions else { return Flow::Next };
        if all.spec.scheme != Scheme::Occ {
            return Flow::Next;
        }
        if self.cpu_ns > 0 {
            self.push(client, Step::WritesDone);
            return Flow::Yield;
        }
        all.stamp_writes(client);
        let name = &self.program.groups[usize::from(self.clients[client as usize].group)].name;
        all.record_end(client, name, true);
        let next = all.leave_validation(client, &mut self.ready);
        self.charge_validation(next);
        Flow::Next
    }

    pub(super) fn charge_validation(&mut self, client: Option<u32>) {
        let (Some(client), Some(all)) = (client, &self.transactions) else { return };
        let waited_ns = self.now_ns - self.clients[client as usize].waiting_since_ns;
        self.charge(client, all.validation, waited_ns);
    }

    /// The transaction has committed: others see what it wrote, and its locks go.
    pub(crate) fn finish_transaction(&mut self, client: u32) {
        let now_ns = self.now_ns;
        let Some(all) = &mut self.transactions else { return };
        if !all.txns[client as usize].active {
            return;
        }
        all.counters.add(COMMITTED, 1);
        if all.spec.scheme != Scheme::Occ {
            all.stamp_writes(client);
            let name = &self.program.groups[usize::from(self.clients[client as usize].group)].name;
            all.record_end(client, name, true);
        }
        if let (Some(ssi), Some(xact)) = (&mut all.ssi, all.txns[client as usize].ssi.take()) {
            ssi.commit(xact);
        }
        for place in 0..all.txns[client as usize].writes.len() {
            let write = all.txns[client as usize].writes[place];
            if write.change == Change::Insert {
                let table = &mut self.tables[usize::from(write.table)];
                table.arrived += 1;
                if let Some(arriving) = &mut table.arriving {
                    arriving.remove(&write.rank);
                }
            }
        }
        let (block, number) = (all.block, all.txns[client as usize].number);
        let txn = &mut all.txns[client as usize];
        (txn.active, txn.applying, txn.committing) = (false, false, false);
        self.release_locks(client);
        if self.clients[client as usize].traced {
            self.trace.emit(now_ns, block, "txn_commit", || json!({"transaction": number, "client": client}));
        }
    }

    /// The transaction of a client aborts. One that waits for a lock is woken; one that runs goes on with undoing.
    pub(crate) fn abort_transaction(&mut self, client: u32, reason: Reason) -> Flow {
        let now_ns = self.now_ns;
        self.leave_line(client);
        let Some(all) = &mut self.transactions else { return Flow::Next };
        all.counters.add(reason.counter(), 1);
        if reason == Reason::Deadlock {
            all.counters.add(super::DEADLOCKS, 1);
        }
        if let (Some(ssi), Some(xact)) = (&mut all.ssi, all.txns[client as usize].ssi.take()) {
            ssi.abort(xact);
        }
        let name = &self.program.groups[usize::from(self.clients[client as usize].group)].name;
        all.record_end(client, name, false);
        let (block, number) = (all.block, all.txns[client as usize].number);
        let txn = &mut all.txns[client as usize];
        (txn.killed, txn.applying) = (None, true);
        txn.writes.retain(|write| !write.later);
        let state = &mut self.clients[client as usize];
        state.steps.clear();
        state.stage = Stage::Undo;
        if state.traced {
            let name = reason.name();
            self.trace.emit(
                now_ns,
                block,
                "txn_abort",
                || json!({"transaction": number, "client": client, "reason": name}),
            );
        }
        Flow::Next
    }

    /// The next change of an aborted transaction is undone; when none is left, its locks go and it is run again, or has failed.
    pub(crate) fn undo_next(&mut self, client: u32) -> Flow {
        let Some(all) = &mut self.transactions else { return Flow::Next };
        if let Some(write) = all.txns[client as usize].writes.pop() {
            self.undo(client, write);
            return Flow::Next;
        }
        if self.cpu_ns > 0 {
            return Flow::Yield;
        }
        let now_ns = self.now_ns;
        let horizon_number = self.clients[client as usize].transaction;
        if self.versioned {
            self.horizon.end(horizon_number);
        }
        self.clients[client as usize].logs = 0;
        self.clients[client as usize].wrote = false;
        self.release_locks(client);
        let Some(all) = &mut self.transactions else { return Flow::Next };
        let txn = &mut all.txns[client as usize];
        all.counters.add(ABORTED_NS, now_ns - txn.began_ns);
        (txn.active, txn.applying, txn.committing) = (false, false, false);
        if txn.attempts >= all.spec.max_retries {
            txn.failed = true;
            all.counters.add(OPERATIONS_FAILED, 1);
            let state = &mut self.clients[client as usize];
            state.in_transaction = 0;
            state.stage = Stage::End;
            return Flow::Next;
        }
        txn.attempts += 1;
        all.counters.add(RETRIES, 1);
        self.clients[client as usize].stage = Stage::Restart;
        let doublings = (txn.attempts - 1).min(MOST_DOUBLINGS);
        let operation = self.clients[client as usize].operation;
        let draw = all.back_offs.at(operation.wrapping_mul(ATTEMPTS_APART) + u64::from(txn.attempts)).unit();
        let wait_ns = ((all.spec.back_off_ns << doublings) as f64 * (0.5 + draw)) as u64;
        if wait_ns == 0 {
            return Flow::Next;
        }
        let cause = all.back_off;
        self.charge(client, cause, wait_ns);
        self.calendar.schedule(now_ns + wait_ns, Event::Client(client));
        Flow::Wait
    }

    /// An aborted transaction is run again from its first statement.
    pub(crate) fn restart_transaction(&mut self, client: u32) -> Flow {
        if self.versioned {
            self.clients[client as usize].transaction = self.horizon.begin();
        }
        self.begin_attempt(client);
        let Some(all) = &mut self.transactions else { return Flow::Next };
        let txn = &mut all.txns[client as usize];
        (txn.part, txn.next_choice) = (0, 0);
        txn.reads.clear();
        txn.tables_read.clear();
        self.clients[client as usize].group = txn.parts[0].0;
        self.clients[client as usize].stage = Stage::Statement(0);
        Flow::Next
    }

    /// After the last statement of a group: whether it was an earlier operation of a transaction that is run again.
    pub(crate) fn next_operation_again(&mut self, client: u32) -> bool {
        let Some(all) = &mut self.transactions else { return false };
        let txn = &mut all.txns[client as usize];
        if txn.part + 1 >= txn.parts.len() {
            return false;
        }
        txn.part += 1;
        self.clients[client as usize].group = txn.parts[txn.part].0;
        true
    }

    /// Nobody begins operations any more: transactions that need more of them end where they are.
    pub(crate) fn end_open_transactions(&mut self, client: u32) {
        if !self.nothing_left_to_begin() {
            return;
        }
        let clients = self.client_count() as u32;
        let Some(all) = &mut self.transactions else { return };
        let whose = if std::mem::replace(&mut all.drained, true) { client..client + 1 } else { 0..clients };
        for client in whose {
            if !self.clients[client as usize].in_progress() {
                self.finish_transaction(client);
            }
        }
    }
}

impl Transactions {
    /// Backward validation: nothing it read was written by a transaction that committed after it began.
    fn is_valid(&self, client: u32) -> bool {
        let txn = &self.txns[client as usize];
        let rows = txn.reads.iter().all(|(table, rank)| !self.changed_since(*table, *rank, txn.snapshot));
        let tables = txn.tables_read.iter().all(|(table, whole)| {
            let stamps = &self.table_stamps[usize::from(*table)];
            (if *whole { stamps.any } else { stamps.structure.max(stamps.every_row) }) <= txn.snapshot
        });
        rows && tables
    }

    /// The critical section is free; who waited longest has it.
    fn leave_validation(&mut self, client: u32, ready: &mut std::collections::VecDeque<u32>) -> Option<u32> {
        if self.validating != Some(client) {
            return None;
        }
        self.validating = self.validation_queue.pop_front();
        ready.extend(self.validating);
        self.validating
    }

    /// The writes of a transaction belong to the next commit.
    fn stamp_writes(&mut self, client: u32) {
        let txn = &self.txns[client as usize];
        if txn.writes.is_empty() {
            return;
        }
        self.commits += 1;
        let Some(stamps) = &mut self.stamps else { return };
        for write in &txn.writes {
            let table = &mut self.table_stamps[usize::from(write.table)];
            table.any = self.commits;
            match write.change {
                Change::Table => table.every_row = self.commits,
                Change::Update => {}
                Change::Insert | Change::Delete => table.structure = self.commits,
            }
            if write.change != Change::Table {
                *stamps[usize::from(write.table)].slot(write.rank) = self.commits;
            }
        }
    }
}

fn emptied<T>(mut list: Vec<T>) -> Vec<T> {
    list.clear();
    list
}
