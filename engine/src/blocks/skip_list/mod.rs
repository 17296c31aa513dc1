//! A skip list (Pugh, "Skip lists: a probabilistic alternative to balanced trees", CACM 33, 1990): which keys are in it, how high
//! their towers are, and how many keys a search compares.
//!
//! A tower has height h with P(h) = (1−p)·p^(h−1), up to a greatest height H. Pugh draws it when a node is made; here it is drawn
//! from the key's rank, so nothing but one bit a key is stored and a key that comes back has its old tower. Keys are chosen without
//! regard to towers, so the law of the towers present is the same.
//!
//! A search compares the key of each node it goes past, the one at which it leaves each level, and for equality the one it ends at, as
//! in LevelDB's `skiplist.h`. A node is gone past if it is at least as high as all between it and the key: the node after j such is, at
//! height h, with probability P(h)·(1−p^h)^j. Summed over j and over keys of equal chance, with n keys and q = p^h:
//!
//! ```text
//! passed on level h < H    (1−p)/p · (1 − (1 − (1−q)^n) / (n·q))
//! passed on level H        p^(H−1) · (n−1)/2                            the walk is linear once n outgrows 1/p^H
//! left on level h          1 − (1−q')·(1 − (1−q')^n) / (n·q'),  q' = p^(h−1)    none where the level ends before the key
//! ```
//!
//! Pugh bounds it by L(n)/p + 1/(1−p) steps, L(n) = log n / log(1/p), and the comparison for equality; the exact mean is up to a
//! quarter below, because lists have ends.

#[cfg(test)]
mod tests;

use super::bits::Bits;
use crate::prng::Stream;

/// Relative change of the number of keys after which the comparisons of a search are computed anew: 1/64.
const STALE_AFTER: u64 = 64;

#[derive(Debug)]
pub(crate) struct SkipList {
    present: Bits,
    towers: Stream,
    probability: f64,
    /// Nodes by height, from 1 to the greatest.
    nodes: Vec<u32>,
    keys: u32,
    /// Of a search, on average, and the number of keys it was computed for.
    comparisons: u64,
    computed_for: u32,
}

impl SkipList {
    pub(crate) fn memory_for(universe: u32) -> u64 {
        Bits::bytes_for(universe)
    }

    /// An empty list over ranks below `universe`.
    pub(crate) fn new(universe: u32, probability: f64, max_height: u32, towers: Stream) -> Self {
        Self {
            present: Bits::new(universe),
            towers,
            probability,
            nodes: vec![0; max_height as usize],
            keys: 0,
            comparisons: 0,
            computed_for: 0,
        }
    }

    pub(crate) fn keys(&self) -> u32 {
        self.keys
    }

    #[inline]
    pub(crate) fn contains(&self, rank: u32) -> bool {
        self.present.get(rank)
    }

    /// The first key at or after `rank`.
    #[inline]
    pub(crate) fn next(&self, rank: u32) -> Option<u32> {
        self.present.next(rank)
    }

    /// The height of a key's tower, whether or not it is in the list.
    pub(crate) fn height_of(&self, rank: u32) -> u32 {
        let mut rng = self.towers.at(u64::from(rank));
        let mut height = 1;
        while height < self.nodes.len() as u32 && rng.unit() < self.probability {
            height += 1;
        }
        height
    }

    /// Adds a key that is not there.
    pub(crate) fn insert(&mut self, rank: u32) {
        debug_assert!(!self.contains(rank));
        self.present.set(rank);
        let height = self.height_of(rank);
        self.nodes[height as usize - 1] += 1;
        self.keys += 1;
        self.refresh();
    }

    /// Removes a key that is there.
    pub(crate) fn remove(&mut self, rank: u32) {
        debug_assert!(self.contains(rank));
        self.present.clear(rank);
        let height = self.height_of(rank);
        self.nodes[height as usize - 1] -= 1;
        self.keys -= 1;
        self.refresh();
    }

    /// Nodes by height, from 1 on.
    pub(crate) fn nodes_by_height(&self) -> &[u32] {
        &self.nodes
    }

    /// Levels that hold nodes: the height of the highest tower.
    pub(crate) fn height(&self) -> usize {
        self.nodes.iter().rposition(|nodes| *nodes > 0).map_or(0, |highest| highest + 1)
    }

    /// Pointers of all nodes.
    pub(crate) fn pointers(&self) -> u64 {
        (1u64..).zip(&self.nodes).map(|(height, nodes)| height * u64::from(*nodes)).sum()
    }

    /// Keys that a search compares on average.
    #[inline]
    pub(crate) fn comparisons(&self) -> u64 {
        self.comparisons
    }

    fn refresh(&mut self) {
        if u64::from(self.keys.abs_diff(self.computed_for)) * STALE_AFTER > u64::from(self.keys) {
            self.computed_for = self.keys;
            let expected = expected_comparisons(self.keys, self.probability, self.nodes.len() as u32);
            self.comparisons = libm::round(expected) as u64;
        }
    }
}

/// Key comparisons of a search for one of `keys` keys, each of equal chance.
pub(crate) fn expected_comparisons(keys: u32, probability: f64, max_height: u32) -> f64 {
    if keys == 0 {
        return 0.0;
    }
    let n = f64::from(keys);
    // 1 − (1−q)^n, also where q is far below the precision of 1−q.
    let any_of = |q: f64| -libm::expm1(n * libm::log1p(-q));
    let passed_and_left = (1..=max_height).map(|height| {
        let reach = libm::pow(probability, f64::from(height - 1));
        let left = 1.0 - (1.0 - reach) * any_of(reach) / (n * reach);
        let passed = if height == max_height {
            reach * (n - 1.0) / 2.0
        } else {
            let higher = reach * probability;
            (1.0 - probability) / probability * (1.0 - any_of(higher) / (n * higher))
        };
        passed + left
    });
    passed_and_left.sum::<f64>() + 1.0
}
