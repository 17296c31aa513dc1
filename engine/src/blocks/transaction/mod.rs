//! Transactions: what a block of this category keeps while a run goes on. The lock table, snapshots and validation are structures of
//! their own; how a client begins, claims rows, commits and aborts is in `lifecycle.rs` and `claim.rs`.

mod claim;
mod deadlock;
mod lifecycle;
mod lock_table;
#[cfg(test)]
mod lock_table_tests;
mod recorder;
mod row_words;
mod ssi;
mod undo;
mod waiting;
mod witness;

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::counters::Counters;
use crate::kernel::cause::CauseIndex;
use crate::kernel::snapshot::listed;
use crate::plan::{BlockIndex, Isolation, Scheme, TransactionSpec};
use crate::prng::Stream;
pub(crate) use claim::Claim;
pub(crate) use lock_table::Mode;
use lock_table::{Entry, Item, LockTable};
use recorder::Recorder;
use row_words::RowWords;
use ssi::Ssi;

pub(crate) const STARTED: usize = 0;
pub(crate) const COMMITTED: usize = 1;
pub(crate) const LOCKS_ACQUIRED: usize = 2;
pub(crate) const LOCK_WAITS: usize = 3;
pub(crate) const BLOCKED_NS: usize = 4;
pub(crate) const DEADLOCKS: usize = 5;
/// Aborts by reason, in the order of `Reason`.
const FIRST_ABORT: usize = 6;
pub(crate) const RETRIES: usize = 12;
pub(crate) const OPERATIONS_FAILED: usize = 13;
pub(crate) const ABORTED_NS: usize = 14;
pub(crate) const OLD_VERSIONS_READ: usize = 15;
pub(crate) const VALIDATIONS: usize = 16;

/// Why a transaction aborted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    Deadlock,
    /// A row it writes, or a read-write dependency, does not fit its snapshot; or its reads are outdated when it validates.
    Serialization,
    /// No-wait: the lock was taken. Wait-die: it was younger than who holds it.
    LockConflict,
    /// Wound-wait: someone older needed what it held.
    Wounded,
    LockTimeout,
    Validation,
}

impl Reason {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Reason::Deadlock => "deadlock",
            Reason::Serialization => "serialization_failure",
            Reason::LockConflict => "lock_conflict",
            Reason::Wounded => "wounded",
            Reason::LockTimeout => "lock_timeout",
            Reason::Validation => "validation",
        }
    }

    fn counter(self) -> usize {
        FIRST_ABORT + self as usize
    }
}

/// What a transaction did to a row, to stamp, finish or undo it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Insert,
    Update,
    Delete,
    /// An UPDATE of the whole table.
    Table,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Write {
    pub(crate) statement: u16,
    pub(crate) table: u16,
    pub(crate) rank: u32,
    pub(crate) record: u32,
    pub(crate) change: Change,
    /// It happens when the transaction commits.
    pub(crate) later: bool,
}

/// What a statement drew: a transaction that is run again asks for the same.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choice {
    pub(crate) rank: u32,
    pub(crate) record: u32,
    pub(crate) rows: u32,
}

/// The transaction of one client.
#[derive(Debug, Default)]
pub(crate) struct Txn {
    pub(crate) active: bool,
    /// Of this attempt, from 1.
    pub(crate) number: u64,
    /// Of its first attempt: who has the smaller one is older.
    age: u64,
    attempts: u32,
    began_ns: u64,
    snapshot: u32,
    ssi: Option<u32>,
    /// Aborts at its next step.
    killed: Option<Reason>,
    /// It can no longer abort.
    committing: bool,
    /// Its changes are carried out, or undone: nothing is claimed.
    pub(crate) applying: bool,
    pub(crate) failed: bool,
    pub(crate) writes: Vec<Write>,
    /// OCC: rows read, and tables of which ranges were, or all (true).
    reads: Vec<(u16, u32)>,
    tables_read: Vec<(u16, bool)>,
    choices: Vec<Choice>,
    next_choice: usize,
    /// Groups of the operations it is made of, and their numbers.
    parts: Vec<(u16, u64)>,
    part: usize,
    /// When its wait for a lock is looked at.
    due_ns: u64,
    timer_set: bool,
}

impl Txn {
    fn memory_bytes(&self) -> u64 {
        (self.writes.capacity() * size_of::<Write>()
            + self.reads.capacity() * 8
            + self.choices.capacity() * size_of::<Choice>()
            + self.parts.capacity() * 16) as u64
    }
}

/// The last commits that wrote to a table: at all, by inserting or deleting, to every row.
#[derive(Debug, Default, Clone, Copy)]
struct TableStamps {
    any: u32,
    structure: u32,
    every_row: u32,
}

#[derive(Debug)]
pub(crate) struct Transactions {
    pub(crate) block: BlockIndex,
    pub(crate) spec: TransactionSpec,
    pub(crate) counters: Counters<17>,
    pub(crate) wal: Option<u16>,
    locks: LockTable,
    pub(crate) txns: Vec<Txn>,
    /// By table: which commit wrote a row last, where someone asks.
    stamps: Option<Vec<RowWords>>,
    table_stamps: Vec<TableStamps>,
    commits: u32,
    ssi: Option<Ssi>,
    /// Present where the run checks its own history.
    recorder: Option<Recorder>,
    validating: Option<u32>,
    validation_queue: VecDeque<u32>,
    back_offs: Stream,
    lock_wait: CauseIndex,
    back_off: CauseIndex,
    validation: CauseIndex,
    /// Up to when blocked time is counted.
    integrated_ns: u64,
    granted: Vec<u32>,
    /// Transactions that no operation will end have been ended.
    drained: bool,
}

impl Transactions {
    pub(crate) fn new(
        block: BlockIndex,
        spec: TransactionSpec,
        wal: Option<u16>,
        (clients, tables): (usize, usize),
        back_offs: Stream,
        causes: [CauseIndex; 3],
    ) -> Self {
        let versions = spec.scheme == Scheme::Mvcc && spec.isolation >= Isolation::RepeatableRead;
        let stamped = versions || spec.scheme == Scheme::Occ;
        let ssi =
            (spec.scheme == Scheme::Mvcc && spec.isolation == Isolation::Serializable).then(Ssi::default);
        Self {
            block,
            wal,
            counters: Counters::new([
                "transactions_started",
                "transactions_committed",
                "locks_acquired",
                "lock_waits",
                "blocked_ns",
                "deadlocks",
                "aborts_deadlock",
                "aborts_serialization_failure",
                "aborts_lock_conflict",
                "aborts_wounded",
                "aborts_lock_timeout",
                "aborts_validation",
                "retries",
                "operations_failed",
                "aborted_ns",
                "old_versions_read",
                "validations",
            ]),
            locks: LockTable::new(clients, tables),
            txns: (0..clients).map(|_| Txn::default()).collect(),
            stamps: stamped.then(|| (0..tables).map(|_| RowWords::default()).collect()),
            table_stamps: vec![TableStamps::default(); tables],
            commits: 0,
            ssi,
            recorder: None,
            validating: None,
            validation_queue: VecDeque::new(),
            back_offs,
            lock_wait: causes[0],
            back_off: causes[1],
            validation: causes[2],
            integrated_ns: 0,
            granted: Vec::new(),
            drained: false,
            spec,
        }
    }

    pub(crate) fn memory_for(clients: usize, tables: usize) -> u64 {
        LockTable::memory_for(clients, tables) + (clients * size_of::<Txn>()) as u64
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        let stamps: u64 = self.stamps.iter().flatten().map(RowWords::memory_bytes).sum();
        let txns: u64 = self.txns.iter().map(Txn::memory_bytes).sum();
        self.locks.memory_bytes()
            + stamps
            + txns
            + self.ssi.as_ref().map_or(0, Ssi::memory_bytes)
            + self.recorder.as_ref().map_or(0, Recorder::memory_bytes)
    }

    /// Counts blocked time up to now, summed over those who wait.
    pub(crate) fn integrate(&mut self, now_ns: u64) {
        let ns = u64::from(self.locks.waiting()) * (now_ns - self.integrated_ns);
        self.counters.add(BLOCKED_NS, ns);
        self.integrated_ns = now_ns;
    }

    /// The number of the operation in progress, which may be an earlier one that is run again.
    pub(crate) fn operation_of(&self, client: u32) -> u64 {
        let txn = &self.txns[client as usize];
        txn.parts.get(txn.part).map_or(0, |(_, operation)| *operation)
    }

    pub(crate) fn aborts(&self) -> u64 {
        (FIRST_ABORT..RETRIES).map(|reason| self.counters.measured(reason)).sum()
    }

    /// Whether a row was written by a commit that this snapshot does not see.
    #[inline]
    fn changed_since(&self, table: u16, rank: u32, snapshot: u32) -> bool {
        let stamp = self.stamps.as_ref().map_or(0, |stamps| stamps[usize::from(table)].get(rank));
        stamp.max(self.table_stamps[usize::from(table)].every_row) > snapshot
    }

    pub(crate) fn gauges(&self, interval_ns: u64) -> Value {
        let blocked_ns = self.counters.measured(BLOCKED_NS) as f64;
        let committed = self.counters.measured(COMMITTED) as f64;
        json!({
            "isolation": self.spec.isolation.name(),
            "mean_blocked_clients": (interval_ns > 0).then(|| blocked_ns / interval_ns as f64),
            "blocked_clients": self.locks.waiting(),
            "aborts_per_commit": (committed > 0.0).then(|| self.aborts() as f64 / committed),
            "read_locks": self.ssi.as_ref().map(Ssi::locks),
        })
    }

    /// Transactions in progress, locks with their holders and queues.
    pub(crate) fn state(&self) -> Value {
        let mut state = json!({"scheme": self.spec.scheme.name(), "isolation": self.spec.isolation.name()});
        let active: Vec<Value> = (0u32..)
            .zip(&self.txns)
            .filter(|(_, txn)| txn.active)
            .map(|(client, txn)| {
                json!({
                    "client": client,
                    "transaction": txn.number,
                    "attempt": txn.attempts + 1,
                    "began_ns": txn.began_ns,
                    "snapshot": txn.snapshot,
                    "rows_written": txn.writes.len(),
                    "rows_locked": self.locks.rows_held(client),
                    "committing": txn.committing,
                })
            })
            .collect();
        listed(&mut state, "transactions", active.len(), active.into_iter());
        let locks: Vec<Value> = self
            .locks
            .entries()
            .into_iter()
            .map(|Entry { item, holders, queue }| {
                let mode = |(client, mode): (u32, Mode)| json!({"client": client, "mode": mode.name()});
                let queue = queue.into_iter().map(|waiter| mode((waiter.client, waiter.mode)));
                let mut entry = item_json(item);
                entry["holders"] = holders.into_iter().map(mode).collect();
                entry["queue"] = queue.collect();
                entry
            })
            .collect();
        listed(&mut state, "locks", locks.len(), locks.into_iter());
        state["commits"] = json!(self.commits);
        state["validating"] = json!(self.validating);
        state
    }
}

/// What is locked, for people.
fn item_json(item: Item) -> Value {
    match item {
        Item::Table(table) => json!({"table": table}),
        Item::Row(table, rank) => json!({"table": table, "key": rank}),
    }
}
