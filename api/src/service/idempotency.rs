//! Mutations that may be sent again.

use entity::store::idempotency::{self, Known};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{ErrorCode, ServiceResult, UserError};
use crate::auth::hex;

/// One call of a mutation under a key that its client chose.
pub struct Call<'a> {
    pub user_id: Uuid,
    pub mutation: &'static str,
    pub key: &'a str,
    input_hash: String,
}

impl<'a> Call<'a> {
    /// `input` is everything that makes two calls the same.
    ///
    /// # Errors
    /// When the input cannot be written as JSON.
    pub fn new(
        user_id: Uuid,
        mutation: &'static str,
        key: &'a str,
        input: &impl Serialize,
    ) -> ServiceResult<Self> {
        // A JSON value keeps its object keys sorted, so equal inputs have equal texts.
        let canonical = serde_json::to_value(input)?.to_string();
        Ok(Self { user_id, mutation, key, input_hash: hex(&Sha256::digest(canonical)) })
    }

    /// Remembers what this call makes, in the transaction that makes it.
    pub async fn remember(
        &self,
        txn: &impl entity::store::Connection,
        made: Uuid,
    ) -> Result<(), entity::StoreError> {
        idempotency::remember(txn, self.user_id, self.mutation, self.key, &self.input_hash, made).await
    }
}

/// What the same call made before; none when this is the first one, or a call without a key.
///
/// # Errors
/// `IDEMPOTENCY_KEY_REUSED` when the key belongs to a call with another input.
pub async fn recall(
    db: &impl entity::store::Connection,
    call: Option<&Call<'_>>,
) -> ServiceResult<Option<Uuid>> {
    let Some(call) = call else { return Ok(None) };
    match idempotency::look_up(db, call.user_id, call.mutation, call.key, &call.input_hash).await? {
        Known::Fresh => Ok(None),
        Known::Same(id) => Ok(Some(id)),
        Known::Other => Err(UserError::new(
            ErrorCode::IdempotencyKeyReused,
            &["idempotencyKey"],
            "idempotencyKey was used with another input; use a new key for a new request",
        )
        .into()),
    }
}
