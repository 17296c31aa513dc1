//! A part of a table's records, chosen by a hash, and draws of a law among them alone.

use super::distribution::KeyDraw;
use crate::prng::{Rng, Stream, mix};

/// Records drawn to see how much of a law a sample has, and samples looked at.
const TRIAL_DRAWS: u64 = 1 << 16;
const TRIALS: u64 = 64;
/// Draws, for each record of the sample, after which any record of it does.
const PATIENCE: u64 = 256;

/// One of each so many consecutive records, in order of arrival, chosen by a hash. So a sample has its exact part of the records,
/// keeps their order, and a record's place in it is a division.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    one_in: u64,
    salt: u64,
}

impl Sample {
    /// The place in the sample of a record; absent when it is not in it.
    #[inline]
    fn place_of(self, record: u64) -> Option<u64> {
        let (group, place) = (record / self.one_in, record % self.one_in);
        let chosen = (u128::from(mix(self.salt ^ group)) * u128::from(self.one_in)) >> 64;
        (chosen as u64 == place).then_some(group)
    }

    /// Of many samples the one that has, of what these laws draw, the most nearly its part: whether the hottest records are in
    /// it moves every figure (the correction called SHARDS-adj makes up for what remains). `records` of the whole table.
    pub(crate) fn fairest(one_in: u64, laws: &mut [KeyDraw], records: u64, stream: Stream) -> Self {
        let mut drawn = Vec::new();
        for (law, name) in laws.iter_mut().zip(0u64..) {
            let draws =
                (0..TRIAL_DRAWS).map(|draw| law.draw(&mut stream.at(name << 32 | draw), records, draw));
            drawn.extend(draws);
        }
        let expected = drawn.len() as f64 / one_in as f64;
        let off = |sample: &Self| {
            let kept = drawn.iter().filter(|record| sample.place_of(**record).is_some()).count();
            libm::fabs(kept as f64 - expected)
        };
        let mut fairest = Self { one_in, salt: stream.at(u64::MAX).next() };
        let mut least = off(&fairest);
        for trial in 1..TRIALS {
            let sample = Self { one_in, salt: mix(fairest.salt ^ trial) };
            let other = off(&sample);
            if other < least {
                (fairest, least) = (sample, other);
            }
        }
        fairest
    }
}

/// Draws of a law over a whole table that fall on its sample.
#[derive(Debug, Clone)]
pub(crate) struct SampledDraw {
    law: KeyDraw,
    sample: Sample,
    drawn: u64,
    kept: u64,
}

impl SampledDraw {
    pub(crate) fn new(law: KeyDraw, sample: Sample) -> Self {
        Self { law, sample, drawn: 0, kept: 0 }
    }

    /// The place in the sample of the next record drawn that is in it; `present` records are in the sample now.
    pub(crate) fn draw(&mut self, rng: &mut Rng, present: u64, operation: u64) -> u64 {
        let one_in = self.sample.one_in;
        for _ in 0..one_in * PATIENCE {
            self.drawn += 1;
            let record = self.law.draw(rng, present * one_in, operation);
            if let Some(place) = self.sample.place_of(record) {
                self.kept += 1;
                return place;
            }
        }
        rng.below(present)
    }

    /// Draws so far, and those that fell on the sample.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.drawn, self.kept)
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        self.law.memory_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Distribution;
    use crate::workload::key::KeyLaw;
    use crate::workload::presets;

    fn law(theta: f64, records: u64) -> KeyDraw {
        let config = presets::ycsb_c().config;
        KeyDraw::new(
            KeyLaw::Zipfian { theta, scattered: true },
            &config,
            records,
            0,
            Stream::new(1, "scatter"),
        )
    }

    #[test]
    fn a_sample_has_one_record_of_each_group_in_their_order() {
        let sample = Sample { one_in: 10, salt: 7 };
        let places: Vec<u64> = (0..1_000).filter_map(|record| sample.place_of(record)).collect();
        assert_eq!(places, (0..100).collect::<Vec<_>>());
        let firsts =
            (0..1_000).filter(|record| record % 10 == 0 && sample.place_of(*record).is_some()).count();
        assert!((2..25).contains(&firsts), "chosen by a hash, not by the place: {firsts}");
    }

    #[test]
    fn the_fairest_sample_has_its_part_of_the_law() {
        for (theta, records, off) in [(0.5, 100_000, 0.02), (0.99, 1_000_000, 0.06)] {
            let mut laws = [law(theta, records)];
            let sample = Sample::fairest(16, &mut laws, records, Stream::new(3, "sample"));
            let [law] = laws;
            let mut draw = SampledDraw::new(law, sample);
            let stream = Stream::new(9, "keys");
            let mut seen = vec![0u32; records as usize / 16];
            for operation in 0..50_000 {
                seen[draw.draw(&mut stream.at(operation), records / 16, operation) as usize] += 1;
            }
            let (drawn, kept) = draw.counts();
            assert_eq!(kept, 50_000);
            let part = kept as f64 / drawn as f64 * 16.0;
            assert!((1.0 - off..1.0 + off).contains(&part), "theta {theta}: {part}");
        }
    }

    #[test]
    fn the_newest_of_the_whole_is_the_newest_of_the_sample() {
        let config = presets::ycsb_c().config;
        let latest = KeyLaw::Named(Distribution::Latest);
        let mut laws = [KeyDraw::new(latest, &config, 64_000, 0, Stream::new(1, "scatter"))];
        let sample = Sample::fairest(64, &mut laws, 64_000, Stream::new(3, "sample"));
        let [law] = laws;
        let mut draw = SampledDraw::new(law, sample);
        let stream = Stream::new(9, "keys");
        let newest = (0..20_000).filter(|at| draw.draw(&mut stream.at(*at), 1_000, *at) >= 900).count();
        let expected = crate::workload::zipf::zeta(6_400, 0.99) / crate::workload::zipf::zeta(64_000, 0.99);
        assert!((newest as f64 / 20_000.0 - expected).abs() < 0.08, "{newest} {expected}");
    }
}
