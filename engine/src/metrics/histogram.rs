//! Latency histograms with a relative error below a thousandth: buckets as wide as a part of their octave, as those of Gil
//! Tene's HdrHistogram. Recording is a shift and an addition.

use serde_json::{Value, json};

use crate::units::ns_to_ms;

/// Latencies above this (about five hours) count as this.
const HIGHEST_NS: u64 = 1 << 44;

/// Bytes of one histogram with three digits, for the memory budget.
pub(crate) const LATENCIES_BYTES: u64 = 160 << 10;

/// Latencies in nanoseconds, with their exact sum.
///
/// Below 2^(`half_bits` + 1) each value has a bucket of its own; above, each octave has 2^`half_bits`.
#[derive(Debug, Clone)]
pub(crate) struct Latencies {
    half_bits: u32,
    counts: Vec<u32>,
    count: u64,
    sum_ns: u128,
    min_ns: u64,
    max_ns: u64,
}

impl Latencies {
    /// `digits`: significant decimal digits kept, 2 or 3.
    pub(crate) fn new(digits: u8) -> Self {
        let half_bits = if digits < 3 { 7 } else { 10 };
        let buckets = index(HIGHEST_NS, half_bits) + 1;
        Self { half_bits, counts: vec![0; buckets], count: 0, sum_ns: 0, min_ns: u64::MAX, max_ns: 0 }
    }

    #[inline]
    pub(crate) fn record(&mut self, latency_ns: u64) {
        let value = latency_ns.min(HIGHEST_NS);
        let count = &mut self.counts[index(value, self.half_bits)];
        *count = count.saturating_add(1);
        self.count += 1;
        self.sum_ns += u128::from(latency_ns);
        self.min_ns = self.min_ns.min(value);
        self.max_ns = self.max_ns.max(value);
    }

    /// Adds the latencies of a histogram with as many digits.
    pub(crate) fn add(&mut self, other: &Latencies) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count = count.saturating_add(*more);
        }
        self.count += other.count;
        self.sum_ns += other.sum_ns;
        self.min_ns = self.min_ns.min(other.min_ns);
        self.max_ns = self.max_ns.max(other.max_ns);
    }

    pub(crate) fn reset(&mut self) {
        if self.count > 0 {
            let touched = index(self.min_ns, self.half_bits)..=index(self.max_ns, self.half_bits);
            self.counts[touched].fill(0);
        }
        (self.count, self.sum_ns, self.min_ns, self.max_ns) = (0, 0, u64::MAX, 0);
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn mean_ms(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum_ns as f64 / self.count as f64 / 1e6 }
    }

    /// The value that this part (0 to 1) of the latencies does not exceed: the end of its bucket.
    pub(crate) fn quantile_ms(&self, part: f64) -> f64 {
        if self.count == 0 {
            return 0.0;
        }
        let wanted = (libm::ceil(part * self.count as f64) as u64).max(1);
        let mut before = 0;
        let place = self.counts.iter().position(|count| {
            before += u64::from(*count);
            before >= wanted
        });
        ns_to_ms(place.map_or(self.max_ns, |place| bucket(place, self.half_bits).1))
    }

    pub(crate) fn max_ms(&self) -> f64 {
        if self.count == 0 { 0.0 } else { ns_to_ms(self.bucket_of(self.max_ns).1) }
    }

    fn min_ms(&self) -> f64 {
        if self.count == 0 { 0.0 } else { ns_to_ms(self.bucket_of(self.min_ns).0) }
    }

    fn bucket_of(&self, value: u64) -> (u64, u64) {
        bucket(index(value, self.half_bits), self.half_bits)
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "count": self.count,
            "mean": self.mean_ms(),
            "min": self.min_ms(),
            "p50": self.quantile_ms(0.50),
            "p95": self.quantile_ms(0.95),
            "p99": self.quantile_ms(0.99),
            "max": self.max_ms(),
        })
    }
}

#[inline]
fn index(value: u64, half_bits: u32) -> usize {
    let narrow = (1 << (half_bits + 1)) - 1;
    let shift = 63 - (value | narrow).leading_zeros() - half_bits;
    ((shift as usize) << half_bits) + (value >> shift) as usize
}

/// First and last value of a bucket.
fn bucket(index: usize, half_bits: u32) -> (u64, u64) {
    let shift = (index >> half_bits).saturating_sub(1);
    let first = ((index - (shift << half_bits)) as u64) << shift;
    (first, first + (1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn buckets_hold_their_values_and_are_narrow(value in prop_oneof![0u64..5_000, 0..HIGHEST_NS], two in any::<bool>()) {
            let half_bits = if two { 7 } else { 10 };
            let (first, last) = bucket(index(value, half_bits), half_bits);
            prop_assert!(first <= value && value <= last);
            prop_assert!(last - first <= value >> half_bits);
            prop_assert_eq!(index(last + 1, half_bits), index(value, half_bits) + 1);
        }

        #[test]
        fn quantiles_agree_with_a_sorted_list(mut values in prop::collection::vec(0u64..1 << 40, 1..200), part in 0.0f64..1.0) {
            let mut latencies = Latencies::new(3);
            values.iter().for_each(|value| latencies.record(*value));
            values.sort_unstable();
            let place = (libm::ceil(part * values.len() as f64) as usize).max(1) - 1;
            let (exact, found) = (ns_to_ms(values[place]), latencies.quantile_ms(part));
            prop_assert!(exact <= found && found <= exact * 1.001 + 1e-6, "{} {}", exact, found);
            prop_assert!(latencies.quantile_ms(1.0) <= latencies.max_ms());
            let mean = values.iter().map(|value| *value as f64).sum::<f64>() / values.len() as f64 / 1e6;
            prop_assert!((latencies.mean_ms() - mean).abs() <= mean * 1e-12);
            latencies.reset();
            prop_assert!(latencies.count() == 0 && latencies.counts.iter().all(|count| *count == 0));
        }
    }
}
