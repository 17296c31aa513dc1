//! The height of a B+tree from its leaves and its fanout.

use serde_json::Value;

use super::{FormulaCheck, Relation, Run};
use crate::blocks::tree::TreeShape;
use crate::plan::{BlockIndex, PageFormat, Spec};
use crate::workload::OperationType;

/// Levels of a tree with so many leaves and children an inner page: 1 + ⌈log_f(leaves)⌉ (Comer, "The Ubiquitous B-Tree", 1979), by repeated
/// division, which rounds nothing.
pub fn height(leaves: u64, fanout: u64) -> u32 {
    let (mut pages, mut levels) = (leaves, 1);
    while pages > 1 {
        pages = pages.div_ceil(fanout.max(2));
        levels += 1;
    }
    levels
}

pub(super) fn checks(run: &Run<'_>, block: BlockIndex) -> Option<FormulaCheck> {
    let Spec::BtreeIndex(tree) = &run.plan.blocks[block].spec else { return None };
    // Inner pages of the other formats hold entries of several sizes.
    if tree.page_format != PageFormat::Postgres || tree.column.is_some() {
        return None;
    }
    let table = run.program.tables.iter().find(|table| table.name == tree.table)?;
    let shape = TreeShape::postgres_index(
        tree.page_size_bytes,
        table.key_bytes,
        tree.fill_factor,
        tree.rightmost_split,
        tree.merge_threshold,
    )?;
    let leaves = run.gauge(block, "pages_per_level")?.as_array()?.first().and_then(Value::as_u64)?;
    let simulated = run.gauge(block, "height")?.as_u64()?;
    let (full, packed) = (u64::from(shape.inner.capacity(false)), u64::from(shape.inner.bulk_items));
    // Pages that split are between half and entirely full; those that were packed are as full as that left them.
    let fewest = full.div_ceil(2);
    let kinds = run
        .program
        .statements
        .iter()
        .filter(|statement| run.program.tables[usize::from(statement.table)].name == tree.table);
    let (mut changed, mut shrinks) = (false, false);
    for statement in kinds {
        changed |= statement.kind != OperationType::Select;
        shrinks |= statement.kind == OperationType::Delete;
    }
    let deleted_before = run.plan.blocks.iter().any(
        |block| matches!(&block.spec, Spec::Heap(heap) if heap.table == tree.table && heap.deleted_fraction > 0.0),
    );
    let fanout = if tree.bulk_build && !changed { packed } else { (fewest + full) / 2 };
    // Packed pages are all alike but the last, which may take one entry more.
    let range = if tree.bulk_build && !changed { (packed, packed + 1) } else { (fewest, full) };
    let exact = height(leaves, range.0) == height(leaves, range.1);
    let check = FormulaCheck::new(
        "height",
        "1 + ⌈log_f(leaves)⌉ (Comer 1979)",
        Relation::Equal,
        f64::from(height(leaves, fanout)),
        simulated as f64,
        0.0,
    )?;
    Some(
        check
            .assume(
                !shrinks && !deleted_before,
                "rows are deleted, and pages stay as empty as that leaves them",
            )
            .assume(exact, "so many leaves make one height or the next, by how full inner pages are"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn heights_are_those_of_the_logarithm() {
        for (leaves, fanout, expected) in
            [(1u64, 285, 1), (2, 285, 2), (285, 285, 2), (286, 285, 3), (81_226, 285, 4)]
        {
            assert_eq!(height(leaves, fanout), expected, "{leaves}");
        }
    }

    proptest! {
        #[test]
        fn division_and_logarithm_agree(leaves in 1u64..1_000_000_000, fanout in 2u64..1_000) {
            let levels = libm::log(leaves as f64) / libm::log(fanout as f64);
            // Where the logarithm is a whole number it may be rounded either way.
            prop_assume!(libm::fabs(levels - libm::round(levels)) > 1e-9);
            prop_assert_eq!(height(leaves, fanout), 1 + libm::ceil(levels) as u32);
        }
    }
}
