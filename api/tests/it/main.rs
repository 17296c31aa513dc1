//! The API from outside, one module a concern.

mod graphql;
mod http;
mod support;
mod websocket;
