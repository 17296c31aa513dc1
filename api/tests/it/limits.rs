//! How much anyone may ask of the gateway.

use std::time::Duration;

use entity::testing::TestDatabase;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::support::{TestServer, code};

fn number(response: &Response, header: &str) -> u64 {
    let value = response.headers().get(header).unwrap_or_else(|| panic!("{header} is missing"));
    value.to_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn points_run_out_for_an_address_and_only_trusted_proxies_name_another() {
    let ask = async |server: &TestServer, forwarded: &str| {
        let request = server.post(&json!({ "query": "{ __typename }" }));
        request.header("x-forwarded-for", forwarded).send().await.unwrap()
    };
    let server = TestServer::start_with(&[("RATE_LIMIT_ANONYMOUS", "3")]).await;
    for left in [2, 1, 0] {
        let response = ask(&server, "198.51.100.1").await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(number(&response, "ratelimit-limit"), 3);
        assert_eq!(number(&response, "ratelimit-remaining"), left);
        assert!((1..=60).contains(&number(&response, "ratelimit-reset")));
    }
    let refused = ask(&server, "198.51.100.2").await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!((1..=20).contains(&number(&refused, "retry-after")));
    let answer: Value = refused.json().await.unwrap();
    assert_eq!(code(&answer), "RATE_LIMITED");
    assert!(answer.get("data").is_none());

    let variables = [("RATE_LIMIT_ANONYMOUS", "1"), ("TRUSTED_PROXIES", "127.0.0.0/8")];
    let behind_proxy = TestServer::start_with(&variables).await;
    for (client, status) in [("198.51.100.1", 200), ("198.51.100.2", 200), ("10.0.0.1, 198.51.100.1", 429)] {
        assert_eq!(ask(&behind_proxy, client).await.status().as_u16(), status, "{client}");
    }
}

#[tokio::test]
async fn a_request_says_what_it_costs_and_is_charged_for_it() {
    let server = TestServer::start_with(&[("RATE_LIMIT_ANONYMOUS", "30")]).await;
    let query = "query($n: Int!) { templates(first: $n) { nodes { suggestedWorkload { tables { name } } } }
        rateLimit { limit remaining used cost nodeCount restoreRatePerSecond resetAt } }";
    let ask = async |n: u32| -> Value {
        server
            .post(&json!({ "query": query, "variables": { "n": n } }))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    };
    let answer = ask(10).await;
    let rate = &answer["data"]["rateLimit"];
    assert_eq!(
        (&rate["limit"], &rate["cost"], &rate["nodeCount"]),
        (&json!(30), &json!(1), &json!(30)),
        "{answer}"
    );
    assert_eq!((&rate["remaining"], &rate["used"]), (&json!(29), &json!(1)));
    assert_eq!(rate["restoreRatePerSecond"], 0.5);
    assert_eq!(answer["extensions"]["cost"], json!({ "nodeCount": 30, "points": 1 }));

    // A hundred designs, each with a hundred runs and as many versions: more than an anonymous caller may ask for.
    let large = "{ designs(first: 100) { nodes { runs(first: 100) { nodes { id } } versions(first: 100) { nodes { id } } } } }";
    let refused = server.ask(large).await;
    assert_eq!(code(&refused), "COST_LIMIT_EXCEEDED", "{refused}");
    assert!(refused["errors"][0]["message"].as_str().unwrap().contains("20100 nodes"), "{refused}");
    let pricey = server
        .ask("{ designs(first: 50) { nodes { runs(first: 100) { nodes { id } } } } rateLimit { cost } }")
        .await;
    assert_eq!(pricey["data"]["rateLimit"]["cost"], 6, "{pricey}");
}

#[tokio::test]
async fn signing_in_is_throttled_alike_for_known_and_unknown_accounts() {
    // Each attempt takes a processor for a while, and there may be few.
    let server = TestServer::start_with(&[("REQUEST_TIMEOUT_SECONDS", "60")]).await;
    let register = json!({ "query": "mutation { userRegister(input: {handle: \"ada\", email: \"ada@example.org\", password: \"long enough\"}) { userErrors { code } } }" });
    let made: Value = server.post(&register).send().await.unwrap().json().await.unwrap();
    assert_eq!(made["data"]["userRegister"]["userErrors"], json!([]), "{made}");
    for email in ["ada@example.org", "nobody@example.org"] {
        let attempt = |i: u32| {
            format!(
                "a{i}: sessionCreate(input: {{email: \"{email}\", password: \"guess {i}\"}}) {{ userErrors {{ code }} }} "
            )
        };
        let all: String = (0..19).map(attempt).collect();
        let answer = server.ask(&format!("mutation {{ {all} }}")).await;
        for i in 0..19 {
            let guess = &answer["data"][format!("a{i}")];
            assert_eq!(guess["userErrors"][0]["code"], "INVALID_CREDENTIALS", "{answer}");
        }
        // Registering was an attempt too. One comes back every 15 seconds.
        let mut tried = 19;
        let refused = loop {
            let request = server.post(&json!({ "query": format!("mutation {{ {} }}", attempt(tried)) }));
            let response = request.send().await.unwrap();
            let wait = response.headers().get("retry-after").cloned();
            let answer: Value = response.json().await.unwrap();
            if code(&answer) == "RATE_LIMITED" {
                let seconds = &answer["errors"][0]["extensions"]["retryAfterSeconds"];
                assert_eq!(wait.unwrap().to_str().unwrap(), seconds.to_string());
                break answer;
            }
            tried += 1;
            assert!(tried < 40, "{answer}");
        };
        assert!(refused["errors"][0]["extensions"]["retryAfterSeconds"].as_u64().unwrap() >= 1);
    }
}

#[tokio::test]
async fn registering_is_throttled_as_signing_in_is() {
    let server = TestServer::start().await;
    let mut refused = 0;
    for i in 0..40 {
        let query = format!(
            "mutation {{ userRegister(input: {{handle: \"h{i}\", email: \"ada@example.org\", password: \"short\"}}) {{ userErrors {{ code }} }} }}"
        );
        let answer = server.ask(&query).await;
        match code(&answer) {
            "RATE_LIMITED" => refused += 1,
            _ => assert_eq!(answer["data"]["userRegister"]["userErrors"][0]["code"], "INVALID", "{answer}"),
        }
        assert!(i >= 20 || refused == 0, "{answer}");
    }
    assert!(refused > 0);
}

#[tokio::test]
async fn a_token_that_is_not_good_is_paid_for_by_its_address() {
    let server = TestServer::start_with(&[("RATE_LIMIT_ANONYMOUS", "2")]).await;
    for (left, status) in [(1, 401), (0, 401), (0, 429)] {
        let request = server.post(&json!({ "query": "{ __typename }" })).bearer_auth("guessed");
        let response = request.send().await.unwrap();
        assert_eq!((response.status().as_u16(), number(&response, "ratelimit-remaining")), (status, left));
    }
    let anonymous = server.post(&json!({ "query": "{ __typename }" })).send().await.unwrap();
    assert_eq!(anonymous.status(), StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn what_takes_too_long_is_stopped_in_the_database_too() {
    let (Some(database), Ok(redis)) = (TestDatabase::postgres().await, std::env::var("TEST_REDIS_URL"))
    else {
        return;
    };
    let server = TestServer::start_with(&[
        ("DATABASE_URL", &database.url),
        ("REDIS_URL", &redis),
        ("JWT_SECRET", "a secret of a test, 32 bytes or more"),
        ("REQUEST_TIMEOUT_SECONDS", "2"),
    ])
    .await;
    let held = database.hold("templates").await;
    let response = server.post(&json!({ "query": "{ templates { nodes { id } } }" })).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(code(&response.json().await.unwrap()), "TIMEOUT");
    // The lock is still held: only its own timeout can have ended the statement.
    let gone = async {
        while database.waiting_statements().await > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), gone)
        .await
        .expect("the statement ends while the lock is held");
    held.rollback().await.unwrap();
}

#[tokio::test]
async fn trusted_documents_are_the_only_ones_where_so_configured() {
    let file = std::env::temp_dir().join(format!("simulator-documents-{}.json", uuid::Uuid::new_v4()));
    let documents = json!({ "b5d1": "query Types { blockTypes { type } }", "e7": "mutation Out { sessionRevoke(input: {refreshToken: \"x\"}) { revoked } }" });
    std::fs::write(&file, documents.to_string()).unwrap();
    let server = TestServer::start_with(&[("TRUSTED_DOCUMENTS", file.to_str().unwrap())]).await;
    std::fs::remove_file(&file).unwrap();
    let ask = async |body: Value| -> Value { server.post(&body).send().await.unwrap().json().await.unwrap() };
    for good in [
        json!({ "documentId": "b5d1" }),
        json!({ "documentId": "sha256:b5d1" }),
        json!({ "query": "query Types { blockTypes { type } }" }),
        json!({ "extensions": { "persistedQuery": { "version": 1, "sha256Hash": "b5d1" } } }),
    ] {
        let answer = ask(good.clone()).await;
        assert!(answer["data"]["blockTypes"].is_array(), "{good}: {answer}");
    }
    for bad in [
        json!({ "documentId": "c0" }),
        json!({ "query": "{ __typename }" }),
        json!({ "query": "query Types { blockTypes { title } }", "documentId": "b5d1" }),
    ] {
        let answer = ask(bad.clone()).await;
        assert_eq!(code(&answer), "PERSISTED_QUERY_NOT_FOUND", "{bad}: {answer}");
    }
    let by_get = server.http.get(server.url("/graphql?documentId=e7")).send().await.unwrap();
    assert_eq!(by_get.status(), StatusCode::METHOD_NOT_ALLOWED);
}
