//! The API from outside, one module a concern.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

mod graphql;
mod http;
mod share;
mod support;
mod websocket;
