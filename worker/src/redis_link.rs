//! Connections to Redis that outlive its restarts.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::StreamExt;
use redis::{
    Client, Cmd, Pipeline, RedisError, RedisFuture, RedisResult, Value,
    aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig},
};

/// How long a command may take. The library's own default, half a second, would turn a pause of the server into a storm of
/// errors.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);
/// A subscription that has been silent this long is asked for a sign of life.
const SILENCE: Duration = Duration::from_secs(15);
const MAX_RECONNECT_DELAY: Duration = Duration::from_secs(5);

/// A connection that is shared by its clones and re-made when it breaks, and when it is silent: one that was cut without a word
/// would else be asked, in vain, for ever.
#[derive(Clone)]
pub struct Connection {
    client: Client,
    shared: Arc<Mutex<Current>>,
}

#[derive(Clone)]
struct Current {
    manager: ConnectionManager,
    /// Grows with each connection that was given up.
    number: u64,
}

pub async fn connect(url: &str) -> Result<(Client, Connection), RedisError> {
    let client = Client::open(url)?;
    let manager = ConnectionManager::new_with_config(client.clone(), config()).await?;
    let shared = Arc::new(Mutex::new(Current { manager, number: 0 }));
    Ok((client.clone(), Connection { client, shared }))
}

fn config() -> ConnectionManagerConfig {
    ConnectionManagerConfig::new()
        .set_response_timeout(Some(RESPONSE_TIMEOUT))
        .set_connection_timeout(Some(Duration::from_secs(5)))
        .set_max_delay(MAX_RECONNECT_DELAY)
        .set_number_of_retries(3)
}

impl Connection {
    fn current(&self) -> Current {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gives a silent connection up, unless somebody has before. The next command connects anew.
    fn heed<T>(&self, answer: &RedisResult<T>, asked: u64) {
        let silent = matches!(answer, Err(error) if error.is_timeout());
        let mut current = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if silent && current.number == asked {
            // It fails for a configuration that has connected before at no time.
            if let Ok(manager) = ConnectionManager::new_lazy_with_config(self.client.clone(), config()) {
                *current = Current { manager, number: asked + 1 };
            }
        }
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            let Current { mut manager, number } = self.current();
            let answer = manager.req_packed_command(cmd).await;
            self.heed(&answer, number);
            answer
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            let Current { mut manager, number } = self.current();
            let answer = manager.req_packed_commands(pipeline, offset, count).await;
            self.heed(&answer, number);
            answer
        })
    }

    fn get_db(&self) -> i64 {
        self.current().manager.get_db()
    }
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
