use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn buckets(method: Method, expected: u64, universe: u32) -> Buckets {
    Buckets::new(method, 8192, 0.75, expected, universe)
}

/// Computed with `select hashint8(1), hashint8(2), hashint8(1000000)` on PostgreSQL 15.
#[test]
fn hashes_are_those_of_postgres() {
    assert_eq!([1, 2, 1_000_000].map(|key: u32| hash_of(key - 1) as i32), HASHES);
}

const HASHES: [i32; 3] = [-1905060026, 1134484726, -723906379];

/// N / 307 buckets of an index that grew with its table, and PostgreSQL's pages for one that was built at once.
#[test]
fn linear_buckets_follow_the_number_of_keys() {
    for (keys, grown, built) in [(10_000u32, 33, 64), (100_000, 326, 512)] {
        let mut index = buckets(Method::Linear, 2_260, keys);
        (0..keys).for_each(|rank| index.insert(rank));
        assert_eq!(index.bucket_pages(), grown);
        let at_once = buckets(Method::Linear, u64::from(keys) * 102 / 100, keys);
        assert_eq!(at_once.bucket_pages(), built);
    }
}

/// Over a doubling of the number of keys, on a scale of ratios, pages a key average 1 / (page entries · ln 2).
#[test]
fn extendible_buckets_are_ln_2_full() {
    let mut index = buckets(Method::Extendible, 0, 200_000);
    let (mut sum, mut weights) = (0.0, 0.0);
    for rank in 0..200_000 {
        index.insert(rank);
        if rank >= 100_000 && rank % 1_000 == 0 {
            sum += 1.0 / (index.occupancy() * f64::from(rank));
            weights += 1.0 / f64::from(rank);
        }
    }
    let occupancy = weights / sum;
    assert!((occupancy / std::f64::consts::LN_2 - 1.0).abs() < 0.015, "{occupancy}");
}

proptest! {
    /// Every key is in the bucket its hash leads to, once, and nowhere else; pages suffice for what is in them.
    #[test]
    fn buckets_hold_what_a_set_holds(
        extendible in any::<bool>(),
        steps in prop::collection::vec((any::<bool>(), 0u32..3_000), 0..3_000),
    ) {
        let method = if extendible { Method::Extendible } else { Method::Linear };
        let mut index = Buckets::new(method, 4096, 0.75, 0, 3_000);
        let mut model = BTreeSet::new();
        for (insert, rank) in steps {
            if insert && model.insert(rank) {
                index.insert(rank);
            } else if !insert && model.remove(&rank) {
                index.remove(rank);
            }
        }
        prop_assert_eq!(index.keys(), model.len() as u64);
        let mut found = BTreeSet::new();
        let mut overflow = BTreeSet::new();
        for bucket in 0..index.bucket_pages() as u32 {
            let state = index.bucket(bucket);
            for rank in &state.ranks {
                prop_assert_eq!(index.bucket_of(*rank), bucket);
                prop_assert!(found.insert(*rank));
            }
            prop_assert!(state.ranks.len() <= (1 + state.overflow.len()) * buckets::page_entries(4096) as usize);
            prop_assert!(state.overflow.iter().all(|page| overflow.insert(*page)));
        }
        prop_assert_eq!(overflow.len() as u64, index.overflow_pages());
        prop_assert_eq!(&found, &model);
        prop_assert!((0..3_000).all(|rank| index.contains(rank) == model.contains(&rank)));
    }
}
