//! `GET /metrics`: Prometheus text. Every metric of the process is named here or where it is counted, through the
//! `metrics` facade.

use std::{sync::OnceLock, time::Duration};

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use metrics::{describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use worker::config::Mode;

use super::Gateway;

pub const LIVE_SUBSCRIPTIONS: &str = "graphql_subscriptions_active";
pub const LIVE_SOCKETS: &str = "graphql_websockets_active";

/// How often samples are folded into their summaries, so that memory does not grow when nobody asks for them.
const UPKEEP: Duration = Duration::from_secs(5);

/// The recorder of this process, installed at the first call. Must be called within a runtime.
pub fn recorder() -> PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    let handle = RECORDER.get_or_init(|| {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("another recorder of metrics is installed: /metrics stays empty");
        }
        describe();
        handle
    });
    let upkeep = handle.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            upkeep.run_upkeep();
        }
    });
    handle.clone()
}

fn describe() {
    describe_counter!("http_requests_total", "Requests answered, by method, route and status.");
    describe_histogram!("http_request_duration_seconds", "Time to answer a request, by method and route.");
    describe_histogram!("db_query_duration_seconds", "Time of a statement, by its verb.");
    describe_counter!("db_query_failures_total", "Statements that failed, by their verb.");
    describe_gauge!("db_connections_active", "Connections of the pool that are in use.");
    describe_gauge!("db_connections_idle", "Connections of the pool that wait for use.");
    describe_gauge!("database_replica_usable", "Whether queries read from the replica: 1 or 0.");
    describe_gauge!(LIVE_SUBSCRIPTIONS, "Operations that run over WebSocket now.");
    describe_gauge!(LIVE_SOCKETS, "WebSocket connections open now.");
}

pub async fn render(State(gateway): State<Gateway>) -> Response {
    let db = gateway.state.services.db.pool();
    let (size, idle) = match gateway.state.config.worker.mode() {
        Mode::Embedded => {
            let pool = db.get_sqlite_connection_pool();
            (pool.size(), pool.num_idle())
        }
        Mode::Production => {
            let pool = db.get_postgres_connection_pool();
            (pool.size(), pool.num_idle())
        }
    };
    gauge!("db_connections_active").set(f64::from(size) - idle as f64);
    gauge!("db_connections_idle").set(idle as f64);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], gateway.metrics.render())
        .into_response()
}
