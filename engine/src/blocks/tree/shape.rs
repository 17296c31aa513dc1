//! Page arithmetic of B+trees: how many entries fit, where a page splits, how full bulk loading leaves it.
//!
//! PostgreSQL (nbtree; `nbtsplitloc.c`, `nbtsort.c` of version 15): a page has a 24-byte header and 16 bytes of special space;
//! an entry is an 8-byte header and the key, aligned to 8, plus a 4-byte line pointer. Every page but the rightmost of its
//! level carries a high key; the first entry of an inner page has no key. A page splits where the free space of both halves
//! differs least; the rightmost page of a level splits at the fill factor instead (inner pages: 70 %).

use super::innodb;
use super::sqlite_format::{Cells, POINTER_BYTES};

/// Fill of inner pages, in PostgreSQL.
const INNER_FILL: f64 = 0.7;

/// The arithmetic of one kind of page (leaf or inner).
#[derive(Debug, Clone)]
pub(crate) struct PageShape {
    pub(crate) page_size_bytes: u32,
    usable_bytes: u32,
    pub(crate) item_bytes: u32,
    /// The first item of an inner page may be shorter: it needs no key.
    first_item_bytes: u32,
    /// Kept on every page but the rightmost of its level.
    high_key_bytes: u32,
    /// Added to the high key of a leaf when a split creates it.
    truncation_bytes: u32,
    fill: f64,
    rightmost_split: bool,
    /// Items bulk loading puts on every page but the last.
    pub(crate) bulk_items: u32,
}

impl PageShape {
    /// A page for items of one size, the first of which may be smaller.
    pub(super) fn plain(
        page_size_bytes: u32,
        usable_bytes: u32,
        item_bytes: u32,
        first_item_bytes: u32,
    ) -> Self {
        Self {
            page_size_bytes,
            usable_bytes,
            item_bytes,
            first_item_bytes,
            high_key_bytes: 0,
            truncation_bytes: 0,
            fill: 1.0,
            rightmost_split: false,
            bulk_items: (1 + usable_bytes.saturating_sub(first_item_bytes) / item_bytes).max(2),
        }
    }

    /// Pages of a level that bulk loading fills with `items`.
    pub(crate) fn bulk_pages(&self, items: u64) -> u64 {
        // A page with a high key closes only when one more item arrives, so the last page may hold one above the rest.
        let carried = u64::from(self.high_key_bytes > 0);
        items.saturating_sub(carried).div_ceil(u64::from(self.bulk_items)).max(1)
    }

    /// Items that fit a page.
    pub(crate) fn capacity(&self, rightmost: bool) -> u32 {
        let reserved = self.first_item_bytes + if rightmost { 0 } else { self.high_key_bytes };
        match self.usable_bytes.checked_sub(reserved) {
            None => 0,
            Some(rest) => 1 + rest / self.item_bytes,
        }
    }

    /// How many of `items` (one more than fit) stay on the left page.
    pub(crate) fn split(&self, items: u32, rightmost: bool) -> u32 {
        let bytes =
            |items: u32| i64::from(self.first_item_bytes) + i64::from(items - 1) * i64::from(self.item_bytes);
        let usable = i64::from(self.usable_bytes);
        let high_key = i64::from(self.high_key_bytes);
        let mut best = (f64::INFINITY, items / 2);
        for left in 1..items {
            let left_free = usable - bytes(left) - high_key - i64::from(self.truncation_bytes);
            let right_free = usable - bytes(items - left) - if rightmost { 0 } else { high_key };
            if left_free < 0 || right_free < 0 {
                continue;
            }
            let (left_free, right_free) = (left_free as f64, right_free as f64);
            let uneven = if rightmost && self.rightmost_split {
                self.fill * left_free - (1.0 - self.fill) * right_free
            } else {
                left_free - right_free
            };
            if libm::fabs(uneven) < best.0 {
                best = (libm::fabs(uneven), left);
            }
        }
        best.1
    }

    /// Bytes in use of a page with this many items, headers included.
    pub(crate) fn used_bytes(&self, items: u32, rightmost: bool) -> u32 {
        let entries = match items {
            0 => 0,
            items => self.first_item_bytes + (items - 1) * self.item_bytes,
        };
        let high_key = if rightmost { 0 } else { self.high_key_bytes };
        (self.page_size_bytes - self.usable_bytes + entries + high_key).min(self.page_size_bytes)
    }

    /// Bytes in use of a page with this many items, over those usable.
    fn density(&self, items: u64, pages: u64) -> f64 {
        let high_keys = pages.saturating_sub(1) * u64::from(self.high_key_bytes);
        (items * u64::from(self.item_bytes) + high_keys) as f64
            / (u64::from(self.usable_bytes) * pages) as f64
    }
}

/// The arithmetic of a tree.
#[derive(Debug, Clone)]
pub(crate) struct TreeShape {
    pub(crate) leaf: PageShape,
    pub(crate) inner: PageShape,
    pub(crate) merge_threshold: f64,
    /// Present when the pages are InnoDB's.
    pub(crate) innodb: Option<innodb::Rules>,
    /// Present when the pages are SQLite's, whose entries are not of one size.
    pub(crate) sqlite: Option<Cells>,
    /// Whether the pages are LMDB's.
    pub(crate) lmdb: bool,
}

impl TreeShape {
    /// A PostgreSQL index with keys of `key_bytes`; absent when fewer than three keys fit a page, as there.
    pub(crate) fn postgres_index(
        page_size_bytes: u32,
        key_bytes: u32,
        fill_factor: f64,
        rightmost_split: bool,
        merge_threshold: f64,
    ) -> Option<Self> {
        const LINE_POINTER: u32 = 4;
        let usable_bytes = page_size_bytes.checked_sub(24 + 16)?;
        let item_bytes = (8 + key_bytes).next_multiple_of(8) + LINE_POINTER;
        if item_bytes * 3 > usable_bytes {
            return None;
        }
        let page = |first_item_bytes: u32, truncation_bytes: u32, fill: f64| {
            // Bulk loading starts a new page when the free space, less two line pointers, is below the reserve or the
            // next entry; the last entry then moves over and its copy stays as the high key.
            let reserve = (f64::from(page_size_bytes) * (1.0 - fill) + 1e-6) as u32;
            let needed = reserve.max(item_bytes - LINE_POINTER);
            let after_first = usable_bytes.saturating_sub(first_item_bytes + 2 * LINE_POINTER);
            let bulk_items = after_first.saturating_sub(needed) / item_bytes + 1;
            PageShape {
                page_size_bytes,
                usable_bytes,
                item_bytes,
                first_item_bytes,
                high_key_bytes: item_bytes,
                truncation_bytes,
                fill,
                rightmost_split,
                bulk_items: bulk_items.max(2),
            }
        };
        Some(Self {
            leaf: page(item_bytes, 8, fill_factor),
            inner: page(8 + LINE_POINTER, 0, INNER_FILL),
            merge_threshold,
            innodb: None,
            sqlite: None,
            lmdb: false,
        })
    }

    /// Bytes in use of leaves with this many items in all, over those usable (PostgreSQL's `avg_leaf_density`), or over those
    /// of the pages (InnoDB).
    pub(crate) fn leaf_density(&self, items: u64, pages: u64) -> f64 {
        match &self.innodb {
            Some(rules) => rules.density(items, pages, self.leaf.item_bytes),
            None => self.leaf.density(items, pages),
        }
    }

    /// A tree of SQLite's over ranks below `universe`; the figures are those of a key in the middle.
    pub(crate) fn sqlite(cells: Cells, universe: u32) -> Self {
        let middle = universe / 2;
        let page = |item_bytes: u32, leaf: bool| {
            PageShape::plain(
                cells.page_bytes,
                cells.usable_bytes(leaf),
                item_bytes + POINTER_BYTES,
                item_bytes + POINTER_BYTES,
            )
        };
        Self {
            leaf: page(cells.leaf_cell_bytes(middle), true),
            inner: page(cells.divider_bytes(middle), false),
            merge_threshold: 0.0,
            innodb: None,
            sqlite: Some(cells),
            lmdb: false,
        }
    }

    pub(crate) fn page(&self, level: usize) -> &PageShape {
        if level == 0 { &self.leaf } else { &self.inner }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn int8_index_fits_what_postgres_fits() {
        let shape = TreeShape::postgres_index(8192, 8, 0.9, true, 0.0).unwrap();
        assert_eq!(shape.leaf.item_bytes, 20);
        assert_eq!(shape.leaf.capacity(true), 407);
        assert_eq!(shape.leaf.capacity(false), 406);
        assert_eq!(shape.leaf.bulk_items, 366);
        assert_eq!(shape.leaf.split(408, true), 366);
    }

    #[test]
    fn oversized_items_are_refused() {
        assert!(TreeShape::postgres_index(8192, 2712, 0.9, true, 0.0).is_none());
    }
}
