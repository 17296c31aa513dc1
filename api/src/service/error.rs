//! How a use case fails: by a user's mistake, which is data, or by a fault, which is an error.

use std::time::Duration;

use engine::Diagnostic;
use entity::{StoreError, design};

use super::canvas_merge::Conflict;

/// Result of a use case.
pub type ServiceResult<T> = Result<T, ServiceError>;

/// Stable words for the mistakes that clients handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
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

/// A user's mistake: the field it is in, and the rule it breaks.
#[derive(Clone, Debug)]
pub struct UserError {
    pub code: ErrorCode,
    pub message: String,
    /// From the mutation's arguments to the value, for example `["input", "canvas", "blocks", "3"]`.
    pub path: Vec<String>,
    pub detail: Detail,
}

/// What some mistakes carry besides.
#[derive(Clone, Debug)]
pub enum Detail {
    None,
    /// Everything that is wrong with a canvas.
    Canvas(Vec<Diagnostic>),
    /// The design as it is, for a client whose copy is stale.
    VersionConflict {
        expected: i32,
        /// The design's version, or the number of the branch's head where a branch was named.
        actual: i32,
        current: Box<design::Model>,
    },
    /// Everything that two branches changed in different ways.
    MergeConflict(Vec<Conflict>),
    /// A limit of the plan.
    Quota {
        limit: u64,
        used: u64,
    },
}

impl UserError {
    /// A mistake in one field of `input`; `path` leads to it from there.
    pub fn new(code: ErrorCode, path: &[&str], message: impl Into<String>) -> Self {
        let path = std::iter::once("input").chain(path.iter().copied()).map(str::to_owned).collect();
        Self { code, message: message.into(), path, detail: Detail::None }
    }

    /// A value that breaks a rule.
    pub fn invalid(path: &[&str], message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Invalid, path, message)
    }

    /// A thing that does not exist, or that the viewer may not know of: the answer is the same.
    pub fn not_found(path: &[&str], what: &str) -> Self {
        Self::new(ErrorCode::NotFound, path, format!("there is no such {what}"))
    }

    pub fn with(mut self, detail: Detail) -> Self {
        self.detail = detail;
        self
    }
}

/// Not the user's mistake in a field.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The use case needs a signed-in viewer.
    #[error("sign in to do this")]
    Unauthenticated,
    /// Too many tries; more are counted after this long.
    #[error("too many attempts: try again in {} s", .retry_after.as_secs())]
    RateLimited { retry_after: Duration },
    /// Neither the user's mistake nor ours, and nothing that trying again at once would help.
    #[error("the server has no room to store anything; try again later")]
    StorageFull,
    /// Something inside failed; the text is for logs.
    #[error("{0}")]
    Internal(String),
}

/// How a use case fails.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    #[error("{}", .0.iter().map(|error| error.message.as_str()).collect::<Vec<_>>().join("; "))]
    User(Vec<UserError>),
    #[error(transparent)]
    Fault(Fault),
}

impl From<UserError> for ServiceError {
    fn from(error: UserError) -> Self {
        Self::User(vec![error])
    }
}

impl From<Fault> for ServiceError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full(_) => {
                tracing::error!(%error, "a request was refused");
                Self::StorageFull
            }
            error => Self::Internal(error.to_string()),
        }
    }
}

impl From<StoreError> for ServiceError {
    fn from(error: StoreError) -> Self {
        Self::Fault(error.into())
    }
}

/// Declares errors of libraries as internal faults.
macro_rules! internal {
    ($($error:ty),+ $(,)?) => { $(
        impl From<$error> for Fault {
            fn from(error: $error) -> Self {
                Self::Internal(error.to_string())
            }
        }
        impl From<$error> for ServiceError {
            fn from(error: $error) -> Self {
                Self::Fault(error.into())
            }
        }
    )+ };
}
internal!(
    serde_json::Error,
    jsonwebtoken::errors::Error,
    crate::auth::PasswordFault,
    worker::queue::QueueError,
    worker::bus::BusError,
);
