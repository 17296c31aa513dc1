//! The GraphQL gateway of the DB Design Simulator.
//!
//! [`http`] speaks the protocols, [`graphql`] is the schema, [`service`] holds the use cases. Resolvers call services,
//! services call stores, stores speak SQL: no layer reaches past the next.

pub mod auth;
pub mod config;
pub mod demo;
pub mod error;
pub mod graphql;
pub mod http;
pub mod router;
pub mod server;
pub mod service;
pub mod state;
pub mod trusted;
