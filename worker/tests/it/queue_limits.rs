//! Jobs wait for others of their user, and keep nobody else waiting.

use std::time::Duration;

use entity::status::Priority;
use uuid::Uuid;
use worker::queue::{Delivery, Message, Queue};

use crate::support::{TestQueue, message, message_of};

const LEASE: Duration = Duration::from_secs(30);
const NOW: Duration = Duration::ZERO;

/// A job of a user who may run so many at a time.
async fn limited(queue: &Queue, user_id: Uuid, priority: Priority, max_concurrent: u32) -> Message {
    let message = Message { max_concurrent, ..message_of(user_id, priority) };
    queue.enqueue(&message).await.unwrap();
    message
}

async fn claim(queue: &Queue) -> Option<Delivery> {
    queue.claim("worker", LEASE, 1).await.unwrap().pop()
}

async fn claim_ids(queue: &Queue) -> Vec<Uuid> {
    queue.claim("worker", LEASE, 100).await.unwrap().iter().map(|delivery| delivery.id).collect()
}

#[tokio::test]
async fn a_user_runs_so_many_jobs_at_a_time_and_the_next_starts_when_one_has_ended() {
    for TestQueue { queue, kind, .. } in &TestQueue::all().await {
        let ada = Uuid::now_v7();
        let mut mine = Vec::new();
        for _ in 0..4 {
            mine.push(limited(queue, ada, Priority::Normal, 2).await.id);
        }
        let other = message(Priority::Low);
        queue.enqueue(&other).await.unwrap();
        let claimed = queue.claim("worker", LEASE, 10).await.unwrap();
        let ids: Vec<Uuid> = claimed.iter().map(|delivery| delivery.id).collect();
        assert_eq!(ids, [mine[0], mine[1], other.id], "{kind}: two, and then whoever can run");
        assert_eq!(claim(queue).await, None, "{kind}");
        let stats = queue.stats().await.unwrap();
        assert_eq!((stats.standard.waiting, stats.held), (2, 3), "{kind}");

        assert!(queue.ack(&claimed[0]).await.unwrap(), "{kind}");
        assert_eq!(claim(queue).await.map(|next| next.id), Some(mine[2]), "{kind}");
        assert_eq!(claim(queue).await, None, "{kind}");
    }
}

#[tokio::test]
async fn a_worker_is_woken_when_a_job_that_waited_for_another_can_run() {
    for TestQueue { queue, kind, .. } in &TestQueue::all().await {
        let ada = Uuid::now_v7();
        limited(queue, ada, Priority::Normal, 1).await;
        let next = limited(queue, ada, Priority::Normal, 1).await;
        let running = claim(queue).await.unwrap();
        let mut wakeups = queue.wakeups();
        if *kind == "redis" {
            // The subscription says when it stands.
            wakeups.changed().await.unwrap();
        }
        wakeups.borrow_and_update();
        assert!(queue.ack(&running).await.unwrap(), "{kind}");
        wakeups.changed().await.unwrap();
        assert_eq!(claim(queue).await.map(|delivery| delivery.id), Some(next.id), "{kind}");
    }
}

#[tokio::test]
async fn a_lost_lease_and_a_hand_back_make_room() {
    for TestQueue { queue, clock, kind, .. } in &TestQueue::all().await {
        let ada = Uuid::now_v7();
        let first = limited(queue, ada, Priority::Normal, 1).await;
        let second = limited(queue, ada, Priority::Normal, 1).await;
        let lost = claim(queue).await.unwrap();
        clock.advance(LEASE);
        let again = claim(queue).await.unwrap();
        assert_eq!((again.id, again.attempts), (first.id, 2), "{kind}");
        assert!(!queue.ack(&lost).await.unwrap(), "{kind}");
        assert_eq!(claim(queue).await, None, "{kind}: a lost claim makes room once");
        assert!(queue.retry(&again, Duration::from_secs(5)).await.unwrap(), "{kind}");
        let running = claim(queue).await.unwrap();
        assert_eq!(running.id, second.id, "{kind}: what rests does not run");
        clock.advance(Duration::from_secs(5));
        assert_eq!(claim(queue).await, None, "{kind}");
        assert!(queue.retry(&running, NOW).await.unwrap(), "{kind}");
        assert_eq!(claim_ids(queue).await, [first.id], "{kind}");
    }
}

#[tokio::test]
async fn who_was_passed_over_keeps_the_turn() {
    for TestQueue { queue, kind, .. } in &TestQueue::all().await {
        let [ada, bob] = [Uuid::now_v7(), Uuid::now_v7()];
        let first = limited(queue, ada, Priority::Normal, 1).await;
        let second = limited(queue, ada, Priority::Normal, 1).await;
        let running = claim(queue).await.unwrap();
        assert_eq!(running.id, first.id, "{kind}");
        for _ in 0..3 {
            queue.enqueue(&message_of(bob, Priority::Normal)).await.unwrap();
        }
        let late = message(Priority::Normal);
        queue.enqueue(&late).await.unwrap();
        claim(queue).await.unwrap();
        assert!(queue.ack(&running).await.unwrap(), "{kind}");
        assert_eq!(claim(queue).await.map(|next| next.id), Some(second.id), "{kind}: before the late one");
        assert_eq!(claim(queue).await.map(|next| next.id), Some(late.id), "{kind}");
    }
}

#[tokio::test]
async fn jobs_that_wait_for_others_count_after_those_that_can_run() {
    for TestQueue { queue, kind, .. } in &TestQueue::all().await {
        let [ada, bob, cid] = [Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7()];
        limited(queue, ada, Priority::Normal, 1).await;
        limited(queue, bob, Priority::Normal, 1).await;
        let (ran, also) = (claim(queue).await.unwrap(), claim(queue).await.unwrap());
        let [a1, a2, b1] = [
            limited(queue, ada, Priority::Normal, 1).await,
            limited(queue, ada, Priority::Normal, 1).await,
            limited(queue, bob, Priority::Normal, 1).await,
        ];
        let free = [message_of(cid, Priority::Normal), message_of(cid, Priority::Normal)];
        queue.enqueue_many(&free).await.unwrap();
        for (at, waiting) in [free[0], free[1], a1, b1, a2].iter().enumerate() {
            let position = queue.position(waiting.id).await.unwrap();
            assert_eq!(position, Some(at as u32 + 1), "{kind}: {at}");
        }
        assert!(queue.ack(&also).await.unwrap(), "{kind}");
        assert_eq!(queue.position(b1.id).await.unwrap(), Some(1), "{kind}");
        assert_eq!(queue.position(a2.id).await.unwrap(), Some(5), "{kind}");
        assert!(queue.cancel(a1.id).await.unwrap(), "{kind}");
        assert_eq!(queue.position(a2.id).await.unwrap(), Some(4), "{kind}");
        assert!(queue.ack(&ran).await.unwrap(), "{kind}");
        assert_eq!(queue.position(a2.id).await.unwrap(), Some(1), "{kind}");
    }
}

#[tokio::test]
async fn a_limit_counts_over_all_lanes_and_stops_no_job_without_one() {
    for TestQueue { queue, kind, .. } in &TestQueue::all().await {
        let ada = Uuid::now_v7();
        let free = message_of(ada, Priority::Low);
        queue.enqueue(&free).await.unwrap();
        let high = limited(queue, ada, Priority::High, 1).await;
        let normal = limited(queue, ada, Priority::Normal, 1).await;
        // Its plan has grown since: this one may run beside one other.
        let more = Message { short: true, max_concurrent: 2, ..message_of(ada, Priority::Normal) };
        queue.enqueue(&more).await.unwrap();
        assert_eq!(claim_ids(queue).await, [high.id, free.id], "{kind}");
        let short = queue.claim_short("worker", LEASE, 5).await.unwrap();
        assert_eq!(short.iter().map(|delivery| delivery.id).collect::<Vec<_>>(), [more.id], "{kind}");
        assert_eq!(queue.position(normal.id).await.unwrap(), Some(1), "{kind}");
        assert!(queue.ack(&short[0]).await.unwrap(), "{kind}");
        assert_eq!(claim(queue).await, None, "{kind}: one still runs");
    }
}
