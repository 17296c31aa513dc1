//! GraphQL over WebSocket at `/graphql/ws`: the protocol graphql-transport-ws
//! (<https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md>).
//!
//! One task a socket reads, writes and keeps the state of its operations; each operation runs in a task of its own and
//! hands what it has to say to the socket's task over a bounded channel, so that a slow client slows its operations.

mod message;
mod operations;

use std::{future::pending, time::Duration};

use axum::{
    extract::{
        Extension, State,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code},
    },
    http::{Extensions, HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use chrono::Utc;
use message::{ClientMessage, ServerMessage};
use metrics::gauge;
use operations::{MAX_OPERATIONS, Operations, Started};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval_at, sleep, sleep_until, timeout},
};
use tracing::Instrument;

use super::{
    Gateway,
    address::network,
    caller::{Caller, Origin},
    errors::{RATE_LIMITED, coded},
    metrics::LIVE_SOCKETS,
    observe::RequestId,
};
/// The clients of graphql-ws take it for a reason to try again, with fresh credentials.
const FORBIDDEN: u16 = 4403;
const PROTOCOL: &str = "graphql-transport-ws";
const INIT_TIMEOUT: Duration = Duration::from_secs(10);
const PING_EVERY: Duration = Duration::from_secs(15);
/// A client that was silent for this long is gone.
const SILENCE: Duration = Duration::from_secs(30);
/// A client that does not take a message for this long is gone too.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a closing handshake may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
const MESSAGE_BYTES: usize = 1 << 20;
/// Small, because ten thousand idle sockets hold two of them each.
const BUFFER_BYTES: usize = 4 << 10;
/// RFC 6455, section 5.5: a control frame has at most 125 bytes, 2 of which are the code.
const REASON_BYTES: usize = 123;

/// How a connection ends.
enum End {
    /// The server says goodbye with a code and a reason.
    Close(u16, String),
    /// The client has left, or may as well have.
    Gone,
}

/// What the task of a socket wakes up for.
enum Event {
    Draining,
    Received(Option<Result<Message, axum::Error>>),
    InitTimeout,
    Expired,
    Said(ServerMessage),
    Tick,
}

impl End {
    fn new(code: u16, reason: impl Into<String>) -> Self {
        Self::Close(code, reason.into())
    }
}

pub async fn handle(
    State(gateway): State<Gateway>,
    Extension(RequestId(request_id)): Extension<RequestId>,
    extensions: Extensions,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let upgrade = upgrade
        .protocols([PROTOCOL])
        .max_message_size(MESSAGE_BYTES)
        .max_frame_size(MESSAGE_BYTES)
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES);
    let speaks_protocol = upgrade.selected_protocol().is_some();
    let origin = gateway.origin(&extensions, &headers, request_id.clone());
    let limit = gateway.state.config.allowances.sockets_per_address;
    let Some(place) = gateway.sockets.enter(origin.client_ip.map(network), limit) else {
        let retry_after = [(header::RETRY_AFTER, "1")];
        return (StatusCode::TOO_MANY_REQUESTS, retry_after, "Too many sockets from this address\n")
            .into_response();
    };
    let span = tracing::info_span!("websocket", request_id, user_id = tracing::field::Empty);
    upgrade.on_upgrade(move |socket| {
        async move {
            let mut connection = Connection {
                draining: gateway.draining.clone(),
                gateway,
                origin: Some(origin),
                caller: None,
                operations: Operations::new(),
                socket,
            };
            let _counted = (place, CountedSocket::new());
            let end = if speaks_protocol {
                connection.run().await
            } else {
                End::new(4406, "Subprotocol not acceptable")
            };
            connection.end(end).await;
        }
        .instrument(span)
    })
}

struct CountedSocket;

impl CountedSocket {
    fn new() -> Self {
        gauge!(LIVE_SOCKETS).increment(1.0);
        Self
    }
}

impl Drop for CountedSocket {
    fn drop(&mut self) {
        gauge!(LIVE_SOCKETS).decrement(1.0);
    }
}

struct Connection {
    gateway: Gateway,
    draining: watch::Receiver<bool>,
    /// The request that opened the socket, until `connection_init`; clients that can set headers sign in with it.
    origin: Option<Origin>,
    /// Known from `connection_init` on.
    caller: Option<Caller>,
    operations: Operations,
    socket: WebSocket,
}

impl Connection {
    async fn run(&mut self) -> End {
        let init_until = Instant::now() + INIT_TIMEOUT;
        let mut heard = Instant::now();
        let mut ping = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let waits_for_init = self.caller.is_none();
            let init_timeout =
                async { if waits_for_init { sleep_until(init_until).await } else { pending().await } };
            let expires_at = self.caller.as_ref().and_then(|caller| caller.expires_at);
            let expiry = async {
                match expires_at {
                    // A time that has come is no duration.
                    Some(at) => sleep((at - Utc::now()).to_std().unwrap_or_default()).await,
                    None => pending().await,
                }
            };
            let event = tokio::select! {
                // The client's `complete` before what its operation has to say.
                biased;
                _ = self.draining.wait_for(|draining| *draining) => Event::Draining,
                received = self.socket.recv() => Event::Received(received),
                () = init_timeout => Event::InitTimeout,
                () = expiry => Event::Expired,
                Some(message) = self.operations.next() => Event::Said(message),
                _ = ping.tick() => Event::Tick,
            };
            let step = match event {
                Event::Draining => Err(End::new(close_code::AWAY, "The server is shutting down")),
                Event::Received(received) => {
                    heard = Instant::now();
                    match received {
                        Some(Ok(Message::Text(text))) => self.receive(text.as_str()).await,
                        Some(Ok(Message::Binary(_))) => Err(invalid("a message must be text")),
                        // The library answers pings by itself.
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
                        Some(Ok(Message::Close(_)) | Err(_)) | None => Err(End::Gone),
                    }
                }
                Event::Expired => Err(End::new(FORBIDDEN, "Forbidden: the access token has expired")),
                Event::InitTimeout => Err(End::new(4408, "Connection initialisation timeout")),
                Event::Said(message) => self.send(&message).await,
                Event::Tick if heard.elapsed() >= SILENCE => Err(End::Gone),
                Event::Tick => self.write(Message::Ping(Default::default())).await,
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    async fn receive(&mut self, text: &str) -> Result<(), End> {
        match ClientMessage::parse(text).map_err(invalid)? {
            ClientMessage::ConnectionInit { authorization } => {
                let Some(mut origin) = self.origin.take() else {
                    return Err(End::new(4429, "Too many initialisation requests"));
                };
                if authorization.is_some() {
                    origin.authorization = Ok(authorization);
                }
                let caller = self.gateway.caller(origin).map_err(|refused| {
                    End::new(FORBIDDEN, format!("Forbidden: {}", refused.error.message))
                })?;
                if let Some(viewer) = caller.context.viewer {
                    tracing::Span::current().record("user_id", tracing::field::display(viewer.user_id));
                }
                self.caller = Some(caller);
                self.send(&ServerMessage::ConnectionAck).await
            }
            ClientMessage::Ping { payload } => self.send(&ServerMessage::Pong { payload }).await,
            ClientMessage::Pong => Ok(()),
            ClientMessage::Complete { id } => {
                self.operations.stop(&id);
                Ok(())
            }
            ClientMessage::Subscribe { id, params } => {
                let Some(caller) = &self.caller else { return Err(End::new(4401, "Unauthorized")) };
                match self.operations.start(id.clone(), params, self.gateway.clone(), caller.clone()) {
                    Started::Running => Ok(()),
                    Started::TooMany => {
                        let message =
                            format!("A connection may have at most {MAX_OPERATIONS} operations at a time");
                        self.send(&ServerMessage::Error { id, payload: vec![coded(RATE_LIMITED, message)] })
                            .await
                    }
                    Started::Duplicate => Err(End::new(4409, format!("Subscriber for {id} already exists"))),
                }
            }
        }
    }

    async fn send(&mut self, message: &ServerMessage) -> Result<(), End> {
        match serde_json::to_string(message) {
            Ok(text) => self.write(Message::Text(text.into())).await,
            Err(error) => {
                tracing::error!(%error, "a message cannot be serialised");
                Err(End::new(close_code::ERROR, "Internal server error"))
            }
        }
    }

    async fn write(&mut self, message: Message) -> Result<(), End> {
        match timeout(SEND_TIMEOUT, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }

    /// Stops every operation, then says goodbye and lets the client answer, so that it surely sees why.
    async fn end(mut self, end: End) {
        self.operations.clear();
        let End::Close(code, reason) = end else { return };
        tracing::debug!(action = "websocket_closed", code, reason, "closed");
        let frame = CloseFrame { code, reason: cut(&reason, REASON_BYTES).into() };
        if self.write(Message::Close(Some(frame))).await.is_ok() {
            let answered = async { while let Some(Ok(_)) = self.socket.recv().await {} };
            // A client that does not answer is left behind.
            let _ = timeout(CLOSE_TIMEOUT, answered).await;
        }
    }
}

fn invalid(what: impl std::fmt::Display) -> End {
    End::new(4400, format!("Invalid message: {what}"))
}

/// At most `bytes` of the text, whole characters only.
fn cut(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_fits_a_control_frame() {
        assert_eq!(cut("short", REASON_BYTES), "short");
        assert_eq!(cut(&"é".repeat(100), REASON_BYTES).len(), 122);
        assert_eq!(cut(&"x".repeat(200), REASON_BYTES).len(), 123);
    }
}
