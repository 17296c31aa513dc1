//! Whether two designs differ, metric by metric: the paired t interval of their differences under the same seeds.

use serde::Serialize;

use super::{Interval, Metric, Replications};

/// What can be said about a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The 95 % interval of the differences leaves out zero.
    Significant,
    /// It does not: no difference beyond noise.
    WithinNoise,
    /// One run cannot tell.
    Unknown,
}

/// One metric of two designs, run under the same seeds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    pub metric: Metric,
    pub a: Interval,
    pub b: Interval,
    /// Of b - a, seed by seed.
    pub difference: Interval,
    /// The mean difference over the mean of a; absent where that is 0.
    pub relative: Option<f64>,
    pub verdict: Verdict,
}

impl Comparison {
    /// Half the interval of the difference over the mean of a.
    pub fn relative_half_width(&self) -> Option<f64> {
        self.difference.half_width.filter(|_| self.a.mean != 0.0).map(|width| width / libm::fabs(self.a.mean))
    }
}

/// Compares the metrics that both designs have. Runs are paired by their order, so both must have been run under the same seeds;
/// runs without a partner are left out. Each metric is judged on its own: of twenty that do not differ, about one is called
/// significant by chance.
pub fn compare(a: &Replications, b: &Replications) -> Vec<Comparison> {
    let compared = a.samples.iter().filter_map(|of_a| {
        let of_b = b.sample(of_a.metric.name)?;
        let pairs = of_a.values.iter().zip(&of_b.values);
        let difference = Interval::of(&pairs.map(|(a, b)| b - a).collect::<Vec<_>>())?;
        let verdict = match difference.half_width {
            None => Verdict::Unknown,
            Some(width) if libm::fabs(difference.mean) > width => Verdict::Significant,
            Some(_) => Verdict::WithinNoise,
        };
        Some(Comparison {
            metric: of_a.metric,
            a: of_a.interval,
            b: of_b.interval,
            difference,
            relative: (of_a.interval.mean != 0.0).then(|| difference.mean / libm::fabs(of_a.interval.mean)),
            verdict,
        })
    });
    compared.collect()
}

/// Differences named in a sentence.
const NAMED: usize = 3;

/// The largest significant differences in one sentence about `b`, as against `a`.
pub fn sentence(compared: &[Comparison], a: &str, b: &str) -> String {
    if compared.iter().any(|comparison| comparison.verdict == Verdict::Unknown) {
        return format!("One run of each cannot tell a difference between {a} and {b} from noise.");
    }
    let mut significant: Vec<&Comparison> =
        compared.iter().filter(|comparison| comparison.verdict == Verdict::Significant).collect();
    // Where a has none at all the difference is without measure; it comes first.
    let size = |comparison: &Comparison| comparison.relative.map_or(f64::INFINITY, libm::fabs);
    significant.sort_by(|one, other| size(other).total_cmp(&size(one)));
    let named: Vec<String> = significant.iter().take(NAMED).map(|comparison| told(comparison)).collect();
    match named.split_last() {
        None => format!("Between {a} and {b} there is no difference beyond noise."),
        Some((last, [])) => format!("Against {a}, {b} has {last}."),
        Some((last, others)) => format!("Against {a}, {b} has {} and {last}.", others.join(", ")),
    }
}

/// `a 12.3 % higher throughput`, with what its interval allows.
fn told(comparison: &Comparison) -> String {
    let name = comparison.metric.name;
    match (comparison.relative, comparison.relative_half_width()) {
        (Some(relative), width) => {
            let direction = if relative < 0.0 { "lower" } else { "higher" };
            let width = width.unwrap_or_default() * 100.0;
            format!("{:.1} % (±{width:.1}) {direction} {name}", libm::fabs(relative) * 100.0)
        }
        (None, _) => format!("{name} of {} where the other has none", comparison.b.mean),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{METRICS, Sample};
    use super::*;

    fn replications(values: &[(&str, &[f64])]) -> Replications {
        let samples = values.iter().map(|(name, values)| Sample {
            metric: *METRICS.iter().find(|metric| metric.name == *name).unwrap(),
            values: values.to_vec(),
            interval: Interval::of(values).unwrap(),
        });
        let runs = values.first().map_or(0, |(_, values)| values.len() as u32);
        Replications { first_seed: 1, runs, samples: samples.collect() }
    }

    /// Student's own example (The probable error of a mean, 1908): hours of sleep gained by ten patients under each of two drugs.
    #[test]
    fn the_paired_interval_is_that_of_the_sleep_data() {
        let first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
        let second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
        let found = compare(
            &replications(&[("throughput", &first)]),
            &replications(&[("throughput", &second), ("hit ratio", &second)]),
        );
        assert_eq!(found.len(), 1, "only what both have is compared");
        let difference = found[0].difference;
        assert!((difference.mean - 1.58).abs() < 1e-12);
        let half_width = difference.half_width.unwrap();
        assert!((difference.mean - half_width - 0.700_114_2).abs() < 1e-6, "{half_width}");
        assert!((difference.mean + half_width - 2.459_885_8).abs() < 1e-6);
        assert_eq!(found[0].verdict, Verdict::Significant);
        assert!((found[0].relative.unwrap() - 1.58 / 0.75).abs() < 1e-9);
        // As independent samples the same figures would not differ: 1.58 ± 2.17 and more.
        let (a, b) = (found[0].a.half_width.unwrap(), found[0].b.half_width.unwrap());
        assert!(libm::sqrt(a * a + b * b) > 1.58);
    }

    #[test]
    fn verdicts_and_sentences_follow_the_intervals() {
        let a = replications(&[
            ("throughput", &[100.0, 101.0, 99.0]),
            ("pages read", &[10.0, 12.0, 11.0]),
            ("deadlocks", &[0.0, 0.0, 0.0]),
            ("p99 latency", &[4.0, 4.1, 3.9]),
        ]);
        let b = replications(&[
            ("throughput", &[110.0, 111.1, 108.9]),
            ("pages read", &[12.0, 10.0, 11.0]),
            ("deadlocks", &[2.0, 2.0, 2.0]),
            ("p99 latency", &[2.0, 2.1, 1.9]),
        ]);
        let found = compare(&a, &b);
        let verdicts: Vec<Verdict> = found.iter().map(|comparison| comparison.verdict).collect();
        assert_eq!(
            verdicts,
            [Verdict::Significant, Verdict::WithinNoise, Verdict::Significant, Verdict::Significant]
        );
        assert_eq!(
            sentence(&found, "A", "B"),
            "Against A, B has deadlocks of 2 where the other has none, 50.0 % (±0.0) lower p99 latency and \
             10.0 % (±0.2) higher throughput."
        );
        let same = compare(&a, &a);
        assert!(same.iter().all(|comparison| comparison.difference.mean == 0.0));
        assert_eq!(sentence(&same, "A", "B"), "Between A and B there is no difference beyond noise.");
        let single = replications(&[("throughput", &[1.0])]);
        assert!(sentence(&compare(&single, &single), "A", "B").starts_with("One run of each cannot tell"));
    }
}
