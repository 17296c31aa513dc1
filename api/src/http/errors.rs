//! Codes of errors, and what of an error a client may see.

use async_graphql::{Pos, Response, ServerError, Value};
use axum::http::StatusCode;

pub const BAD_REQUEST: &str = "BAD_REQUEST";
pub const BAD_USER_INPUT: &str = "BAD_USER_INPUT";
pub const COST_LIMIT_EXCEEDED: &str = "COST_LIMIT_EXCEEDED";
pub const INTERNAL_SERVER_ERROR: &str = "INTERNAL_SERVER_ERROR";
pub const PARSE_FAILED: &str = "GRAPHQL_PARSE_FAILED";
pub const PERSISTED_QUERY_NOT_FOUND: &str = "PERSISTED_QUERY_NOT_FOUND";
pub const RATE_LIMITED: &str = "RATE_LIMITED";
pub const TIMEOUT: &str = "TIMEOUT";
pub const UNAUTHENTICATED: &str = "UNAUTHENTICATED";
pub const VALIDATION_FAILED: &str = "GRAPHQL_VALIDATION_FAILED";

/// A broken document may break a rule in every line; nobody reads more of it.
const MAX_REQUEST_ERRORS: usize = 50;

/// An error with its code.
pub fn coded(code: &str, message: impl Into<String>) -> ServerError {
    let mut error = ServerError::new(message, None);
    set_code(&mut error, code);
    error
}

pub fn code(error: &ServerError) -> Option<&str> {
    match error.extensions.as_ref()?.get("code") {
        Some(Value::String(code)) => Some(code),
        _ => None,
    }
}

/// Seconds after which what was refused may be tried again.
pub fn retry_after(error: &ServerError) -> Option<u64> {
    match error.extensions.as_ref()?.get("retryAfterSeconds") {
        Some(Value::Number(seconds)) => seconds.as_u64(),
        _ => None,
    }
}

fn set_code(error: &mut ServerError, code: &str) {
    error.extensions.get_or_insert_default().set("code", code);
}

/// A fault whose cause stays in the log; the id is how to find it there.
pub fn internal(request_id: &str) -> ServerError {
    let mut error = coded(INTERNAL_SERVER_ERROR, "Internal server error");
    error.extensions.get_or_insert_default().set("requestId", request_id);
    error
}

/// Whether a response answers a request that was never executed. Such a response has no `data` at all.
pub fn is_request_error(response: &Response) -> bool {
    response.data == Value::Null
        && !response.errors.is_empty()
        && response.errors.iter().all(|error| error.path.is_empty())
}

/// The status that the code of a request error stands for, whatever the media type; none for errors in the document,
/// whose status depends on it.
pub fn status(error: &ServerError) -> Option<StatusCode> {
    Some(match code(error)? {
        BAD_REQUEST => StatusCode::BAD_REQUEST,
        INTERNAL_SERVER_ERROR => StatusCode::INTERNAL_SERVER_ERROR,
        RATE_LIMITED => StatusCode::TOO_MANY_REQUESTS,
        TIMEOUT => StatusCode::GATEWAY_TIMEOUT,
        UNAUTHENTICATED => StatusCode::UNAUTHORIZED,
        _ => return None,
    })
}

/// Gives every error of a response its code, and replaces what resolvers did not mean for clients.
///
/// `variable_arguments` are where arguments stand that hold a variable: what validation finds there is a mistake in
/// the variables, not in the document.
pub fn finish(response: &mut Response, variable_arguments: &[Pos], request_id: &str) {
    let executed = !is_request_error(response);
    if !executed {
        response.errors.truncate(MAX_REQUEST_ERRORS);
    }
    for error in &mut response.errors {
        let known = code(error).map(str::to_owned);
        if known.as_deref().is_some_and(|code| code != INTERNAL_SERVER_ERROR) {
            continue;
        }
        if known.is_none() && !executed {
            let in_variable = error.locations.iter().any(|at| variable_arguments.contains(at));
            set_code(error, if in_variable { BAD_USER_INPUT } else { VALIDATION_FAILED });
        } else if known.is_none() && is_bad_argument(&error.message) {
            set_code(error, BAD_USER_INPUT);
        } else {
            // Whoever gave it the code has logged the cause.
            if known.is_none() {
                let path = serde_json::to_string(&error.path).unwrap_or_default();
                tracing::error!(request_id, path, error = error.message, "a resolver failed");
            }
            let masked = internal(request_id);
            error.message = masked.message;
            error.extensions = masked.extensions;
        }
    }
}

/// What async-graphql says when a custom scalar or a validator refuses a value (`InputValueError`), which happens only
/// once the field is executed.
fn is_bad_argument(message: &str) -> bool {
    ["Failed to parse \"", "Expected input type \"", "Invalid value for argument", "Invalid scalar value"]
        .iter()
        .any(|start| message.starts_with(start))
}

/// Takes the names of the schema that a message suggests out of it, for those who may not read the schema.
pub fn without_suggestions(errors: &mut [ServerError]) {
    for error in errors {
        if let Some(at) = error.message.find(" Did you mean") {
            error.message.truncate(at);
        }
    }
}
