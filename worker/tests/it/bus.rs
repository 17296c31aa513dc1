//! Notices reach every reader, and a reader who lost some is told.

use futures_util::StreamExt;
use uuid::Uuid;
use worker::bus::{Bus, Notice};

use crate::support::redis_url;

async fn buses() -> Vec<Bus> {
    let mut buses = vec![Bus::connect_in(None, "unused").await.unwrap()];
    if let Some(url) = redis_url() {
        buses.push(Bus::connect_in(Some(&url), &format!("test-{}", Uuid::new_v4())).await.unwrap());
    }
    buses
}

/// Publishes until the reader hears: over Redis a subscription takes a moment to stand.
async fn heard(bus: &Bus, reader: &mut (impl futures_util::Stream<Item = Notice> + Unpin), notice: Notice) {
    loop {
        bus.publish(&notice).await.unwrap();
        let wait = tokio::time::timeout(std::time::Duration::from_millis(50), reader.next()).await;
        if let Ok(next) = wait {
            assert_eq!(next, Some(notice));
            return;
        }
    }
}

#[tokio::test]
async fn every_reader_hears_every_notice() {
    for bus in buses().await {
        let mut readers = [bus.subscribe(), bus.subscribe()];
        let first = Notice::CancelRequested { job_id: Uuid::now_v7() };
        heard(&bus, &mut readers[0], first).await;
        let second = Notice::JobUpdated { job_id: Uuid::now_v7(), sequence: 7 };
        bus.publish(&second).await.unwrap();
        for reader in &mut readers {
            loop {
                match reader.next().await {
                    Some(notice) if notice == first => {}
                    notice => break assert_eq!(notice, Some(second)),
                }
            }
        }
    }
}

#[tokio::test]
async fn a_slow_reader_is_told_that_it_lost_notices() {
    let bus = Bus::connect_in(None, "unused").await.unwrap();
    let mut reader = bus.subscribe();
    for sequence in 0..3_000 {
        bus.publish(&Notice::JobUpdated { job_id: Uuid::nil(), sequence }).await.unwrap();
    }
    assert_eq!(reader.next().await, Some(Notice::Lagged));
    let oldest_kept = Notice::JobUpdated { job_id: Uuid::nil(), sequence: 3_000 - 1_024 };
    assert_eq!(reader.next().await, Some(oldest_kept));
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_ignored() {
    let Some(url) = redis_url() else { return };
    let namespace = format!("test-{}", Uuid::new_v4());
    let bus = Bus::connect_in(Some(&url), &namespace).await.unwrap();
    let mut reader = bus.subscribe();
    let first = Notice::JobUpdated { job_id: Uuid::nil(), sequence: 1 };
    heard(&bus, &mut reader, first).await;
    let mut connection = redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap();
    for message in ["nonsense", r#"{"v":9,"type":"job_updated"}"#, r#"{"v":1,"type":"unheard_of"}"#] {
        let publish = redis::cmd("PUBLISH").arg(format!("{{{namespace}}}:bus")).arg(message).clone();
        publish.exec_async(&mut connection).await.unwrap();
    }
    let last = Notice::JobUpdated { job_id: Uuid::nil(), sequence: 2 };
    bus.publish(&last).await.unwrap();
    loop {
        match reader.next().await {
            Some(notice) if notice == first => {}
            notice => break assert_eq!(notice, Some(last)),
        }
    }
}
