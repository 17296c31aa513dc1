//! Use cases: what people do, with its rules. No GraphQL here, and no SQL.

pub mod accounts;
pub mod branches;
pub mod canvas_diff;
pub mod canvas_merge;
pub mod allowance;
pub mod creation;
pub mod designs;
pub mod error;
pub mod idempotency;
pub mod input;
pub mod jobs;
pub mod permissions;
pub mod plan;
pub mod sharing;
pub mod sign_in;
pub mod templates;
pub mod workloads;

pub use error::{ErrorCode, Fault, ServiceError, ServiceResult, UserError};
