//! Connections to Redis that outlive its restarts.

use std::{future::Future, time::Duration};

use futures_util::StreamExt;
use redis::{
    Client, RedisError, RedisResult,
    aio::{ConnectionManager, ConnectionManagerConfig},
};

/// How long a command may take. The library's own default, half a second, would turn a pause of the server into a storm of
/// errors.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);
/// A subscription that has been silent this long is asked for a sign of life.
const SILENCE: Duration = Duration::from_secs(15);
const MAX_RECONNECT_DELAY: Duration = Duration::from_secs(5);

/// A connection that is shared by its clones and re-made when it breaks.
pub async fn connect(url: &str) -> Result<(Client, ConnectionManager), RedisError> {
    let client = Client::open(url)?;
    let config = ConnectionManagerConfig::new()
        .set_response_timeout(Some(RESPONSE_TIMEOUT))
        .set_connection_timeout(Some(Duration::from_secs(5)))
        .set_max_delay(MAX_RECONNECT_DELAY)
        .set_number_of_retries(3);
    let connection = ConnectionManager::new_with_config(client.clone(), config).await?;
    Ok((client, connection))
}

/// What a subscription brings.
pub enum Heard {
    /// The subscription stands from now on; what was published before may have been missed.
    Subscribed,
    Message(Vec<u8>),
}

/// Follows a channel, subscribing again whenever the connection breaks, until `until` is done.
pub async fn follow(
    client: Client,
    channel: String,
    mut hear: impl FnMut(Heard),
    until: impl Future<Output = ()>,
) {
    let following = async {
        let mut delay = Duration::from_millis(100);
        loop {
            let mut subscribed = false;
            let heard = |heard| {
                subscribed = true;
                hear(heard);
            };
            if let Err(error) = follow_once(&client, &channel, heard).await {
                tracing::warn!(%error, channel, "the subscription broke; subscribing again");
            }
            delay =
                if subscribed { Duration::from_millis(100) } else { (delay * 2).min(MAX_RECONNECT_DELAY) };
            tokio::time::sleep(delay).await;
        }
    };
    tokio::select! {
        () = following => {}
        () = until => {}
    }
}

async fn follow_once(client: &Client, channel: &str, mut hear: impl FnMut(Heard)) -> RedisResult<()> {
    let (mut sink, mut messages) = client.get_async_pubsub().await?.split();
    sink.subscribe(channel).await?;
    hear(Heard::Subscribed);
    loop {
        match tokio::time::timeout(SILENCE, messages.next()).await {
            Ok(Some(message)) => hear(Heard::Message(message.get_payload_bytes().to_vec())),
            Ok(None) => return Ok(()),
            // A connection that was cut without a word stays silent too: only an answer tells the two apart.
            Err(_) => tokio::time::timeout(SILENCE, sink.ping::<redis::Value>())
                .await
                .map_err(|_| RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut)))
                .and_then(|answer| answer)
                .map(drop)?,
        }
    }
}
