//! Random numbers without state to share: a stream is a name under the seed, a draw is a counter in it.
//! Adding a block or a client therefore shifts nobody else's numbers.

const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

/// The finalizer of SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).
#[inline]
pub(crate) fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// A named family of generators, one for each counter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stream(u64);

impl Stream {
    pub(crate) fn new(seed: u64, name: &str) -> Self {
        // FNV-1a spreads the name; mixing decorrelates neighbouring seeds.
        let hash = name.bytes().fold(0xCBF2_9CE4_8422_2325u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        });
        Self(mix(mix(seed.wrapping_add(GAMMA)) ^ hash))
    }

    /// The generator of this counter.
    #[inline]
    pub(crate) fn at(self, counter: u64) -> Rng {
        Rng(mix(self.0 ^ counter.wrapping_mul(GAMMA)))
    }
}

/// SplitMix64.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rng(u64);

impl Rng {
    #[inline]
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        mix(self.0)
    }

    /// Uniform in [0, 1), 53 bits.
    #[inline]
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }

    /// Uniform in 0..bound by multiplication; the bias is below bound/2^64.
    #[inline]
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// Exponential with mean 1.
    #[inline]
    pub(crate) fn exponential(&mut self) -> f64 {
        -libm::log(1.0 - self.unit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_by_name_seed_and_counter_and_repeat() {
        let first = |seed, name, counter| Stream::new(seed, name).at(counter).next();
        assert_eq!(first(1, "disk", 7), first(1, "disk", 7));
        let values = [first(1, "disk", 7), first(2, "disk", 7), first(1, "wal", 7), first(1, "disk", 8)];
        for (i, a) in values.iter().enumerate() {
            assert!(values[i + 1..].iter().all(|b| a != b));
        }
    }

    #[test]
    fn moments_are_right() {
        let mut rng = Stream::new(3, "moments").at(0);
        let n = 200_000;
        let (mut unit, mut exponential) = (0.0, 0.0);
        for _ in 0..n {
            unit += rng.unit();
            exponential += rng.exponential();
        }
        assert!((unit / f64::from(n) - 0.5).abs() < 0.003);
        assert!((exponential / f64::from(n) - 1.0).abs() < 0.01);
    }
}
