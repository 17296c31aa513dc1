//! Everything that can be changed, one file a noun.

mod accounts;
mod branches;
mod designs;
mod jobs;
mod sharing;
mod workloads;

use async_graphql::{Error, ID, MergedObject};
use uuid::Uuid;

use super::errors::UserError;
use crate::service::{self, ServiceError};

/// Everything that can be changed.
#[derive(MergedObject, Default)]
pub struct Mutation(
    accounts::AccountMutation,
    designs::DesignMutation,
    branches::BranchMutation,
    sharing::SharingMutation,
    workloads::WorkloadMutation,
    jobs::JobMutation,
);

/// The key of an id in an input. An id that we never gave out is answered like one that leads nowhere.
fn key(id: &ID, read: fn(&ID) -> Option<Uuid>, field: &str, what: &str) -> Result<Uuid, ServiceError> {
    read(id).ok_or_else(|| service::UserError::not_found(&[field], what).into())
}

/// A payload's two halves, wrapped so that a fault nulls this field alone.
type Payload<T> = Option<Result<T, Error>>;

/// The mistakes of a payload.
type UserErrors = Vec<UserError>;
