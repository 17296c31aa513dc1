//! What every request gets: an id, a span, a line in the log, and a place in the metrics.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderMap, HeaderName, HeaderValue, Method},
    middleware::Next,
    response::Response,
};
use tracing::Instrument;
use uuid::Uuid;
use worker::telemetry;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Follows a request from here to the job it starts, the worker that runs it, and every line of log about it.
#[derive(Clone)]
pub struct RequestId(pub String);

/// The client's own id when it is fit for a log line, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let fit = |id: &&str| {
        (1..=64).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
    };
    given.filter(fit).map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

/// Middleware around every route.
pub async fn observe(mut request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    // Labels come from closed sets: a client must not be able to make new series.
    let endpoint = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    let method = match *request.method() {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    };
    let span =
        tracing::info_span!("request", request_id = id, method, endpoint, user_id = tracing::field::Empty);
    if let Some(parent) = request.headers().get("traceparent").and_then(|value| value.to_str().ok()) {
        telemetry::continue_trace(&span, parent);
    }
    request.extensions_mut().insert(RequestId(id.clone()));

    let start = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let seconds = start.elapsed().as_secs_f64();

    let status = response.status().as_u16();
    metrics::counter!("http_requests_total", "method" => method, "endpoint" => endpoint.clone(), "status" => status.to_string())
        .increment(1);
    metrics::histogram!("http_request_duration_seconds", "method" => method, "endpoint" => endpoint.clone())
        .record(seconds);
    let duration_ms = (seconds * 1000.0).round() as u64;
    span.in_scope(|| match endpoint.as_str() {
        // Asked every few seconds by machines.
        "/healthz" | "/readyz" | "/metrics" => {
            tracing::debug!(action = "http_request", status, duration_ms, "answered")
        }
        _ => tracing::info!(action = "http_request", status, duration_ms, "answered"),
    });
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_keeps_its_id_when_it_is_fit_for_a_log() {
        let id = |value: &str| {
            request_id(&HeaderMap::from_iter([(REQUEST_ID, HeaderValue::from_str(value).unwrap())]))
        };
        assert_eq!(id("trace-1.2:3_4"), "trace-1.2:3_4");
        for unfit in ["", "two words", "\"quoted\"", &"x".repeat(65)] {
            assert!(Uuid::parse_str(&id(unfit)).is_ok(), "{unfit}");
        }
    }
}
