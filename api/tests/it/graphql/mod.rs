//! The schema's promises, executed without a transport, in both modes.

mod accounts;
mod app;
mod catalogue;
mod design_changes;
mod design_history;
mod design_lists;
mod design_sharing;
mod designs;
mod jobs;
mod nested;
mod pages;
mod playground;
mod workloads;

pub use app::{App, Person};
