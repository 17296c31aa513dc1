use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::{Payload, UserErrors, key};
use crate::{
    config::Config,
    graphql::{
        context::{request, services, viewer},
        errors::settle,
        id::{design_key, job_key, workload_key},
        scalars::BigInt,
        types::job::{SimulationJob, TraceLevel},
    },
    service::{
        ServiceResult,
        jobs::{self, SubmitJob},
    },
};

#[derive(Default)]
pub struct JobMutation;

#[Object]
impl JobMutation {
    /// Queues a simulation. A job that was accepted will be run, whatever fails meanwhile.
    async fn simulation_job_submit(
        &self,
        ctx: &Context<'_>,
        input: SimulationJobSubmitInput,
    ) -> Payload<SimulationJobSubmitPayload> {
        Some(settle(submit(ctx, input).await).map(|(job, user_errors)| SimulationJobSubmitPayload {
            job: job.map(SimulationJob::from),
            user_errors,
        }))
    }

    /// Cancels a job: a queued one never starts, a running one stops soon.
    async fn simulation_job_cancel(
        &self,
        ctx: &Context<'_>,
        input: SimulationJobCancelInput,
    ) -> Payload<SimulationJobCancelPayload> {
        Some(settle(cancel(ctx, input).await).map(|(job, user_errors)| SimulationJobCancelPayload {
            job: job.map(SimulationJob::from),
            user_errors,
        }))
    }
}

async fn submit(
    ctx: &Context<'_>,
    input: SimulationJobSubmitInput,
) -> ServiceResult<entity::simulation_job::Model> {
    let job = SubmitJob {
        idempotency_key: input.idempotency_key,
        design_id: key(&input.design_id, design_key, "designId", "design")?,
        design_version: input.design_version,
        workload_id: key(&input.workload_id, workload_key, "workloadId", "workload")?,
        timeout_seconds: input.timeout_seconds,
        seed: input.seed.map(|seed| seed.0),
        trace: input.trace.into(),
        max_events: input.max_events.unwrap_or(DEFAULT_MAX_EVENTS),
        allow_sampling: input.allow_sampling,
        fresh: input.fresh,
    };
    let free_jobs_allowed = ctx.data_unchecked::<Config>().free_server_jobs;
    jobs::submit(services(ctx), viewer(ctx), free_jobs_allowed, job, &request(ctx).request_id).await
}

async fn cancel(
    ctx: &Context<'_>,
    input: SimulationJobCancelInput,
) -> ServiceResult<entity::simulation_job::Model> {
    let id = key(&input.id, job_key, "id", "job")?;
    jobs::cancel(services(ctx), viewer(ctx), id).await
}

const DEFAULT_MAX_EVENTS: i32 = 10_000;

/// A simulation to queue.
#[derive(InputObject)]
pub struct SimulationJobSubmitInput {
    /// Required: a retry returns the first job.
    idempotency_key: String,
    design_id: ID,
    /// Omitted: the newest.
    design_version: Option<i32>,
    workload_id: ID,
    /// Omitted: 60 or the plan's maximum, whichever is less.
    timeout_seconds: Option<i32>,
    /// Omitted: fixed by the server and reported.
    seed: Option<BigInt>,
    #[graphql(default_with = "TraceLevel::Sampled")]
    trace: TraceLevel,
    #[graphql(default_with = "Some(DEFAULT_MAX_EVENTS)")]
    max_events: Option<i32>,
    /// Simulates one key in so many where the whole is expected to take more than half of timeoutSeconds or most of the memory. Counts
    /// are multiplied; the run's warnings tell the rate and the error.
    #[graphql(default)]
    allow_sampling: bool,
    /// Runs it even where an identical earlier run of this design could answer it.
    #[graphql(default)]
    fresh: bool,
}

/// A job to cancel.
#[derive(InputObject)]
pub struct SimulationJobCancelInput {
    id: ID,
}

/// The job, or why there is none.
#[derive(SimpleObject)]
pub struct SimulationJobSubmitPayload {
    job: Option<SimulationJob>,
    user_errors: UserErrors,
}

/// The job as it is now, or why it is not canceled.
#[derive(SimpleObject)]
pub struct SimulationJobCancelPayload {
    job: Option<SimulationJob>,
    user_errors: UserErrors,
}
