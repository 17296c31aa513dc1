//! Bloom filters by their false-positive probability: no bits are kept. Whether a filter errs for a key and a file is drawn by
//! a hash of both, so a key that fools a filter always fools it.

use crate::plan::BloomKind;
use crate::prng::mix;

const LN2_SQUARED: f64 = std::f64::consts::LN_2 * std::f64::consts::LN_2;

/// False-positive probability of a filter with `bits` a key: (1 − e^(−k/b))^k with k = round(b ln 2); 1 without bits.
fn false_positive(bits: f64) -> f64 {
    if bits <= 0.0 {
        return 1.0;
    }
    let hashes = libm::round(bits * std::f64::consts::LN_2).max(1.0);
    libm::pow(1.0 - libm::exp(-hashes / bits), hashes)
}

/// The probability for a file written to `level` (level 0 counts as the first) of a tree with `levels` levels, `levels` ≥ 1.
///
/// Monkey gives upper levels, which hold few keys, more bits: e^(−b ln²2) · T^(T/(T−1)) / T^(L+1−i) for level i of L (Dayan,
/// Athanassoulis, Idreos, "Monkey: Optimal Navigable Key-Value Store", SIGMOD 2017).
pub(crate) fn level_false_positive(
    kind: BloomKind,
    bits: f64,
    size_ratio: f64,
    level: usize,
    levels: usize,
) -> f64 {
    match kind {
        BloomKind::None => 1.0,
        BloomKind::Uniform => false_positive(bits),
        BloomKind::Monkey => {
            let above_last = levels.saturating_sub(level.max(1)) as f64;
            let first =
                libm::exp(-bits * LN2_SQUARED) * libm::pow(size_ratio, size_ratio / (size_ratio - 1.0));
            (first / libm::pow(size_ratio, above_last + 1.0)).min(1.0)
        }
    }
}

/// Bytes of a filter of `keys` keys with this false-positive probability.
pub(crate) fn filter_bytes(keys: u64, probability: f64) -> u64 {
    if probability >= 1.0 {
        return 0;
    }
    (keys as f64 * -libm::log(probability) / LN2_SQUARED / 8.0) as u64
}

/// Whether the filter of a file says "maybe" to a key that is not there.
#[inline]
pub(crate) fn errs(file: u32, rank: u32, probability: f64) -> bool {
    let draw = mix(u64::from(file) << 32 | u64::from(rank)) >> 11;
    (draw as f64 * (1.0 / 9_007_199_254_740_992.0)) < probability
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_the_published_ones() {
        for (bits, percent) in [(5.0, 9.2), (8.0, 2.16), (10.0, 0.82), (14.0, 0.12)] {
            assert!((100.0 * false_positive(bits) - percent).abs() < 0.06, "{bits}");
        }
        let drawn = (0..100_000).filter(|rank| errs(7, *rank, 0.02)).count();
        assert!((1_850..2_150).contains(&drawn), "{drawn}");
    }

    #[test]
    fn monkey_spends_more_bits_on_upper_levels() {
        let of = |level| level_false_positive(BloomKind::Monkey, 5.0, 10.0, level, 4);
        assert!((of(3) / of(2) - 10.0).abs() < 1e-9);
        assert!(of(4) > of(1));
        assert_eq!(filter_bytes(1_000, 1.0), 0);
        assert!(filter_bytes(1_000, of(1)) > filter_bytes(1_000, of(3)));
    }
}
