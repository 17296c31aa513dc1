//! The handler: every way a job can end, and that it ends so once.

use std::{
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use engine::{Sampling, SimulateError, StopCause};
use entity::{
    simulation_job,
    status::{FailureCode, JobStatus, LogLevel, RunStatus, Trace},
    store::{Connection as _, jobs::NewJob},
};
use serde_json::json;
use worker::{
    config::Config,
    error::Outcome,
    executor::{Engine, Executor, Timing},
    pool::Services,
    queue::{Delivery, JobKind},
};

use crate::support::{World, canvas, endless_workload, engine_of, small_workload};

async fn failed(world: &World, job: &simulation_job::Model, code: FailureCode, message: &str) {
    let job = world.reread(job).await;
    let status = if code == FailureCode::Timeout { JobStatus::TimedOut } else { JobStatus::Failed };
    assert_eq!((job.status, job.failure_code), (status, Some(code)), "{:?}", job.failure_message);
    let told = job.failure_message.clone().unwrap_or_default();
    assert!(told.contains(message), "{told}");
    assert!(job.finished_at.is_some() && job.lease_expires_at.is_none());
    assert_eq!(world.runs(&job).await[0].status, RunStatus::Failed);
    world.assert_queue_empty().await;
}

#[tokio::test]
async fn a_job_runs_once_and_tells_its_story() {
    for world in &World::all().await {
        let job = world.queued().await;
        let executor = world.executor();
        assert_eq!(executor.drain().await.unwrap(), 1);
        let done = world.reread(&job).await;
        assert_eq!((done.status, done.attempt, done.progress), (JobStatus::Completed, 1, 1.0));
        assert_eq!((done.failure_code, done.lease_expires_at), (None, None));
        let log = world.log(&job).await;
        let lines: Vec<&str> = log.iter().map(|line| line.message.as_str()).collect();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert_eq!(lines[0], "queued");
        assert!(lines[1].starts_with("attempt 1 started on "), "{lines:?}");
        assert!(lines[2].starts_with("finished in "), "{lines:?}");
        assert_eq!(log[0].sequence, 1);
        assert_eq!(log[2].sequence, done.sequence, "the last line has the last sequence");
        assert!(log.iter().all(|line| line.level == LogLevel::Info));
        world.assert_queue_empty().await;
    }
}

#[tokio::test]
async fn a_second_delivery_changes_nothing() {
    for world in &World::all().await {
        let job = world.queued().await;
        let executor = world.executor();
        executor.drain().await.unwrap();
        let (before, runs) = (world.reread(&job).await, world.runs(&job).await);
        world.enqueue(&job).await;
        assert_eq!(executor.drain().await.unwrap(), 1);
        assert_eq!(world.reread(&job).await, before);
        assert_eq!(world.runs(&job).await, runs);
        world.assert_queue_empty().await;
    }
}

#[tokio::test]
async fn a_delivery_of_no_job_is_forgotten() {
    for world in &World::all().await {
        let stranger = crate::support::message(entity::status::Priority::High);
        world.services.queue.enqueue(&stranger).await.unwrap();
        assert_eq!(world.executor().drain().await.unwrap(), 1);
        world.assert_queue_empty().await;
    }
}

#[tokio::test]
async fn a_job_canceled_while_it_waited_never_starts() {
    for world in &World::all().await {
        let executor = world.executor().with_engine(engine_of(|_, _| unreachable!("it was canceled")));
        let job = world.queued().await;
        entity::store::jobs::request_cancel(&world.services.db, job.id).await.unwrap();
        // The entry is still there, as when the api dies between the row and the queue.
        assert_eq!(executor.drain().await.unwrap(), 1);
        world.assert_status(&job, JobStatus::Canceled).await;
        assert!(world.runs(&job).await.is_empty());
        world.assert_queue_empty().await;
    }
}

#[tokio::test]
async fn invalid_inputs_fail_at_once_and_say_why() {
    for world in &World::all().await {
        let mut broken = canvas();
        broken["blocks"][0]["type"] = json!("abacus");
        let design = world.job(broken, &small_workload(), |_| {}).await;
        world.enqueue(&design).await;
        let mut workload = small_workload();
        workload.config.concurrency = 0;
        let load = world.job(canvas(), &workload, |_| {}).await;
        world.enqueue(&load).await;
        world.executor().drain().await.unwrap();
        failed(world, &design, FailureCode::InvalidDesign, "abacus").await;
        failed(world, &load, FailureCode::InvalidWorkload, "concurrency").await;
        assert_eq!(world.reread(&design).await.attempt, 1);
    }
}

/// A job of a workload that never ends, and what became of it.
async fn limited(world: &World, change: impl FnOnce(&mut NewJob)) -> simulation_job::Model {
    let job = world.job(canvas(), &endless_workload(), change).await;
    world.enqueue(&job).await;
    world.executor().drain().await.unwrap();
    job
}

#[tokio::test]
async fn a_job_over_its_time_is_timed_out() {
    for world in &World::all().await {
        let job = limited(world, |new| new.timeout_seconds = 0).await;
        failed(world, &job, FailureCode::Timeout, "took longer than its 0 s").await;
    }
}

#[tokio::test]
async fn a_job_over_its_memory_fails() {
    for world in &World::all().await {
        let job = limited(world, |new| new.memory_limit_bytes = 1).await;
        failed(world, &job, FailureCode::MemoryLimit, "memory").await;
    }
}

#[tokio::test]
async fn the_machines_memory_limit_counts_too() {
    for world in &World::all().await {
        let asked = Arc::new(Mutex::new(0));
        let seen = asked.clone();
        let engine = engine_of(move |options, _| {
            *seen.lock().unwrap() = options.memory_limit_bytes;
            Err(SimulateError::Stopped(StopCause::StepLimit))
        });
        let job = world.job(canvas(), &small_workload(), |new| new.memory_limit_bytes = i64::MAX).await;
        world.enqueue(&job).await;
        world.executor().with_engine(engine).drain().await.unwrap();
        assert_eq!(*asked.lock().unwrap(), world.config.job_memory_mb << 20);
        failed(world, &job, FailureCode::EventLimit, "steps").await;
    }
}

#[tokio::test]
async fn only_who_allows_it_is_sampled_and_then_by_the_jobs_own_time() {
    for world in &World::all().await {
        for (allowed, expected) in [(true, Sampling::Auto { seconds: 30.0 }), (false, Sampling::Off)] {
            let asked = Arc::new(Mutex::new(None));
            let seen = asked.clone();
            let engine = engine_of(move |options, _| {
                *seen.lock().unwrap() = Some(options.sampling);
                Err(SimulateError::Stopped(StopCause::StepLimit))
            });
            let change = |new: &mut NewJob| (new.allow_sampling, new.timeout_seconds) = (allowed, 60);
            world.enqueue(&world.job(canvas(), &small_workload(), change).await).await;
            world.executor().with_engine(engine).drain().await.unwrap();
            assert_eq!(*asked.lock().unwrap(), Some(expected));
        }
    }
}

#[tokio::test]
async fn a_standstill_is_not_repeated() {
    for world in &World::all().await {
        let stuck = engine_of(|_, _| Err(SimulateError::Stopped(StopCause::Stuck)));
        let job = world.queued().await;
        world.executor().with_engine(stuck).drain().await.unwrap();
        failed(world, &job, FailureCode::Internal, "standstill").await;
        assert_eq!(world.reread(&job).await.attempt, 1);
    }
}

#[tokio::test]
async fn a_job_that_breaks_its_engine_is_given_up_after_three_faults() {
    for world in &World::all().await {
        let executor = world.executor().with_engine(engine_of(|_, _| panic!("poison")));
        let job = world.queued().await;
        for attempt in 1..=3 {
            assert_eq!(executor.drain().await.unwrap(), 1);
            assert_eq!(executor.drain().await.unwrap(), 0, "it rests before it is repeated");
            assert_eq!(world.reread(&job).await.faults, attempt.min(2));
            world.clock.advance(Duration::from_secs(60));
        }
        failed(world, &job, FailureCode::Internal, "3 times").await;
        assert_eq!(executor.drain().await.unwrap(), 0);
        let log = world.log(&job).await;
        assert!(
            log.iter().all(|line| !line.message.contains("poison")),
            "the panic is not the user's to read"
        );
    }
}

/// An engine that hears nothing until the sender is dropped.
fn deaf_engine() -> (mpsc::Sender<()>, Engine) {
    let (release, released) = mpsc::channel();
    let released = Mutex::new(released);
    let engine = engine_of(move |_, _| {
        // An error says that the test is over.
        let _ = released.lock().unwrap().recv();
        Err(SimulateError::Stopped(StopCause::Deadline))
    });
    (release, engine)
}

#[tokio::test]
async fn an_engine_that_does_not_stop_is_given_up() {
    for world in &World::all().await {
        let (release, engine) = deaf_engine();
        let timing = Timing { overrun: Duration::ZERO, ..Timing::default() };
        let job = world.job(canvas(), &small_workload(), |new| new.timeout_seconds = 0).await;
        world.enqueue(&job).await;
        world.executor().with_engine(engine).with_timing(timing).drain().await.unwrap();
        failed(world, &job, FailureCode::Timeout, "took longer").await;
        drop(release);
    }
}

#[tokio::test]
async fn progress_grows_and_is_announced() {
    for world in &World::all().await {
        let mut workload = small_workload();
        workload.config.total_operations = 200_000;
        let job = world.job(canvas(), &workload, |_| {}).await;
        world.enqueue(&job).await;
        let watch = world.services.clone();
        let id = job.id;
        let watcher = tokio::spawn(async move {
            let mut seen: Vec<simulation_job::Model> = Vec::new();
            loop {
                let job = entity::store::jobs::find(&watch.db, id).await.unwrap().unwrap();
                let ended = job.status.is_terminal();
                if seen.last().is_none_or(|last| last.sequence != job.sequence) {
                    seen.push(job);
                }
                if ended {
                    return seen;
                }
                tokio::task::yield_now().await;
            }
        });
        world.executor().drain().await.unwrap();
        let seen = watcher.await.unwrap();
        assert!(seen.is_sorted_by(|a, b| a.sequence < b.sequence && a.progress <= b.progress), "{seen:?}");
        let done = seen.last().unwrap();
        assert_eq!((done.status, done.progress), (JobStatus::Completed, 1.0));
        // Told between its three logged moments: queued, started, finished.
        assert!(done.sequence > 3, "{done:?}");
    }
}

#[tokio::test]
async fn a_result_that_comes_after_the_lease_was_lost_is_thrown_away() {
    for world in &World::all().await {
        let services = world.services.clone();
        let job = world.queued().await;
        let (id, runtime) = (job.id, tokio::runtime::Handle::current());
        // While the engine runs, the job is taken from its worker and ends elsewhere.
        let engine: Engine = Arc::new(move |plan, workload, options, control| {
            runtime.block_on(async {
                let attempts = |lease| entity::store::attempts::renew_lease(&services.db, id, 1, lease);
                attempts(Duration::ZERO).await.unwrap();
                let lost = entity::store::attempts::Requeue::WorkerLost;
                entity::store::attempts::requeue(&services.db, id, 1, lost).await.unwrap().unwrap();
                entity::store::jobs::request_cancel(&services.db, id).await.unwrap();
            });
            engine::simulate(plan, workload, options, control)
        });
        let timing = Timing::default();
        world.executor().with_engine(engine).with_timing(timing).drain().await.unwrap();
        world.assert_status(&job, JobStatus::Canceled).await;
        let run = &world.runs(&job).await[0];
        assert_eq!((run.summary.clone(), run.metrics.clone(), run.event_count), (None, None, None));
        world.assert_queue_empty().await;
    }
}

#[tokio::test]
async fn a_handler_says_retry_when_the_database_is_gone() {
    let world = World::all().await.remove(0);
    let job = world.queued().await;
    let executor = world.executor();
    let delivery: Delivery = executor.claim(1).await.unwrap()[0];
    assert_eq!((delivery.id, delivery.kind), (job.id, JobKind::Simulation));
    world.services.db.pool().clone().close().await.unwrap();
    let outcome = executor.handle(delivery).await;
    assert!(matches!(outcome, Outcome::Retry { delay } if delay > Duration::ZERO), "{outcome:?}");
}

/// Until [`room`] no result is stored: on SQLite because the file of 4 MiB has no room for a large one, on PostgreSQL because it says
/// that its disk is full.
async fn no_room(world: &World) -> Services {
    let db = &world.services.db;
    if world.config.redis_url.is_some() {
        let full = "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS \
                    $$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = 'disk_full'; END $$";
        db.execute_unprepared(full).await.unwrap();
        let trigger = "CREATE TRIGGER filler BEFORE INSERT ON run_events EXECUTE FUNCTION full_disk()";
        db.execute_unprepared(trigger).await.unwrap();
        return world.services.clone();
    }
    db.execute_unprepared("CREATE TABLE filler AS SELECT zeroblob(2 << 20) AS bytes").await.unwrap();
    let config = Config { sqlite_max_mb: Some(4), ..world.config.clone() };
    Services::connect_in(&config, &world.namespace, world.clock.clone()).await.unwrap()
}

async fn room(world: &World) {
    let object =
        if world.config.redis_url.is_some() { "TRIGGER filler ON run_events" } else { "TABLE filler" };
    world.services.db.execute_unprepared(&format!("DROP {object}")).await.unwrap();
}

#[tokio::test]
async fn a_result_waits_for_room() {
    for world in &World::all().await {
        let large = |job: &mut NewJob| (job.trace, job.max_events) = (Trace::Full, 15_000);
        let job = world.job(canvas(), &small_workload(), large).await;
        world.enqueue(&job).await;
        let executor = Executor::new(no_room(world).await, &world.config);
        assert_eq!(executor.drain().await.unwrap(), 1);
        let waiting = world.reread(&job).await;
        assert_eq!((waiting.status, waiting.attempt), (JobStatus::Queued, 1));
        assert_eq!((waiting.faults, waiting.workers_lost), (0, 0), "nobody is to blame");
        assert_eq!(world.services.queue.stats().await.unwrap().resting, 1);

        room(world).await;
        world.clock.advance(Duration::from_secs(1));
        assert_eq!(executor.drain().await.unwrap(), 1);
        world.assert_status(&job, JobStatus::Completed).await;
        world.assert_queue_empty().await;
    }
}
