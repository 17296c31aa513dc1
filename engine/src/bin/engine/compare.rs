//! `engine compare`: two designs under the same seeds, and which of their figures differ beyond noise.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use engine::Control;
use engine::replications::compare::{Comparison, Verdict, compare, sentence};
use engine::replications::replicate;
use serde_json::json;

use crate::input::{Budget, Design, Failure, Size, plan_of, refused, to_json, workload_of};
use crate::print::figure;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Canvas JSON, or the slug of a design template where there is no such file.
    a: PathBuf,
    /// Likewise.
    b: PathBuf,
    /// Workload JSON, for both.
    #[arg(long, value_name = "FILE", conflicts_with = "workload_template")]
    workload: Option<PathBuf>,
    /// A workload template, for both; without either, the one that goes with the first design that is a template.
    #[arg(long, value_name = "SLUG")]
    workload_template: Option<String>,
    /// Runs of each design, under the seeds SEED, SEED + 1 …
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=10_000))]
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
    let (a, b) = (Design::read(&arguments.a)?, Design::read(&arguments.b)?);
    let template = a.template.or(b.template);
    let mut workload =
        workload_of(arguments.workload.as_deref(), arguments.workload_template.as_deref(), template)?;
    arguments.size.apply(&mut workload);
    let options = arguments.budget.options();
    // Both are checked before either is run.
    let of = |design: &Design| plan_of(&design.canvas).map_err(|failure| failure.about(&design.name));
    let (plan_a, plan_b) = (of(&a)?, of(&b)?);
    let runs = |plan, design: &Design| {
        replicate(plan, &workload, &options, arguments.runs, &Control::default())
            .map_err(|error| refused(error).about(&design.name))
    };
    let (runs_a, runs_b) = (runs(&plan_a, &a)?, runs(&plan_b, &b)?);
    let compared = compare(&runs_a, &runs_b);
    let told = sentence(&compared, "A", "B");
    if arguments.json {
        return to_json(&json!({"a": runs_a, "b": runs_b, "comparisons": compared, "sentence": told}));
    }
    let mut text = format!("A  {}\nB  {}\n", a.name, b.name);
    let _ = writeln!(
        text,
        "{} runs of each, seeds {} to {}; differences with their 95 % interval\n",
        arguments.runs,
        arguments.budget.seed,
        arguments.budget.seed.wrapping_add(u64::from(arguments.runs) - 1)
    );
    let _ = writeln!(text, "{:<22} {:>12} {:>12} {:>26} {:>20}", "metric", "A", "B", "B - A", "relative");
    compared.iter().for_each(|comparison| text.push_str(&row(comparison)));
    let _ = writeln!(text, "\n{told}");
    Ok(text)
}

fn row(comparison: &Comparison) -> String {
    let Comparison { metric, a, b, difference, .. } = comparison;
    let name = if metric.unit.is_empty() {
        metric.name.to_owned()
    } else {
        format!("{} {}", metric.name, metric.unit)
    };
    let within = |width: Option<f64>| width.map_or_else(String::new, |width| format!(" ± {}", figure(width)));
    let sign = if difference.mean > 0.0 { "+" } else { "" };
    let relative = comparison.relative.map_or_else(
        || "–".to_owned(),
        |relative| {
            let width = comparison.relative_half_width();
            let width = width.map_or_else(String::new, |width| format!(" ± {:.2}", width * 100.0));
            format!("{:+.2}{width} %", relative * 100.0)
        },
    );
    let verdict = match comparison.verdict {
        Verdict::Significant => "significant",
        Verdict::WithinNoise => "no difference beyond noise",
        Verdict::Unknown => "one run cannot tell",
    };
    format!(
        "{name:<22} {:>12} {:>12} {:>26} {relative:>20}  {verdict}\n",
        figure(a.mean),
        figure(b.mean),
        format!("{sign}{}{}", figure(difference.mean), within(difference.half_width))
    )
}
