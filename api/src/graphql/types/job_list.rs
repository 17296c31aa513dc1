use async_graphql::{Context, Error};
use entity::{
    job_log, simulation_job, status,
    store::{
        job_lists,
        page::{Cursor, CursorKey},
    },
};
use uuid::Uuid;

use super::job::{JobLog, JobStatus, LogLevel, SimulationJob};
use crate::graphql::{
    context::services,
    errors::internal,
    pagination::{KeyKind, MAX_PAGE, PageArgs, Paged, connection},
};

/// A page of a user's jobs, newest first.
///
/// # Errors
/// Names the argument that breaks a rule.
pub async fn job_connection(
    ctx: &Context<'_>,
    user_id: Uuid,
    status: Option<Vec<JobStatus>>,
    args: PageArgs,
) -> Result<Paged<SimulationJob>, Error> {
    let request = args.request(KeyKind::Time, MAX_PAGE)?;
    let status: Option<Vec<status::JobStatus>> =
        status.map(|list| list.into_iter().map(Into::into).collect());
    let db = &services(ctx).db;
    let page = job_lists::of_user(db, user_id, status.as_deref(), &request).await.map_err(internal)?;
    let cursor = |row: &simulation_job::Model| Cursor { key: CursorKey::Time(row.created_at), id: row.id };
    Ok(connection(page, cursor, SimulationJob::from, move |ctx| {
        let (db, status) = (services(ctx).db.clone(), status.clone());
        async move { job_lists::count_of_user(&db, user_id, status.as_deref()).await.map_err(internal) }
    }))
}

/// A page of a job's log, oldest first: its lines of this level and above.
///
/// # Errors
/// Names the argument that breaks a rule.
pub async fn log_connection(
    ctx: &Context<'_>,
    job_id: Uuid,
    least: LogLevel,
    args: PageArgs,
) -> Result<Paged<JobLog>, Error> {
    const LEVELS: [LogLevel; 4] = [LogLevel::Debug, LogLevel::Info, LogLevel::Warn, LogLevel::Error];
    let request = args.request(KeyKind::Integer, MAX_PAGE)?;
    let levels: Vec<status::LogLevel> =
        LEVELS.into_iter().skip_while(|level| *level != least).map(Into::into).collect();
    let page = job_lists::log_of(&services(ctx).db, job_id, &levels, &request).await.map_err(internal)?;
    let cursor =
        |row: &job_log::Model| Cursor { key: CursorKey::Integer(row.sequence.into()), id: row.job_id };
    Ok(connection(page, cursor, JobLog::from, move |ctx| {
        let (db, levels) = (services(ctx).db.clone(), levels.clone());
        async move { job_lists::count_log_of(&db, job_id, &levels).await.map_err(internal) }
    }))
}
