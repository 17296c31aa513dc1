//! Once a night, whoever does it, what has had its time goes.

use chrono::{DateTime, Duration, Utc};
use entity::{
    background_job, idempotency_key,
    status::JobStatus,
    store::{idempotency, workers},
};
use sea_orm::{ActiveValue::Set, EntityTrait, IntoActiveModel};
use uuid::Uuid;
use worker::{executor::Executor, reconcile::Reconciler};

use crate::support::World;

#[tokio::test]
async fn each_night_has_one_job_that_removes_what_has_had_its_time_and_nothing_else() {
    for world in &World::all().await {
        let mut config = world.config.clone();
        config.maintenance_hour = Some(3);
        let executor = Executor::new(world.services.clone(), &config);
        let db = &world.services.db;
        for (key, age) in [("young", Duration::hours(23)), ("old", Duration::hours(25))] {
            idempotency::remember(db, world.user_id, "m", key, "hash", Uuid::now_v7()).await.unwrap();
            let id = (world.user_id, "m".to_owned(), key.to_owned());
            let mut row =
                idempotency_key::Entity::find_by_id(id).one(db).await.unwrap().unwrap().into_active_model();
            row.created_at = Set(Utc::now() - age);
            idempotency_key::Entity::update(row).exec(db).await.unwrap();
        }

        let evening: DateTime<Utc> = "2026-03-01T22:00:00Z".parse().unwrap();
        // Two workers, each of which looks again and again, and one that was just started.
        let mut workers = [Reconciler::new(executor.clone()), Reconciler::new(executor.clone())];
        for worker in &mut workers {
            worker.plan_night(evening).await.unwrap();
            worker.plan_night(evening).await.unwrap();
        }
        Reconciler::new(executor.clone()).plan_night(evening).await.unwrap();
        assert_eq!(workers[0].look().await.unwrap(), 1);
        assert_eq!(executor.drain().await.unwrap(), 1);
        let jobs = background_job::Entity::find().all(db).await.unwrap();
        assert_eq!(jobs.len(), 1);
        assert_eq!((jobs[0].status, jobs[0].progress), (JobStatus::Completed, 1.0));
        assert_eq!(jobs[0].result.as_ref().unwrap()["idempotency_keys"], 1);
        let keys = idempotency_key::Entity::find().all(db).await.unwrap();
        assert_eq!(keys.iter().map(|key| key.key.as_str()).collect::<Vec<_>>(), ["young"]);

        workers[1].plan_night(evening + Duration::hours(5)).await.unwrap();
        assert_eq!(workers[1].look().await.unwrap(), 1, "the next night is another job");
        assert_eq!(executor.drain().await.unwrap(), 1);
        world.assert_queue_empty().await;
    }
}

#[tokio::test]
async fn a_worker_is_on_the_register_while_it_tells_of_itself() {
    for world in &World::all().await {
        let db = &world.services.db;
        let lease = std::time::Duration::from_secs(30);
        workers::beat(db, "b", 4, 1, lease).await.unwrap();
        workers::beat(db, "a", 2, 0, lease).await.unwrap();
        workers::beat(db, "silent", 2, 0, std::time::Duration::ZERO).await.unwrap();
        workers::beat(db, "b", 4, 3, lease).await.unwrap();
        let told = async || -> Vec<(String, i32)> {
            workers::alive(db).await.unwrap().into_iter().map(|one| (one.name, one.busy_slots)).collect()
        };
        assert_eq!(told().await, [("a".to_owned(), 0), ("b".to_owned(), 3)]);
        workers::remove(db, "a").await.unwrap();
        assert_eq!(told().await, [("b".to_owned(), 3)]);
    }
}
