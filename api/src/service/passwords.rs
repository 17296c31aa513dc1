//! Changing a password.

use std::net::IpAddr;

use entity::store::{self, users};
use worker::pool::Services;

use super::{
    ErrorCode, Fault, ServiceResult, UserError, accounts::check_password, input::Mistakes,
    sign_in::SignInThrottle,
};
use crate::auth::{Viewer, hash_password, verify_password};

/// Gives the viewer another password and ends all their sessions but this one.
pub async fn change(
    services: &Services,
    viewer: Option<Viewer>,
    throttle: &SignInThrottle,
    address: Option<IpAddr>,
    current: String,
    new: String,
) -> ServiceResult<()> {
    let viewer = viewer.ok_or(Fault::Unauthenticated)?;
    let mut mistakes = Mistakes::default();
    check_password(&mut mistakes, "newPassword", &new);
    mistakes.none()?;
    let user = users::find(&services.db, viewer.user_id).await?.ok_or(Fault::Unauthenticated)?;
    // Who has found a token must not learn the password by it.
    throttle.attempt(&user.email, address)?;
    if !verify_password(current, Some(user.password_hash.clone())).await? {
        let message = "currentPassword is wrong";
        return Err(UserError::new(ErrorCode::InvalidCredentials, &["currentPassword"], message).into());
    }
    let hash = hash_password(new).await?;
    let txn = store::begin(&services.db).await?;
    users::set_password(&txn, user, hash).await?;
    users::revoke_other_sessions(&txn, viewer.user_id, viewer.session_id).await?;
    store::commit(txn).await?;
    tracing::info!(user_id = %viewer.user_id, action = "password_changed", "password changed");
    Ok(())
}
