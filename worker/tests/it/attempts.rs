//! The rows' own guards: one claim wins, and an attempt that is over writes nothing.

use std::time::Duration;

use entity::{
    status::{FailureCode, JobStatus, RunStatus},
    store::{
        attempts::{self, Claim, Failure, Lease, MAX_WORKERS_LOST, Requeue},
        job_attempts,
        jobs::{self, CancelOutcome},
    },
};
use futures_util::future::join_all;
use uuid::Uuid;
use worker::{error::Outcome, queue::Message};

use crate::support::{World, canvas, small_workload};

const LEASE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn of_many_claims_one_wins() {
    for world in &World::all().await {
        let job = world.queued().await;
        let db = &world.services.db;
        let claims = join_all((0..8).map(|_| attempts::claim(db, job.id, "worker", LEASE))).await;
        let started = claims.iter().filter(|claim| matches!(claim, Ok(Claim::Started(_)))).count();
        let refused = claims.iter().filter(|claim| matches!(claim, Ok(Claim::NotQueued(_)))).count();
        assert_eq!((started, refused), (1, 7), "{claims:?}");
        let job = world.reread(&job).await;
        assert_eq!((job.status, job.attempt), (JobStatus::Running, 1));
        assert_eq!(world.runs(&job).await.len(), 1);
        let missing = attempts::claim(db, Uuid::now_v7(), "worker", LEASE).await.unwrap();
        assert!(matches!(missing, Claim::Missing));
    }
}

#[tokio::test]
async fn a_worker_that_lost_its_lease_writes_nothing() {
    for world in &World::all().await {
        let job = world.queued().await;
        let db = &world.services.db;
        attempts::claim(db, job.id, "lost", Duration::ZERO).await.unwrap();
        assert_eq!(attempts::expired_leases(db, 10).await.unwrap().len(), 1);
        let back = attempts::requeue(db, job.id, 1, Requeue::WorkerLost).await.unwrap().unwrap();
        assert_eq!((back.status, back.workers_lost, back.worker), (JobStatus::Queued, 1, None));
        attempts::claim(db, job.id, "next", LEASE).await.unwrap();
        let before = world.reread(&job).await;

        let failure = Failure { code: FailureCode::Internal, message: "late".into() };
        assert_eq!(attempts::renew_lease(db, job.id, 1, LEASE).await.unwrap(), Lease::Lost);
        assert_eq!(attempts::progress(db, job.id, 1, 0.5).await.unwrap(), None);
        assert_eq!(attempts::fail(db, job.id, 1, &failure).await.unwrap(), None);
        assert_eq!(attempts::cancel(db, job.id, 1).await.unwrap(), None);
        assert_eq!(attempts::requeue(db, job.id, 1, Requeue::Fault).await.unwrap(), None);
        assert_eq!(world.reread(&job).await, before);
        let history = job_attempts::of_jobs(db, &[job.id]).await.unwrap().remove(&job.id).unwrap();
        let told: Vec<_> = history
            .iter()
            .map(|one| (one.number, one.worker.as_str(), one.finished_at.is_some(), one.failure_code))
            .collect();
        let lost = Some(FailureCode::WorkerLost);
        assert_eq!(told, [(1, "lost", true, lost), (2, "next", false, None)]);

        // The lease of the second attempt is good, so nobody takes the job from it.
        assert_eq!(attempts::requeue(db, job.id, 2, Requeue::WorkerLost).await.unwrap(), None);
        assert!(attempts::expired_leases(db, 10).await.unwrap().is_empty());
        let held = Lease::Held { cancel_requested: false };
        assert_eq!(attempts::renew_lease(db, job.id, 2, LEASE).await.unwrap(), held);
    }
}

#[tokio::test]
async fn a_job_under_which_ten_workers_vanish_is_given_up() {
    for world in &World::all().await {
        let job = world.queued().await;
        let db = &world.services.db;
        for attempt in 1..=MAX_WORKERS_LOST {
            attempts::claim(db, job.id, "doomed", Duration::ZERO).await.unwrap();
            attempts::requeue(db, job.id, attempt, Requeue::WorkerLost).await.unwrap().unwrap();
        }
        let job = world.reread(&job).await;
        assert_eq!((job.status, job.failure_code), (JobStatus::Failed, Some(FailureCode::WorkerLost)));
        assert_eq!(world.runs(&job).await[0].status, RunStatus::Failed);
    }
}

#[tokio::test]
async fn cancelling_is_decided_once() {
    for world in &World::all().await {
        let db = &world.services.db;
        let waiting = world.queued().await;
        let outcome = jobs::request_cancel(db, waiting.id).await.unwrap();
        assert!(matches!(&outcome, CancelOutcome::Canceled(job) if job.status == JobStatus::Canceled));
        assert!(world.services.queue.cancel(waiting.id).await.unwrap());
        let again = jobs::request_cancel(db, waiting.id).await.unwrap();
        assert!(matches!(again, CancelOutcome::AlreadyEnded(_)));
        assert!(matches!(
            attempts::claim(db, waiting.id, "worker", LEASE).await.unwrap(),
            Claim::NotQueued(_)
        ));

        let running = world.queued().await;
        attempts::claim(db, running.id, "worker", LEASE).await.unwrap();
        let CancelOutcome::Requested(first) = jobs::request_cancel(db, running.id).await.unwrap() else {
            panic!("it runs, so its worker is asked")
        };
        assert!(first.cancel_requested);
        assert_eq!(
            jobs::request_cancel(db, running.id).await.unwrap(),
            CancelOutcome::Requested(first),
            "asking twice changes nothing"
        );
        let held = Lease::Held { cancel_requested: true };
        assert_eq!(attempts::renew_lease(db, running.id, 1, LEASE).await.unwrap(), held);
        // A job that is to be canceled does not go back to the queue.
        let ended = attempts::requeue(db, running.id, 1, Requeue::Fault).await.unwrap().unwrap();
        assert_eq!(ended.status, JobStatus::Canceled);
        assert_eq!(jobs::request_cancel(db, Uuid::now_v7()).await.unwrap(), CancelOutcome::Missing);
    }
}

#[tokio::test]
async fn a_job_is_found_by_its_user_only() {
    for world in &World::all().await {
        let job = world.queued().await;
        let db = &world.services.db;
        let mine = jobs::find_for_user(db, job.id, job.user_id).await.unwrap();
        assert_eq!(mine, Some(job.clone()), "a row reads back as it was written");
        assert_eq!(jobs::find_for_user(db, job.id, Uuid::now_v7()).await.unwrap(), None);
        let found = jobs::find_many(db, &[job.id, Uuid::now_v7()]).await.unwrap();
        assert_eq!(found, [job]);
    }
}

#[tokio::test]
async fn a_job_canceled_while_it_waits_for_another_worker_leaves_no_run_behind() {
    for world in &World::all().await {
        let job = world.queued().await;
        let db = &world.services.db;
        attempts::claim(db, job.id, "leaving", LEASE).await.unwrap();
        attempts::requeue(db, job.id, 1, Requeue::HandedBack).await.unwrap().unwrap();
        let canceled = jobs::request_cancel(db, job.id).await.unwrap();
        assert!(matches!(canceled, CancelOutcome::Canceled(_)), "{canceled:?}");
        let run = &world.runs(&job).await[0];
        assert_eq!(run.status, RunStatus::Failed);
        assert!(run.completed_at.is_some());
    }
}

#[tokio::test]
async fn a_plan_runs_so_many_jobs_at_a_time_and_the_others_wait() {
    for world in &World::all().await {
        let db = &world.services.db;
        let limited =
            async || world.job(canvas(), &small_workload(), |new| new.max_concurrent_jobs = 2).await;
        let jobs = [limited().await, limited().await, limited().await, limited().await];
        // At once, as several workers would.
        let claims = join_all(jobs.iter().map(|job| attempts::claim(db, job.id, "worker", LEASE))).await;
        let started = claims.iter().filter(|claim| matches!(claim, Ok(Claim::Started(_)))).count();
        let full = claims.iter().filter(|claim| matches!(claim, Ok(Claim::PlanIsFull))).count();
        assert_eq!((started, full), (2, 2), "{claims:?}");
        assert_eq!(jobs::count_running(db, jobs[0].user_id).await.unwrap(), 2);
        let (running, waiting): (Vec<_>, Vec<_>) =
            jobs.iter().zip(&claims).partition(|(_, claim)| matches!(claim, Ok(Claim::Started(_))));
        attempts::cancel(db, running[0].0.id, 1).await.unwrap().unwrap();
        let next = attempts::claim(db, waiting[0].0.id, "worker", LEASE).await.unwrap();
        assert!(matches!(next, Claim::Started(_)), "{next:?}");
    }
}

#[tokio::test]
async fn a_job_whose_plan_is_full_goes_back_to_its_lane() {
    for world in &World::all().await {
        let none = world.job(canvas(), &small_workload(), |new| new.max_concurrent_jobs = 0).await;
        world.services.queue.enqueue(&Message::simulation(&none)).await.unwrap();
        let executor = world.executor();
        let delivery = executor.claim(1).await.unwrap().pop().unwrap();
        assert!(matches!(executor.handle(delivery).await, Outcome::Retry { .. }));
        let job = world.reread(&none).await;
        assert_eq!((job.status, job.attempt), (JobStatus::Queued, 0));
        assert_eq!(world.services.queue.stats().await.unwrap().resting, 1);
    }
}
