//! Runs that are too large, in part: a sample of the keys, chosen by a hash, in structures and caches that are as much smaller.
//!
//! What a page, a level or a frame sees in the sample is what it sees in the whole, only there are fewer of them (Waldspurger et al.,
//! "Efficient MRC Construction with SHARDS", FAST 2015; "Cache Modeling and Optimization using Miniature Simulations", ATC 2017).
//! Devices, cores, the log and clients are those of the whole, so times are not scaled: the run is shorter, not faster. Counts are
//! multiplied. Of what a skewed law draws, a sample may have more or less than its part: who is missing would have hit, so misses are
//! multiplied by the part it has (SHARDS-adj). A smaller tree may be lower: requests for the levels it lacks hit.
//!
//! Not sampled: what reads a whole table, because that takes longer the larger it is; laws that go through keys in an order; and
//! transactions that lock, because fewer rows are fought for more.

mod scale;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::design::catalog::{self, Category};
use crate::design::{Code, Diagnostic};
use crate::estimate::estimate;
use crate::kernel::budget::{Control, Options};
use crate::kernel::program::Program;
use crate::kernel::{self, Part};
use crate::plan::{Plan, Route};
use crate::report::Warning;
use crate::workload::access::{Access, KeyChoice};
use crate::workload::key::KeyLaw;
use crate::workload::{Distribution, OperationType, Workload};
use crate::{Report, SimulateError};

/// Whether a run may be sampled.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Sampling {
    #[default]
    Off,
    /// When it is expected to take longer than so many seconds of processor time, or more than three quarters of the memory limit:
    /// as little as keeps it below.
    Auto { seconds: f64 },
    /// One key in so many.
    OneIn(u32),
}

/// How a run was sampled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SamplingResult {
    /// Part of the keys that was simulated.
    pub rate: f64,
    /// Operations that were really run and measured.
    pub simulated_operations: u64,
    /// Of what the laws draw, the part that fell on the sample, over `rate`; 1 where it has exactly its part.
    pub drawn_part: f64,
    /// The hit ratio is off by less than this in about 19 of 20 samples; absent without a pool.
    pub hit_ratio_error: Option<f64>,
}

/// Frames, records and operations that a sample has at least: with fewer, chance decides.
const MIN_FRAMES: u64 = 256;
const MIN_RECORDS: u64 = 1_000;
const MIN_OPERATIONS: u64 = 2_000;
const MEMORY_PART: f64 = 0.75;

/// What is simulated of a workload.
pub(crate) struct Sampled {
    pub(crate) plan: Plan,
    pub(crate) workload: Workload,
    pub(crate) one_in: u32,
}

/// Runs a workload on a plan and reports it.
///
/// # Errors
/// - `InvalidWorkload`: every problem of the workload.
/// - `InvalidDesign`: plan and workload do not fit together, e.g. a table no storage holds, or a row too large for its pages.
/// - `Stopped`: the budget of `options` ended, `control` said stop, or no client can ever go on.
pub fn simulate(
    plan: &Plan,
    workload: &Workload,
    options: &Options,
    control: &Control,
) -> Result<Report, SimulateError> {
    let chosen = choose(plan, workload, options)?;
    let (mut report, part) = match &chosen {
        Choice::Whole | Choice::WholeBecause(_) => kernel::simulate(plan, workload, None, options, control)?,
        Choice::Sample(sampled) => {
            kernel::simulate(&sampled.plan, &sampled.workload, Some(sampled.one_in), options, control)?
        }
    };
    match chosen {
        Choice::Whole => return Ok(report),
        Choice::WholeBecause(message) => {
            report.warnings.push(Warning { code: "NOT_SAMPLED".to_owned(), message, block_id: None });
        }
        Choice::Sample(sampled) => extrapolate(&mut report, &sampled, workload, &part),
    }
    report.result_hash = report.compute_hash();
    Ok(report)
}

pub(crate) enum Choice {
    Whole,
    /// It should have been sampled, and the sentence says why it was not.
    WholeBecause(String),
    Sample(Box<Sampled>),
}

/// What of a workload is to be simulated.
///
/// # Errors
/// As [`simulate`]; and when a rate is asked for that this workload cannot be sampled at.
pub(crate) fn choose(plan: &Plan, workload: &Workload, options: &Options) -> Result<Choice, SimulateError> {
    let most = |workload: &Workload| -> Result<Result<u64, String>, SimulateError> {
        let program = Program::bind(plan, workload, options.seed)?;
        Ok(match obstacle(plan, &program) {
            Some(obstacle) => Err(obstacle),
            None => Ok(most_one_in(plan, &program)),
        })
    };
    match options.sampling {
        Sampling::Off => Ok(Choice::Whole),
        Sampling::OneIn(0 | 1) => Ok(Choice::Whole),
        Sampling::OneIn(one_in) => {
            let refused = |message: String| {
                SimulateError::InvalidWorkload(vec![Diagnostic::error(
                    Code::ValueOutOfRange,
                    &["sampling"],
                    message,
                )])
            };
            match most(workload)? {
                Err(obstacle) => Err(refused(format!("this workload cannot be sampled: {obstacle}"))),
                Ok(most) if u64::from(one_in) > most => Err(refused(format!(
                    "one key in {one_in} is too few: a sample has at least {MIN_RECORDS} records of each table, {MIN_FRAMES} frames \
                     and {MIN_OPERATIONS} operations, which here is at most one in {most}"
                ))),
                Ok(_) => Ok(Choice::Sample(Box::new(sampled(plan, workload, one_in)))),
            }
        }
        Sampling::Auto { seconds } => {
            let fits = |plan: &Plan, workload: &Workload| -> Result<bool, SimulateError> {
                let expected = estimate(plan, workload)?;
                let memory_bytes = options.memory_limit_bytes as f64 * MEMORY_PART;
                Ok(expected.seconds <= seconds && expected.memory_bytes as f64 <= memory_bytes)
            };
            if fits(plan, workload)? {
                return Ok(Choice::Whole);
            }
            let most = match most(workload)? {
                Ok(most) if most >= 2 => most,
                Ok(_) => return Ok(not_sampled("it is too small to be sampled")),
                Err(obstacle) => return Ok(not_sampled(&obstacle)),
            };
            let mut one_in = 2;
            loop {
                let sampled = sampled(plan, workload, one_in.min(most) as u32);
                if one_in >= most || fits(&sampled.plan, &sampled.workload)? {
                    return Ok(Choice::Sample(Box::new(sampled)));
                }
                one_in *= 2;
            }
        }
    }
}

fn not_sampled(reason: &str) -> Choice {
    Choice::WholeBecause(format!("the run is larger than its budget and was simulated as a whole: {reason}"))
}

fn sampled(plan: &Plan, workload: &Workload, one_in: u32) -> Sampled {
    Sampled { plan: scale::plan(plan, one_in), workload: scale::workload(workload, one_in), one_in }
}

/// Why a sample would say something else than the whole.
fn obstacle(plan: &Plan, program: &Program) -> Option<String> {
    let transaction =
        |kind: &str| catalog::block_type(kind).is_some_and(|found| found.category == Category::Transaction);
    let operator = |kind: &str| {
        let query = catalog::block_type(kind).is_some_and(|found| found.category == Category::Query);
        query && !matches!(kind, "index-scan" | "seq-scan")
    };
    for block in plan.blocks.iter().filter(|block| block.reachable) {
        if transaction(block.kind) {
            return Some(format!("block \"{}\" locks rows, and fewer rows are fought for more", block.id));
        }
        if operator(block.kind) {
            return Some(format!(
                "block \"{}\" reads whole tables, which takes longer the larger they are",
                block.id
            ));
        }
    }
    program.statements.iter().find_map(|statement| {
        let table = &program.tables[usize::from(statement.table)].name;
        let whole = matches!(statement.route, Route::FullScan { .. }) || statement.access == Access::Scan;
        if statement.kind != OperationType::Insert && whole {
            return Some(format!(
                "an operation reads all of table \"{table}\", which takes longer the larger it is"
            ));
        }
        let law = match statement.key {
            KeyChoice::Drawn(law) => law,
            KeyChoice::Previous => return None,
            KeyChoice::Fixed(_) => {
                return Some(format!("an operation always asks for the same key of table \"{table}\""));
            }
            KeyChoice::Part(_) => {
                return Some(format!("keys of table \"{table}\" belong to others, each with its own number"));
            }
        };
        (!is_sampled(law)).then(|| {
            format!("keys of table \"{table}\" are drawn by a law that goes through them in an order")
        })
    })
}

/// Whether each draw of the law is independent of those before.
fn is_sampled(law: KeyLaw) -> bool {
    match law {
        KeyLaw::Named(law) => law != Distribution::Sequential,
        KeyLaw::Zipfian { .. } | KeyLaw::NuRand { .. } | KeyLaw::SysbenchSpecial | KeyLaw::SysbenchPareto => {
            true
        }
        _ => false,
    }
}

fn most_one_in(plan: &Plan, program: &Program) -> u64 {
    let records = program.tables.iter().map(|table| table.record_count).filter(|records| *records > 0);
    let of_records = records.map(|records| records / MIN_RECORDS).min().unwrap_or(u64::MAX);
    let measured = program.total - program.warmup;
    of_records
        .min(measured / MIN_OPERATIONS)
        .min(scale::most_one_in(plan, &program.tables, MIN_FRAMES))
        .min(u32::MAX.into())
}

/// From the figures of the sample to those of the whole.
fn extrapolate(report: &mut Report, sampled: &Sampled, workload: &Workload, part: &Part) {
    let one_in = f64::from(sampled.one_in);
    let times = |count: u64| libm::round(count as f64 * one_in) as u64;
    let summary = &mut report.summary;
    let simulated_operations = summary.operations;
    summary.operations = workload.config.total_operations;
    summary.warmup_operations = workload.effective_warmup_operations();
    summary.measured_from_seconds *= one_in;
    summary.simulated_seconds *= one_in;
    summary.pages_read = libm::round(summary.pages_read as f64 * one_in * part.drawn) as u64;
    // What a tree of runs writes follows from what it is told; what a pool writes, from what it evicts.
    let written = if part.has_runs { 1.0 } else { part.drawn };
    summary.pages_written = libm::round(summary.pages_written as f64 * one_in * written) as u64;
    summary.total_io_pages = summary.pages_read + summary.pages_written;
    summary.read_amplification = summary.read_amplification.map(|times| times * part.drawn);
    for count in
        [&mut summary.transactions_committed, &mut summary.transactions_aborted, &mut summary.deadlocks]
    {
        *count = times(*count);
    }
    let hit_ratio = |hits: f64, misses: f64, unseen: f64| {
        let requests = hits + misses;
        (requests > 0.0).then(|| 1.0 - misses * part.drawn / (requests + unseen))
    };
    let (mut hits, mut misses, mut unseen, mut frames) = (0.0, 0.0, 0.0, u64::MAX);
    for pool in &part.pools {
        (hits, misses, unseen) =
            (hits + pool.hits as f64, misses + pool.misses as f64, unseen + pool.unseen_hits as f64);
        frames = frames.min(pool.frames);
        let block = &mut report.blocks[pool.block];
        let ratio = hit_ratio(pool.hits as f64, pool.misses as f64, pool.unseen_hits as f64);
        block.gauges.insert("hit_ratio".to_owned(), json!(ratio));
    }
    summary.cache_hit_ratio = hit_ratio(hits, misses, unseen);
    let hit_ratio_error = summary.cache_hit_ratio.map(|ratio| {
        // Chance in the requests, and in what the frames happen to hold of the sample; how much the latter weighs was measured.
        let variance =
            ratio * (1.0 - ratio) * (1.0 / simulated_operations as f64 + 1.0 / (16.0 * frames as f64));
        2.0 * libm::sqrt(variance) + libm::fabs(1.0 - part.drawn) * (1.0 - ratio)
    });
    for operation in &mut report.operations {
        operation.operations = times(operation.operations);
    }
    for block in &mut report.blocks {
        for counter in block.counters.values_mut() {
            if let Some(count) = counter.as_u64() {
                *counter = Value::from(times(count));
            }
        }
    }
    report.sampling = Some(SamplingResult {
        rate: 1.0 / one_in,
        simulated_operations,
        drawn_part: part.drawn,
        hit_ratio_error,
    });
    report.warnings.push(Warning {
        code: "SAMPLED".to_owned(),
        message: format!(
            "one key in {} was simulated: counts are multiplied; gauges, series and events of blocks are those of the sample{}",
            sampled.one_in,
            hit_ratio_error.map_or(String::new(), |error| format!("; the hit ratio is off by less than {error:.3} in 19 of 20 samples"))
        ),
        block_id: None,
    });
}
