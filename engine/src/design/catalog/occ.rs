use super::transaction::{BACKOFF, INPUTS, MAX_RETRIES, NO_LOCKS_OF_QUERIES, ON_ABORT, OUTPUTS};
use super::*;

pub(super) const OCC: BlockType = BlockType {
    kind: "occ",
    aliases: &[],
    title: "Optimistic concurrency control",
    description: "Transactions read without locks and put their changes off. At the end one after the other validates what it read, and \
                  writes, or aborts and has worked in vain.",
    category: Category::Transaction,
    inputs: INPUTS,
    outputs: OUTPUTS,
    parameters: &[ON_ABORT, MAX_RETRIES, BACKOFF],
    events: &["txn_begin", "txn_commit", "txn_abort"],
    model: Model {
        modelled: &[
            "Serial backward validation (Kung and Robinson 1981): a transaction aborts if a row it read was written by one that committed \
             after it began. Validation and write phase form a critical section with a queue in order of coming.",
            "A range is validated by the rows it read, and by inserts and deletes in its table; a scan by every write to its table.",
        ],
        not_modelled: &[
            NO_LOCKS_OF_QUERIES,
            "Parallel validation; validation by versions of rows instead of write sets (Silo).",
            "The row of a change is first visited in the write phase, not when it is read.",
        ],
        measured_by: &[],
    },
};
