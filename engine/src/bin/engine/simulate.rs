//! `engine simulate`: one run and what it found.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use engine::{Control, Options, TraceLevel};

use crate::input::{
    Budget, Failure, Size, design_template, plan_of, read_json, refused, to_json, workload_of,
};
use crate::print;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Canvas JSON; - reads standard input.
    #[arg(required_unless_present = "template")]
    canvas: Option<PathBuf>,
    /// Workload JSON.
    workload: Option<PathBuf>,
    /// A design template instead of a canvas file.
    #[arg(long, value_name = "SLUG", conflicts_with = "canvas")]
    template: Option<String>,
    /// A workload template instead of a workload file.
    #[arg(long = "workload", value_name = "SLUG", conflicts_with = "workload", id = "workload_slug")]
    workload_slug: Option<String>,
    #[command(flatten)]
    budget: Budget,
    #[arg(long, value_enum, default_value_t = Trace::Sampled)]
    trace: Trace,
    /// Prints the whole report as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    size: Size,
    /// Events kept at most.
    #[arg(long, default_value_t = 10_000)]
    max_events: usize,
}

#[derive(Clone, Copy, ValueEnum)]
enum Trace {
    None,
    Sampled,
    Full,
}

pub(crate) fn run(arguments: &Arguments) -> Result<String, Failure> {
    let template = arguments.template.as_deref().map(design_template).transpose()?;
    let canvas = match (&arguments.canvas, template) {
        (Some(file), _) => read_json(file)?,
        (None, Some(template)) => template.canvas(),
        (None, None) => return Err(Failure::Usage("name a canvas file or --template".to_owned())),
    };
    let mut workload =
        workload_of(arguments.workload.as_deref(), arguments.workload_slug.as_deref(), template)?;
    arguments.size.apply(&mut workload);
    let plan = plan_of(&canvas)?;
    let options = Options {
        trace: match arguments.trace {
            Trace::None => TraceLevel::None,
            Trace::Sampled => TraceLevel::Sampled,
            Trace::Full => TraceLevel::Full,
        },
        max_events: arguments.max_events,
        ..arguments.budget.options()
    };
    let report = engine::simulate(&plan, &workload, &options, &Control::default()).map_err(refused)?;
    if arguments.json { to_json(&report) } else { Ok(print::summary_text(&report)) }
}
