//! `engine sweep`: the same run with values changed, one row each, and where more stops paying.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use engine::replications::{Replications, metric, replicate};
use engine::sweep::knee::knee;
use engine::sweep::{Point, Setting, grid};
use engine::{Checked, Control, Plan, Workload, design, workload};
use serde_json::{Value, json};

use crate::input::{Budget, Design, Failure, Size, list, refused, to_json, workload_of};
use crate::print::figure;

/// What a row tells, and whether its curve may have a knee.
const COLUMNS: [(&str, bool); 5] = [
    ("throughput", true),
    ("p99 latency", false),
    ("hit ratio", true),
    ("pages read", false),
    ("pages written", false),
];

#[derive(Args)]
pub(crate) struct Arguments {
    /// Canvas JSON, or the slug of a design template where there is no such file; - reads standard input.
    canvas: PathBuf,
    /// Workload JSON; without it, or a template, the one that goes with the design's template.
    workload: Option<PathBuf>,
    /// A workload template instead of a workload file.
    #[arg(long, value_name = "SLUG", conflicts_with = "workload")]
    workload_template: Option<String>,
    /// What to change, and to which values: pool.parameters.capacity_pages=1k..1M*2, disk.parameters.slots=1..8+1,
    /// pool.parameters.policy=lru,fifo, workload.config.concurrency=1,4,16. Several make every combination.
    #[arg(long, required = true, value_name = "PLACE=VALUES")]
    set: Vec<String>,
    /// Runs of each point, under the seeds SEED, SEED + 1 …; rows tell their means.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    runs: u32,
    /// Prints every figure of every run as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    size: Size,
    #[command(flatten)]
    budget: Budget,
}

pub(crate) fn run(arguments: &Arguments) -> Result<String, Failure> {
    let design = Design::read(&arguments.canvas)?;
    let mut workload =
        workload_of(arguments.workload.as_deref(), arguments.workload_template.as_deref(), design.template)?;
    arguments.size.apply(&mut workload);
    let workload = serde_json::to_value(&workload)
        .map_err(|error| Failure::Refused(format!("the workload has no JSON form: {error}")))?;
    let settings: Vec<Setting> = arguments
        .set
        .iter()
        .map(|text| Setting::parse(text, &design.canvas).map_err(Failure::Usage))
        .collect::<Result<_, _>>()?;
    let points = grid(&settings, &design.canvas, &workload).map_err(Failure::Usage)?;
    // All are checked before the first is run.
    let checked = points.iter().map(|point| check(point, &settings)).collect::<Result<Vec<_>, _>>()?;
    let options = arguments.budget.options();
    let found = points
        .iter()
        .zip(&checked)
        .map(|(point, (plan, workload))| {
            replicate(plan, workload, &options, arguments.runs, &Control::default())
                .map_err(|error| refused(error).about(&label(point, &settings)))
        })
        .collect::<Result<Vec<_>, _>>()?;
    if arguments.json {
        let rows =
            points.iter().zip(&found).map(|(point, found)| json!({"values": point.values, "found": found}));
        let knees: serde_json::Map<String, Value> = knees(&settings, &found)
            .map(|(name, point)| (name.to_owned(), settings[0].values[point].clone()))
            .collect();
        let names: Vec<&str> = settings.iter().map(|setting| setting.name.as_str()).collect();
        return to_json(&json!({"settings": names, "points": rows.collect::<Vec<_>>(), "knees": knees}));
    }
    Ok(table(&settings, &points, &found))
}

/// The values of a point, as they would be written.
fn label(point: &Point, settings: &[Setting]) -> String {
    let parts = settings
        .iter()
        .zip(&point.values)
        .map(|(setting, value)| format!("{}={}", setting.name, plain(value)));
    parts.collect::<Vec<_>>().join(" ")
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn check(point: &Point, settings: &[Setting]) -> Result<(Plan, Workload), Failure> {
    let refuse = |found: &[design::Diagnostic]| Failure::Refused(list(found)).about(&label(point, settings));
    let Checked { diagnostics, plan } = design::check(&point.canvas);
    let plan = plan.ok_or_else(|| refuse(&diagnostics))?;
    let workload = workload::parse(&point.workload).map_err(|found| refuse(&found))?;
    let found = workload.check();
    if found.is_empty() { Ok((plan, workload)) } else { Err(refuse(&found)) }
}

/// Metric by metric, the value of the only setting at which more stops paying.
fn knees<'a>(
    settings: &'a [Setting],
    found: &'a [Replications],
) -> impl Iterator<Item = (&'static str, usize)> + 'a {
    let numbers = |setting: &Setting| setting.values.iter().map(Value::as_f64).collect::<Option<Vec<f64>>>();
    let x = match settings {
        [only] => numbers(only).filter(|x| x.is_sorted()),
        _ => None,
    };
    COLUMNS.iter().filter(|(_, may_bend)| *may_bend).filter_map(move |(name, _)| {
        let y =
            found.iter().map(|runs| Some(runs.sample(name)?.interval.mean)).collect::<Option<Vec<f64>>>()?;
        Some((*name, knee(x.as_deref()?, &y)?))
    })
}

fn table(settings: &[Setting], points: &[Point], found: &[Replications]) -> String {
    let widths: Vec<usize> = settings
        .iter()
        .map(|setting| {
            let values = setting.values.iter().map(|value| plain(value).chars().count());
            values.chain([setting.name.chars().count()]).max().unwrap_or_default()
        })
        .collect();
    let mut text = String::new();
    for (setting, width) in settings.iter().zip(&widths) {
        let _ = write!(text, "{:<width$}  ", setting.name);
    }
    for (name, _) in COLUMNS {
        let unit = metric(name).map_or("", |metric| metric.unit);
        let _ = write!(text, "{:>16}", format!("{name} {unit}").trim_end());
    }
    text.push('\n');
    for (point, runs) in points.iter().zip(found) {
        for (value, width) in point.values.iter().zip(&widths) {
            let _ = write!(text, "{:<width$}  ", plain(value));
        }
        for (name, _) in COLUMNS {
            let mean =
                runs.sample(name).map_or_else(|| "–".to_owned(), |sample| figure(sample.interval.mean));
            let _ = write!(text, "{mean:>16}");
        }
        text.push('\n');
    }
    let mut bends = knees(settings, found).peekable();
    if settings.len() == 1 {
        text.push('\n');
        if bends.peek().is_none() {
            text.push_str(
                "No knee: neither throughput nor hit ratio rises and then flattens over these values.\n",
            );
        }
        for (name, point) in bends {
            let value = &settings[0].values[point];
            let _ = writeln!(
                text,
                "Knee of {name}: {}={}; beyond it more pays less.",
                settings[0].name,
                plain(value)
            );
        }
    }
    text
}
