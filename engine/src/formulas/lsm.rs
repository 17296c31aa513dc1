//! An LSM tree: how many levels its data needs, and how often a filter errs.

use serde_json::Value;

use super::{FormulaCheck, Relation, Run};
use crate::plan::{BlockIndex, BloomKind, CompactionKind, LsmSpec, Spec};
use crate::workload::access::KeyChoice;
use crate::workload::key::KeyLaw;
use crate::workload::{Distribution, OperationType};

/// How far the size of the data must lie from a border between two numbers of levels to tell them apart, beside what the formula itself
/// leaves out: levels hold T/(T-1) as much as it says.
const BORDER: f64 = 1.35;
/// Filters: beside what so many probes cannot tell; standard errors; least false positives expected.
const TOLERANCE: f64 = 0.02;
const STANDARD_ERRORS: f64 = 4.0;
const FEWEST_ERRORS: f64 = 100.0;
/// Levels below level 0 of a tree whose first holds `size_ratio` write buffers, and each `size_ratio` times the one above:
/// L = ⌈log_T(N·E/buffer + 1)⌉, at least 1 (Dayan, Athanassoulis, Idreos, "Monkey", SIGMOD 2017).
pub fn levels(data_bytes: f64, buffer_bytes: f64, size_ratio: f64) -> u32 {
    let levels = libm::log(data_bytes / buffer_bytes + 1.0) / libm::log(size_ratio);
    libm::ceil(levels).max(1.0) as u32
}

/// Probability that a Bloom filter with `bits` a key says "maybe" to a key it does not hold: (1 - e^(-k/b))^k with k = round(b ln 2)
/// hash functions (Bloom 1970).
pub fn false_positive_rate(bits: f64) -> f64 {
    let hashes = libm::round(bits * std::f64::consts::LN_2).max(1.0);
    libm::pow(1.0 - libm::exp(-hashes / bits), hashes)
}

pub(super) fn checks(run: &Run<'_>, block: BlockIndex) -> Vec<FormulaCheck> {
    let Spec::Lsm(lsm) = &run.plan.blocks[block].spec else { return Vec::new() };
    level_check(run, block, lsm).into_iter().chain(filter_check(run, block, lsm)).collect()
}

fn level_check(run: &Run<'_>, block: BlockIndex, lsm: &LsmSpec) -> Option<FormulaCheck> {
    if lsm.compaction != CompactionKind::Leveled {
        return None;
    }
    let sizes = run.gauge(block, "bytes_per_level")?.as_array()?;
    let simulated = sizes.iter().rposition(|bytes| bytes.as_u64().unwrap_or_default() > 0)?;
    // Level 0 is a queue of flushed memtables, not yet part of the shape.
    let data: f64 = sizes.iter().skip(1).filter_map(Value::as_f64).sum();
    let buffer = lsm.write_buffer_bytes as f64;
    let of = |bytes: f64| levels(bytes, buffer, lsm.size_ratio);
    if data == 0.0 {
        return None;
    }
    let border = BORDER * lsm.size_ratio / (lsm.size_ratio - 1.0);
    let check = FormulaCheck::new(
        "levels",
        "L = ⌈log_T(N·E/buffer + 1)⌉ (Dayan et al. 2017)",
        Relation::Equal,
        f64::from(of(data)),
        simulated as f64,
        0.0,
    )?;
    let nominal = lsm.level_base_bytes as f64 / (buffer * lsm.size_ratio);
    Some(
        check
            .assume(!lsm.dynamic_level_bytes, "level targets follow the size of the last level")
            .assume(
                run.program.statements.iter().all(|statement| statement.kind != OperationType::Delete),
                "rows are deleted, and levels stay where more rows have left them",
            )
            .assume(
                libm::fabs(nominal - 1.0) < 0.01,
                "the first level does not hold a size ratio of write buffers",
            )
            .assume(
                of(data / border) == of(data * border),
                "so many bytes make one number of levels or the next",
            ),
    )
}

fn filter_check(run: &Run<'_>, block: BlockIndex, lsm: &LsmSpec) -> Option<FormulaCheck> {
    if lsm.bloom != BloomKind::Uniform || lsm.bloom_bits <= 0.0 {
        return None;
    }
    let errors = run.counter(block, "bloom_false_positives");
    let probes = errors + run.counter(block, "bloom_negatives");
    let rate = false_positive_rate(lsm.bloom_bits);
    let table = run.program.tables.iter().find(|table| table.name == lsm.table)?;
    // A key that fools a filter always fools it: probes beyond the first of a key say nothing new.
    let draws = probes.min(table.record_count as f64);
    if draws == 0.0 {
        return None;
    }
    let error = libm::sqrt((1.0 - rate) / (rate * draws));
    let check = FormulaCheck::new(
        "filter_false_positive_rate",
        "(1 - e^(-k/b))^k, k = round(b ln 2) (Bloom 1970)",
        Relation::Equal,
        rate,
        errors / probes,
        TOLERANCE + STANDARD_ERRORS * error,
    )?;
    let uniform = |key| match key {
        KeyChoice::Drawn(KeyLaw::Named(law)) => {
            matches!(law, Distribution::Uniform | Distribution::Sequential)
        }
        _ => false,
    };
    Some(
        check
            .assume(
                run.program.statements.iter().all(|statement| uniform(statement.key)),
                "a key that fools a filter always does, and some keys are asked for often",
            )
            .assume(rate * draws >= FEWEST_ERRORS, "too few keys were looked up to tell the rate"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_have_their_published_values() {
        for (bits, percent) in [(5.0, 9.2), (8.0, 2.16), (10.0, 0.82), (14.0, 0.12)] {
            assert!((100.0 * false_positive_rate(bits) - percent).abs() < 0.06, "{bits}");
        }
        // A buffer of 1 and a ratio of 10: levels of 10, 100, 1,000 and 10,000.
        for (data, expected) in [(0.5, 1), (8.0, 1), (50.0, 2), (150.0, 3), (998.0, 3), (1_500.0, 4)] {
            assert_eq!(levels(data, 1.0, 10.0), expected, "{data}");
        }
    }
}
