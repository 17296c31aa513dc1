//! The rows are the truth: what the queue lost, or never heard of, comes back from them.

use std::time::Duration;

use entity::{
    status::JobStatus,
    store::attempts::{self, Requeue},
};
use worker::reconcile::Reconciler;

use crate::support::{World, canvas, empty_redis, engine_of, small_workload};

#[tokio::test]
async fn a_row_that_never_reached_the_queue_is_queued() {
    for world in &World::all().await {
        let executor = world.executor();
        let job = world.job(canvas(), &small_workload(), |_| {}).await;
        assert_eq!(executor.drain().await.unwrap(), 0);
        let mut reconciler = Reconciler::new(executor.clone());
        assert_eq!(reconciler.look().await.unwrap(), 1);
        assert_eq!(reconciler.look().await.unwrap(), 0, "once is enough");
        assert_eq!(executor.drain().await.unwrap(), 1);
        world.assert_status(&job, JobStatus::Completed).await;
        assert_eq!(reconciler.look().await.unwrap(), 0, "what is done is left alone");
        world.assert_queue_empty().await;
    }
}

#[tokio::test]
async fn a_queue_that_forgot_everything_is_told_again() {
    for world in &World::all().await {
        let executor = world.executor();
        // More than a page of rows, and one that a worker held.
        let mut waiting = Vec::new();
        for _ in 0..600 {
            waiting.push(world.job(canvas(), &small_workload(), |_| {}).await);
        }
        let held = &waiting[0];
        let mut reconciler = Reconciler::new(executor.clone());
        assert_eq!(reconciler.look().await.unwrap(), 600);
        let delivery = executor.claim(1).await.unwrap()[0];
        assert_eq!(delivery.id, held.id, "the oldest row comes first");
        attempts::claim(&world.services.db, held.id, "lost", Duration::ZERO).await.unwrap();

        empty_redis(&world.namespace).await;
        if world.config.redis_url.is_none() {
            use sea_orm::ConnectionTrait;
            world.services.db.execute_unprepared("DELETE FROM queue_entries").await.unwrap();
        }
        // The lost worker's job counts as taken back; its row waits again, and the queue knows it by then.
        assert_eq!(reconciler.look().await.unwrap(), 600);
        assert_eq!(world.services.queue.stats().await.unwrap().premium.waiting, 600);
        assert_eq!(world.reread(held).await.workers_lost, 1);
    }
}

#[tokio::test]
async fn a_lost_workers_job_is_run_again_by_whoever_claims_it() {
    for world in &World::all().await {
        let executor = world.executor();
        let job = world.queued().await;
        // A worker dies with the entry in its hands.
        executor.claim(1).await.unwrap();
        attempts::claim(&world.services.db, job.id, "lost", Duration::ZERO).await.unwrap();
        assert_eq!(executor.drain().await.unwrap(), 0, "the lease is good until it ends");
        world.clock.advance(Duration::from_secs(31));
        executor.drain().await.unwrap();
        let job = world.reread(&job).await;
        assert_eq!((job.status, job.attempt, job.workers_lost), (JobStatus::Completed, 2, 1));
        assert_eq!(world.runs(&job).await.len(), 1);
        world.assert_queue_empty().await;
    }
}

#[tokio::test]
async fn a_job_that_runs_elsewhere_is_left_to_its_worker() {
    for world in &World::all().await {
        let executor = world.executor().with_engine(engine_of(|_, _| unreachable!("it runs elsewhere")));
        let job = world.queued().await;
        let lease = Duration::from_secs(30);
        attempts::claim(&world.services.db, job.id, "elsewhere", lease).await.unwrap();
        // Its entry came a second time, as after a Redis that lost its data.
        executor.drain().await.unwrap();
        assert_eq!(world.services.queue.stats().await.unwrap().resting, 1);
        let running = world.reread(&job).await;
        assert_eq!((running.status, running.attempt), (JobStatus::Running, 1));
        let requeued = attempts::requeue(&world.services.db, job.id, 1, Requeue::WorkerLost).await.unwrap();
        assert_eq!(requeued, None, "its lease is good");
    }
}
