//! What joins cost by their textbook formulas, and when another join than the one on the canvas would cost far less.
//!
//! Pages M and N of the outer and the inner side, B of memory: in blocks M + ⌈M/(B−2)⌉·N; with an inner index M + |R|·c, c pages
//! a search and a fetch; sort-merge M + N + 2·pages·(passes − 1) where the last merge feeds the join; hash M + N in memory, else
//! M + N and twice what does not fit.

use super::Method;
use super::tuplesort::minimal_tuple_bytes;
use crate::kernel::{Kernel, Storage};
use crate::plan::BlockIndex;
use crate::report::Warning;

/// How many times the pages of the cheapest join are far more.
const FAR: f64 = 3.0;
const BLOCK_BYTES: f64 = 8192.0;

/// Costs of one join by formula.
pub(crate) struct Advice {
    /// Of the join on the canvas.
    pub(crate) pages: f64,
    pub(crate) outer_pages: u64,
    pub(crate) inner_pages: u64,
    /// The cheapest of all: what to use, and its pages.
    best: (&'static str, f64),
    name: &'static str,
}

/// Sizes of a side.
struct SideSize {
    pages: f64,
    rows: f64,
    /// Of its rows in temporary files.
    temp_pages: f64,
}

/// Passes over a side that is sorted, its first one included: runs as long as the memory, merged as many at a time as the
/// memory has pages but one.
pub(super) fn sort_passes(pages: f64, memory_pages: f64) -> f64 {
    let runs = libm::ceil(pages / memory_pages);
    if runs <= 1.0 {
        1.0
    } else {
        1.0 + libm::ceil(libm::log(runs) / libm::log((memory_pages - 1.0).max(2.0)))
    }
}

/// Pages of a join in blocks of the outer side.
pub(super) fn block_nested_loop_pages(outer: f64, inner: f64, memory_pages: f64) -> f64 {
    outer + libm::ceil(outer / (memory_pages - 2.0).max(1.0)) * inner
}

impl Kernel<'_> {
    /// What the join at a block costs by formula, with the sizes the tables have now; absent where no operation uses it.
    pub(crate) fn advice(&self, block: BlockIndex) -> Option<Advice> {
        let used = |number: u16| self.query_blocks[usize::from(number)].block == block;
        let query =
            self.queries.iter().find(|query| query.join.as_ref().is_some_and(|join| used(join.block)))?;
        let join = query.join.as_ref()?;
        let memory_bytes = self.query_blocks[usize::from(join.block)].memory_bytes as f64;
        let memory_pages = (memory_bytes / BLOCK_BYTES).max(3.0);
        let size = |input: &super::BoundInput| {
            let table = &self.tables[usize::from(input.table)];
            let rows = input.passing.map_or(table.arrived as f64, f64::from);
            let pages = match (table.storage, table.indexes.first()) {
                (Some(Storage::Heap(heap)), _) => f64::from(self.heaps[usize::from(heap)].pages()),
                (Some(Storage::Tree(tree)), _) | (None, Some(&tree)) => {
                    self.trees[usize::from(tree)].tree.pages(0) as f64
                }
                _ => 0.0,
            };
            let temp_pages = rows * minimal_tuple_bytes(input.record_bytes) as f64 / BLOCK_BYTES;
            SideSize { pages, rows, temp_pages }
        };
        let (outer, inner) = (size(&query.outer), size(&join.inner));
        let read = outer.pages + inner.pages;
        let in_blocks = block_nested_loop_pages(outer.pages, inner.pages, memory_pages);
        let in_rows = outer.pages + outer.rows * inner.pages;
        let sides = [(&outer, query.outer.ordered), (&inner, join.inner.ordered)];
        let sort_merge = read
            + sides
                .iter()
                .filter(|(_, ordered)| !ordered)
                .map(|(side, _)| 2.0 * side.temp_pages * (sort_passes(side.temp_pages, memory_pages) - 1.0))
                .sum::<f64>();
        let spilled = (1.0 - memory_pages / inner.temp_pages.max(1.0)).max(0.0);
        let hybrid = read + 2.0 * spilled * (outer.temp_pages + inner.temp_pages);
        let grace = if spilled > 0.0 { read + 2.0 * (outer.temp_pages + inner.temp_pages) } else { read };
        let lookups = self
            .search_pages(join.inner.table)
            .filter(|_| join.inner.by_key)
            .map(|pages| outer.pages + outer.rows * pages);
        let (name, pages) = match join.method {
            Method::Lookups => ("an index nested loop", lookups?),
            Method::Blocks { .. } => ("a block nested loop", in_blocks),
            Method::Rows => ("a nested loop row by row", in_rows),
            Method::SortMerge => ("a sort-merge-join", sort_merge),
            Method::Hash { grace: true } => ("a grace hash-join", grace),
            Method::Hash { grace: false } => ("a hash-join", hybrid),
        };
        let mut best = ("a hash-join", hybrid);
        let others = [
            Some(("a sort-merge-join", sort_merge)),
            Some(("a block nested loop", in_blocks)),
            lookups.map(|pages| ("a nested-loop-join with the inner index", pages)),
        ];
        for other in others.into_iter().flatten() {
            if other.1 < best.1 {
                best = other;
            }
        }
        let (outer_pages, inner_pages) = (outer.pages as u64, inner.pages as u64);
        Some(Advice { pages, outer_pages, inner_pages, best, name })
    }

    /// Pages of a search by key and the fetch of its row, where an index or a clustered storage of the table serves it.
    fn search_pages(&self, table: u16) -> Option<f64> {
        let table = &self.tables[usize::from(table)];
        let height = |tree: u16| self.trees[usize::from(tree)].tree.height() as f64;
        match (table.storage, table.indexes.first()) {
            (Some(Storage::Tree(tree)), _) => Some(height(tree)),
            (Some(Storage::Heap(_)), Some(index)) => Some(height(*index) + 1.0),
            (None, Some(index)) => Some(height(*index)),
            (Some(Storage::Heap(_)), None) if !table.hashes.is_empty() => Some(3.0),
            _ => None,
        }
    }

    /// Joins of which another kind would cost far less, and what was kept in memory because there was no place for files.
    pub(crate) fn query_warnings(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        for query in &self.query_blocks {
            let block = &self.plan.blocks[query.block];
            let mut warn = |code: &str, message: String| {
                let block_id = Some(block.id.clone());
                warnings.push(Warning { code: code.to_owned(), message, block_id });
            };
            if let Some(advice) = self.advice(query.block).filter(|advice| advice.pages > FAR * advice.best.1)
            {
                warn(
                    "JOIN_FAR_FROM_CHEAPEST",
                    format!(
                        "\"{}\" is {} of about {:.0} pages by its formula; {} over the same tables and with as much memory takes about {:.0}",
                        block.id, advice.name, advice.pages, advice.best.0, advice.best.1
                    ),
                );
            }
            if query.kept_bytes > 0 {
                warn(
                    "SPILL_NOT_CONNECTED",
                    format!(
                        "\"{}\" kept {} bytes more in memory than it may, because its \"spill\" port leads nowhere: connect it to a \
                         device or a buffer pool",
                        block.id, query.kept_bytes
                    ),
                );
            }
        }
        warnings
    }
}
