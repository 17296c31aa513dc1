//! Every way a simulation can fail to give a report.

use crate::design::Diagnostic;
use crate::kernel::budget::StopCause;

/// Why there is no report. A run never leaves a partial one.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SimulateError {
    /// The design cannot serve this workload, e.g. no block holds one of its tables.
    #[error("the design cannot run this workload: {}", first(.0))]
    InvalidDesign(Vec<Diagnostic>),
    #[error("the workload is not valid: {}", first(.0))]
    InvalidWorkload(Vec<Diagnostic>),
    #[error("stopped: {0}")]
    Stopped(StopCause),
}

impl From<StopCause> for SimulateError {
    fn from(cause: StopCause) -> Self {
        SimulateError::Stopped(cause)
    }
}

fn first(diagnostics: &[Diagnostic]) -> String {
    let more = diagnostics.len().saturating_sub(1);
    match diagnostics.first() {
        None => "no reason given".to_owned(),
        Some(first) if more == 0 => first.to_string(),
        Some(first) => format!("{first} (and {more} more)"),
    }
}
