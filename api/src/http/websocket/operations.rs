//! The operations that run on one socket.

use std::collections::HashMap;

use async_graphql::{Response, Value, parser::types::OperationType};
use futures_util::StreamExt;
use metrics::gauge;
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinHandle},
};
use tracing::Instrument;
use uuid::Uuid;

use super::message::ServerMessage;
use crate::http::{
    Gateway,
    caller::Caller,
    errors::{self, RATE_LIMITED, UNAUTHENTICATED, coded},
    live::Place,
    metrics::LIVE_SUBSCRIPTIONS,
    params::Params,
};

pub const MAX_OPERATIONS: usize = 100;
/// Messages that wait for the socket; an operation that has more waits too.
const WAITING_MESSAGES: usize = 16;

pub enum Started {
    Running,
    /// The connection has as many as it may have.
    TooMany,
    /// An operation with this id runs already.
    Duplicate,
}

pub struct Operations {
    running: HashMap<String, Running>,
    /// Tells apart operations that had the same id one after another.
    next_serial: u64,
    sender: mpsc::Sender<(u64, ServerMessage)>,
    receiver: mpsc::Receiver<(u64, ServerMessage)>,
}

struct Running {
    serial: u64,
    task: AbortHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Counts an operation for as long as it lives, however it ends.
struct Counted;

impl Counted {
    fn new() -> Self {
        gauge!(LIVE_SUBSCRIPTIONS).increment(1.0);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        gauge!(LIVE_SUBSCRIPTIONS).decrement(1.0);
    }
}

impl Operations {
    pub fn new() -> Self {
        let (sender, receiver) = mpsc::channel(WAITING_MESSAGES);
        Self { running: HashMap::new(), next_serial: 0, sender, receiver }
    }

    pub fn start(&mut self, id: String, params: Params, gateway: Gateway, caller: Caller) -> Started {
        if self.running.contains_key(&id) {
            return Started::Duplicate;
        }
        if self.running.len() >= MAX_OPERATIONS {
            return Started::TooMany;
        }
        let serial = self.next_serial;
        self.next_serial += 1;
        let speaker = Speaker { id: id.clone(), serial, sender: self.sender.clone() };
        let counted = Counted::new();
        let task: JoinHandle<()> = tokio::spawn(
            async move {
                let _counted = counted;
                // The socket is gone: nobody listens any more.
                let _ = run(params, gateway, caller, speaker).await;
            }
            .in_current_span(),
        );
        self.running.insert(id, Running { serial, task: task.abort_handle() });
        Started::Running
    }

    /// The client wants no more of it. What the operation still says goes nowhere.
    pub fn stop(&mut self, id: &str) {
        self.running.remove(id);
    }

    pub fn clear(&mut self) {
        self.running.clear();
    }

    /// The next message of an operation that the client has not stopped.
    pub async fn next(&mut self) -> Option<ServerMessage> {
        loop {
            let (serial, message) = self.receiver.recv().await?;
            let (id, last) = match &message {
                ServerMessage::Next { id, .. } => (id, false),
                ServerMessage::Error { id, .. } | ServerMessage::Complete { id } => (id, true),
                ServerMessage::ConnectionAck | ServerMessage::Pong { .. } => continue,
            };
            if self.running.get(id).is_none_or(|running| running.serial != serial) {
                continue;
            }
            if last {
                self.running.remove(id);
            }
            return Some(message);
        }
    }
}

/// Speaks for one operation.
struct Speaker {
    id: String,
    serial: u64,
    sender: mpsc::Sender<(u64, ServerMessage)>,
}

struct Gone;

impl Speaker {
    async fn say(&self, message: ServerMessage) -> Result<(), Gone> {
        self.sender.send((self.serial, message)).await.map_err(|_| Gone)
    }

    async fn next(&self, payload: Response) -> Result<(), Gone> {
        self.say(ServerMessage::Next { id: self.id.clone(), payload }).await
    }

    async fn fail(&self, payload: Vec<async_graphql::ServerError>) -> Result<(), Gone> {
        self.say(ServerMessage::Error { id: self.id.clone(), payload }).await
    }

    async fn complete(&self) -> Result<(), Gone> {
        self.say(ServerMessage::Complete { id: self.id.clone() }).await
    }
}

async fn run(params: Params, gateway: Gateway, caller: Caller, speaker: Speaker) -> Result<(), Gone> {
    let (mut tally, charged) = gateway.tally(&caller);
    let prepared = match charged {
        Ok(()) => gateway.prepare(params, &caller, &mut tally).await,
        Err(error) => Err(error),
    };
    let operation = match prepared {
        Ok(operation) => operation,
        Err(error) => return speaker.fail(vec![error]).await,
    };
    if operation.kind != OperationType::Subscription {
        let response = Gateway::within_operation(operation.kind, gateway.execute(operation)).await;
        if errors::is_request_error(&response) {
            return speaker.fail(response.errors).await;
        }
        speaker.next(response).await?;
        return speaker.complete().await;
    }
    let _place = match place(&gateway, &caller) {
        Ok(place) => place,
        Err(error) => return speaker.fail(vec![error]).await,
    };
    let mut responses = std::pin::pin!(gateway.subscribe(operation));
    let mut first = true;
    while let Some(response) = responses.next().await {
        // There is no stream when its source could not be made (GraphQL, section 6.2.3.1).
        if first && response.data == Value::Null && !response.errors.is_empty() {
            return speaker.fail(response.errors).await;
        }
        first = false;
        speaker.next(response).await?;
    }
    speaker.complete().await
}

/// A place among the live subscriptions of the caller's plan.
fn place(gateway: &Gateway, caller: &Caller) -> Result<Place<Uuid>, async_graphql::ServerError> {
    let Some(viewer) = caller.context.viewer else {
        return Err(coded(UNAUTHENTICATED, "Sign in to subscribe"));
    };
    let limit = gateway.allowance(caller).live_subscriptions;
    gateway.live.enter(viewer.user_id, limit).ok_or_else(|| {
        coded(RATE_LIMITED, format!("A user of this plan may have at most {limit} live subscriptions"))
    })
}
