//! Live updates from whoever changes a job or a design to whoever watches it: Redis pub/sub, or a channel inside the one process.
//!
//! A notice only says that something changed; the row holds what. Notices may be lost, and a reader who lost some is told.

use std::sync::Arc;

use futures_util::{Stream, stream};
use redis::AsyncCommands;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::{self, error::RecvError};
use uuid::Uuid;

use crate::{
    config::Config,
    redis_link::{self, Connection, Heard},
};

/// Notices that a slow reader may fall behind by before it loses some.
const BACKLOG: usize = 1024;
const VERSION: u32 = 1;

/// Something that watchers want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Notice {
    /// The job's row has this update sequence now.
    JobUpdated { job_id: Uuid, sequence: i32 },
    /// The job's user wants it stopped; for the worker that runs it.
    CancelRequested { job_id: Uuid },
    /// The design, or who may read it, is not what it was.
    DesignChanged { design_id: Uuid },
    /// The built-in designs are not what they were.
    TemplatesChanged,
    /// Notices were lost: read again what you follow. It is told to one reader and never published.
    #[serde(skip)]
    Lagged,
}

#[derive(Serialize, Deserialize)]
struct Envelope {
    v: u32,
    #[serde(flatten)]
    notice: Notice,
}

/// The bus failed. Its text is for logs.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    #[error("the bus's Redis: {0}")]
    Redis(#[from] redis::RedisError),
}

/// A handle to the bus; clones share it, and with the last of them its subscription ends.
#[derive(Clone)]
pub struct Bus {
    local: broadcast::Sender<Notice>,
    remote: Option<Arc<Remote>>,
}

struct Remote {
    connection: Connection,
    channel: String,
    /// Dropped with the last handle, which ends the task that listens.
    _alive: tokio::sync::oneshot::Sender<()>,
}

impl Bus {
    /// The bus of this configuration: over Redis where there is one, else within this process.
    pub async fn connect(config: &Config) -> Result<Self, BusError> {
        Self::connect_in(config.redis_url.as_deref(), "simulator").await
    }

    /// The bus under a namespace of its own (on Redis).
    pub async fn connect_in(redis_url: Option<&str>, namespace: &str) -> Result<Self, BusError> {
        let (local, _) = broadcast::channel(BACKLOG);
        let Some(url) = redis_url else { return Ok(Self { local, remote: None }) };
        let (client, connection) = redis_link::connect(url).await?;
        let channel = format!("{{{namespace}}}:bus");
        let (alive, ended) = tokio::sync::oneshot::channel::<()>();
        let (readers, followed) = (local.clone(), channel.clone());
        tokio::spawn(async move {
            let mut first = true;
            let hear = |heard| {
                let notice = match heard {
                    // What was published while nobody listened is gone.
                    Heard::Subscribed => (!std::mem::take(&mut first)).then_some(Notice::Lagged),
                    Heard::Message(bytes) => decode(&bytes),
                };
                if let Some(notice) = notice {
                    // An error says that nobody reads at present.
                    let _ = readers.send(notice);
                }
            };
            let ended = async {
                // The sender only ever goes away.
                let _ = ended.await;
            };
            redis_link::follow(client, followed, hear, ended).await;
        });
        let remote = Some(Arc::new(Remote { connection, channel, _alive: alive }));
        Ok(Self { local, remote })
    }

    /// Tells every reader in every process.
    pub async fn publish(&self, notice: &Notice) -> Result<(), BusError> {
        match &self.remote {
            Some(remote) => {
                let message = serde_json::json!(Envelope { v: VERSION, notice: *notice }).to_string();
                remote.connection.clone().publish::<_, _, ()>(&remote.channel, message).await?;
            }
            None => {
                // An error says that nobody reads at present.
                let _ = self.local.send(*notice);
            }
        }
        Ok(())
    }

    /// What is published from now on. A reader that falls far behind loses notices and gets [`Notice::Lagged`] in their
    /// place.
    pub fn subscribe(&self) -> impl Stream<Item = Notice> + Send + Unpin + use<> {
        let notices = stream::unfold(self.local.subscribe(), |mut receiver| async {
            match receiver.recv().await {
                Ok(notice) => Some((notice, receiver)),
                Err(RecvError::Lagged(_)) => Some((Notice::Lagged, receiver)),
                Err(RecvError::Closed) => None,
            }
        });
        Box::pin(notices)
    }
}

/// None for a message of another version, which a process of another release may send.
fn decode(bytes: &[u8]) -> Option<Notice> {
    match serde_json::from_slice::<Envelope>(bytes) {
        Ok(Envelope { v: VERSION, notice }) => Some(notice),
        _ => {
            tracing::warn!(message = %String::from_utf8_lossy(bytes), "ignored a notice that cannot be read");
            None
        }
    }
}
