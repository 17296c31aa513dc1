//! The trees a run finds: built from the loaded keys at once, or grown one insert at a time.

use super::budget::{Control, LOAD_POLL, Limits, Memory, StopCause};
use crate::blocks::bits::Bits;
use crate::blocks::tree::{Tree, TreeShape};
use crate::workload::InsertOrder;
use crate::workload::keyspace::KeySpace;

/// Ranks set at once between two looks at the stop flag: 64 a word.
const RANKS_FILLED: usize = 1 << 24;

/// A tree packed from the loaded keys in order.
pub(super) fn bulk_tree(
    shape: TreeShape,
    keys: &KeySpace,
    loaded: u32,
    control: &Control,
    memory: &Memory,
) -> Result<Tree, StopCause> {
    let limits = Limits { control, memory_bytes: memory.left_bytes() + Bits::bytes_for(keys.universe()) };
    let universe = keys.universe();
    let mut present = Bits::new(universe);
    let contiguous = match keys.order() {
        InsertOrder::Descending => Some(universe - loaded),
        InsertOrder::Ascending => Some(0),
        // Keys in any other order fill every rank when nothing is inserted later.
        InsertOrder::Hashed
        | InsertOrder::Interleaved { .. }
        | InsertOrder::Grouped { .. }
        | InsertOrder::Mixed { .. } => (loaded == universe).then_some(0),
    };
    match contiguous {
        Some(base) => {
            for from in (base..base + loaded).step_by(RANKS_FILLED) {
                control.check()?;
                present.fill(from, (base + loaded).min(from.saturating_add(RANKS_FILLED as u32)));
            }
        }
        None => {
            for record in 0..loaded {
                if u64::from(record) % LOAD_POLL == 0 {
                    control.check()?;
                }
                present.set(keys.rank_of(record));
            }
        }
    }
    if shape.sqlite.is_none() {
        return Tree::bulk(shape, universe, present, u64::from(loaded), contiguous, limits);
    }
    // Entries are not of one size: only one after the other do they tell their pages.
    let mut tree = Tree::empty(shape, universe);
    let mut next = present.next(0);
    for record in 0..loaded {
        let Some(rank) = next else { break };
        if u64::from(record) % LOAD_POLL == 0 {
            control.check()?;
            memory.verify(tree.memory_bytes())?;
        }
        tree.append(rank);
        next = present.next(rank + 1);
    }
    Ok(tree)
}

/// A tree that grew by inserting the loaded records in order of arrival.
pub(super) fn inserted_tree(
    shape: TreeShape,
    keys: &KeySpace,
    loaded: u32,
    control: &Control,
    memory: &Memory,
) -> Result<Tree, StopCause> {
    let mut tree = Tree::empty(shape, keys.universe());
    for record in 0..loaded {
        if u64::from(record) % LOAD_POLL == 0 {
            control.check()?;
            memory.verify(tree.memory_bytes())?;
        }
        tree.insert(keys.rank_of(record));
    }
    Ok(tree)
}

/// The tree after VACUUM has taken the entries of deleted rows.
pub(super) fn without_deleted(
    mut tree: Tree,
    deleted: impl Fn(u32) -> bool,
    keys: &KeySpace,
    loaded: u32,
    control: &Control,
) -> Result<Tree, StopCause> {
    for record in 0..loaded {
        if u64::from(record) % LOAD_POLL == 0 {
            control.check()?;
        }
        if deleted(record) {
            tree.remove(keys.rank_of(record));
        }
    }
    Ok(tree)
}
