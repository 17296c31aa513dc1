//! Use cases: what people do, with its rules. No GraphQL here, and no SQL.

pub mod account_removal;
pub mod accounts;
pub mod administration;
pub mod allowance;
pub mod block_configs;
pub mod branches;
pub mod canvas_diff;
pub mod canvas_merge;
pub mod comparison;
pub mod creation;
pub mod designs;
pub mod error;
pub mod estimates;
pub mod exports;
pub mod idempotency;
pub mod input;
pub mod jobs;
pub mod passwords;
pub mod permissions;
pub mod plan;
pub mod queues;
pub mod runs;
pub mod sharing;
pub mod sign_in;
pub mod templates;
pub mod workload_variables;
pub mod workloads;

pub use error::{ErrorCode, Fault, ServiceError, ServiceResult, UserError};
