//! Whole workers: woken by the queue, stopped by a signal.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use engine::Options;
use entity::{
    status::JobStatus,
    store::{
        jobs::{self, NewJob},
        workers,
    },
};
use futures_util::StreamExt;
use tokio::sync::oneshot;
use worker::{
    bus::Notice,
    executor::{Engine, Executor, Timing},
    pool,
    queue::Stats,
};

use crate::support::{World, canvas, endless_workload, engine_of, small_workload};

/// A worker in a task of its own, and what stops it.
fn start(executor: Executor, grace: Duration) -> (oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    start_with(executor, 2, grace)
}

fn start_with(
    executor: Executor,
    slots: usize,
    grace: Duration,
) -> (oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(async move {
        let shutdown = async move { drop(stopped.await) };
        pool::run_executor(executor, slots, grace, shutdown).await.unwrap();
    });
    (stop, task)
}

#[tokio::test]
async fn a_worker_takes_jobs_as_they_come_and_stops_when_told() {
    for world in &World::all().await {
        let mut notices = world.services.bus.subscribe();
        let (stop, task) = start(world.executor(), Duration::from_secs(60));
        let mut jobs = Vec::new();
        for _ in 0..5 {
            jobs.push(world.queued().await);
        }
        // Notices say when to look; over Redis the first ones may come before the subscription stands.
        loop {
            let mut ended = 0;
            for job in &jobs {
                ended += usize::from(world.reread(job).await.status.is_terminal());
            }
            if ended == jobs.len() {
                break;
            }
            let _ = tokio::time::timeout(Duration::from_millis(100), notices.next()).await;
        }
        for job in &jobs {
            world.assert_status(job, JobStatus::Completed).await;
        }
        drop(stop);
        task.await.unwrap();
        world.assert_queue_empty().await;
    }
}

#[tokio::test]
async fn a_job_that_outlasts_the_grace_period_goes_back_to_the_queue() {
    for world in &World::all().await {
        // The engine says when it has started, and stays until the test lets it go.
        let (started, has_started) = mpsc::channel::<()>();
        let (release, released) = mpsc::channel::<()>();
        let released = Arc::new(Mutex::new(released));
        let engine = engine_of(move |_, _| {
            started.send(()).unwrap();
            // An error says that the test is over.
            let _ = released.lock().unwrap().recv();
            panic!("it was given up long ago")
        });
        let timing = Timing { overrun: Duration::ZERO, ..Timing::default() };
        let executor = world.executor().with_engine(engine).with_timing(timing);
        let job = world.queued().await;
        let (stop, task) = start(executor, Duration::ZERO);
        tokio::task::spawn_blocking(move || has_started.recv().unwrap()).await.unwrap();
        drop(stop);
        task.await.unwrap();
        let back = world.reread(&job).await;
        assert_eq!((back.status, back.faults, back.workers_lost), (JobStatus::Queued, 0, 0));
        let Stats { premium, held, resting, .. } = world.services.queue.stats().await.unwrap();
        assert_eq!((premium.waiting, held, resting), (1, 0, 0));

        // The next worker runs it to its end.
        assert_eq!(world.executor().drain().await.unwrap(), 1);
        let done = world.reread(&job).await;
        assert_eq!((done.status, done.attempt), (JobStatus::Completed, 2));
        drop(release);
    }
}

/// The real engine, behind what is done before it runs.
fn engine_after(before: impl Fn(&Options) + Send + Sync + 'static) -> Engine {
    Arc::new(move |plan, workload, options, control| {
        before(options);
        engine::simulate(plan, workload, options, control)
    })
}

#[tokio::test]
async fn a_short_job_does_not_wait_for_long_ones() {
    const LONG: i64 = 1;
    for world in &World::all().await {
        // Long jobs stay until the test lets them go.
        let (release, released) = mpsc::channel::<()>();
        let released = Mutex::new(released);
        let engine = engine_after(move |options| {
            if options.seed == LONG as u64 {
                // An error says that all may go.
                let _ = released.lock().unwrap().recv();
            }
        });
        let mut long = Vec::new();
        for _ in 0..4 {
            let change = |new: &mut NewJob| (new.seed, new.total_operations) = (LONG, 1_000_000);
            let job = world.job(canvas(), &small_workload(), change).await;
            world.enqueue(&job).await;
            long.push(job);
        }
        let executor = world.executor().with_engine(engine);
        let (stop, task) = start_with(executor, 4, Duration::from_secs(60));
        for running in &long[..3] {
            while world.reread(running).await.status == JobStatus::Queued {
                tokio::task::yield_now().await;
            }
        }
        let short = world.queued().await;
        while !world.reread(&short).await.status.is_terminal() {
            tokio::task::yield_now().await;
        }
        for running in &long[..3] {
            world.assert_status(running, JobStatus::Running).await;
        }
        world.assert_status(&long[3], JobStatus::Queued).await;
        drop(release);
        while !world.reread(&long[3]).await.status.is_terminal() {
            tokio::task::yield_now().await;
        }
        drop(stop);
        task.await.unwrap();
        world.assert_queue_empty().await;
    }
}

#[tokio::test]
async fn the_next_job_of_a_plan_starts_when_one_has_ended_without_a_rest() {
    for world in &World::all().await {
        let running = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let (seen, most_seen) = (running.clone(), most.clone());
        let engine = engine_after(move |_| {
            most_seen.fetch_max(seen.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(20));
            seen.fetch_sub(1, Ordering::SeqCst);
        });
        let mut jobs = Vec::new();
        for _ in 0..6 {
            let job = world.job(canvas(), &small_workload(), |new| new.max_concurrent_jobs = 1).await;
            world.enqueue(&job).await;
            jobs.push(job);
        }
        let (stop, task) = start(world.executor().with_engine(engine), Duration::from_secs(60));
        while !world.reread(&jobs[5]).await.status.is_terminal() {
            let stats = world.services.queue.stats().await.unwrap();
            assert_eq!(stats.resting, 0, "a job was claimed that could not run");
            assert!(stats.held <= 1, "{stats:?}");
            tokio::task::yield_now().await;
        }
        for job in &jobs {
            world.assert_status(job, JobStatus::Completed).await;
        }
        assert_eq!((most.load(Ordering::SeqCst), running.load(Ordering::SeqCst)), (1, 0));
        drop(stop);
        task.await.unwrap();
        world.assert_queue_empty().await;
    }
}

/// Runs a job that never ends by itself, cancels it, and sees that its worker stops; `notify` says how it hears.
async fn cancel_running(world: &World, timing: Timing, notify: bool) {
    let job = world.job(canvas(), &endless_workload(), |_| {}).await;
    world.enqueue(&job).await;
    let (stop, task) = start(world.executor().with_timing(timing), Duration::from_secs(60));
    while world.reread(&job).await.status == JobStatus::Queued {
        tokio::task::yield_now().await;
    }
    jobs::request_cancel(&world.services.db, job.id).await.unwrap();
    while !world.reread(&job).await.status.is_terminal() {
        if notify {
            // Again and again: over Redis the first ones may come before the subscription stands.
            world.services.bus.publish(&Notice::CancelRequested { job_id: job.id }).await.unwrap();
        }
        tokio::task::yield_now().await;
    }
    world.assert_status(&job, JobStatus::Canceled).await;
    drop(stop);
    task.await.unwrap();
    world.assert_queue_empty().await;
}

const NEVER: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn a_notice_stops_a_running_job() {
    for world in &World::all().await {
        let timing = Timing { heartbeat: NEVER, progress: NEVER, ..Timing::default() };
        cancel_running(world, timing, true).await;
    }
}

#[tokio::test]
async fn a_running_job_whose_notice_was_lost_stops_with_the_next_heartbeat() {
    for world in &World::all().await {
        let heartbeat = Duration::from_millis(20);
        let timing = Timing { heartbeat, progress: NEVER, ..Timing::default() };
        cancel_running(world, timing, false).await;
    }
}

#[tokio::test]
async fn a_drained_worker_claims_nothing_until_it_may() {
    for world in &World::all().await {
        let db = &world.services.db;
        workers::set_drained(db, true).await.unwrap();
        let job = world.queued().await;
        let (stop, task) = start_with(world.executor(), 4, Duration::from_secs(60));
        while workers::alive(db).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        // It lives, and has looked at the queue as often as it would have to.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        world.assert_status(&job, JobStatus::Queued).await;
        workers::set_drained(db, false).await.unwrap();
        while !world.reread(&job).await.status.is_terminal() {
            tokio::task::yield_now().await;
        }
        drop(stop);
        task.await.unwrap();
        assert!(workers::alive(db).await.unwrap().is_empty(), "a worker that ends leaves the register");
    }
}
