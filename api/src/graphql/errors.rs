//! Failures in the words of the API: mistakes become `userErrors`, faults become errors with a code.

use async_graphql::{Enum, Error, ErrorExtensions as _, Interface, SimpleObject};
use chrono::{DateTime, Utc};

use serde_json::Value as Json;

use super::types::{canvas::CanvasDiagnostic, design::Design};
use crate::service::{self, Fault, ServiceError, canvas_merge::Conflict, error::Detail};

/// Stable words for expected failures.
#[derive(Enum, Clone, Copy, PartialEq, Eq, Debug)]
#[graphql(remote = "service::ErrorCode")]
pub enum UserErrorCode {
    Invalid,
    InvalidCredentials,
    NotFound,
    Forbidden,
    Conflict,
    Taken,
    TooLarge,
    PlanRequired,
    QuotaExceeded,
    NotCancelable,
    IdempotencyKeyReused,
}

/// Expected failures are data. Select message/code/path always; narrow for detail.
#[derive(Interface)]
#[graphql(
    field(name = "message", ty = "&String", desc = "What is wrong, in a sentence."),
    field(name = "code", ty = "&UserErrorCode", desc = "What is wrong, for programs."),
    field(
        name = "path",
        ty = "&Option<Vec<String>>",
        desc = "Path into input, e.g. [\"input\",\"canvas\",\"blocks\",\"3\"]."
    )
)]
pub enum UserError {
    Input(InputError),
    Canvas(CanvasError),
    VersionConflict(VersionConflictError),
    MergeConflict(MergeConflictError),
    Quota(QuotaError),
}

/// A field of the input breaks a rule.
#[derive(SimpleObject)]
pub struct InputError {
    message: String,
    code: UserErrorCode,
    path: Option<Vec<String>>,
}

/// Every diagnostic of a canvas, not just the first.
#[derive(SimpleObject)]
pub struct CanvasError {
    message: String,
    code: UserErrorCode,
    path: Option<Vec<String>>,
    diagnostics: Vec<CanvasDiagnostic>,
}

/// The design has moved on since the client read it.
#[derive(SimpleObject)]
pub struct VersionConflictError {
    message: String,
    code: UserErrorCode,
    path: Option<Vec<String>>,
    expected_version: i32,
    /// The design's version, or the number of the branch's head where a branch was named.
    current_version: i32,
    /// The design as it is now, to merge with.
    current: Option<Box<Design>>,
}

/// Both branches changed the same in different ways.
#[derive(SimpleObject)]
pub struct MergeConflictError {
    message: String,
    code: UserErrorCode,
    path: Option<Vec<String>>,
    /// Every place that both changed.
    conflicts: Vec<MergeConflict>,
}

/// A three-way merge that touches the same block, link or parameter on both sides; null = absent there.
#[derive(SimpleObject)]
pub struct MergeConflict {
    /// Into the canvas, with blocks and connections named by their ids: ["blocks", "pool", "parameters", "size_pages"].
    path: Vec<String>,
    base: Option<Json>,
    /// On the target branch.
    ours: Option<Json>,
    /// On the source branch.
    theirs: Option<Json>,
}

impl From<Conflict> for MergeConflict {
    fn from(Conflict { path, base, ours, theirs }: Conflict) -> Self {
        Self { path, base, ours, theirs }
    }
}

/// A limit of the plan.
#[derive(SimpleObject)]
pub struct QuotaError {
    message: String,
    code: UserErrorCode,
    path: Option<Vec<String>>,
    limit: i32,
    used: i32,
    /// When the limit is free again by itself; null for what stays used until something is given up.
    reset_at: Option<DateTime<Utc>>,
}

impl From<service::UserError> for UserError {
    fn from(error: service::UserError) -> Self {
        let service::UserError { code, message, path, detail } = error;
        let (code, path) = (code.into(), Some(path));
        match detail {
            Detail::None => Self::Input(InputError { message, code, path }),
            Detail::Canvas(diagnostics) => Self::Canvas(CanvasError {
                message,
                code,
                path,
                diagnostics: diagnostics.into_iter().map(CanvasDiagnostic::from).collect(),
            }),
            Detail::VersionConflict { expected, actual, current } => {
                Self::VersionConflict(VersionConflictError {
                    message,
                    code,
                    path,
                    expected_version: expected,
                    current_version: actual,
                    current: Some(Box::new(Design::from(*current))),
                })
            }
            Detail::MergeConflict(conflicts) => Self::MergeConflict(MergeConflictError {
                message,
                code,
                path,
                conflicts: conflicts.into_iter().map(MergeConflict::from).collect(),
            }),
            Detail::Quota { limit, used } => {
                let int = |value: u64| i32::try_from(value).unwrap_or(i32::MAX);
                let (limit, used) = (int(limit), int(used));
                Self::Quota(QuotaError { message, code, path, limit, used, reset_at: None })
            }
        }
    }
}

/// The outcome of a use case as the two halves of a payload.
///
/// # Errors
/// A fault, which is not the user's mistake.
pub fn settle<T>(result: Result<T, ServiceError>) -> Result<(Option<T>, Vec<UserError>), Error> {
    match result {
        Ok(value) => Ok((Some(value), Vec::new())),
        Err(ServiceError::User(errors)) => Ok((None, errors.into_iter().map(UserError::from).collect())),
        Err(ServiceError::Fault(fault)) => Err(fault_error(&fault)),
    }
}

/// The outcome of a use case that no input can make fail.
///
/// # Errors
/// Any failure, as a fault.
pub fn settle_fault<T>(result: Result<T, ServiceError>) -> Result<T, Error> {
    result.map_err(|error| match error {
        ServiceError::Fault(fault) => fault_error(&fault),
        error @ ServiceError::User(_) => fault_error(&Fault::Internal(error.to_string())),
    })
}

/// A fault as clients see it. The cause of an internal one goes to the log and nowhere else.
pub fn fault_error(fault: &Fault) -> Error {
    match fault {
        Fault::Unauthenticated => coded(fault.to_string(), "UNAUTHENTICATED"),
        Fault::RateLimited { retry_after } => coded(fault.to_string(), "RATE_LIMITED")
            .extend_with(|_, extensions| extensions.set("retryAfterSeconds", retry_after.as_secs())),
        Fault::StorageFull => coded(fault.to_string(), "STORAGE_FULL"),
        Fault::Internal(cause) => {
            tracing::error!(%cause, "a request failed");
            coded("something went wrong on our side", "INTERNAL_SERVER_ERROR")
        }
    }
}

/// [`fault_error`] of anything that is an internal fault.
pub fn internal(error: impl Into<Fault>) -> Error {
    fault_error(&error.into())
}

/// An argument that breaks a rule outside of a mutation's input.
pub fn bad_input(message: impl Into<String>) -> Error {
    coded(message, "BAD_USER_INPUT")
}

fn coded(message: impl Into<String>, code: &'static str) -> Error {
    Error::new(message).extend_with(|_, extensions| extensions.set("code", code))
}

/// The parent of a visible row cannot be found: it went away between two statements.
pub fn missing_parent() -> Error {
    internal(Fault::Internal("a row is visible whose parent is not".into()))
}
