//! The queue and the workers against real stores: SQLite always, PostgreSQL and Redis where `TEST_DATABASE_URL` and
//! `TEST_REDIS_URL` name servers.

#![allow(clippy::unwrap_used, reason = "what cannot be unwrapped fails the test")]

mod attempts;
mod bus;
mod isolation;
mod maintenance;
mod pool;
mod queue;
mod queue_hour;
mod queue_limits;
mod queue_model;
mod queue_turns;
mod reconcile;
mod results;
mod run_lists;
mod simulate;
mod support;
