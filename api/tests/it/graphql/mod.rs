//! The schema's promises, executed without a transport, in both modes.

mod accounts;
mod app;
mod catalogue;
mod designs;
mod jobs;
mod nested;
mod pages;
mod playground;
mod workloads;

pub use app::{App, Person};
