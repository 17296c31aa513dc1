//! Which path leads where, and what every response carries.

use std::time::Duration;

use axum::{
    Json, Router,
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware,
    response::Redirect,
    routing::{any, get},
};
use serde_json::json;
use tower_http::{
    CompressionLevel, compression::CompressionLayer, cors::CorsLayer, set_header::SetResponseHeaderLayer,
};

use crate::{
    http::{Gateway, exports, graphiql, graphql, health, metrics, observe, queues, share, websocket},
    service,
};

/// Higher levels cost more time than the network saves.
const COMPRESSION: CompressionLevel = CompressionLevel::Precise(4);
const CORS_MAX_AGE: Duration = Duration::from_secs(3600);

/// Every route of the API. `cors_origins` are the origins of pages that may call it.
pub fn router(gateway: Gateway, cors_origins: &[HeaderValue]) -> Router {
    let routes = Router::new()
        .route("/", get(async || Redirect::temporary("/graphiql/")))
        .route("/graphql", any(graphql::handle))
        .route("/graphql/ws", any(websocket::handle))
        .route("/graphiql", get(graphiql::redirect))
        .route("/graphiql/", get(graphiql::index))
        .route("/graphiql/{*path}", get(graphiql::file))
        .route("/share/{token}", get(share::open))
        .route("/exports/{token}", get(exports::download))
        .route(service::queues::PAGE, get(queues::page))
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::render))
        .fallback(async || (StatusCode::NOT_FOUND, Json(json!({"error": "there is nothing here"}))))
        .with_state(gateway)
        .layer(CompressionLayer::new().quality(COMPRESSION))
        .layer(header_unless_set(header::CACHE_CONTROL, "no-store"))
        .layer(header_unless_set(
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ))
        .layer(header_unless_set(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header_unless_set(header::REFERRER_POLICY, "no-referrer"));
    let routes = if cors_origins.is_empty() { routes } else { routes.layer(cors(cors_origins)) };
    routes.layer(middleware::from_fn(observe::observe))
}

fn header_unless_set(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

fn cors(origins: &[HeaderValue]) -> CorsLayer {
    const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
    const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
    const RATE_REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
    const RATE_RESET: HeaderName = HeaderName::from_static("ratelimit-reset");
    CorsLayer::new()
        .allow_origin(origins.to_vec())
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, header::CONTENT_ENCODING, REQUEST_ID])
        .expose_headers([REQUEST_ID, header::RETRY_AFTER, RATE_LIMIT, RATE_REMAINING, RATE_RESET])
        .max_age(CORS_MAX_AGE)
}
