//! What every part of the server shares.

use worker::pool::Services;

use crate::{
    auth::Tokens,
    config::Config,
    graphql::{self, Schema},
};

/// Configuration, stores, schema and signing keys of one process.
pub struct State {
    pub config: Config,
    pub services: Services,
    pub schema: Schema,
    pub tokens: Tokens,
}

impl State {
    pub fn new(config: Config, services: Services) -> Self {
        let tokens = Tokens::new(config.jwt_secret.expose());
        let schema = graphql::build(services.clone(), tokens.clone(), config.clone());
        Self { config, services, schema, tokens }
    }
}
