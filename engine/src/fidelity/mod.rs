//! Agreement with measured systems: each measured case becomes a canvas and a workload through the public catalogue, runs, and
//! is scored by the tolerances of its kind.
//!
//! A kind is one file with one mapping. It may use what a case says about its configuration, never its results.

mod cache;
mod cases;
mod document;
mod experiment;
mod innodb;
mod innodb_pool;
mod lsm;
mod lsm_leveldb;
mod lsm_read;
mod lsm_write;
mod not_modelled;
mod pg_access;
mod pg_bloat;
mod pg_btree;
mod pg_buffer;
mod pg_hash;
mod pg_heap;
mod pg_join;
mod pg_locks;
mod pg_sort;
mod pg_wal;
mod rank;
mod rules;
mod score;
mod sqlite_cache;
mod sqlite_shape;

use serde::Serialize;
use serde_json::{Map, Value};

pub use cases::{Case, read};
pub use document::{agreement, markdown};
pub use score::{KindScore, Score, score};

/// Measured seeds differ by less than the tolerances, so most kinds need one of ours.
const FIRST_SEED: u64 = 1;

/// What a simulation says about a case.
#[derive(Debug, Clone, Serialize)]
pub struct Prediction {
    pub id: String,
    /// By name, as in the results of the case; names of nested fields are joined by dots.
    pub quantities: Map<String, Value>,
    /// Measured quantities that are not given.
    pub not_modelled: Vec<String>,
}

/// Simulates a case. Absent when its kind, or something about its configuration, is not known here.
pub fn predict(case: &Case) -> Option<Prediction> {
    let quantities = match case.kind.as_str() {
        "cache" => cache::simulate(case, FIRST_SEED)?,
        "innodb" => innodb::simulate(case, FIRST_SEED)?,
        "innodb_pool" => innodb_pool::simulate(case, FIRST_SEED)?,
        "lsm_leveldb" => lsm_leveldb::simulate(case, FIRST_SEED)?,
        "lsm_read" => lsm_read::simulate(case, FIRST_SEED)?,
        "lsm_write" => lsm_write::simulate(case, FIRST_SEED)?,
        // Which pages rows lie on is chance, and a range of few rows has few of them.
        "pg_access" => mean(&[1, 2, 3, 4].map(|seed| pg_access::simulate(case, seed)))?,
        "pg_join" => pg_join::simulate(case, FIRST_SEED)?,
        "pg_sort" => pg_sort::simulate(case, FIRST_SEED)?,
        "pg_btree" => pg_btree::simulate(case, FIRST_SEED)?,
        // Chance moves the hit ratio of one run by as much as half the tolerance.
        "pg_buffer" => mean(&[1, 2, 3, 4].map(|seed| pg_buffer::simulate(case, seed)))?,
        "rank" => rank::simulate(case, FIRST_SEED)?,
        "pg_bloat" => pg_bloat::simulate(case, FIRST_SEED)?,
        "pg_wal" => pg_wal::simulate(case, FIRST_SEED)?,
        "pg_hash" => pg_hash::simulate(case, FIRST_SEED)?,
        "pg_heap" => pg_heap::simulate(case, FIRST_SEED)?,
        "pg_locks" => pg_locks::simulate(case, FIRST_SEED)?,
        "sqlite_cache" => sqlite_cache::simulate(case, FIRST_SEED)?,
        "sqlite_shape" => sqlite_shape::simulate(case, FIRST_SEED)?,
        _ => return None,
    };
    let measured = case.results.first().map(cases::flat).unwrap_or_default();
    let not_modelled =
        measured.into_iter().map(|(name, _)| name).filter(|name| !quantities.contains_key(name));
    Some(Prediction { id: case.id.clone(), not_modelled: not_modelled.collect(), quantities })
}

/// The mean of each quantity over runs that give the same numbers.
fn mean(runs: &[Option<Map<String, Value>>]) -> Option<Map<String, Value>> {
    let runs: Vec<&Map<String, Value>> = runs.iter().map(Option::as_ref).collect::<Option<_>>()?;
    let over_runs = |name: &String| {
        let sum: f64 = runs.iter().map(|run| run.get(name)?.as_f64()).sum::<Option<f64>>()?;
        Some((name.clone(), (sum / runs.len() as f64).into()))
    };
    runs.first()?.keys().map(over_runs).collect()
}
