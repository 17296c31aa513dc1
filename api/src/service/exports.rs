//! Exports of everything a user owns.

use entity::{
    background_job,
    status::JobStatus,
    store::{
        background::{self, USER_DATA_EXPORT},
        exports,
    },
};
use uuid::Uuid;
use worker::{
    pool::Services,
    queue::{JobKind, Message},
};

use super::{
    ErrorCode, Fault, ServiceResult, UserError,
    creation::{begin_creation, commit},
    idempotency::{Call, recall},
    input::Mistakes,
};
use crate::auth::Viewer;

/// Queues an export of the viewer's data. The one before it is forgotten when this one begins.
pub async fn submit(
    services: &Services,
    viewer: Option<Viewer>,
    idempotency_key: &str,
) -> ServiceResult<background_job::Model> {
    let viewer = viewer.ok_or(Fault::Unauthenticated)?;
    let mut mistakes = Mistakes::default();
    mistakes.idempotency_key(idempotency_key);
    mistakes.none()?;
    let call = Call::new(viewer.user_id, "userDataExport", idempotency_key, &())?;
    let (txn, _) = begin_creation(services, viewer).await?;
    if let Some(id) = recall(&txn, Some(&call)).await? {
        let made = background::find_owned(&txn, &[id], USER_DATA_EXPORT, viewer.user_id).await?.pop();
        return Ok(made.ok_or_else(|| UserError::not_found(&["idempotencyKey"], "export any more"))?);
    }
    if background::has_unfinished(&txn, viewer.user_id, USER_DATA_EXPORT).await? {
        let message = "an export is under way; wait for its end";
        return Err(UserError::new(ErrorCode::Conflict, &[], message).into());
    }
    let job = background::insert(&txn, viewer.user_id, USER_DATA_EXPORT).await?;
    call.remember(&txn, job.id).await?;
    commit(txn).await?;
    // The row is the truth: what does not reach the queue now, the reconciler brings there.
    if let Err(error) = services.queue.enqueue(&Message::background(JobKind::UserDataExport, &job)).await {
        tracing::warn!(job_id = %job.id, %error, "an export waits for the reconciler because the queue did not take it");
    }
    Ok(job)
}

/// Whether the text of a job is there to be read.
pub fn is_readable(job: &background_job::Model) -> bool {
    let kept = |finished_at| entity::time::now() - finished_at < exports::KEPT;
    job.status == JobStatus::Completed && job.finished_at.is_some_and(kept)
}

/// A piece of the text of an export of this user; none after the last one, and for what is not theirs or not readable.
pub async fn read(
    services: &Services,
    job_id: Uuid,
    user_id: Uuid,
    part_number: i32,
) -> ServiceResult<Option<String>> {
    let job = background::find_owned(&services.db, &[job_id], USER_DATA_EXPORT, user_id).await?.pop();
    match job.filter(is_readable) {
        Some(job) => Ok(exports::read_text(&services.db, job.id, part_number).await?),
        None => Ok(None),
    }
}
