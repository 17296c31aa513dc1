//! Whole workers: woken by the queue, stopped by a signal.

use std::{
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use entity::{status::JobStatus, store::jobs};
use futures_util::StreamExt;
use tokio::sync::oneshot;
use worker::{
    bus::Notice,
    executor::{Executor, Timing},
    pool,
    queue::Stats,
};

use crate::support::{World, canvas, endless_workload, engine_of};

/// A worker in a task of its own, and what stops it.
fn start(executor: Executor, grace: Duration) -> (oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(async move {
        let shutdown = async move { drop(stopped.await) };
        pool::run_executor(executor, 2, grace, shutdown).await.unwrap();
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
