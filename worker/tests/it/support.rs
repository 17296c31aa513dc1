//! Stores of their own for tests, and jobs to put into them.

use std::{sync::Arc, time::Duration};

use engine::{Control, Options, Plan, Report, SimulateError, Workload};
use entity::{
    design, design_version, job_log, simulation_job, simulation_run,
    status::{JobStatus, Priority, Role, Tier, Trace, Visibility},
    store::jobs::{self, NewJob},
    testing::TestDatabase,
    time, user, workload,
};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};
use serde_json::Value;
use uuid::Uuid;
use worker::{
    config::{Config, Environment},
    executor::{Engine, Executor, Timing},
    pool::Services,
    queue::{Clock, JobKind, Message, Queue},
};

pub fn redis_url() -> Option<String> {
    std::env::var("TEST_REDIS_URL").ok()
}

/// Forgets all that Redis holds under a namespace, as a restart without its file does.
pub async fn empty_redis(namespace: &str) {
    if redis_url().is_some() {
        for key in redis_keys(namespace).await {
            delete_key(&key).await;
        }
    }
}

pub async fn delete_key(key: &str) {
    let url = redis_url().expect("asked for a key of a Redis that is there");
    let mut connection = redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap();
    redis::cmd("DEL").arg(key).exec_async(&mut connection).await.unwrap();
}

pub async fn redis_keys(namespace: &str) -> Vec<String> {
    let url = redis_url().expect("asked for keys of a Redis that is there");
    let mut connection = redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap();
    redis::cmd("KEYS").arg(format!("{{{namespace}}}*")).query_async(&mut connection).await.unwrap()
}

/// A queue that nobody else uses, in a store of one kind.
pub struct TestQueue {
    pub queue: Queue,
    pub clock: Clock,
    pub namespace: String,
    /// `redis` or `sql`, for messages.
    pub kind: &'static str,
    pub database: TestDatabase,
}

impl TestQueue {
    pub async fn all() -> Vec<Self> {
        let mut queues = vec![Self::in_store(None, "sql").await];
        if let Some(url) = redis_url() {
            queues.push(Self::in_store(Some(&url), "redis").await);
        }
        queues
    }

    /// What the tables hold of entries and their users.
    pub async fn rows_of_entries(&self) -> Vec<String> {
        let tables = ["queue_entries", "queue_flows", "queue_buckets"];
        let rows = self.database.rows().await.into_iter();
        rows.filter(|(table, _)| tables.contains(&table.as_str())).map(|(_, row)| row).collect()
    }

    async fn in_store(url: Option<&str>, kind: &'static str) -> Self {
        let database = TestDatabase::sqlite().await;
        let namespace = format!("test-{}", Uuid::new_v4());
        let clock = Clock::default();
        let queue = Queue::connect_in(url, &namespace, &database.db, clock.clone()).await.unwrap();
        Self { queue, clock, namespace, kind, database }
    }
}

pub fn message(priority: Priority) -> Message {
    let (id, user_id) = (Uuid::now_v7(), Uuid::now_v7());
    Message { kind: JobKind::Simulation, id, user_id, priority, short: false, max_concurrent: 0 }
}

/// A job of this user.
pub fn message_of(user_id: Uuid, priority: Priority) -> Message {
    Message { user_id, ..message(priority) }
}

/// Everything a worker needs, of one mode: SQLite alone, or PostgreSQL with Redis.
pub struct World {
    pub services: Services,
    pub config: Config,
    pub clock: Clock,
    pub namespace: String,
    pub user_id: Uuid,
    design_id: Uuid,
    /// Closes after the services that use it.
    _database: TestDatabase,
}

impl World {
    pub async fn all() -> Vec<Self> {
        let mut worlds = vec![Self::of(TestDatabase::sqlite().await, None).await];
        if let (Some(database), Some(url)) = (TestDatabase::postgres().await, redis_url()) {
            worlds.push(Self::of(database, Some(url)).await);
        }
        worlds
    }

    async fn of(database: TestDatabase, redis_url: Option<String>) -> Self {
        let config = Config::read(&Environment::new(|name| match name {
            "DATABASE_URL" => Some(database.url.clone()),
            "REDIS_URL" => redis_url.clone(),
            // Jobs that a test did not make would be counted among its own.
            "MAINTENANCE_HOUR" => Some("off".into()),
            _ => None,
        }))
        .unwrap();
        let namespace = format!("test-{}", Uuid::new_v4());
        let clock = Clock::default();
        let services = Services::connect_in(&config, &namespace, clock.clone()).await.unwrap();
        let (user_id, design_id) = (Uuid::now_v7(), Uuid::now_v7());
        let now = time::now();
        let user = user::Model {
            id: user_id,
            handle: format!("user-{user_id}"),
            email: format!("{user_id}@example.com"),
            password_hash: String::new(),
            role: Role::User,
            tier: Tier::Premium,
            created_at: now,
            updated_at: now,
            deleted_at: None,
        };
        user.into_active_model().reset_all().insert(&services.db).await.unwrap();
        let design = design::Model {
            id: design_id,
            user_id: Some(user_id),
            name: "heap".into(),
            description: None,
            canvas_state: canvas(),
            visibility: Visibility::Private,
            version: 1,
            version_count: 1,
            forked_from_id: None,
            changed_by_id: Some(user_id),
            share_token: None,
            share_token_hash: None,
            created_at: now,
            updated_at: now,
            deleted_at: None,
        };
        design.into_active_model().reset_all().insert(&services.db).await.unwrap();
        Self { services, config, clock, namespace, user_id, design_id, _database: database }
    }

    /// Worker whose engine is the real one, in a rhythm that does not slow a test down.
    pub fn executor(&self) -> Executor {
        let timing = Timing {
            heartbeat: Duration::from_millis(20),
            progress: Duration::from_millis(5),
            ..Timing::default()
        };
        Executor::new(self.services.clone(), &self.config).with_timing(timing)
    }

    /// A job of this canvas and workload that nobody told the queue of; `change` has the last word.
    pub async fn job(
        &self,
        canvas: Value,
        workload: &Workload,
        change: impl FnOnce(&mut NewJob),
    ) -> simulation_job::Model {
        let db = &self.services.db;
        let now = time::now();
        let version = design_version::Model {
            id: Uuid::now_v7(),
            design_id: self.design_id,
            version_number: i32::from_ne_bytes(rand::random::<[u8; 4]>()),
            branch_id: None,
            parent_number: None,
            merged_number: None,
            canvas_state: canvas,
            commit_message: None,
            author_id: Some(self.user_id),
            created_at: now,
        };
        let version = version.into_active_model().reset_all().insert(db).await.unwrap();
        let workload = serde_json::to_value(workload).unwrap();
        let workload = workload::Model {
            id: Uuid::now_v7(),
            user_id: Some(self.user_id),
            slug: None,
            name: "load".into(),
            description: None,
            operations: workload["operations"].clone(),
            tables: workload["tables"].clone(),
            config: workload["config"].clone(),
            variables: None,
            content_changed_at: None,
            is_template: false,
            created_at: now,
            updated_at: now,
            deleted_at: None,
        };
        let workload = workload.into_active_model().reset_all().insert(db).await.unwrap();
        let mut new = NewJob {
            user_id: self.user_id,
            design_id: self.design_id,
            design_version_id: version.id,
            workload_id: workload.id,
            priority: Priority::High,
            seed: -7,
            trace: Trace::Sampled,
            max_events: 1_000,
            allow_sampling: false,
            timeout_seconds: 60,
            memory_limit_bytes: 1 << 30,
            max_concurrent_jobs: 1_000,
            total_operations: 1_000,
            input_hash: None,
            request_id: Some("request-1".into()),
        };
        change(&mut new);
        jobs::insert(db, new).await.unwrap()
    }

    /// A job that waits in the queue.
    pub async fn queued(&self) -> simulation_job::Model {
        let job = self.job(canvas(), &small_workload(), |_| {}).await;
        self.enqueue(&job).await;
        job
    }

    pub async fn enqueue(&self, job: &simulation_job::Model) {
        self.services.queue.enqueue(&Message::simulation(job)).await.unwrap();
    }

    pub async fn reread(&self, job: &simulation_job::Model) -> simulation_job::Model {
        jobs::find(&self.services.db, job.id).await.unwrap().expect("the job is there")
    }

    pub async fn runs(&self, job: &simulation_job::Model) -> Vec<simulation_run::Model> {
        simulation_run::Entity::find()
            .filter(simulation_run::Column::JobId.eq(job.id))
            .all(&self.services.db)
            .await
            .unwrap()
    }

    pub async fn log(&self, job: &simulation_job::Model) -> Vec<job_log::Model> {
        jobs::logs(&self.services.db, job.id, 0, 100).await.unwrap()
    }

    /// Nothing waits, rests or is held.
    pub async fn assert_queue_empty(&self) {
        let stats = self.services.queue.stats().await.unwrap();
        assert_eq!(stats, worker::queue::Stats::default());
    }

    pub async fn assert_status(&self, job: &simulation_job::Model, status: JobStatus) {
        let job = self.reread(job).await;
        assert_eq!(job.status, status, "{:?}", job.failure_message);
    }
}

pub fn canvas() -> Value {
    let template = engine::templates::designs().iter().find(|design| design.slug == "heap-btree");
    template.expect("a template of this slug").canvas()
}

/// A thousand operations: milliseconds of work.
pub fn small_workload() -> Workload {
    workload_of(1_000)
}

/// More operations than any test waits for.
pub fn endless_workload() -> Workload {
    workload_of(1_000_000_000)
}

fn workload_of(operations: u64) -> Workload {
    let template = engine::templates::workloads().iter().find(|workload| workload.slug == "ycsb-a");
    let mut workload = template.expect("a template of this slug").workload();
    workload.config.total_operations = operations;
    workload.config.record_count = 1_000;
    workload
}

/// An engine that runs `run` in place of a simulation.
pub fn engine_of(
    run: impl Fn(&Options, &Control) -> Result<Report, SimulateError> + Send + Sync + 'static,
) -> Engine {
    Arc::new(move |_: &Plan, _: &Workload, options: &Options, control: &Control| run(options, control))
}
