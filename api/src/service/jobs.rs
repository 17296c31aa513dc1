//! Simulations on the server: accepted as a row, then told to the queue.

use engine::SimulateError;
use entity::{
    design_version, simulation_job,
    status::Trace,
    store::{
        Transaction, client_runs,
        design_access::Access,
        jobs::{self, CancelOutcome, NewJob},
        versions, workloads,
    },
};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use worker::{bus::Notice, pool::Services, queue::Message};

use super::{
    ErrorCode, Fault, ServiceResult, UserError,
    creation::{begin_creation, commit},
    error::Detail,
    estimates,
    idempotency::{Call, recall},
    input::Mistakes,
    permissions::lock_for,
    plan::Plan,
    workloads::document_of,
};
use crate::auth::{Viewer, hex};

/// The seed of a job that asks for none, so that the same design and workload give the same result.
const DEFAULT_SEED: i64 = 1;
const MAX_EVENTS: i32 = 100_000;

/// A simulation to run.
#[derive(Clone, Debug, serde::Serialize)]
pub struct SubmitJob {
    pub idempotency_key: String,
    pub design_id: Uuid,
    /// None is the newest version.
    pub design_version: Option<i32>,
    pub workload_id: Uuid,
    /// None is 60 seconds or the plan's maximum, whichever is less.
    pub timeout_seconds: Option<i32>,
    pub seed: Option<i64>,
    pub trace: Trace,
    pub max_events: i32,
    /// It may be simulated in part when it is too large for its limits.
    pub allow_sampling: bool,
    /// Runs it even where an identical earlier run could answer it.
    pub fresh: bool,
}

/// Accepts a job: once its row is committed it will be run, whatever happens to this process.
pub async fn submit(
    services: &Services,
    viewer: Option<Viewer>,
    free_jobs_allowed: bool,
    input: SubmitJob,
    request_id: &str,
) -> ServiceResult<simulation_job::Model> {
    let viewer = viewer.ok_or(Fault::Unauthenticated)?;
    let mut mistakes = Mistakes::default();
    mistakes.idempotency_key(&input.idempotency_key);
    mistakes.check(input.seed.is_none_or(|seed| seed >= 0), &["seed"], || "seed must be 0 or more".into());
    mistakes.check((0..=MAX_EVENTS).contains(&input.max_events), &["maxEvents"], || {
        format!("maxEvents must be from 0 to {MAX_EVENTS}")
    });
    mistakes.check(input.timeout_seconds.is_none_or(|timeout| timeout >= 1), &["timeoutSeconds"], || {
        "timeoutSeconds must be 1 or more".into()
    });
    mistakes.none()?;

    let call = Call::new(viewer.user_id, "simulationJobSubmit", &input.idempotency_key, &input)?;
    let (txn, user) = begin_creation(services, viewer).await?;
    if let Some(id) = recall(&txn, Some(&call)).await? {
        let job = jobs::find_for_user(&txn, id, viewer.user_id).await?;
        return Ok(job.ok_or_else(|| UserError::not_found(&["idempotencyKey"], "job any more"))?);
    }
    let plan = Plan::of(user.tier);
    if plan.tier == entity::status::Tier::Free && !free_jobs_allowed {
        let message = "simulations on this server are part of the PREMIUM plan";
        return Err(UserError::new(ErrorCode::PlanRequired, &[], message).into());
    }
    let version = runnable_version(&txn, viewer, input.design_id, input.design_version).await?;
    let new = within_plan(&txn, viewer, plan, &input, version, request_id).await?;
    let answer = match &new.input_hash {
        Some(input_hash) if !input.fresh => jobs::find_answer(&txn, new.design_id, input_hash).await?,
        _ => None,
    };
    let job = match answer {
        Some(run_id) => jobs::insert_answered(&txn, new, run_id).await?,
        None => jobs::insert(&txn, new).await?,
    };
    call.remember(&txn, job.id).await?;
    commit(txn).await?;
    if answer.is_some() {
        tracing::info!(user_id = %job.user_id, design_id = %job.design_id, job_id = %job.id, action = "job_answered", "job answered by an earlier run");
        return Ok(job);
    }
    tell_queue(services, &job).await;
    tracing::info!(user_id = %job.user_id, design_id = %job.design_id, job_id = %job.id, action = "job_submitted", "job submitted");
    Ok(job)
}

/// Tells the queue of a job that was stored. The row is the truth: what does not reach the queue now, the reconciler brings there.
pub(super) async fn tell_queue(services: &Services, job: &simulation_job::Model) {
    if let Err(error) = services.queue.enqueue(&Message::simulation(job)).await {
        tracing::warn!(job_id = %job.id, %error, "a job waits for the reconciler because the queue did not take it");
    }
}

/// The version to run, if the viewer may run it.
pub(super) async fn runnable_version(
    txn: &Transaction,
    viewer: Viewer,
    design_id: Uuid,
    number: Option<i32>,
) -> ServiceResult<design_version::Model> {
    let (design, _) = lock_for(txn, viewer, design_id, "designId", Access::Edit).await?;
    let version = versions::find_version(txn, design.id, number).await?;
    Ok(version.ok_or_else(|| UserError::not_found(&["designVersion"], "version of this design"))?)
}

/// The job as it will be stored, if the plan allows it and the workload is one that the viewer may read.
async fn within_plan(
    txn: &Transaction,
    viewer: Viewer,
    plan: Plan,
    input: &SubmitJob,
    version: design_version::Model,
    request_id: &str,
) -> ServiceResult<NewJob> {
    let workload = workloads::find_visible(txn, &[input.workload_id], Some(viewer.user_id)).await?.pop();
    let workload = workload.ok_or_else(|| UserError::not_found(&["workloadId"], "workload"))?;
    if workload.deleted_at.is_some() {
        let message = "the workload is archived and cannot be run";
        return Err(UserError::new(ErrorCode::Forbidden, &["workloadId"], message).into());
    }
    let document = document_of(&workload);
    let parsed = engine::workload::parse(&document).map_err(|diagnostics| {
        let reasons: Vec<String> = diagnostics.into_iter().map(|found| found.message).collect();
        UserError::invalid(&["workloadId"], format!("the workload cannot be run: {}", reasons.join("; ")))
    })?;

    if let Err(error) = estimates::cost(&version.canvas_state, &parsed) {
        // Before it waits in a queue for nothing.
        let field =
            if matches!(error, SimulateError::InvalidWorkload(_)) { "workloadId" } else { "designId" };
        return Err(UserError::invalid(&[field], error.to_string()).into());
    }
    let operations = parsed.config.total_operations;
    if operations > plan.max_operations {
        let message = format!(
            "the workload has {operations} operations; your plan runs at most {}",
            plan.max_operations
        );
        return Err(over(&["workloadId"], message, plan.max_operations, operations).into());
    }
    let timeout_seconds = input.timeout_seconds.unwrap_or(plan.default_timeout_seconds());
    if timeout_seconds > plan.max_timeout_seconds {
        let message = format!("timeoutSeconds must be at most {} on your plan", plan.max_timeout_seconds);
        let (limit, used) = (plan.max_timeout_seconds.unsigned_abs(), timeout_seconds.unsigned_abs());
        return Err(over(&["timeoutSeconds"], message, limit.into(), used.into()).into());
    }
    if let (Some(limit), true) = (plan.event_storage_bytes, input.trace != Trace::None) {
        let used = client_runs::event_bytes_of(txn, viewer.user_id).await?;
        if used >= limit {
            let message = format!("your plan stores {limit} bytes of events; use trace NONE");
            return Err(over(&["trace"], message, limit, used).into());
        }
    }
    let seed = input.seed.unwrap_or(DEFAULT_SEED);
    // Where it may be sampled, its limits decide how much of it is simulated.
    let limits = input.allow_sampling.then_some((timeout_seconds, plan.memory_limit_bytes));
    let options = json!([seed, input.trace, input.max_events, limits]);
    let input_hash = result_key(&[&version.canvas_state, &document, &options]);
    Ok(NewJob {
        user_id: viewer.user_id,
        design_id: version.design_id,
        design_version_id: version.id,
        workload_id: workload.id,
        priority: plan.priority,
        seed,
        trace: input.trace,
        max_events: input.max_events,
        allow_sampling: input.allow_sampling,
        timeout_seconds,
        memory_limit_bytes: plan.memory_limit_bytes,
        max_concurrent_jobs: plan.max_concurrent_jobs,
        total_operations: i64::try_from(operations).unwrap_or(i64::MAX),
        input_hash: Some(input_hash),
        request_id: Some(request_id.to_owned()),
    })
}

/// A hash of everything that decides a result: equal input to the same engine gives equal bytes.
fn result_key(inputs: &[&Json]) -> String {
    // A JSON value keeps its object keys sorted, so equal inputs have equal texts.
    hex(&Sha256::digest(json!([engine::VERSION, inputs]).to_string()))
}

fn over(path: &[&str], message: String, limit: u64, used: u64) -> UserError {
    let quota = Detail::Quota { limit, used };
    UserError::new(ErrorCode::QuotaExceeded, path, message).with(quota)
}

/// Cancels a job of the viewer: a waiting one at once, a running one as soon as its worker hears of it.
pub async fn cancel(
    services: &Services,
    viewer: Option<Viewer>,
    id: Uuid,
) -> ServiceResult<simulation_job::Model> {
    let viewer = viewer.ok_or(Fault::Unauthenticated)?;
    if jobs::find_for_user(&services.db, id, viewer.user_id).await?.is_none() {
        return Err(UserError::not_found(&["id"], "job").into());
    }
    cancel_job(services, id).await
}

/// Cancels a job, whoever's it is.
pub(super) async fn cancel_job(services: &Services, id: Uuid) -> ServiceResult<simulation_job::Model> {
    match jobs::request_cancel(&services.db, id).await? {
        CancelOutcome::Canceled(job) => {
            // The row decides; what stays in the queue is thrown away when it is claimed.
            if let Err(error) = services.queue.cancel(id).await {
                tracing::warn!(job_id = %id, %error, "a canceled job stays in the queue until it is claimed");
            }
            announce(services, &Notice::JobUpdated { job_id: id, sequence: job.sequence }).await;
            Ok(job)
        }
        CancelOutcome::Requested(job) => {
            announce(services, &Notice::CancelRequested { job_id: id }).await;
            announce(services, &Notice::JobUpdated { job_id: id, sequence: job.sequence }).await;
            Ok(job)
        }
        CancelOutcome::AlreadyEnded(job) => {
            let message = format!("the job has ended ({})", job.status.as_str());
            Err(UserError::new(ErrorCode::NotCancelable, &["id"], message).into())
        }
        CancelOutcome::Missing => Err(UserError::not_found(&["id"], "job").into()),
    }
}

/// Tells those who listen. A notice that is lost costs time, not truth: workers and subscribers read the row again.
pub(super) async fn announce(services: &Services, notice: &Notice) {
    if let Err(error) = services.bus.publish(notice).await {
        tracing::warn!(%error, "a notice could not be published");
    }
}
