//! Everything that can be changed, one file a noun.

mod accounts;
mod block_configs;
mod branches;
mod designs;
mod jobs;
mod people;
mod runs;
mod sharing;
mod workloads;

use async_graphql::{Error, ID, MaybeUndefined, MergedObject};
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
    runs::RunMutation,
    block_configs::BlockConfigMutation,
    people::PeopleMutation,
);

/// The key of an id in an input. An id that we never gave out is answered like one that leads nowhere.
fn key(id: &ID, read: fn(&ID) -> Option<Uuid>, field: &str, what: &str) -> Result<Uuid, ServiceError> {
    read(id).ok_or_else(|| service::UserError::not_found(&[field], what).into())
}

/// Omitted leaves a value as it is; null would clear what everything of the kind has.
fn required<T>(field: &str, value: MaybeUndefined<T>) -> Result<Option<T>, ServiceError> {
    match value {
        MaybeUndefined::Undefined => Ok(None),
        MaybeUndefined::Value(value) => Ok(Some(value)),
        MaybeUndefined::Null => Err(service::UserError::invalid(
            &[field],
            format!("{field} cannot be cleared; omit it to leave it as it is"),
        )
        .into()),
    }
}

/// A payload's two halves, wrapped so that a fault nulls this field alone.
type Payload<T> = Option<Result<T, Error>>;

/// The mistakes of a payload.
type UserErrors = Vec<UserError>;
