//! The API from outside, one module a concern.

mod http;
mod support;
mod websocket;
