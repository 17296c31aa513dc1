//! Users take turns inside a lane, and short jobs have an order of their own.

use std::time::Duration;

use entity::status::Priority;
use uuid::Uuid;
use worker::queue::{Delivery, Message, Queue};

use crate::support::{TestQueue, message_of, redis_keys};

const LEASE: Duration = Duration::from_secs(30);
const HOUR: Duration = Duration::from_secs(3_600);
const NOW: Duration = Duration::ZERO;

async fn enqueued<const N: usize>(queue: &Queue, user_id: Uuid, priority: Priority) -> [Message; N] {
    let messages = std::array::from_fn(|_| message_of(user_id, priority));
    queue.enqueue_many(&messages).await.unwrap();
    messages
}

async fn short(queue: &Queue, user_id: Uuid, priority: Priority) -> Message {
    let message = Message { short: true, ..message_of(user_id, priority) };
    queue.enqueue(&message).await.unwrap();
    message
}

async fn claim(queue: &Queue) -> Delivery {
    queue.claim("worker", LEASE, 1).await.unwrap()[0]
}

async fn claim_ids(queue: &Queue) -> Vec<Uuid> {
    queue.claim("worker", LEASE, 100).await.unwrap().iter().map(|delivery| delivery.id).collect()
}

async fn claim_short(queue: &Queue) -> Option<Uuid> {
    queue.claim_short("worker", HOUR, 1).await.unwrap().first().map(|delivery| delivery.id)
}

fn users<const N: usize>() -> [Uuid; N] {
    std::array::from_fn(|_| Uuid::now_v7())
}

#[tokio::test]
async fn users_take_turns_and_positions_say_so() {
    for TestQueue { queue, kind, .. } in &TestQueue::all().await {
        let [ada, bob, cid] = users();
        let [a1, a2, a3] = enqueued(queue, ada, Priority::Normal).await;
        let [b1] = enqueued(queue, bob, Priority::Normal).await;
        let [c1, c2] = enqueued(queue, cid, Priority::Normal).await;
        let order = [a1, b1, c1, a2, c2, a3];
        for (at, message) in order.iter().enumerate() {
            let position = queue.position(message.id).await.unwrap();
            assert_eq!(position, Some(at as u32 + 1), "{kind}: {at}");
        }
        assert_eq!(claim(queue).await.id, a1.id, "{kind}");
        // Who comes while others wait joins at the end, also behind those who have been served.
        let [late] = enqueued(queue, Uuid::now_v7(), Priority::Normal).await;
        assert_eq!(queue.position(late.id).await.unwrap(), Some(4), "{kind}");
        let rest = [b1, c1, a2, late, c2, a3].map(|message| message.id);
        assert_eq!(claim_ids(queue).await, rest, "{kind}");
    }
}

#[tokio::test]
async fn a_thousand_jobs_of_one_user_hold_up_nobody() {
    for TestQueue { queue, kind, .. } in &TestQueue::all().await {
        let [ada, bob] = users();
        let many: [Message; 3_000] = enqueued(queue, ada, Priority::High).await;
        let [one] = enqueued(queue, bob, Priority::High).await;
        assert_eq!(queue.position(one.id).await.unwrap(), Some(2), "{kind}");
        assert_eq!(queue.position(many[2_999].id).await.unwrap(), Some(3_001), "{kind}");
        claim(queue).await;
        assert_eq!(claim(queue).await.id, one.id, "{kind}");
        // Deep in a flow, what was canceled before does not count.
        for at in [1, 500, 1_500, 2_998] {
            assert!(queue.cancel(many[at].id).await.unwrap(), "{kind}");
        }
        assert_eq!(queue.position(many[2_999].id).await.unwrap(), Some(2_995), "{kind}");
        assert_eq!(queue.position(many[1_400].id).await.unwrap(), Some(1_398), "{kind}");
    }
}

#[tokio::test]
async fn what_comes_back_finds_its_turn_again() {
    for TestQueue { queue, clock, kind, .. } in &TestQueue::all().await {
        let [ada, bob, cid] = users();
        let [a1, a2] = enqueued(queue, ada, Priority::Normal).await;
        let [b1, b2] = enqueued(queue, bob, Priority::Normal).await;
        let [c1] = enqueued(queue, cid, Priority::Normal).await;
        let lost = claim(queue).await;
        let returned = claim(queue).await;
        assert_eq!([lost.id, returned.id], [a1.id, b1.id], "{kind}");
        assert!(queue.retry(&returned, NOW).await.unwrap(), "{kind}");
        assert_eq!(queue.position(b1.id).await.unwrap(), Some(1), "{kind}: before Cid, who comes after Bob");
        clock.advance(LEASE);
        let expected = [a1, b1, c1, a2, b2].map(|message| message.id);
        assert_eq!(claim_ids(queue).await, expected, "{kind}");
        // A flow that has ended begins again where its entry was claimed.
        let [d1] = enqueued(queue, Uuid::now_v7(), Priority::Low).await;
        let [e1] = enqueued(queue, Uuid::now_v7(), Priority::Low).await;
        let resting = claim(queue).await;
        assert_eq!(resting.id, d1.id, "{kind}");
        assert!(queue.retry(&resting, Duration::from_secs(1)).await.unwrap(), "{kind}");
        clock.advance(Duration::from_secs(1));
        assert_eq!(claim_ids(queue).await, [d1.id, e1.id], "{kind}");
    }
}

#[tokio::test]
async fn an_aged_flow_takes_its_turn_among_premium_and_goes_home_when_it_has_caught_up() {
    for TestQueue { queue, clock, kind, .. } in &TestQueue::all().await {
        let [old, premium, other] = users();
        let [o1, o2] = enqueued(queue, old, Priority::Normal).await;
        clock.advance(Duration::from_secs(50));
        let [o3] = enqueued(queue, old, Priority::Normal).await;
        let [s1] = enqueued(queue, other, Priority::Normal).await;
        clock.advance(Duration::from_secs(10));
        let [p1, p2, p3] = enqueued(queue, premium, Priority::High).await;
        // Two have aged and take turns with premium; of their lane, another's first comes before the second of them. The third
        // has not aged, and waits like its lane.
        for (message, place) in [(o1, 1), (s1, 2), (o2, 3), (o3, 4), (p1, 1), (p3, 3)] {
            assert_eq!(queue.position(message.id).await.unwrap(), Some(place), "{kind}");
        }
        let expected = [o1, p1, s1, p2, o2, p3, o3].map(|message| message.id);
        assert_eq!(claim_ids(queue).await, expected, "{kind}");
    }
}

#[tokio::test]
async fn short_jobs_alone_are_served_in_the_same_order() {
    for TestQueue { queue, clock, kind, .. } in &TestQueue::all().await {
        let [ada, bob] = users();
        let [long] = enqueued(queue, ada, Priority::High).await;
        let s1 = short(queue, ada, Priority::Normal).await;
        let s2 = short(queue, ada, Priority::Normal).await;
        let b1 = short(queue, bob, Priority::Normal).await;
        let low = short(queue, bob, Priority::Low).await;
        let high = short(queue, ada, Priority::High).await;
        assert_eq!(queue.position(s2.id).await.unwrap(), Some(3), "{kind}");
        for expected in [high, s1, b1, s2] {
            assert_eq!(claim_short(queue).await, Some(expected.id), "{kind}");
        }
        clock.advance(Duration::from_secs(600));
        let premium = short(queue, Uuid::now_v7(), Priority::High).await;
        assert_eq!(claim_short(queue).await, Some(low.id), "{kind}: it has aged");
        assert_eq!(claim_short(queue).await, Some(premium.id), "{kind}");
        assert_eq!(claim_short(queue).await, None, "{kind}: the rest is long");
        assert_eq!(claim_ids(queue).await, [long.id], "{kind}");
    }
}

#[tokio::test]
async fn a_user_who_was_served_a_short_job_has_had_a_turn() {
    for TestQueue { queue, kind, .. } in &TestQueue::all().await {
        let [ada, bob] = users();
        let [a1] = enqueued(queue, ada, Priority::Normal).await;
        let a2 = short(queue, ada, Priority::Normal).await;
        let b1 = short(queue, bob, Priority::Normal).await;
        let [b2] = enqueued(queue, bob, Priority::Normal).await;
        assert_eq!(claim_short(queue).await, Some(a2.id), "{kind}");
        let expected = [b1, a1, b2].map(|message| message.id);
        assert_eq!(claim_ids(queue).await, expected, "{kind}");
    }
}

#[tokio::test]
async fn a_queue_that_was_emptied_leaves_nothing_of_its_users_behind() {
    for test in &TestQueue::all().await {
        let TestQueue { queue, clock, kind, .. } = test;
        for user_id in users::<5>() {
            for priority in [Priority::High, Priority::Normal, Priority::Low] {
                let [_, canceled] = enqueued(queue, user_id, priority).await;
                short(queue, user_id, priority).await;
                queue.cancel(canceled.id).await.unwrap();
                let limited = Message { max_concurrent: 1, ..message_of(user_id, priority) };
                queue.enqueue(&limited).await.unwrap();
            }
        }
        let mut done = 0;
        while done < 45 {
            let claimed = queue.claim("worker", LEASE, 7).await.unwrap();
            for (at, delivery) in claimed.iter().enumerate() {
                match at % 3 {
                    // It is lost, and comes back.
                    0 if delivery.attempts == 1 => {}
                    1 if delivery.attempts < 3 => {
                        assert!(queue.retry(delivery, NOW).await.unwrap(), "{kind}")
                    }
                    _ => {
                        assert!(queue.ack(delivery).await.unwrap(), "{kind}");
                        done += 1;
                    }
                }
            }
            clock.advance(LEASE);
        }
        assert_eq!(queue.stats().await.unwrap(), worker::queue::Stats::default(), "{kind}");
        if *kind == "redis" {
            assert_eq!(redis_keys(&test.namespace).await, Vec::<String>::new());
        } else {
            let left = test.rows_of_entries().await;
            assert!(left.is_empty(), "{left:?}");
        }
    }
}
