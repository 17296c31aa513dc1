//! Conversions between the units people write and the integer nanoseconds the kernel counts in.

pub(crate) const NS_PER_SECOND: u64 = 1_000_000_000;

/// Rounds to the nearest nanosecond; negative and absurd values end at the ends of the range.
pub(crate) fn us_to_ns(us: f64) -> u64 {
    libm::round(us * 1e3) as u64
}

pub(crate) fn ms_to_ns(ms: f64) -> u64 {
    libm::round(ms * 1e6) as u64
}

pub(crate) fn ns_to_ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}

pub(crate) fn ns_to_seconds(ns: u64) -> f64 {
    ns as f64 / NS_PER_SECOND as f64
}
