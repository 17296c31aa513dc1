//! A run is one draw of chance. Runs under several seeds tell how much of a figure is chance: a mean and the interval in which the
//! true mean lies with 95 % confidence; and two designs under the same seeds tell whether they differ at all.
//!
//! The seeds are common random numbers: run i of every design has the same seed, therefore the same operations and keys in the
//! same order, so what the designs have in common cancels out of their differences.

pub mod compare;
pub mod student;

use serde::Serialize;

use crate::report::Summary;
use crate::{Control, Options, Plan, SimulateError, TraceLevel, Workload, simulate};

/// Of every interval.
pub const CONFIDENCE: f64 = 0.95;

/// Which direction of a figure one wishes for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    More,
    Less,
}

/// A figure of the summary.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Metric {
    pub name: &'static str,
    /// Empty for a count or a ratio.
    pub unit: &'static str,
    pub better: Better,
    #[serde(skip)]
    of: fn(&Summary) -> Option<f64>,
}

impl PartialEq for Metric {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Metric {
    /// Its value in a run, where the run has one.
    pub fn of(&self, summary: &Summary) -> Option<f64> {
        (self.of)(summary)
    }
}

/// What replications are asked about, in the order of a table.
pub const METRICS: &[Metric] = {
    use Better::{Less, More};
    const fn metric(
        name: &'static str,
        unit: &'static str,
        better: Better,
        of: fn(&Summary) -> Option<f64>,
    ) -> Metric {
        Metric { name, unit, better, of }
    }
    &[
        metric("throughput", "1/s", More, |summary| Some(summary.throughput_qps)),
        metric("mean latency", "ms", Less, |summary| Some(summary.latency_mean_ms)),
        metric("p50 latency", "ms", Less, |summary| Some(summary.latency_p50_ms)),
        metric("p95 latency", "ms", Less, |summary| Some(summary.latency_p95_ms)),
        metric("p99 latency", "ms", Less, |summary| Some(summary.latency_p99_ms)),
        metric("pages read", "", Less, |summary| Some(summary.pages_read as f64)),
        metric("pages written", "", Less, |summary| Some(summary.pages_written as f64)),
        metric("hit ratio", "", More, |summary| summary.cache_hit_ratio),
        metric("read amplification", "", Less, |summary| summary.read_amplification),
        metric("write amplification", "", Less, |summary| summary.write_amplification),
        metric("space amplification", "", Less, |summary| summary.space_amplification),
        metric("aborted transactions", "", Less, |summary| Some(summary.transactions_aborted as f64)),
        metric("deadlocks", "", Less, |summary| Some(summary.deadlocks as f64)),
    ]
};

/// The metric of this name.
pub fn metric(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.name == name)
}

/// A mean, and how far the true one may lie from it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    pub mean: f64,
    /// The interval is `mean ± half_width`; one value says nothing about its spread.
    pub half_width: Option<f64>,
}

impl Interval {
    /// The 95 % interval by Student's t; absent without values.
    pub fn of(values: &[f64]) -> Option<Self> {
        let count = values.len() as f64;
        let first = *values.first()?;
        // Around the first value, so that equal values have exactly their own mean and no spread.
        let mean = first + values.iter().map(|value| value - first).sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        let half_width = (values.len() > 1).then(|| {
            let degrees = count - 1.0;
            student::two_sided_quantile(CONFIDENCE, degrees) * libm::sqrt(squares / degrees / count)
        });
        Some(Self { mean, half_width })
    }
}

/// The values of one metric, run by run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sample {
    pub metric: Metric,
    pub values: Vec<f64>,
    pub interval: Interval,
}

/// What runs of one design under several seeds found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Replications {
    /// Run i had the seed `first_seed + i`.
    pub first_seed: u64,
    pub runs: u32,
    /// The metrics that every run has a value of.
    pub samples: Vec<Sample>,
}

impl Replications {
    /// From the summaries of runs, in order of their seeds.
    pub fn of(first_seed: u64, summaries: &[Summary]) -> Self {
        let samples = METRICS.iter().filter_map(|metric| {
            let values: Vec<f64> =
                summaries.iter().map(|summary| metric.of(summary)).collect::<Option<_>>()?;
            Some(Sample { metric: *metric, interval: Interval::of(&values)?, values })
        });
        Self { first_seed, runs: summaries.len() as u32, samples: samples.collect() }
    }

    /// The sample of the metric of this name, where every run has a value of it.
    pub fn sample(&self, name: &str) -> Option<&Sample> {
        self.samples.iter().find(|sample| sample.metric.name == name)
    }
}

/// Runs a design `runs` times, one after the other, under the seeds `options.seed`, `options.seed + 1` and so on. Nothing is traced, and
/// only the summary of a run outlives it. `control` stops whichever run is under way; its progress is that of the run that got furthest.
///
/// # Errors
/// As [`simulate`].
pub fn replicate(
    plan: &Plan,
    workload: &Workload,
    options: &Options,
    runs: u32,
    control: &Control,
) -> Result<Replications, SimulateError> {
    let run = |number: u32| {
        let seed = options.seed.wrapping_add(number.into());
        let options = Options { seed, trace: TraceLevel::None, ..options.clone() };
        simulate(plan, workload, &options, control).map(|report| report.summary)
    };
    let summaries = (0..runs).map(run).collect::<Result<Vec<_>, _>>()?;
    Ok(Replications::of(options.seed, &summaries))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_that_of_the_textbook() {
        // Mean 10, standard deviation 2, five values: 10 ± 2.776 · 2/√5.
        let spread = libm::sqrt(2.0);
        let values = [10.0 - 2.0 * spread, 10.0, 10.0, 10.0, 10.0 + 2.0 * spread];
        let interval = Interval::of(&values).unwrap();
        assert!((interval.mean - 10.0).abs() < 1e-12);
        assert!((interval.half_width.unwrap() - 2.776_445_105 * 2.0 / libm::sqrt(5.0)).abs() < 1e-8);
        assert_eq!(Interval::of(&[3.0]), Some(Interval { mean: 3.0, half_width: None }));
        assert_eq!(Interval::of(&[]), None);
        assert_eq!(Interval::of(&[0.1; 7]), Some(Interval { mean: 0.1, half_width: Some(0.0) }));
    }
}
