//! InnoDB's trees against pages that keep real keys in lists, and against shapes measured on MariaDB 10.11.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::tests::{UNIVERSE, bulk_tree, verify};
use super::super::{Bits, Tree, TreeShape};
use crate::prng::Stream;

const PAGE: u32 = 4096;
const RECORD: u32 = 298;

/// A page as InnoDB sees it: records, places of its heap that are in use or were, the record inserted last.
#[derive(Default, Clone)]
struct Page {
    keys: Vec<u32>,
    places: u32,
    last: Option<u32>,
}

impl Page {
    fn free(&self, places: u32) -> i64 {
        i64::from(PAGE) - 132 - i64::from(places * RECORD) - i64::from((2 * (places + 1)).div_ceil(4))
    }

    fn free_when_reorganised(&self) -> i64 {
        self.free(self.keys.len() as u32)
    }

    fn put(&mut self, key: u32) {
        let place = self.keys.partition_point(|other| *other < key);
        self.keys.insert(place, key);
        self.places = self.places.max(self.keys.len() as u32);
        self.last = Some(key);
    }
}

/// The leaves of a tree of two levels.
struct Model {
    pages: Vec<Page>,
    starts: Vec<u32>,
    reserve: i64,
    runs: bool,
    merge_below: u32,
}

impl Model {
    fn new(reserve: i64, runs: bool, merge_below: u32) -> Self {
        Self { pages: vec![Page::default()], starts: vec![0], reserve, runs, merge_below }
    }

    fn page_of(&self, key: u32) -> usize {
        self.starts.partition_point(|start| *start <= key) - 1
    }

    fn insert(&mut self, key: u32) {
        let index = self.page_of(key);
        let record = i64::from(RECORD);
        let page = &self.pages[index];
        let records = page.keys.len();
        let place = page.keys.partition_point(|other| *other < key);
        let mut up = self.runs && place > 0 && page.last == Some(page.keys[place - 1]);
        let mut down = self.runs && place < records && page.last == Some(page.keys[place]);
        let free = page.free_when_reorganised();
        let garbage = page.places > records as u32;
        let early = self.reserve > 0 && records >= 2 && self.reserve + record > free && (up || down);
        let scattered =
            garbage && free < i64::from(PAGE / 32) && records > 1 && page.free(page.places) < record;
        if !early && !scattered && free >= record {
            return self.pages[index].put(key);
        }
        if self.pages.len() == 1 {
            self.pages[index].places = records as u32;
            (up, down) = (false, false);
        } else if place == records
            && self.pages.get(index + 1).is_some_and(|next| next.free_when_reorganised() >= record)
        {
            self.starts[index + 1] = key;
            return self.pages[index + 1].put(key);
        }
        // The first record that is there already and goes to the upper page; none: the new record begins it.
        let split = if up {
            (place + 1 < records).then_some(place + 1)
        } else if down {
            Some(if place < 2 { place } else { place - 1 })
        } else {
            Some(records / 2)
        };
        let page = &mut self.pages[index];
        let at = split.unwrap_or(place);
        let first = split.map_or(key, |split| page.keys[split]);
        let upper = page.keys.split_off(at);
        let fresh = |keys: Vec<u32>| Page { places: keys.len() as u32, keys, last: None };
        let (mut left, mut right);
        if down && !up {
            // The lower records moved to a new page.
            let moved = std::mem::take(&mut page.keys);
            right = Page { keys: upper, places: page.places, last: page.last.filter(|_| moved.is_empty()) };
            left = fresh(moved);
        } else {
            left = Page {
                keys: std::mem::take(&mut page.keys),
                places: page.places,
                last: page.last.filter(|_| upper.is_empty()),
            };
            right = fresh(upper);
        }
        if key < first {
            left.put(key)
        } else {
            right.put(key)
        }
        self.pages[index] = left;
        self.pages.insert(index + 1, right);
        self.starts.insert(index + 1, first);
    }

    fn remove(&mut self, key: u32) {
        let index = self.page_of(key);
        let page = &mut self.pages[index];
        page.keys.retain(|other| *other != key);
        page.last = None;
        if page.keys.is_empty() {
            page.places = 0;
        }
        let records = page.keys.len() as u32;
        if self.pages.len() == 1 || records * RECORD >= self.merge_below {
            return;
        }
        let fits = |sibling: &Page| {
            let both = sibling.keys.len() as u32 + records;
            both * RECORD + (2 * both).div_ceil(4) <= PAGE - 132
        };
        let left = (index > 0 && fits(&self.pages[index - 1])).then(|| index - 1);
        let right = (index + 1 < self.pages.len() && fits(&self.pages[index + 1])).then_some(index);
        let Some(first) = left.or(right) else { return };
        let from = self.pages[index].clone();
        let into = &mut self.pages[if first == index { index + 1 } else { first }];
        let all = into.places + records;
        if all * RECORD + (2 * all).div_ceil(4) > PAGE - 132 {
            into.places = into.keys.len() as u32;
        }
        into.keys.extend(from.keys);
        into.keys.sort_unstable();
        into.places = into.places.max(into.keys.len() as u32);
        into.last = None;
        let joined = into.clone();
        self.pages[first] = joined;
        self.pages.remove(first + 1);
        self.starts.remove(first + 1);
        if self.pages.len() == 1 {
            self.pages[0].places = self.pages[0].keys.len() as u32;
        }
    }
}

/// Clustered: with a reserve of 1/16; otherwise a secondary index. Both with records of the same size.
fn shape(clustered: bool, runs: bool, merge_threshold: f64) -> TreeShape {
    if clustered {
        TreeShape::innodb_clustered(PAGE, RECORD - 18, 8, 0.9375, runs, merge_threshold).unwrap()
    } else {
        TreeShape::innodb_secondary(PAGE, RECORD - 13, 8, 0.9375, runs, merge_threshold).unwrap()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn leaves_agree_with_lists_of_keys(
        seed in any::<u64>(),
        count in 1usize..1_000,
        order in 0..5,
        clustered in any::<bool>(),
        runs in any::<bool>(),
        threshold in prop::sample::select(vec![0.0, 0.3, 0.5]),
        removals in 0u64..60,
    ) {
        let mut ranks: Vec<u32> = (0..UNIVERSE).collect();
        let mut rng = Stream::new(seed, "ranks").at(0);
        match order {
            0 => {}
            1 => ranks.reverse(),
            2 => ranks.sort_by_key(|rank| (rank % 7, *rank)),
            3 => ranks.sort_by_key(|rank| (rank % 600, *rank)),
            _ => (1..ranks.len()).rev().for_each(|last| ranks.swap(last, rng.below(last as u64 + 1) as usize)),
        }
        // Clustered inner pages take 200 node pointers, secondary ones fewer than the leaves there could be.
        let count = if clustered { count } else { count.min(70) };
        let mut tree = Tree::empty(shape(clustered, runs, threshold), UNIVERSE);
        let merge_below = (threshold * f64::from(PAGE)).ceil() as u32;
        let mut model = Model::new(if clustered { 256 } else { 0 }, runs, merge_below);
        let mut keys = BTreeSet::new();
        for rank in &ranks[..count] {
            tree.insert(*rank);
            model.insert(*rank);
            keys.insert(*rank);
            while rng.below(100) < removals && !keys.is_empty() {
                let from = rng.below(u64::from(UNIVERSE)) as u32;
                let Some(victim) = keys.range(from..).next().copied() else { continue };
                keys.remove(&victim);
                tree.remove(victim);
                model.remove(victim);
            }
        }
        let leaves: Vec<Vec<u32>> = verify(&tree, &keys).into_iter().map(|(_, keys)| keys).collect();
        let expected: Vec<Vec<u32>> = model.pages.into_iter().map(|page| page.keys).collect();
        prop_assert_eq!(leaves, expected);
    }

    #[test]
    fn trees_of_many_levels_keep_every_promise(
        seed in any::<u64>(),
        loaded in 0u32..1_500,
        spread in any::<bool>(),
        steps in 1usize..1_500,
        threshold in prop::sample::select(vec![0.0, 0.3, 0.5]),
        removals in 0u64..100,
        clustered in any::<bool>(),
    ) {
        // Three to five records a page, so that a few thousand make many levels.
        let shape = match clustered {
            true => TreeShape::innodb_clustered(1_024, 200, 180, 0.9, true, threshold).unwrap(),
            false => TreeShape::innodb_secondary(1_024, 150, 20, 1.0, true, threshold).unwrap(),
        };
        let stride = if spread { 2 } else { 1 };
        let mut keys: BTreeSet<u32> = (0..loaded).map(|i| 9 + i * stride).filter(|key| *key < UNIVERSE).collect();
        let mut present = Bits::new(UNIVERSE);
        keys.iter().for_each(|key| present.set(*key));
        let contiguous = (!spread && loaded > 0).then_some(9);
        let mut tree = bulk_tree(shape, UNIVERSE, present, keys.len() as u64, contiguous);
        verify(&tree, &keys);
        let mut rng = Stream::new(seed, "steps").at(0);
        let mut run = rng.below(u64::from(UNIVERSE)) as u32;
        for _ in 0..steps {
            run = if rng.below(10) == 0 { rng.below(u64::from(UNIVERSE)) as u32 } else { (run + 1) % UNIVERSE };
            if rng.below(100) < removals {
                let Some(victim) = tree.next_present(run) else { continue };
                keys.remove(&victim);
                tree.remove(victim);
            } else if keys.insert(run) {
                tree.insert(run);
            }
        }
        verify(&tree, &keys);
    }
}

#[test]
fn removing_everything_leaves_one_page_as_if_new() {
    let keys: BTreeSet<u32> = (0..3_000).collect();
    let shape = TreeShape::innodb_clustered(1_024, 200, 180, 0.9, true, 0.5).unwrap();
    let grown = |tree: &mut Tree| {
        keys.iter().for_each(|rank| tree.insert(*rank));
        verify(tree, &keys).len()
    };
    let mut tree = Tree::empty(shape, UNIVERSE);
    let leaves = grown(&mut tree);
    assert!(tree.height() >= 4);
    keys.iter().for_each(|rank| tree.remove(*rank));
    assert_eq!((tree.height(), tree.pages(0), tree.keys()), (1, 1, 0));
    assert_eq!(grown(&mut tree), leaves);
}

/// MariaDB 10.11, `CREATE INDEX` and `INSERT` in order: pages by level.
#[test]
fn ordered_keys_give_the_measured_pages() {
    let clustered = |row_bytes| TreeShape::innodb_clustered(16_384, row_bytes, 8, 0.9375, true, 0.5).unwrap();
    let secondary = || TreeShape::innodb_secondary(16_384, 8, 8, 1.0, true, 0.5).unwrap();
    for (shape, records, measured) in [
        (clustered(109), 10_000, vec![85, 1]),
        (clustered(49), 200_000, vec![890, 1]),
        (clustered(310), 100_000, vec![2_175, 3, 1]),
        (clustered(1_010), 30_000, vec![2_144, 3, 1]),
        (secondary(), 400_000, vec![531, 1]),
    ] {
        let mut tree = Tree::empty(shape, records);
        (0..records).for_each(|rank| tree.insert(rank));
        assert_eq!((0..tree.height()).map(|level| tree.pages(level)).collect::<Vec<_>>(), measured);
    }
    for (records, leaves) in [(100_000, 133), (400_000, 530)] {
        let mut present = Bits::new(records);
        present.fill(0, records);
        let tree = bulk_tree(secondary(), records, present, u64::from(records), Some(0));
        assert_eq!((tree.height(), tree.pages(0)), (2, leaves));
    }
}

#[test]
fn rows_too_large_are_refused() {
    assert!(TreeShape::innodb_clustered(8_192, 8_000, 8, 0.9, true, 0.5).is_none());
    assert!(TreeShape::innodb_clustered(8_192, u32::MAX, 8, 0.9, true, 0.5).is_none());
    assert!(TreeShape::innodb_clustered(8_192, 100, 4_000, 0.9, true, 0.5).is_none());
    assert!(TreeShape::innodb_secondary(8_192, 3_000, 2_000, 0.9, true, 0.5).is_none());
}
