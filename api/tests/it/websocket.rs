//! graphql-transport-ws at `/graphql/ws`. (What needs ten seconds of waiting is tested from outside, with npm's client.)

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

use crate::support::TestServer;

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What the server sends, or how it closes.
#[derive(Debug, PartialEq)]
enum Event {
    Message(Value),
    Closed(u16, String),
}

impl Socket {
    async fn open(server: &TestServer) -> Self {
        let mut request = server.url("/graphql/ws").replacen("http", "ws", 1).into_client_request().unwrap();
        request
            .headers_mut()
            .insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
        let (socket, response) = connect_async(request).await.unwrap();
        assert_eq!(response.headers()["sec-websocket-protocol"], "graphql-transport-ws");
        Self(socket)
    }

    async fn ready(server: &TestServer) -> Self {
        let mut socket = Self::open(server).await;
        socket.send(json!({ "type": "connection_init" })).await;
        assert_eq!(socket.next().await, Event::Message(json!({ "type": "connection_ack" })));
        socket
    }

    async fn send(&mut self, message: Value) {
        self.send_text(message.to_string()).await;
    }

    async fn send_text(&mut self, text: String) {
        self.0.send(Message::Text(text.into())).await.unwrap();
    }

    async fn next(&mut self) -> Event {
        loop {
            match self.0.next().await.expect("the server says something before it leaves").unwrap() {
                Message::Text(text) => return Event::Message(serde_json::from_str(&text).unwrap()),
                Message::Close(Some(frame)) => {
                    return Event::Closed(frame.code.into(), frame.reason.to_string());
                }
                _ => {}
            }
        }
    }

    async fn closed(&mut self) -> u16 {
        match self.next().await {
            Event::Closed(code, _) => code,
            Event::Message(message) => panic!("{message}"),
        }
    }
}

fn subscribe(id: &str, query: &str) -> Value {
    json!({ "type": "subscribe", "id": id, "payload": { "query": query } })
}

#[tokio::test]
async fn every_breach_of_the_protocol_has_its_code() {
    let server = TestServer::start().await;
    let init = json!({ "type": "connection_init" });
    for (messages, code) in [
        (vec![init.clone(), init.clone()], 4429),
        (vec![subscribe("1", "{ __typename }")], 4401),
        (vec![json!({ "type": "connection_init", "payload": { "authorization": "Bearer x" } })], 4403),
        (vec![json!({ "type": "bogus" })], 4400),
        (vec![init.clone(), json!({ "type": "subscribe", "payload": { "query": "{ __typename }" } })], 4400),
        (vec![init.clone(), json!({ "type": "subscribe", "id": "1", "payload": { "query": 7 } })], 4400),
    ] {
        let mut socket = Socket::open(&server).await;
        let last = messages.len() - 1;
        for (i, message) in messages.into_iter().enumerate() {
            socket.send(message).await;
            if i < last {
                assert_eq!(socket.next().await, Event::Message(json!({ "type": "connection_ack" })));
            }
        }
        assert_eq!(socket.closed().await, code);
    }
    let mut socket = Socket::open(&server).await;
    socket.send_text("{nope".into()).await;
    assert_eq!(socket.closed().await, 4400);
    let mut socket = Socket::open(&server).await;
    socket.0.send(Message::Binary(b"{}".to_vec().into())).await.unwrap();
    assert_eq!(socket.closed().await, 4400);
}

#[tokio::test]
async fn a_client_without_the_protocol_is_told_so() {
    let server = TestServer::start().await;
    let url = server.url("/graphql/ws").replacen("http", "ws", 1);
    let (socket, _) = connect_async(url).await.unwrap();
    assert_eq!(Socket(socket).closed().await, 4406);
}

#[tokio::test]
async fn operations_share_a_socket_and_an_id_is_free_after_its_end() {
    let server = TestServer::start().await;
    let mut socket = Socket::ready(&server).await;
    for _ in 0..2 {
        socket.send(subscribe("q", "{ __typename }")).await;
        let next = json!({ "type": "next", "id": "q", "payload": { "data": { "__typename": "Query" } } });
        assert_eq!(socket.next().await, Event::Message(next));
        assert_eq!(socket.next().await, Event::Message(json!({ "type": "complete", "id": "q" })));
    }
    for query in
        ["{", "{ nothingOfTheKind }", "subscription { simulationJobUpdated(id: \"x\") { sequence } }"]
    {
        socket.send(subscribe("e", query)).await;
        let Event::Message(message) = socket.next().await else { panic!("the socket stays open") };
        assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!("e")));
        assert!(message["payload"][0]["extensions"]["code"].is_string(), "{message}");
        // The error is all there is to say about it.
        socket.send(json!({ "type": "ping", "payload": { "a": 1 } })).await;
        assert_eq!(socket.next().await, Event::Message(json!({ "type": "pong", "payload": { "a": 1 } })));
    }
}

#[tokio::test]
async fn mutations_run_over_a_socket_too() {
    let server = TestServer::start().await;
    let mut socket = Socket::ready(&server).await;
    let query = "mutation { sessionCreate(input: {email: \"a@example.org\", password: \"12345678\"}) { userErrors { code } } }";
    socket.send(subscribe("m", query)).await;
    let Event::Message(message) = socket.next().await else { panic!("a result") };
    assert_eq!(
        message["payload"]["data"]["sessionCreate"]["userErrors"][0]["code"], "INVALID_CREDENTIALS",
        "{message}"
    );
    assert_eq!(socket.next().await, Event::Message(json!({ "type": "complete", "id": "m" })));
}

#[tokio::test]
async fn a_server_that_stops_says_goodbye_and_lets_nothing_linger() {
    let server = TestServer::start().await;
    let mut socket = Socket::ready(&server).await;
    let address = server.server.address;
    let stopped = tokio::spawn(async move { server.stop().await });
    assert_eq!(socket.closed().await, 1001);
    drop(socket);
    stopped.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}
