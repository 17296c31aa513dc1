//! `lsm_write`: flushes, compactions and bytes of RocksDB while it is written to.

use serde_json::{Map, Value, json};

use super::cases::Case;
use super::experiment::quantities;
use super::lsm;

pub(super) fn simulate(case: &Case, seed: u64) -> Option<Map<String, Value>> {
    let outcome = lsm::write(case, lsm::tree(case)?, seed)?;
    let counter = |name: &str| outcome.counter("tree", name);
    let gauge = |name: &str| outcome.gauge("tree", name).cloned();
    Some(quantities([
        ("user_bytes", json!(counter("bytes_put")?)),
        ("flushes", json!(counter("flushes")?)),
        ("flush_file_bytes", json!(counter("bytes_flushed")?)),
        ("compactions", json!(counter("compactions")?)),
        ("compaction_read_bytes", json!(counter("bytes_read_by_compaction")?)),
        ("compaction_write_bytes", json!(counter("bytes_compacted")?)),
        ("write_amp_flush_plus_compaction", gauge("write_amplification")?),
        ("sst_files", gauge("sst_files")?),
        ("sst_bytes", gauge("sst_bytes")?),
    ]))
}
