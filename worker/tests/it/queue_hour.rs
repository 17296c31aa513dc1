//! A saturated queue for an hour of virtual time: who waits how long.

use std::{collections::HashMap, time::Duration};

use entity::status::Priority;
use uuid::Uuid;
use worker::queue::{Delivery, Message, Queue};

use crate::support::{TestQueue, message_of};

/// Time passes in steps, and every arrival and end falls on one.
const STEP_S: u64 = 5;
const HOUR_S: u64 = 3_600;
const LEASE: Duration = Duration::from_secs(2 * HOUR_S);

/// Someone who sends a job every so many seconds, from a second on.
struct Source {
    user_id: Uuid,
    priority: Priority,
    from_s: u64,
    every_s: u64,
    /// Jobs at a time.
    burst: usize,
    short: bool,
    takes_s: u64,
}

impl Source {
    fn new(priority: Priority, from_s: u64, every_s: u64) -> Self {
        Self { user_id: Uuid::now_v7(), priority, from_s, every_s, burst: 1, short: false, takes_s: 20 }
    }
}

/// What a worker does: so many slots for any job, and so many for short ones alone.
struct Slots {
    any: usize,
    short: usize,
}

/// A job that has been sent.
struct Sent {
    source: usize,
    at_s: u64,
    /// How long it waited, once it has started.
    waited_s: Option<u64>,
}

/// Lets the sources send and the slots work; all that was sent, by source.
async fn hour(test: &TestQueue, sources: &[Source], slots: Slots) -> Vec<Sent> {
    let TestQueue { queue, clock, kind, .. } = test;
    let mut sent: HashMap<Uuid, Sent> = HashMap::new();
    let mut running: Vec<(u64, Delivery, bool)> = Vec::new();
    for now_s in (0..HOUR_S).step_by(STEP_S as usize) {
        for (_, delivery, _) in running.extract_if(.., |(ends_s, ..)| *ends_s <= now_s) {
            assert!(queue.ack(&delivery).await.unwrap(), "{kind}");
        }
        for (source, Source { user_id, priority, from_s, every_s, burst, short, .. }) in
            sources.iter().enumerate()
        {
            if now_s < *from_s || (now_s - from_s) % every_s >= STEP_S {
                continue;
            }
            let message = |_| Message { short: *short, ..message_of(*user_id, *priority) };
            let messages: Vec<Message> = (0..*burst).map(message).collect();
            queue.enqueue_many(&messages).await.unwrap();
            sent.extend(messages.iter().map(|new| (new.id, Sent { source, at_s: now_s, waited_s: None })));
        }
        let busy = |short: bool| running.iter().filter(|(.., in_short)| *in_short == short).count();
        let (free, free_short) = (slots.any - busy(false), slots.short - busy(true));
        let taken = queue.claim_short("worker", LEASE, free_short).await.unwrap();
        let claimed = queue.claim("worker", LEASE, free).await.unwrap();
        assert!(claimed.len() == free || waiting(queue).await == 0, "{kind}: a slot is idle while jobs wait");
        let taken = taken.into_iter().map(|delivery| (delivery, true));
        for (delivery, in_short) in taken.chain(claimed.into_iter().map(|delivery| (delivery, false))) {
            let job = sent.get_mut(&delivery.id).unwrap();
            assert_eq!(job.waited_s.replace(now_s - job.at_s), None, "{kind}: none starts twice");
            running.push((now_s + sources[job.source].takes_s, delivery, in_short));
        }
        clock.advance(Duration::from_secs(STEP_S));
    }
    sent.into_values().collect()
}

async fn waiting(queue: &Queue) -> u64 {
    let stats = queue.stats().await.unwrap();
    stats.premium.waiting + stats.standard.waiting + stats.background.waiting
}

/// The waits of the jobs that a condition picks, of those still waiting up to now.
fn waits(sent: &[Sent], of: impl Fn(&Sent) -> bool) -> Vec<u64> {
    sent.iter().filter(|job| of(job)).map(|job| job.waited_s.unwrap_or(HOUR_S - job.at_s)).collect()
}

fn mean(waits: &[u64]) -> f64 {
    waits.iter().sum::<u64>() as f64 / waits.len() as f64
}

#[tokio::test]
async fn better_lanes_wait_less_and_none_starves() {
    for test in &TestQueue::all().await {
        let kind = test.kind;
        // Four slots do twelve jobs a minute. Premium and standard alone ask for all of that, so that strict lanes would
        // never come to the background.
        let mut sources = Vec::new();
        sources.extend((0..4).map(|at| Source::new(Priority::High, at * 10, 40)));
        sources.extend((0..3).map(|at| Source::new(Priority::Normal, at * 5, 30)));
        sources.extend((0..2).map(|at| Source::new(Priority::Low, at * 15, 120)));
        let sent = hour(test, &sources, Slots { any: 4, short: 0 }).await;
        let of = |priority| waits(&sent, |job| sources[job.source].priority == priority);
        let [premium, standard, background] = [Priority::High, Priority::Normal, Priority::Low].map(of);
        let means = [mean(&premium), mean(&standard), mean(&background)];
        assert!(means[0] < means[1] && means[1] < means[2], "{kind}: {means:?}");
        let longest = |waits: &[u64]| waits.iter().copied().max().unwrap_or_default();
        assert!(longest(&premium) <= 60, "{kind}: {premium:?}");
        assert!(longest(&standard) <= 600, "{kind}: {standard:?}");
        // Ten minutes to age, and then a turn.
        assert!(longest(&background) <= 700, "{kind}: {background:?}");
        // It was as busy as said.
        let started = sent.iter().filter(|job| job.waited_s.is_some()).count();
        assert_eq!((started, sent.len()), (720, 780), "{kind}");
    }
}

#[tokio::test]
async fn a_thousand_jobs_of_one_user_cost_another_a_turn() {
    for test in &TestQueue::all().await {
        for priority in [Priority::High, Priority::Normal, Priority::Low] {
            let flood = Source { burst: 1_000, ..Source::new(priority, 0, HOUR_S) };
            let trickle = Source::new(priority, 60, 120);
            let sent = hour(test, &[flood, trickle], Slots { any: 2, short: 0 }).await;
            let trickled = waits(&sent, |job| job.source == 1);
            // One ends every ten seconds, so that a turn of the other comes within two.
            assert!(
                trickled.len() == 30 && trickled.iter().all(|wait| *wait <= 20),
                "{}: {trickled:?}",
                test.kind
            );
            // The next lane finds the queue empty.
            drain(test).await;
        }
    }
}

async fn drain(test: &TestQueue) {
    test.clock.advance(LEASE);
    loop {
        let left = test.queue.claim("worker", LEASE, 1_000).await.unwrap();
        if left.is_empty() {
            return;
        }
        for delivery in &left {
            test.queue.ack(delivery).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_slot_of_their_own_keeps_short_jobs_from_waiting_for_long_ones() {
    for test in &TestQueue::all().await {
        let sources = || {
            let long = |at: u64| Source { takes_s: 300, ..Source::new(Priority::High, at * 60, 240) };
            let short = Source { takes_s: 5, short: true, ..Source::new(Priority::High, 0, 30) };
            [long(0), long(1), long(2), short]
        };
        let mut means = Vec::new();
        for slots in [Slots { any: 3, short: 0 }, Slots { any: 2, short: 1 }] {
            let sent = hour(test, &sources(), slots).await;
            means.push(mean(&waits(&sent, |job| job.source == 3)));
            drain(test).await;
        }
        // Without it they wait for turns among jobs of five minutes.
        assert!(means[0] > 20.0 && means[1] < 1.0, "{}: {means:?}", test.kind);
    }
}
