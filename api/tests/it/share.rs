//! Share links over HTTP.

use reqwest::{StatusCode, header::ACCEPT};
use serde_json::{Value, json};

use crate::support::TestServer;

#[tokio::test]
async fn a_share_link_leads_a_browser_to_the_design_and_a_wrong_one_to_nothing() {
    let server = TestServer::start().await;
    let input = json!({ "handle": "ada", "email": "ada@example.com", "password": "good enough" });
    let register =
        "mutation($input: UserRegisterInput!) { userRegister(input: $input) { session { accessToken } } }";
    let answer =
        server.post(&json!({ "query": register, "variables": { "input": input } })).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    let token = answer["data"]["userRegister"]["session"]["accessToken"].as_str().unwrap();

    let templates = server.ask("{ templates(first: 1) { nodes { id } } }").await;
    let input = json!({ "name": "D", "visibility": "UNLISTED", "templateId": templates["data"]["templates"]["nodes"][0]["id"] });
    let create =
        "mutation($input: DesignCreateInput!) { designCreate(input: $input) { design { id shareUrl } } }";
    let request =
        server.post(&json!({ "query": create, "variables": { "input": input } })).bearer_auth(token);
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    let design = &answer["data"]["designCreate"]["design"];
    let link = url::Url::parse(design["shareUrl"].as_str().unwrap()).unwrap();

    for (path, expected) in [(link.path(), &design["id"]), ("/share/nonsense", &Value::Null)] {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        let redirect = server.http.get(server.url(path)).header(ACCEPT, browser).send().await.unwrap();
        assert_eq!(redirect.status(), StatusCode::SEE_OTHER);
        let location = redirect.headers()["location"].to_str().unwrap();
        let answer = server.http.get(server.url(location)).header(ACCEPT, browser).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["data"]["designByShareToken"]["id"], *expected, "{answer}");
    }
    server.stop().await;
}
