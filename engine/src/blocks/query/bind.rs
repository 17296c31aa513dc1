//! From a query of the workload and the blocks that serve it to what a run does: inputs become statements of their own.

use super::{BoundInput, BoundJoin, BoundQuery, Method};
use crate::kernel::load::{BoundKey, BoundStatement, Find};
use crate::plan::query::{Input, JoinMethod, JoinSpec, sorted_input};
use crate::plan::route::table_of;
use crate::plan::{BlockIndex, FetchSpec, Plan, Spec};
use crate::prng::Stream;
use crate::workload::access::{Access, RowLocking};
use crate::workload::query::{Passing, QueryShape};
use crate::workload::{OperationType, Table};

/// What binding needs to know of the world.
pub(crate) struct Binder<'b> {
    pub(crate) plan: &'b Plan,
    pub(crate) tables: &'b [Table],
    pub(crate) seed: u64,
    /// Number of a block among those of its kind.
    pub(crate) number_of: &'b dyn Fn(BlockIndex) -> u16,
    /// How a statement finds rows by this input.
    pub(crate) find: &'b dyn Fn(Input) -> Find,
    /// Processor time of a row found by key, and of one in a range.
    pub(crate) row_ns: (u64, u64),
}

/// Rows that pass the condition of a query, on the side of its first table.
fn filter(shape: &QueryShape, first: bool) -> Option<u32> {
    match shape.passing {
        Passing::Rows(rows) if first => Some(rows as u32),
        _ => None,
    }
}

impl Binder<'_> {
    /// The query that a join or a sort serves. `first`: position of its first table. Its statements go to `statements`.
    pub(crate) fn query(
        &self,
        root: BlockIndex,
        first: usize,
        shape: &QueryShape,
        statements: &mut Vec<BoundStatement>,
    ) -> Option<BoundQuery> {
        let (source, sort) = match &self.plan.blocks[root].spec {
            Spec::Sort(sort) => (sort.input, Some((self.number_of)(root))),
            _ => (root, None),
        };
        let Spec::Join(join) = &self.plan.blocks[source].spec else {
            let outer = self.input(source, first, false, filter(shape, true), Access::Scan, statements)?;
            let result_bytes = outer.record_bytes;
            return Some(BoundQuery { outer, join: None, sort, limit: shape.limit, result_bytes });
        };
        let wanted = shape.join?;
        let outer_first = self.table_at(join.outer) == Some(first);
        let (outer_table, inner_table) =
            if outer_first { (first, wanted.table) } else { (wanted.table, first) };
        let (by_key, inner_by_key) = match outer_first {
            true => (wanted.by_key[0], wanted.by_key[1]),
            false => (wanted.by_key[1], wanted.by_key[0]),
        };
        let method = self.method(join);
        let looks_up = method == Method::Lookups;
        let access = if looks_up { Access::Point } else { Access::Scan };
        let outer = self.input(
            join.outer,
            outer_table,
            by_key,
            filter(shape, outer_first),
            Access::Scan,
            statements,
        )?;
        let inner = self.input(
            join.inner,
            inner_table,
            inner_by_key,
            filter(shape, !outer_first),
            access,
            statements,
        )?;
        let result_bytes = outer.record_bytes.saturating_add(inner.record_bytes);
        let passing = inner.passing.map_or(self.tables[inner_table].record_count, u64::from);
        let matches = passing as f64 / wanted.values;
        let join = BoundJoin {
            block: (self.number_of)(source),
            method,
            inner,
            values: wanted.values as u32,
            matches,
        };
        Some(BoundQuery { outer, join: Some(join), sort, limit: shape.limit, result_bytes })
    }

    fn table_at(&self, block: BlockIndex) -> Option<usize> {
        let (below, _) = sorted_input(&self.plan.blocks, block);
        let held = table_of(&self.plan.blocks[Input::of(&self.plan.blocks, below)?.block()].spec)?;
        self.tables.iter().position(|table| table.name == held)
    }

    fn method(&self, join: &JoinSpec) -> Method {
        match join.method {
            JoinMethod::Hash { grace } => Method::Hash { grace },
            JoinMethod::SortMerge => Method::SortMerge,
            JoinMethod::NestedLoop { buffer_pages, by_row } => {
                match Input::of(&self.plan.blocks, join.inner)
                    .and_then(|inner| inner.searched(&self.plan.blocks))
                {
                    Some(_) => Method::Lookups,
                    None if by_row => Method::Rows,
                    None => Method::Blocks { pages: buffer_pages - 2 },
                }
            }
        }
    }

    fn input(
        &self,
        block: BlockIndex,
        table: usize,
        by_key: bool,
        passing: Option<u32>,
        access: Access,
        statements: &mut Vec<BoundStatement>,
    ) -> Option<BoundInput> {
        let blocks = &self.plan.blocks;
        let (below, sort) = sorted_input(blocks, block);
        let input = Input::of(blocks, below)?;
        let input = if access == Access::Point { input.searched(blocks)? } else { input };
        let fetch = match input {
            Input::Index { via: Some(via), .. } => match blocks[via].spec {
                Spec::IndexScan { fetch, .. } => fetch,
                _ => FetchSpec::Plain,
            },
            _ => FetchSpec::Plain,
        };
        let indexed = matches!(input, Input::Index { .. });
        let number = statements.len() as u16;
        statements.push(BoundStatement {
            kind: OperationType::Select,
            access: if indexed && access == Access::Scan {
                Access::Range { min_rows: 1, max_rows: u64::from(u32::MAX) }
            } else {
                access
            },
            table: table as u16,
            key: BoundKey::Previous,
            find: (self.find)(input),
            row_ns: if access == Access::Point { self.row_ns.0 } else { self.row_ns.1 },
            missing: false,
            changes_indexed_column: false,
            changed_bytes: 0,
            fetch,
            feeds: access == Access::Scan,
            remember: None,
            locking: RowLocking::Never,
            think_ns: 0,
        });
        let bitmap = matches!(fetch, FetchSpec::Bitmap { .. });
        let stored_in_order = matches!(blocks[input.block()].spec, Spec::Clustered(_));
        Some(BoundInput {
            statement: number,
            table: table as u16,
            by_key,
            refers: Stream::new(self.seed, &format!("references of {}", self.tables[table].name)),
            passing,
            ordered: by_key && sort.is_none() && (indexed && !bitmap || stored_in_order),
            indexed,
            sort: sort.map(|sort| (self.number_of)(sort)),
            record_bytes: self.tables[table].record_bytes,
        })
    }
}
