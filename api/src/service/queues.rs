//! The jobs of everybody, for those who run the service.

use chrono::{Duration, TimeDelta};
use entity::{
    simulation_job,
    status::JobStatus,
    store::{
        begin, commit,
        job_overview::{self, Ended},
        jobs::{self, NewJob},
        users, workers,
    },
    worker as register,
};
use url::Url;
use uuid::Uuid;
use worker::{pool::Services, queue::Stats};

use super::{
    Fault, ServiceResult, UserError,
    administration::require_admin,
    jobs::{cancel_job, tell_queue},
};
use crate::{
    auth::{Tokens, Viewer, pass},
    config,
};

/// Where the overview is a page.
pub const PAGE: &str = "/admin/queues";
/// Failures that the overview tells.
const FAILURES: u64 = 10;

/// How jobs and workers fare at present.
pub struct Overview {
    pub lanes: Stats,
    /// Whether an operator lets workers claim nothing.
    pub drained: bool,
    pub workers: Vec<register::Model>,
    /// What jobs came to in the last minutes, hour and day: how far back, and how many of each end.
    pub ended: Vec<(TimeDelta, Vec<Ended>)>,
    /// Newest first.
    pub failures: Vec<simulation_job::Model>,
}

/// The overview, for admins alone.
pub async fn overview(services: &Services, viewer: Option<Viewer>) -> ServiceResult<Overview> {
    require_admin(services, viewer, "see the queues").await?;
    let db = &services.db;
    let mut ended = Vec::new();
    for ago in [Duration::minutes(5), Duration::hours(1), Duration::days(1)] {
        ended.push((ago, job_overview::ended(db, ago).await?));
    }
    Ok(Overview {
        lanes: services.queue.stats().await?,
        drained: workers::drained(db).await?,
        workers: workers::alive(db).await?,
        ended,
        failures: job_overview::last_failures(db, FAILURES).await?,
    })
}

/// A link that opens the page for this user, if they are an admin when they follow it.
pub fn link(public_url: &Url, tokens: &Tokens, user_id: Uuid) -> Result<Url, Fault> {
    let mut link = config::link(public_url, PAGE);
    link.query_pairs_mut().append_pair("pass", &tokens.issue_pass(PAGE, user_id, pass::LINK)?);
    Ok(link)
}

/// Jobs with the handles of their users, of this status if one is given, newest first, as the operator.
pub async fn list(
    services: &Services,
    status: Option<JobStatus>,
    limit: u64,
) -> ServiceResult<Vec<(simulation_job::Model, String)>> {
    let jobs = job_overview::newest(&services.db, status, limit).await?;
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.user_id).collect();
    let users = users::find_many(&services.db, &ids).await?;
    let handle_of = |id| users.iter().find(|user| user.id == id).map(|user| user.handle.clone());
    let with_handle = |job: simulation_job::Model| {
        let handle = handle_of(job.user_id).unwrap_or_default();
        (job, handle)
    };
    Ok(jobs.into_iter().map(with_handle).collect())
}

/// Submits what a job that has ended asked for once more, for the same user and under the same limits, as the operator: what
/// has ended stays as it is.
pub async fn retry(services: &Services, id: Uuid) -> ServiceResult<simulation_job::Model> {
    let txn = begin(&services.db).await?;
    let Some(ended) = jobs::find(&txn, id).await? else {
        return Err(UserError::not_found(&["id"], "job").into());
    };
    if !ended.status.is_terminal() {
        let message = format!("the job has not ended ({}); it is retried by itself", ended.status.as_str());
        return Err(UserError::invalid(&["id"], message).into());
    }
    let job = jobs::insert(&txn, NewJob::from(&ended)).await?;
    commit(txn).await?;
    tell_queue(services, &job).await;
    Ok(job)
}

/// Cancels anybody's job, as the operator.
pub async fn cancel(services: &Services, id: Uuid) -> ServiceResult<simulation_job::Model> {
    cancel_job(services, id).await
}

/// Lets workers claim nothing more, or again, as the operator. They hear of it within two seconds.
pub async fn drain(services: &Services, drained: bool) -> ServiceResult<()> {
    Ok(workers::set_drained(&services.db, drained).await?)
}

/// How many jobs workers hold.
pub async fn running(services: &Services) -> ServiceResult<u64> {
    Ok(services.queue.stats().await?.held)
}
