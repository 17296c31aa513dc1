//! The API from outside, one module a concern.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

mod exports;
mod graphql;
mod http;
mod support;
mod websocket;
