//! Hit ratio of a pool by Che's approximation: a page stays for the time T in which as many other pages are asked for as the pool has frames.
//!
//! Che, Tung, Wang, "Hierarchical Web Caching Systems", IEEE JSAC 2002; why it is so near: Fricker, Robert, Roberts, "A versatile and
//! accurate approximation for LRU cache performance", ITC 2012; FIFO and RANDOM: Martina, Garetto, Leonardi, "A unified approach to the
//! performance analysis of caching systems", INFOCOM 2014.
//!
//! Pages hold keys that were placed at random, so the popularity of a page is a sum of those of its keys, and sums over pages are
//! expectations over placements: with φ(t) the mean of e^(-pt) over keys, E[e^(-Λt)] = φ(t)^m for a page of m keys.

use serde_json::Value;

use super::{FormulaCheck, Relation, Run};
use crate::kernel::program::Statement;
use crate::plan::{BlockIndex, PolicyKind, Route, Spec};
use crate::workload::access::{Access, KeyChoice};
use crate::workload::key::KeyLaw;
use crate::workload::{Distribution, OperationType, defaults};

/// Ranks of Zipf's law with an atom of their own, and atoms to a doubling of the rank beyond.
const HOT_RANKS: u64 = 128;
const ATOMS_PER_OCTAVE: f64 = 16.0;
/// Points of the grid of times, to a doubling, and doublings of it below and above the scale of a question.
const GRID_PER_OCTAVE: i32 = 4;
/// What the approximation leaves out, in hit ratio, and standard errors of what was measured.
const TOLERANCE: f64 = 0.01;
const STANDARD_ERRORS: f64 = 4.0;
/// Frames of the smallest pool it is good for.
const FEWEST_FRAMES: f64 = 50.0;

/// Keys with one popularity: how many, and the probability of each.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Atom {
    pub keys: f64,
    pub probability: f64,
}

/// Pages of one kind, of which each operation asks for one: that of its key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PageClass {
    pub pages: f64,
}

/// What Che's equations say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Che {
    pub hit_ratio: f64,
    /// Operations that a page stays for.
    pub characteristic_time: f64,
}

/// Every key as likely.
pub fn uniform(keys: u64) -> Vec<Atom> {
    vec![Atom { keys: keys as f64, probability: 1.0 / keys as f64 }]
}

/// A part of the keys takes a part of the operations.
pub fn hotspot(keys: u64, hot_keys: u64, hot_operations: f64) -> Vec<Atom> {
    let (hot, cold) = (hot_keys as f64, (keys - hot_keys) as f64);
    let mut atoms =
        vec![Atom { keys: hot, probability: if cold > 0.0 { hot_operations } else { 1.0 } / hot }];
    if cold > 0.0 {
        atoms.push(Atom { keys: cold, probability: (1.0 - hot_operations) / cold });
    }
    atoms
}

/// Zipf's law: the hottest ranks one by one, the others in groups of nearly equal popularity.
pub fn zipf(keys: u64, theta: f64) -> Vec<Atom> {
    let mut atoms = Vec::new();
    let mut first = 1;
    while first <= keys {
        let width =
            if first <= HOT_RANKS { 1.0 } else { first as f64 * (libm::exp2(1.0 / ATOMS_PER_OCTAVE) - 1.0) };
        let width = (width as u64).clamp(1, keys - first + 1);
        let middle = first as f64 + (width - 1) as f64 / 2.0;
        atoms.push(Atom { keys: width as f64, probability: libm::pow(middle, -theta) });
        first += width;
    }
    let all: f64 = atoms.iter().map(|atom| atom.keys * atom.probability).sum();
    atoms.iter_mut().for_each(|atom| atom.probability /= all);
    atoms
}

/// Mean of e^(-pt) over keys, and Σ p e^(-pt).
fn transforms(atoms: &[Atom], keys: f64, time: f64) -> (f64, f64) {
    let (mut phi, mut psi) = (0.0, 0.0);
    for atom in atoms {
        let absent = atom.keys * libm::exp(-atom.probability * time);
        phi += absent;
        psi += absent * atom.probability;
    }
    (phi / keys, psi)
}

/// Pages of a class not asked for in a time, and the probability that an operation asks for one of those.
fn absent(class: PageClass, keys: f64, (phi, psi): (f64, f64)) -> (f64, f64) {
    let keys_a_page = keys / class.pages;
    (class.pages * libm::pow(phi, keys_a_page), libm::pow(phi, keys_a_page - 1.0) * psi)
}

/// LRU: a page is in the pool when it was asked for within T, and T is the time in which as many pages are asked for as there are frames.
/// Absent where the pool holds all pages.
pub fn lru(atoms: &[Atom], classes: &[PageClass], frames: f64) -> Option<Che> {
    let keys: f64 = atoms.iter().map(|atom| atom.keys).sum();
    let at = |time: f64| {
        let both = transforms(atoms, keys, time);
        classes.iter().fold((0.0, 0.0), |(held, missed), class| {
            let (absent_pages, miss) = absent(*class, keys, both);
            (held + class.pages - absent_pages, missed + miss)
        })
    };
    solve(classes, frames, at)
}

/// FIFO and RANDOM: a page with popularity Λ is in the pool for a part ΛT/(1+ΛT) of the time, whenever it was asked for last. With 1/(1+x) = ∫
/// e^(-s) e^(-sx) ds these sums are integrals over those of LRU, here by the trapezoidal rule over log s.
pub fn fifo(atoms: &[Atom], classes: &[PageClass], frames: f64) -> Option<Che> {
    let keys: f64 = atoms.iter().map(|atom| atom.keys).sum();
    // One table serves every T on the same grid of powers.
    let grid = |step: i32| libm::exp2(f64::from(step) / f64::from(GRID_PER_OCTAVE));
    let (below, above) = (-24 * GRID_PER_OCTAVE, 5 * GRID_PER_OCTAVE);
    let last = 48 * GRID_PER_OCTAVE;
    let table: Vec<(f64, f64)> =
        (below..=last + above).map(|step| transforms(atoms, keys, grid(step))).collect();
    let weights: Vec<f64> = (below..=above)
        .map(|step| libm::exp(-grid(step)) * grid(step) * std::f64::consts::LN_2 / f64::from(GRID_PER_OCTAVE))
        .collect();
    let at = |step: i32| {
        let mut sums = (0.0, 0.0);
        for class in classes {
            let mut absent_pages = 0.0;
            let mut miss = 0.0;
            for (place, weight) in weights.iter().enumerate() {
                let (pages, missed) = absent(*class, keys, table[step as usize + place]);
                absent_pages += weight * pages;
                miss += weight * missed;
            }
            sums = (sums.0 + class.pages - absent_pages, sums.1 + miss);
        }
        sums
    };
    let between = |time: f64| {
        let place = (libm::log2(time) * f64::from(GRID_PER_OCTAVE)).clamp(0.0, f64::from(last - 1));
        let step = libm::floor(place);
        let (low, high) = (at(step as i32), at(step as i32 + 1));
        let part = place - step;
        (low.0 + (high.0 - low.0) * part, low.1 + (high.1 - low.1) * part)
    };
    solve(classes, frames, between)
}

/// The time at which the pages held are as many as the frames; `at` tells pages held, and misses an operation, summed over the classes.
fn solve(classes: &[PageClass], frames: f64, at: impl Fn(f64) -> (f64, f64)) -> Option<Che> {
    let pages: f64 = classes.iter().map(|class| class.pages).sum();
    if frames >= pages || classes.is_empty() {
        return None;
    }
    // In powers of two; no pool is asked for less than once or more than 2^47 times before it is full.
    let (mut low, mut high) = (0.0, 47.0);
    for _ in 0..40 {
        let middle = (low + high) / 2.0;
        if at(libm::exp2(middle)).0 < frames { low = middle } else { high = middle }
    }
    let time = libm::exp2((low + high) / 2.0);
    Some(Che { hit_ratio: 1.0 - at(time).1 / classes.len() as f64, characteristic_time: time })
}

pub(super) fn checks(run: &Run<'_>, block: BlockIndex) -> Option<FormulaCheck> {
    let Spec::BufferPool(pool) = &run.plan.blocks[block].spec else { return None };
    let is_lru = match pool.policy {
        PolicyKind::Lru => true,
        PolicyKind::Fifo | PolicyKind::Random => false,
        _ => return None,
    };
    let first = run.program.statements.first()?;
    let key = KeyChoice::Drawn(law_of(first)?);
    let atoms = atoms(run, first)?;
    let classes = classes(run, first, block)?;
    let (hits, misses) = (run.counter(block, "hits"), run.counter(block, "misses"));
    let frames = f64::from(pool.capacity_pages);
    let (name, source, found) = if is_lru {
        (
            "hit_ratio",
            "Che's approximation, Σ(1 - e^(-pT)) = C (Che, Tung, Wang 2002)",
            lru(&atoms, &classes, frames)?,
        )
    } else {
        (
            "hit_ratio",
            "Σ pT/(1+pT) = C for FIFO and RANDOM (Martina, Garetto, Leonardi 2014)",
            fifo(&atoms, &classes, frames)?,
        )
    };
    let expected = found.hit_ratio;
    let error = libm::sqrt(expected * (1.0 - expected) / run.operations());
    let check = FormulaCheck::new(
        name,
        source,
        Relation::Equal,
        expected,
        hits / (hits + misses),
        (TOLERANCE + STANDARD_ERRORS * error) / expected,
    )?;
    let same = |statement: &Statement| {
        statement.table == first.table && statement.route == first.route && statement.key == key
    };
    let reads = |statement: &Statement| {
        statement.kind == OperationType::Select && statement.access == Access::Point && !statement.missing
    };
    let statements = &run.program.statements;
    let asked = (hits + misses) / run.operations();
    // What is in the pool is what was asked for within T; a page that came by chance leaves FIFO and RANDOM more slowly.
    let settled = found.characteristic_time * if is_lru { 1.0 } else { 3.0 };
    Some(
        check
            .assume(statements.iter().all(reads), "operations do more than read one row each")
            .assume(
                statements.iter().all(same),
                "operations do not all draw their keys and find their rows alike",
            )
            .assume(
                libm::fabs(asked / classes.len() as f64 - 1.0) < 0.01,
                "operations ask for other pages, too",
            )
            .assume(
                frames >= FEWEST_FRAMES && frames >= 8.0 * run.clients(),
                "the pool is small for so many clients",
            )
            .assume(pool.free_pages_target == 0, "a cleaner keeps frames free")
            .assume(
                run.program.warmup as f64 >= settled,
                "the warm-up ends before the pool holds what it will",
            ),
    )
}

fn law_of(statement: &Statement) -> Option<KeyLaw> {
    match statement.key {
        KeyChoice::Drawn(law) => Some(law),
        _ => None,
    }
}

/// The popularity of keys; absent for laws whose pages have none of their own, or not at random places.
fn atoms(run: &Run<'_>, statement: &Statement) -> Option<Vec<Atom>> {
    let config = &run.workload.config;
    let keys = run.program.tables[usize::from(statement.table)].record_count;
    if keys == 0 {
        return None;
    }
    let theta = config.zipfian_theta.unwrap_or(defaults::ZIPFIAN_THETA);
    Some(match law_of(statement)? {
        KeyLaw::Named(Distribution::Uniform) => uniform(keys),
        KeyLaw::Named(Distribution::Zipfian) => zipf(keys, theta),
        KeyLaw::Zipfian { theta, scattered: true } => zipf(keys, theta),
        KeyLaw::Named(Distribution::Hotspot) => {
            let data = config.hotspot_data_fraction.unwrap_or(defaults::HOTSPOT_DATA_FRACTION);
            let hot = (libm::ceil(data * keys as f64) as u64).clamp(1, keys);
            let operations =
                config.hotspot_operation_fraction.unwrap_or(defaults::HOTSPOT_OPERATION_FRACTION);
            hotspot(keys, hot, operations)
        }
        _ => return None,
    })
}

/// The pages of `pool` that a point read asks for: one on each level of a tree, and one of a heap.
fn classes(run: &Run<'_>, statement: &Statement, pool: BlockIndex) -> Option<Vec<PageClass>> {
    let blocks = match statement.route {
        Route::ClusteredSearch { storage } => [Some(storage), None],
        Route::IndexScan { index, table, .. } | Route::IndexSearch { index, table } => [Some(index), table],
        Route::RowId { storage } => [None, Some(storage)],
        _ => return None,
    };
    let mut classes = Vec::new();
    for block in blocks.into_iter().flatten() {
        let (pages, source) = match &run.plan.blocks[block].spec {
            Spec::BtreeIndex(tree) | Spec::Clustered(tree) => {
                (run.gauge(block, "pages_per_level")?.as_array()?.clone(), tree.pages)
            }
            Spec::Heap(heap) => (vec![run.gauge(block, "pages")?.clone()], heap.pages),
            _ => return None,
        };
        if source == pool {
            classes.extend(pages.iter().filter_map(Value::as_f64).map(|pages| PageClass { pages }));
        }
    }
    (!classes.is_empty() && classes.iter().all(|class| class.pages > 0.0)).then_some(classes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Exact Zipf, θ = .99, a hundred thousand pages of one key: C/N, LRU, FIFO.
    const TABLE: [(f64, f64, f64); 6] = [
        (0.001, 0.2748, 0.2363),
        (0.01, 0.4894, 0.4483),
        (0.05, 0.6509, 0.6118),
        (0.10, 0.7250, 0.6879),
        (0.20, 0.8028, 0.7694),
        (0.50, 0.9133, 0.8906),
    ];

    #[test]
    fn zipf_has_its_published_hit_ratios() {
        let keys = 100_000;
        let (atoms, classes) = (zipf(keys, 0.99), [PageClass { pages: keys as f64 }]);
        assert!(atoms.len() < 400, "{}", atoms.len());
        for (part, by_lru, by_fifo) in TABLE {
            let frames = part * keys as f64;
            let found = (lru(&atoms, &classes, frames).unwrap(), fifo(&atoms, &classes, frames).unwrap());
            assert!((found.0.hit_ratio - by_lru).abs() < 3e-4, "{part} {found:?}");
            assert!((found.1.hit_ratio - by_fifo).abs() < 3e-4, "{part} {found:?}");
        }
    }

    #[test]
    fn uniform_popularity_hits_with_the_part_that_is_held() {
        for (keys, pages, frames) in [(1_000u64, 1_000.0, 250.0), (700_000, 10_000.0, 9_000.0)] {
            for form in [lru, fifo] {
                let found = form(&uniform(keys), &[PageClass { pages }], frames).unwrap();
                assert!((found.hit_ratio - frames / pages).abs() < 1e-3, "{found:?}");
            }
        }
        // A root is always there; the frames that are left hold the leaves.
        let found =
            lru(&uniform(10_000), &[PageClass { pages: 100.0 }, PageClass { pages: 1.0 }], 51.0).unwrap();
        assert!((found.hit_ratio - 0.75).abs() < 1e-3, "{found:?}");
        assert_eq!(lru(&uniform(10), &[PageClass { pages: 5.0 }], 5.0), None);
        let even = hotspot(1_000, 200, 0.2);
        let found = lru(&even, &[PageClass { pages: 1_000.0 }], 300.0).unwrap();
        assert!((found.hit_ratio - 0.3).abs() < 1e-9, "a hotspot as popular as the rest is none");
        assert_eq!(hotspot(10, 10, 0.5), uniform(10));
    }

    /// Pages of several keys each, against every page's own popularity.
    #[test]
    fn pages_of_random_keys_are_what_their_sums_say() {
        let (keys, keys_a_page, frames) = (20_000u64, 20, 100.0);
        let mut popularity: Vec<f64> = (1..=keys).map(|rank| libm::pow(rank as f64, -0.8)).collect();
        let all: f64 = popularity.iter().sum();
        // A fixed shuffle.
        let mut rng = crate::prng::Stream::new(3, "pages").at(0);
        for place in (1..popularity.len()).rev() {
            popularity.swap(place, rng.below(place as u64 + 1) as usize);
        }
        let pages: Vec<f64> =
            popularity.chunks(keys_a_page).map(|page| page.iter().sum::<f64>() / all).collect();
        let held = |time: f64| pages.iter().map(|page| 1.0 - libm::exp(-page * time)).sum::<f64>();
        let (mut low, mut high) = (0.0, 1e9);
        for _ in 0..100 {
            let middle = (low + high) / 2.0;
            if held(middle) < frames { low = middle } else { high = middle }
        }
        let expected: f64 = pages.iter().map(|page| page * (1.0 - libm::exp(-page * low))).sum();
        let found = lru(&zipf(keys, 0.8), &[PageClass { pages: pages.len() as f64 }], frames).unwrap();
        assert!((found.hit_ratio - expected).abs() < 0.01, "{found:?} {expected}");
        assert!((found.characteristic_time / low - 1.0).abs() < 0.03);
    }
}
