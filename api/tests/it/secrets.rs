//! What must not stand in any log, at any level.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use api::{http::Gateway, router::router};
use axum::{
    body::{Body, to_bytes},
    http::{Request, header},
};
use serde_json::{Value, json};
use tower::ServiceExt as _;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::TestServer;

/// A log that keeps every line.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

const SECRET: &str = "a signing key that nobody may read";
const PASSWORD: &str = "a password that nobody may read";

// On one thread, whose log is kept.
#[tokio::test]
async fn no_password_token_or_key_is_ever_logged() {
    let server = TestServer::start_with(&[("JWT_SECRET", SECRET)]).await;
    let (_stop, draining) = tokio::sync::watch::channel(false);
    let app = router(Gateway::new(server.server.state.clone(), draining), &[]);
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let send = async |query: &str, variables: Value, token: Option<&str>| -> Value {
        let mut request = Request::post("/graphql").header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = json!({ "query": query, "variables": variables }).to_string();
        let response = app.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        serde_json::from_slice(&to_bytes(response.into_body(), usize::MAX).await.unwrap()).unwrap()
    };
    let session = "session { accessToken refreshToken } userErrors { message }";
    let made = send(
        &format!("mutation($input: UserRegisterInput!) {{ userRegister(input: $input) {{ {session} }} }}"),
        json!({ "input": { "handle": "ada", "email": "ada@example.org", "password": PASSWORD } }),
        None,
    )
    .await;
    let first = &made["data"]["userRegister"]["session"];
    let signed_in = send(
        &format!("mutation {{ sessionCreate(input: {{email: \"ada@example.org\", password: \"{PASSWORD}\"}}) {{ {session} }} }}"),
        json!({}),
        None,
    )
    .await;
    let second = &signed_in["data"]["sessionCreate"]["session"];
    let refresh =
        format!("mutation($input: SessionRefreshInput!) {{ sessionRefresh(input: $input) {{ {session} }} }}");
    let spent = json!({ "input": { "refreshToken": second["refreshToken"] } });
    let third = send(&refresh, spent.clone(), None).await["data"]["sessionRefresh"]["session"].clone();
    // A token that comes back is a matter for the log; the token itself is not.
    assert!(send(&refresh, spent, None).await["data"]["sessionRefresh"]["session"].is_null());
    let token = third["accessToken"].as_str().unwrap();
    assert_eq!(
        send("{ viewer { handle } }", json!({}), Some(token)).await["data"]["viewer"]["handle"],
        "ada"
    );
    send("{ viewer { handle } }", json!({}), Some("a bad token that nobody may read")).await;
    send(&format!("{{ broken(password: \"{PASSWORD}\""), json!({}), None).await;
    drop(guard);

    let text = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(text.contains("its session is revoked") && text.contains("answered"), "the log was kept");
    let mut secrets = vec![SECRET, PASSWORD, "a bad token that nobody may read", "$argon2id$"];
    for session in [first, second, &third] {
        secrets.extend(["accessToken", "refreshToken"].map(|field| session[field].as_str().unwrap()));
    }
    for secret in secrets {
        let line = text.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} is in the log");
    }
}
