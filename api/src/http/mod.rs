//! The HTTP face: GraphQL over HTTP and WebSocket, the playground, health and metrics.

mod address;
mod body;
mod caller;
mod cost;
mod document;
mod errors;
pub mod exports;
pub mod graphiql;
pub mod graphql;
pub mod health;
mod live;
pub mod metrics;
mod negotiation;
pub mod observe;
mod operation;
mod params;
pub mod queues;
mod rate;
pub mod share;
pub mod websocket;

use std::{net::IpAddr, sync::Arc};

use async_graphql::extensions::apollo_persisted_queries::LruCacheStorage;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::watch;
use uuid::Uuid;

use self::{cost::Costs, live::Places, rate::Rates};
use crate::state::State;

/// Documents that clients may refer to by hash. A document is bounded (see `operation`), so this bounds the memory.
const PERSISTED_DOCUMENTS: usize = 512;

/// What every handler works with.
#[derive(Clone)]
pub struct Gateway {
    state: Arc<State>,
    persisted: LruCacheStorage,
    costs: Arc<Costs>,
    rates: Arc<Rates>,
    /// Live subscriptions of each user.
    live: Places<Uuid>,
    /// Sockets of each network; those from nobody knows where count together.
    sockets: Places<Option<IpAddr>>,
    metrics: PrometheusHandle,
    /// Turns true when the process is about to stop. Whoever waits for its senders to be alone waits for every socket.
    draining: watch::Receiver<bool>,
}

impl Gateway {
    pub fn new(state: Arc<State>, draining: watch::Receiver<bool>) -> Self {
        // The text is the schema's own. Were it unreadable, tests of this crate would have failed.
        let costs = Costs::read(&crate::graphql::sdl()).unwrap_or_default();
        Self {
            rates: Arc::new(Rates::new(&state.config.allowances)),
            state,
            costs: Arc::new(costs),
            live: Places::default(),
            sockets: Places::default(),
            persisted: LruCacheStorage::new(PERSISTED_DOCUMENTS),
            metrics: metrics::recorder(),
            draining,
        }
    }
}
