use super::transaction::{
    BACKOFF, DEADLOCK_TIMEOUT_DESCRIPTION, EVENTS, INPUTS, MAX_RETRIES, NO_LOCKS_OF_QUERIES, ON_ABORT,
    OUTPUTS,
};
use super::*;

pub(super) const TWO_PHASE_LOCKING: BlockType = BlockType {
    kind: "two-phase-locking",
    aliases: &["2pl"],
    title: "Two-phase locking",
    description: "Transactions lock every row they read or write and keep the locks to their end. Who finds a row locked waits, or \
                  aborts, as the deadlock policy says.",
    category: Category::Transaction,
    inputs: INPUTS,
    outputs: OUTPUTS,
    parameters: &[
        Parameter {
            name: "isolation",
            kind: ParameterKind::Choice(&[
                "read_uncommitted",
                "read_committed",
                "repeatable_read",
                "serializable",
            ]),
            unit: None,
            default: ParameterDefault::Text("serializable"),
            description: "read_uncommitted: reads take no locks; read_committed: their locks last as long as the statement; \
                          repeatable_read: as long as the transaction; serializable: ranges lock their table too.",
        },
        Parameter {
            name: "deadlock_policy",
            kind: ParameterKind::Choice(&["detection", "no_wait", "wait_die", "wound_wait", "timeout"]),
            unit: None,
            default: ParameterDefault::Text("detection"),
            description: "detection: waits may form a circle, one of it aborts; no_wait: who finds a row locked aborts; wait_die: only \
                          the older waits, the younger aborts; wound_wait: the older makes the younger abort, the younger waits; \
                          timeout: who has waited for lock_timeout_ms aborts.",
        },
        Parameter {
            name: "deadlock_timeout_ms",
            kind: ParameterKind::Number { min: 0.0, max: 3_600_000.0 },
            unit: Some("ms"),
            default: ParameterDefault::Number(0.0),
            description: DEADLOCK_TIMEOUT_DESCRIPTION,
        },
        Parameter {
            name: "victim",
            kind: ParameterKind::Choice(&["requester", "fewest_locks", "youngest"]),
            unit: None,
            default: ParameterDefault::Text("fewest_locks"),
            description: "Which transaction of a circle aborts: the one that found it, the one that holds the fewest rows (as InnoDB \
                          weighs them), or the one that began last.",
        },
        Parameter {
            name: "lock_timeout_ms",
            kind: ParameterKind::Number { min: 0.001, max: 3_600_000.0 },
            unit: Some("ms"),
            default: ParameterDefault::Number(1_000.0),
            description: "With the policy timeout: the longest wait for one lock.",
        },
        ON_ABORT,
        MAX_RETRIES,
        BACKOFF,
    ],
    events: EVENTS,
    model: Model {
        modelled: &[
            "S and X locks of rows; IS, IX, S, SIX and X of tables (Gray et al. 1976). Queues in order of coming, neighbours that agree \
             are granted together, an upgrade goes before those that hold nothing. Strict: locks go when the transaction is durable, \
             or undone.",
            "Deadlock detection by the waits-for graph, at once or after a time; no-wait, wait-die and wound-wait (Rosenkrantz et al. \
             1978), where a transaction that is run again keeps its age; timeouts.",
            "Serializable: ranges and scans lock their table S (SIX if they change rows), so no row can appear in them. Scans of a \
             whole table lock it at every level that locks reads.",
            "While waits are few: waits a transaction (N−1)r²/2D, deadlocks Nr⁴/4D² for N transactions of r X locks on D rows (Gray and \
             Reuter 1993); thrashing beyond a load of about 0.7 (Tay 1987).",
            "An abort undoes its changes on their pages, with log records. A delete is carried out when its transaction commits.",
        ],
        not_modelled: &[
            NO_LOCKS_OF_QUERIES,
            "Next-key and gap locks: a table lock stands in for them. Lock escalation.",
            "Contention on the lock table itself; the time to look for a deadlock.",
            "A wounded transaction that computes or thinks aborts at its next lock or at its commit.",
        ],
        measured_by: &[],
    },
};
