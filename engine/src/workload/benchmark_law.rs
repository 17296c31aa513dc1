//! How standard benchmarks draw keys, as their specifications and sources have it.

use crate::prng::{Rng, Stream};

/// TPC-C's NURand (clause 2.1.6): `(((rand(0,A) | rand(x,y)) + C) mod (y − x + 1)) + x`. TATP draws subscribers by it with C = 0.
///
/// It draws one of `values` equal parts of the records, and then any record of that part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct NuRand {
    pub(crate) a: u64,
    pub(crate) c: u64,
    /// The smallest value, x.
    pub(crate) first: u64,
    pub(crate) values: u64,
}

impl NuRand {
    /// A run's C, which the specification has chosen at random.
    pub(crate) fn constant(a: u64, stream: Stream) -> u64 {
        stream.at(a).below(a + 1)
    }

    #[inline]
    pub(crate) fn draw(&self, rng: &mut Rng, records: u64) -> u64 {
        let values = self.values.min(records);
        let value = rng.below(self.a + 1) | (self.first + rng.below(values));
        let part = (value + self.c) % values;
        if values == records {
            return part;
        }
        let first = part * records / values;
        first + rng.below((part + 1) * records / values - first)
    }
}

/// sysbench's `special` distribution (`sb_rand_special` of `src/sb_rand.c`) with its default constants: three quarters of the
/// draws fall into the hundredth part around the middle, the others are the mean of twelve uniform ones.
pub(crate) fn sysbench_special(rng: &mut Rng, records: u64) -> u64 {
    let width = (records - 1) as f64;
    let uniform = rng.unit();
    if uniform * SPECIAL_STRETCH < 1.0 {
        let sum: f64 = (0..SPECIAL_ITERATIONS).map(|_| rng.unit()).sum();
        return (sum * width / f64::from(SPECIAL_ITERATIONS)) as u64;
    }
    // The same uniform number again, as there: the lowest quarter of the hundredth part is never drawn.
    let hot = width * SPECIAL_PART;
    (uniform * (hot + 1.0) + (width / 2.0 - hot / 2.0)) as u64
}

/// `--rand-spec-iter`, `--rand-spec-pct`, and 100 / (100 − `--rand-spec-res`).
const SPECIAL_ITERATIONS: u32 = 12;
const SPECIAL_PART: f64 = 0.01;
const SPECIAL_STRETCH: f64 = 4.0;

/// sysbench's `pareto` distribution (`sb_rand_pareto`) with its default shape h = 0.2: a fifth of the records, the first, gets
/// four fifths of the draws.
pub(crate) fn sysbench_pareto(rng: &mut Rng, records: u64) -> u64 {
    (records as f64 * libm::pow(rng.unit(), pareto_power())) as u64
}

/// ln h / ln(1 − h)
fn pareto_power() -> f64 {
    const H: f64 = 0.2;
    libm::log(H) / libm::log1p(-H)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: u64 = 1_000_000;

    fn masses(records: u64, draw: impl Fn(&mut Rng) -> u64) -> Vec<f64> {
        let mut masses = vec![0.0; records as usize];
        let mut rng = Stream::new(5, "keys").at(0);
        for _ in 0..DRAWS {
            masses[draw(&mut rng) as usize] += 1.0 / DRAWS as f64;
        }
        masses
    }

    /// The law by enumeration of every pair of uniform numbers.
    fn exact_nurand(a: u64, c: u64, first: u64, values: u64) -> Vec<f64> {
        let mut masses = vec![0.0; values as usize];
        for low in 0..=a {
            for high in first..first + values {
                masses[(((low | high) + c) % values) as usize] += 1.0 / ((a + 1) * values) as f64;
            }
        }
        masses
    }

    #[test]
    fn nurand_has_the_mass_of_every_value() {
        for (a, c, first, values) in [(1_023, 259, 1, 3_000), (255, 7, 0, 1_000), (63, 0, 1, 100)] {
            let law = NuRand { a, c, first, values };
            let found = masses(values, |rng| law.draw(rng, values));
            for (found, expected) in found.iter().zip(exact_nurand(a, c, first, values)) {
                let deviation = libm::sqrt(expected / DRAWS as f64);
                assert!((found - expected).abs() <= 6.0 * deviation, "{found} {expected}");
            }
        }
    }

    #[test]
    fn a_value_of_several_records_is_shared_evenly() {
        let law = NuRand { a: 63, c: 5, first: 1, values: 100 };
        let found = masses(250, |rng| law.draw(rng, 250));
        for (value, expected) in exact_nurand(63, 5, 1, 100).iter().enumerate() {
            let records = value * 250 / 100..(value + 1) * 250 / 100;
            let (rows, mass) = (records.len() as f64, found[records.clone()].iter().sum::<f64>());
            assert!((mass - expected).abs() <= 6.0 * libm::sqrt(expected / DRAWS as f64));
            assert!(
                records.into_iter().all(|one| (found[one] - expected / rows).abs() < 6e-4 + expected / 10.0)
            );
        }
    }

    #[test]
    fn special_has_its_hot_hundredth_and_a_bell_around_it() {
        let records = 100_001;
        let found = masses(records, |rng| sysbench_special(rng, records));
        // u in [1/4, 1) of a part of 1,001 keys that begins at 49,500.
        let hot: f64 = found[49_750..=50_501].iter().sum();
        assert!((hot - 0.75 - 0.25 * 0.0358).abs() < 0.003, "{hot}");
        // Beside it the mean of twelve uniform numbers: of standard deviation 1/12.
        let below: f64 = found[..41_667].iter().sum();
        assert!((below - 0.25 * 0.159).abs() < 0.002, "{below}");
    }

    #[test]
    fn pareto_gives_a_fifth_of_the_records_four_fifths() {
        let found = masses(10_000, |rng| sysbench_pareto(rng, 10_000));
        for part in [0.2, 0.04, 0.5] {
            // P(u^power < part)
            let expected = libm::pow(part, 1.0 / pareto_power());
            let mass: f64 = found[..(part * 10_000.0) as usize].iter().sum();
            assert!((mass - expected).abs() < 0.003, "{part}: {mass} {expected}");
        }
        assert!((libm::pow(0.2, 1.0 / pareto_power()) - 0.8).abs() < 1e-12);
    }

    #[test]
    fn no_law_leaves_the_records() {
        for records in 1..40 {
            let law = NuRand { a: 8_191, c: 8_191, first: 1, values: 30 };
            let mut rng = Stream::new(5, "keys").at(records);
            for _ in 0..2_000 {
                assert!(law.draw(&mut rng, records) < records);
                assert!(sysbench_special(&mut rng, records) < records);
                assert!(sysbench_pareto(&mut rng, records) < records);
            }
        }
    }
}
