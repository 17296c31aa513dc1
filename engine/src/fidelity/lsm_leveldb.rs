//! `lsm_leveldb`: bytes that LevelDB writes, with its fixed sizes of files and levels.

use serde_json::{Map, Value, json};

use super::cases::Case;
use super::experiment::quantities;
use super::lsm;

pub(super) fn simulate(case: &Case, seed: u64) -> Option<Map<String, Value>> {
    let mut tree = lsm::tree(case)?;
    let leveldb = [
        ("compaction", json!("leveldb")),
        ("target_file_bytes", json!(2 << 20)),
        ("level_base_bytes", json!(10 << 20)),
        ("slowdown_files", json!(8)),
        ("stop_files", json!(12)),
        // Its one background thread keeps up with a writer that also writes the log.
        ("background", json!("settled")),
    ];
    for (name, value) in leveldb {
        tree[name] = value;
    }
    let outcome = lsm::write(case, tree, seed)?;
    let megabytes = |name: &str| Some(outcome.counter("tree", name)? / f64::from(1 << 20));
    Some(quantities([
        ("write_amp_flush_plus_compaction", outcome.gauge("tree", "write_amplification")?.clone()),
        ("compaction_and_flush_write_mb", json!(megabytes("bytes_flushed")? + megabytes("bytes_compacted")?)),
        ("compaction_read_mb", json!(megabytes("bytes_read_by_compaction")?)),
    ]))
}
