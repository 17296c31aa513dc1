//! What a `worker` process tells its supervisor: whether it lives, whether it takes jobs, and its metrics.

use std::{net::SocketAddr, time::Duration};

use axum::{Router, extract::State, http::StatusCode, routing::get};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::watch;

use crate::{error::StartError, pool::Services};

/// How often samples are folded into their summaries, so that memory does not grow when nobody asks for them.
const UPKEEP: Duration = Duration::from_secs(5);

#[derive(Clone)]
struct Health {
    services: Services,
    metrics: PrometheusHandle,
    stopping: watch::Receiver<bool>,
}

/// Serves `/healthz`, `/readyz` and `/metrics` until the process ends. The worker is ready while it can reach its stores and
/// `stopping` is false.
pub async fn serve(
    bind: SocketAddr,
    services: Services,
    metrics: PrometheusHandle,
    stopping: watch::Receiver<bool>,
) -> Result<(), StartError> {
    let upkeep = metrics.clone();
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(|State(health): State<Health>| async move { health.metrics.render() }))
        .with_state(Health { services, metrics, stopping });
    let listener = tokio::net::TcpListener::bind(bind).await.map_err(StartError::Bind)?;
    tracing::info!(%bind, "health and metrics are served");
    let upkeep = async {
        loop {
            tokio::time::sleep(UPKEEP).await;
            upkeep.run_upkeep();
        }
    };
    tokio::select! {
        served = axum::serve(listener, router) => served.map_err(StartError::Bind),
        () = upkeep => unreachable!("the upkeep has no end"),
    }
}

async fn ready(State(health): State<Health>) -> (StatusCode, &'static str) {
    if *health.stopping.borrow() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    if health.services.db.ping().await.is_err() {
        return (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n");
    }
    if health.services.queue.ping().await.is_err() {
        return (StatusCode::SERVICE_UNAVAILABLE, "the queue does not answer\n");
    }
    (StatusCode::OK, "ok\n")
}
