//! Where the transient of a run ends, from its own figures over time: MSER-5 (White, "An effective truncation heuristic for bias
//! reduction in simulation output", Simulation 69(6), 1997). Of all points at which a series could be cut, it takes the one after
//! which the mean is known best: cutting more of a transient lowers the spread, cutting more of what is settled leaves fewer values.

use crate::report::{Report, Series, Warning};
use crate::units::ns_to_seconds;

/// Values of a batch, whose mean counts as one value.
const BATCH: usize = 5;
/// Shorter series than this many batches are cut into smaller ones, and fewer values than this tell nothing.
const FEWEST_BATCHES: usize = 20;
/// Batches at the end that are never left alone: the spread of very few values is small by chance.
const KEPT: usize = 5;
/// What a difference must exceed to be told: standard errors, and a part of the settled mean.
const STANDARD_ERRORS: f64 = 4.0;
const SMALLEST_DIFFERENCE: f64 = 0.02;
/// The series that are looked at.
const SERIES: [&str; 3] = ["throughput_qps", "latency_p50_ms", "cache_hit_ratio"];

/// When a series settles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settles {
    /// At this value: those before it are the transient.
    At(usize),
    /// Not in the first half, so nobody can tell from this run.
    TooLate,
}

/// Where the transient of a series ends; absent where there are fewer than twenty values.
pub fn settles(values: &[f64]) -> Option<Settles> {
    let (batch, batches) = batched(values)?;
    Some(match cut(&batches) {
        cut if cut > batches.len() / 2 => Settles::TooLate,
        cut => Settles::At(cut * batch),
    })
}

/// Values a batch, and the means of the batches.
fn batched(values: &[f64]) -> Option<(usize, Vec<f64>)> {
    let batch = (values.len() / FEWEST_BATCHES).min(BATCH);
    (batch > 0).then(|| {
        let mean = |batch: &[f64]| batch.iter().sum::<f64>() / batch.len() as f64;
        (batch, values.chunks_exact(batch).map(mean).collect())
    })
}

/// The batch that the statistic is smallest from on: the variance of the mean of those that are left.
fn cut(batches: &[f64]) -> usize {
    let mut best = (f64::INFINITY, 0);
    // From the end, by Welford's recurrence: each batch joins those after it.
    let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
    for (start, value) in batches.iter().enumerate().rev() {
        count += 1.0;
        let off = value - mean;
        mean += off / count;
        squares += off * (value - mean);
        let statistic = squares / (count * count);
        if statistic <= best.0 && count >= KEPT as f64 {
            best = (statistic, start);
        }
    }
    best.1
}

/// A warning where the stated warm-up ends before the figures have settled, and where that shows in them.
pub(crate) fn warning(report: &Report) -> Option<Warning> {
    let found = report.series.iter().filter(|series| SERIES.contains(&series.name.as_str()));
    let latest = found
        .filter_map(|series| late(series, report.summary.measured_from_seconds))
        .max_by(|one, other| one.until_seconds.total_cmp(&other.until_seconds))?;
    let (name, stated) = (latest.series.name.as_str(), report.summary.measured_from_seconds);
    let until = latest.until_seconds;
    let settles = if latest.too_late {
        format!("{name} has not settled after {until:.1} s, half of the run")
    } else {
        format!("{name} settles after {until:.1} s (by MSER-5)")
    };
    Some(Warning {
        code: "WARMUP_TOO_SHORT".to_owned(),
        message: format!(
            "the warm-up ends after {stated:.1} s, and {settles}: until then its mean is {:.4}, afterwards {:.4}",
            latest.before, latest.after
        ),
        block_id: latest.series.block_id.clone(),
    })
}

/// A series that settles after the warm-up.
struct Late<'a> {
    series: &'a Series,
    until_seconds: f64,
    too_late: bool,
    /// Means between warm-up and settling, and after it.
    before: f64,
    after: f64,
}

fn late(series: &Series, measured_from_seconds: f64) -> Option<Late<'_>> {
    // The last bucket is cut short by the end of the run.
    let (_, whole) = series.values.split_last()?;
    // Buckets without a value shift what follows: such a series is told by its values alone where all have one.
    let values: Vec<f64> = whole.iter().copied().collect::<Option<_>>()?;
    let (batch, batches) = batched(&values)?;
    let cut = cut(&batches);
    let too_late = cut > batches.len() / 2;
    let until = if too_late { batches.len() / 2 } else { cut };
    let batch_seconds = ns_to_seconds(series.interval_ns) * batch as f64;
    // The batch in which the warm-up ends belongs to neither side.
    let from = libm::ceil(measured_from_seconds / batch_seconds) as usize;
    if from >= until {
        return None;
    }
    let (before, after) = (Moments::of(&batches[from..until]), Moments::of(&batches[until..]));
    let difference = libm::fabs(before.mean - after.mean);
    let error = libm::sqrt(after.variance * (1.0 / before.count + 1.0 / after.count));
    let matters =
        difference > STANDARD_ERRORS * error && difference > SMALLEST_DIFFERENCE * libm::fabs(after.mean);
    matters.then_some(Late {
        series,
        until_seconds: until as f64 * batch_seconds,
        too_late,
        before: before.mean,
        after: after.mean,
    })
}

struct Moments {
    count: f64,
    mean: f64,
    variance: f64,
}

impl Moments {
    fn of(values: &[f64]) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        Self { count, mean, variance: squares / (count - 1.0).max(1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prng::Stream;

    /// Noise of mean 0 and standard deviation 0.29, and a value of our own on top of it.
    fn series(seed: u64, length: usize, level: impl Fn(usize) -> f64) -> Vec<f64> {
        let mut rng = Stream::new(seed, "noise").at(0);
        (0..length).map(|place| level(place) + rng.unit() - 0.5).collect()
    }

    #[test]
    fn a_known_transient_is_cut_where_it_ends() {
        let step = |place: usize| if place < 100 { 10.0 } else { 20.0 };
        assert_eq!(settles(&(0..500).map(step).collect::<Vec<_>>()), Some(Settles::At(100)));
        // Noise behind the transient may be cut with it, now and then so much that too little is left; it is never left in.
        let (mut exact, mut too_late) = (0, 0);
        for seed in 0..20 {
            let approach = |place: usize| 20.0 - 10.0 * libm::exp(-(place as f64) / 40.0);
            match settles(&series(seed, 500, step)) {
                Some(Settles::At(end)) => {
                    assert!(end >= 100, "{seed}: {end}");
                    exact += u32::from(end == 100);
                }
                _ => too_late += 1,
            }
            match settles(&series(seed, 1_000, approach)) {
                Some(Settles::At(end)) => assert!(20.0 - approach(end) < 0.5, "{seed}: {end}"),
                _ => too_late += 1,
            }
        }
        assert!(exact >= 8 && too_late <= 8, "{exact} and {too_late} of 20 and 40");
    }

    #[test]
    fn what_never_settles_is_not_cut_and_what_is_settled_is_left() {
        assert_eq!(settles(&series(1, 400, |place| place as f64)), Some(Settles::TooLate));
        assert_eq!(settles(&[3.0; 400]), Some(Settles::At(0)));
        assert_eq!(settles(&series(1, 19, |_| 0.0)), None);
        // Shorter series have smaller batches.
        let step = |place: usize| if place < 6 { 9.0 } else { 0.0 };
        assert_eq!(settles(&series(1, 40, step)), Some(Settles::At(6)));
    }

    /// The statistic by its definition.
    #[test]
    fn the_recurrence_is_the_definition() {
        for seed in 0..50 {
            let batches = series(seed, 60, |place| 3.0 * libm::exp(-(place as f64) / 5.0));
            let statistic = |start: usize| {
                let rest = &batches[start..];
                let mean = rest.iter().sum::<f64>() / rest.len() as f64;
                rest.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>()
                    / (rest.len() * rest.len()) as f64
            };
            let smallest = (0..=60 - KEPT).min_by(|a, b| statistic(*a).total_cmp(&statistic(*b))).unwrap();
            assert_eq!(cut(&batches), smallest, "{seed}");
        }
    }

    fn told(values: Vec<f64>, measured_from_seconds: f64) -> Option<(f64, bool)> {
        let series = Series {
            name: "throughput_qps".to_owned(),
            unit: None,
            block_id: None,
            interval_ns: 100_000_000,
            values: values.into_iter().map(Some).collect(),
        };
        late(&series, measured_from_seconds).map(|late| (late.until_seconds, late.too_late))
    }

    #[test]
    fn a_warm_up_is_too_short_only_where_it_shows() {
        let step = || series(3, 501, |place| if place < 100 { 10.0 } else { 20.0 });
        assert_eq!(told(step(), 2.0), Some((10.0, false)));
        assert_eq!(told(step(), 10.0), None);
        assert_eq!(told(series(3, 401, |place| 100.0 + place as f64), 1.0), Some((20.0, true)));
        // Noise is cut somewhere, too, and differs by nothing then.
        let quiet = (0..200).filter(|seed| told(series(*seed, 301, |_| 50.0), 0.0).is_none()).count();
        assert_eq!(quiet, 200);
    }
}
