//! Where the time of an operation went, kept by how long the operation took.
//!
//! Latencies fall into buckets of a sixteenth of an octave; each bucket sums its operations' times by cause. The split of a
//! percentile is the mean split of the operations in a band of one percent around it (p99: p98.5 to p99.5). A bucket on the
//! edge of the band counts in proportion.

/// Buckets an octave, as a power of two.
const STEP_BITS: u32 = 4;
const BUCKETS: usize = 64 << STEP_BITS;

#[derive(Debug)]
pub(crate) struct Bands {
    causes: usize,
    counts: Vec<u64>,
    /// By bucket, by cause.
    sums_ns: Vec<u64>,
}

/// Mean time by cause of the operations in a band, in nanoseconds.
pub(crate) type Split = Vec<f64>;

impl Bands {
    pub(crate) fn memory_for(causes: usize) -> u64 {
        (BUCKETS * (causes + 1) * 8) as u64
    }

    pub(crate) fn new(causes: usize) -> Self {
        Self { causes, counts: vec![0; BUCKETS], sums_ns: vec![0; BUCKETS * causes] }
    }

    /// Counts an operation. Its times by cause, which sum to its latency, are to be added to the sums returned.
    #[inline]
    pub(crate) fn record(&mut self, latency_ns: u64) -> &mut [u64] {
        let bucket = bucket_of(latency_ns);
        self.counts[bucket] += 1;
        &mut self.sums_ns[bucket * self.causes..(bucket + 1) * self.causes]
    }

    /// Mean split of the operations between two quantiles (0 to 1).
    pub(crate) fn split(&self, from: f64, to: f64) -> Split {
        let total: u64 = self.counts.iter().sum();
        let (from, to) = (from * total as f64, to * total as f64);
        let mut split = vec![0.0; self.causes];
        let mut weight = 0.0;
        let mut before = 0.0;
        for (bucket, count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let after = before + *count as f64;
            let inside = (after.min(to) - before.max(from)).max(0.0);
            if inside > 0.0 {
                let part = inside / *count as f64;
                for (cause, share) in split.iter_mut().enumerate() {
                    *share += self.sums_ns[bucket * self.causes + cause] as f64 * part;
                }
                weight += inside;
            }
            before = after;
        }
        if weight > 0.0 {
            split.iter_mut().for_each(|share| *share /= weight);
        }
        split
    }
}

fn bucket_of(latency_ns: u64) -> usize {
    let octave = 63 - (latency_ns | 1).leading_zeros();
    let step = match octave.checked_sub(STEP_BITS) {
        Some(shift) => latency_ns >> shift & ((1 << STEP_BITS) - 1),
        None => latency_ns << (STEP_BITS - octave) & ((1 << STEP_BITS) - 1),
    };
    (octave << STEP_BITS) as usize | step as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_grow_with_latency() {
        let buckets: Vec<usize> = (0..200u64).map(|power| bucket_of(1 << (power / 4))).collect();
        assert!(buckets.windows(2).all(|pair| pair[0] <= pair[1]));
        assert!(bucket_of(u64::MAX) < BUCKETS);
        assert_ne!(bucket_of(1_000), bucket_of(1_100));
    }

    #[test]
    fn a_band_holds_its_own_operations_only() {
        let mut bands = Bands::new(2);
        // 99 fast operations of cause 0, one slow of cause 1.
        (0..990).for_each(|_| bands.record(1_000)[0] += 1_000);
        (0..10).for_each(|_| bands.record(1_000_000)[1] += 1_000_000);
        assert_eq!(bands.split(0.495, 0.505), [1_000.0, 0.0]);
        let tail = bands.split(0.985, 0.995);
        assert!((tail[0] - 500.0).abs() < 1e-6 && (tail[1] - 500_000.0).abs() < 1e-3, "{tail:?}");
        let mean = bands.split(0.0, 1.0);
        assert!((mean[0] - 990.0).abs() < 1e-6 && (mean[1] - 10_000.0).abs() < 1e-6);
    }
}
