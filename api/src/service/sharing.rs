//! Whom a design is shared with: collaborators by name, everyone else by its link.

use entity::{
    design,
    status::CollaboratorRole,
    store::{
        design_access::{self, Access},
        designs, users,
    },
};
use url::Url;
use uuid::Uuid;
use worker::pool::Services;

use super::{
    ErrorCode, Fault, ServiceResult, UserError, creation::commit, designs::announce_change, error::Detail,
    permissions::lock_for,
};
use crate::{
    auth::{Viewer, new_share_link, share_token_hash},
    config::link,
};

/// Collaborators of one design.
const MAX_COLLABORATORS: u64 = 100;

/// Shares a design with the user of this handle, in another role if it was shared before; without a role, no longer. Its
/// owner does so, and a collaborator may leave.
pub async fn set_collaborator(
    services: &Services,
    viewer: Option<Viewer>,
    design_id: Uuid,
    handle: &str,
    role: Option<CollaboratorRole>,
) -> ServiceResult<Option<design::Model>> {
    let viewer = viewer.ok_or(Fault::Unauthenticated)?;
    let txn = entity::store::begin(&services.db).await?;
    let user = users::find_by_handle(&txn, handle.trim()).await?;
    let leaves = role.is_none() && user.as_ref().is_some_and(|user| user.id == viewer.user_id);
    let needed = if leaves { Access::View } else { Access::Own };
    let (design, _) = lock_for(&txn, viewer, design_id, "designId", needed).await?;
    let user = user.ok_or_else(|| UserError::not_found(&["handle"], "user"))?;
    if design.user_id == Some(user.id) {
        return Err(UserError::invalid(&["handle"], "handle is the owner's, who needs no role").into());
    }
    match role {
        Some(role) => {
            let others = design_access::count_other_collaborators(&txn, design.id, user.id).await?;
            if others >= MAX_COLLABORATORS {
                let message = format!("a design has at most {MAX_COLLABORATORS} collaborators");
                let quota = Detail::Quota { limit: MAX_COLLABORATORS, used: others };
                return Err(UserError::new(ErrorCode::QuotaExceeded, &["handle"], message)
                    .with(quota)
                    .into());
            }
            design_access::set_collaborator(&txn, design.id, user.id, role).await?;
        }
        None => design_access::remove_collaborator(&txn, design.id, user.id).await?,
    }
    commit(txn).await?;
    announce_change(services, design.id).await;
    tracing::info!(user_id = %viewer.user_id, design_id = %design.id, collaborator_id = %user.id, role = role.map_or("none", CollaboratorRole::as_str), action = "design_shared", "collaborator set");
    // Who left may have no right to see it any more.
    Ok(designs::find_visible(&services.db, &[design.id], Some(viewer.user_id)).await?.pop())
}

/// Gives a design another share link. The one before opens nothing any more.
pub async fn rotate_link(
    services: &Services,
    viewer: Option<Viewer>,
    design_id: Uuid,
) -> ServiceResult<design::Model> {
    let viewer = viewer.ok_or(Fault::Unauthenticated)?;
    let txn = entity::store::begin(&services.db).await?;
    let (design, _) = lock_for(&txn, viewer, design_id, "designId", Access::Own).await?;
    let design = design_access::set_share_link(&txn, design, new_share_link()).await?;
    commit(txn).await?;
    announce_change(services, design.id).await;
    tracing::info!(user_id = %viewer.user_id, design_id = %design.id, action = "share_link_rotated", "share link rotated");
    Ok(design)
}

/// The link that opens a design by its share token.
pub fn share_url(public_url: &Url, token: &str) -> Url {
    link(public_url, &format!("share/{token}"))
}

/// The design that a share token opens now.
pub async fn find_by_token(services: &Services, token: &str) -> ServiceResult<Option<design::Head>> {
    Ok(designs::find_shared(&services.db, &share_token_hash(token)).await?)
}
