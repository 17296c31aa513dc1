//! Our queue as a backend of apalis, whose workers poll it, run the handler, and are started again when they fall. No other
//! file names a type of apalis.
//!
//! A slot is a permit that travels with the delivery: no delivery is claimed before there is a slot for it, so that none
//! waits, leased, behind a long one. Of four slots or more one is for short jobs alone, so that they need not wait for long ones.

use std::{
    collections::VecDeque,
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

use crate::{
    error::StartError,
    executor::Executor,
    queue::{Delivery, QueueError},
};

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

impl Slotted {
    /// None is claimed that there is no slot for.
    fn new(delivery: Delivery, free: &mut Vec<OwnedSemaphorePermit>) -> Option<Self> {
        free.pop().map(|slot| Self { delivery, _slot: Arc::new(slot) })
    }
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
    fn new(executor: Executor, slots: Slots, stopping: watch::Receiver<bool>) -> Self {
        let wakeups = executor.services.queue.wakeups();
        let claims =
            Claims { executor, slots, stopping, wakeups, free: Free::default(), claimed: VecDeque::new() };
        let deliveries = stream::unfold(claims, |mut claims| async {
            let next = claims.next().await?;
            Some((next, claims))
        });
        Self { deliveries: Box::pin(deliveries) }
    }
}

/// Slots of which one is kept for short jobs. Of fewer it would be too many: long jobs alone would leave half of a small machine
/// without work.
const FEWEST_WITH_SHORT: usize = 4;

/// The slots of a worker, free or not.
#[derive(Clone)]
struct Slots {
    any: Arc<Semaphore>,
    /// For short jobs.
    short: Arc<Semaphore>,
}

impl Slots {
    fn new(concurrency: usize) -> Self {
        let short = usize::from(concurrency >= FEWEST_WITH_SHORT);
        Self { any: Arc::new(Semaphore::new(concurrency - short)), short: Arc::new(Semaphore::new(short)) }
    }
}

/// Slots in the hand of the one who claims.
#[derive(Default)]
struct Free {
    any: Vec<OwnedSemaphorePermit>,
    short: Vec<OwnedSemaphorePermit>,
}

impl Free {
    fn is_empty(&self) -> bool {
        self.any.is_empty() && self.short.is_empty()
    }

    /// Takes all slots that are free.
    fn gather(&mut self, slots: &Slots) {
        self.any.extend(std::iter::from_fn(|| slots.any.clone().try_acquire_owned().ok()));
        self.short.extend(std::iter::from_fn(|| slots.short.clone().try_acquire_owned().ok()));
    }

    /// Waits until there is one more.
    async fn one_more(&mut self, slots: &Slots) {
        // An error says that a semaphore was closed, which nobody does.
        tokio::select! {
            Ok(slot) = slots.any.clone().acquire_owned() => self.any.push(slot),
            Ok(slot) = slots.short.clone().acquire_owned() => self.short.push(slot),
            else => std::future::pending().await,
        }
    }
}

struct Claims {
    executor: Executor,
    slots: Slots,
    stopping: watch::Receiver<bool>,
    wakeups: watch::Receiver<()>,
    free: Free,
    /// Claimed, each with its slot.
    claimed: VecDeque<Slotted>,
}

impl Claims {
    /// The next delivery, when there is one and a slot for it; none once the worker is stopping. A claim that was begun is
    /// carried through, so that no entry is leased to nobody.
    async fn next(&mut self) -> Option<Slotted> {
        loop {
            if *self.stopping.borrow() {
                self.give_back().await;
                return None;
            }
            if let Some(next) = self.claimed.pop_front() {
                return Some(next);
            }
            self.free.gather(&self.slots);
            if self.free.is_empty() {
                tokio::select! {
                    biased;
                    // An error says that whoever could stop the worker is gone.
                    _ = self.stopping.wait_for(|stopping| *stopping) => return None,
                    () = self.free.one_more(&self.slots) => continue,
                }
            }
            // What wakes the worker from here on may have come too late for this claim.
            self.wakeups.borrow_and_update();
            if let Err(error) = self.claim().await {
                tracing::warn!(%error, "the queue does not answer");
            }
            if !self.claimed.is_empty() {
                continue;
            }
            tokio::select! {
                Ok(()) = self.wakeups.changed() => {}
                _ = self.stopping.wait_for(|stopping| *stopping) => return None,
                () = self.free.one_more(&self.slots) => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// What was claimed while the word to stop came is for others.
    async fn give_back(&mut self) {
        for Slotted { delivery, .. } in self.claimed.drain(..) {
            if let Err(error) = self.executor.services.queue.retry(&delivery, Duration::ZERO).await {
                // Its lease ends in time.
                tracing::warn!(%error, "a delivery could not be given back");
            }
        }
    }

    /// Claims as many as there are free slots. The slot for short jobs comes first, which leaves the others to all.
    async fn claim(&mut self) -> Result<(), QueueError> {
        let Self { executor, free, claimed, .. } = self;
        if !free.short.is_empty() {
            let deliveries = executor.claim_short(free.short.len()).await?;
            claimed.extend(
                deliveries.into_iter().filter_map(|delivery| Slotted::new(delivery, &mut free.short)),
            );
        }
        if !free.any.is_empty() {
            let deliveries = executor.claim(free.any.len()).await?;
            claimed
                .extend(deliveries.into_iter().filter_map(|delivery| Slotted::new(delivery, &mut free.any)));
        }
        Ok(())
    }
}

/// Runs deliveries, `concurrency` at a time, until `stopping` turns true and the running ones have ended.
pub async fn run(
    executor: Executor,
    concurrency: usize,
    stopping: watch::Receiver<bool>,
) -> Result<(), StartError> {
    let slots = Slots::new(concurrency);
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
