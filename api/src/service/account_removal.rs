//! The right to be forgotten.

use entity::store::{
    user_removal::{self, Removed},
    users,
};
use uuid::Uuid;
use worker::{bus::Notice, pool::Services};

use super::{
    Fault, ServiceResult, UserError,
    creation::{begin_creation, commit},
    designs::announce_change,
    input::Mistakes,
};
use crate::auth::Viewer;

/// Removes the viewer's account and everything that names it; with `keep_public` its PUBLIC designs stay without an owner.
/// A second call finds the account gone, which is what was asked.
pub async fn remove(
    services: &Services,
    viewer: Option<Viewer>,
    idempotency_key: &str,
    confirm_handle: &str,
    keep_public: bool,
) -> ServiceResult<Uuid> {
    let viewer = viewer.ok_or(Fault::Unauthenticated)?;
    let mut mistakes = Mistakes::default();
    mistakes.idempotency_key(idempotency_key);
    mistakes.none()?;
    if users::find(&services.db, viewer.user_id).await?.is_none() {
        return Ok(viewer.user_id);
    }
    let (txn, user) = begin_creation(services, viewer).await?;
    if user.handle != confirm_handle {
        let message = "confirmHandle must be the handle of the account that is to be deleted";
        return Err(UserError::invalid(&["confirmHandle"], message).into());
    }
    let Removed { unfinished_jobs, designs } =
        user_removal::remove(&txn, viewer.user_id, keep_public).await?;
    commit(txn).await?;
    for design_id in designs {
        announce_change(services, design_id).await;
    }
    for job_id in unfinished_jobs {
        // Without its row a job commits nothing; this only spares the work.
        if let Err(error) = services.queue.cancel(job_id).await {
            tracing::warn!(%job_id, %error, "the job of a deleted account stays in the queue until it is claimed");
        }
        if let Err(error) = services.bus.publish(&Notice::CancelRequested { job_id }).await {
            tracing::warn!(%job_id, %error, "the worker of a deleted account's job was not told");
        }
    }
    tracing::info!(user_id = %viewer.user_id, action = "account_deleted", "account deleted");
    Ok(viewer.user_id)
}
