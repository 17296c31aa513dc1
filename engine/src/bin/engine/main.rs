//! The engine on the command line: simulate, validate, catalogue.
//!
//! Exit codes: 0 done, 1 the design or workload is not valid or the run was stopped, 2 the arguments or files cannot be read.

mod huge_pages;
mod print;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use engine::design::{self, Diagnostic};
use engine::{
    Checked, Control, Options, Plan, Sampling, SimulateError, TraceLevel, Workload, fidelity, templates,
    workload,
};
use serde_json::Value;

/// Simulates databases composed on a canvas.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs a workload on a design and prints what it found.
    Simulate(Simulate),
    /// Checks a canvas and prints every diagnostic; exit code 1 when it cannot run.
    Validate {
        /// Canvas JSON; - reads standard input.
        canvas: PathBuf,
        /// Prints the diagnostics as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Prints how a design is understood: parameters with their defaults, and the path of each access.
    Plan {
        /// Canvas JSON; - reads standard input.
        canvas: PathBuf,
    },
    /// Prints the block types with their ports and parameters.
    Catalog {
        #[arg(long)]
        json: bool,
    },
    /// Simulates measured cases and prints one JSON line a case.
    Fidelity {
        /// A file of cases, compressed or expanded; - reads standard input.
        cases: PathBuf,
        /// Prints the score as the last line, before it what is out of its tolerance; exit code 1 unless every case passes.
        #[arg(long)]
        score: bool,
        /// Only the cases of this kind.
        #[arg(long)]
        kind: Option<String>,
        /// The folder of this crate: writes its FIDELITY.md, and the agreement of each block that the catalogue tells.
        #[arg(long, value_name = "DIR", conflicts_with = "kind")]
        document: Option<PathBuf>,
    },
    /// Lists the templates of designs and workloads.
    Templates,
}

#[derive(Args)]
struct Simulate {
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
    /// Everything random follows from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long, value_enum, default_value_t = Trace::Sampled)]
    trace: Trace,
    /// Prints the whole report as JSON.
    #[arg(long)]
    json: bool,
    /// Rows loaded before the run, instead of the workload's figure.
    #[arg(long)]
    records: Option<u64>,
    /// Operations measured, instead of the workload's figure.
    #[arg(long)]
    operations: Option<u64>,
    /// Clients, instead of the workload's figure.
    #[arg(long)]
    clients: Option<u32>,
    /// Events kept at most.
    #[arg(long, default_value_t = 10_000)]
    max_events: usize,
    /// Memory the run may hold.
    #[arg(long, default_value_t = 2048)]
    memory_mb: u64,
    /// Simulates one key in so many: off, a number, or auto, which samples what is expected to take more than --budget-seconds or
    /// the memory.
    #[arg(long, default_value = "off", value_parser = read_sampling)]
    sampling: Sampling,
    /// Processor time that a run may take before `--sampling auto` samples it.
    #[arg(long, default_value_t = 60.0)]
    budget_seconds: f64,
}

fn read_sampling(text: &str) -> Result<Sampling, String> {
    match text {
        "off" => Ok(Sampling::Off),
        "auto" => Ok(Sampling::Auto { seconds: 0.0 }),
        number => match number.parse() {
            Ok(one_in) if one_in > 1 => Ok(Sampling::OneIn(one_in)),
            _ => Err("it is off, auto, or a whole number above 1".to_owned()),
        },
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum Trace {
    None,
    Sampled,
    Full,
}

/// What to print before leaving, and with which code.
enum Failure {
    /// Something about the arguments or files.
    Usage(String),
    /// Something about the design, the workload or the run.
    Refused(String),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Simulate(arguments) => {
            huge_pages::ask_for_them();
            simulate(&arguments)
        }
        Command::Validate { canvas, json } => validate(&canvas, json),
        Command::Plan { canvas } => explain(&canvas),
        Command::Catalog { json } => Ok(if json { print::catalog_json() } else { print::catalog_text() }),
        Command::Fidelity { cases, score, kind, document } => {
            fidelity(&cases, score, kind.as_deref(), document.as_deref())
        }
        Command::Templates => Ok(print::templates_text()),
    };
    match outcome {
        Ok(text) => {
            // A closed pipe (`engine … | head`) is no failure of ours.
            if !text.is_empty() {
                let _ = writeln!(std::io::stdout(), "{}", text.trim_end());
            }
            ExitCode::SUCCESS
        }
        Err(Failure::Refused(message)) => {
            eprintln!("{message}");
            ExitCode::from(1)
        }
        Err(Failure::Usage(message)) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

fn simulate(arguments: &Simulate) -> Result<String, Failure> {
    let canvas = match (&arguments.canvas, &arguments.template) {
        (Some(file), _) => read_json(file)?,
        (None, Some(slug)) => design_template(slug)?.canvas(),
        (None, None) => return Err(Failure::Usage("name a canvas file or --template".to_owned())),
    };
    let mut workload = read_workload(arguments)?;
    if let Some(records) = arguments.records {
        workload.config.record_count = records;
        workload.config.key_range = None;
        workload.tables.iter_mut().for_each(|table| table.record_count = records);
    }
    if let Some(operations) = arguments.operations {
        workload.config.total_operations = operations;
    }
    if let Some(clients) = arguments.clients {
        workload.config.concurrency = clients;
    }
    let plan = plan_of(&canvas)?;
    let options = Options {
        seed: arguments.seed,
        trace: match arguments.trace {
            Trace::None => TraceLevel::None,
            Trace::Sampled => TraceLevel::Sampled,
            Trace::Full => TraceLevel::Full,
        },
        max_events: arguments.max_events,
        memory_limit_bytes: arguments.memory_mb << 20,
        sampling: match arguments.sampling {
            Sampling::Auto { .. } => Sampling::Auto { seconds: arguments.budget_seconds },
            stated => stated,
        },
        ..Options::default()
    };
    let report = engine::simulate(&plan, &workload, &options, &Control::default()).map_err(refused)?;
    if arguments.json { to_json(&report) } else { Ok(print::summary_text(&report)) }
}

fn refused(error: SimulateError) -> Failure {
    let diagnostics = match &error {
        SimulateError::InvalidDesign(found) | SimulateError::InvalidWorkload(found) => found.as_slice(),
        SimulateError::Stopped(_) => return Failure::Refused(error.to_string()),
    };
    Failure::Refused(list(diagnostics))
}

fn list(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(Diagnostic::to_string).collect::<Vec<_>>().join("\n")
}

fn read_workload(arguments: &Simulate) -> Result<Workload, Failure> {
    if let Some(file) = &arguments.workload {
        let value = read_json(file)?;
        return workload::parse(&value).map_err(|found| {
            Failure::Refused(format!("{} is not a valid workload\n{}", file.display(), list(&found)))
        });
    }
    let slug = match (&arguments.workload_slug, &arguments.template) {
        (Some(slug), _) => slug,
        (None, Some(template)) => design_template(template)?.workload_slug,
        (None, None) => return Err(Failure::Usage("name a workload file or --workload".to_owned())),
    };
    templates::workload(slug).map(|template| template.workload()).ok_or_else(|| {
        let known: Vec<&str> = templates::workloads().iter().map(|template| template.slug).collect();
        Failure::Usage(format!("there is no workload template \"{slug}\"; known are: {}", known.join(", ")))
    })
}

fn design_template(slug: &str) -> Result<&'static templates::Template, Failure> {
    templates::design(slug).ok_or_else(|| {
        let known: Vec<&str> = templates::designs().iter().map(|template| template.slug).collect();
        Failure::Usage(format!("there is no design template \"{slug}\"; known are: {}", known.join(", ")))
    })
}

fn plan_of(canvas: &Value) -> Result<Plan, Failure> {
    let Checked { diagnostics, plan } = design::check(canvas);
    if plan.is_some() {
        diagnostics.iter().for_each(|warning| eprintln!("{warning}"));
    }
    plan.ok_or_else(|| Failure::Refused(list(&diagnostics)))
}

fn validate(file: &Path, as_json: bool) -> Result<String, Failure> {
    let Checked { diagnostics, plan } = design::check(&read_json(file)?);
    let text = match (as_json, diagnostics.is_empty()) {
        (true, _) => to_json(&diagnostics)?,
        (false, true) => "valid".to_owned(),
        (false, false) => list(&diagnostics),
    };
    if plan.is_some() { Ok(text) } else { Err(Failure::Refused(text)) }
}

fn explain(file: &Path) -> Result<String, Failure> {
    plan_of(&read_json(file)?).map(|plan| plan.to_string())
}

fn fidelity(
    file: &Path,
    with_score: bool,
    kind: Option<&str>,
    document: Option<&Path>,
) -> Result<String, Failure> {
    let mut cases = fidelity::read(&read_json(file)?).map_err(Failure::Usage)?;
    cases.retain(|case| kind.is_none_or(|kind| case.kind == kind));
    let line = |value: Result<String, serde_json::Error>| {
        value.map_err(|error| Failure::Refused(format!("the result has no JSON form: {error}")))
    };
    let mut predictions = Vec::new();
    for prediction in cases.iter().filter_map(fidelity::predict) {
        // Case by case, because a whole file takes a while. A closed pipe is no failure of ours.
        let _ = writeln!(std::io::stdout(), "{}", line(serde_json::to_string(&prediction))?);
        predictions.push(prediction);
    }
    let score = fidelity::score(&cases, &predictions);
    if let Some(folder) = document {
        let misses = read_json(&folder.join("tests/fidelity/known-misses.json"))?;
        let misses = misses.as_array().map_or(&[][..], Vec::as_slice);
        let agreement = fidelity::agreement(&cases, &predictions, &score);
        write(&folder.join("src/design/catalog/agreement.json"), &(to_json(&agreement)? + "\n"))?;
        write(&folder.join("FIDELITY.md"), &fidelity::markdown(&cases, &predictions, &score, misses))?;
    }
    if !with_score {
        return Ok(String::new());
    }
    score.misses.iter().for_each(|miss| eprintln!("{miss}"));
    let summary = line(serde_json::to_string(&score))?;
    if score.passed == score.cases {
        return Ok(summary);
    }
    let _ = writeln!(std::io::stdout(), "{summary}");
    Err(Failure::Refused(format!("{} of {} cases do not pass", score.cases - score.passed, score.cases)))
}

fn read_json(file: &Path) -> Result<Value, Failure> {
    let text = if file == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(file)
    };
    let text = text.map_err(|error| Failure::Usage(format!("cannot read {}: {error}", file.display())))?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::Usage(format!("{} is not JSON: {error}", file.display())))
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(file, text)
        .map_err(|error| Failure::Usage(format!("cannot write {}: {error}", file.display())))
}

fn to_json(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value)
        .map_err(|error| Failure::Refused(format!("the result has no JSON form: {error}")))
}
