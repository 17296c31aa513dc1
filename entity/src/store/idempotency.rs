//! The memory of mutations that may be sent again: within a day, the same key with the same input is the same call.

use chrono::Duration;
use sea_orm::{ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Set};
use uuid::Uuid;

use crate::{StoreError, idempotency_key, time::now};

/// How long a key is remembered.
pub const KEPT: Duration = Duration::hours(24);

/// What is known of a key.
#[derive(Debug, PartialEq)]
pub enum Known {
    /// Never seen, or forgotten by now.
    Fresh,
    /// The same call made this before.
    Same(Uuid),
    /// The key belongs to a call with another input.
    Other,
}

/// Looks a key up before the work, forgetting it when it is too old.
pub async fn look_up(
    db: &impl ConnectionTrait,
    user_id: Uuid,
    mutation: &str,
    key: &str,
    input_hash: &str,
) -> Result<Known, StoreError> {
    let row =
        idempotency_key::Entity::find_by_id((user_id, mutation.to_owned(), key.to_owned())).one(db).await?;
    if let Some(old) = row.as_ref().filter(|row| row.created_at < now() - KEPT) {
        // Only this very row: somebody may have begun anew with the key meanwhile.
        idempotency_key::Entity::delete_many()
            .filter(idempotency_key::Column::UserId.eq(user_id))
            .filter(idempotency_key::Column::Mutation.eq(mutation))
            .filter(idempotency_key::Column::Key.eq(key))
            .filter(idempotency_key::Column::ResourceId.eq(old.resource_id))
            .exec(db)
            .await?;
        return Ok(Known::Fresh);
    }
    Ok(match row {
        None => Known::Fresh,
        Some(row) if row.input_hash == input_hash => Known::Same(row.resource_id),
        Some(_) => Known::Other,
    })
}

/// Remembers what a call made, in the transaction that makes it.
pub async fn remember(
    db: &impl ConnectionTrait,
    user_id: Uuid,
    mutation: &str,
    key: &str,
    input_hash: &str,
    resource_id: Uuid,
) -> Result<(), StoreError> {
    let row = idempotency_key::ActiveModel {
        user_id: Set(user_id),
        mutation: Set(mutation.to_owned()),
        key: Set(key.to_owned()),
        input_hash: Set(input_hash.to_owned()),
        resource_id: Set(resource_id),
        created_at: Set(now()),
    };
    row.insert(db).await?;
    Ok(())
}
