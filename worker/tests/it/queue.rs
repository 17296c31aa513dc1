//! What the queue promises, the same on both stores.

use std::{collections::HashSet, time::Duration};

use entity::status::Priority;
use sea_orm::ConnectionTrait;
use uuid::Uuid;
use worker::queue::{Delivery, LaneStats, Message, Queue, Stats};

use crate::support::{TestQueue, delete_key, message, message_of, redis_keys, redis_url};

const LEASE: Duration = Duration::from_secs(30);
const NOW: Duration = Duration::ZERO;

async fn enqueued(queue: &Queue, priority: Priority) -> Message {
    let message = message(priority);
    queue.enqueue(&message).await.unwrap();
    message
}

async fn claim(queue: &Queue) -> Option<Delivery> {
    queue.claim("worker", LEASE, 1).await.unwrap().pop()
}

async fn claim_ids(queue: &Queue) -> Vec<Uuid> {
    queue.claim("worker", LEASE, 100).await.unwrap().iter().map(|delivery| delivery.id).collect()
}

fn ids<const N: usize>(messages: [Message; N]) -> Vec<Uuid> {
    messages.map(|message| message.id).to_vec()
}

#[tokio::test]
async fn better_lanes_first_and_first_in_first_out_inside_a_lane() {
    for TestQueue { queue, kind, .. } in &TestQueue::all().await {
        let low = enqueued(queue, Priority::Low).await;
        let normal = enqueued(queue, Priority::Normal).await;
        let high = enqueued(queue, Priority::High).await;
        let later = enqueued(queue, Priority::High).await;
        assert_eq!(claim_ids(queue).await, ids([high, later, normal, low]), "{kind}");
        assert_eq!(claim(queue).await, None, "{kind}");
    }
}

#[tokio::test]
async fn an_entry_that_waited_long_enough_is_served_as_premium() {
    for TestQueue { queue, clock, kind, .. } in &TestQueue::all().await {
        let low = enqueued(queue, Priority::Low).await;
        clock.advance(Duration::from_secs(540));
        let normal = enqueued(queue, Priority::Normal).await;
        clock.advance(Duration::from_secs(50));
        let high = enqueued(queue, Priority::High).await;
        // Nobody has aged: the background entry waited 590 s of its 600, the standard one 50 s of its 60.
        assert_eq!(claim(queue).await.map(|delivery| delivery.id), Some(high.id), "{kind}");
        clock.advance(Duration::from_secs(10));
        let high = enqueued(queue, Priority::High).await;
        assert_eq!(claim_ids(queue).await, ids([low, normal, high]), "{kind}");
    }
}

#[tokio::test]
async fn one_id_is_queued_once() {
    for TestQueue { queue, kind, .. } in &TestQueue::all().await {
        let first = enqueued(queue, Priority::Normal).await;
        let other = enqueued(queue, Priority::Normal).await;
        queue.enqueue(&first).await.unwrap();
        let delivery = claim(queue).await.unwrap();
        // Neither while it waits nor while it is held does it come twice.
        queue.enqueue(&first).await.unwrap();
        assert_eq!(claim_ids(queue).await, ids([other]), "{kind}");
        assert!(queue.ack(&delivery).await.unwrap(), "{kind}");
        queue.enqueue(&first).await.unwrap();
        assert_eq!(claim_ids(queue).await, ids([first]), "{kind}");
    }
}

#[tokio::test]
async fn a_lease_that_runs_out_frees_the_entry_and_shuts_its_worker_out() {
    for TestQueue { queue, clock, kind, .. } in &TestQueue::all().await {
        let first = enqueued(queue, Priority::Normal).await;
        let second = enqueued(queue, Priority::Normal).await;
        let lost = claim(queue).await.unwrap();
        assert_eq!((lost.id, lost.attempts), (first.id, 1), "{kind}");
        clock.advance(LEASE);
        let again = claim(queue).await.unwrap();
        assert_eq!((again.id, again.attempts), (first.id, 2), "{kind}: back at its old place");
        assert!(!queue.ack(&lost).await.unwrap(), "{kind}");
        assert!(!queue.retry(&lost, NOW).await.unwrap(), "{kind}");
        assert!(!queue.heartbeat(&lost, LEASE).await.unwrap(), "{kind}");
        assert!(queue.heartbeat(&again, LEASE).await.unwrap(), "{kind}");
        assert_eq!(claim_ids(queue).await, ids([second]), "{kind}");
    }
}

#[tokio::test]
async fn a_heartbeat_keeps_the_lease() {
    for TestQueue { queue, clock, kind, .. } in &TestQueue::all().await {
        enqueued(queue, Priority::Normal).await;
        let delivery = claim(queue).await.unwrap();
        for _ in 0..3 {
            clock.advance(LEASE - Duration::from_secs(5));
            assert!(queue.heartbeat(&delivery, LEASE).await.unwrap(), "{kind}");
            assert_eq!(claim(queue).await, None, "{kind}");
        }
        assert!(queue.ack(&delivery).await.unwrap(), "{kind}");
    }
}

#[tokio::test]
async fn a_retry_rests_and_a_release_does_not() {
    for TestQueue { queue, clock, kind, .. } in &TestQueue::all().await {
        let first = enqueued(queue, Priority::Normal).await;
        let second = enqueued(queue, Priority::Normal).await;
        let delivery = claim(queue).await.unwrap();
        assert!(queue.retry(&delivery, Duration::from_secs(20)).await.unwrap(), "{kind}");
        assert!(!queue.ack(&delivery).await.unwrap(), "{kind}: a claim that was given back is over");
        assert_eq!(queue.position(first.id).await.unwrap(), None, "{kind}");
        assert_eq!(queue.position(second.id).await.unwrap(), Some(1), "{kind}");
        clock.advance(Duration::from_secs(20));
        let delivery = claim(queue).await.unwrap();
        assert_eq!((delivery.id, delivery.attempts), (first.id, 2), "{kind}");
        assert!(queue.retry(&delivery, NOW).await.unwrap(), "{kind}");
        assert_eq!(claim_ids(queue).await, ids([first, second]), "{kind}");
    }
}

#[tokio::test]
async fn what_is_canceled_is_never_claimed_and_what_is_held_is_not_canceled() {
    for TestQueue { queue, clock, kind, .. } in &TestQueue::all().await {
        let waiting = enqueued(queue, Priority::Normal).await;
        assert!(queue.cancel(waiting.id).await.unwrap(), "{kind}");
        assert!(!queue.cancel(waiting.id).await.unwrap(), "{kind}");
        assert_eq!(claim(queue).await, None, "{kind}");

        let resting = enqueued(queue, Priority::Normal).await;
        let delivery = claim(queue).await.unwrap();
        assert!(!queue.cancel(resting.id).await.unwrap(), "{kind}");
        assert!(queue.retry(&delivery, LEASE).await.unwrap(), "{kind}");
        assert!(queue.cancel(resting.id).await.unwrap(), "{kind}");
        clock.advance(LEASE);
        assert_eq!(claim(queue).await, None, "{kind}");
        assert!(!queue.cancel(Uuid::now_v7()).await.unwrap(), "{kind}");
    }
}

#[tokio::test]
async fn the_position_counts_the_lane_from_one() {
    for TestQueue { queue, kind, .. } in &TestQueue::all().await {
        let high = enqueued(queue, Priority::High).await;
        let first = enqueued(queue, Priority::Normal).await;
        let second = enqueued(queue, Priority::Normal).await;
        for (message, place) in [(high, Some(1)), (first, Some(1)), (second, Some(2))] {
            assert_eq!(queue.position(message.id).await.unwrap(), place, "{kind}");
        }
        claim(queue).await.unwrap();
        claim(queue).await.unwrap();
        assert_eq!(queue.position(first.id).await.unwrap(), None, "{kind}: it is held");
        assert_eq!(queue.position(second.id).await.unwrap(), Some(1), "{kind}");
        assert_eq!(queue.position(Uuid::now_v7()).await.unwrap(), None, "{kind}");
    }
}

#[tokio::test]
async fn the_statistics_count_every_entry_once() {
    for TestQueue { queue, clock, kind, .. } in &TestQueue::all().await {
        for priority in [Priority::High, Priority::Normal, Priority::Normal, Priority::Low, Priority::Low] {
            enqueued(queue, priority).await;
        }
        claim(queue).await.unwrap();
        let resting = claim(queue).await.unwrap();
        queue.retry(&resting, LEASE).await.unwrap();
        clock.advance(Duration::from_secs(7));
        let stats = queue.stats().await.unwrap();
        let Stats { premium, standard, background, resting, held } = stats;
        assert_eq!((premium.waiting, standard.waiting, background.waiting), (0, 1, 2), "{kind}");
        assert_eq!((resting, held), (1, 1), "{kind}");
        assert_eq!(premium, LaneStats::default(), "{kind}");
        // Real time passes too, and never backwards.
        assert!(background.oldest_wait_ms >= 7_000, "{kind}: {stats:?}");
    }
}

#[tokio::test]
async fn a_job_that_is_done_leaves_nothing_behind() {
    for test in &TestQueue::all().await {
        let TestQueue { queue, clock, kind, .. } = test;
        for _ in 0..3 {
            enqueued(queue, Priority::High).await;
        }
        let done = claim(queue).await.unwrap();
        queue.ack(&done).await.unwrap();
        let retried = claim(queue).await.unwrap();
        queue.retry(&retried, LEASE).await.unwrap();
        queue.cancel(retried.id).await.unwrap();
        claim(queue).await.unwrap();
        clock.advance(LEASE);
        let lost = claim(queue).await.unwrap();
        queue.ack(&lost).await.unwrap();
        assert_eq!(queue.stats().await.unwrap(), Stats::default(), "{kind}");
        if *kind == "redis" {
            assert_eq!(redis_keys(&test.namespace).await, Vec::<String>::new());
        }
    }
}

#[tokio::test]
async fn entries_that_cannot_be_read_are_dropped_and_stop_nobody() {
    for test in &TestQueue::all().await {
        let TestQueue { queue, kind, .. } = test;
        let good = message(Priority::Normal);
        let bad = [
            ("not-a-uuid".to_owned(), r#"{"v":1,"kind":"simulation"}"#),
            (Uuid::now_v7().to_string(), "not json"),
            (Uuid::now_v7().to_string(), r#"{"v":1,"kind":"unheard-of"}"#),
            (Uuid::now_v7().to_string(), r#"{"v":2,"kind":"simulation"}"#),
        ];
        for (id, payload) in &bad {
            let message = enqueued(queue, Priority::Normal).await;
            spoil(test, &message, id, payload).await;
        }
        let gone = enqueued(queue, Priority::Normal).await;
        if *kind == "redis" {
            delete_key(&format!("{{{}}}:job:{}", test.namespace, gone.id)).await;
        } else {
            queue.cancel(gone.id).await.unwrap();
        }
        queue.enqueue(&good).await.unwrap();
        assert_eq!(claim(queue).await.map(|delivery| delivery.id), Some(good.id), "{kind}");
        assert_eq!(claim(queue).await, None, "{kind}");
        assert_eq!(queue.stats().await.unwrap().standard, LaneStats::default(), "{kind}");
        assert_eq!(queue.stats().await.unwrap().held, 1, "{kind}");
    }
}

/// Changes an entry past the queue's own door.
async fn spoil(test: &TestQueue, message: &Message, id: &str, payload: &str) {
    let TestQueue { namespace, .. } = test;
    let old = message.id;
    if test.kind == "sql" {
        let sql = format!("UPDATE queue_entries SET id = '{id}', payload = '{payload}' WHERE id = '{old}'");
        test.database.db.execute_unprepared(&sql).await.unwrap();
        return;
    }
    let client = redis::Client::open(redis_url().unwrap()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let flow = format!("{{{namespace}}}:long:1:{}", message.user_id);
    let of_flow: Vec<(String, i64)> = redis::cmd("ZRANGE")
        .arg(&flow)
        .arg(0)
        .arg(-1)
        .arg("WITHSCORES")
        .query_async(&mut connection)
        .await
        .unwrap();
    let [(waiting, since)] = of_flow.try_into().unwrap();
    let entry = |id: &str| format!("{{{namespace}}}:job:{id}");
    let known: String =
        redis::cmd("GET").arg(entry(&old.to_string())).query_async(&mut connection).await.unwrap();
    let (all_but_payload, _) = known.split_once(" {").unwrap();
    redis::pipe()
        .set(entry(id), format!("{all_but_payload} {payload}"))
        .del(entry(&old.to_string()))
        .zrem(&flow, &waiting)
        .zadd(&flow, waiting.replace(&old.to_string(), id), since)
        .exec_async(&mut connection)
        .await
        .unwrap();
}

#[tokio::test]
async fn thousands_of_lost_entries_come_back_a_bounded_number_at_a_time() {
    for TestQueue { queue, clock, kind, .. } in &TestQueue::all().await {
        const ENTRIES: usize = 1_200;
        for _ in 0..ENTRIES {
            enqueued(queue, Priority::Normal).await;
        }
        assert_eq!(queue.claim("worker", LEASE, ENTRIES).await.unwrap().len(), ENTRIES, "{kind}");
        clock.advance(LEASE);
        for waiting in [500, 1_000, 1_200, 1_200] {
            queue.claim("worker", LEASE, 0).await.unwrap();
            assert_eq!(queue.stats().await.unwrap().standard.waiting, waiting, "{kind}");
        }
        let back: HashSet<Uuid> = claim_ids(queue).await.into_iter().collect();
        assert_eq!(back.len(), 100, "{kind}: none twice");
    }
}

#[tokio::test]
async fn an_idle_worker_is_woken() {
    for TestQueue { queue, kind, .. } in &TestQueue::all().await {
        let mut wakeups = queue.wakeups();
        if *kind == "redis" {
            // The subscription says when it stands.
            wakeups.changed().await.unwrap();
        }
        wakeups.borrow_and_update();
        let message = enqueued(queue, Priority::Normal).await;
        wakeups.changed().await.unwrap();
        let delivery = claim(queue).await.unwrap();
        assert_eq!(delivery.id, message.id, "{kind}");
        wakeups.borrow_and_update();
        queue.retry(&delivery, NOW).await.unwrap();
        wakeups.changed().await.unwrap();
    }
}

#[tokio::test]
async fn many_are_queued_at_once_in_their_order() {
    for TestQueue { queue, kind, .. } in &TestQueue::all().await {
        let first = message(Priority::Normal);
        let mut messages: Vec<Message> =
            (0..1_500).map(|_| message_of(first.user_id, Priority::Normal)).collect();
        queue.enqueue(&first).await.unwrap();
        // One of them is known, and one comes twice.
        messages.insert(700, first);
        messages.push(messages[3]);
        queue.enqueue_many(&messages).await.unwrap();
        queue.enqueue_many(&[]).await.unwrap();
        let expected: Vec<Uuid> = std::iter::once(&first)
            .chain(messages.iter().filter(|message| message.id != first.id).take(1_500))
            .map(|message| message.id)
            .collect();
        let claimed = queue.claim("worker", LEASE, 2_000).await.unwrap();
        assert_eq!(claimed.iter().map(|delivery| delivery.id).collect::<Vec<_>>(), expected, "{kind}");
    }
}

#[tokio::test]
async fn the_queue_tells_which_ids_it_does_not_know() {
    for TestQueue { queue, kind, .. } in &TestQueue::all().await {
        let held = enqueued(queue, Priority::Normal).await;
        claim(queue).await.unwrap();
        let waiting = enqueued(queue, Priority::Normal).await;
        let strangers = [Uuid::now_v7(), Uuid::now_v7()];
        let asked = [strangers[0], held.id, waiting.id, strangers[1]];
        assert_eq!(queue.unknown(&asked).await.unwrap(), strangers, "{kind}");
        assert_eq!(queue.unknown(&[]).await.unwrap(), Vec::<Uuid>::new(), "{kind}");
        queue.ping().await.unwrap();
    }
}
