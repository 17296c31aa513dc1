//! A running attempt of a simulation: the engine on a thread of its own, and beside it everything that keeps the attempt
//! honest: heartbeats, deadline, progress, and the ears for those who want it to stop.

use std::{future::pending, panic::AssertUnwindSafe, path::Path, sync::Arc, time::Duration};

use engine::{Control, Options, Plan, SimulateError, StopCause, Workload};
use entity::{
    simulation_job,
    store::{
        attempts::{self, Failure, Lease},
        jobs,
        results::NewRun,
    },
};
use futures_util::{Stream, StreamExt};
use tokio::{sync::watch, time};

use crate::{
    bus::Notice,
    executor::Executor,
    isolation,
    queue::Delivery,
    result,
    task::{Task, failure},
};

/// Why an attempt was told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Deadline,
    Canceled,
    /// This process is shutting down.
    HandBack,
    /// The job went on without this worker.
    Lost,
}

/// How an attempt ended.
pub(crate) enum Ended {
    Report(Box<NewRun>),
    Failed(Failure),
    /// The engine obeyed, or was given up when it did not.
    Stopped(Stop),
    Panicked,
}

/// The least progress that is worth an update.
const STEP: f64 = 0.001;

pub(crate) struct Attempt<'a> {
    pub executor: &'a Executor,
    pub delivery: &'a Delivery,
    pub job: &'a simulation_job::Model,
    control: Arc<Control>,
    stop: watch::Sender<Option<Stop>>,
}

impl<'a> Attempt<'a> {
    pub fn new(executor: &'a Executor, delivery: &'a Delivery, job: &'a simulation_job::Model) -> Self {
        Self { executor, delivery, job, control: Arc::default(), stop: watch::Sender::new(None) }
    }

    /// Runs the simulation to its end, whichever that is. `notices` were subscribed to before the job was claimed, so that no
    /// request to cancel falls between.
    pub async fn run(
        &self,
        task: Task,
        plan: Plan,
        workload: Workload,
        notices: impl Stream<Item = Notice> + Unpin,
    ) -> Ended {
        let watchers = async {
            tokio::join!(
                self.watch_deadline(),
                self.keep_leases(),
                self.tell_progress(),
                self.hear_cancel(notices),
                self.hear_shutdown(),
            );
            pending::<()>().await
        };
        let simulation = async {
            match &self.executor.isolated_in {
                None => self.in_thread(plan, workload, task.options()).await,
                Some(program) => self.in_process(program, &task).await,
            }
        };
        tokio::select! {
            ended = simulation => ended,
            stop = self.overrun() => {
                tracing::error!(?stop, "the engine does not stop; its thread is given up");
                Ended::Stopped(stop)
            }
            () = watchers => unreachable!("the watchers end in pending()"),
        }
    }

    async fn in_thread(&self, plan: Plan, workload: Workload, options: Options) -> Ended {
        let (engine, control) = (self.executor.engine.clone(), self.control.clone());
        let span = tracing::Span::current();
        let thread = tokio::task::spawn_blocking(move || {
            let _entered = span.entered();
            let simulate = || engine(&plan, &workload, &options, &control).map(result::new_run);
            std::panic::catch_unwind(AssertUnwindSafe(simulate))
        });
        match thread.await {
            Ok(Ok(Ok(run))) => Ended::Report(Box::new(run)),
            Ok(Ok(Err(SimulateError::Stopped(StopCause::Deadline | StopCause::Canceled)))) => {
                // Nobody else can have stopped it, so a reason stands.
                Ended::Stopped((*self.stop.borrow()).unwrap_or(Stop::Canceled))
            }
            Ok(Ok(Err(error))) => Ended::Failed(failure(error)),
            Ok(Err(_)) | Err(_) => Ended::Panicked,
        }
    }

    /// A process need not obey: it is killed when it is to stop.
    async fn in_process(&self, program: &Path, task: &Task) -> Ended {
        tokio::select! {
            ended = isolation::run(program, task, &self.control) => ended,
            why = self.told_to_stop() => Ended::Stopped(why),
        }
    }

    /// Ends when the engine was told to stop.
    async fn told_to_stop(&self) -> Stop {
        let mut stop = self.stop.subscribe();
        let why = match stop.wait_for(Option::is_some).await {
            Ok(why) => *why,
            // The sender is a field of self.
            Err(_) => None,
        };
        match why {
            Some(why) => why,
            None => pending().await,
        }
    }

    /// Tells the engine to stop; the first reason counts.
    fn stop(&self, why: Stop) {
        let first = self.stop.send_if_modified(|stop| {
            let first = stop.is_none();
            stop.get_or_insert(why);
            first
        });
        if first {
            self.control.stop(match why {
                Stop::Deadline => StopCause::Deadline,
                Stop::Canceled | Stop::HandBack | Stop::Lost => StopCause::Canceled,
            });
        }
    }

    /// Ends when the engine was told to stop and has not for a while.
    async fn overrun(&self) -> Stop {
        let why = self.told_to_stop().await;
        time::sleep(self.executor.timing.overrun).await;
        why
    }

    async fn watch_deadline(&self) {
        let seconds = u64::try_from(self.job.timeout_seconds).unwrap_or_default();
        time::sleep(Duration::from_secs(seconds)).await;
        self.stop(Stop::Deadline);
    }

    /// Extends the lease in the row and the lease in the queue. A database or a Redis that does not answer is asked again with
    /// the next beat: whether the attempt still counts is decided when its result is committed.
    pub async fn keep_leases(&self) {
        let Executor { services, timing, .. } = self.executor;
        loop {
            time::sleep(timing.heartbeat).await;
            match attempts::renew_lease(&services.db, self.job.id, self.job.attempt, timing.lease).await {
                Ok(Lease::Held { cancel_requested: false }) => {}
                Ok(Lease::Held { cancel_requested: true }) => self.stop(Stop::Canceled),
                Ok(Lease::Lost) => self.stop(Stop::Lost),
                Err(error) => tracing::warn!(%error, "the job's lease was not extended"),
            }
            match services.queue.heartbeat(self.delivery, timing.lease).await {
                Ok(true) => {}
                // The row decides who may commit; a second delivery finds it leased.
                Ok(false) => tracing::warn!("the queue entry is no longer held"),
                Err(error) => tracing::warn!(%error, "the queue entry's lease was not extended"),
            }
        }
    }

    async fn tell_progress(&self) {
        let Executor { services, timing, .. } = self.executor;
        let mut told = 0.0;
        loop {
            time::sleep(timing.progress).await;
            let progress = self.control.progress();
            if progress < told + STEP {
                continue;
            }
            match attempts::progress(&services.db, self.job.id, self.job.attempt, progress).await {
                Ok(Some(job)) => {
                    told = progress;
                    if job.cancel_requested {
                        self.stop(Stop::Canceled);
                    }
                    self.executor.announce(&job).await;
                }
                Ok(None) => self.stop(Stop::Lost),
                Err(error) => tracing::warn!(%error, "progress was not recorded"),
            }
        }
    }

    async fn hear_cancel(&self, mut notices: impl Stream<Item = Notice> + Unpin) {
        while let Some(notice) = notices.next().await {
            let canceled = match notice {
                Notice::CancelRequested { job_id } => job_id == self.job.id,
                Notice::Lagged => {
                    let job = jobs::find(&self.executor.services.db, self.job.id).await;
                    job.is_ok_and(|job| job.is_some_and(|job| job.cancel_requested))
                }
                Notice::JobUpdated { .. } | Notice::DesignChanged { .. } | Notice::TemplatesChanged => false,
            };
            if canceled {
                self.stop(Stop::Canceled);
            }
        }
    }

    async fn hear_shutdown(&self) {
        // An error says that the executor is gone, and nobody shuts down any more.
        if self.executor.handing_back().wait_for(|handing_back| *handing_back).await.is_ok() {
            self.stop(Stop::HandBack);
        }
    }
}
