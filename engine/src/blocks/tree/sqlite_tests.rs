//! SQLite's trees against files of SQLite itself, and against a plain list of the keys they hold.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::Value;

use super::super::sqlite_format::Structure;
use super::super::{MAX_LEVELS, Path, TreeShape};
use super::*;
use crate::prng::Stream;
use crate::workload::keyspace::KeySpace;
use crate::workload::{InsertOrder, Table};

fn cells(structure: &str, page_bytes: u32, key_bytes: u32, value_bytes: u32, universe: u32) -> Cells {
    let table = Table {
        name: "t".to_owned(),
        record_count: 0,
        record_bytes: 1,
        key_bytes,
        insert_order: InsertOrder::Ascending,
    };
    let structure = match structure {
        "table" => Structure::Table,
        "without_rowid" => Structure::WithoutRowid,
        _ => {
            let Ok(keys) = KeySpace::new(&table, universe, 1, || Ok::<(), std::convert::Infallible>(()));
            Structure::Index(keys)
        }
    };
    Cells::new(page_bytes, structure, key_bytes, key_bytes + value_bytes)
}

/// Every structural promise of a tree.
fn verify(tree: &Tree, expected: &BTreeSet<u32>) {
    let sqlite = tree.sqlite.as_ref().unwrap();
    let cells = &sqlite.cells;
    assert_eq!(tree.keys(), expected.len() as u64);
    let overflow: u64 = expected.iter().map(|rank| u64::from(cells.overflow_pages(*rank))).sum();
    assert_eq!(tree.overflow_pages(), overflow);
    let mut path = Path { pages: [0; MAX_LEVELS], height: 0 };
    for rank in expected {
        assert!(tree.contains(*rank));
        let leaf = tree.levels[0].get(tree.leaf_of(*rank));
        assert!(leaf.start <= *rank && (leaf.next == NONE || tree.levels[0].get(leaf.next).start > *rank));
    }
    tree.path(0, &mut path);
    assert_eq!(tree.pages(tree.height() - 1), 1);
    for level in 0..tree.height() {
        let mut page = path.pages[level];
        let mut pages = 0;
        let mut below = if level == 0 { NONE } else { path.pages[level - 1] };
        while page != NONE {
            let node = tree.levels[level].get(page);
            let mut used = 0;
            if level == 0 {
                let end =
                    if node.next == NONE { tree.present.len() } else { tree.levels[0].get(node.next).start };
                let mut rows: Vec<u32> = expected.range(node.start..end).copied().collect();
                assert_eq!(node.count, rows.len() as u32);
                if !cells.leaf_data() && node.start > 0 {
                    assert_eq!(rows.remove(0), node.start, "a leaf starts at the row before it");
                }
                used += rows.iter().map(|rank| cells.leaf_cell_bytes(*rank) + POINTER_BYTES).sum::<u32>();
            } else {
                assert_eq!(node.start, below);
                for child in 0..node.count {
                    if child > 0 {
                        used += cells.divider_bytes(tree.lowest(level - 1, below)) + POINTER_BYTES;
                    }
                    let inner = tree.levels[level - 1].get(below);
                    assert_eq!(inner.parent, page);
                    below = inner.next;
                }
            }
            assert_eq!(sqlite.used(level, page), used, "level {level}");
            assert!(used <= cells.usable_bytes(level == 0));
            assert!(tree.height() == 1 || used > 0);
            page = node.next;
            pages += 1;
        }
        assert_eq!(pages, tree.pages(level));
        assert!(level == 0 || below == NONE);
    }
}

#[test]
fn pages_are_those_of_sqlite() {
    let file: Value =
        serde_json::from_str(include_str!("../../../tests/fidelity/sqlite_btree.json")).unwrap();
    let keys = file["keys"].as_u64().unwrap();
    let cases = file["cases"].as_array().unwrap();
    for case in cases {
        let whole = |name: &str| case[name].as_u64().unwrap();
        let cells = cells(
            case["structure"].as_str().unwrap(),
            whole("page_bytes") as u32,
            whole("key_bytes") as u32,
            whole("value_bytes") as u32,
            keys as u32,
        );
        let mut tree = Tree::empty(TreeShape::sqlite(cells, keys as u32), keys as u32);
        let ranks = |step: u64, count: u64| (0..count).map(move |key| (key * step % keys) as u32);
        ranks(whole("step"), whole("rows")).for_each(|rank| tree.insert(rank));
        let mut gone = Vec::new();
        for rank in ranks(whole("delete_step"), whole("delete_tries")) {
            if tree.contains(rank) {
                tree.remove(rank);
                gone.push(rank);
            }
        }
        gone.iter().take(whole("inserted_again") as usize).for_each(|rank| tree.insert(*rank));
        let sqlite = tree.sqlite.as_ref().unwrap();
        let levels: Vec<(u64, u64)> = (0..tree.height())
            .map(|level| {
                let used: u64 = sqlite.used_bytes[level].iter().map(|bytes| u64::from(*bytes)).sum();
                let header = u64::from(sqlite.cells.header_bytes(level == 0));
                (tree.pages(level), used + tree.pages(level) * header)
            })
            .collect();
        let list = |name: &str| case[name].as_array().unwrap().iter().map(|value| value.as_u64().unwrap());
        let measured: Vec<(u64, u64)> =
            list("pages_per_level_leaf_first").zip(list("used_bytes_per_level_leaf_first")).collect();
        assert_eq!((levels, tree.overflow_pages()), (measured, whole("overflow_pages")), "{case}");
    }
    assert_eq!(cases.len(), 168);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn changes_keep_every_promise(
        seed in any::<u64>(),
        structure in prop::sample::select(vec!["table", "without_rowid", "index"]),
        key_bytes in prop::sample::select(vec![8u32, 30]),
        value_bytes in 0u32..600,
        appended in 0u32..600,
        steps in 1usize..1500,
        removals in 0u64..100,
    ) {
        const UNIVERSE: u32 = 2_000;
        let cells = cells(structure, 512, key_bytes, value_bytes, UNIVERSE);
        let mut tree = Tree::empty(TreeShape::sqlite(cells, UNIVERSE), UNIVERSE);
        let mut keys: BTreeSet<u32> = (0..appended).map(|key| key * 3).collect();
        keys.iter().for_each(|key| tree.append(*key));
        verify(&tree, &keys);
        let mut rng = Stream::new(seed, "steps").at(0);
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
        for key in std::mem::take(&mut keys) {
            tree.remove(key);
        }
        verify(&tree, &keys);
        prop_assert_eq!((tree.height(), tree.pages(0)), (1, 1));
    }
}
