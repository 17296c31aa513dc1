//! The queue in Redis: one Lua script an operation.

use std::{sync::Arc, time::Duration};

use ::redis::{Client, FromRedisValue, RedisError, Script};
use tokio::sync::watch;
use uuid::Uuid;

use super::{
    BACKGROUND_AGE, Clock, ENQUEUED_AT_ONCE, Jobs, Message, PROMOTION_LIMIT, QueueError, RawClaim,
    STANDARD_AGE, Stats, batch::Batch, lane, stats_of,
};
use crate::redis_link::{self, Connection, Heard};

pub(super) struct Store {
    client: Client,
    scripts: Arc<Scripts>,
    /// Most are enqueued and acknowledged one by one, by many at the same time.
    enqueues: Batch<Message, (), RedisError>,
    acks: Batch<(Vec<u8>, i64), bool, RedisError>,
}

struct Scripts {
    connection: Connection,
    /// In braces, so that every key of the queue falls into one slot of a cluster.
    namespace: String,
    clock: Clock,
    enqueue: Script,
    claim: Script,
    heartbeat: Script,
    ack: Script,
    retry: Script,
    cancel: Script,
    position: Script,
    stats: Script,
    unknown: Script,
}

/// A script behind the common prelude, which knows after how many microseconds an entry of each lane has aged.
macro_rules! script {
    ($file:literal) => {
        Script::new(&format!(
            "local ages = {{ ['0'] = math.huge, ['1'] = {}, ['2'] = {} }}\n{}",
            STANDARD_AGE.as_micros(),
            BACKGROUND_AGE.as_micros(),
            concat!(include_str!("prelude.lua"), include_str!($file)),
        ))
    };
}

impl Scripts {
    fn new(connection: Connection, namespace: &str, clock: Clock) -> Self {
        Self {
            connection,
            namespace: format!("{{{namespace}}}"),
            clock,
            enqueue: script!("enqueue.lua"),
            claim: script!("claim.lua"),
            heartbeat: script!("heartbeat.lua"),
            ack: script!("ack.lua"),
            retry: script!("retry.lua"),
            cancel: script!("cancel.lua"),
            position: script!("position.lua"),
            stats: script!("stats.lua"),
            unknown: script!("unknown.lua"),
        }
    }

    async fn run<T: FromRedisValue>(&self, script: &Script, arguments: &[&[u8]]) -> Result<T, RedisError> {
        let mut call = script.key(&self.namespace);
        call.arg(self.clock.ahead_ms());
        for argument in arguments {
            call.arg(*argument);
        }
        call.invoke_async(&mut self.connection.clone()).await
    }

    async fn enqueue(&self, messages: &[Message]) -> Result<(), RedisError> {
        let arguments: Vec<String> = messages
            .iter()
            .flat_map(|message| {
                [
                    message.id.to_string(),
                    message.payload(),
                    message.user_id.to_string(),
                    number(lane(message.priority)),
                    number(i64::from(message.short)),
                    number(i64::from(message.max_concurrent)),
                ]
            })
            .collect();
        let arguments: Vec<&[u8]> = arguments.iter().map(String::as_bytes).collect();
        self.run(&self.enqueue, &arguments).await
    }

    async fn ack(&self, claims: &[(Vec<u8>, i64)]) -> Result<Vec<bool>, RedisError> {
        let attempts: Vec<String> = claims.iter().map(|(_, attempts)| number(*attempts)).collect();
        let arguments: Vec<&[u8]> = claims
            .iter()
            .zip(&attempts)
            .flat_map(|((id, _), attempts)| [id.as_slice(), attempts.as_bytes()])
            .collect();
        self.run(&self.ack, &arguments).await
    }
}

/// An answer that is lost says nothing of what became of the call.
fn answered<T>(answer: Option<Result<T, RedisError>>) -> Result<T, QueueError> {
    Ok(answer.ok_or(QueueError::Timeout)??)
}

impl Store {
    pub(super) async fn connect(url: &str, namespace: &str, clock: Clock) -> Result<Self, RedisError> {
        let (client, connection) = redis_link::connect(url).await?;
        let scripts = Arc::new(Scripts::new(connection, namespace, clock));
        let enqueues = Batch::new(ENQUEUED_AT_ONCE, {
            let scripts = scripts.clone();
            move |messages: Vec<Message>| {
                let scripts = scripts.clone();
                async move { scripts.enqueue(&messages).await.map(|()| vec![(); messages.len()]) }
            }
        });
        let acks = Batch::new(ENQUEUED_AT_ONCE, {
            let scripts = scripts.clone();
            move |claims: Vec<(Vec<u8>, i64)>| {
                let scripts = scripts.clone();
                async move { scripts.ack(&claims).await }
            }
        });
        Ok(Self { client, scripts, enqueues, acks })
    }

    pub(super) async fn enqueue(&self, messages: &[Message]) -> Result<(), QueueError> {
        match messages {
            [message] => answered(self.enqueues.call(*message).await),
            messages => Ok(self.scripts.enqueue(messages).await?),
        }
    }

    pub(super) async fn claim(
        &self,
        // Nobody asks this store who holds an entry: the job's row says it.
        _worker: &str,
        lease: Duration,
        count: usize,
        jobs: Jobs,
    ) -> Result<Vec<RawClaim>, QueueError> {
        let jobs: &[u8] = match jobs {
            Jobs::All => b"all",
            Jobs::Short => b"short",
        };
        let claims: Vec<(Vec<u8>, i64, Vec<u8>)> = self
            .scripts
            .run(
                &self.scripts.claim,
                &[
                    milliseconds(lease).as_bytes(),
                    number(count as i64).as_bytes(),
                    number(i64::from(PROMOTION_LIMIT)).as_bytes(),
                    jobs,
                ],
            )
            .await?;
        Ok(claims.into_iter().map(|(id, attempts, payload)| RawClaim { id, attempts, payload }).collect())
    }

    pub(super) async fn heartbeat(
        &self,
        id: &[u8],
        attempts: i64,
        lease: Duration,
    ) -> Result<bool, QueueError> {
        let (attempts, lasting) = (number(attempts), milliseconds(lease));
        Ok(self.scripts.run(&self.scripts.heartbeat, &[id, attempts.as_bytes(), lasting.as_bytes()]).await?)
    }

    pub(super) async fn ack(&self, id: &[u8], attempts: i64) -> Result<bool, QueueError> {
        answered(self.acks.call((id.to_vec(), attempts)).await)
    }

    pub(super) async fn retry(&self, id: &[u8], attempts: i64, delay: Duration) -> Result<bool, QueueError> {
        let (attempts, lasting) = (number(attempts), milliseconds(delay));
        Ok(self.scripts.run(&self.scripts.retry, &[id, attempts.as_bytes(), lasting.as_bytes()]).await?)
    }

    pub(super) async fn cancel(&self, id: Uuid) -> Result<bool, QueueError> {
        Ok(self.scripts.run(&self.scripts.cancel, &[id.to_string().as_bytes()]).await?)
    }

    pub(super) async fn position(&self, id: Uuid) -> Result<Option<u32>, QueueError> {
        Ok(self.scripts.run(&self.scripts.position, &[id.to_string().as_bytes()]).await?)
    }

    pub(super) async fn stats(&self) -> Result<Stats, QueueError> {
        Ok(stats_of(self.scripts.run(&self.scripts.stats, &[]).await?))
    }

    pub(super) async fn ping(&self) -> Result<(), QueueError> {
        Ok(::redis::cmd("PING").exec_async(&mut self.scripts.connection.clone()).await?)
    }

    pub(super) async fn unknown(&self, ids: &[Uuid]) -> Result<Vec<Uuid>, QueueError> {
        let ids: Vec<String> = ids.iter().map(Uuid::to_string).collect();
        let ids: Vec<&[u8]> = ids.iter().map(String::as_bytes).collect();
        let unknown: Vec<String> = self.scripts.run(&self.scripts.unknown, &ids).await?;
        Ok(unknown.iter().filter_map(|id| id.parse().ok()).collect())
    }

    pub(super) fn wakeups(&self) -> watch::Receiver<()> {
        let (sender, receiver) = watch::channel(());
        let (client, channel) = (self.client.clone(), format!("{}:wake", self.scripts.namespace));
        tokio::spawn(async move {
            let hear = |_: Heard| {
                sender.send_replace(());
            };
            redis_link::follow(client, channel, hear, sender.closed()).await;
        });
        receiver
    }
}

fn number(value: i64) -> String {
    value.to_string()
}

fn milliseconds(duration: Duration) -> String {
    duration.as_millis().to_string()
}
