//! How often pages were used lately, about: a count-min sketch with conservative update whose counts are halved from time to time.

use super::PageId;
use crate::prng::mix;

const ROWS: usize = 4;
const MAX_COUNT: u8 = 15;
/// Uses between two halvings, for each frame.
const PERIOD: u64 = 10;

#[derive(Debug, Clone)]
pub(super) struct Sketch {
    counts: Vec<u8>,
    /// Counters of one row, less one: a power of two.
    mask: u64,
    added: u64,
    period: u64,
}

impl Sketch {
    /// Bytes a frame at most: four rows of four to eight counters.
    pub(super) const BYTES: u64 = 32;

    pub(super) fn new(capacity: u32) -> Self {
        let width = (u64::from(capacity) * 4).next_power_of_two();
        Self {
            counts: vec![0; width as usize * ROWS],
            mask: width - 1,
            added: 0,
            period: u64::from(capacity) * PERIOD,
        }
    }

    fn places(&self, page: PageId) -> [usize; ROWS] {
        let first = mix(u64::from(page.space) << 32 | u64::from(page.page));
        let step = mix(first) | 1;
        std::array::from_fn(|row| {
            let column = first.wrapping_add(step.wrapping_mul(row as u64)) & self.mask;
            (column as usize) * ROWS + row
        })
    }

    pub(super) fn count(&self, page: PageId) -> u8 {
        self.places(page).into_iter().map(|place| self.counts[place]).min().unwrap_or(0)
    }

    pub(super) fn add(&mut self, page: PageId) {
        let places = self.places(page);
        let count = self.count(page);
        if count < MAX_COUNT {
            for place in places {
                self.counts[place] = self.counts[place].max(count + 1);
            }
        }
        self.added += 1;
        if self.added >= self.period {
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.added = 0;
        }
    }
}
