//! Random operations on the queue, compared step by step with a model that looks at every entry each time.

use std::{collections::BTreeMap, time::Duration};

use entity::status::Priority;
use proptest::{collection::vec, prelude::*};
use sea_orm::ConnectionTrait;
use uuid::Uuid;
use worker::queue::{Clock, Delivery, JobKind, Message, Queue, Stats};

use crate::support::{TestQueue, redis_keys, redis_url};

/// Ids that the operations draw from, and users.
const IDS: usize = 9;
const USERS: usize = 3;
/// The clock moves in steps of ten seconds and the spans lie between, so that the real time a test takes decides nothing.
const STEP_S: u64 = 10;
const LEASE_S: u64 = 25;
const DELAY_S: u64 = 15;
const LEASE: Duration = Duration::from_secs(LEASE_S);

#[derive(Clone, Copy, Debug)]
struct New {
    id: usize,
    user: usize,
    priority: Priority,
    short: bool,
    limit: u32,
}

#[derive(Clone, Debug)]
enum Operation {
    Enqueue(Vec<New>),
    /// So many, of short ones alone or of any.
    Claim(usize, bool),
    /// The claim number, counted from the newest.
    Ack(usize),
    Heartbeat(usize),
    Retry(usize, bool),
    Cancel(usize),
    /// Asks for the place of every id.
    Positions,
    Pass(u64),
    /// Another process takes over.
    Restart,
}

fn new() -> impl Strategy<Value = New> {
    let priority = prop_oneof![Just(Priority::High), Just(Priority::Normal), Just(Priority::Low)];
    (0..IDS, 0..USERS, priority, any::<bool>(), 0..3u32).prop_map(|(id, user, priority, short, limit)| New {
        id,
        user,
        priority,
        short,
        limit,
    })
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        5 => vec(new(), 1..4).prop_map(Operation::Enqueue),
        4 => (0..4usize, any::<bool>()).prop_map(|(count, short)| Operation::Claim(count, short)),
        2 => (0..4usize).prop_map(Operation::Ack),
        1 => (0..4usize).prop_map(Operation::Heartbeat),
        2 => (0..4usize, any::<bool>()).prop_map(|(claim, delayed)| Operation::Retry(claim, delayed)),
        1 => (0..IDS).prop_map(Operation::Cancel),
        2 => Just(Operation::Positions),
        2 => prop_oneof![Just(1u64), Just(2), Just(3), Just(7), Just(61)].prop_map(Operation::Pass),
        1 => Just(Operation::Restart),
    ]
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Waiting,
    RestingUntil(u64),
    HeldUntil(u64),
}

#[derive(Clone, Copy)]
struct Entry {
    order: u64,
    /// Of its flow when it was enqueued or claimed.
    turn: u64,
    since_s: u64,
    flow: Flow,
    short: bool,
    limit: u32,
    attempts: i64,
    state: State,
}

/// Lane and user.
type Flow = (u64, usize);

/// Where a flow is served: in its lane, among premium too, or nowhere at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Ring,
    Aged,
    Parked,
}

/// The queue as two maps, with a clock of its own in seconds.
#[derive(Default)]
struct Model {
    entries: BTreeMap<usize, Entry>,
    turns: BTreeMap<Flow, u64>,
    /// The premium turns of flows that have aged, among all and among those with short entries.
    aged: [BTreeMap<Flow, u64>; 2],
    now_s: u64,
    tickets: u64,
}

impl Model {
    fn ticket(&mut self) -> u64 {
        self.tickets += 1;
        self.tickets
    }

    fn enqueue(&mut self, new: New) {
        if self.entries.contains_key(&new.id) {
            return;
        }
        let lane = match new.priority {
            Priority::High => 0,
            Priority::Normal => 1,
            Priority::Low => 2,
        };
        let order = self.ticket();
        let entry = Entry {
            order,
            turn: order,
            since_s: self.now_s,
            flow: (lane, new.user),
            short: new.short,
            limit: new.limit,
            attempts: 0,
            state: State::Waiting,
        };
        self.entries.insert(new.id, entry);
        self.wait_again(new.id);
    }

    fn wait_again(&mut self, id: usize) {
        let entry = self.entries.get_mut(&id).unwrap();
        entry.state = State::Waiting;
        let turn = self.turns.entry(entry.flow).or_insert(entry.turn);
        *turn = entry.turn.min(*turn);
        for aged in &mut self.aged {
            aged.entry(entry.flow).and_modify(|turn| *turn = entry.turn.min(*turn));
        }
    }

    /// Forgets the turns of flows that have ended, and finds out who has aged and who has no longer.
    fn arrange(&mut self) {
        let flows: Vec<Flow> = self.turns.keys().copied().collect();
        for flow in flows {
            for short in [false, true] {
                let place = self.waiting(flow, short).first().map(|first| self.place(*first));
                if place == Some(Place::Aged) {
                    self.aged[usize::from(short)].entry(flow).or_insert(self.turns[&flow]);
                } else {
                    self.aged[usize::from(short)].remove(&flow);
                }
                if !short && place.is_none() {
                    self.turns.remove(&flow);
                }
            }
        }
    }

    /// What waits in a flow, in order.
    fn waiting(&self, flow: Flow, short: bool) -> Vec<usize> {
        let picked =
            |entry: &Entry| entry.flow == flow && entry.state == State::Waiting && (entry.short || !short);
        let mut ids: Vec<usize> =
            self.entries.iter().filter(|(_, entry)| picked(entry)).map(|(id, _)| *id).collect();
        ids.sort_by_key(|id| self.entries[id].order);
        ids
    }

    fn place(&self, first: usize) -> Place {
        let entry = self.entries[&first];
        let (lane, user) = entry.flow;
        let runs = self.entries.values().filter(|other| {
            other.limit > 0 && other.flow.1 == user && matches!(other.state, State::HeldUntil(_))
        });
        let age_s = self.now_s - entry.since_s;
        match lane {
            _ if entry.limit > 0 && runs.count() >= entry.limit as usize => Place::Parked,
            1 if age_s >= 60 => Place::Aged,
            2 if age_s >= 600 => Place::Aged,
            _ => Place::Ring,
        }
    }

    fn claim(&mut self, count: usize, short: bool) -> Vec<(usize, i64)> {
        let over = |entry: &Entry| match entry.state {
            State::RestingUntil(until) | State::HeldUntil(until) => until <= self.now_s,
            State::Waiting => false,
        };
        let back: Vec<usize> =
            self.entries.iter().filter(|(_, entry)| over(entry)).map(|(id, _)| *id).collect();
        for id in back {
            self.wait_again(id);
        }
        self.arrange();
        let mut claimed = Vec::new();
        while claimed.len() < count {
            // The next of each lane, as (turn, entry).
            let nexts = [0, 1, 2].map(|lane| {
                let flows = self.turns.iter().filter(|(flow, _)| flow.0 == lane);
                let firsts =
                    flows.filter_map(|(flow, turn)| Some((*turn, *self.waiting(*flow, short).first()?)));
                firsts.filter(|(_, first)| self.place(*first) != Place::Parked).min()
            });
            let aged = self.aged[usize::from(short)].iter().map(|(flow, turn)| (*turn, *flow)).min();
            let payer = aged.filter(|(turn, _)| nexts[0].is_none_or(|(premium, _)| *turn < premium));
            let next = match payer {
                Some((_, (lane, _))) => nexts[lane as usize],
                None => nexts[0].or(nexts[1]).or(nexts[2]),
            };
            let Some((turn, id)) = next else { break };
            let last = self.ticket();
            let entry = self.entries.get_mut(&id).unwrap();
            entry.attempts += 1;
            entry.state = State::HeldUntil(self.now_s + LEASE_S);
            entry.turn = turn;
            let flow = entry.flow;
            claimed.push((id, entry.attempts));
            self.turns.insert(flow, last);
            if let Some((_, payer)) = payer {
                let paid = if payer == flow { last } else { self.ticket() };
                self.aged[usize::from(short)].insert(payer, paid);
            }
            self.arrange();
        }
        claimed
    }

    fn held(&mut self, id: usize, attempts: i64) -> Option<&mut Entry> {
        self.entries
            .get_mut(&id)
            .filter(|entry| entry.attempts == attempts && matches!(entry.state, State::HeldUntil(_)))
    }

    /// Serves the flows in turn until it comes to the entry.
    fn position(&self, id: usize) -> Option<u32> {
        let entry = self.entries.get(&id).filter(|entry| entry.state == State::Waiting)?;
        let place_of = |flow: &Flow| self.place(self.waiting(*flow, false)[0]);
        let lane = entry.flow.0;
        let parked = place_of(&entry.flow) == Place::Parked;
        let mut served = 0;
        let mut ring: Vec<(u64, Vec<usize>)> = Vec::new();
        for (flow, turn) in self.turns.iter().filter(|(flow, _)| flow.0 == lane) {
            let waiting = self.waiting(*flow, false);
            if (place_of(flow) == Place::Parked) == parked {
                ring.push((*turn, waiting));
            } else if parked {
                served += waiting.len() as u32;
            }
        }
        ring.sort();
        loop {
            for (_, flow) in ring.iter_mut().filter(|(_, flow)| !flow.is_empty()) {
                served += 1;
                if flow.remove(0) == id {
                    return Some(served);
                }
            }
        }
    }

    fn stats(&self) -> [u64; 5] {
        let count = |wanted: &dyn Fn(&Entry) -> bool| {
            self.entries.values().filter(|entry| wanted(entry)).count() as u64
        };
        let lane = |lane| count(&|entry| entry.state == State::Waiting && entry.flow.0 == lane);
        let resting = count(&|entry| matches!(entry.state, State::RestingUntil(_)));
        let held = count(&|entry| matches!(entry.state, State::HeldUntil(_)));
        [lane(0), lane(1), lane(2), resting, held]
    }
}

/// A queue, and how another process finds it.
struct Store<'a> {
    test: &'a TestQueue,
    url: Option<String>,
    namespace: String,
    clock: Clock,
}

impl Store<'_> {
    async fn open(&self) -> Queue {
        let (url, db) = (self.url.as_deref(), &self.test.database.db);
        Queue::connect_in(url, &self.namespace, db, self.clock.clone()).await.unwrap()
    }

    /// What the store holds of entries and their users, or of anything in Redis.
    async fn remains(&self) -> Vec<String> {
        if self.url.is_some() {
            return redis_keys(&self.namespace).await;
        }
        self.test.rows_of_entries().await
    }
}

/// Does what the operations say to both, and fails where they differ.
async fn compare(store: &Store<'_>, operations: &[Operation]) -> Result<(), TestCaseError> {
    let ids: Vec<Uuid> = (0..IDS).map(|_| Uuid::now_v7()).collect();
    let users: Vec<Uuid> = (0..USERS).map(|_| Uuid::now_v7()).collect();
    let mut queue = store.open().await;
    let mut model = Model::default();
    let mut claims: Vec<(usize, Delivery)> = Vec::new();
    let newest =
        |claims: &[(usize, Delivery)], back: usize| claims.len().checked_sub(back + 1).map(|at| claims[at]);
    for operation in operations {
        match operation {
            Operation::Enqueue(news) => {
                let message = |new: &New| Message {
                    kind: JobKind::Simulation,
                    id: ids[new.id],
                    user_id: users[new.user],
                    priority: new.priority,
                    short: new.short,
                    max_concurrent: new.limit,
                };
                news.iter().for_each(|new| model.enqueue(*new));
                queue.enqueue_many(&news.iter().map(message).collect::<Vec<_>>()).await.unwrap();
            }
            Operation::Claim(count, short) => {
                let expected = model.claim(*count, *short);
                let claimed = match short {
                    true => queue.claim_short("worker", LEASE, *count).await,
                    false => queue.claim("worker", LEASE, *count).await,
                }
                .unwrap();
                let found: Vec<(usize, i64)> = claimed
                    .iter()
                    .map(|claim| (ids.iter().position(|id| *id == claim.id).unwrap(), claim.attempts))
                    .collect();
                prop_assert_eq!(found, expected.clone(), "claim");
                claims.extend(expected.iter().map(|(id, _)| *id).zip(claimed));
            }
            Operation::Ack(back) => {
                let Some((id, delivery)) = newest(&claims, *back) else { continue };
                let expected = model.held(id, delivery.attempts).is_some();
                if expected {
                    model.entries.remove(&id);
                }
                prop_assert_eq!(queue.ack(&delivery).await.unwrap(), expected, "ack");
            }
            Operation::Heartbeat(back) => {
                let Some((id, delivery)) = newest(&claims, *back) else { continue };
                let until = model.now_s + LEASE_S;
                let expected = model.held(id, delivery.attempts);
                let held = expected.is_some();
                if let Some(entry) = expected {
                    entry.state = State::HeldUntil(until);
                }
                prop_assert_eq!(queue.heartbeat(&delivery, LEASE).await.unwrap(), held, "heartbeat");
            }
            Operation::Retry(back, delayed) => {
                let Some((id, delivery)) = newest(&claims, *back) else { continue };
                let until = model.now_s + DELAY_S;
                let expected = model.held(id, delivery.attempts);
                let held = expected.is_some();
                match expected {
                    Some(entry) if *delayed => entry.state = State::RestingUntil(until),
                    Some(_) => model.wait_again(id),
                    None => {}
                }
                let delay = Duration::from_secs(if *delayed { DELAY_S } else { 0 });
                prop_assert_eq!(queue.retry(&delivery, delay).await.unwrap(), held, "retry");
            }
            Operation::Cancel(id) => {
                let known = model.entries.get(id);
                let expected = known.is_some_and(|entry| !matches!(entry.state, State::HeldUntil(_)));
                if expected {
                    model.entries.remove(id);
                }
                prop_assert_eq!(queue.cancel(ids[*id]).await.unwrap(), expected, "cancel");
            }
            Operation::Positions => {
                for (id, uuid) in ids.iter().enumerate() {
                    let place = queue.position(*uuid).await.unwrap();
                    prop_assert_eq!(place, model.position(id), "the position of {}", id);
                }
            }
            Operation::Pass(steps) => {
                model.now_s += steps * STEP_S;
                store.clock.advance(Duration::from_secs(steps * STEP_S));
            }
            Operation::Restart => queue = store.open().await,
        }
        model.arrange();
        let Stats { premium, standard, background, resting, held } = queue.stats().await.unwrap();
        let found = [premium.waiting, standard.waiting, background.waiting, resting, held];
        prop_assert_eq!(found, model.stats(), "after {:?}", operation);
    }
    // Whatever happened, what is done in the end leaves nothing behind.
    for id in &ids {
        queue.cancel(*id).await.unwrap();
    }
    store.clock.advance(LEASE);
    queue.claim("worker", LEASE, 0).await.unwrap();
    for id in &ids {
        queue.cancel(*id).await.unwrap();
    }
    prop_assert_eq!(store.remains().await, Vec::<String>::new());
    Ok(())
}

/// Runs the cases in one runtime, each against an empty queue.
fn check(kind: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let tests = runtime.block_on(TestQueue::all());
    let test = tests.into_iter().find(|test| test.kind == kind).unwrap();
    let config = ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(operations in vec(operation(), 1..60))| {
        runtime.block_on(async {
            test.database.db.execute_unprepared("DELETE FROM queue_entries").await.unwrap();
            let url = redis_url().filter(|_| kind == "redis");
            let namespace = format!("test-{}", Uuid::new_v4());
            let store = Store { test: &test, url, namespace, clock: Clock::default() };
            compare(&store, &operations).await
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
