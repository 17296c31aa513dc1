//! LMDB's pages (`mdb.c` of version 0.9: `mdb_leaf_size`, `mdb_branch_size`, `mdb_page_split`).
//!
//! A page has a header of 16 bytes; a node one of 8, its key, its data (or the number of a child, inside the header), rounded up
//! to an even number, and a pointer of 2. The first node of a branch page has no key. A page splits in half; where the new node
//! comes last, its right page gets nothing but that node and the one before it.

use super::shape::{PageShape, TreeShape};

const PAGE_HEADER_BYTES: u32 = 16;
const NODE_HEADER_BYTES: u32 = 8;
const POINTER_BYTES: u32 = 2;
/// A page emptier than this is merged with a neighbour.
const MERGE_THRESHOLD: f64 = 0.25;
/// Below this many nodes, the place of a split is looked for by bytes.
const FEW_NODES: u32 = 32;

impl TreeShape {
    /// Keys with `data_bytes` beside each; absent when two of them do not fit a page, where LMDB takes pages of their own.
    pub(crate) fn lmdb(page_size_bytes: u32, key_bytes: u32, data_bytes: u32) -> Option<Self> {
        let usable_bytes = page_size_bytes - PAGE_HEADER_BYTES;
        let node = |bytes: u32| (NODE_HEADER_BYTES + bytes).next_multiple_of(2) + POINTER_BYTES;
        let (leaf, inner) = (node(key_bytes + data_bytes), node(key_bytes));
        if leaf * 2 > usable_bytes || inner * 3 > usable_bytes {
            return None;
        }
        Some(Self {
            leaf: PageShape::plain(page_size_bytes, usable_bytes, leaf, leaf),
            inner: PageShape::plain(page_size_bytes, usable_bytes, inner, node(0)),
            merge_threshold: MERGE_THRESHOLD,
            sqlite: None,
            innodb: None,
            lmdb: true,
        })
    }
}

impl PageShape {
    /// How many of `items` (one more than fit) stay on the left page; `appended`: the new one is the last.
    pub(super) fn split_as_lmdb(&self, items: u32, appended: bool, leaf: bool) -> u32 {
        let before = items - 1;
        if appended {
            return (before - 1).max(1);
        }
        let large = self.item_bytes - POINTER_BYTES > (self.capacity(true) * self.item_bytes) / 16;
        let half = items / 2;
        if leaf && (before < FEW_NODES || large) { (half + 1).min(before) } else { half }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_fill_pages_as_in_lmdb() {
        let shape = TreeShape::lmdb(4096, 8, 100).unwrap();
        assert_eq!((shape.leaf.item_bytes, shape.leaf.capacity(false)), (118, 34));
        assert_eq!((shape.inner.item_bytes, shape.inner.capacity(false)), (18, 227));
        assert_eq!(shape.leaf.split_as_lmdb(35, false, true), 17);
        assert_eq!(shape.leaf.split_as_lmdb(35, true, true), 33);
        assert!(TreeShape::lmdb(4096, 8, 2_100).is_none());
    }
}
