use serde_json::json;

use super::App;

const REGISTER: &str = "mutation Register($input: UserRegisterInput!) { userRegister(input: $input) {
    session { accessToken refreshToken expiresAt user { id handle email plan { tier } } }
    userErrors { code path } } }";
const SIGN_IN: &str = "mutation SignIn($input: SessionCreateInput!) { sessionCreate(input: $input) {
    session { refreshToken user { handle } } userErrors { code path } } }";
const REFRESH: &str = "mutation Refresh($input: SessionRefreshInput!) { sessionRefresh(input: $input) {
    session { refreshToken accessToken } userErrors { code path } } }";
const REVOKE: &str = "mutation Revoke($input: SessionRevokeInput!) { sessionRevoke(input: $input) {
    revoked userErrors { code path } } }";

#[tokio::test]
async fn a_new_account_is_signed_in_and_finds_itself() {
    for app in App::all().await {
        let ada = app.register("ada").await;
        let data = ada.send("{ viewer { handle email role plan { tier maxDesigns } } }", json!({})).await;
        assert_eq!(
            data["viewer"],
            json!({ "handle": "ada", "email": "ada@example.com", "role": "USER", "plan": { "tier": "FREE", "maxDesigns": 100 } })
        );
        let data = app.anonymous().send("{ viewer { handle } }", json!({})).await;
        assert_eq!(data["viewer"], json!(null));
    }
}

#[tokio::test]
async fn what_is_private_to_a_user_is_null_for_others() {
    for app in App::all().await {
        let ada = app.register("ada").await;
        let bob = app.register("bob").await;
        let id = ada.send("{ viewer { id } }", json!({})).await["viewer"]["id"].clone();
        const QUERY: &str = "query($id: ID!) { node(id: $id) { ... on User { handle email role plan { tier } workloads { totalCount } } } }";
        let seen = bob.send(QUERY, json!({ "id": id })).await;
        assert_eq!(
            seen["node"],
            json!({ "handle": "ada", "email": null, "role": null, "plan": null, "workloads": null })
        );
    }
}

#[tokio::test]
async fn every_broken_rule_of_a_registration_is_told_with_its_field() {
    for app in App::all().await {
        let input = json!({ "handle": "-", "email": "nowhere", "password": "short" });
        let payload = app.anonymous().payload(REGISTER, input).await;
        let paths: Vec<_> =
            payload["userErrors"].as_array().unwrap().iter().map(|error| error["path"][1].clone()).collect();
        assert_eq!(paths, ["handle", "email", "password"]);
        assert_eq!(payload["session"], json!(null));
    }
}

#[tokio::test]
async fn handle_and_address_are_unique_whatever_their_case() {
    for app in App::all().await {
        app.register("ada").await;
        for (handle, email, field) in
            [("ADA", "new@example.com", "handle"), ("new", "Ada@Example.com", "email")]
        {
            let input = json!({ "handle": handle, "email": email, "password": "good enough" });
            let payload = app.anonymous().payload(REGISTER, input).await;
            assert_eq!(
                payload["userErrors"],
                json!([{ "code": "TAKEN", "path": ["input", field] }]),
                "{}",
                app.kind()
            );
        }
    }
}

#[tokio::test]
async fn an_address_in_any_script_signs_in_as_it_registered() {
    for app in App::all().await {
        let account = json!({ "handle": "aeda", "email": "Ädä@example.org", "password": "gut genug" });
        app.anonymous().mutate(REGISTER, account).await;
        let input = json!({ "email": "Ädä@example.org", "password": "gut genug" });
        assert_eq!(
            app.anonymous().mutate(SIGN_IN, input).await["session"]["user"]["handle"],
            "aeda",
            "{}",
            app.kind()
        );
    }
}

#[tokio::test]
async fn a_wrong_address_and_a_wrong_password_get_the_same_answer() {
    for app in App::all().await {
        app.register("ada").await;
        let good = json!({ "email": "ADA@example.com", "password": "good enough" });
        assert_eq!(app.anonymous().mutate(SIGN_IN, good).await["session"]["user"]["handle"], "ada");
        for (email, password) in [("ada@example.com", "wrong"), ("eve@example.com", "good enough")] {
            let payload =
                app.anonymous().payload(SIGN_IN, json!({ "email": email, "password": password })).await;
            assert_eq!(payload["userErrors"], json!([{ "code": "INVALID_CREDENTIALS", "path": ["input"] }]));
        }
    }
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_its_return_ends_the_session() {
    for app in App::all().await {
        app.register("ada").await;
        let client = app.anonymous();
        let input = json!({ "email": "ada@example.com", "password": "good enough" });
        let first = client.mutate(SIGN_IN, input).await["session"]["refreshToken"].clone();
        let second =
            client.mutate(REFRESH, json!({ "refreshToken": first })).await["session"]["refreshToken"].clone();
        let third =
            client.mutate(REFRESH, json!({ "refreshToken": second })).await["session"]["refreshToken"]
                .clone();

        for spent in [&first, &third, &json!("nonsense")] {
            let payload = client.payload(REFRESH, json!({ "refreshToken": spent })).await;
            assert_eq!(payload["userErrors"][0]["code"], "INVALID_CREDENTIALS", "{spent}");
        }
    }
}

#[tokio::test]
async fn a_revoked_session_cannot_be_refreshed() {
    for app in App::all().await {
        app.register("ada").await;
        let client = app.anonymous();
        let input = json!({ "email": "ada@example.com", "password": "good enough" });
        let token = client.mutate(SIGN_IN, input).await["session"]["refreshToken"].clone();
        for revoked in [true, false] {
            let payload = client.mutate(REVOKE, json!({ "refreshToken": token })).await;
            assert_eq!(payload["revoked"], revoked);
        }
        let payload = client.payload(REFRESH, json!({ "refreshToken": token })).await;
        assert_eq!(payload["userErrors"][0]["code"], "INVALID_CREDENTIALS");
    }
}
