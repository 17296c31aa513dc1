//! The subscription to a design.

use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use serde_json::{Value as Json, json};
use tokio::time::timeout;

use super::{App, Person, designs::canvas};

const WATCH: &str = "subscription($id: ID!, $after: Int) { designChanged(id: $id, afterSequence: $after) {
    sequence design { name version } version { number } changedBy { handle } } }";
const UPDATE: &str = "mutation($input: DesignUpdateInput!) { designUpdate(input: $input) {
    design { version } userErrors { code path } } }";
const SET: &str = "mutation($input: DesignCollaboratorSetInput!) { designCollaboratorSet(input: $input) {
    userErrors { code path } } }";

async fn next(messages: &mut (impl Stream<Item = Json> + Unpin)) -> Option<Json> {
    let message = timeout(Duration::from_secs(20), messages.next()).await.expect("a message or the end");
    message.map(|message| message["data"]["designChanged"].clone())
}

async fn rename(person: Person<'_>, id: &Json, version: i32, name: &str) {
    person.mutate(UPDATE, json!({ "id": id, "expectedVersion": version, "name": name })).await;
}

#[tokio::test]
async fn a_watched_design_is_told_as_it_is_and_then_as_it_changes() {
    for app in App::all().await {
        let (ada, bob) = (app.register("ada").await, app.register("bob").await);
        let id = ada.design("D", "PRIVATE").await["id"].clone();
        ada.mutate(SET, json!({ "designId": id, "handle": "bob", "role": "EDITOR" })).await;
        let mut messages = ada.subscribe(WATCH, json!({ "id": id }));
        assert_eq!(
            next(&mut messages).await.unwrap(),
            json!({ "sequence": 1, "design": { "name": "D", "version": 1 }, "version": { "number": 1 }, "changedBy": { "handle": "ada" } }),
            "{}",
            app.kind()
        );
        let input = json!({ "id": id, "expectedVersion": 1, "canvas": canvas(0.5), "name": "E" });
        bob.mutate(UPDATE, input).await;
        assert_eq!(
            next(&mut messages).await.unwrap(),
            json!({ "sequence": 2, "design": { "name": "E", "version": 2 }, "version": { "number": 2 }, "changedBy": { "handle": "bob" } }),
        );
    }
}

#[tokio::test]
async fn changes_that_come_fast_are_told_together() {
    for app in App::all().await {
        let ada = app.register("ada").await;
        let id = ada.design("D", "PRIVATE").await["id"].clone();
        let mut messages = ada.subscribe(WATCH, json!({ "id": id }));
        next(&mut messages).await.unwrap();
        let begun = tokio::time::Instant::now();
        for version in 1..=12 {
            rename(ada, &id, version, &format!("N{version}")).await;
        }
        let mut told = Vec::new();
        while told.last() != Some(&13) {
            told.push(next(&mut messages).await.unwrap()["sequence"].as_i64().unwrap());
        }
        assert!(told.is_sorted_by(|one, next| one < next), "{told:?}");
        let at_most = begun.elapsed().as_millis() / 250 + 1;
        assert!(
            told.len() as u128 <= at_most,
            "{told:?} in {at_most} quarters of a second on {}",
            app.kind()
        );
    }
}

#[tokio::test]
async fn who_comes_back_is_told_only_what_is_new() {
    for app in App::all().await {
        let ada = app.register("ada").await;
        let id = ada.design("D", "PRIVATE").await["id"].clone();
        rename(ada, &id, 1, "E").await;
        let mut missed = ada.subscribe(WATCH, json!({ "id": id, "after": 1 }));
        assert_eq!(next(&mut missed).await.unwrap()["sequence"], 2);

        let mut current = ada.subscribe(WATCH, json!({ "id": id, "after": 2 }));
        let (message, ()) = tokio::join!(next(&mut current), rename(ada, &id, 2, "F"));
        assert_eq!(message.unwrap()["sequence"], 3, "{}", app.kind());
    }
}

#[tokio::test]
async fn watching_ends_with_the_right_to_open_the_design() {
    for app in App::all().await {
        let (ada, bob) = (app.register("ada").await, app.register("bob").await);
        let id = ada.design("D", "PRIVATE").await["id"].clone();
        for person in [bob, app.anonymous()] {
            let mut refused = person.subscribe(WATCH, json!({ "id": id }));
            assert!(refused.next().await.unwrap()["errors"].is_array());
            assert!(refused.next().await.is_none());
        }
        ada.mutate(SET, json!({ "designId": id, "handle": "bob", "role": "VIEWER" })).await;
        let mut messages = bob.subscribe(WATCH, json!({ "id": id }));
        next(&mut messages).await.unwrap();
        ada.mutate(SET, json!({ "designId": id, "handle": "bob", "role": null })).await;
        assert_eq!(next(&mut messages).await, None, "{}", app.kind());
    }
}

#[tokio::test]
async fn a_change_in_one_process_is_told_in_another() {
    for app in App::all().await {
        let Some(other) = app.another_process().await else { continue };
        let ada = app.register("ada").await;
        let id = ada.design("D", "PRIVATE").await["id"].clone();
        let mut messages = other.as_viewer(ada.viewer).subscribe(WATCH, json!({ "id": id }));
        assert_eq!(next(&mut messages).await.unwrap()["sequence"], 1);
        rename(ada, &id, 1, "E").await;
        assert_eq!(next(&mut messages).await.unwrap()["design"]["name"], "E");
    }
}
