//! The API from outside, one module a concern.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

mod authorization;
mod exports;
mod fuzz;
mod graphql;
mod http;
mod limits;
mod queues;
mod replica;
mod secrets;
mod share;
mod storage;
mod support;
mod websocket;
