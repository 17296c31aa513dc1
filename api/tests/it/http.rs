//! GraphQL over HTTP, and the pages beside it.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{TestServer, code};

const GRAPHQL_RESPONSE: &str = "application/graphql-response+json";
const SIGN_IN: &str = "mutation { sessionCreate(input: {email: \"a@example.org\", password: \"12345678\"}) { userErrors { code } } }";

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn the_media_type_decides_the_status_of_a_request_error() {
    let server = TestServer::start().await;
    for (query, expected) in [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ nothingOfTheKind }", "GRAPHQL_VALIDATION_FAILED"),
        ("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", "BAD_USER_INPUT"),
        ("subscription { simulationJobUpdated(id: \"x\") { sequence } }", "GRAPHQL_VALIDATION_FAILED"),
    ] {
        for (accept, status) in
            [("application/json", StatusCode::OK), (GRAPHQL_RESPONSE, StatusCode::BAD_REQUEST)]
        {
            let request = server.post(&json!({ "query": query })).header(header::ACCEPT, accept);
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), status, "{query}");
            assert_eq!(response.headers()[header::CONTENT_TYPE], format!("{accept}; charset=utf-8"));
            let answer: Value = response.json().await.unwrap();
            assert_eq!(code(&answer), expected, "{answer}");
            assert!(answer.get("data").is_none(), "{answer}");
        }
    }
}

#[tokio::test]
async fn a_variable_of_the_wrong_type_is_bad_input_and_a_literal_is_a_bad_document() {
    let server = TestServer::start().await;
    let query = "query($search: String) { blockTypes(search: $search) { type } }";
    let wrong = server.post(&json!({ "query": query, "variables": { "search": 7 } }));
    let answer: Value = wrong.send().await.unwrap().json().await.unwrap();
    assert_eq!(code(&answer), "BAD_USER_INPUT", "{answer}");
    assert_eq!(code(&server.ask("{ blockTypes(search: 7) { type } }").await), "GRAPHQL_VALIDATION_FAILED");
}

#[tokio::test]
async fn what_is_no_graphql_request_is_refused_before_anything_runs() {
    let server = TestServer::start().await;
    let query = json!({ "query": "{ __typename }" }).to_string();
    let post = || server.http.post(server.url("/graphql"));
    let typed = |body: String| post().header(header::CONTENT_TYPE, "application/json").body(body);
    let large = "x".repeat((1 << 20) + 1);
    let bomb = gzipped(&vec![b' '; (8 << 20) + 1]);
    for (request, status) in [
        (post().header(header::CONTENT_TYPE, "text/plain").body(query.clone()), 415),
        (post().header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body("query=%7Ba%7D"), 415),
        (post().body(query.clone()), 415),
        (typed(query.clone()).header(header::ACCEPT, "text/html"), 406),
        (typed(query.clone()).header(header::CONTENT_ENCODING, "br"), 415),
        (typed("{".into()), 400),
        (typed(format!("[{query}]")), 400),
        (typed("{}".into()), 400),
        (typed(r#"{"query":"{a}","variables":[]}"#.into()), 400),
        (typed(large), 413),
        (typed(String::new()).body(bomb).header(header::CONTENT_ENCODING, "gzip"), 413),
        (typed("no gzip".into()).header(header::CONTENT_ENCODING, "gzip"), 400),
        (server.http.request(Method::PUT, server.url("/graphql")), 405),
        (server.http.get(server.url("/graphql")), 400),
        (server.http.get(server.url("/graphql?query={__typename}&variables=[")), 400),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        let answer: Value = response.json().await.unwrap();
        assert_eq!(code(&answer), "BAD_REQUEST", "{answer}");
        assert!(answer.get("data").is_none());
    }
}

#[tokio::test]
async fn a_mutation_never_runs_on_get() {
    let server = TestServer::start().await;
    let refused = async |query: &[(&str, &str)]| {
        let response = server
            .http
            .get(url::Url::parse_with_params(&server.url("/graphql"), query).unwrap())
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()[header::ALLOW], "POST");
    };
    refused(&[("query", SIGN_IN)]).await;

    // Nor by the hash of a mutation that a POST has stored.
    let hash: String = Sha256::digest(SIGN_IN).iter().map(|byte| format!("{byte:02x}")).collect();
    let extensions = json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } });
    let by_hash = json!({ "extensions": extensions });
    let unknown: Value = server.post(&by_hash).send().await.unwrap().json().await.unwrap();
    assert_eq!(code(&unknown), "PERSISTED_QUERY_NOT_FOUND");
    assert_eq!(unknown["errors"][0]["message"], "PersistedQueryNotFound");

    let stored = server.post(&json!({ "query": SIGN_IN, "extensions": extensions })).send().await.unwrap();
    let stored: Value = stored.json().await.unwrap();
    assert_eq!(stored["data"]["sessionCreate"]["userErrors"][0]["code"], "INVALID_CREDENTIALS", "{stored}");
    refused(&[("extensions", &extensions.to_string())]).await;

    let again: Value = server.post(&by_hash).send().await.unwrap().json().await.unwrap();
    assert_eq!(again, stored);
    let other =
        server.post(&json!({ "query": "{ __typename }", "extensions": extensions })).send().await.unwrap();
    assert_eq!(other.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn bodies_may_be_packed_both_ways() {
    let server = TestServer::start().await;
    let body = json!({ "query": "{ blockTypes { type description parameterSchema } }" }).to_string();
    let response = server
        .http
        .post(server.url("/graphql"))
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONTENT_ENCODING, "gzip")
        .header(header::ACCEPT_ENCODING, "gzip")
        .body(gzipped(body.as_bytes()))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[header::CONTENT_ENCODING], "gzip");
    let bytes = response.bytes().await.unwrap();
    let answer: Value = serde_json::from_reader(flate2::read::GzDecoder::new(bytes.as_ref())).unwrap();
    assert!(!answer["data"]["blockTypes"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_bad_token_is_401_with_a_graphql_body() {
    let server = TestServer::start().await;
    for accept in ["application/json", GRAPHQL_RESPONSE] {
        let request = server.post(&json!({ "query": "{ __typename }" })).header(header::ACCEPT, accept);
        let response = request.bearer_auth("nonsense").send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer");
        assert_eq!(code(&response.json().await.unwrap()), "UNAUTHENTICATED");
    }
}

#[tokio::test]
async fn hostile_documents_are_refused_cheaply() {
    let server = TestServer::start().await;
    let aliases: String = (0..1000).map(|i| format!("a{i}: __typename ")).collect();
    let bomb: String =
        (0..50).map(|i| format!("fragment F{i} on Query {{ ...F{0} ...F{0} }} ", i + 1)).collect();
    for (query, expected) in [
        (format!("{{ {aliases} }}"), "COST_LIMIT_EXCEEDED"),
        (format!("{{ {} }}", "__typename ".repeat(21)), "COST_LIMIT_EXCEEDED"),
        (format!("{{ ...F0 }} {bomb} fragment F50 on Query {{ __typename }}"), "COST_LIMIT_EXCEEDED"),
        ("{ ...A } fragment A on Query { ...A }".into(), "GRAPHQL_VALIDATION_FAILED"),
        (format!("{}{}", "{ viewer ".repeat(10_000), "}".repeat(10_000)), "GRAPHQL_PARSE_FAILED"),
        (format!("{{ a(x: {}1{}) }}", "[".repeat(10_000), "]".repeat(10_000)), "GRAPHQL_PARSE_FAILED"),
        (format!("{{ {} }}", "a ".repeat(400_000)), "GRAPHQL_PARSE_FAILED"),
    ] {
        let answer = server.ask(&query).await;
        assert_eq!(code(&answer), expected, "{answer}");
    }
}

#[tokio::test]
async fn the_schema_is_hidden_when_so_configured() {
    let schema = "{ __schema { queryType { name } } }";
    let typo = "{ blockTypez { type } }";
    let open = TestServer::start().await;
    assert_eq!(open.ask(schema).await["data"]["__schema"]["queryType"]["name"], "Query");
    assert!(open.ask(typo).await.to_string().contains("Did you mean"));
    for setting in ["signed-in", "off"] {
        let closed = TestServer::start_with(&[("INTROSPECTION", setting)]).await;
        assert_eq!(code(&closed.ask(schema).await), "GRAPHQL_VALIDATION_FAILED");
        assert_eq!(
            code(&closed.ask("{ ...F } fragment F on Query { __type(name: \"Design\") { name } }").await),
            "GRAPHQL_VALIDATION_FAILED"
        );
        assert!(!closed.ask(typo).await.to_string().contains("Did you mean"));
        assert_eq!(closed.ask("{ __typename }").await["data"]["__typename"], "Query");
    }
}

#[tokio::test]
async fn every_response_has_a_request_id_and_safe_headers() {
    let server = TestServer::start().await;
    for path in ["/graphql", "/healthz", "/graphiql/", "/nowhere"] {
        let response =
            server.http.get(server.url(path)).header("x-request-id", "mine-1").send().await.unwrap();
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("x-request-id"), "mine-1");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert!(header("content-security-policy").contains("default-src 'none'"));
        assert_eq!(header("cache-control"), if path == "/graphiql/" { "no-cache" } else { "no-store" });
    }
    let response =
        server.http.get(server.url("/healthz")).header("x-request-id", "not fit {}").send().await.unwrap();
    assert!(uuid::Uuid::parse_str(response.headers()["x-request-id"].to_str().unwrap()).is_ok());
}

#[tokio::test]
async fn pages_of_listed_origins_may_call() {
    let server = TestServer::start_with(&[("CORS_ORIGINS", "https://app.example.org")]).await;
    let preflight = async |origin: &str| {
        let request = server
            .http
            .request(Method::OPTIONS, server.url("/graphql"))
            .header(header::ORIGIN, origin)
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
            .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "authorization,content-type");
        let response = request.send().await.unwrap();
        response
            .headers()
            .get(header::ACCESS_CONTROL_ALLOW_ORIGIN)
            .map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(preflight("https://app.example.org").await.as_deref(), Some("https://app.example.org"));
    assert_eq!(preflight("https://evil.example.org").await, None);
}

#[tokio::test]
async fn health_and_metrics_tell_how_the_process_is() {
    let server = TestServer::start().await;
    let get = async |path: &str| {
        let response = server.http.get(server.url(path)).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    assert_eq!(get("/healthz").await, (200, r#"{"status":"ok"}"#.to_owned()));
    assert_eq!(get("/readyz").await, (200, r#"{"status":"ready"}"#.to_owned()));
    server.ask("{ __typename }").await;
    let (status, text) = get("/metrics").await;
    assert_eq!(status, 200);
    for expected in [
        "http_requests_total{method=\"POST\",endpoint=\"/graphql\",status=\"200\"}",
        "http_request_duration_seconds{method=\"POST\",endpoint=\"/graphql\",quantile=\"0.99\"}",
        "db_connections_active",
        "db_query_duration_seconds{query=\"SELECT\"",
    ] {
        assert!(text.contains(expected), "{expected} in\n{text}");
    }

    server.server.state.services.db.pool().clone().close().await.unwrap();
    assert_eq!(get("/healthz").await.0, 200);
    let (status, text) = get("/readyz").await;
    assert_eq!(status, 503);
    assert!(text.contains("DATABASE_UNAVAILABLE"), "{text}");
    // What the database said stays in the log.
    let answer = server.ask("{ templates(first: 1) { nodes { id } } }").await;
    assert_eq!(code(&answer), "INTERNAL_SERVER_ERROR", "{answer}");
    assert!(answer["errors"][0]["extensions"]["requestId"].is_string());
    assert!(!answer.to_string().to_lowercase().contains("pool"), "{answer}");
}

#[tokio::test]
async fn the_playground_is_served_with_a_strict_policy_and_cached_by_content() {
    let server = TestServer::start().await;
    let get = |path: &str| server.http.get(server.url(path));
    let moved = get("/graphiql").send().await.unwrap();
    assert_eq!(
        (moved.status().as_u16(), &moved.headers()[header::LOCATION]),
        (308, &header::HeaderValue::from_static("/graphiql/"))
    );

    let page = get("/graphiql/").send().await.unwrap();
    assert!(page.headers()[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/html"));
    assert!(
        page.headers()[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap()
            .contains("script-src 'self'; worker-src 'self'")
    );
    let tag = page.headers()[header::ETAG].clone();
    let html = page.text().await.unwrap();
    assert_eq!(
        get("/graphiql/").header(header::IF_NONE_MATCH, tag).send().await.unwrap().status().as_u16(),
        304
    );

    let script = html.split('"').find(|part| part.contains("assets/") && part.ends_with(".js")).unwrap();
    let script = get(&format!("/graphiql/{}", script.trim_start_matches("./"))).send().await.unwrap();
    assert_eq!(script.status(), StatusCode::OK);
    assert!(script.headers()[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
    assert_eq!(get("/graphiql/../Cargo.toml").send().await.unwrap().status(), StatusCode::NOT_FOUND);
}
