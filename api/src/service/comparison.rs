//! Runs side by side: which is better at what, and what to know before believing it. Rules, no statistics: a single run of
//! each design says nothing of chance.

use std::collections::BTreeSet;

use serde_json::Value as Json;

/// Runs in one comparison.
pub const RUNS: std::ops::RangeInclusive<usize> = 2..=10;
/// Two figures that differ by a smaller part of the larger one are the same.
const NOISE: f64 = 0.01;

/// What a comparison needs to know of a run.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// How sentences call it.
    pub label: String,
    /// What it ran, and whether that was changed since.
    pub workload: String,
    pub workload_changed: bool,
    pub engine: &'static str,
    pub engine_version: Option<String>,
    /// The stored summary; none while there is no result.
    pub summary: Option<Json>,
}

/// A figure of all runs, in their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    pub name: &'static str,
    pub unit: Option<&'static str>,
    pub higher_is_better: bool,
    /// Place of the run that is better than every other by more than noise.
    pub winner: Option<usize>,
    pub values: Vec<Option<f64>>,
    /// By how much each differs from the baseline; none where one of the two is missing or the baseline is 0.
    pub delta_percent: Vec<Option<f64>>,
}

/// A figure of the summary: its name, its unit, and whether more of it is better.
type Figure = (&'static str, Option<&'static str>, bool);
const FIGURES: [Figure; 12] = [
    ("throughput_qps", Some("1/s"), true),
    ("latency_mean_ms", Some("ms"), false),
    ("latency_p50_ms", Some("ms"), false),
    ("latency_p95_ms", Some("ms"), false),
    ("latency_p99_ms", Some("ms"), false),
    ("latency_max_ms", Some("ms"), false),
    ("total_io_pages", Some("pages"), false),
    ("cache_hit_ratio", Some("ratio"), true),
    ("read_amplification", None, false),
    ("write_amplification", None, false),
    ("space_amplification", None, false),
    ("deadlocks", None, false),
];

/// Every figure that a run has, side by side.
pub fn figures(runs: &[Candidate], baseline: usize) -> Vec<Compared> {
    FIGURES.iter().filter_map(|figure| compare(runs, baseline, *figure)).collect()
}

fn compare(runs: &[Candidate], baseline: usize, (name, unit, higher_is_better): Figure) -> Option<Compared> {
    let value = |run: &Candidate| run.summary.as_ref()?.get(name)?.as_f64();
    let values: Vec<Option<f64>> = runs.iter().map(value).collect();
    values.iter().any(Option::is_some).then_some(())?;
    let base = values[baseline];
    let delta = |value: &Option<f64>| match (base?, (*value)?) {
        (0.0, 0.0) => Some(0.0),
        (0.0, _) => None,
        (base, value) => Some((value - base) / base.abs() * 100.0),
    };
    Some(Compared {
        name,
        unit,
        higher_is_better,
        winner: winner(&values, higher_is_better),
        delta_percent: values.iter().map(delta).collect(),
        values,
    })
}

/// The place of the best value, if it is better than the second best by more than noise.
fn winner(values: &[Option<f64>], higher_is_better: bool) -> Option<usize> {
    let mut known: Vec<(usize, f64)> =
        values.iter().enumerate().filter_map(|(place, value)| Some((place, (*value)?))).collect();
    known.sort_by(|(_, one), (_, other)| match higher_is_better {
        true => other.total_cmp(one),
        false => one.total_cmp(other),
    });
    match known.as_slice() {
        [(place, best), (_, second), ..] if differ(*best, *second) => Some(*place),
        _ => None,
    }
}

fn differ(one: f64, other: f64) -> bool {
    (one - other).abs() > NOISE * one.abs().max(other.abs())
}

/// The comparison in sentences: who leads, by how much, and what stands against believing it.
pub fn sentences(runs: &[Candidate], baseline: usize, figures: &[Compared]) -> Vec<String> {
    let mut sentences = Vec::new();
    let find = |name: &str| figures.iter().find(|figure| figure.name == name);
    for (name, best, what) in [
        ("throughput_qps", "the highest", "throughput"),
        ("latency_p99_ms", "the lowest", "p99 latency"),
        ("total_io_pages", "the least", "page traffic"),
    ] {
        if let Some(figure) = find(name).filter(|figure| figure.values.iter().flatten().count() > 1) {
            sentences.push(leader(runs, baseline, figure, best, what));
        }
    }
    let leader_of = |name: &str| find(name).and_then(|figure| figure.winner);
    if let (Some(fastest), Some(steadiest)) = (leader_of("throughput_qps"), leader_of("latency_p99_ms"))
        && fastest != steadiest
    {
        sentences.push(format!(
            "No run leads in both throughput and p99 latency: choose between {} and {}.",
            runs[fastest].label, runs[steadiest].label
        ));
    }
    sentences.extend(caveats(runs));
    sentences
}

fn leader(runs: &[Candidate], baseline: usize, figure: &Compared, best: &str, what: &str) -> String {
    let Some(winner) = figure.winner else {
        return format!("In {what} no run is ahead by more than {} %.", NOISE * 100.0);
    };
    let value = figure.values[winner].unwrap_or_default();
    let unit = figure.unit.map(|unit| format!(" {unit}")).unwrap_or_default();
    let lead = match figure.delta_percent[winner] {
        _ if winner == baseline => ", and is the baseline".to_owned(),
        Some(percent) => {
            let direction = if percent > 0.0 { "more" } else { "less" };
            format!(", {:.1} % {direction} than the baseline {}", percent.abs(), runs[baseline].label)
        }
        None => String::new(),
    };
    format!("{} has {best} {what}: {}{unit}{lead}.", runs[winner].label, short(value))
}

/// A number with about four digits that say something.
fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.3}"),
        _ => format!("{value:.6}"),
    }
}

fn caveats(runs: &[Candidate]) -> Vec<String> {
    let distinct = |of: &dyn Fn(&Candidate) -> String| runs.iter().map(of).collect::<BTreeSet<_>>().len() > 1;
    let mut found = Vec::new();
    let unfinished: Vec<&str> =
        runs.iter().filter(|run| run.summary.is_none()).map(|run| run.label.as_str()).collect();
    if !unfinished.is_empty() {
        found.push(format!("Without a result: {}.", unfinished.join(", ")));
    }
    if distinct(&|run| run.workload.clone()) {
        found.push(
            "The runs are of different workloads: their figures do not answer the same question.".into(),
        );
    }
    if runs.iter().any(|run| run.workload_changed) {
        found
            .push("A workload was changed after one of these runs: they may not have asked the same.".into());
    }
    if distinct(&|run| run.engine_version.clone().unwrap_or_default()) {
        found.push(
            "The runs were computed by different versions of the engine, whose figures may differ.".into(),
        );
    }
    if distinct(&|run| run.engine.to_owned()) {
        found.push("Some runs were computed by a client and are its own word.".into());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run(label: &str, throughput: f64, p99: f64) -> Candidate {
        Candidate {
            label: label.into(),
            workload: "w".into(),
            workload_changed: false,
            engine: "server",
            engine_version: Some("1".into()),
            summary: Some(json!({ "throughput_qps": throughput, "latency_p99_ms": p99, "deadlocks": 0 })),
        }
    }

    #[test]
    fn the_best_by_more_than_noise_wins() {
        let runs = [run("a", 100.0, 2.0), run("b", 135.0, 2.01), run("c", 90.0, 3.0)];
        let figures = figures(&runs, 0);
        let names: Vec<_> = figures.iter().map(|figure| figure.name).collect();
        assert_eq!(names, ["throughput_qps", "latency_p99_ms", "deadlocks"]);
        assert_eq!((figures[0].winner, figures[0].higher_is_better), (Some(1), true));
        assert_eq!(figures[0].delta_percent, [Some(0.0), Some(35.0), Some(-10.0)]);
        assert_eq!((figures[1].winner, figures[1].higher_is_better), (None, false));
        assert_eq!((figures[2].winner, figures[2].delta_percent[1]), (None, Some(0.0)));
        let said = sentences(&runs, 0, &figures);
        assert_eq!(said[0], "b has the highest throughput: 135.0 1/s, 35.0 % more than the baseline a.");
        assert_eq!(said[1], "In p99 latency no run is ahead by more than 1 %.");
        assert_eq!(said.len(), 2, "{said:?}");
    }

    #[test]
    fn a_figure_that_is_missing_or_zero_has_no_delta() {
        let mut runs = [run("a", 0.0, 1.0), run("b", 10.0, 0.5)];
        assert_eq!(figures(&runs, 0)[0].delta_percent, [Some(0.0), None]);
        assert_eq!(figures(&runs, 1)[1].winner, Some(1));
        runs[0].summary = None;
        let compared = figures(&runs, 0);
        assert_eq!((compared[0].winner, compared[0].delta_percent[1]), (None, None));
        assert_eq!(sentences(&runs, 0, &compared), ["Without a result: a."]);
    }

    #[test]
    fn what_stands_against_a_comparison_is_said() {
        let mut other = run("b", 50.0, 1.0);
        other.workload = "v".into();
        other.workload_changed = true;
        other.engine = "client";
        other.engine_version = None;
        let runs = [run("a", 100.0, 2.0), other];
        let said = sentences(&runs, 0, &figures(&runs, 0)).join(" ");
        for part in
            ["choose between a and b", "different workloads", "changed after", "different versions", "client"]
        {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}
