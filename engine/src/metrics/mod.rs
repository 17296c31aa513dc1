//! What a run measures: latencies by operation and by cause, and figures over virtual time.

pub(crate) mod bands;
pub(crate) mod histogram;
pub(crate) mod series;
