//! The schema's promises, executed without a transport, in both modes.

mod accounts;
mod app;
mod block_configs;
mod cache;
mod catalogue;
mod comparison;
mod design_changes;
mod design_history;
mod design_lists;
mod design_sharing;
mod designs;
mod jobs;
mod nested;
mod pages;
mod people;
mod playground;
mod runs;
mod watch;
mod workloads;

pub use app::{App, Person};
