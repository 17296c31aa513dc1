//! Takes deliveries of the queue to their end: finds the handler of a kind of job, and tells the queue what came of it.

use std::{
    panic::AssertUnwindSafe,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use engine::{Control, Options, Plan, Report, SimulateError, Workload};
use entity::simulation_job;
use futures_util::FutureExt;
use tokio::sync::watch;
use tracing::Instrument;

use crate::{
    bus::Notice,
    config::{Config, Isolation},
    error::{JobError, Outcome, backoff},
    export, maintenance,
    pool::Services,
    queue::{Delivery, JobKind, QueueError},
    simulate,
};

/// What runs a simulation: the engine, or in tests something that fails as engines do not.
pub type Engine =
    Arc<dyn Fn(&Plan, &Workload, &Options, &Control) -> Result<Report, SimulateError> + Send + Sync>;

/// The rhythm of a worker.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How long a worker is believed alive without a sign of it.
    pub lease: Duration,
    /// Between two signs of life; a lease outlasts two that got lost.
    pub heartbeat: Duration,
    /// Between two updates of a job's progress.
    pub progress: Duration,
    /// How long an engine that was told to stop may take before it is given up.
    pub overrun: Duration,
}

impl Timing {
    /// The usual rhythm around a lease.
    pub fn with_lease(lease: Duration) -> Self {
        Self {
            lease,
            heartbeat: lease / 3,
            progress: Duration::from_millis(250),
            overrun: Duration::from_secs(5),
        }
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self::with_lease(Duration::from_secs(30))
    }
}

/// Runs deliveries, any number at a time. Clones share everything.
#[derive(Clone)]
pub struct Executor {
    pub(crate) services: Services,
    pub(crate) engine: Engine,
    pub(crate) timing: Timing,
    /// Unlike any other worker's, now or ever.
    pub(crate) worker: Arc<str>,
    /// The most that one job may allocate here.
    pub(crate) memory_limit_bytes: u64,
    /// The program whose children simulations are; none where they are threads of this process.
    pub(crate) isolated_in: Option<Arc<Path>>,
    /// The hour, UTC, at which the nightly maintenance is due; none when this worker does not see to it.
    pub(crate) maintenance_hour: Option<u32>,
    handing_back: Arc<watch::Sender<bool>>,
    busy: Arc<AtomicUsize>,
    /// Whether an operator wants nothing to be claimed.
    drained: Arc<AtomicBool>,
}

impl Executor {
    pub fn new(services: Services, config: &Config) -> Self {
        Self {
            services,
            engine: Arc::new(engine::simulate),
            timing: Timing::with_lease(config.job_lease),
            worker: worker_name().into(),
            memory_limit_bytes: config.job_memory_mb << 20,
            isolated_in: match config.job_isolation {
                Isolation::Thread => None,
                // A program that cannot be found starts no child: without its bounds nothing is simulated.
                Isolation::Process => Some(std::env::current_exe().unwrap_or_default().into()),
            },
            maintenance_hour: config.maintenance_hour,
            handing_back: Arc::new(watch::Sender::new(false)),
            busy: Arc::default(),
            drained: Arc::default(),
        }
    }

    /// The same with another engine.
    pub fn with_engine(self, engine: Engine) -> Self {
        Self { engine, ..self }
    }

    /// The same with simulations in children of a program.
    pub fn with_isolation_in(self, program: &Path) -> Self {
        Self { isolated_in: Some(program.into()), ..self }
    }

    /// The same in another rhythm.
    pub fn with_timing(self, timing: Timing) -> Self {
        Self { timing, ..self }
    }

    /// Makes every job that runs now go back to the queue.
    pub fn hand_back(&self) {
        self.handing_back.send_replace(true);
    }

    /// How many deliveries are being handled.
    pub(crate) fn busy(&self) -> usize {
        self.busy.load(Ordering::Relaxed)
    }

    /// Becomes true when running jobs are to go back to the queue.
    pub(crate) fn handing_back(&self) -> watch::Receiver<bool> {
        self.handing_back.subscribe()
    }

    /// Says whether deliveries may be claimed at present.
    pub(crate) fn set_drained(&self, drained: bool) {
        if self.drained.swap(drained, Ordering::Relaxed) != drained {
            tracing::info!(drained, "an operator changed what workers claim");
        }
    }

    fn is_drained(&self) -> bool {
        self.drained.load(Ordering::Relaxed)
    }

    /// Claims up to `count` deliveries; none while an operator wants the workers drained.
    pub async fn claim(&self, count: usize) -> Result<Vec<Delivery>, QueueError> {
        if self.is_drained() {
            return Ok(Vec::new());
        }
        self.services.queue.claim(&self.worker, self.timing.lease, count).await
    }

    /// Claims up to `count` deliveries of short jobs, as [`Self::claim`] does.
    pub async fn claim_short(&self, count: usize) -> Result<Vec<Delivery>, QueueError> {
        if self.is_drained() {
            return Ok(Vec::new());
        }
        self.services.queue.claim_short(&self.worker, self.timing.lease, count).await
    }

    /// Handles one delivery after the other until none waits; how many there were. Resting ones are left to rest.
    pub async fn drain(&self) -> Result<usize, QueueError> {
        let mut handled = 0;
        while let Some(delivery) = self.claim(1).await?.pop() {
            self.handle(delivery).await;
            handled += 1;
        }
        Ok(handled)
    }

    /// Handles a delivery and settles it with the queue. Never fails and never panics: what goes wrong is logged, and the
    /// queue delivers again.
    pub async fn handle(&self, delivery: Delivery) -> Outcome {
        let span = tracing::info_span!(
            "job",
            job_id = %delivery.id,
            delivery = delivery.attempts,
            request_id = tracing::field::Empty,
            user_id = tracing::field::Empty,
            design_id = tracing::field::Empty,
        );
        async {
            self.busy.fetch_add(1, Ordering::Relaxed);
            let handled = AssertUnwindSafe(self.dispatch(&delivery)).catch_unwind().await;
            self.busy.fetch_sub(1, Ordering::Relaxed);
            let outcome = match handled {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(JobError(error))) => {
                    tracing::warn!(error, "the job will be tried again");
                    Outcome::Retry { delay: backoff(delivery.attempts) }
                }
                Err(_) => {
                    tracing::error!("the handler panicked; the job will be tried again");
                    Outcome::Retry { delay: backoff(delivery.attempts) }
                }
            };
            let settled = match outcome {
                Outcome::Done | Outcome::Abort => self.services.queue.ack(&delivery).await,
                Outcome::Retry { delay } => self.services.queue.retry(&delivery, delay).await,
            };
            if let Err(error) = settled {
                // The lease ends in time, and the row tells whoever gets the entry then.
                tracing::warn!(%error, "the queue could not be told what came of the job");
            }
            outcome
        }
        .instrument(span)
        .await
    }

    /// One line a kind of job.
    async fn dispatch(&self, delivery: &Delivery) -> Result<Outcome, JobError> {
        match delivery.kind {
            JobKind::Simulation => simulate::handle(self, delivery).await,
            JobKind::UserDataExport => export::handle(self, delivery).await,
            JobKind::Maintenance => maintenance::handle(self, delivery).await,
        }
    }

    /// Tells watchers that the job's row has changed. They lose an update at worst, so a failure is only logged.
    pub(crate) async fn announce(&self, job: &simulation_job::Model) {
        let notice = Notice::JobUpdated { job_id: job.id, sequence: job.sequence };
        if let Err(error) = self.services.bus.publish(&notice).await {
            tracing::warn!(%error, "an update was not published");
        }
    }
}

/// At most 64 bytes, which Redis keeps in the compact form of a small hash.
fn worker_name() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "worker".to_owned());
    let host: String = host.chars().filter(char::is_ascii).take(40).collect();
    format!("{host}-{}-{:08x}", std::process::id(), rand::random::<u32>())
}
