//! Zipf's law, exactly, and YCSB's approximation of it.

use crate::prng::Rng;

/// Ranks with their own entry in the alias table.
const HOT_RANKS: usize = 1 << 14;

/// Σ i^-theta for i in 1..=n: the first terms one by one, the rest by the Euler–Maclaurin formula, to about 1e-12.
pub(crate) fn zeta(n: u64, theta: f64) -> f64 {
    let exact = n.min(HOT_RANKS as u64);
    let head: f64 = (1..=exact).map(|rank| libm::pow(rank as f64, -theta)).sum();
    if n == exact { head } else { head + range_sum(exact + 1, n, theta) }
}

/// Σ i^-theta for i in first..=last by the Euler–Maclaurin formula: near 1e-12 where `first` is in the thousands.
fn range_sum(first: u64, last: u64, theta: f64) -> f64 {
    let (from, to) = (first as f64, last as f64);
    let term = |x: f64| libm::pow(x, -theta);
    let slope = |x: f64| -theta * libm::pow(x, -theta - 1.0);
    let area = integral(to, theta) - integral(from, theta);
    area + (term(from) + term(to)) / 2.0 + (slope(to) - slope(from)) / 12.0
}

/// ∫ x^-theta dx from 1 to x, without cancellation near theta = 1.
fn integral(x: f64, theta: f64) -> f64 {
    let log = libm::log(x);
    expm1_over(log * (1.0 - theta)) * log
}

/// (e^x - 1) / x
fn expm1_over(x: f64) -> f64 {
    if libm::fabs(x) > 1e-8 { libm::expm1(x) / x } else { 1.0 + x / 2.0 }
}

/// Exact Zipf over ranks 0..n, P(rank r) ∝ (r+1)^-theta.
///
/// One draw from an alias table (Walker 1977) gives a rank, for the hottest, or one of the ranges that the others are cut into,
/// each 2 % as wide as its first rank is large. Within a range ranks are almost equally likely: one is drawn uniformly and
/// accepted with the ratio of its probability to that of the first, which is so near 1 that it is seldom computed.
#[derive(Debug, Clone)]
pub(crate) struct Zipf {
    /// 50 bits of threshold, 14 bits of alias.
    table: Vec<u64>,
    /// Ranks with an entry of their own; the ranges follow.
    hot: u64,
    ranges: Vec<Range>,
    theta: f64,
}

/// Ranks from `first` (1-based) on.
#[derive(Debug, Clone, Copy)]
struct Range {
    first: u64,
    width: u64,
    /// Probability of the last rank over that of the first: below it nothing has to be computed.
    accept: f64,
}

const ALIAS_BITS: u32 = 14;
const THRESHOLD_ONE: f64 = (1u64 << (64 - ALIAS_BITS)) as f64;

/// Entries kept for ranges, which reach from the hot ranks beyond the largest 64-bit population: 52 doublings of 35 ranges.
const RANGES: usize = 2_048;

impl Zipf {
    pub(crate) fn new(n: u64, theta: f64) -> Self {
        let n = n.max(1);
        let hot = if n > HOT_RANKS as u64 { (HOT_RANKS - RANGES) as u64 } else { n };
        let mut weights: Vec<f64> = (1..=hot).map(|rank| libm::pow(rank as f64, -theta)).collect();
        let mut ranges = Vec::new();
        let mut first = hot + 1;
        while first <= n {
            let width = (first / 50).min(n - first + 1);
            let last = first + width - 1;
            weights.push(range_sum(first, last, theta));
            ranges.push(Range { first, width, accept: libm::pow(first as f64 / last as f64, theta) });
            first += width;
        }
        // The low bits of a random number choose the slot.
        if !ranges.is_empty() {
            weights.resize(HOT_RANKS, 0.0);
        }
        Self { table: alias_table(&weights), hot, ranges, theta }
    }

    #[inline]
    pub(crate) fn draw(&self, rng: &mut Rng) -> u64 {
        let random = rng.next();
        let slots = self.table.len() as u64;
        // The low bits choose the slot where the table is full, otherwise a multiplication does.
        let (slot, fraction) = if slots == HOT_RANKS as u64 {
            (random & (HOT_RANKS as u64 - 1), random >> ALIAS_BITS)
        } else {
            (rng.below(slots), random >> ALIAS_BITS)
        };
        let entry = self.table[slot as usize];
        let outcome = if fraction < entry >> ALIAS_BITS { slot } else { entry & (HOT_RANKS as u64 - 1) };
        if outcome < self.hot {
            return outcome;
        }
        let range = self.ranges[(outcome - self.hot) as usize];
        loop {
            let rank = range.first + rng.below(range.width);
            let level = rng.unit();
            if level < range.accept || level < libm::pow(range.first as f64 / rank as f64, self.theta) {
                return rank - 1;
            }
        }
    }
}

/// Vose's construction. Thresholds are 50 bits wide, so the smallest of a million probabilities is still exact to 1e-9.
fn alias_table(weights: &[f64]) -> Vec<u64> {
    let slots = weights.len();
    let total: f64 = weights.iter().sum();
    let mut scaled: Vec<f64> = weights.iter().map(|weight| weight * slots as f64 / total).collect();
    let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..slots).partition(|slot| scaled[*slot] < 1.0);
    let mut table: Vec<u64> = (0..slots as u64).map(|slot| entry(1.0, slot)).collect();
    while let (Some(less), Some(&more)) = (small.pop(), large.last()) {
        table[less] = entry(scaled[less], more as u64);
        scaled[more] -= 1.0 - scaled[less];
        if scaled[more] < 1.0 {
            large.pop();
            small.push(more);
        }
    }
    table
}

fn entry(threshold: f64, alias: u64) -> u64 {
    let threshold = ((threshold * THRESHOLD_ONE) as u64).min((1 << (64 - ALIAS_BITS)) - 1);
    threshold << ALIAS_BITS | alias
}

/// YCSB's zipfian generator (Gray et al., "Quickly Generating Billion-Record Synthetic Databases", SIGMOD 1994).
/// It over-draws the ranks after the second, so it is not exact Zipf.
#[derive(Debug, Clone)]
pub(crate) struct YcsbZipf {
    items: f64,
    zeta_n: f64,
    alpha: f64,
    eta: f64,
    second: f64,
}

impl YcsbZipf {
    pub(crate) fn new(items: u64, theta: f64) -> Self {
        Self::with_zeta(items, theta, zeta(items, theta))
    }

    fn with_zeta(items: u64, theta: f64, zeta_n: f64) -> Self {
        let items = items as f64;
        let zeta_2 = 1.0 + libm::pow(0.5, theta);
        Self {
            items,
            zeta_n,
            alpha: 1.0 / (1.0 - theta),
            eta: (1.0 - libm::pow(2.0 / items, 1.0 - theta)) / (1.0 - zeta_2 / zeta_n),
            second: zeta_2,
        }
    }

    /// The generator YCSB's scrambled one draws from: 10^10 items with a constant zeta, for theta 0.99.
    pub(crate) fn scrambled() -> Self {
        Self::with_zeta(10_000_000_000, 0.99, 26.469_028_201_783_02)
    }

    #[inline]
    pub(crate) fn draw(&self, rng: &mut Rng) -> u64 {
        let u = rng.unit();
        let uz = u * self.zeta_n;
        if uz < 1.0 {
            return 0;
        }
        if uz < self.second {
            return 1;
        }
        let rank = self.items * libm::pow(self.eta * u - self.eta + 1.0, self.alpha);
        (rank as u64).min(self.items as u64 - 1)
    }
}

/// YCSB's hash of an item: FNV-1 style over eight octets, low first, absolute value.
pub(crate) fn ycsb_hash(item: u64) -> u64 {
    let hash = item.to_le_bytes().iter().fold(0xCBF2_9CE4_8422_2325u64, |hash, octet| {
        (hash ^ u64::from(*octet)).wrapping_mul(1_099_511_628_211)
    });
    (hash as i64).unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prng::Stream;

    #[test]
    fn zeta_matches_published_values() {
        for (n, expected) in [
            (1_000u64, 7.728_953),
            (10_000, 10.224_361),
            (100_000, 12.778_338),
            (1_000_000, 15.391_850),
            (10_000_000, 18.066_243),
        ] {
            assert!((zeta(n, 0.99) - expected).abs() < 1e-6, "{n}: {}", zeta(n, 0.99));
        }
    }

    /// Part of the draws that fall on ranks below `limit`.
    fn mass(mut draw: impl FnMut(&mut Rng) -> u64, limit: u64) -> f64 {
        let mut rng = Stream::new(5, "mass").at(0);
        let draws = 1_000_000;
        let hits = (0..draws).filter(|_| draw(&mut rng) < limit).count();
        hits as f64 / f64::from(draws)
    }

    #[test]
    fn exact_zipf_has_the_mass_of_the_law() {
        for (n, theta) in
            [(1_000u64, 0.99), (1_000_000, 0.99), (1_000_000, 0.0), (100_000, 1.0), (100_000, 1.5)]
        {
            let zipf = Zipf::new(n, theta);
            for limit in [1, 10, n / 100, n / 10] {
                let expected = zeta(limit, theta) / zeta(n, theta);
                let measured = mass(|rng| zipf.draw(rng), limit);
                assert!(
                    (measured - expected).abs() < 0.0025,
                    "n {n} theta {theta} top {limit}: {measured} {expected}"
                );
            }
        }
    }

    #[test]
    fn every_rank_of_the_tail_boundary_is_drawn_right() {
        let zipf = Zipf::new(40_000, 0.5);
        let mut counts = vec![0u32; 40_000];
        let mut rng = Stream::new(5, "boundary").at(0);
        let draws = 8_000_000;
        for _ in 0..draws {
            counts[zipf.draw(&mut rng) as usize] += 1;
        }
        let expected = f64::from(draws) / zeta(40_000, 0.5);
        for window in [14_300..14_336usize, 14_336..14_622, 14_336..14_480, 14_622..14_914, 39_900..40_000] {
            let counted: u32 = counts[window.clone()].iter().sum();
            let law: f64 = window.map(|rank| expected * libm::pow(rank as f64 + 1.0, -0.5)).sum();
            assert!((f64::from(counted) / law - 1.0).abs() < 0.05, "{counted} {law}");
        }
    }

    #[test]
    fn ycsb_generators_have_their_own_masses() {
        let n = 100_000;
        let plain = YcsbZipf::new(n, 0.99);
        // Ranks 3, 4, 5 are over-drawn by 19, 12 and 9 %.
        for (rank, excess) in [(2u64, 1.19), (3, 1.12), (4, 1.09)] {
            let law = libm::pow(rank as f64 + 1.0, -0.99) / zeta(n, 0.99);
            let drawn = mass(|rng| plain.draw(rng), rank + 1) - mass(|rng| plain.draw(rng), rank);
            assert!((drawn / law - excess).abs() < 0.03, "rank {rank}: {}", drawn / law);
        }
        // The hottest hundredth of the scrambled generator holds about .304 of the draws.
        let scrambled = YcsbZipf::scrambled();
        let mut counts = vec![0u32; n as usize];
        let mut rng = Stream::new(5, "scrambled").at(0);
        let draws = 2_000_000;
        for _ in 0..draws {
            counts[(ycsb_hash(scrambled.draw(&mut rng)) % n) as usize] += 1;
        }
        counts.sort_unstable_by_key(|count| std::cmp::Reverse(*count));
        let top: u32 = counts[..n as usize / 100].iter().sum();
        let top = f64::from(top) / f64::from(draws);
        assert!((top - 0.304).abs() < 0.012, "{top}");
    }
}
