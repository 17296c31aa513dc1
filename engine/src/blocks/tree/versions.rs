//! A tree whose keys may have entries of older versions beside the current one.

use super::old_entries::{Cleanup, FullLeaf};
use super::{NONE, Tree};

impl Tree {
    /// From now on old entries are kept.
    pub(crate) fn with_versions(mut self) -> Self {
        self.old = Some(Box::default());
        self
    }

    /// Entries of older versions.
    pub(crate) fn old_entries(&self) -> u64 {
        self.old.as_ref().map_or(0, |old| old.count)
    }

    /// Old entries of a leaf, in items: posting lists make them smaller.
    pub(super) fn old_items(&self, leaf: u32) -> u32 {
        let Some(old) = &self.old else { return 0 };
        let item_bytes = self.shape.leaf.item_bytes;
        old.on(leaf) - (old.saved_bytes(leaf, item_bytes) / item_bytes).min(old.on(leaf))
    }

    /// The row of a present rank has moved: it gets a new entry and keeps the old one, which points to `old_page` and can go once
    /// `transaction` is over. `page_of` tells the heap page of a rank's current entry.
    pub(crate) fn add_version(
        &mut self,
        rank: u32,
        (old_page, new_page): (u32, u32),
        (transaction, horizon): (u32, u32),
        page_of: impl Fn(u32) -> u32,
    ) -> Cleanup {
        self.changes.clear();
        let leaf = self.leaf_of(rank);
        // The check of uniqueness.
        self.look_up_old(rank, horizon, |_| {});
        let cleanup = self.make_room(leaf, (rank, old_page), new_page, true, horizon, page_of);
        let Some(old) = &mut self.old else { return cleanup };
        old.add(leaf, rank, old_page, transaction);
        self.split_if_full(leaf);
        cleanup
    }

    /// Before a new key is inserted: takes known dead entries away where its leaf is full.
    pub(crate) fn make_room_for(&mut self, rank: u32, new_page: u32, horizon: u32) -> Cleanup {
        let leaf = self.leaf_of(rank);
        self.make_room(leaf, (NONE, 0), new_page, false, horizon, |_| 0)
    }

    /// A row was deleted: its entry stays until someone finds out.
    pub(crate) fn retire(&mut self, rank: u32, page: u32, transaction: u32) {
        self.changes.clear();
        let leaf = self.leaf_of(rank);
        let Some(old) = &mut self.old else { return };
        old.add(leaf, rank, page, transaction);
        self.present.clear(rank);
        self.keys -= 1;
        self.levels[0].get_mut(leaf).count -= 1;
    }

    /// Rows of older versions that a lookup of this key visits; those it finds gone are marked, and not visited again.
    pub(crate) fn look_up_old(&mut self, rank: u32, horizon: u32, visit: impl FnMut(u32)) {
        let leaf = self.leaf_of(rank);
        if let Some(old) = &mut self.old {
            old.look_up(leaf, rank, horizon, visit);
        }
    }

    /// VACUUM of a leaf: takes old entries of which `is_dead` says so of heap page and transaction; how many.
    pub(crate) fn remove_old_entries(&mut self, leaf: u32, is_dead: impl Fn(u32, u32) -> bool) -> u32 {
        self.old.as_mut().map_or(0, |old| old.remove(leaf, is_dead))
    }

    /// Entries on a page: keys with those of older versions, or children.
    pub(crate) fn items(&self, level: usize, page: u32) -> u32 {
        let old = if level == 0 { self.old_items(page) } else { 0 };
        self.levels[level].get(page).count + old
    }

    /// Bytes of a page that are in use.
    pub(crate) fn used_bytes(&self, level: usize, page: u32) -> u32 {
        let rightmost = self.levels[level].get(page).next == NONE;
        self.shape.page(level).used_bytes(self.items(level, page), rightmost)
    }

    fn make_room(
        &mut self,
        leaf: u32,
        (moved, old_page): (u32, u32),
        new_page: u32,
        duplicate: bool,
        horizon: u32,
        page_of: impl Fn(u32) -> u32,
    ) -> Cleanup {
        let node = self.levels[0].get(leaf);
        let shape = &self.shape.leaf;
        let room = shape.capacity(node.next == NONE).saturating_sub(node.count);
        let full = FullLeaf {
            leaf,
            room_bytes: room * shape.item_bytes,
            item_bytes: shape.item_bytes,
            page_size_bytes: shape.page_size_bytes,
            new_page,
            duplicate,
            horizon,
        };
        let Some(mut old) = self.old.take() else { return Cleanup::default() };
        let cleanup = if old.on(leaf) == 0 || old.free_bytes(&full) >= full.item_bytes {
            Cleanup::default()
        } else {
            old.make_room(&full, || {
                let next = self.levels[0].get(leaf).next;
                let end = if next == NONE { u32::MAX } else { self.levels[0].get(next).start };
                let ranks =
                    std::iter::successors(self.present.next(node.start), |rank| self.present.next(rank + 1));
                let page = |rank| if rank == moved { old_page } else { page_of(rank) };
                ranks.take_while(|rank| *rank < end).map(|rank| (rank, page(rank))).collect()
            })
        };
        self.old = Some(old);
        cleanup
    }

    fn split_if_full(&mut self, leaf: u32) {
        let node = self.levels[0].get(leaf);
        if node.count + self.old_items(leaf) > self.shape.leaf.capacity(node.next == NONE) {
            self.split(0, leaf, false);
        }
    }

    /// The rank at which a leaf is cut so that about `left_items` entries stay on the left, and its keys that stay there.
    /// Absent where every entry has the same key.
    pub(super) fn split_among_old(&self, leaf: u32, left_items: u32) -> Option<(u32, u32)> {
        let old: Vec<u32> = self.old.as_ref().map_or_else(Vec::new, |old| old.ranks(leaf).collect());
        let (mut keys, mut passed, mut next_old) = (0, 0, 0);
        let mut rank = self.levels[0].get(leaf).start;
        let count = self.levels[0].get(leaf).count;
        loop {
            let key = if keys < count { self.present.next(rank) } else { None };
            let lowest = match (key, old.get(next_old)) {
                (Some(key), Some(old)) => key.min(*old),
                (Some(key), None) => key,
                (None, Some(old)) => *old,
                (None, None) => return None,
            };
            if passed >= left_items.max(1) {
                return Some((lowest, keys));
            }
            let same = old[next_old..].iter().take_while(|rank| **rank == lowest).count();
            next_old += same;
            passed += same as u32 + u32::from(key == Some(lowest));
            keys += u32::from(key == Some(lowest));
            rank = lowest.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Tree, TreeShape};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn tree(keys: u32) -> Tree {
        let shape = TreeShape::postgres_index(4096, 120, 0.9, true, 0.0).unwrap();
        let mut tree = Tree::empty(shape, 400).with_versions();
        (0..keys).for_each(|rank| tree.insert(rank));
        tree
    }

    proptest! {
        /// Old entries are never lost or invented: what is there is what was added less what was cleaned up, leaves hold the keys
        /// they should, and no leaf holds more than fits unless all its entries have one key.
        #[test]
        fn entries_balance(steps in prop::collection::vec((0u32..8, 0u32..400, any::<bool>()), 0..600)) {
            let mut tree = tree(200);
            let mut keys: BTreeMap<u32, u32> = (0..200).map(|rank| (rank, 0)).collect();
            let (mut added, mut gone) = (0u64, 0u64);
            for (now, (kind, rank, lagging)) in steps.into_iter().enumerate() {
                let now = now as u32 + 1;
                let horizon = if lagging { 0 } else { now };
                if kind == 0 && keys.remove(&rank).is_some() {
                    tree.retire(rank, rank / 3, now);
                    added += 1;
                } else if let (true, Some(old_page)) = (kind > 1, keys.get(&rank).copied()) {
                    let page = now % 50;
                    let cleanup =
                        tree.add_version(rank, (old_page, page), (now, horizon), |rank| keys[&rank]);
                    gone += cleanup.deleted.iter().map(|entries| u64::from(*entries)).sum::<u64>();
                    keys.insert(rank, page);
                    added += 1;
                } else if kind == 1 && !keys.contains_key(&rank) {
                    let cleanup = tree.make_room_for(rank, 1, horizon);
                    gone += cleanup.deleted.iter().map(|entries| u64::from(*entries)).sum::<u64>();
                    tree.insert(rank);
                    keys.insert(rank, 1);
                }
                prop_assert_eq!(tree.old_entries(), added - gone);
                prop_assert_eq!(tree.keys(), keys.len() as u64);
            }
            let leaves: Vec<u32> = (0..tree.allocated(0)).collect();
            prop_assert_eq!(leaves.iter().map(|leaf| u64::from(tree.leaf_keys(*leaf))).sum::<u64>(), tree.keys());
            for rank in 0..400 {
                prop_assert_eq!(tree.contains(rank), keys.contains_key(&rank));
            }
        }
    }
}
