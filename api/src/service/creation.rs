//! Making things for a user.

use entity::{
    store::{self, Transaction, users},
    user,
};
use worker::pool::Services;

use super::{Fault, ServiceResult};
use crate::auth::Viewer;

/// Begins to make something for the viewer. What one user makes is made one after the other, so that a quota that was
/// counted, or an idempotency key that was looked up, still holds when the transaction ends.
///
/// # Errors
/// `UNAUTHENTICATED` when the account is gone, though its access token is still good.
pub async fn begin_creation(
    services: &Services,
    viewer: Viewer,
) -> ServiceResult<(Transaction, user::Model)> {
    let txn = store::begin(&services.db).await?;
    let user = users::find_for_update(&txn, viewer.user_id).await?.ok_or(Fault::Unauthenticated)?;
    Ok((txn, user))
}

/// Makes what was begun last.
pub async fn commit(txn: Transaction) -> ServiceResult<()> {
    Ok(store::commit(txn).await?)
}
