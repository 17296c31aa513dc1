//! Random operations on the queue, compared step by step with a model that fits on a page.

use std::{collections::BTreeMap, time::Duration};

use entity::status::Priority;
use proptest::{collection::vec, prelude::*};
use sea_orm::ConnectionTrait;
use uuid::Uuid;
use worker::queue::{Clock, Delivery, JobKind, Message, Queue};

use crate::support::{TestQueue, redis_url};

/// Ids that the operations draw from.
const IDS: usize = 6;
/// The clock moves in steps of ten seconds and the spans lie between, so that the real time a test takes decides nothing.
const STEP_S: u64 = 10;
const LEASE_S: u64 = 25;
const DELAY_S: u64 = 15;

#[derive(Clone, Debug)]
enum Operation {
    Enqueue(usize, Priority),
    Claim,
    /// The claim number, counted from the newest.
    Ack(usize),
    Heartbeat(usize),
    Retry(usize, bool),
    Cancel(usize),
    Position(usize),
    Pass(u64),
}

fn operation() -> impl Strategy<Value = Operation> {
    let priority = prop_oneof![Just(Priority::High), Just(Priority::Normal), Just(Priority::Low)];
    prop_oneof![
        4 => (0..IDS, priority).prop_map(|(id, priority)| Operation::Enqueue(id, priority)),
        4 => Just(Operation::Claim),
        1 => (0..4usize).prop_map(Operation::Ack),
        1 => (0..4usize).prop_map(Operation::Heartbeat),
        2 => (0..4usize, any::<bool>()).prop_map(|(claim, delayed)| Operation::Retry(claim, delayed)),
        1 => (0..IDS).prop_map(Operation::Cancel),
        1 => (0..IDS).prop_map(Operation::Position),
        2 => prop_oneof![Just(1u64), Just(2), Just(3), Just(7), Just(61)].prop_map(Operation::Pass),
    ]
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Waiting,
    RestingUntil(u64),
    HeldUntil(u64),
}

#[derive(Clone)]
struct Entry {
    order: u64,
    since_s: u64,
    lane: u64,
    attempts: i64,
    state: State,
}

/// The queue as a map, with a clock of its own in seconds.
#[derive(Default)]
struct Model {
    entries: BTreeMap<usize, Entry>,
    now_s: u64,
    enqueued: u64,
}

impl Model {
    fn enqueue(&mut self, id: usize, priority: Priority) {
        self.enqueued += 1;
        let lane = match priority {
            Priority::High => 0,
            Priority::Normal => 1,
            Priority::Low => 2,
        };
        let (order, since_s) = (self.enqueued, self.now_s);
        let new = Entry { order, since_s, lane, attempts: 0, state: State::Waiting };
        self.entries.entry(id).or_insert(new);
    }

    fn claim(&mut self) -> Option<(usize, i64)> {
        let now_s = self.now_s;
        for entry in self.entries.values_mut() {
            if let State::RestingUntil(until) | State::HeldUntil(until) = entry.state
                && until <= now_s
            {
                entry.state = State::Waiting;
            }
        }
        let class = |entry: &Entry| match entry.lane {
            1 if now_s - entry.since_s >= 60 => 0,
            2 if now_s - entry.since_s >= 600 => 0,
            lane => lane,
        };
        let waiting = self.entries.iter_mut().filter(|(_, entry)| entry.state == State::Waiting);
        let (id, entry) = waiting.min_by_key(|(_, entry)| (class(entry), entry.order))?;
        entry.attempts += 1;
        entry.state = State::HeldUntil(now_s + LEASE_S);
        Some((*id, entry.attempts))
    }

    fn held(&mut self, id: usize, attempts: i64) -> Option<&mut Entry> {
        self.entries
            .get_mut(&id)
            .filter(|entry| entry.attempts == attempts && matches!(entry.state, State::HeldUntil(_)))
    }

    fn position(&self, id: usize) -> Option<u32> {
        let entry = self.entries.get(&id).filter(|entry| entry.state == State::Waiting)?;
        let ahead = self.entries.values().filter(|other| {
            other.state == State::Waiting && other.lane == entry.lane && other.order <= entry.order
        });
        Some(ahead.count() as u32)
    }
}

/// Does what the operations say to both, and fails where they differ.
async fn compare(queue: &Queue, clock: &Clock, operations: &[Operation]) -> Result<(), TestCaseError> {
    let ids: Vec<Uuid> = (0..IDS).map(|_| Uuid::now_v7()).collect();
    let mut model = Model::default();
    let mut claims: Vec<(usize, Delivery)> = Vec::new();
    let newest =
        |claims: &[(usize, Delivery)], back: usize| claims.len().checked_sub(back + 1).map(|at| claims[at]);
    for operation in operations {
        match *operation {
            Operation::Enqueue(id, priority) => {
                model.enqueue(id, priority);
                let message = Message {
                    kind: JobKind::Simulation,
                    id: ids[id],
                    user_id: ids[0],
                    priority,
                    short: false,
                };
                queue.enqueue(&message).await.unwrap();
            }
            Operation::Claim => {
                let expected = model.claim();
                let claimed = queue.claim("worker", Duration::from_secs(LEASE_S), 1).await.unwrap();
                let found = claimed.first().map(|delivery| {
                    (ids.iter().position(|id| *id == delivery.id).unwrap(), delivery.attempts)
                });
                prop_assert_eq!(found, expected, "claim");
                claims.extend(expected.map(|(id, _)| id).zip(claimed.first().copied()));
            }
            Operation::Ack(back) => {
                let Some((id, delivery)) = newest(&claims, back) else { continue };
                let expected = model.held(id, delivery.attempts).is_some();
                if expected {
                    model.entries.remove(&id);
                }
                prop_assert_eq!(queue.ack(&delivery).await.unwrap(), expected, "ack");
            }
            Operation::Heartbeat(back) => {
                let Some((id, delivery)) = newest(&claims, back) else { continue };
                let until = model.now_s + LEASE_S;
                let expected = model.held(id, delivery.attempts);
                let held = expected.is_some();
                if let Some(entry) = expected {
                    entry.state = State::HeldUntil(until);
                }
                let lease = Duration::from_secs(LEASE_S);
                prop_assert_eq!(queue.heartbeat(&delivery, lease).await.unwrap(), held, "heartbeat");
            }
            Operation::Retry(back, delayed) => {
                let Some((id, delivery)) = newest(&claims, back) else { continue };
                let until = model.now_s + DELAY_S;
                let expected = model.held(id, delivery.attempts);
                let held = expected.is_some();
                if let Some(entry) = expected {
                    entry.state = if delayed { State::RestingUntil(until) } else { State::Waiting };
                }
                let delay = Duration::from_secs(if delayed { DELAY_S } else { 0 });
                prop_assert_eq!(queue.retry(&delivery, delay).await.unwrap(), held, "retry");
            }
            Operation::Cancel(id) => {
                let known = model.entries.get(&id);
                let expected = known.is_some_and(|entry| !matches!(entry.state, State::HeldUntil(_)));
                if expected {
                    model.entries.remove(&id);
                }
                prop_assert_eq!(queue.cancel(ids[id]).await.unwrap(), expected, "cancel");
            }
            Operation::Position(id) => {
                prop_assert_eq!(queue.position(ids[id]).await.unwrap(), model.position(id), "position");
            }
            Operation::Pass(steps) => {
                model.now_s += steps * STEP_S;
                clock.advance(Duration::from_secs(steps * STEP_S));
            }
        }
        let stats = queue.stats().await.unwrap();
        let waiting = stats.premium.waiting + stats.standard.waiting + stats.background.waiting;
        let count = |wanted: fn(&State) -> bool| {
            model.entries.values().filter(|entry| wanted(&entry.state)).count() as u64
        };
        prop_assert_eq!(
            (waiting, stats.resting, stats.held),
            (
                count(|state| matches!(state, State::Waiting)),
                count(|state| matches!(state, State::RestingUntil(_))),
                count(|state| matches!(state, State::HeldUntil(_))),
            ),
            "after {:?}",
            operation
        );
    }
    Ok(())
}

/// Runs the cases in one runtime, each against an empty queue.
fn check(kind: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let tests = runtime.block_on(TestQueue::all());
    let test = tests.into_iter().find(|test| test.kind == kind).unwrap();
    let url = redis_url().filter(|_| kind == "redis");
    let config = ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(operations in vec(operation(), 1..50))| {
        runtime.block_on(async {
            test.database.db.execute_unprepared("DELETE FROM queue_entries").await.unwrap();
            let namespace = format!("test-{}", Uuid::new_v4());
            let clock = Clock::default();
            let queue = Queue::connect_in(url.as_deref(), &namespace, &test.database.db, clock.clone());
            compare(&queue.await.unwrap(), &clock, &operations).await
        })?;
    });
    // The pool closes its files inside the runtime that opened them.
    runtime.block_on(async move { drop(test) });
}

#[test]
fn the_table_does_what_the_model_does() {
    check("sql");
}

#[test]
fn redis_does_what_the_model_does() {
    if redis_url().is_some() {
        check("redis");
    }
}
