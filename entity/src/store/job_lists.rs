//! Lists of a user's jobs, and of the lines of a job's log. The caller has checked that the viewer may read them.

use sea_orm::{Select, entity::prelude::*, sea_query::Expr};

use super::page::{Keyset, Page, PageRequest};
use crate::{
    StoreError, job_log, simulation_job,
    status::{JobStatus, LogLevel},
};

/// A page of a user's jobs, of these statuses if any are given, newest first.
pub async fn of_user(
    db: &impl ConnectionTrait,
    user_id: Uuid,
    status: Option<&[JobStatus]>,
    request: &PageRequest,
) -> Result<Page<simulation_job::Model>, StoreError> {
    use simulation_job::Column;
    let keyset = Keyset { key: Expr::col(Column::CreatedAt), id: Expr::col(Column::Id), descending: true };
    Ok(Page::of(keyset.apply(jobs(user_id, status), request).all(db).await?, request))
}

/// How many jobs the whole list holds.
pub async fn count_of_user(
    db: &impl ConnectionTrait,
    user_id: Uuid,
    status: Option<&[JobStatus]>,
) -> Result<u64, StoreError> {
    Ok(jobs(user_id, status).count(db).await?)
}

fn jobs(user_id: Uuid, status: Option<&[JobStatus]>) -> Select<simulation_job::Entity> {
    let select = simulation_job::Entity::find().filter(simulation_job::Column::UserId.eq(user_id));
    match status {
        Some(status) => select.filter(simulation_job::Column::Status.is_in(status.iter().copied())),
        None => select,
    }
}

/// A page of the lines of a job's log of these levels, oldest first.
pub async fn log_of(
    db: &impl ConnectionTrait,
    job_id: Uuid,
    levels: &[LogLevel],
    request: &PageRequest,
) -> Result<Page<job_log::Model>, StoreError> {
    use job_log::Column;
    // A sequence number is unique in its job: the second key never decides.
    let keyset = Keyset { key: Expr::col(Column::Sequence), id: Expr::col(Column::JobId), descending: false };
    Ok(Page::of(keyset.apply(lines(job_id, levels), request).all(db).await?, request))
}

/// How many lines the whole log holds.
pub async fn count_log_of(
    db: &impl ConnectionTrait,
    job_id: Uuid,
    levels: &[LogLevel],
) -> Result<u64, StoreError> {
    Ok(lines(job_id, levels).count(db).await?)
}

fn lines(job_id: Uuid, levels: &[LogLevel]) -> Select<job_log::Entity> {
    job_log::Entity::find()
        .filter(job_log::Column::JobId.eq(job_id))
        .filter(job_log::Column::Level.is_in(levels.iter().copied()))
}
