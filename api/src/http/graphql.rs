//! GraphQL over HTTP: `POST /graphql` with JSON, `GET /graphql` for queries
//! (<https://graphql.github.io/graphql-over-http/draft/>).

use async_graphql::{Response as GraphqlResponse, ServerError, parser::types::OperationType};
use axum::{
    body::Body,
    extract::{Extension, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};

use super::{
    Gateway, body,
    errors::{self, BAD_REQUEST, VALIDATION_FAILED, coded},
    negotiation::{self, MediaType},
    observe::RequestId,
    operation,
    params::{Malformed, Params},
    rate::{Standing, whole_seconds},
};

const POLICY: header::HeaderName = header::HeaderName::from_static("ratelimit-policy");

/// A request that is answered without executing anything.
struct Refusal {
    /// The status when the transport decides it; none when the error's code and the media type do.
    status: Option<StatusCode>,
    error: ServerError,
    header: Option<(header::HeaderName, HeaderValue)>,
}

impl Refusal {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status: Some(status), error: coded(BAD_REQUEST, message), header: None }
    }

    fn with(mut self, name: header::HeaderName, value: &'static str) -> Self {
        self.header = Some((name, HeaderValue::from_static(value)));
        self
    }
}

impl From<ServerError> for Refusal {
    fn from(error: ServerError) -> Self {
        Self { status: None, error, header: None }
    }
}

impl From<Malformed> for Refusal {
    fn from(Malformed(message): Malformed) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }
}

pub async fn handle(
    State(gateway): State<Gateway>,
    Extension(RequestId(request_id)): Extension<RequestId>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let Some(media_type) = negotiation::response_type(&parts.headers) else {
        let message = "The response is application/graphql-response+json or application/json";
        return refuse(MediaType::Json, Refusal::new(StatusCode::NOT_ACCEPTABLE, message));
    };
    let mut standing = None;
    let mut response = match answer(&gateway, request_id, parts, body, &mut standing).await {
        Ok(answered) => {
            let mut response = respond(media_type, None, &answered);
            // A field was refused for its own limit, as signing in has one.
            if let Some(wait) = answered.errors.iter().filter_map(errors::retry_after).max() {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait));
            }
            response
        }
        Err(refusal) => refuse(media_type, refusal),
    };
    if let Some(standing) = standing {
        tell(standing, response.headers_mut());
    }
    response
}

/// Headers of the draft "RateLimit header fields for HTTP" in the form that clients read.
fn tell(standing: Standing, headers: &mut HeaderMap) {
    let policy = format!("{};w=60", standing.limit);
    headers.insert("ratelimit-limit", HeaderValue::from(standing.limit));
    headers.insert("ratelimit-remaining", HeaderValue::from(standing.remaining));
    headers.insert("ratelimit-reset", HeaderValue::from(whole_seconds(standing.reset)));
    headers.extend(HeaderValue::from_str(&policy).map(|policy| (POLICY, policy)));
    if let Some(wait) = standing.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
    }
}

async fn answer(
    gateway: &Gateway,
    request_id: String,
    parts: Parts,
    body: Body,
    standing: &mut Option<Standing>,
) -> Result<GraphqlResponse, Refusal> {
    let caller = gateway.caller(gateway.origin(&parts.extensions, &parts.headers, request_id)).map_err(
        |stranger| {
            *standing = stranger.standing;
            stranger.error
        },
    )?;
    if let Some(viewer) = caller.context.viewer {
        tracing::Span::current().record("user_id", tracing::field::display(viewer.user_id));
    }
    let (mut tally, charged) = gateway.tally(&caller);
    *standing = tally.standing;
    charged?;
    let params = match parts.method {
        Method::POST => {
            if !negotiation::is_json(&parts.headers) {
                let message = "The body must be application/json in UTF-8";
                return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
                    .with(header::ACCEPT, "application/json"));
            }
            let bytes = body::read(&parts.headers, body)
                .await
                .map_err(|(status, message)| Refusal::new(status, message))?;
            Params::from_json(&bytes)?
        }
        Method::GET | Method::HEAD => Params::from_query_string(parts.uri.query().unwrap_or_default())?,
        _ => {
            let message = "GraphQL is served to GET and POST";
            return Err(
                Refusal::new(StatusCode::METHOD_NOT_ALLOWED, message).with(header::ALLOW, "GET, POST")
            );
        }
    };
    let prepared = gateway.prepare(params, &caller, &mut tally).await;
    *standing = tally.standing;
    let operation = prepared?;
    match operation.kind {
        OperationType::Subscription => {
            return Err(
                coded(VALIDATION_FAILED, "Subscriptions are served at /graphql/ws over WebSocket").into()
            );
        }
        OperationType::Mutation if parts.method != Method::POST => {
            let message = "A mutation must be sent by POST";
            return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, message).with(header::ALLOW, "POST"));
        }
        OperationType::Mutation | OperationType::Query => {}
    }
    Ok(Gateway::within_operation(operation.kind, gateway.execute(operation)).await)
}

/// The value of the `Authorization` header.
///
/// # Errors
/// The error to tell a client whose header is no text.
pub fn authorization(headers: &HeaderMap) -> Result<Option<&str>, ServerError> {
    let value = headers.get(header::AUTHORIZATION).map(HeaderValue::to_str).transpose();
    value.map_err(|_| coded(errors::UNAUTHENTICATED, "The Authorization header is not text"))
}

pub fn user_agent(headers: &HeaderMap) -> Option<String> {
    Some(headers.get(header::USER_AGENT)?.to_str().ok()?.to_owned())
}

fn refuse(media_type: MediaType, refusal: Refusal) -> Response {
    let mut response =
        respond(media_type, refusal.status, &GraphqlResponse::from_errors(vec![refusal.error]));
    if let Some((name, value)) = refusal.header {
        response.headers_mut().insert(name, value);
    }
    response
}

fn respond(media_type: MediaType, status: Option<StatusCode>, response: &GraphqlResponse) -> Response {
    let not_executed = errors::is_request_error(response);
    let by_code = response.errors.first().filter(|_| not_executed).and_then(errors::status);
    let status = status.or(by_code).unwrap_or(match media_type {
        MediaType::GraphqlResponse if not_executed => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    });
    let body = match serde_json::to_vec(&operation::Body::from(response)) {
        Ok(body) => body,
        Err(error) => {
            tracing::error!(%error, "a response cannot be serialised");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let mut http = (status, [(header::CONTENT_TYPE, media_type.header())], body).into_response();
    http.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    if status == StatusCode::UNAUTHORIZED {
        http.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    http
}
