//! Latency histograms with a relative error below a thousandth.

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::units::ns_to_ms;

/// Latencies above this (about five hours) count as this.
const HIGHEST_NS: u64 = 1 << 44;

/// Bytes of one histogram with three digits, for the memory budget.
pub(crate) const LATENCIES_BYTES: u64 = 160 << 10;

/// Latencies in nanoseconds, with their exact sum.
#[derive(Debug, Clone)]
pub(crate) struct Latencies {
    histogram: Histogram<u32>,
    sum_ns: u128,
}

impl Latencies {
    /// `digits`: significant decimal digits kept, 2 or 3.
    pub(crate) fn new(digits: u8) -> Self {
        let histogram = Histogram::new_with_bounds(1, HIGHEST_NS, digits)
            .expect("the bounds are constants that satisfy the histogram's rules");
        Self { histogram, sum_ns: 0 }
    }

    #[inline]
    pub(crate) fn record(&mut self, latency_ns: u64) {
        self.histogram.saturating_record(latency_ns);
        self.sum_ns += u128::from(latency_ns);
    }

    pub(crate) fn add(&mut self, other: &Latencies) {
        // Both have the same bounds, so nothing can be out of range.
        let _ = self.histogram.add(&other.histogram);
        self.sum_ns += other.sum_ns;
    }

    pub(crate) fn reset(&mut self) {
        self.histogram.reset();
        self.sum_ns = 0;
    }

    pub(crate) fn count(&self) -> u64 {
        self.histogram.len()
    }

    pub(crate) fn mean_ms(&self) -> f64 {
        if self.count() == 0 { 0.0 } else { self.sum_ns as f64 / self.count() as f64 / 1e6 }
    }

    /// The value that this part (0 to 1) of the latencies does not exceed; the largest one recorded is the limit.
    pub(crate) fn quantile_ms(&self, part: f64) -> f64 {
        if self.count() == 0 {
            return 0.0;
        }
        ns_to_ms(self.histogram.value_at_quantile(part).min(self.histogram.max()))
    }

    pub(crate) fn max_ms(&self) -> f64 {
        if self.count() == 0 { 0.0 } else { ns_to_ms(self.histogram.max()) }
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "count": self.count(),
            "mean": self.mean_ms(),
            "min": if self.count() == 0 { 0.0 } else { ns_to_ms(self.histogram.min()) },
            "p50": self.quantile_ms(0.50),
            "p95": self.quantile_ms(0.95),
            "p99": self.quantile_ms(0.99),
            "max": self.max_ms(),
        })
    }
}
