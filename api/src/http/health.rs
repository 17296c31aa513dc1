//! Is the process alive, and should it get requests?

use std::time::Duration;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;
use tokio::time::timeout;

use super::Gateway;

const PATIENCE: Duration = Duration::from_secs(2);

/// `GET /healthz`: answers as long as the process does.
pub async fn live() -> Response {
    Json(json!({"status": "ok"})).into_response()
}

/// `GET /readyz`: 200 when requests can be served, else 503 with the reasons.
pub async fn ready(State(gateway): State<Gateway>) -> Response {
    let services = &gateway.state.services;
    let (database, queue) =
        tokio::join!(timeout(PATIENCE, services.db.ping()), timeout(PATIENCE, services.queue.ping()));
    let mut reasons = Vec::new();
    if *gateway.draining.borrow() {
        reasons.push("SHUTTING_DOWN");
    }
    if !matches!(database, Ok(Ok(()))) {
        reasons.push("DATABASE_UNAVAILABLE");
    }
    if !matches!(queue, Ok(Ok(()))) {
        reasons.push("QUEUE_UNAVAILABLE");
    }
    if reasons.is_empty() {
        Json(json!({"status": "ready"})).into_response()
    } else {
        tracing::warn!(?reasons, "not ready");
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": "unavailable", "reasons": reasons})))
            .into_response()
    }
}
