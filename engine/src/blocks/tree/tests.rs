//! The tree against a model that keeps real keys in real page lists.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::Control;
use crate::prng::Stream;

pub(super) const UNIVERSE: u32 = 4_000;

fn shape(merge_threshold: f64) -> TreeShape {
    // Small pages: 10 keys a leaf at most, so that a few thousand keys make four levels.
    TreeShape::postgres_index(24 + 16 + 10 * 20, 8, 0.8, true, merge_threshold).unwrap()
}

/// A tree built in bulk, whatever memory it takes.
pub(super) fn bulk_tree(
    shape: TreeShape,
    universe: u32,
    present: Bits,
    keys: u64,
    contiguous: Option<u32>,
) -> Tree {
    let control = Control::default();
    let limits = Limits { control: &control, memory_bytes: u64::MAX };
    Tree::bulk(shape, universe, present, keys, contiguous, limits).unwrap()
}

/// Leaves as lists of keys, with the same split rule; no inner pages, no merging.
struct Model {
    leaves: Vec<Vec<u32>>,
    starts: Vec<u32>,
    shape: TreeShape,
}

impl Model {
    fn leaf_of(&self, rank: u32) -> usize {
        self.starts.partition_point(|start| *start <= rank) - 1
    }

    fn insert(&mut self, rank: u32) {
        let leaf = self.leaf_of(rank);
        let keys = &mut self.leaves[leaf];
        let place = keys.partition_point(|key| *key < rank);
        keys.insert(place, rank);
        let rightmost = leaf + 1 == self.starts.len();
        if keys.len() as u32 > self.shape.leaf.capacity(rightmost) {
            let left = self.shape.leaf.split(keys.len() as u32, rightmost) as usize;
            let right = keys.split_off(left);
            self.starts.insert(leaf + 1, right[0]);
            self.leaves.insert(leaf + 1, right);
        }
    }
}

/// Every structural promise of the tree, and its leaves in order.
pub(super) fn verify(tree: &Tree, expected: &BTreeSet<u32>) -> Vec<(u32, Vec<u32>)> {
    assert_eq!(tree.keys(), expected.len() as u64);
    assert!((0..UNIVERSE).all(|rank| tree.contains(rank) == expected.contains(&rank)));
    // Leaves partition the keys, in order; counts are right.
    let mut leaves = Vec::new();
    let mut leaf = tree.leaf_of(0);
    loop {
        let node = tree.levels[0].get(leaf);
        let end = tree.next_leaf(leaf).map_or(UNIVERSE, |(_, start)| start);
        let keys: Vec<u32> = expected.range(node.start..end.max(node.start)).copied().collect();
        assert_eq!(keys.len() as u32, node.count, "leaf {leaf}");
        assert!(node.count <= tree.shape.leaf.capacity(node.next == NONE));
        leaves.push((leaf, keys));
        match tree.next_leaf(leaf) {
            Some((next, _)) => leaf = next,
            None => break,
        }
    }
    assert_eq!(leaves.len() as u64, tree.pages(0));
    for (leaf, keys) in &leaves {
        assert!(keys.iter().all(|key| tree.leaf_of(*key) == *leaf));
    }
    // Each level above holds every page below exactly once, in order.
    for level in 1..tree.height() {
        let mut page = {
            let mut path = Path { pages: [0; MAX_LEVELS], height: 0 };
            tree.path(0, &mut path);
            path.pages[level]
        };
        let mut below: Option<u32> = None;
        let mut pages = 0;
        while page != NONE {
            let node = tree.levels[level].get(page);
            let mut child = node.start;
            for _ in 0..node.count {
                if let Some(previous) = below {
                    assert_eq!(tree.levels[level - 1].get(previous).next, child);
                }
                assert_eq!(tree.levels[level - 1].get(child).parent, page);
                below = Some(child);
                child = tree.levels[level - 1].get(child).next;
            }
            pages += 1;
            page = node.next;
        }
        assert_eq!(pages, tree.pages(level));
        assert_eq!(below.map(|last| tree.levels[level - 1].get(last).next), Some(NONE));
    }
    assert_eq!(tree.pages(tree.height() - 1), 1);
    leaves
}

fn bulk(keys: &BTreeSet<u32>, contiguous: Option<u32>, merge_threshold: f64) -> Tree {
    let mut present = Bits::new(UNIVERSE);
    keys.iter().for_each(|key| present.set(*key));
    bulk_tree(shape(merge_threshold), UNIVERSE, present, keys.len() as u64, contiguous)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn inserts_agree_with_the_model(seed in any::<u64>(), count in 1usize..1500, order in 0..4) {
        let mut ranks: Vec<u32> = (0..UNIVERSE).collect();
        let mut rng = Stream::new(seed, "ranks").at(0);
        match order {
            0 => {}
            1 => ranks.reverse(),
            2 => ranks.sort_by_key(|rank| (rank % 7, *rank)),
            _ => (1..ranks.len()).rev().for_each(|last| ranks.swap(last, rng.below(last as u64 + 1) as usize)),
        }
        let mut tree = Tree::empty(shape(0.0), UNIVERSE);
        let mut model = Model { leaves: vec![Vec::new()], starts: vec![0], shape: shape(0.0) };
        for rank in &ranks[..count] {
            tree.insert(*rank);
            model.insert(*rank);
        }
        let leaves: Vec<Vec<u32>> =
            verify(&tree, &ranks[..count].iter().copied().collect()).into_iter().map(|(_, keys)| keys).collect();
        prop_assert_eq!(leaves, model.leaves);
    }

    #[test]
    fn changes_after_bulk_loading_keep_every_promise(
        seed in any::<u64>(),
        loaded in 0u32..1200,
        spread in any::<bool>(),
        steps in 1usize..900,
        threshold in prop::sample::select(vec![0.0, 0.3, 0.5]),
        removals in 0u64..100,
    ) {
        let mut rng = Stream::new(seed, "steps").at(0);
        let stride = if spread { 3 } else { 1 };
        let base = 40;
        let mut keys: BTreeSet<u32> = (0..loaded).map(|i| base + i * stride).filter(|key| *key < UNIVERSE).collect();
        let mut tree = bulk(&keys, (!spread && loaded > 0).then_some(base), threshold);
        verify(&tree, &keys);
        for _ in 0..steps {
            let rank = rng.below(u64::from(UNIVERSE)) as u32;
            if rng.below(100) < removals {
                let Some(victim) = tree.next_present(rank) else { continue };
                keys.remove(&victim);
                tree.remove(victim);
            } else if keys.insert(rank) {
                tree.insert(rank);
            }
        }
        verify(&tree, &keys);
    }
}

#[test]
fn bulk_and_explicit_pages_agree_on_paths() {
    let keys: BTreeSet<u32> = (0..3_000).collect();
    let implicit = bulk(&keys, Some(0), 0.0);
    let mut explicit = bulk(&keys, None, 0.0);
    for level in 0..explicit.height() {
        for page in 0..explicit.allocated(level) {
            explicit.levels[level].get_mut(page);
        }
    }
    assert!(implicit.height() >= 4);
    let mut paths = [Path { pages: [0; MAX_LEVELS], height: 0 }; 2];
    for rank in 0..3_000 {
        implicit.path(rank, &mut paths[0]);
        explicit.path(rank, &mut paths[1]);
        assert_eq!(paths[0].pages, paths[1].pages);
    }
}

#[test]
fn removing_everything_leaves_one_page() {
    let keys: BTreeSet<u32> = (0..3_000).collect();
    let mut tree = bulk(&keys, Some(0), 0.5);
    for rank in 0..3_000 {
        tree.remove(rank);
    }
    assert_eq!((tree.height(), tree.pages(0), tree.keys()), (1, 1, 0));
    // Nothing of the old shape is left in the way of new keys.
    for rank in (0..3_000).rev() {
        tree.insert(rank);
    }
    verify(&tree, &keys);
}
