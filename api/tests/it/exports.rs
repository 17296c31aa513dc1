//! The download of an export over HTTP.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::TestServer;

#[tokio::test]
async fn an_export_is_downloaded_by_its_link_and_by_nothing_else() {
    let server = TestServer::start().await;
    let account = json!({ "handle": "ada", "email": "ada@example.com", "password": "good enough" });
    let register =
        "mutation($input: UserRegisterInput!) { userRegister(input: $input) { session { accessToken } } }";
    let body = json!({ "query": register, "variables": { "input": account } });
    let answer: Value = server.post(&body).send().await.unwrap().json().await.unwrap();
    let token = answer["data"]["userRegister"]["session"]["accessToken"].as_str().unwrap().to_owned();
    let ask = async |query: &str| -> Value {
        let body = json!({ "query": query });
        server.post(&body).bearer_auth(&token).send().await.unwrap().json().await.unwrap()
    };
    let submitted =
        ask("mutation { userDataExport(input: { idempotencyKey: \"k\" }) { export { id } } }").await;
    let id = submitted["data"]["userDataExport"]["export"]["id"].as_str().unwrap().to_owned();
    let query = format!("{{ node(id: \"{id}\") {{ ... on UserDataExportJob {{ status downloadUrl }} }} }}");
    // The server's own worker does it.
    let url = loop {
        let job = ask(&query).await["data"]["node"].clone();
        match job["downloadUrl"].as_str() {
            Some(url) => break url.to_owned(),
            None => assert!(job["status"] == "QUEUED" || job["status"] == "RUNNING", "{job}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let response = server.http.get(&url).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert!(response.headers()["content-disposition"].to_str().unwrap().starts_with("attachment"));
    let data: Value = response.json().await.unwrap();
    assert_eq!(data["users"][0]["email"], "ada@example.com");

    let (base, link) = url.rsplit_once('/').unwrap();
    for bad in [link.replacen('.', "", 1), token, "x".into()] {
        let response = server.http.get(format!("{base}/{bad}")).send().await.unwrap();
        assert_eq!(response.status(), 404, "{bad}");
    }
    server.stop().await;
}
