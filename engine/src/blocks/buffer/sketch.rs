//! How often pages were used lately, about: a counting Bloom filter, sized for one false count in a thousand at as many pages as
//! there are frames. Each use raises every counter of the page, as libCacheSim's filter does, whose name promises the minimal
//! increment of the TinyLFU paper: with more pages seen than frames, counts are too high, the more the smaller the filter.

use super::PageId;
use crate::prng::mix;

/// A filter with an error rate of e takes -log2(e) hashes and -ln(e)/ln(2)^2 counters an entry: 10 and 14.4 for 0.001.
const HASHES: usize = 10;
const COUNTERS_PER_TEN_FRAMES: u64 = 144;

#[derive(Debug, Clone)]
pub(super) struct Sketch {
    counts: Vec<u16>,
}

impl Sketch {
    /// Bytes a frame, rounded up.
    pub(super) const BYTES: u64 = 30;

    pub(super) fn new(frames: u32) -> Self {
        let counters = u64::from(frames) * COUNTERS_PER_TEN_FRAMES / 10 + 1;
        Self { counts: vec![0; counters as usize] }
    }

    fn places(&self, page: PageId) -> [usize; HASHES] {
        let first = mix(u64::from(page.space) << 32 | u64::from(page.page));
        let step = mix(first) | 1;
        std::array::from_fn(|hash| {
            let value = first.wrapping_add(step.wrapping_mul(hash as u64));
            ((u128::from(value) * self.counts.len() as u128) >> 64) as usize
        })
    }

    pub(super) fn count(&self, page: PageId) -> u16 {
        self.places(page).into_iter().map(|place| self.counts[place]).min().unwrap_or(0)
    }

    pub(super) fn add(&mut self, page: PageId) {
        for place in self.places(page) {
            self.counts[place] = self.counts[place].saturating_add(1);
        }
    }

    /// Halves every count, so that what was popular once is forgotten.
    pub(super) fn age(&mut self) {
        self.counts.iter_mut().for_each(|count| *count /= 2);
    }
}
