//! Simulates databases composed on a canvas: canvas, workload and seed in; report and trace out.
//!
//! A pure library: no clock, no files, no threads, no global state. Equal input gives equal bytes on every platform.
//! `README.md` beside this crate explains the model; [`simulate`] runs it.

#[cfg(feature = "bench")]
pub mod bench;
mod blocks;
pub mod design;
mod error;
pub mod estimate;
#[cfg(feature = "cli")]
pub mod fidelity;
pub mod formulas;
mod kernel;
mod metrics;
pub mod plan;
mod prng;
pub mod replications;
pub mod report;
pub mod sampling;
pub mod sweep;
pub mod templates;
mod trace;
mod units;
pub mod warmup;
pub mod workload;

pub use design::{Canvas, Checked, Code, Diagnostic, Severity, catalog};
pub use error::SimulateError;
pub use kernel::budget::{Control, Options, StopCause, TraceLevel};
pub use kernel::snapshot::{BlockState, Snapshot, state_after};
pub use plan::Plan;
pub use report::Report;
pub use sampling::{Sampling, simulate};
pub use workload::Workload;

/// Version of this engine; part of every report, because results are comparable within one version only.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
