use super::transaction::{
    BACKOFF, DEADLOCK_TIMEOUT_DESCRIPTION, EVENTS, INPUTS, MAX_RETRIES, NO_LOCKS_OF_QUERIES, NOT_UNDONE,
    ON_ABORT, OUTPUTS,
};
use super::*;

pub(super) const MVCC: BlockType = BlockType {
    kind: "mvcc",
    aliases: &[],
    title: "Multiversion concurrency control",
    description: "Readers see a snapshot and never wait for writers; writers lock the rows they change. What a snapshot does not allow \
                  aborts, as in PostgreSQL.",
    category: Category::Transaction,
    inputs: INPUTS,
    outputs: OUTPUTS,
    parameters: &[
        Parameter {
            name: "isolation",
            kind: ParameterKind::Choice(&["read_committed", "repeatable_read", "serializable"]),
            unit: None,
            default: ParameterDefault::Text("read_committed"),
            description: "read_committed: a snapshot for each statement; repeatable_read: one for the transaction (snapshot isolation); \
                          serializable: serializable snapshot isolation.",
        },
        Parameter {
            name: "deadlock_timeout_ms",
            kind: ParameterKind::Number { min: 0.0, max: 3_600_000.0 },
            unit: Some("ms"),
            default: ParameterDefault::Number(1_000.0),
            description: DEADLOCK_TIMEOUT_DESCRIPTION,
        },
        Parameter {
            name: "victim",
            kind: ParameterKind::Choice(&["requester", "fewest_locks", "youngest"]),
            unit: None,
            default: ParameterDefault::Text("requester"),
            description: "Which transaction of a deadlock aborts: the one that found it, the one that holds the fewest rows, or the one \
                          that began last.",
        },
        Parameter {
            name: "write_rule",
            kind: ParameterKind::Choice(&["first_updater_wins", "newest_version"]),
            unit: None,
            default: ParameterDefault::Text("first_updater_wins"),
            description: "At repeatable_read, a write of a row that changed after the snapshot: first_updater_wins: aborts (PostgreSQL); \
                          newest_version: changes the newest version, and updates can get lost (InnoDB).",
        },
        ON_ABORT,
        MAX_RETRIES,
        BACKOFF,
    ],
    events: EVENTS,
    model: Model {
        modelled: &[
            "Snapshots by commit; first updater wins: a write of a row that a commit changed after the snapshot aborts at once, or when \
             the wait for its lock ends (repeatable read); at read committed it goes on with the new version.",
            "Row locks of writers and of SELECT … FOR SHARE and FOR UPDATE with queues in order of coming; a share lock joins others \
             past those who wait for the row. A waiter looks for a deadlock once, after deadlock_timeout_ms, and aborts itself.",
            "Serializable: locks of readers on rows, on the page at the third row, on index leaves and tables; read-write dependencies; a \
             pivot aborts by PostgreSQL's rules (predicate.c).",
            "Over a heap with updates: new_version a transaction in progress keeps the versions that others replace. An aborted insert \
             leaves a dead row, an aborted update a dead version, for VACUUM.",
        ],
        not_modelled: &[
            NO_LOCKS_OF_QUERIES,
            "Over a storage that changes rows in place, undo pages and the way to older versions; an old version read costs one row more.",
            "Serializable: a range read locks its whole table for writers to be noticed, where PostgreSQL locks the index pages it \
             touched; declared read-only and deferrable transactions; its limits of shared memory.",
            "Subtransactions, multixacts, key-share locks of foreign keys.",
            NOT_UNDONE,
        ],
        measured_by: &["pg_locks"],
    },
};
