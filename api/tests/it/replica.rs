//! Queries read from a replica, whose replay a test holds back, and nobody misses what they did or were told.

use std::time::Duration;

use api::auth::{Tokens, Viewer};
use entity::{
    DatabaseConnection, connect::connect, status::Tier, store::Connection as _, testing::TestDatabase,
};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::{
    support::TestServer,
    websocket::{Event, Socket},
};

const PATIENCE: Duration = Duration::from_secs(20);
const SECRET: &str = "a secret for tests, long enough for them";
const REGISTER: &str = "mutation($input: UserRegisterInput!) { userRegister(input: $input) {
    session { accessToken } userErrors { message } } }";
const CREATE: &str = "mutation($input: DesignCreateInput!) { designCreate(input: $input) {
    design { id name version } userErrors { message } } }";
const UPDATE: &str = "mutation($input: DesignUpdateInput!) { designUpdate(input: $input) {
    design { name } userErrors { message } } }";
const NAME: &str = "query($id: ID!) { design(id: $id) { name } }";

/// The data of an answer without errors.
async fn send(server: &TestServer, token: Option<&str>, query: &str, variables: Value) -> Value {
    let mut request = server.post(&json!({ "query": query, "variables": variables }));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let mut answer: Value = request.send().await.unwrap().json().await.unwrap();
    assert!(answer.get("errors").is_none(), "{answer:#}");
    answer["data"].take()
}

async fn register(server: &TestServer, handle: &str) -> String {
    let input =
        json!({ "handle": handle, "email": format!("{handle}@example.com"), "password": "good enough" });
    let data = send(server, None, REGISTER, json!({ "input": input })).await;
    data["userRegister"]["session"]["accessToken"].as_str().unwrap().to_owned()
}

/// The name of a design as someone sees it.
async fn name(server: &TestServer, token: Option<&str>, id: &Value) -> Value {
    send(server, token, NAME, json!({ "id": id })).await["design"]["name"].take()
}

async fn await_name(server: &TestServer, token: Option<&str>, id: &Value, expected: &str) {
    let seen = async {
        while name(server, token, id).await != expected {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, seen).await.expect("the replica catches up");
}

async fn design(server: &TestServer, token: &str) -> Value {
    // They too come from a replica, which may not have them yet.
    let template = async {
        loop {
            let data = send(server, None, "{ templates(first: 1) { nodes { id } } }", json!({})).await;
            match &data["templates"]["nodes"][0]["id"] {
                Value::Null => sleep(Duration::from_millis(20)).await,
                id => return id.clone(),
            }
        }
    };
    let template = timeout(PATIENCE, template).await.expect("the templates reach the replica");
    let input = json!({ "name": "before", "templateId": template, "visibility": "PUBLIC" });
    send(server, Some(token), CREATE, json!({ "input": input })).await["designCreate"]["design"]["id"].take()
}

async fn rename(server: &TestServer, token: &str, id: &Value) {
    let input = json!({ "id": id, "expectedVersion": 1, "name": "after" });
    let data = send(server, Some(token), UPDATE, json!({ "input": input })).await;
    assert_eq!(data["designUpdate"]["design"]["name"], "after");
}

async fn process(database: &TestDatabase, read_url: &str) -> TestServer {
    let redis = std::env::var("TEST_REDIS_URL").unwrap();
    TestServer::start_with(&[
        ("DATABASE_URL", &database.url),
        ("DATABASE_READ_URL", read_url),
        ("REDIS_URL", &redis),
        ("JWT_SECRET", SECRET),
        ("RATE_LIMIT_ANONYMOUS", "off"),
        ("RATE_LIMIT_FREE", "off"),
    ])
    .await
}

/// Someone who signed in so long ago that nothing is known of what they have to see.
fn unmarked() -> String {
    let viewer = Viewer { user_id: Uuid::now_v7(), session_id: Uuid::now_v7() };
    Tokens::new(SECRET.as_bytes()).issue(viewer, Tier::Free).unwrap().token
}

/// Holds the replay back. The server takes a moment to do what it is asked.
async fn pause(replica: &DatabaseConnection) {
    replica.execute_unprepared("SELECT pg_wal_replay_pause()").await.unwrap();
    // Fails until it has.
    let is_paused = "SELECT 1 / (pg_get_wal_replay_pause_state() = 'paused')::int";
    let paused = async {
        while replica.execute_unprepared(is_paused).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, paused).await.expect("the replay pauses");
}

/// Opens the database on the replica once it is there.
async fn replica(url: &str) -> DatabaseConnection {
    let opened = async {
        loop {
            match connect(url, 1).await {
                Ok(db) => return db,
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        }
    };
    timeout(PATIENCE, opened).await.expect("the database reaches the replica")
}

#[tokio::test]
async fn who_wrote_or_was_told_sees_it_before_the_replica_does() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let Some(url) = database.replica_url() else { return };
    let replica = replica(&url).await;
    let (one, other) = (process(&database, &url).await, process(&database, &url).await);
    let (writer, stranger) = (register(&one, "writer").await, unmarked());
    let id = design(&one, &writer).await;
    for token in [None, Some(stranger.as_str()), Some(&writer)] {
        await_name(&other, token, &id, "before").await;
    }

    pause(&replica).await;
    rename(&one, &writer, &id).await;
    for server in [&one, &other] {
        assert_eq!(name(server, Some(&writer), &id).await, "after", "the writer, in every process");
        assert_eq!(name(server, Some(&stranger), &id).await, "before", "a stranger reads from the replica");
        assert_eq!(name(server, None, &id).await, "before", "and so does everyone else");
    }
    let newcomer = register(&one, "newcomer").await;
    let data = send(&other, Some(&newcomer), "{ viewer { handle } }", json!({})).await;
    assert_eq!(data["viewer"]["handle"], "newcomer", "an account is there for its owner at once");

    let mut socket = Socket::ready_as(&other, Some(&stranger)).await;
    let watch = "subscription($id: ID!) { designChanged(id: $id) { design { name } } }";
    let payload = json!({ "query": watch, "variables": { "id": id } });
    socket.send(json!({ "type": "subscribe", "id": "1", "payload": payload })).await;
    let Event::Message(told) = socket.next().await else { panic!("the socket stays open") };
    assert_eq!(told["payload"]["data"]["designChanged"]["design"]["name"], "after", "{told}");
    assert_eq!(name(&one, Some(&stranger), &id).await, "after", "who was told a state finds it");
    assert_eq!(name(&one, None, &id).await, "before");

    replica.execute_unprepared("SELECT pg_wal_replay_resume()").await.unwrap();
    await_name(&one, None, &id, "after").await;
    await_name(&other, Some(&newcomer), &id, "after").await;
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn without_its_replica_the_api_serves_from_the_primary() {
    let Some(database) = TestDatabase::postgres().await else { return };
    if std::env::var("TEST_REDIS_URL").is_err() {
        return;
    }
    // Nobody is there; and a server that is there, but follows nobody.
    for read_url in ["postgres://nobody@127.0.0.1:1/nothing", &database.url] {
        let server = process(&database, read_url).await;
        let ready = server.http.get(server.url("/readyz")).send().await.unwrap();
        assert_eq!(ready.status(), 200);
        let handle = if read_url == database.url { "ada" } else { "bob" };
        let token = register(&server, handle).await;
        let id = design(&server, &token).await;
        assert_eq!(name(&server, None, &id).await, "before");
        server.stop().await;
    }
}
