//! What the rows of category TRANSACTION share.

use super::*;

pub(super) const INPUTS: &[PortType] = &[input(&[Category::Workload])];

pub(super) const OUTPUTS: &[PortType] = &[
    output(
        "out",
        &[Category::Query, Category::Index, Category::Storage],
        true,
        true,
        "What serves the operations: all of them run in transactions of this block.",
    ),
    output(
        "log",
        &[Category::Log],
        false,
        false,
        "A log that transactions which changed something commit to, beside those of the storages they changed.",
    ),
];

pub(super) const ON_ABORT: Parameter = Parameter {
    name: "on_abort",
    kind: ParameterKind::Choice(&["retry", "fail"]),
    unit: None,
    default: ParameterDefault::Text("retry"),
    description: "retry: an aborted transaction is run again with the same keys, and its latency goes on; fail: its operation has \
                  failed, counts in no throughput or latency, and the client takes its next one.",
};

pub(super) const MAX_RETRIES: Parameter = Parameter {
    name: "max_retries",
    kind: ParameterKind::Integer { min: 1, max: 1_000_000 },
    unit: Some("attempts"),
    default: ParameterDefault::Integer(50),
    description: "Times a transaction is run again before it has failed.",
};

pub(super) const BACKOFF: Parameter = Parameter {
    name: "backoff_ms",
    kind: ParameterKind::Number { min: 0.0, max: 60_000.0 },
    unit: Some("ms"),
    default: ParameterDefault::Number(1.0),
    description: "Mean wait before the first retry, drawn uniformly from half to one and a half of it; it doubles with each further one, \
                  up to 64 times.",
};

pub(super) const DEADLOCK_TIMEOUT_DESCRIPTION: &str = "How long a transaction waits before it looks for a deadlock (PostgreSQL's deadlock_timeout: 1 s); 0: at once (InnoDB).";

pub(super) const EVENTS: &[&str] = &[
    "txn_begin",
    "txn_commit",
    "txn_abort",
    "lock_acquired",
    "lock_wait",
    "deadlock_detected",
    "mvcc_read",
    "mvcc_write",
];

pub(super) const NO_LOCKS_OF_QUERIES: &str =
    "Joins, sorts, index-only and bitmap reads neither lock nor validate what they read.";

pub(super) const NOT_UNDONE: &str = "Of two versions of a row on different pages the newer counts as alive even if its transaction aborted; their number is right.";
