//! What is kept saves statements, and nobody reads from it what they may not, or what is no longer so: not even from another
//! process, in the very next request.

use std::time::Duration;

use entity::store::Connection as _;
use serde_json::{Value as Json, json};

use super::{App, Person, designs::canvas};

const READ: &str = "query($id: ID!) { design(id: $id) { version canvas { raw } } }";
const UPDATE: &str = "mutation($input: DesignUpdateInput!) { designUpdate(input: $input) {
    design { version } userErrors { code path } } }";
const SET: &str = "mutation($input: DesignCollaboratorSetInput!) { designCollaboratorSet(input: $input) {
    userErrors { code path } } }";

async fn read(person: Person<'_>, id: &Json) -> Json {
    person.send(READ, json!({ "id": id })).await["design"].take()
}

#[tokio::test]
async fn a_canvas_is_read_once_and_a_change_is_seen_by_every_process_at_once() {
    for app in App::all().await {
        let another = app.another_process().await;
        let other = another.as_ref().unwrap_or(&app);
        let ada = app.register("ada").await;
        let there = other.as_viewer(ada.viewer);
        let id = ada.design("D", "PRIVATE").await["id"].clone();

        let (first, told) = app.statements_of(read(there, &id)).await;
        let (second, again) = app.statements_of(read(there, &id)).await;
        assert_eq!((first, second), (2, 1), "{}", app.kind());
        assert_eq!(told, again);

        for version in 2..=4 {
            let changed = canvas(0.5 + f64::from(version) / 10.0);
            assert_ne!(changed, told["canvas"]["raw"]);
            let input = json!({ "id": id, "expectedVersion": version - 1, "canvas": changed });
            ada.mutate(UPDATE, input).await;
            for reader in [there, ada] {
                let expected = json!({ "version": version, "canvas": { "raw": changed } });
                assert_eq!(read(reader, &id).await, expected, "{}", app.kind());
            }
        }
    }
}

#[tokio::test]
async fn processes_share_what_they_read_where_there_is_a_redis() {
    for app in App::all().await {
        let Some(other) = app.another_process().await else { continue };
        let ada = app.register("ada").await;
        let id = ada.design("D", "PRIVATE").await["id"].clone();
        let told = read(ada, &id).await;
        let (statements, there) = app.statements_of(read(other.as_viewer(ada.viewer), &id)).await;
        assert_eq!(statements, 1);
        assert_eq!(there, told);
    }
}

#[tokio::test]
async fn what_is_kept_is_never_told_to_who_may_not_read_it() {
    for app in App::all().await {
        let another = app.another_process().await;
        let other = another.as_ref().unwrap_or(&app);
        let ada = app.register("ada").await;
        let bob = other.as_viewer(app.register("bob").await.viewer);
        let id = ada.design("D", "PRIVATE").await["id"].clone();
        let owner = other.as_viewer(ada.viewer);
        let strangers = async |version: i32, open: bool| {
            // Both processes hold it by now.
            assert_eq!(read(owner, &id).await["version"], version);
            assert_eq!(read(ada, &id).await["version"], version);
            for person in [bob, app.as_viewer(bob.viewer), other.anonymous(), app.anonymous()] {
                let told = read(person, &id).await;
                assert_eq!(told.is_object(), open, "version {version} on {}", app.kind());
                let node = person.send("query($id: ID!) { node(id: $id) { id } }", json!({ "id": id })).await;
                assert_eq!(node["node"].is_object(), open);
            }
        };
        strangers(1, false).await;
        for (version, visibility) in [(1, "PUBLIC"), (2, "PRIVATE"), (3, "UNLISTED"), (4, "PRIVATE")] {
            ada.mutate(UPDATE, json!({ "id": id, "expectedVersion": version, "visibility": visibility }))
                .await;
            strangers(version + 1, visibility != "PRIVATE").await;
        }

        // Sharing does not make a new version of the design: what is kept stays good, who may read it does not.
        for role in [json!("VIEWER"), json!(null), json!("EDITOR"), json!(null)] {
            ada.mutate(SET, json!({ "designId": id, "handle": "bob", "role": role })).await;
            assert_eq!(read(bob, &id).await.is_object(), role.is_string(), "{role} on {}", app.kind());
            assert!(read(other.anonymous(), &id).await.is_null());
        }
    }
}

#[tokio::test]
async fn a_rotated_share_link_opens_nothing_in_any_process() {
    const ROTATE: &str = "mutation($input: ShareLinkRotateInput!) { shareLinkRotate(input: $input) {
        design { shareUrl } userErrors { code } } }";
    const BY_TOKEN: &str =
        "query($token: String!) { designByShareToken(token: $token) { shareUrl canvas { raw } } }";
    for app in App::all().await {
        let another = app.another_process().await;
        let other = another.as_ref().unwrap_or(&app);
        let ada = app.register("ada").await;
        let id = ada.design("D", "UNLISTED").await["id"].clone();
        let opens = async |url: &Json| {
            let token = url.as_str().and_then(|url| url.rsplit('/').next());
            let data = other.anonymous().send(BY_TOKEN, json!({ "token": token })).await;
            data["designByShareToken"]["canvas"]["raw"].is_object()
        };
        let rotated = async || {
            let payload = ada.mutate(ROTATE, json!({ "designId": id })).await;
            payload["design"]["shareUrl"].clone()
        };
        let mut before = rotated().await;
        for _ in 0..2 {
            assert!(opens(&before).await);
            let after = rotated().await;
            assert!(!opens(&before).await, "{}", app.kind());
            assert!(opens(&after).await, "{}", app.kind());
            before = after;
        }
    }
}

#[tokio::test]
async fn templates_are_kept_until_a_process_changes_them() {
    const NAMES: &str = "{ templates(first: 100) { nodes { slug name } } }";
    for app in App::all().await {
        let another = app.another_process().await;
        let other = another.as_ref().unwrap_or(&app);
        let original = app.anonymous().send(NAMES, json!({})).await;
        // As a program of another release would have left them.
        app.services.db.execute_unprepared("UPDATE templates SET name = 'Former'").await.unwrap();
        let former = other.anonymous().send("{ templates(first: 99) { nodes { name } } }", json!({})).await;
        assert_eq!(former["templates"]["nodes"][0]["name"], "Former");
        let (statements, again) = app
            .statements_of(other.anonymous().send("{ templates(first: 99) { nodes { name } } }", json!({})))
            .await;
        assert_eq!((statements, &again), (0, &former), "{}", app.kind());

        api::service::templates::seed(&app.services).await.unwrap();
        let told = async {
            while other.anonymous().send(NAMES, json!({})).await != original
                || other.anonymous().send("{ templates(first: 99) { nodes { name } } }", json!({})).await
                    == former
            {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), told).await.unwrap();
    }
}
