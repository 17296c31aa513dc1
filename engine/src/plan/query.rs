//! Joins and sorts: their parameters, what they may read, and which of them serves a query.

use super::{BlockIndex, PlanBlock, Route, Spec};
use crate::design::{Code, Diagnostic};
use crate::plan::route::table_of;
use crate::workload::query::QueryShape;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JoinSpec {
    pub(crate) method: JoinMethod,
    pub(crate) outer: BlockIndex,
    pub(crate) inner: BlockIndex,
    pub(crate) spill: Option<BlockIndex>,
    /// What it may hold: a hash table, or each of two sorts.
    pub(crate) memory_bytes: u64,
    pub(crate) page_size_bytes: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JoinMethod {
    /// Where the inner side is no index that can be searched: a block of outer pages for each scan of the inner side, or a row.
    NestedLoop {
        buffer_pages: u32,
        by_row: bool,
    },
    Hash {
        grace: bool,
    },
    SortMerge,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SortSpec {
    pub(crate) input: BlockIndex,
    pub(crate) spill: Option<BlockIndex>,
    pub(crate) memory_bytes: u64,
    pub(crate) page_size_bytes: u32,
}

/// What a join or a sort reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    /// Every page of a storage.
    Scan { via: Option<BlockIndex>, storage: BlockIndex, read_ahead_pages: u32 },
    /// An index, or a storage that is a tree, in key order or searched by key.
    Index { via: Option<BlockIndex>, index: BlockIndex, table: Option<BlockIndex> },
}

impl Input {
    /// What a block is as an input; absent for what is none.
    pub(crate) fn of(blocks: &[PlanBlock], block: BlockIndex) -> Option<Self> {
        match &blocks[block].spec {
            Spec::SeqScan { table, read_ahead_pages } => {
                Some(Input::Scan { via: Some(block), storage: *table, read_ahead_pages: *read_ahead_pages })
            }
            Spec::IndexScan { index, table, .. } => {
                Some(Input::Index { via: Some(block), index: *index, table: *table })
            }
            Spec::Heap(_) | Spec::Clustered(_) => {
                Some(Input::Scan { via: None, storage: block, read_ahead_pages: 1 })
            }
            Spec::BtreeIndex(_) | Spec::Hash(_) | Spec::SkipList(_) | Spec::Lsm(_) => {
                Some(Input::Index { via: None, index: block, table: None })
            }
            _ => None,
        }
    }

    /// The block that holds its rows, or its index.
    pub(crate) fn block(self) -> BlockIndex {
        match self {
            Input::Scan { storage, .. } => storage,
            Input::Index { index, .. } => index,
        }
    }

    /// The same, searched by key, where that can be.
    pub(crate) fn searched(self, blocks: &[PlanBlock]) -> Option<Self> {
        match self {
            Input::Index { .. } => Some(self),
            Input::Scan { via, storage, .. } if matches!(blocks[storage].spec, Spec::Clustered(_)) => {
                // A scan operator was put there to scan.
                via.is_none().then_some(Input::Index { via, index: storage, table: None })
            }
            Input::Scan { .. } => None,
        }
    }

    /// Whether its rows can be read one after the other.
    fn is_read(self, blocks: &[PlanBlock]) -> bool {
        match self {
            Input::Scan { .. } => true,
            Input::Index { index, .. } => matches!(blocks[index].spec, Spec::BtreeIndex(_)),
        }
    }
}

/// An input and the sort before it, if there is one.
pub(crate) fn sorted_input(blocks: &[PlanBlock], block: BlockIndex) -> (BlockIndex, Option<BlockIndex>) {
    match &blocks[block].spec {
        Spec::Sort(sort) => (sort.input, Some(block)),
        _ => (block, None),
    }
}

/// The tables that a join or a sort reads.
pub(crate) fn tables(blocks: &[PlanBlock], block: BlockIndex) -> Vec<&str> {
    let inputs = match &blocks[block].spec {
        Spec::Join(join) => vec![join.outer, join.inner],
        Spec::Sort(sort) => vec![sort.input],
        _ => return Vec::new(),
    };
    let held = |from| {
        let (below, _) = sorted_input(blocks, from);
        table_of(&blocks[Input::of(blocks, below)?.block()].spec)
    };
    inputs.into_iter().filter_map(held).collect()
}

/// Inputs that no join or sort can read.
pub(super) fn check(blocks: &[PlanBlock], found: &mut Vec<Diagnostic>) {
    for (index, block) in blocks.iter().enumerate() {
        // What is wrong with one of its inputs.
        let problem = |port: &str, from: BlockIndex, searched: bool| {
            let (id, kind) = (&blocks[from].id, blocks[from].kind);
            match Input::of(blocks, from) {
                None => Some(format!(
                    "\"{}\" cannot read {kind} \"{id}\" on its \"{port}\" port: a join or a sort reads a scan, a storage or an index, and \
                     of joins only a sort does",
                    block.id
                )),
                Some(input) if !searched && !input.is_read(blocks) => Some(format!(
                    "\"{}\" would have to read all of \"{}\", which finds single keys only: connect its \"{port}\" port to a scan, a \
                     storage or a B+tree",
                    block.id,
                    blocks[input.block()].id
                )),
                Some(_) => None,
            }
        };
        let mut problems = Vec::new();
        match &block.spec {
            Spec::Join(join) => {
                let nested = matches!(join.method, JoinMethod::NestedLoop { .. });
                for (port, from, searched) in [("outer", join.outer, false), ("inner", join.inner, nested)] {
                    let (below, sort) = sorted_input(blocks, from);
                    if sort.is_some() && join.method != JoinMethod::SortMerge {
                        problems.push(format!(
                            "\"{}\" does not need sorted rows: connect its \"{port}\" port to what sort \"{}\" reads",
                            block.id, blocks[from].id
                        ));
                        continue;
                    }
                    problems.extend(problem(port, below, searched));
                }
            }
            Spec::Sort(sort) if !matches!(blocks[sort.input].spec, Spec::Join(_)) => {
                problems.extend(problem("input", sort.input, false));
            }
            _ => {}
        }
        found.extend(problems.into_iter().map(|message| {
            let path = ["blocks", &index.to_string()];
            Diagnostic::error(Code::PortMismatch, &path, message).at_block(&block.id)
        }));
    }
}

/// The join or the sort, among those the client is connected to, that serves a query over these tables; the first on the canvas.
pub(crate) fn route(
    blocks: &[PlanBlock],
    entries: &[BlockIndex],
    tables: (&str, Option<&str>),
    ordered: bool,
) -> Option<Route> {
    let mut out = entries.to_vec();
    out.sort_unstable();
    let table_at = |block: BlockIndex| {
        let (below, _) = sorted_input(blocks, block);
        table_of(&blocks[Input::of(blocks, below)?.block()].spec)
    };
    let joins = |block: BlockIndex| {
        let Spec::Join(join) = &blocks[block].spec else { return false };
        let Some(second) = tables.1 else { return false };
        let (outer, inner) = (table_at(join.outer), table_at(join.inner));
        [(tables.0, second), (second, tables.0)]
            .iter()
            .any(|(one, other)| outer == Some(*one) && inner == Some(*other))
    };
    let sorts = |block: BlockIndex| {
        let Spec::Sort(sort) = &blocks[block].spec else { return false };
        match tables.1 {
            Some(_) => joins(sort.input),
            None => {
                !matches!(blocks[sort.input].spec, Spec::Join(_)) && table_at(sort.input) == Some(tables.0)
            }
        }
    };
    let find = |wanted: &dyn Fn(BlockIndex) -> bool| out.iter().copied().find(|block| wanted(*block));
    let root = if ordered { find(&sorts) } else { find(&joins).or_else(|| find(&sorts)) };
    root.map(|root| Route::Query { root })
}

/// Why no block serves a query.
pub(crate) fn no_route(tables: (&str, Option<&str>), ordered: bool, operation: usize) -> Diagnostic {
    let message = match tables {
        (one, Some(other)) if ordered => format!(
            "operation {operation} joins \"{one}\" and \"{other}\" and sorts the result: connect the client to a sort whose \"input\" is a \
             join with these tables on its \"outer\" and \"inner\" ports"
        ),
        (one, Some(other)) => format!(
            "operation {operation} joins \"{one}\" and \"{other}\": connect the client to a nested-loop-join, a hash-join or a \
             sort-merge-join with these tables on its \"outer\" and \"inner\" ports"
        ),
        (one, None) => format!(
            "operation {operation} sorts the rows of \"{one}\" by a column that is not its key: connect the client to a sort whose \
             \"input\" reads this table"
        ),
    };
    Diagnostic::error(Code::TableNotStored, &["blocks"], message)
}

/// An inner index is on its table's key: it finds the rows of a join by that key alone.
pub(crate) fn check_lookups(
    blocks: &[PlanBlock],
    route: Route,
    tables: (&str, Option<&str>),
    shape: &QueryShape,
    operation: usize,
) -> Result<(), Diagnostic> {
    let Route::Query { root } = route else { return Ok(()) };
    let source = match &blocks[root].spec {
        Spec::Sort(sort) => sort.input,
        _ => root,
    };
    let (Spec::Join(join), Some(joined)) = (&blocks[source].spec, &shape.join) else { return Ok(()) };
    if !matches!(join.method, JoinMethod::NestedLoop { .. }) {
        return Ok(());
    }
    let Some(inner) = Input::of(blocks, join.inner).and_then(|inner| inner.searched(blocks)) else {
        return Ok(());
    };
    let inner_table = table_of(&blocks[inner.block()].spec);
    // Of a table that is joined to itself the second one is the inner.
    let by_key = if inner_table == tables.1 { joined.by_key[1] } else { joined.by_key[0] };
    if by_key {
        return Ok(());
    }
    let message = format!(
        "operation {operation} does not join by the key of \"{}\", so \"{}\" cannot be searched for its rows: exchange outer and inner of \
         \"{}\", connect a scan, or use another join",
        inner_table.unwrap_or_default(),
        blocks[inner.block()].id,
        blocks[source].id
    );
    Err(Diagnostic::error(Code::TableNotStored, &["blocks", &source.to_string()], message)
        .at_block(&blocks[source].id))
}
