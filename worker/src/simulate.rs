//! The handler of simulation jobs: from a delivery to a committed result, or to a reason why there is none.

use std::time::Duration;

use engine::{Plan, Workload};
use entity::{
    StoreError, simulation_job,
    status::{FailureCode, JobStatus},
    store::{
        attempts::{self, Claim, Failure, Requeue},
        jobs,
        results::NewRun,
    },
};
use tracing::Span;

use crate::{
    attempt::{Attempt, Ended, Stop},
    error::{JobError, OrRetry, Outcome, backoff},
    executor::Executor,
    queue::Delivery,
    task::{Task, out_of_time},
};

/// How often the wait for a plan that is full doubles at most.
const FULL_DOUBLINGS: i64 = 3;
/// Tries to commit a result before the work is thrown away.
const COMMIT_TRIES: i64 = 5;

/// Runs the simulation of a job, if it is still to be run.
pub(crate) async fn handle(executor: &Executor, delivery: &Delivery) -> Result<Outcome, JobError> {
    let notices = executor.services.bus.subscribe();
    let job = match start(executor, delivery).await? {
        Ok(job) => job,
        Err(outcome) => return Ok(outcome),
    };
    let span = Span::current();
    span.record("request_id", job.request_id.as_deref());
    span.record("user_id", job.user_id.to_string());
    span.record("design_id", job.design_id.to_string());
    executor.announce(&job).await;
    tracing::info!(action = "simulation_started", attempt = job.attempt, "simulation started");

    let attempt = Attempt::new(executor, delivery, &job);
    let ended = match inputs(executor, &job).await.or_retry()? {
        Ok((task, plan, workload)) => attempt.run(task, plan, workload, notices).await,
        Err(failure) => return fail(executor, &job, failure).await,
    };
    match ended {
        Ended::Report(run) => tokio::select! {
            completed = complete(executor, &job, &run) => completed,
            // A commit may take longer than a lease.
            () = attempt.keep_leases() => unreachable!("leases are kept without end"),
        },
        Ended::Failed(failure) => fail(executor, &job, failure).await,
        Ended::Stopped(Stop::Deadline) => {
            fail(executor, &job, out_of_time(u64::from(job.timeout_seconds.unsigned_abs()))).await
        }
        Ended::Stopped(Stop::Canceled) => {
            let canceled = attempts::cancel(&executor.services.db, job.id, job.attempt).await.or_retry()?;
            settled(executor, &job, canceled).await
        }
        Ended::Stopped(Stop::HandBack) => requeue(executor, &job, Requeue::HandedBack).await,
        Ended::Stopped(Stop::Lost) => settled(executor, &job, None).await,
        Ended::Panicked => {
            tracing::error!("the engine panicked");
            requeue(executor, &job, Requeue::Fault).await
        }
    }
}

/// Moves the job to RUNNING, or finds out what is to be done instead.
async fn start(
    executor: &Executor,
    delivery: &Delivery,
) -> Result<Result<simulation_job::Model, Outcome>, JobError> {
    let (db, lease) = (&executor.services.db, executor.timing.lease);
    let claim = attempts::claim(db, delivery.id, &executor.worker, lease).await.or_retry()?;
    let running = match claim {
        Claim::Started(job) => return Ok(Ok(job)),
        Claim::Missing => {
            tracing::warn!("the queue holds a job that does not exist");
            return Ok(Err(Outcome::Abort));
        }
        // The queue counts what its user runs too, and rarely gets here: it forgot what runs, or a lost worker's lease is over
        // in the queue and not in the row. It goes back and is asked for again soon.
        Claim::PlanIsFull => {
            return Ok(Err(Outcome::Retry { delay: backoff(delivery.attempts.min(FULL_DOUBLINGS)) }));
        }
        Claim::NotQueued(job) if job.status.is_terminal() => {
            tracing::info!(status = job.status.as_str(), "delivered again after its end");
            return Ok(Err(Outcome::Done));
        }
        Claim::NotQueued(job) => job,
    };
    match attempts::requeue(db, running.id, running.attempt, Requeue::WorkerLost).await.or_retry()? {
        Some(job) => {
            tracing::warn!(worker = running.worker, "its worker was lost");
            executor.announce(&job).await;
            let again = job.status == JobStatus::Queued;
            Ok(Err(if again { Outcome::Retry { delay: Duration::ZERO } } else { Outcome::Done }))
        }
        // Whoever runs it is alive as far as anybody knows: look again when its lease would have ended.
        None => Ok(Err(Outcome::Retry { delay: lease })),
    }
}

/// What the job asks of the engine, or why it cannot be run.
async fn inputs(
    executor: &Executor,
    job: &simulation_job::Model,
) -> Result<Result<(Task, Plan, Workload), Failure>, StoreError> {
    let db = &executor.services.db;
    let (version, workload) = jobs::inputs(db, job).await?;
    let gone = |code, what: &str| Failure { code, message: format!("the {what} was deleted") };
    Ok(match (version, workload) {
        (None, _) => Err(gone(FailureCode::InvalidDesign, "design")),
        (_, None) => Err(gone(FailureCode::InvalidWorkload, "workload")),
        (Some(version), Some(workload)) => {
            let task = Task::new(job, version, workload, executor.memory_limit_bytes);
            task.parse().map(|(plan, workload)| (task, plan, workload))
        }
    })
}

async fn complete(
    executor: &Executor,
    job: &simulation_job::Model,
    run: &NewRun,
) -> Result<Outcome, JobError> {
    let mut tries = 1;
    let completed = loop {
        match attempts::complete(&executor.services.db, job.id, job.attempt, run).await {
            // Trying again at once would not help; another job's result may be smaller.
            Err(StoreError::Full(error)) => {
                tracing::error!(%error, "there is no room for the result");
                return requeue(executor, job, Requeue::NoRoom).await;
            }
            Err(error) if tries < COMMIT_TRIES => {
                tracing::warn!(%error, tries, "the result was not committed; trying again");
                tokio::time::sleep(backoff(tries)).await;
                tries += 1;
            }
            committed => break committed.or_retry()?,
        }
    };
    if let Some(job) = &completed {
        metrics::counter!("simulation_runs_completed_total").increment(1);
        let duration_ms =
            job.finished_at.zip(job.started_at).map(|(end, start)| (end - start).num_milliseconds());
        tracing::info!(action = "simulation_completed", duration_ms, "simulation completed");
    }
    settled(executor, job, completed).await
}

async fn fail(
    executor: &Executor,
    job: &simulation_job::Model,
    failure: Failure,
) -> Result<Outcome, JobError> {
    let failed = attempts::fail(&executor.services.db, job.id, job.attempt, &failure).await.or_retry()?;
    settled(executor, job, failed).await
}

async fn requeue(
    executor: &Executor,
    job: &simulation_job::Model,
    why: Requeue,
) -> Result<Outcome, JobError> {
    let requeued = attempts::requeue(&executor.services.db, job.id, job.attempt, why).await.or_retry()?;
    let again = requeued.as_ref().is_some_and(|job| job.status == JobStatus::Queued);
    settled(executor, job, requeued).await?;
    Ok(match why {
        Requeue::Fault if again => Outcome::Retry { delay: backoff(i64::from(job.faults) + 1) },
        Requeue::NoRoom if again => Outcome::Retry { delay: backoff(job.attempt.into()) },
        _ if again => Outcome::Retry { delay: Duration::ZERO },
        _ => Outcome::Done,
    })
}

/// Tells the world where the job stands now, unless it went on without this worker.
async fn settled(
    executor: &Executor,
    job: &simulation_job::Model,
    now: Option<simulation_job::Model>,
) -> Result<Outcome, JobError> {
    match now {
        Some(job) => {
            if let Some(code) = job.failure_code {
                metrics::counter!("simulation_runs_failed_total", "code" => code.as_str()).increment(1);
                tracing::info!(action = "simulation_failed", code = code.as_str(), "simulation failed");
            }
            executor.announce(&job).await;
        }
        None => {
            tracing::warn!(attempt = job.attempt, "the job went on without this worker; nothing was stored")
        }
    }
    Ok(Outcome::Done)
}
