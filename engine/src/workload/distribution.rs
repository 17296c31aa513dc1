//! How an operation chooses its key: the record number, in order of arrival, that it asks for.

use super::benchmark_law::{NuRand, sysbench_pareto, sysbench_special};
use super::key::KeyLaw;
use super::permutation::Permutation;
use super::sampled::SampledDraw;
use super::zipf::{YcsbZipf, Zipf, ycsb_hash};
use super::{Config, Distribution, defaults};
use crate::prng::{Rng, Stream};

/// Draws of a growing YCSB key space that miss the records present are repeated, as YCSB does.
const MAX_REDRAWS: u32 = 64;

/// A key choice, ready to draw.
#[derive(Debug, Clone)]
pub(crate) enum KeyDraw {
    Uniform,
    /// Popularity by exact Zipf over the loaded records; the hot ones lie anywhere among them.
    Zipfian {
        zipf: Zipf,
        scatter: Permutation,
    },
    /// Exact Zipf: the first loaded record is the hottest.
    ZipfianInOrder(Zipf),
    /// Exact Zipf over the records before a region, and now and then a run through a part of the region.
    ZipfianWithScans {
        zipf: Zipf,
        scatter: Permutation,
        population: u64,
        scan_every: u64,
        scan_rows: u64,
        scan_region: u64,
    },
    /// Exact Zipf over the records before a region, or the next of the region.
    ZipfianWithLoop {
        zipf: Zipf,
        scatter: Permutation,
        population: u64,
        zipfian_fraction: f64,
        loop_rows: u64,
        next: u64,
    },
    /// Exact Zipf whose ranks move on.
    ShiftingZipfian {
        zipf: Zipf,
        scatter: Permutation,
        population: u64,
        shift_every: u64,
        shift_rows: u64,
    },
    /// The first loaded records are the hot ones.
    ZipfianYcsb(YcsbZipf),
    ScrambledZipfianYcsb(YcsbZipf),
    /// Exact Zipf over age: the newest record is the hottest.
    Latest(Zipf),
    /// `hot` records, anywhere among the loaded, take `hot_operations` of the draws; both parts are uniform inside.
    Hotspot {
        hot: u64,
        loaded: u64,
        hot_operations: f64,
        scatter: Permutation,
    },
    /// One after the other, from the first again after the last.
    Sequential,
    NuRand(NuRand),
    SysbenchSpecial,
    SysbenchPareto,
    /// The draws of a larger table that fall on its sample.
    Sampled(Box<SampledDraw>),
}

impl KeyDraw {
    /// `loaded`: records before the run; `expected_inserts`: records the run is going to add.
    pub(crate) fn new(
        law: KeyLaw,
        config: &Config,
        loaded: u64,
        expected_inserts: u64,
        stream: Stream,
    ) -> Self {
        // A table that starts empty gets its popularity over what it will hold.
        let population = if loaded > 0 { loaded } else { expected_inserts }.max(1);
        let drawn = population.saturating_sub(law.region()).max(1);
        let scatter = Permutation::new(drawn, stream);
        let law = match law {
            KeyLaw::Named(law) => law,
            KeyLaw::Zipfian { theta, scattered } => {
                let zipf = Zipf::new(population, theta);
                return if scattered { Self::Zipfian { zipf, scatter } } else { Self::ZipfianInOrder(zipf) };
            }
            KeyLaw::ZipfianWithScans { theta, scan_every, scan_rows, scan_region } => {
                let zipf = Zipf::new(drawn, theta);
                return Self::ZipfianWithScans {
                    zipf,
                    scatter,
                    population: drawn,
                    scan_every,
                    scan_rows,
                    scan_region,
                };
            }
            KeyLaw::ZipfianWithLoop { theta, zipfian_fraction, loop_rows } => {
                let zipf = Zipf::new(drawn, theta);
                return Self::ZipfianWithLoop {
                    zipf,
                    scatter,
                    population: drawn,
                    zipfian_fraction,
                    loop_rows,
                    next: 0,
                };
            }
            KeyLaw::ShiftingZipfian { theta, shift_every, shift_rows } => {
                let zipf = Zipf::new(population, theta);
                return Self::ShiftingZipfian { zipf, scatter, population, shift_every, shift_rows };
            }
            KeyLaw::NuRand { a, c, first, values } => {
                let c = c.unwrap_or_else(|| NuRand::constant(a, stream));
                return Self::NuRand(NuRand { a, c, first, values: values.unwrap_or(population) });
            }
            KeyLaw::SysbenchSpecial => return Self::SysbenchSpecial,
            KeyLaw::SysbenchPareto => return Self::SysbenchPareto,
        };
        let theta = config.zipfian_theta.unwrap_or(defaults::ZIPFIAN_THETA);
        match law {
            Distribution::Uniform => Self::Uniform,
            Distribution::Zipfian => Self::Zipfian { zipf: Zipf::new(population, theta), scatter },
            // YCSB sizes this key space for twice the inserts it expects.
            Distribution::ZipfianYcsb => {
                Self::ZipfianYcsb(YcsbZipf::new((population + 2 * expected_inserts).max(2), theta))
            }
            Distribution::ScrambledZipfianYcsb => Self::ScrambledZipfianYcsb(YcsbZipf::scrambled()),
            Distribution::Latest => Self::Latest(Zipf::new(population, theta)),
            Distribution::Hotspot => {
                let data = config.hotspot_data_fraction.unwrap_or(defaults::HOTSPOT_DATA_FRACTION);
                let hot = (libm::ceil(data * population as f64) as u64).clamp(1, population);
                Self::Hotspot {
                    hot,
                    loaded: population,
                    hot_operations: config
                        .hotspot_operation_fraction
                        .unwrap_or(defaults::HOTSPOT_OPERATION_FRACTION),
                    scatter,
                }
            }
            Distribution::Sequential => Self::Sequential,
        }
    }

    /// A record below `present`, the number of records so far. `operation` counts operations from 0.
    #[inline]
    pub(crate) fn draw(&mut self, rng: &mut Rng, present: u64, operation: u64) -> u64 {
        if present == 0 {
            return 0;
        }
        let record = match self {
            Self::Uniform => rng.below(present),
            Self::Zipfian { zipf, scatter } => scatter.forward(zipf.draw(rng)),
            Self::ZipfianInOrder(zipf) => zipf.draw(rng),
            Self::ZipfianWithScans { zipf, scatter, population, scan_every, scan_rows, scan_region } => {
                let (round, place) =
                    (operation / (*scan_every + *scan_rows), operation % (*scan_every + *scan_rows));
                match place.checked_sub(*scan_every) {
                    None => scatter.forward(zipf.draw(rng)),
                    Some(row) => *population + (round * *scan_rows + row) % *scan_region,
                }
            }
            Self::ZipfianWithLoop { zipf, scatter, population, zipfian_fraction, loop_rows, next } => {
                if rng.unit() < *zipfian_fraction {
                    scatter.forward(zipf.draw(rng))
                } else {
                    let row = *next;
                    *next = if row + 1 == *loop_rows { 0 } else { row + 1 };
                    *population + row
                }
            }
            Self::ShiftingZipfian { zipf, scatter, population, shift_every, shift_rows } => {
                let shift = operation / *shift_every % *population * (*shift_rows % *population);
                scatter.forward((zipf.draw(rng) + shift) % *population)
            }
            Self::ZipfianYcsb(zipf) => {
                let mut record = zipf.draw(rng);
                for _ in 0..MAX_REDRAWS {
                    if record < present {
                        break;
                    }
                    record = zipf.draw(rng);
                }
                record
            }
            Self::ScrambledZipfianYcsb(zipf) => ycsb_hash(zipf.draw(rng)) % present,
            Self::Latest(zipf) => return (present - 1).saturating_sub(zipf.draw(rng)),
            Self::Hotspot { hot, loaded, hot_operations, scatter } => {
                let is_hot = *hot == *loaded || rng.unit() < *hot_operations;
                let place = if is_hot { rng.below(*hot) } else { *hot + rng.below(*loaded - *hot) };
                scatter.forward(place)
            }
            Self::Sequential => operation % present,
            Self::NuRand(law) => law.draw(rng, present),
            Self::SysbenchSpecial => sysbench_special(rng, present),
            Self::SysbenchPareto => sysbench_pareto(rng, present),
            Self::Sampled(sampled) => sampled.draw(rng, present, operation),
        };
        if record < present { record } else { record % present }
    }

    /// Bytes of its tables.
    pub(crate) fn memory_bytes(&self) -> u64 {
        match self {
            Self::Zipfian { .. }
            | Self::ZipfianInOrder(_)
            | Self::ZipfianWithScans { .. }
            | Self::ZipfianWithLoop { .. }
            | Self::ShiftingZipfian { .. }
            | Self::Latest(_) => 8 << 14,
            Self::Sampled(sampled) => sampled.memory_bytes(),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::{presets, zipf::zeta};

    fn counts(law: Distribution, change: impl FnOnce(&mut Config), records: u64, draws: u64) -> Vec<u32> {
        let mut config = presets::ycsb_c().config;
        change(&mut config);
        let mut draw = KeyDraw::new(KeyLaw::Named(law), &config, records, 0, Stream::new(1, "scatter"));
        let mut counts = vec![0u32; records as usize];
        let stream = Stream::new(1, "keys");
        for operation in 0..draws {
            counts[draw.draw(&mut stream.at(operation), records, operation) as usize] += 1;
        }
        counts
    }

    fn top_mass(mut counts: Vec<u32>, part: usize) -> f64 {
        let total: u32 = counts.iter().sum();
        counts.sort_unstable_by_key(|count| std::cmp::Reverse(*count));
        f64::from(counts[..counts.len() / part].iter().sum::<u32>()) / f64::from(total)
    }

    #[test]
    fn uniform_is_flat_and_sequential_is_even() {
        let uniform = counts(Distribution::Uniform, |_| {}, 100, 1_000_000);
        assert!(uniform.iter().all(|count| (9_600..10_400).contains(count)));
        let sequential = counts(Distribution::Sequential, |_| {}, 100, 1_000);
        assert!(sequential.iter().all(|count| *count == 10));
    }

    #[test]
    fn zipfian_hot_keys_are_scattered_and_have_the_mass_of_the_law() {
        let counts = counts(Distribution::Zipfian, |_| {}, 10_000, 1_000_000);
        let expected = zeta(100, 0.99) / zeta(10_000, 0.99);
        assert!((top_mass(counts.clone(), 100) - expected).abs() < 0.003);
        let first_half: u32 = counts[..5_000].iter().sum();
        let all: u32 = counts.iter().sum();
        // One hot key alone has a tenth of the mass, so "scattered" leaves wide room.
        assert!((0.2..0.8).contains(&(f64::from(first_half) / f64::from(all))));
    }

    #[test]
    fn latest_prefers_the_newest() {
        let counts = counts(Distribution::Latest, |_| {}, 10_000, 1_000_000);
        let newest: u32 = counts[9_900..].iter().sum();
        let expected = zeta(100, 0.99) / zeta(10_000, 0.99);
        assert!((f64::from(newest) / 1e6 - expected).abs() < 0.003);
    }

    #[test]
    fn hotspot_keeps_both_fractions() {
        let change = |config: &mut Config| {
            config.hotspot_data_fraction = Some(0.1);
            config.hotspot_operation_fraction = Some(0.7);
        };
        let counts = counts(Distribution::Hotspot, change, 1_000, 1_000_000);
        assert!((top_mass(counts, 10) - 0.7).abs() < 0.003);
    }

    #[test]
    fn no_law_leaves_the_records_present() {
        let theta = 0.99;
        for law in [
            KeyLaw::Named(Distribution::Uniform),
            KeyLaw::Named(Distribution::Zipfian),
            KeyLaw::Named(Distribution::ZipfianYcsb),
            KeyLaw::Named(Distribution::ScrambledZipfianYcsb),
            KeyLaw::Named(Distribution::Latest),
            KeyLaw::Named(Distribution::Hotspot),
            KeyLaw::Named(Distribution::Sequential),
            KeyLaw::Zipfian { theta, scattered: false },
            KeyLaw::ZipfianWithScans { theta, scan_every: 3, scan_rows: 2, scan_region: 4 },
            KeyLaw::ZipfianWithLoop { theta, zipfian_fraction: 0.5, loop_rows: 3 },
            KeyLaw::ShiftingZipfian { theta, shift_every: 2, shift_rows: 1_000_000_000 },
            KeyLaw::NuRand { a: 8_191, c: None, first: 1, values: None },
            KeyLaw::NuRand { a: 255, c: Some(3), first: 0, values: Some(4) },
            KeyLaw::SysbenchSpecial,
            KeyLaw::SysbenchPareto,
        ] {
            for (loaded, inserts) in [(0u64, 10u64), (1, 0), (5, 100)] {
                let config = presets::ycsb_c().config;
                let mut draw = KeyDraw::new(law, &config, loaded, inserts, Stream::new(1, "scatter"));
                for operation in 0..200 {
                    let mut rng = Stream::new(2, "keys").at(operation);
                    for present in [0, 1, 3, loaded + inserts] {
                        assert!(draw.draw(&mut rng, present, operation) < present.max(1), "{law:?}");
                    }
                }
            }
        }
    }

    /// Records drawn by a law over 1,000 records, operation by operation.
    fn drawn(law: KeyLaw, draws: u64) -> Vec<u64> {
        let config = presets::ycsb_c().config;
        let mut draw = KeyDraw::new(law, &config, 1_000, 0, Stream::new(1, "scatter"));
        let stream = Stream::new(1, "keys");
        (0..draws).map(|operation| draw.draw(&mut stream.at(operation), 1_000, operation)).collect()
    }

    #[test]
    fn scans_go_round_their_region_and_draws_stay_before_it() {
        let law = KeyLaw::ZipfianWithScans { theta: 0.99, scan_every: 10, scan_rows: 7, scan_region: 20 };
        let mut expected = (980..1_000).cycle();
        for (operation, record) in drawn(law, 1_700).into_iter().enumerate() {
            if operation % 17 < 10 {
                assert!(record < 980);
            } else {
                assert_eq!(Some(record), expected.next());
            }
        }
    }

    #[test]
    fn a_loop_takes_its_part_of_the_draws() {
        let law = KeyLaw::ZipfianWithLoop { theta: 0.9, zipfian_fraction: 0.7, loop_rows: 100 };
        let looped: Vec<u64> = drawn(law, 100_000).into_iter().filter(|record| *record >= 900).collect();
        assert!((29_000..31_000).contains(&looped.len()));
        assert!(looped.iter().zip((900..1_000).cycle()).all(|(record, expected)| *record == expected));
    }

    #[test]
    fn a_shift_moves_the_hottest_record() {
        let law = KeyLaw::ShiftingZipfian { theta: 1.2, shift_every: 5_000, shift_rows: 10 };
        let records = drawn(law, 10_000);
        let hottest = |part: &[u64]| {
            let count = |record: u64| part.iter().filter(|other| **other == record).count();
            (0..1_000).max_by_key(|record| count(*record)).unwrap()
        };
        assert_ne!(hottest(&records[..5_000]), hottest(&records[5_000..]));
    }

    #[test]
    fn unscattered_zipf_has_its_ranks_in_order() {
        let records = drawn(KeyLaw::Zipfian { theta: 0.99, scattered: false }, 50_000);
        let count = |record: u64| records.iter().filter(|other| **other == record).count();
        assert!(count(0) > count(1) && count(1) > count(4) && count(4) > count(50));
    }
}
