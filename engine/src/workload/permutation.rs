//! A pseudo-random permutation of 0..n that needs no table: it scatters ranks over keys.
//!
//! Rounds of odd multiplication and xor-shift permute the next power of two; values that fall outside 0..n are permuted
//! again until they fall inside (cycle walking), which keeps it a permutation.

use crate::prng::Stream;

const ROUNDS: usize = 3;

#[derive(Debug, Clone)]
pub(crate) struct Permutation {
    size: u64,
    mask: u64,
    shift: u32,
    offset: u64,
    multipliers: [u64; ROUNDS],
    inverses: [u64; ROUNDS],
}

impl Permutation {
    pub(crate) fn new(size: u64, stream: Stream) -> Self {
        let bits = 64 - size.saturating_sub(1).leading_zeros();
        let mut rng = stream.at(size);
        let multipliers = [rng.next() | 1, rng.next() | 1, rng.next() | 1];
        Self {
            size,
            mask: if bits == 64 { u64::MAX } else { (1u64 << bits) - 1 },
            // At least half the width, so that the xor-shift is its own inverse.
            shift: bits.div_ceil(2).max(1),
            offset: rng.next(),
            multipliers,
            inverses: multipliers.map(odd_inverse),
        }
    }

    /// Where `value` (below the size) goes.
    #[inline]
    pub(crate) fn forward(&self, value: u64) -> u64 {
        let mut value = value;
        loop {
            value = value.wrapping_add(self.offset);
            for multiplier in self.multipliers {
                value = value.wrapping_mul(multiplier) & self.mask;
                value ^= value >> self.shift;
            }
            if value < self.size {
                return value;
            }
        }
    }

    /// What `value` (below the size) comes from.
    #[inline]
    pub(crate) fn backward(&self, value: u64) -> u64 {
        let mut value = value;
        loop {
            for inverse in self.inverses.iter().rev() {
                value ^= value >> self.shift;
                value = value.wrapping_mul(*inverse) & self.mask;
            }
            value = value.wrapping_sub(self.offset) & self.mask;
            if value < self.size {
                return value;
            }
        }
    }
}

/// The inverse of an odd number modulo 2^64, by Newton's iteration: each step doubles the correct bits.
fn odd_inverse(odd: u64) -> u64 {
    let mut inverse = odd;
    for _ in 0..5 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(inverse)));
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permutes_and_inverts_every_size() {
        for size in [1u64, 2, 3, 5, 16, 17, 1000, 4096, 100_003] {
            let permutation = Permutation::new(size, Stream::new(9, "test"));
            let mut seen = vec![false; size as usize];
            for value in 0..size {
                let image = permutation.forward(value);
                assert!(!std::mem::replace(&mut seen[image as usize], true));
                assert_eq!(permutation.backward(image), value);
            }
        }
    }

    #[test]
    fn scatters_neighbours() {
        let size = 1_000_000;
        let permutation = Permutation::new(size, Stream::new(9, "test"));
        // The images of the first hundredth fall evenly over ten tenths of the range.
        let mut tenths = [0u32; 10];
        for value in 0..size / 100 {
            tenths[(permutation.forward(value) * 10 / size) as usize] += 1;
        }
        assert!(tenths.iter().all(|count| (850..1150).contains(count)), "{tenths:?}");
    }
}
