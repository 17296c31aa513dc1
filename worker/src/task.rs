//! What a job asks of the engine, and what its user is told when the engine gives no report.

use engine::{Diagnostic, Options, Plan, Sampling, Severity, SimulateError, StopCause, TraceLevel, Workload};
use entity::{
    design_version, simulation_job,
    status::{FailureCode, Trace},
    store::attempts::Failure,
    workload,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

/// Diagnostics that a failure message quotes.
const QUOTED_DIAGNOSTICS: usize = 5;

/// A simulation as the rows have it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Task {
    canvas: Json,
    workload: Json,
    seed: u64,
    trace: Trace,
    max_events: usize,
    allow_sampling: bool,
    pub memory_limit_bytes: u64,
    pub timeout_seconds: u64,
}

impl Task {
    /// The simulation of a job; nothing may allocate more than `memory_limit_bytes` here, whatever the job may.
    pub fn new(
        job: &simulation_job::Model,
        version: design_version::Model,
        workload: workload::Model,
        memory_limit_bytes: u64,
    ) -> Self {
        Self {
            canvas: version.canvas_state,
            workload: json!({
                "operations": workload.operations,
                "tables": workload.tables,
                "config": workload.config,
            }),
            // The bits of the seed count, not its sign.
            seed: job.seed as u64,
            trace: job.trace,
            max_events: usize::try_from(job.max_events).unwrap_or_default(),
            allow_sampling: job.allow_sampling,
            memory_limit_bytes: u64::try_from(job.memory_limit_bytes)
                .unwrap_or_default()
                .min(memory_limit_bytes),
            timeout_seconds: u64::try_from(job.timeout_seconds).unwrap_or_default(),
        }
    }

    /// The plan and the workload, or why they cannot be run.
    pub fn parse(&self) -> Result<(Plan, Workload), Failure> {
        let checked = engine::design::check(&self.canvas);
        let Some(plan) = checked.plan else {
            return Err(rejected(FailureCode::InvalidDesign, &checked.diagnostics));
        };
        match engine::workload::parse(&self.workload) {
            Ok(workload) => Ok((plan, workload)),
            Err(diagnostics) => Err(rejected(FailureCode::InvalidWorkload, &diagnostics)),
        }
    }

    pub fn options(&self) -> Options {
        Options {
            seed: self.seed,
            trace: match self.trace {
                Trace::None => TraceLevel::None,
                Trace::Sampled => TraceLevel::Sampled,
                Trace::Full => TraceLevel::Full,
            },
            max_events: self.max_events,
            memory_limit_bytes: self.memory_limit_bytes,
            // The timeout bounds the run.
            step_limit: u64::MAX,
            sampling: match self.allow_sampling {
                // An estimate may be wrong by a factor of two.
                true => Sampling::Auto { seconds: self.timeout_seconds as f64 / 2.0 },
                false => Sampling::Off,
            },
        }
    }
}

/// What the user is told of an engine that gave no report.
pub(crate) fn failure(error: SimulateError) -> Failure {
    let (code, message) = match error {
        SimulateError::InvalidDesign(diagnostics) => {
            return rejected(FailureCode::InvalidDesign, &diagnostics);
        }
        SimulateError::InvalidWorkload(diagnostics) => {
            return rejected(FailureCode::InvalidWorkload, &diagnostics);
        }
        SimulateError::Stopped(StopCause::MemoryLimit) => return out_of_memory(),
        SimulateError::Stopped(StopCause::StepLimit) => {
            (FailureCode::EventLimit, "the simulation takes more steps than a job may take")
        }
        SimulateError::Stopped(StopCause::Deadline | StopCause::Canceled) => {
            (FailureCode::Internal, "the simulation was stopped")
        }
        SimulateError::Stopped(StopCause::Stuck) => (
            FailureCode::Internal,
            "the simulated system came to a standstill: every client waits for something that cannot happen",
        ),
    };
    Failure { code, message: message.to_owned() }
}

/// The first errors among the diagnostics, each with its place.
fn rejected(code: FailureCode, diagnostics: &[Diagnostic]) -> Failure {
    let errors = || diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
    let mut lines: Vec<String> = errors().take(QUOTED_DIAGNOSTICS).map(ToString::to_string).collect();
    let more = errors().count() - lines.len();
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    Failure { code, message: lines.join("; ") }
}

pub(crate) fn out_of_memory() -> Failure {
    let message = "the simulation needs more memory than a job may use".to_owned();
    Failure { code: FailureCode::MemoryLimit, message }
}

pub(crate) fn out_of_time(timeout_seconds: u64) -> Failure {
    let message = format!("the simulation took longer than its {timeout_seconds} s");
    Failure { code: FailureCode::Timeout, message }
}
