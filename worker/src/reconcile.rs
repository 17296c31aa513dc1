//! Mends what fell between the rows and the queue: the rows are the truth, and a job that the queue forgot, or never heard of,
//! is told to it again.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use entity::{
    StoreError,
    store::{
        attempts::{self, Requeue},
        background, exports, jobs,
    },
};
use uuid::Uuid;

use crate::{
    executor::Executor,
    maintenance,
    queue::{JobKind, Message, QueueError},
};

/// Between two looks.
const PERIOD: Duration = Duration::from_secs(5);
/// Rows read at a time.
const PAGE: u64 = 500;
/// Pages in one look, unless the look finds something to mend.
const PAGES_A_LOOK: usize = 10;

/// Why a look was cut short. The next one starts where it left off.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// Looks again and again. Any number of processes may: everything it does is harmless when done twice.
pub async fn run(executor: Executor) {
    let mut reconciler = Reconciler::new(executor);
    loop {
        let looked = async {
            reconciler.plan_night(Utc::now()).await?;
            reconciler.look().await
        };
        if let Err(error) = looked.await {
            tracing::warn!(%error, "rows and queue were not reconciled");
        }
        tokio::time::sleep(PERIOD).await;
    }
}

/// Walks through the rows a few pages at a time, round and round, so that a look stays cheap however many jobs wait.
pub struct Reconciler {
    executor: Executor,
    /// Creation time and id of the last row looked at.
    cursor: Option<(DateTime<Utc>, Uuid)>,
    /// The night whose maintenance is known to be a job.
    night: Option<NaiveDate>,
}

impl Reconciler {
    pub fn new(executor: Executor) -> Self {
        Self { executor, cursor: None, night: None }
    }

    /// Takes jobs back from lost workers and tells the queue of waiting jobs that it does not know; how many of both.
    pub async fn look(&mut self) -> Result<usize, ReconcileError> {
        exports::forget_old(&self.executor.services.db).await?;
        Ok(self.take_back().await? + self.tell_queue().await? + self.tell_queue_of_background_jobs().await?)
    }

    /// Makes sure that the maintenance of the night that came last is a job.
    pub async fn plan_night(&mut self, now: DateTime<Utc>) -> Result<(), ReconcileError> {
        let Some(hour) = self.executor.maintenance_hour else { return Ok(()) };
        let night = maintenance::last_night(now, hour);
        if self.night != Some(night) {
            maintenance::schedule(&self.executor, night).await?;
            self.night = Some(night);
        }
        Ok(())
    }

    /// Background jobs are few: the oldest are looked at each time.
    async fn tell_queue_of_background_jobs(&self) -> Result<usize, ReconcileError> {
        let services = &self.executor.services;
        let waiting = background::to_be_done(&services.db, PAGE).await?;
        let ids: Vec<Uuid> = waiting.iter().map(|job| job.id).collect();
        let unknown = services.queue.unknown(&ids).await?;
        let mut lost = Vec::new();
        for job in waiting.iter().filter(|job| unknown.contains(&job.id)) {
            match JobKind::of(&job.kind) {
                Some(kind) => lost.push(Message::background(kind, job)),
                // A newer version's, which has its own workers.
                None => tracing::warn!(job_id = %job.id, kind = job.kind, "a job of an unknown kind"),
            }
        }
        services.queue.enqueue_many(&lost).await?;
        Ok(unknown.len())
    }

    async fn take_back(&self) -> Result<usize, ReconcileError> {
        let services = &self.executor.services;
        let lost = attempts::expired_leases(&services.db, PAGE).await?;
        for job in &lost {
            let requeued = attempts::requeue(&services.db, job.id, job.attempt, Requeue::WorkerLost).await?;
            if let Some(job) = requeued {
                tracing::warn!(job_id = %job.id, attempt = job.attempt, "a job was taken back from a lost worker");
                self.executor.announce(&job).await;
                if !job.status.is_terminal() {
                    services.queue.enqueue(&Message::simulation(&job)).await?;
                }
            }
        }
        Ok(lost.len())
    }

    async fn tell_queue(&mut self) -> Result<usize, ReconcileError> {
        let services = &self.executor.services;
        let mut told = 0;
        let mut pages = 0;
        while pages < PAGES_A_LOOK {
            let waiting = jobs::queued_after(&services.db, self.cursor, PAGE).await?;
            let ids: Vec<Uuid> = waiting.iter().map(|job| job.id).collect();
            let unknown = services.queue.unknown(&ids).await?;
            let lost = waiting.iter().filter(|job| unknown.contains(&job.id));
            services.queue.enqueue_many(&lost.map(Message::simulation).collect::<Vec<_>>()).await?;
            told += unknown.len();
            // A queue that forgot one has likely forgotten them all: go on until a page is complete.
            pages = if unknown.is_empty() { pages + 1 } else { 0 };
            self.cursor = waiting.last().map(|job| (job.created_at, job.id));
            if waiting.len() < PAGE as usize {
                self.cursor = None;
                break;
            }
        }
        if told > 0 {
            tracing::warn!(jobs = told, "waiting jobs were unknown to the queue and are queued again");
        }
        Ok(told)
    }
}
