//! What commands read: canvases and workloads, from files, standard input or templates; and how commands fail.

use std::path::Path;

use clap::Args;
use engine::design::{self, Diagnostic};
use engine::{Checked, Options, Plan, Sampling, SimulateError, Workload, templates, workload};
use serde_json::Value;

/// What to print before leaving, and with which code.
pub(crate) enum Failure {
    /// Something about the arguments or files.
    Usage(String),
    /// Something about the design, the workload or the run.
    Refused(String),
}

impl Failure {
    /// The same, said of one of several things.
    pub(crate) fn about(self, name: &str) -> Self {
        match self {
            Self::Usage(message) => Self::Usage(format!("{name}: {message}")),
            Self::Refused(message) => Self::Refused(format!("{name}:\n{message}")),
        }
    }
}

/// Changes of a workload's size.
#[derive(Args)]
pub(crate) struct Size {
    /// Rows loaded before the run, instead of the workload's figure.
    #[arg(long)]
    records: Option<u64>,
    /// Operations measured, instead of the workload's figure.
    #[arg(long)]
    operations: Option<u64>,
    /// Clients, instead of the workload's figure.
    #[arg(long)]
    clients: Option<u32>,
}

impl Size {
    pub(crate) fn apply(&self, workload: &mut Workload) {
        if let Some(records) = self.records {
            workload.config.record_count = records;
            workload.config.key_range = None;
            workload.tables.iter_mut().for_each(|table| table.record_count = records);
        }
        if let Some(operations) = self.operations {
            workload.config.total_operations = operations;
        }
        if let Some(clients) = self.clients {
            workload.config.concurrency = clients;
        }
    }
}

/// Under which seed, and with how much.
#[derive(Args)]
pub(crate) struct Budget {
    /// Everything random follows from it.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Memory a run may hold.
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

impl Budget {
    pub(crate) fn options(&self) -> Options {
        Options {
            seed: self.seed,
            memory_limit_bytes: self.memory_mb << 20,
            sampling: match self.sampling {
                Sampling::Auto { .. } => Sampling::Auto { seconds: self.budget_seconds },
                stated => stated,
            },
            ..Options::default()
        }
    }
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

/// A design named on the command line: a file, or the slug of a template where there is no such file; - reads standard input.
pub(crate) struct Design {
    pub(crate) name: String,
    pub(crate) canvas: Value,
    pub(crate) template: Option<&'static templates::Template>,
}

impl Design {
    pub(crate) fn read(named: &Path) -> Result<Self, Failure> {
        let name = named.display().to_string();
        if named != Path::new("-") && !named.exists() {
            if let Some(template) = templates::design(&name) {
                return Ok(Self { name, canvas: template.canvas(), template: Some(template) });
            }
            if named.extension().is_none() {
                return Err(no_design(
                    &format!("there is no file {name}, and no design template either"),
                    "",
                ));
            }
        }
        Ok(Self { name, canvas: read_json(named)?, template: None })
    }
}

/// The workload of a file, or of a template, or the one that goes with a design's template.
pub(crate) fn workload_of(
    file: Option<&Path>,
    slug: Option<&str>,
    template: Option<&templates::Template>,
) -> Result<Workload, Failure> {
    if let Some(file) = file {
        let value = read_json(file)?;
        return workload::parse(&value).map_err(|found| {
            Failure::Refused(format!("{} is not a valid workload\n{}", file.display(), list(&found)))
        });
    }
    let Some(slug) = slug.or(template.map(|template| template.workload_slug)) else {
        return Err(Failure::Usage("name a workload file or a workload template".to_owned()));
    };
    templates::workload(slug).map(|template| template.workload()).ok_or_else(|| {
        let known: Vec<&str> = templates::workloads().iter().map(|template| template.slug).collect();
        Failure::Usage(format!("there is no workload template \"{slug}\"; known are: {}", known.join(", ")))
    })
}

pub(crate) fn design_template(slug: &str) -> Result<&'static templates::Template, Failure> {
    templates::design(slug).ok_or_else(|| no_design("there is no design template", slug))
}

fn no_design(problem: &str, slug: &str) -> Failure {
    let known: Vec<&str> = templates::designs().iter().map(|template| template.slug).collect();
    let named = if slug.is_empty() { String::new() } else { format!(" \"{slug}\"") };
    Failure::Usage(format!("{problem}{named}; known are: {}", known.join(", ")))
}

/// The plan of a canvas; its warnings go to standard error.
pub(crate) fn plan_of(canvas: &Value) -> Result<Plan, Failure> {
    let Checked { diagnostics, plan } = design::check(canvas);
    if plan.is_some() {
        diagnostics.iter().for_each(|warning| eprintln!("{warning}"));
    }
    plan.ok_or_else(|| Failure::Refused(list(&diagnostics)))
}

pub(crate) fn refused(error: SimulateError) -> Failure {
    let diagnostics = match &error {
        SimulateError::InvalidDesign(found) | SimulateError::InvalidWorkload(found) => found.as_slice(),
        SimulateError::Stopped(_) => return Failure::Refused(error.to_string()),
    };
    Failure::Refused(list(diagnostics))
}

pub(crate) fn list(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(Diagnostic::to_string).collect::<Vec<_>>().join("\n")
}

pub(crate) fn read_json(file: &Path) -> Result<Value, Failure> {
    let text = if file == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(file)
    };
    let text = text.map_err(|error| Failure::Usage(format!("cannot read {}: {error}", file.display())))?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::Usage(format!("{} is not JSON: {error}", file.display())))
}

pub(crate) fn write(file: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(file, text)
        .map_err(|error| Failure::Usage(format!("cannot write {}: {error}", file.display())))
}

pub(crate) fn to_json(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value)
        .map_err(|error| Failure::Refused(format!("the result has no JSON form: {error}")))
}
