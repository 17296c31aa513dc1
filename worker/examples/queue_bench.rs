//! The parts of `bench/queue.sh` that measure this queue. Each prints one line of JSON.
//!
//! usage: `queue_bench store JOBS CONCURRENCY BATCH` | `queue_bench full JOBS CONCURRENCY` | `queue_bench latency JOBS` |
//! `queue_bench backlog JOBS`; `TEST_DATABASE_URL` and `TEST_REDIS_URL` name servers that it may use, the latter for itself alone.

#![allow(clippy::unwrap_used, reason = "what cannot be unwrapped ends the measurement")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use entity::{
    DatabaseConnection, design_version,
    status::{JobStatus, Priority, Tier, Trace, Visibility},
    store::{
        self,
        design_access::ShareLink,
        designs::{self, NewDesign},
        jobs::{self, NewJob},
        users::{self, NewUser},
        workloads::{self, NewWorkload, WorkloadContent},
    },
    testing::TestDatabase,
};
use futures_util::{StreamExt, future::join_all, stream};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use uuid::Uuid;
use worker::{
    config::{Config, Environment},
    executor::Executor,
    pool::{self, Services},
    queue::{Clock, JobKind, Message, Queue},
};

const LEASE: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments[at].parse().unwrap();
    let measured = match arguments[0].as_str() {
        "store" => store_alone(number(1), number(2), number(3)).await,
        "full" => full(number(1), number(2)).await,
        "latency" => latency(number(1)).await,
        "backlog" => json!([in_redis(number(1)).await, in_sqlite(number(1)).await]),
        other => panic!("unknown: {other}"),
    };
    println!("{measured}");
}

fn redis_url() -> String {
    std::env::var("TEST_REDIS_URL").unwrap()
}

/// A queue in Redis that nobody has used.
async fn redis_queue(db: &DatabaseConnection) -> Queue {
    let namespace = format!("bench-{}", Uuid::new_v4());
    Queue::connect_in(Some(&redis_url()), &namespace, db, Clock::default()).await.unwrap()
}

async fn database() -> TestDatabase {
    TestDatabase::postgres().await.expect("TEST_DATABASE_URL is set")
}

/// So many jobs of so many users; every other is short, and all have the limit of the larger plan.
fn messages(jobs: usize, of_users: usize) -> Vec<Message> {
    let users: Vec<Uuid> = (0..of_users).map(|_| Uuid::now_v7()).collect();
    let message = |at: usize| Message {
        kind: JobKind::Simulation,
        id: Uuid::now_v7(),
        user_id: users[at % of_users],
        priority: Priority::High,
        short: at.is_multiple_of(2),
        max_concurrent: 8,
    };
    (0..jobs).map(message).collect()
}

/// Jobs from enqueue to ack through the store, while they are enqueued, `batch` at a time by 32 producers if one by one.
async fn store_alone(jobs: usize, concurrency: usize, batch: usize) -> Value {
    let database = database().await;
    let queue = redis_queue(&database.db).await;
    let messages = messages(jobs, 100);
    let acked = AtomicUsize::new(0);
    let began = Instant::now();
    let produce = stream::iter(messages.chunks(batch))
        .map(|messages| queue.enqueue_many(messages))
        .buffer_unordered(if batch == 1 { 32 } else { 1 })
        .for_each(|enqueued| async { enqueued.unwrap() });
    let consume = async {
        let mut wakeups = queue.wakeups();
        while acked.load(Ordering::Relaxed) < jobs {
            wakeups.borrow_and_update();
            let claimed = queue.claim("bench", LEASE, concurrency).await.unwrap();
            if claimed.is_empty() {
                let _ = tokio::time::timeout(Duration::from_millis(100), wakeups.changed()).await;
            }
            for held in join_all(claimed.iter().map(|delivery| queue.ack(delivery))).await {
                assert!(held.unwrap());
                acked.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    tokio::join!(produce, consume);
    let seconds = began.elapsed().as_secs_f64();
    json!({ "jobs_per_s": (jobs as f64 / seconds).round() })
}

/// Users with a design and a workload that is as small as there are.
struct Rows {
    database: TestDatabase,
    config: Config,
    templates: Vec<NewJob>,
}

impl Rows {
    async fn new() -> Self {
        let database = database().await;
        let config = Config::read(&Environment::new(|name| match name {
            "DATABASE_URL" => Some(database.url.clone()),
            "REDIS_URL" => Some(redis_url()),
            _ => None,
        }))
        .unwrap();
        let mut templates = Vec::new();
        for _ in 0..8 {
            templates.push(Self::user(&database.db).await);
        }
        Self { database, config, templates }
    }

    async fn user(db: &DatabaseConnection) -> NewJob {
        let name = Uuid::new_v4().to_string();
        let user = NewUser {
            handle: format!("bench-{name}"),
            email: format!("{name}@example.org"),
            password_hash: String::new(),
            tier: Tier::Premium,
        };
        let user_id = users::insert(db, user).await.unwrap().id;
        let canvas = engine::templates::designs().iter().find(|design| design.slug == "heap-btree").unwrap();
        let design = NewDesign {
            user_id,
            name: "bench".into(),
            description: None,
            canvas_state: canvas.canvas(),
            visibility: Visibility::Private,
            share_link: ShareLink { token: name.clone(), hash: name },
            forked_from_id: None,
        };
        let transaction = store::begin(db).await.unwrap();
        let design_id = designs::insert(&transaction, design).await.unwrap().id;
        transaction.commit().await.unwrap();
        let version = design_version::Entity::find().filter(design_version::Column::DesignId.eq(design_id));
        let template =
            engine::templates::workloads().iter().find(|workload| workload.slug == "ycsb-a").unwrap();
        let mut workload = template.workload();
        (workload.config.total_operations, workload.config.record_count) = (1, 1);
        let workload = serde_json::to_value(workload).unwrap();
        let content = WorkloadContent {
            operations: workload["operations"].clone(),
            tables: workload["tables"].clone(),
            config: workload["config"].clone(),
        };
        let workload =
            NewWorkload { user_id, name: "bench".into(), description: None, content, variables: None };
        NewJob {
            user_id,
            design_id,
            design_version_id: version.one(db).await.unwrap().unwrap().id,
            workload_id: workloads::insert(db, workload).await.unwrap().id,
            priority: Priority::High,
            seed: 1,
            trace: Trace::None,
            max_events: 0,
            allow_sampling: false,
            timeout_seconds: 60,
            memory_limit_bytes: 1 << 28,
            max_concurrent_jobs: 1_000,
            total_operations: 1,
            request_id: None,
            input_hash: None,
        }
    }

    /// A row that the queue does not know yet.
    async fn job(&self, at: usize) -> Message {
        let new = self.templates[at % self.templates.len()].clone();
        Message::simulation(&jobs::insert(&self.database.db, new).await.unwrap())
    }

    async fn services(&self) -> Services {
        let namespace = format!("bench-{}", Uuid::new_v4());
        Services::connect_in(&self.config, &namespace, Clock::default()).await.unwrap()
    }
}

/// The smallest simulations, each with its rows: submitted, claimed, run, and committed.
async fn full(jobs: usize, concurrency: usize) -> Value {
    let rows = Rows::new().await;
    let services = rows.services().await;
    let executor = Executor::new(services.clone(), &rows.config);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let worker = tokio::spawn(async move {
        pool::run_executor(executor, concurrency, LEASE, async move { drop(stopped.await) }).await.unwrap();
    });
    let began = Instant::now();
    let ids: Vec<Uuid> = stream::iter(0..jobs)
        .map(async |at| {
            let message = rows.job(at).await;
            services.queue.enqueue(&message).await.unwrap();
            message.id
        })
        .buffer_unordered(8)
        .collect()
        .await;
    let submitted = began.elapsed().as_secs_f64();
    while services.queue.stats().await.unwrap() != worker::queue::Stats::default() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let seconds = began.elapsed().as_secs_f64();
    for ids in ids.chunks(500) {
        for job in jobs::find_many(&rows.database.db, ids).await.unwrap() {
            assert_eq!(job.status, JobStatus::Completed, "{:?}", job.failure_message);
        }
    }
    drop(stop);
    worker.await.unwrap();
    json!({
        "jobs_per_s": (jobs as f64 / seconds).round(),
        "submitted_per_s": (jobs as f64 / submitted).round(),
    })
}

/// From enqueue to the hands of an idle worker that slept, and from there through the row to the engine's first step.
async fn latency(jobs: usize) -> Value {
    let database = database().await;
    let queue = redis_queue(&database.db).await;
    let (claimed, mut has_claimed) = mpsc::unbounded_channel();
    let worker = tokio::spawn({
        let queue = queue.clone();
        async move {
            let mut wakeups = queue.wakeups();
            loop {
                wakeups.borrow_and_update();
                for delivery in queue.claim("bench", LEASE, 1).await.unwrap() {
                    claimed.send(Instant::now()).unwrap();
                    queue.ack(&delivery).await.unwrap();
                }
                let _ = tokio::time::timeout(Duration::from_secs(1), wakeups.changed()).await;
            }
        }
    });
    let mut to_claim = Vec::new();
    for message in messages(jobs, 10) {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let began = Instant::now();
        queue.enqueue(&message).await.unwrap();
        to_claim.push(has_claimed.recv().await.unwrap() - began);
    }
    worker.abort();

    let rows = Rows::new().await;
    let services = rows.services().await;
    let (started, mut has_started) = mpsc::unbounded_channel();
    let engine = Arc::new(
        move |plan: &engine::Plan,
              workload: &engine::Workload,
              options: &engine::Options,
              control: &engine::Control| {
            started.send(Instant::now()).unwrap();
            engine::simulate(plan, workload, options, control)
        },
    );
    let executor = Executor::new(services.clone(), &rows.config).with_engine(engine);
    let worker = tokio::spawn(async move {
        pool::run_executor(executor, 2, LEASE, std::future::pending()).await.unwrap();
    });
    let mut to_engine = Vec::new();
    for at in 0..jobs {
        let message = rows.job(at).await;
        // Until the one before has been committed, and the worker sleeps again.
        while services.queue.stats().await.unwrap() != worker::queue::Stats::default() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        let began = Instant::now();
        services.queue.enqueue(&message).await.unwrap();
        to_engine.push(has_started.recv().await.unwrap() - began);
    }
    worker.abort();
    json!({ "to_claim_ms": percentiles(to_claim), "to_engine_ms": percentiles(to_engine) })
}

fn percentiles(mut times: Vec<Duration>) -> Value {
    times.sort_unstable();
    let at = |share: usize| (times[times.len() * share / 100].as_secs_f64() * 1e5).round() / 100.0;
    json!({ "p50": at(50), "p99": at(99) })
}

/// What a claim costs behind so many jobs, and a look at the places of the first and the last of them.
async fn behind(queue: &Queue, waiting: &[Message]) -> Value {
    let mut claims = Vec::new();
    for _ in 0..1_000 {
        let began = Instant::now();
        let claimed = queue.claim("bench", LEASE, 1).await.unwrap();
        claims.push(began.elapsed());
        queue.ack(&claimed[0]).await.unwrap();
    }
    let mut places = Vec::new();
    for message in waiting[waiting.len() - 100..].iter() {
        let began = Instant::now();
        queue.position(message.id).await.unwrap().unwrap();
        places.push(began.elapsed());
    }
    json!({ "claim_ms": percentiles(claims), "position_of_last_ms": percentiles(places) })
}

async fn enqueue_all(queue: &Queue, messages: &[Message]) {
    for messages in messages.chunks(1_000) {
        queue.enqueue_many(messages).await.unwrap();
    }
}

async fn used_memory() -> f64 {
    let client = redis::Client::open(redis_url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let info: String = redis::cmd("INFO").arg("memory").query_async(&mut connection).await.unwrap();
    let line = info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
    line.trim().parse().unwrap()
}

async fn in_redis(jobs: usize) -> Value {
    let database = database().await;
    let mut measured = json!({ "store": "redis" });
    for (name, jobs) in [("at_2000", 2_000), ("at_most", jobs)] {
        let queue = redis_queue(&database.db).await;
        let messages = messages(jobs, jobs / 100);
        let before = used_memory().await;
        let began = Instant::now();
        enqueue_all(&queue, &messages).await;
        let enqueue_s = began.elapsed().as_secs_f64();
        let bytes = (used_memory().await - before) / jobs as f64;
        measured[name] = behind(&queue, &messages).await;
        measured[name]["jobs"] = json!(jobs);
        measured[name]["bytes_a_job"] = json!(bytes.round());
        measured[name]["enqueued_per_s"] = json!((jobs as f64 / enqueue_s).round());
    }
    measured
}

async fn in_sqlite(jobs: usize) -> Value {
    let mut measured = json!({ "store": "sqlite" });
    for (name, jobs) in [("at_2000", 2_000), ("at_most", jobs)] {
        let database = TestDatabase::sqlite().await;
        let queue = Queue::connect_in(None, "bench", &database.db, Clock::default()).await.unwrap();
        let messages = messages(jobs, jobs / 100);
        enqueue_all(&queue, &messages).await;
        measured[name] = behind(&queue, &messages).await;
        measured[name]["jobs"] = json!(jobs);
    }
    measured
}
