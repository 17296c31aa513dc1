//! Free-space map: one byte a page, the free bytes in steps of 1/256 of a page, with a tree of maxima above it.
//!
//! As PostgreSQL's (`freespace.c`, `fsmpage.c`): searches begin where the last one ended, climb until the maximum suffices and
//! come down to the leftmost page below it. One tree spans the whole heap, where PostgreSQL chains pages of 4,000 entries.

const NO_PAGE: u32 = u32::MAX;

#[derive(Debug, Clone)]
pub(crate) struct FreeSpaceMap {
    step_bytes: u32,
    /// The maxima of `leaves` pages as an implicit binary tree: the root at 1, page p at `leaves + p`.
    nodes: Vec<u8>,
    leaves: u32,
    next: u32,
}

impl FreeSpaceMap {
    pub(crate) fn new(page_size_bytes: u32) -> Self {
        Self { step_bytes: page_size_bytes / 256, nodes: vec![0; 2], leaves: 1, next: 0 }
    }

    /// Pages `from..to`, all with the same free space.
    pub(crate) fn fill(&mut self, from: u32, to: u32, free_bytes: u32) {
        if from >= to {
            return;
        }
        self.reserve(to);
        let category = self.category_of(free_bytes);
        let first = self.leaves as usize;
        self.nodes[first + from as usize..first + to as usize].fill(category);
        self.rebuild();
    }

    pub(crate) fn record(&mut self, page: u32, free_bytes: u32) {
        self.reserve(page + 1);
        let mut node = (self.leaves + page) as usize;
        self.nodes[node] = self.category_of(free_bytes);
        while node > 1 {
            node /= 2;
            let maximum = self.nodes[2 * node].max(self.nodes[2 * node + 1]);
            if self.nodes[node] == maximum {
                break;
            }
            self.nodes[node] = maximum;
        }
    }

    /// A page believed to have this much free space.
    pub(crate) fn search(&mut self, needed_bytes: u32) -> Option<u32> {
        let needed = needed_bytes.div_ceil(self.step_bytes).clamp(1, 255) as u8;
        if self.nodes[1] < needed {
            return None;
        }
        let mut node = self.leaves + self.next.min(self.leaves - 1);
        while node > 1 && self.nodes[node as usize] < needed {
            // One to the right on this level, around the end of it if need be, then up.
            let right = if (node + 1).is_power_of_two() { node.div_ceil(2) } else { node + 1 };
            node = right / 2;
        }
        let mut node = node.max(1);
        while node < self.leaves {
            node = if self.nodes[2 * node as usize] >= needed { 2 * node } else { 2 * node + 1 };
        }
        self.next = node - self.leaves;
        Some(self.next)
    }

    fn category_of(&self, free_bytes: u32) -> u8 {
        (free_bytes / self.step_bytes).min(255) as u8
    }

    fn reserve(&mut self, pages: u32) {
        if pages <= self.leaves {
            return;
        }
        let leaves = pages.checked_next_power_of_two().unwrap_or(NO_PAGE / 2 + 1);
        let mut nodes = vec![0; 2 * leaves as usize];
        let old = self.leaves as usize;
        nodes[leaves as usize..leaves as usize + old].copy_from_slice(&self.nodes[old..]);
        self.nodes = nodes;
        self.leaves = leaves;
        self.rebuild();
    }

    fn rebuild(&mut self) {
        for node in (1..self.leaves as usize).rev() {
            self.nodes[node] = self.nodes[2 * node].max(self.nodes[2 * node + 1]);
        }
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        self.nodes.capacity() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// It finds a page exactly when there is one, and never one whose steps do not cover what is needed.
        #[test]
        fn finds_what_a_list_holds(pages in prop::collection::vec((0u32..300, 0u32..8192), 1..200), needed in 1u32..8192) {
            let mut map = FreeSpaceMap::new(8192);
            let mut model = vec![0u32; 300];
            for (page, free) in pages {
                map.record(page, free);
                model[page as usize] = free;
                let enough = |free: u32| free / 32 >= needed.div_ceil(32).min(255);
                match map.search(needed) {
                    Some(found) => prop_assert!(enough(model[found as usize])),
                    None => prop_assert!(!model.iter().any(|free| enough(*free))),
                }
            }
        }
    }

    #[test]
    fn a_filled_range_is_found_from_where_the_last_search_ended() {
        let mut map = FreeSpaceMap::new(8192);
        map.fill(0, 10, 320);
        assert_eq!(map.search(400), None);
        assert_eq!(map.search(320), Some(0));
        map.record(0, 0);
        assert_eq!(map.search(320), Some(1));
    }
}
