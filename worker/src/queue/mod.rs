//! The job queue: three lanes, leases, and a wake-up for idle workers, in Redis or in a table of the embedded database.
//!
//! An entry is an id and little more: the job's row is the truth, the queue only says who works on what and in which order.
//! Both stores keep the same promises. What one user has waiting in one lane is a flow: first in, first out. Inside a lane the
//! flows take turns: the one with the least turn is served and goes to the end, so that one user's thousand jobs do not hold
//! up another's first. Lanes are served in strict priority, except that a flow whose first entry has waited long enough gets,
//! from its old turn on, a turn among the premium flows too, so that nothing starves; its lane gives that to whoever is
//! next in the lane. A flow is passed over while its user runs as much as its first entry allows, and keeps its turn
//! meanwhile. Whoever asks for short jobs alone is served in the same order, as if there were no others.
//!
//! A claim holds its entry for the length of a lease by the server's clock. An entry that comes back, from a worker that
//! was lost or gave it back, returns to its old place in its flow, and the flow to the turn at which the entry was claimed. Every
//! claim counts an attempt, and that number is the key to the entry: a worker that lost its claim can no longer touch it.
//!
//! What a claim costs does not grow with the number of jobs, and hardly with that of users: everything is found in order.

mod batch;
mod redis;
mod sql;

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use entity::{
    DatabaseConnection, StoreError, background_job, simulation_job,
    status::Priority,
    store::background::{MAINTENANCE, USER_DATA_EXPORT},
};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use uuid::Uuid;

use crate::config::Config;

/// A standard entry that has waited this long is served as premium.
pub const STANDARD_AGE: Duration = Duration::from_secs(60);
/// A background entry that has waited this long is served as premium.
pub const BACKGROUND_AGE: Duration = Duration::from_secs(600);
/// Entries that one claim takes back from rest, and from lost workers, and flows that it finds to have aged, at most.
const PROMOTION_LIMIT: u32 = 500;
/// Entries that are enqueued in one step of the store, which nobody can interrupt.
const ENQUEUED_AT_ONCE: usize = 1_000;
const PAYLOAD_VERSION: u32 = 1;
/// A simulation of fewer operations counts as short.
const SHORT_OPERATIONS: i64 = 10_000;

/// What is to be done with the row of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    Simulation,
    UserDataExport,
    Maintenance,
}

impl JobKind {
    /// What the kind of a background job's row names; none when this version does not know it.
    pub(crate) fn of(kind: &str) -> Option<Self> {
        match kind {
            USER_DATA_EXPORT => Some(Self::UserDataExport),
            MAINTENANCE => Some(Self::Maintenance),
            _ => None,
        }
    }
}

/// A job to queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    pub kind: JobKind,
    pub id: Uuid,
    pub user_id: Uuid,
    pub priority: Priority,
    /// Estimated to take little time.
    pub short: bool,
    /// The job waits while its user has so many jobs with such a limit running; 0 is no limit.
    pub max_concurrent: u32,
}

impl Message {
    /// The entry of a simulation job.
    pub fn simulation(job: &simulation_job::Model) -> Self {
        Self {
            kind: JobKind::Simulation,
            id: job.id,
            user_id: job.user_id,
            priority: job.priority,
            short: job.total_operations < SHORT_OPERATIONS,
            max_concurrent: job.max_concurrent_jobs.unsigned_abs(),
        }
    }

    /// The entry of a background job of this kind.
    pub fn background(kind: JobKind, job: &background_job::Model) -> Self {
        Self {
            kind,
            id: job.id,
            user_id: job.user_id.unwrap_or_default(),
            priority: job.priority,
            short: false,
            max_concurrent: 0,
        }
    }

    fn payload(&self) -> String {
        serde_json::json!(Payload { v: PAYLOAD_VERSION, kind: self.kind }).to_string()
    }
}

/// An entry in the hands of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Delivery {
    pub id: Uuid,
    pub kind: JobKind,
    /// How often the entry has been claimed, this time included. The claim is good while this number is the entry's.
    pub attempts: i64,
}

/// One lane's backlog.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneStats {
    pub waiting: u64,
    /// How long the entry at the head has waited.
    pub oldest_wait_ms: u64,
}

/// The queue at a glance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub premium: LaneStats,
    pub standard: LaneStats,
    pub background: LaneStats,
    /// Entries that rest until they are tried again.
    pub resting: u64,
    /// Entries in the hands of workers.
    pub held: u64,
}

/// A failure of the queue's store. Its text is for logs.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    #[error("the queue's Redis: {0}")]
    Redis(#[from] ::redis::RedisError),
    #[error("the queue's table: {0}")]
    Store(#[from] StoreError),
    #[error("the queue's store did not answer in time")]
    Timeout,
}

impl From<sea_orm::DbErr> for QueueError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Store(error.into())
    }
}

/// The server's time, or, in tests, that much ahead of it.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    ahead_ms: Arc<AtomicI64>,
}

impl Clock {
    /// Lets time pass for every queue that shares this clock.
    pub fn advance(&self, by: Duration) {
        self.ahead_ms.fetch_add(by.as_millis() as i64, Ordering::SeqCst);
    }

    fn ahead_ms(&self) -> i64 {
        self.ahead_ms.load(Ordering::SeqCst)
    }
}

/// A handle to the queue; clones share it.
#[derive(Clone)]
pub struct Queue {
    store: Store,
}

#[derive(Clone)]
enum Store {
    Redis(Arc<redis::Store>),
    Sql(sql::Store),
}

/// Which jobs a claim is for.
#[derive(Clone, Copy, Debug)]
enum Jobs {
    All,
    Short,
}

/// What a store hands out: nothing in it has been checked.
struct RawClaim {
    id: Vec<u8>,
    attempts: i64,
    payload: Vec<u8>,
}

/// What an entry says of its job. The id is the entry's own and is not repeated.
#[derive(Serialize, Deserialize)]
struct Payload {
    v: u32,
    kind: JobKind,
}

impl RawClaim {
    /// None when this version cannot read it.
    fn delivery(&self) -> Option<Delivery> {
        let id = Uuid::try_parse_ascii(&self.id).ok()?;
        let payload: Payload = serde_json::from_slice(&self.payload).ok()?;
        let known = payload.v == PAYLOAD_VERSION;
        known.then_some(Delivery { id, kind: payload.kind, attempts: self.attempts })
    }
}

/// Calls the method of the store that is inside.
macro_rules! on_store {
    ($queue:expr, $method:ident($($argument:expr),*)) => {
        match &$queue.store {
            Store::Redis(store) => store.$method($($argument),*).await,
            Store::Sql(store) => store.$method($($argument),*).await,
        }
    };
}

impl Queue {
    /// The queue of this configuration: in Redis where there is one, else in `db`.
    pub async fn connect(config: &Config, db: &DatabaseConnection) -> Result<Self, QueueError> {
        Self::connect_in(config.redis_url.as_deref(), "simulator", db, Clock::default()).await
    }

    /// The queue under a namespace of its own (on Redis) with a clock of its own.
    pub async fn connect_in(
        redis_url: Option<&str>,
        namespace: &str,
        db: &DatabaseConnection,
        clock: Clock,
    ) -> Result<Self, QueueError> {
        let store = match redis_url {
            Some(url) => Store::Redis(Arc::new(redis::Store::connect(url, namespace, clock).await?)),
            None => Store::Sql(sql::Store::new(db.clone(), clock)),
        };
        Ok(Self { store })
    }

    /// Puts a job at the end of its flow and wakes a worker. Does nothing when the queue knows the id.
    pub async fn enqueue(&self, message: &Message) -> Result<(), QueueError> {
        self.enqueue_many(std::slice::from_ref(message)).await
    }

    /// [`enqueue`](Self::enqueue) for many, in one round trip for each thousand.
    pub async fn enqueue_many(&self, messages: &[Message]) -> Result<(), QueueError> {
        for messages in messages.chunks(ENQUEUED_AT_ONCE) {
            on_store!(self, enqueue(messages))?;
        }
        Ok(())
    }

    /// Takes a job off the queue. True: it was waiting and will never be claimed.
    pub async fn cancel(&self, id: Uuid) -> Result<bool, QueueError> {
        on_store!(self, cancel(id))
    }

    /// The job's place, from 1, in the order in which its lane would now be served, users taking turns; none unless it waits in
    /// a lane. Jobs that wait for others of their user come after all that can run.
    pub async fn position(&self, id: Uuid) -> Result<Option<u32>, QueueError> {
        on_store!(self, position(id))
    }

    pub async fn stats(&self) -> Result<Stats, QueueError> {
        on_store!(self, stats())
    }

    /// Whether the store answers, within two seconds.
    pub async fn ping(&self) -> Result<(), QueueError> {
        let answer = async { on_store!(self, ping()) };
        tokio::time::timeout(Duration::from_secs(2), answer).await.map_err(|_| QueueError::Timeout)?
    }

    /// Which of these ids the queue does not know.
    pub async fn unknown(&self, ids: &[Uuid]) -> Result<Vec<Uuid>, QueueError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        on_store!(self, unknown(ids))
    }

    /// Claims up to `count` jobs in the order of service, each for the length of `lease`. Entries that cannot be read are
    /// dropped with a line in the log.
    pub async fn claim(
        &self,
        worker: &str,
        lease: Duration,
        count: usize,
    ) -> Result<Vec<Delivery>, QueueError> {
        self.claim_of(Jobs::All, worker, lease, count).await
    }

    /// [`claim`](Self::claim) as if only short jobs waited.
    pub async fn claim_short(
        &self,
        worker: &str,
        lease: Duration,
        count: usize,
    ) -> Result<Vec<Delivery>, QueueError> {
        self.claim_of(Jobs::Short, worker, lease, count).await
    }

    async fn claim_of(
        &self,
        jobs: Jobs,
        worker: &str,
        lease: Duration,
        count: usize,
    ) -> Result<Vec<Delivery>, QueueError> {
        let mut deliveries = Vec::new();
        loop {
            let raw: Vec<RawClaim> = on_store!(self, claim(worker, lease, count - deliveries.len(), jobs))?;
            let nothing_left = raw.len() < count - deliveries.len();
            for claim in raw {
                let Some(delivery) = claim.delivery() else {
                    tracing::error!(
                        id = %String::from_utf8_lossy(&claim.id),
                        payload = %String::from_utf8_lossy(&claim.payload),
                        "dropped a queue entry that cannot be read"
                    );
                    on_store!(self, ack(&claim.id, claim.attempts))?;
                    continue;
                };
                deliveries.push(delivery);
            }
            if nothing_left || deliveries.len() == count {
                return Ok(deliveries);
            }
        }
    }

    /// Extends the lease of a claim. False: the claim is lost.
    pub async fn heartbeat(&self, delivery: &Delivery, lease: Duration) -> Result<bool, QueueError> {
        on_store!(self, heartbeat(delivery.id.to_string().as_bytes(), delivery.attempts, lease))
    }

    /// Forgets a job that is done. False: the claim was lost, and the entry is somebody else's.
    pub async fn ack(&self, delivery: &Delivery) -> Result<bool, QueueError> {
        on_store!(self, ack(delivery.id.to_string().as_bytes(), delivery.attempts))
    }

    /// Gives a job back, to be claimed again after `delay`, or at once when that is zero, from its old place.
    /// False: the claim was lost.
    pub async fn retry(&self, delivery: &Delivery, delay: Duration) -> Result<bool, QueueError> {
        on_store!(self, retry(delivery.id.to_string().as_bytes(), delivery.attempts, delay))
    }

    /// Changes whenever there may be something to claim, except for the passing of time: a sleeper also looks now and then.
    pub fn wakeups(&self) -> watch::Receiver<()> {
        match &self.store {
            Store::Redis(store) => store.wakeups(),
            Store::Sql(store) => store.wakeups(),
        }
    }
}

/// The number of a lane, in the order of service.
fn lane(priority: Priority) -> i64 {
    match priority {
        Priority::High => 0,
        Priority::Normal => 1,
        Priority::Low => 2,
    }
}

/// Reads the eight numbers that both stores count: (waiting, oldest) of each lane, resting, held.
fn stats_of(numbers: [u64; 8]) -> Stats {
    let lane = |at: usize| LaneStats { waiting: numbers[at], oldest_wait_ms: numbers[at + 1] };
    Stats { premium: lane(0), standard: lane(2), background: lane(4), resting: numbers[6], held: numbers[7] }
}
