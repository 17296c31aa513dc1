//! Why the API did not start, or stopped: one line a cause.

use std::{io, net::SocketAddr};

use worker::config::ConfigError;

use crate::demo::DemoError;

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("BIND {address} cannot be listened on: {source}")]
    Bind { address: SocketAddr, source: io::Error },
    #[error("DATABASE_URL: the tables cannot be brought up to date: {0}")]
    Migrate(String),
    #[error("the built-in templates cannot be stored: {0}")]
    Seed(String),
    #[error(transparent)]
    Services(#[from] worker::error::StartError),
    #[error("{0}")]
    Admin(String),
    #[error("the demonstration ended early: {0}")]
    Demo(#[from] DemoError),
    #[error("the server stopped: {0}")]
    Serve(io::Error),
}
