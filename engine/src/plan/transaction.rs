//! What the plan says about transactions, and how a block's parameters become it.

use super::compile::Reader;
use super::{BlockIndex, PlanBlock, Spec};
use crate::units::ms_to_ns;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    TwoPhaseLocking,
    Mvcc,
    Occ,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Isolation {
    ReadUncommitted,
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

/// What happens when a lock is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeadlockPolicy {
    /// Who waits so long looks for a circle; 0: at once.
    Detection {
        after_ns: u64,
        victim: Victim,
    },
    NoWait,
    WaitDie,
    WoundWait,
    Timeout {
        after_ns: u64,
    },
}

/// Which transaction of a circle aborts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Victim {
    /// Who found it.
    Requester,
    FewestLocks,
    Youngest,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TransactionSpec {
    pub(crate) scheme: Scheme,
    pub(crate) isolation: Isolation,
    pub(crate) policy: DeadlockPolicy,
    /// MVCC: whether a write of a row that changed after the snapshot goes on with the newest version, and does not abort.
    pub(crate) newest_version: bool,
    /// Times an aborted transaction is run again; 0: it has failed.
    pub(crate) max_retries: u32,
    pub(crate) back_off_ns: u64,
    pub(crate) out: Vec<BlockIndex>,
    pub(crate) log: Option<BlockIndex>,
}

impl TransactionSpec {
    /// Whether a write of a row that changed after the snapshot aborts.
    pub(crate) fn first_updater_wins(&self) -> bool {
        let snapshot = self.scheme == Scheme::Mvcc && self.isolation >= Isolation::RepeatableRead;
        snapshot && (!self.newest_version || self.isolation == Isolation::Serializable)
    }
}

impl Scheme {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Scheme::TwoPhaseLocking => "two-phase locking",
            Scheme::Mvcc => "mvcc",
            Scheme::Occ => "occ",
        }
    }
}

impl Isolation {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Isolation::ReadUncommitted => "read_uncommitted",
            Isolation::ReadCommitted => "read_committed",
            Isolation::RepeatableRead => "repeatable_read",
            Isolation::Serializable => "serializable",
        }
    }
}

impl DeadlockPolicy {
    pub(crate) fn name(self) -> &'static str {
        match self {
            DeadlockPolicy::Detection { .. } => "deadlock detection",
            DeadlockPolicy::NoWait => "no-wait",
            DeadlockPolicy::WaitDie => "wait-die",
            DeadlockPolicy::WoundWait => "wound-wait",
            DeadlockPolicy::Timeout { .. } => "lock timeout",
        }
    }
}

impl Reader<'_> {
    pub(super) fn transaction(&self, scheme: Scheme) -> Option<TransactionSpec> {
        let isolation = match self.text("isolation").as_deref() {
            Some("read_uncommitted") => Isolation::ReadUncommitted,
            Some("read_committed") => Isolation::ReadCommitted,
            Some("repeatable_read") => Isolation::RepeatableRead,
            _ => Isolation::Serializable,
        };
        let milliseconds = |name: &str| ms_to_ns(self.number(name).unwrap_or(0.0));
        let victim = match self.text("victim").as_deref() {
            Some("fewest_locks") => Victim::FewestLocks,
            Some("youngest") => Victim::Youngest,
            _ => Victim::Requester,
        };
        let policy = match self.text("deadlock_policy").as_deref() {
            Some("no_wait") => DeadlockPolicy::NoWait,
            Some("wait_die") => DeadlockPolicy::WaitDie,
            Some("wound_wait") => DeadlockPolicy::WoundWait,
            Some("timeout") => DeadlockPolicy::Timeout { after_ns: milliseconds("lock_timeout_ms").max(1) },
            _ => DeadlockPolicy::Detection { after_ns: milliseconds("deadlock_timeout_ms"), victim },
        };
        let retries = self.text("on_abort")? == "retry";
        Some(TransactionSpec {
            scheme,
            isolation,
            policy,
            newest_version: self.text("write_rule").as_deref() == Some("newest_version"),
            max_retries: if retries { self.integer("max_retries")? } else { 0 },
            back_off_ns: milliseconds("backoff_ms"),
            out: self.targets("out"),
            log: self.target("log"),
        })
    }
}

/// What serves the operations: the client's targets, and those of the transaction block among them.
pub(super) fn serving(client_out: &[BlockIndex], blocks: &[PlanBlock]) -> Vec<BlockIndex> {
    let behind = |block: &BlockIndex| match &blocks[*block].spec {
        Spec::Transaction(transaction) => transaction.out.clone(),
        _ => vec![*block],
    };
    client_out.iter().flat_map(behind).collect()
}
