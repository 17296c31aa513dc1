//! The page of the queues: for admins, with a link or a token; for others there is nothing.

use reqwest::header;
use serde_json::{Value, json};

use crate::support::TestServer;
use api::service::administration;

#[tokio::test]
async fn the_queues_are_a_page_for_admins_alone() {
    let server = TestServer::start().await;
    let register =
        "mutation($input: UserRegisterInput!) { userRegister(input: $input) { session { accessToken } } }";
    let mut tokens = Vec::new();
    for name in ["ada", "bob"] {
        let account =
            json!({ "handle": name, "email": format!("{name}@example.com"), "password": "good enough" });
        let body = json!({ "query": register, "variables": { "input": account } });
        let answer: Value = server.post(&body).send().await.unwrap().json().await.unwrap();
        tokens.push(answer["data"]["userRegister"]["session"]["accessToken"].as_str().unwrap().to_owned());
    }
    administration::make_admin(&server.server.state.services, "ada@example.com").await.unwrap().unwrap();
    let [ada, bob] = [&tokens[0], &tokens[1]];

    let page = server.url("/admin/queues");
    let get = |url: &str| server.http.get(url);
    for refused in [get(&page), get(&page).bearer_auth(bob), get(&format!("{page}?pass={ada}"))] {
        assert_eq!(refused.send().await.unwrap().status(), 404);
    }
    let shown = get(&page).bearer_auth(ada).send().await.unwrap();
    assert_eq!(shown.status(), 200);
    let policy = shown.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    let html = shown.text().await.unwrap();
    for part in ["premium", "standard", "background", "Workers", "Last failures"] {
        assert!(html.contains(part), "{part}: {html}");
    }

    let link = async |token: &str| -> Value {
        let body = json!({ "query": "{ viewer { queuesUrl } }" });
        let answer: Value = server.post(&body).bearer_auth(token).send().await.unwrap().json().await.unwrap();
        answer["data"]["viewer"]["queuesUrl"].clone()
    };
    assert_eq!(link(bob).await, json!(null));
    let url = link(ada).await;
    let opened = get(url.as_str().unwrap()).send().await.unwrap();
    assert_eq!(opened.status(), 303);
    assert_eq!(opened.headers()[header::LOCATION], "/admin/queues");
    let cookie = opened.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let pair = cookie.split(';').next().unwrap().to_owned();
    assert_eq!(get(&page).header(header::COOKIE, &pair).send().await.unwrap().status(), 200);
    let forged = format!("{}x", pair);
    assert_eq!(get(&page).header(header::COOKIE, forged).send().await.unwrap().status(), 404);
    server.stop().await;
}
