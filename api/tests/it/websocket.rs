//! graphql-transport-ws at `/graphql/ws`. (What needs ten seconds of waiting is tested from outside, with npm's client.)

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{self, Message, client::IntoClientRequest, http::HeaderValue},
};

use crate::support::TestServer;

pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What the server sends, or how it closes.
#[derive(Debug, PartialEq)]
pub enum Event {
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
        Self::ready_as(server, None).await
    }

    /// Signed in with an access token.
    pub async fn ready_as(server: &TestServer, token: Option<&str>) -> Self {
        let mut socket = Self::open(server).await;
        let payload = token.map(|token| json!({ "authorization": format!("Bearer {token}") }));
        socket.send(json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(socket.next().await, Event::Message(json!({ "type": "connection_ack" })));
        socket
    }

    pub async fn send(&mut self, message: Value) {
        self.send_text(message.to_string()).await;
    }

    async fn send_text(&mut self, text: String) {
        self.0.send(Message::Text(text.into())).await.unwrap();
    }

    pub async fn next(&mut self) -> Event {
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
        let next = json!({ "type": "next", "id": "q", "payload": { "data": { "__typename": "Query" },
            "extensions": { "cost": { "nodeCount": 0, "points": 1 } } } });
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

/// A token of this server that ends after so many seconds.
fn token(secret: &str, user: &str, seconds: i64) -> String {
    let now = chrono::Utc::now().timestamp();
    let claims = json!({ "sub": user, "sid": uuid::Uuid::nil(), "iat": now, "exp": now + seconds });
    let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap()
}

#[tokio::test]
async fn a_socket_ends_with_its_token_so_that_a_client_comes_back_with_another() {
    const SECRET: &str = "a secret of a test, 32 bytes or more";
    let server = TestServer::start_with(&[("JWT_SECRET", SECRET)]).await;
    let short = token(SECRET, &uuid::Uuid::now_v7().to_string(), 2);
    let mut socket = Socket::ready_as(&server, Some(&short)).await;
    socket.send(subscribe("q", "{ __typename }")).await;
    assert!(matches!(socket.next().await, Event::Message(message) if message["type"] == "next"));
    assert!(matches!(socket.next().await, Event::Message(message) if message["type"] == "complete"));
    assert_eq!(socket.next().await, Event::Closed(4403, "Forbidden: the access token has expired".into()));
}

#[tokio::test]
async fn a_user_has_a_number_of_live_subscriptions_and_gets_a_place_back() {
    let server =
        TestServer::start_with(&[("LIVE_SUBSCRIPTIONS_FREE", "1"), ("RATE_LIMIT_FREE", "off")]).await;
    let ask = async |query: String, token: Option<String>| -> Value {
        let mut request = server.post(&json!({ "query": query }));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let mut answer: Value = request.send().await.unwrap().json().await.unwrap();
        assert!(answer.get("errors").is_none(), "{answer}");
        answer["data"].take()
    };
    // Simulations of the embedded mode run in this process; one of this size does not end before the test has.
    let made = ask("mutation { userRegister(input: {handle: \"ada\", email: \"ada@example.org\", password: \"long enough\"}) { session { accessToken } } }".into(), None).await;
    let token = made["userRegister"]["session"]["accessToken"].as_str().unwrap().to_owned();
    let templates =
        ask("{ templates(first: 1) { nodes { id suggestedWorkload { id } } } }".into(), None).await;
    let template = &templates["templates"]["nodes"][0];
    let design = ask(
        format!(
            "mutation {{ designCreate(input: {{name: \"A\", templateId: {}}}) {{ design {{ id }} }} }}",
            template["id"]
        ),
        Some(token.clone()),
    )
    .await;
    let submit = format!(
        "mutation {{ simulationJobSubmit(input: {{idempotencyKey: \"k\", designId: {}, workloadId: {}}}) {{ job {{ id }} }} }}",
        design["designCreate"]["design"]["id"], template["suggestedWorkload"]["id"]
    );
    let job = ask(submit, Some(token.clone())).await["simulationJobSubmit"]["job"]["id"].clone();
    let watch = format!("subscription {{ simulationJobUpdated(id: {job}) {{ sequence }} }}");

    let mut stranger = Socket::ready(&server).await;
    stranger.send(subscribe("s", &watch)).await;
    let Event::Message(refused) = stranger.next().await else { panic!("the socket stays open") };
    assert_eq!(refused["payload"][0]["extensions"]["code"], "UNAUTHENTICATED", "{refused}");

    // Two at the same moment: one of them has the only place.
    let mut socket = Socket::ready_as(&server, Some(&token)).await;
    let mut limited = 0;
    for round in 0..3 {
        for id in ["a", "b"] {
            socket.send(subscribe(&format!("{id}{round}"), &watch)).await;
        }
        let mut open = 2;
        while open > 0 {
            let Event::Message(message) = socket.next().await else { panic!("the socket stays open") };
            match message["type"].as_str() {
                Some("error") => {
                    assert_eq!(message["payload"][0]["extensions"]["code"], "RATE_LIMITED", "{message}");
                    limited += 1;
                    open -= 1;
                }
                Some("complete") => open -= 1,
                _ => assert_eq!(message["type"], "next", "{message}"),
            }
        }
    }
    assert!(limited < 6, "a place is free again after each round");
}

#[tokio::test]
async fn an_address_has_a_number_of_sockets_and_gets_a_place_back() {
    let server = TestServer::start_with(&[("SOCKETS_PER_ADDRESS", "1")]).await;
    let first = Socket::ready(&server).await;
    let url = server.url("/graphql/ws").replacen("http", "ws", 1);
    match connect_async(&url).await {
        Err(tungstenite::Error::Http(response)) => assert_eq!(response.status(), 429),
        other => panic!("{other:?}"),
    }
    drop(first);
    let freed = async {
        while connect_async(&url).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), freed).await.expect("the place is free again");
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
