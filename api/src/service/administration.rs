//! What admins do to other people's accounts, and what makes the first admin.

use entity::{
    status::{Role, Tier},
    store::users,
    user,
};
use uuid::Uuid;
use worker::pool::Services;

use super::{ErrorCode, Fault, ServiceResult, UserError};
use crate::auth::Viewer;

/// Moves an account to another plan, as an admin. Jobs that were submitted before keep the limits they were accepted with.
pub async fn set_plan(
    services: &Services,
    viewer: Option<Viewer>,
    user_id: Option<Uuid>,
    tier: Tier,
) -> ServiceResult<user::Model> {
    // Before the id is looked at: who is no admin learns nothing of it.
    let viewer = require_admin(services, viewer, "set plans").await?;
    let user = match user_id {
        Some(id) => users::find(&services.db, id).await?,
        None => None,
    };
    let user = user.ok_or_else(|| UserError::not_found(&["userId"], "user"))?;
    let user = users::set_tier(&services.db, user, tier).await?;
    tracing::info!(user_id = %viewer.user_id, of = %user.id, tier = tier.as_str(), action = "plan_set", "plan set");
    Ok(user)
}

/// Lets nobody but admins pass; `what` they can do ends the sentence that others are told.
pub(super) async fn require_admin(
    services: &Services,
    viewer: Option<Viewer>,
    what: &str,
) -> ServiceResult<Viewer> {
    let viewer = viewer.ok_or(Fault::Unauthenticated)?;
    let user = users::find(&services.db, viewer.user_id).await?.ok_or(Fault::Unauthenticated)?;
    if user.role != Role::Admin {
        return Err(UserError::new(ErrorCode::Forbidden, &[], format!("only admins can {what}")).into());
    }
    Ok(viewer)
}

/// Moves the account with this e-mail address to another plan, as the operator; none when there is no such account.
pub async fn set_plan_of(services: &Services, email: &str, tier: Tier) -> ServiceResult<Option<user::Model>> {
    match users::find_by_email(&services.db, email).await? {
        Some(user) => Ok(Some(users::set_tier(&services.db, user, tier).await?)),
        None => Ok(None),
    }
}

/// Makes the account with this e-mail address an admin, as the operator; none when there is no such account.
pub async fn make_admin(services: &Services, email: &str) -> ServiceResult<Option<user::Model>> {
    match users::find_by_email(&services.db, email).await? {
        Some(user) => Ok(Some(users::set_role(&services.db, user, Role::Admin).await?)),
        None => Ok(None),
    }
}
