//! The rows of the database, one file a table, and the stores that read and write them.
//!
//! A finder takes the scope it serves (an owner, a viewer) as an argument, so that reading across it is hard to write.
//! Statements that keep an invariant (compare-and-set on a job's status, append-only versions) live in [`store`], because
//! the gateway and the workers both need them.

pub mod background_job;
pub mod block_config;
pub mod connect;
mod database;
pub mod design;
pub mod design_branch;
pub mod design_collaborator;
pub mod design_version;
pub mod error;
pub mod export_part;
pub mod idempotency_key;
pub mod job_attempt;
pub mod job_log;
pub mod queue_controls;
pub mod run_event;
pub mod run_metric;
pub mod session;
pub mod simulation_job;
pub mod simulation_run;
pub mod status;
pub mod store;
pub mod template;
#[cfg(feature = "testing")]
pub mod testing;
pub mod time;
mod transaction;
pub mod user;
pub mod worker;
pub mod workload;

pub use database::DatabaseConnection;
pub use error::StoreError;
pub use transaction::DatabaseTransaction;
