//! A server without room for more.

use serde_json::{Value, json};

use crate::support::{TestServer, code};

const REGISTER: &str = "mutation { userRegister(input: { handle: \"ada\", email: \"ada@example.com\", password: \"good enough\" }) {
    session { accessToken } userErrors { message } } }";
const CREATE: &str = "mutation ($input: WorkloadCreateInput!) { workloadCreate(input: $input) {
    workload { id } userErrors { message } } }";

#[tokio::test]
async fn a_full_file_is_named_as_what_it_is() {
    let test = TestServer::start_with(&[("SQLITE_MAX_MB", "2"), ("RATE_LIMIT_FREE", "off")]).await;
    let registered = test.ask(REGISTER).await;
    let token = registered["data"]["userRegister"]["session"]["accessToken"].as_str().unwrap();
    let input = json!({
        "name": "large", "description": "x".repeat(5_000),
        "operations": [{ "type": "SELECT", "template": "SELECT * FROM main WHERE key = ?", "weight": 1 }],
        "config": { "totalOperations": "1000", "concurrency": 1, "recordCount": "1000", "recordBytes": 100 },
    });
    let mut answer = Value::Null;
    // 2 MiB hold no thousand descriptions of 5 kB.
    for _ in 0..1_000 {
        let body = json!({ "query": CREATE, "variables": { "input": input } });
        answer = test.post(&body).bearer_auth(token).send().await.unwrap().json().await.unwrap();
        if answer.get("errors").is_some() {
            break;
        }
        assert_eq!(answer["data"]["workloadCreate"]["userErrors"], json!([]));
    }
    assert_eq!(code(&answer), "STORAGE_FULL", "{answer}");
    assert_eq!(answer["errors"][0]["message"], "the server has no room to store anything; try again later");
    let read = json!({ "query": "{ viewer { handle } }" });
    let read: Value = test.post(&read).bearer_auth(token).send().await.unwrap().json().await.unwrap();
    assert_eq!(read["data"]["viewer"]["handle"], "ada", "what is stored can be read");
}
