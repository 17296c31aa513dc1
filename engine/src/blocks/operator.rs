//! Query operators keep no state of their own, only figures.

use super::counters::Counters;
use crate::plan::BlockIndex;

pub(crate) const CALLS: usize = 0;
pub(crate) const ROWS: usize = 1;
pub(crate) const PAGES: usize = 2;

/// An index scan or a sequential scan.
#[derive(Debug)]
pub(crate) struct Operator {
    pub(crate) block: BlockIndex,
    pub(crate) counters: Counters<3>,
}

impl Operator {
    pub(crate) fn index_scan(block: BlockIndex) -> Self {
        Self { block, counters: Counters::new(["index_lookups", "rows_found", "rows_fetched"]) }
    }

    pub(crate) fn seq_scan(block: BlockIndex) -> Self {
        Self { block, counters: Counters::new(["scans", "rows_scanned", "pages_scanned"]) }
    }
}
