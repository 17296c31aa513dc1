//! Which path serves an operation. The rule, in order of preference:
//!
//! - **point and range** accesses: a clustered storage the client is connected to (its tree finds the key); an index scan over
//!   an index of the table; an index the client is connected to; a sequential scan; reading a connected heap from end to end.
//! - **scan** accesses: a sequential scan; a connected storage, read from end to end; an index scan in key order; a connected index.
//! - **INSERT** adds the row to the table's storage and an entry to every index of the table the client leads to. UPDATE and
//!   DELETE find their rows by the path above; UPDATE changes the row, and the indexes on other columns if it says that it
//!   changes an indexed one (it does not change keys); DELETE removes the row and its entries. A heap with versions of rows does
//!   what its block says.
//!
//! - **joins and sorts**: a join or a sort the client is connected to (`query.rs`).
//!
//! A hash index serves points alone.
//!
//! Where several blocks qualify, the first on the canvas serves.

use super::{BlockIndex, PlanBlock, Spec};

/// How the rows of one access are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// Search of the tree the rows lie in.
    ClusteredSearch { storage: BlockIndex },
    /// Search of an index, then one fetch a row; the index covers the row where there is no table.
    IndexScan { via: BlockIndex, index: BlockIndex, table: Option<BlockIndex> },
    /// Search of an index the client asks directly; rows of a stored table are fetched as by an index scan.
    IndexSearch { index: BlockIndex, table: Option<BlockIndex> },
    /// Every page of the table, in storage order.
    FullScan { via: Option<BlockIndex>, storage: BlockIndex, read_ahead_pages: u32 },
    /// One page of a heap, where the operation knows its row's place.
    RowId { storage: BlockIndex },
    /// A join, or a sort, and what it reads.
    Query { root: BlockIndex },
}

/// Everything the design has for one table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TablePlan {
    pub(crate) name: String,
    pub(crate) storage: Option<BlockIndex>,
    /// Indexes on the key to maintain, in canvas order.
    pub(crate) indexes: Vec<BlockIndex>,
    /// Indexes on other columns, to maintain too.
    pub(crate) column_indexes: Vec<BlockIndex>,
    /// Point accesses. Absent, as the two others, where only joins and sorts lead to the table.
    pub(crate) point: Option<Route>,
    /// Ranges: no hash index serves them, unless there is nothing else.
    pub(crate) range: Option<Route>,
    /// Accesses without a condition.
    pub(crate) scan: Option<Route>,
}

/// The plan of table `name`; absent when nothing that holds it is reachable.
pub(crate) fn table_plan(name: &str, blocks: &[PlanBlock], client_out: &[BlockIndex]) -> Option<TablePlan> {
    let on_table =
        |block: &BlockIndex| blocks[*block].reachable && table_of(&blocks[*block].spec) == Some(name);
    let all = 0..blocks.len();
    let storage = all.clone().filter(on_table).find(|block| is_storage(&blocks[*block].spec));
    let indexes: Vec<BlockIndex> =
        all.clone().filter(on_table).filter(|block| is_index(&blocks[*block].spec)).collect();
    let column_indexes: Vec<BlockIndex> =
        all.filter(on_table).filter(|block| is_column_index(&blocks[*block].spec)).collect();

    let mut client_out = client_out.to_vec();
    client_out.sort_unstable();
    let connected = |wanted: &dyn Fn(&Spec) -> bool| {
        client_out.iter().copied().find(|block| on_table(block) && wanted(&blocks[*block].spec))
    };
    let clustered = connected(&|spec| matches!(spec, Spec::Clustered(_)))
        .map(|storage| Route::ClusteredSearch { storage });
    let through_index = |wanted: &dyn Fn(&Spec) -> bool| {
        let scan = client_out.iter().find_map(|&via| match blocks[via].spec {
            Spec::IndexScan { index, table, .. } if on_table(&index) && wanted(&blocks[index].spec) => {
                Some(Route::IndexScan { via, index, table })
            }
            _ => None,
        });
        scan.or(connected(wanted).map(|index| Route::IndexSearch { index, table: storage }))
    };
    let (any_index, ordered_index) = (through_index(&is_index), through_index(&is_ordered_index));
    let seq_scan = client_out.iter().find_map(|&via| match blocks[via].spec {
        Spec::SeqScan { table, read_ahead_pages } if on_table(&table) => {
            Some(Route::FullScan { via: Some(via), storage: table, read_ahead_pages })
        }
        _ => None,
    });
    // Without a scan operator nobody reads ahead: one page a request.
    let whole_storage =
        connected(&is_storage).map(|storage| Route::FullScan { via: None, storage, read_ahead_pages: 1 });

    let point = clustered.or(any_index).or(seq_scan).or(whole_storage);
    let range = clustered.or(ordered_index).or(seq_scan).or(whole_storage).or(any_index);
    let scan = seq_scan.or(whole_storage).or(ordered_index).or(any_index);
    let queried = || {
        (0..blocks.len())
            .any(|block| blocks[block].reachable && super::query::tables(blocks, block).contains(&name))
    };
    if point.is_none() && !queried() {
        return None;
    }
    Some(TablePlan { name: name.to_owned(), storage, indexes, column_indexes, point, range, scan })
}

impl Route {
    /// The hash index it goes through, which knows no order.
    pub(crate) fn hash_index(self, blocks: &[PlanBlock]) -> Option<BlockIndex> {
        let (Self::IndexScan { index, .. } | Self::IndexSearch { index, .. }) = self else { return None };
        matches!(blocks[index].spec, Spec::Hash(_)).then_some(index)
    }
}

impl TablePlan {
    /// The path of an access by row id; absent where rows are not in a heap.
    pub(crate) fn row_id(&self, blocks: &[PlanBlock]) -> Option<Route> {
        let storage = self.storage.filter(|block| matches!(blocks[*block].spec, Spec::Heap(_)))?;
        Some(Route::RowId { storage })
    }
}

/// The table a block holds or indexes.
pub(crate) fn table_of(spec: &Spec) -> Option<&str> {
    match spec {
        Spec::Heap(heap) => Some(&heap.table),
        Spec::Clustered(tree) | Spec::BtreeIndex(tree) => Some(&tree.table),
        Spec::Hash(hash) => Some(&hash.table),
        Spec::SkipList(list) => Some(&list.table),
        Spec::Lsm(lsm) => Some(&lsm.table),
        _ => None,
    }
}

fn is_storage(spec: &Spec) -> bool {
    matches!(spec, Spec::Heap(_) | Spec::Clustered(_))
}

/// Whether it finds rows by key.
fn is_index(spec: &Spec) -> bool {
    match spec {
        Spec::BtreeIndex(tree) => tree.column.is_none(),
        Spec::Hash(_) | Spec::SkipList(_) | Spec::Lsm(_) => true,
        _ => false,
    }
}

/// Whether it finds rows in key order.
fn is_ordered_index(spec: &Spec) -> bool {
    is_index(spec) && !matches!(spec, Spec::Hash(_))
}

fn is_column_index(spec: &Spec) -> bool {
    matches!(spec, Spec::BtreeIndex(tree) if tree.column.is_some())
}
