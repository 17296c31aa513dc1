//! The engine on the command line: simulate, validate, catalogue.
//!
//! Exit codes: 0 done, 1 the design or workload is not valid or the run was stopped, 2 the arguments or files cannot be read.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use engine::design::{self, Diagnostic};
use engine::report::Percentile;
use engine::{
    Checked, Control, Options, Plan, Report, SimulateError, TraceLevel, Workload, catalog, templates,
    workload,
};
use serde_json::{Value, json};

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
        Command::Simulate(arguments) => simulate(&arguments),
        Command::Validate { canvas, json } => validate(&canvas, json),
        Command::Plan { canvas } => explain(&canvas),
        Command::Catalog { json } => Ok(if json { catalog_json() } else { catalog_text() }),
        Command::Templates => Ok(templates_text()),
    };
    match outcome {
        Ok(text) => {
            // A closed pipe (`engine … | head`) is no failure of ours.
            let _ = writeln!(std::io::stdout(), "{}", text.trim_end());
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
        ..Options::default()
    };
    let report = engine::simulate(&plan, &workload, &options, &Control::default()).map_err(refused)?;
    if arguments.json { to_json(&report) } else { Ok(summary_text(&report)) }
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

fn to_json(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value)
        .map_err(|error| Failure::Refused(format!("the result has no JSON form: {error}")))
}

fn catalog_json() -> String {
    let types: Vec<Value> = catalog::block_types()
        .iter()
        .map(|block| {
            let ports = |ports: &[catalog::PortType]| -> Vec<Value> {
                ports
                    .iter()
                    .map(|port| {
                        json!({
                            "name": port.name,
                            "accepts": port.accepts,
                            "required": port.required,
                            "many": port.many,
                            "description": port.description,
                        })
                    })
                    .collect()
            };
            json!({
                "type": block.kind,
                "aliases": block.aliases,
                "title": block.title,
                "category": block.category,
                "description": block.description,
                "inputs": ports(block.inputs),
                "outputs": ports(block.outputs),
                "parameters": block.parameter_schema(),
                "events": block.events,
            })
        })
        .collect();
    format!("{:#}", Value::Array(types))
}

fn catalog_text() -> String {
    let mut text = String::new();
    for block in catalog::block_types() {
        let _ = writeln!(text, "{} ({})\n  {}", block.kind, block.category, block.description);
        for port in block.outputs {
            let accepts: Vec<String> = port.accepts.iter().map(ToString::to_string).collect();
            let _ = writeln!(
                text,
                "  port {} → {}{}{}",
                port.name,
                accepts.join(", "),
                if port.required { ", required" } else { "" },
                if port.many { ", many" } else { "" }
            );
        }
        for parameter in block.parameters {
            let schema = parameter.schema();
            let default = schema.get("default").or_else(|| schema.get("x-default")).map(Value::to_string);
            let _ = writeln!(
                text,
                "  {} {}= {}: {}",
                parameter.name,
                parameter.unit.map_or_else(String::new, |unit| format!("[{unit}] ")),
                default.unwrap_or_default(),
                parameter.description
            );
        }
        text.push('\n');
    }
    text
}

fn templates_text() -> String {
    let mut text = String::from("designs\n");
    for template in templates::designs() {
        let _ =
            writeln!(text, "  {:<22} {} (workload {})", template.slug, template.name, template.workload_slug);
    }
    text.push_str("workloads\n");
    for template in templates::workloads() {
        let _ = writeln!(text, "  {:<22} {}", template.slug, template.description);
    }
    text
}

fn summary_text(report: &Report) -> String {
    let summary = &report.summary;
    let mut text = String::new();
    let percent =
        |ratio: Option<f64>| ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{:.2} %", ratio * 100.0));
    let factor = |ratio: Option<f64>| ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}"));
    let _ = writeln!(
        text,
        "{} operations in {:.3} virtual seconds ({} before them as warm-up)",
        summary.operations, summary.simulated_seconds, summary.warmup_operations
    );
    let _ = writeln!(text, "throughput   {:.0} operations/s", summary.throughput_qps);
    let _ = writeln!(
        text,
        "latency      mean {:.4}  p50 {:.4}  p95 {:.4}  p99 {:.4}  max {:.4} ms",
        summary.latency_mean_ms,
        summary.latency_p50_ms,
        summary.latency_p95_ms,
        summary.latency_p99_ms,
        summary.latency_max_ms
    );
    let _ = writeln!(
        text,
        "pages        {} read, {} written; buffer hits {}",
        summary.pages_read,
        summary.pages_written,
        percent(summary.cache_hit_ratio)
    );
    let _ = writeln!(
        text,
        "amplification  read {}  write {}  space {}",
        factor(summary.read_amplification),
        factor(summary.write_amplification),
        factor(summary.space_amplification)
    );
    let _ = writeln!(text, "transactions {} committed\n", summary.transactions_committed);
    let _ = writeln!(
        text,
        "{:<24} {:>10} {:>12} {:>10} {:>10}",
        "operation", "count", "per second", "p50 ms", "p99 ms"
    );
    for operation in &report.operations {
        let _ = writeln!(
            text,
            "{:<24} {:>10} {:>12.0} {:>10.4} {:>10.4}",
            operation.name,
            operation.operations,
            operation.throughput_qps,
            operation.latency_p50_ms,
            operation.latency_p99_ms
        );
    }
    for (percentile, title) in [(Percentile::P50, "p50"), (Percentile::P99, "p99")] {
        let _ = writeln!(text, "\nwhere the {title} goes");
        for share in report.latency_breakdown.iter().filter(|share| share.percentile == percentile) {
            let place = share.block_id.as_deref().map_or_else(String::new, |block| format!(" at {block}"));
            let bar = "█".repeat((share.share * 40.0) as usize);
            let _ = writeln!(
                text,
                "  {:<32} {:>10.4} ms {:>5.1} % {bar}",
                format!("{}{place}", share.cause),
                share.milliseconds,
                share.share * 100.0
            );
        }
    }
    let _ = writeln!(text, "\n{:<20} {:<18} {:>11}", "block", "type", "utilization");
    for block in &report.blocks {
        let _ =
            writeln!(text, "{:<20} {:<18} {:>11}", block.block_id, block.kind, percent(block.utilization));
    }
    for warning in &report.warnings {
        let _ = writeln!(text, "\nwarning {}: {}", warning.code, warning.message);
    }
    let _ = writeln!(
        text,
        "\n{} events traced; engine {}, seed {}, result {}",
        report.event_count,
        report.engine_version,
        report.seed,
        &report.result_hash[..12.min(report.result_hash.len())]
    );
    text
}
