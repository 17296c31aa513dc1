//! Our queue as a backend of apalis, whose workers poll it, run the handler, and are started again when they fall. No other
//! file names a type of apalis.
//!
//! A slot is a permit that travels with the delivery: no delivery is claimed before there is a slot for it, so that none
//! waits, leased, behind a long one.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use apalis_core::{
    backend::{Backend, BackendConfig, finalize::Ephemeral},
    layers::Identity,
    monitor::Monitor,
    task::Task,
    worker::{builder::WorkerBuilder, context::WorkerContext, ext::parallelize::ParallelizeExt},
};
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::{error::StartError, executor::Executor, queue::Delivery};

/// How often an idle worker looks although nobody woke it: for entries that come back as time passes, for lost wake-ups, and
/// for a queue that did not answer.
const POLL: Duration = Duration::from_secs(1);

/// A delivery with the slot it runs in.
#[derive(Clone)]
struct Slotted {
    delivery: Delivery,
    /// Freed with the last clone.
    _slot: Arc<OwnedSemaphorePermit>,
}

/// Deliveries of the queue, as apalis wants to be fed.
struct Source {
    deliveries: Pin<Box<dyn Stream<Item = Slotted> + Send>>,
}

impl Backend for Source {
    type Task = Task<Slotted>;
    /// A queue that fails is asked again; the worker need not fall over it.
    type Error = Infallible;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Option<Result<Self::Task, Infallible>>> {
        self.deliveries.poll_next_unpin(cx).map(|next| next.map(|delivery| Ok(Task::new(delivery))))
    }

    /// Called when the deliveries have ended and the handlers too.
    fn poll_close(&mut self, _: &mut Context<'_>, worker: &WorkerContext) -> Poll<Result<(), Infallible>> {
        if !worker.is_stopped() {
            // It fails for a worker that has not started, which has nothing to stop.
            let _ = worker.stop();
        }
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for Source {
    type Args = Slotted;
    type Id = String;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = Identity;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Self::Layer {
        Identity::new()
    }
}

impl Source {
    fn new(executor: Executor, slots: Arc<Semaphore>, stopping: watch::Receiver<bool>) -> Self {
        let wakeups = executor.services.queue.wakeups();
        let claims = Claims { executor, slots, stopping, wakeups };
        let deliveries = stream::unfold(claims, |mut claims| async {
            let next = claims.next().await?;
            Some((next, claims))
        });
        Self { deliveries: Box::pin(deliveries) }
    }
}

struct Claims {
    executor: Executor,
    slots: Arc<Semaphore>,
    stopping: watch::Receiver<bool>,
    wakeups: watch::Receiver<()>,
}

impl Claims {
    /// The next delivery, when there is one and a slot for it; none once the worker is stopping. A claim that was begun is
    /// carried through, so that no entry is leased to nobody.
    async fn next(&mut self) -> Option<Slotted> {
        loop {
            let slot = tokio::select! {
                biased;
                // An error says that whoever could stop the worker is gone.
                _ = self.stopping.wait_for(|stopping| *stopping) => return None,
                slot = self.slots.clone().acquire_owned() => slot.ok()?,
            };
            // What wakes the worker from here on may have come too late for this claim.
            self.wakeups.borrow_and_update();
            match self.executor.claim(1).await {
                Ok(claimed) => {
                    if let Some(delivery) = claimed.into_iter().next() {
                        return Some(Slotted { delivery, _slot: Arc::new(slot) });
                    }
                }
                Err(error) => tracing::warn!(%error, "the queue does not answer"),
            }
            tokio::select! {
                Ok(()) = self.wakeups.changed() => {}
                _ = self.stopping.wait_for(|stopping| *stopping) => return None,
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }
}

/// Runs deliveries, `concurrency` at a time, until `stopping` turns true and the running ones have ended.
pub async fn run(
    executor: Executor,
    concurrency: usize,
    stopping: watch::Receiver<bool>,
) -> Result<(), StartError> {
    let slots = Arc::new(Semaphore::new(concurrency));
    let worker = move |restarts: usize| {
        let source = Source::new(executor.clone(), slots.clone(), stopping.clone());
        let executor = executor.clone();
        WorkerBuilder::new(format!("{}-{restarts}", executor.worker))
            .backend(source)
            .parallelize(tokio::spawn)
            .build(move |slotted: Slotted| {
                let executor = executor.clone();
                async move {
                    executor.handle(slotted.delivery).await;
                    drop(slotted);
                }
            })
    };
    let monitor = Monitor::new().register(worker).should_restart(|_, _| true);
    monitor.run().await.map_err(|error| StartError::Stopped(error.to_string()))
}
