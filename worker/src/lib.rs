//! The job queue, the live-update bus, and the workers that run simulations.
//!
//! [`queue`] and [`bus`] are handles that the gateway uses too. [`pool`] is what a `worker` process and the embedded mode
//! start: it hands deliveries of the queue to the [`executor`], which knows the handler of each kind of job.

mod adapter;
mod attempt;
pub mod bus;
pub mod cache;
pub mod config;
pub mod error;
pub mod executor;
mod export;
pub mod health;
pub mod isolation;
mod maintenance;
pub mod pool;
pub mod queue;
pub mod reconcile;
mod redis_link;
pub mod replica;
pub mod result;
mod simulate;
mod task;
pub mod telemetry;
