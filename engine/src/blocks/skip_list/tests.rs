use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn list(universe: u32, probability: f64, max_height: u32, seed: u64) -> SkipList {
    SkipList::new(universe, probability, max_height, Stream::new(seed, "towers"))
}

proptest! {
    #[test]
    fn holds_what_a_set_holds(changes in prop::collection::vec((any::<bool>(), 0u32..300), 0..600), from in 0u32..300) {
        let mut list = list(300, 0.25, 6, 1);
        let mut set = BTreeSet::new();
        for (insert, rank) in changes {
            prop_assert_eq!(list.contains(rank), set.contains(&rank));
            if insert && set.insert(rank) {
                list.insert(rank);
            } else if !insert && set.remove(&rank) {
                list.remove(rank);
            }
        }
        prop_assert_eq!(list.keys() as usize, set.len());
        prop_assert_eq!(list.next(from), set.range(from..).next().copied());
        let in_order: Vec<u32> = std::iter::successors(list.next(0), |rank| list.next(rank + 1)).collect();
        prop_assert_eq!(in_order, set.iter().copied().collect::<Vec<_>>());
        let heights: Vec<u32> = set.iter().map(|rank| list.height_of(*rank)).collect();
        prop_assert_eq!(list.pointers(), heights.iter().map(|height| u64::from(*height)).sum::<u64>());
        prop_assert_eq!(list.height(), heights.iter().max().map_or(0, |height| *height as usize));
        for (height, nodes) in (1..).zip(list.nodes_by_height()) {
            prop_assert_eq!(heights.iter().filter(|other| **other == height).count(), *nodes as usize);
        }
        prop_assert_eq!(list.comparisons() == 0, set.is_empty());
    }
}

#[test]
fn heights_are_geometric_up_to_the_greatest() {
    let keys = 200_000;
    for probability in [0.1, 0.25, 0.5] {
        let mut list = list(keys, probability, 6, 3);
        (0..keys).for_each(|rank| list.insert(rank));
        let mut left = 1.0;
        for (height, nodes) in (1..).zip(list.nodes_by_height()) {
            let share = if height == 6 { left } else { left * (1.0 - probability) };
            left -= share;
            let expected = share * f64::from(keys);
            let deviation = (f64::from(*nodes) - expected).abs();
            assert!(
                deviation < 4.5 * expected.sqrt() + 1.0,
                "p {probability} h {height}: {nodes} for {expected}"
            );
        }
    }
}

#[test]
fn towers_depend_on_the_seed() {
    let (one, other) = (list(1_000, 0.5, 12, 1), list(1_000, 0.5, 12, 2));
    assert!((0..1_000).any(|rank| one.height_of(rank) != other.height_of(rank)));
}

/// A list with real towers: at each height, the nodes that reach it, in order.
struct Towers(Vec<Vec<u32>>);

impl Towers {
    fn of(list: &SkipList) -> Self {
        let keys: Vec<u32> = std::iter::successors(list.next(0), |rank| list.next(rank + 1)).collect();
        let reaching = |height: usize| {
            keys.iter().copied().filter(|rank| list.height_of(*rank) as usize > height).collect()
        };
        Self((0..list.height()).map(reaching).collect())
    }

    /// Comparisons of a search from the head down, and the key it ends at.
    fn search(&self, key: u32) -> (u64, Option<u32>) {
        let (mut comparisons, mut passed, mut next) = (0, None, None);
        for level in self.0.iter().rev() {
            // Where the level goes on after the node that the level above was left at.
            let start = passed.map_or(0, |node: u32| level.partition_point(|other| *other <= node));
            next = None;
            for node in &level[start..] {
                comparisons += 1;
                if *node >= key {
                    next = Some(*node);
                    break;
                }
                passed = Some(*node);
            }
        }
        (comparisons + u64::from(next.is_some()), next)
    }
}

#[test]
fn searches_compare_as_many_keys_as_towers_of_this_law_make_them() {
    // The last two outgrow the greatest height: nodes are passed one after the other at the top.
    let cases = [
        (1_000, 0.25, 12, 40),
        (10_000, 0.25, 12, 20),
        (100_000, 0.25, 12, 8),
        (10_000, 0.5, 20, 20),
        (10_000, 0.1, 12, 20),
        (10_000, 0.25, 4, 10),
        (3_000, 0.5, 1, 1),
    ];
    for (keys, probability, max_height, lists) in cases {
        let mut comparisons = 0;
        let mut searches = 0;
        for seed in 0..lists {
            let mut list = list(2 * keys, probability, max_height, seed);
            (0..keys).for_each(|key| list.insert(2 * key));
            let towers = Towers::of(&list);
            for key in (0..keys).step_by(1 + keys as usize / 5_000) {
                let (compared, found) = towers.search(2 * key);
                assert_eq!(found, Some(2 * key));
                comparisons += compared;
                searches += 1;
            }
        }
        let mean = comparisons as f64 / f64::from(searches);
        let expected = expected_comparisons(keys, probability, max_height);
        assert!(
            (mean / expected - 1.0).abs() < 0.04,
            "n {keys} p {probability} H {max_height}: {mean} for {expected}"
        );
    }
}

#[test]
fn comparisons_stay_below_pughs_bound() {
    for probability in [0.1, 0.25, 0.5] {
        for keys in [1_000u32, 1_000_000, 100_000_000] {
            let levels = libm::log(f64::from(keys)) / -libm::log(probability);
            // His steps, and the comparison for equality after the last.
            let bound = levels / probability + 1.0 / (1.0 - probability) + 1.0;
            let expected = expected_comparisons(keys, probability, 32);
            assert!(expected < bound, "n {keys} p {probability}: {expected} above {bound}");
            assert!(expected > 0.6 * bound, "n {keys} p {probability}: {expected} far below {bound}");
        }
    }
}

#[test]
fn comparisons_follow_the_number_of_keys() {
    let mut list = list(100_000, 0.25, 12, 1);
    for rank in 0..100_000 {
        list.insert(rank);
        if rank % 997 == 0 {
            let expected = expected_comparisons(rank + 1, 0.25, 12);
            assert!((list.comparisons() as f64 - expected).abs() < 0.7, "{rank}");
        }
    }
}
