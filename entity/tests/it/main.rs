//! Stores and migrations against both databases.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

mod backfill;
mod personal;
mod plans;
mod replica;
mod silence;
