//! The API from outside, one module a concern.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

mod fuzz;
mod graphql;
mod http;
mod share;
mod limits;
mod secrets;
mod support;
mod websocket;
