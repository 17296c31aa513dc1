//! Processor time of each kind of step, for a present-day core at about 3 GHz.
//!
//! Orders of magnitude from the instruction counts of Harizopoulos et al., "OLTP Through the Looking Glass, and What We Found
//! There" (SIGMOD 2008), and from in-memory point reads of tuned systems, a few microseconds each. Cores are unlimited, so these
//! figures lengthen operations but never make them wait.

/// Planning and starting a prepared statement, and answering it.
pub(crate) const STATEMENT_NS: u64 = 1_000;
/// Finding, pinning and latching a page, and searching in it.
pub(crate) const PAGE_VISIT_NS: u64 = 150;
/// Reading or changing one row.
pub(crate) const ROW_NS: u64 = 100;
/// Testing one row of a scan.
pub(crate) const SCAN_ROW_NS: u64 = 50;
/// Building one log record.
pub(crate) const LOG_RECORD_NS: u64 = 200;
/// Moving half a page to a new one.
pub(crate) const SPLIT_NS: u64 = 1_000;
/// Ending a transaction, apart from waiting for the log.
pub(crate) const COMMIT_NS: u64 = 300;
/// An operation that needs no wait gives the core back after this much time, so that long scans let others in between.
pub(crate) const QUANTUM_NS: u64 = 1_000_000;
