//! What a `worker` process and the embedded mode start: handles to the stores, and a pool of slots that run jobs.

use std::{future::Future, time::Duration};

use entity::{
    DatabaseConnection,
    connect::{Way, connect_by},
    status::FailureCode,
    store::workers,
};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    adapter,
    bus::{Bus, BusError},
    cache::Cache,
    config::Config,
    error::StartError,
    executor::Executor,
    queue::{Clock, Queue, QueueError},
    reconcile,
    replica::Replica,
};

/// How long running jobs may take to finish when the process is asked to stop; then they go back to the queue. Supervisors
/// commonly kill a process ten seconds after they asked.
const GRACE: Duration = Duration::from_secs(8);
/// After so many leases without an answer a statement is given up: its job has long been another worker's.
const LEASES_OF_PATIENCE: u32 = 2;
/// Between two looks at what an operator wants.
const CONTROLS: Duration = Duration::from_secs(2);
/// Between two measurements of the queue.
const GAUGES: Duration = Duration::from_secs(5);

/// Handles to everything that is shared between processes; clones share them.
#[derive(Clone)]
pub struct Services {
    pub db: DatabaseConnection,
    pub queue: Queue,
    pub bus: Bus,
    /// Where queries read; none where there is the one database alone.
    pub replica: Option<Replica>,
    pub cache: Cache,
}

impl Services {
    /// Connects to the stores of the configuration. The schema is neither looked at nor migrated.
    pub async fn connect(config: &Config) -> Result<Self, StartError> {
        Self::connect_in(config, "simulator", Clock::default()).await
    }

    /// The same under a namespace of its own in Redis, and with a clock of its own for the queue.
    pub async fn connect_in(config: &Config, namespace: &str, clock: Clock) -> Result<Self, StartError> {
        let way = Way {
            max_connections: config.database_connections,
            statement_timeout: config.statement_timeout,
            transaction_pooler: config.transaction_pooler,
            patience: Some(config.job_lease * LEASES_OF_PATIENCE),
            sqlite_max_mb: config.sqlite_max_mb,
            replica: false,
        };
        let db = connect_by(&config.database_url, way).await?;
        let redis_url = config.redis_url.as_deref();
        let queue = Queue::connect_in(redis_url, namespace, &db, clock).await?;
        let bus = Bus::connect_in(redis_url, namespace).await?;
        let cache = Cache::connect_in(redis_url, namespace, &bus).await.map_err(BusError::from)?;
        Ok(Self { db, queue, bus, cache, replica: None })
    }

    /// With the replica of the configuration, for those who answer queries.
    pub async fn with_replica(self, config: &Config) -> Result<Self, StartError> {
        let replica = Replica::connect(config, &self.db).await?;
        Ok(Self { replica, ..self })
    }

    /// What a query of this user reads from: the replica where it shows all that they have done and been told.
    pub async fn for_query(&self, user_id: Option<Uuid>) -> Self {
        match &self.replica {
            Some(replica) => {
                Self { db: replica.reader(user_id).await.unwrap_or(&self.db).clone(), ..self.clone() }
            }
            None => self.clone(),
        }
    }

    /// From now on queries of this user show everything that is in the database at this moment.
    pub async fn seen_by(&self, user_id: Uuid) {
        if let Some(replica) = &self.replica {
            replica.seen_by(user_id, &self.db).await;
        }
    }
}

/// Runs jobs, and mends what others left broken, until `shutdown` is done. Then no job is claimed any more; those that run
/// have a while to finish and go back to the queue after it.
pub async fn run(
    services: Services,
    config: Config,
    shutdown: impl Future<Output = ()>,
) -> Result<(), StartError> {
    let executor = Executor::new(services, &config);
    run_executor(executor, config.worker_concurrency, GRACE, shutdown).await
}

/// [`run`] with an executor and a grace period of the caller's.
pub async fn run_executor(
    executor: Executor,
    concurrency: usize,
    grace: Duration,
    shutdown: impl Future<Output = ()>,
) -> Result<(), StartError> {
    // A rate of something that has not happened yet is 0, not unknown.
    metrics::counter!("simulation_runs_completed_total").increment(0);
    metrics::counter!("simulation_runs_failed_total", "code" => FailureCode::Internal.as_str()).increment(0);
    // Before the first claim: a worker that starts while all are drained is drained, too.
    look_at_controls(&executor).await;
    let (stop, stopping) = watch::channel(false);
    tracing::info!(worker = %executor.worker, concurrency, "the worker takes jobs");
    let shutdown = async {
        shutdown.await;
        tracing::info!("the worker takes no more jobs; those that run may finish");
        stop.send_replace(true);
        tokio::time::sleep(grace).await;
        tracing::warn!("jobs that still run go back to the queue");
        executor.hand_back();
        std::future::pending::<()>().await
    };
    let ended = tokio::select! {
        ended = adapter::run(executor.clone(), concurrency, stopping) => ended,
        () = shutdown => unreachable!("the shutdown ends in pending()"),
        () = reconcile::run(executor.clone()) => unreachable!("the reconciler has no end"),
        () = measure(&executor.services.queue) => unreachable!("the gauges have no end"),
        () = register(&executor, concurrency) => unreachable!("the register has no end"),
        () = obey(&executor) => unreachable!("an operator may change their mind"),
    };
    if let Err(error) = workers::remove(&executor.services.db, &executor.worker).await {
        tracing::warn!(%error, "the worker stays on the register until it is believed dead");
    }
    ended
}

/// Claims nothing while an operator wants the workers drained.
async fn obey(executor: &Executor) {
    loop {
        tokio::time::sleep(CONTROLS).await;
        look_at_controls(executor).await;
    }
}

async fn look_at_controls(executor: &Executor) {
    match workers::drained(&executor.services.db).await {
        Ok(drained) => executor.set_drained(drained),
        Err(error) => tracing::warn!(%error, "the database does not tell whether to drain"),
    }
}

/// Keeps the worker on the register.
async fn register(executor: &Executor, concurrency: usize) {
    let Executor { services, timing, .. } = executor;
    let count = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    loop {
        let busy = count(executor.busy());
        let told = workers::beat(&services.db, &executor.worker, count(concurrency), busy, timing.lease);
        if let Err(error) = told.await {
            tracing::warn!(%error, "the worker could not tell that it lives");
        }
        tokio::time::sleep(timing.heartbeat).await;
    }
}

/// Runs the jobs that wait, one after the other in this task, until none is left; how many there were. For tests.
pub async fn drain(services: &Services, config: &Config) -> Result<usize, QueueError> {
    Executor::new(services.clone(), config).drain().await
}

/// Keeps the gauges of the queue.
async fn measure(queue: &Queue) {
    loop {
        match queue.stats().await {
            Ok(stats) => {
                let lanes = [
                    ("premium", stats.premium),
                    ("standard", stats.standard),
                    ("background", stats.background),
                ];
                for (name, lane) in lanes {
                    metrics::gauge!("queue_waiting_jobs", "lane" => name).set(lane.waiting as f64);
                    metrics::gauge!("queue_oldest_wait_seconds", "lane" => name)
                        .set(lane.oldest_wait_ms as f64 / 1000.0);
                }
                metrics::gauge!("queue_resting_jobs").set(stats.resting as f64);
                metrics::gauge!("queue_held_jobs").set(stats.held as f64);
            }
            Err(error) => tracing::warn!(%error, "the queue was not measured"),
        }
        tokio::time::sleep(GAUGES).await;
    }
}
