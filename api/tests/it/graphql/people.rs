use entity::store::{exports, users};
use futures_util::{StreamExt as _, future::join_all};
use serde_json::{Value as Json, json};
use worker::executor::Executor;

use super::{App, Person};

const PASSWORD: &str = "mutation Change($input: PasswordChangeInput!) { passwordChange(input: $input) {
    changed userErrors { code path } } }";
const SIGN_IN: &str = "mutation SignIn($input: SessionCreateInput!) { sessionCreate(input: $input) {
    session { accessToken refreshToken } userErrors { code path } } }";
const REFRESH: &str = "mutation Refresh($input: SessionRefreshInput!) { sessionRefresh(input: $input) {
    session { refreshToken } userErrors { code } } }";
const REVOKE: &str = "mutation Revoke($input: SessionRevokeInput!) { sessionRevoke(input: $input) {
    revoked userErrors { code } } }";
const SET_PLAN: &str = "mutation Set($input: UserPlanSetInput!) { userPlanSet(input: $input) {
    user { handle } userErrors { code path } } }";
const EXPORT: &str = "mutation Export($input: UserDataExportInput!) { userDataExport(input: $input) {
    export { id status progress downloadUrl finishedAt failure { code } } userErrors { code path } } }";
const EXPORTED: &str = "query($id: ID!) { node(id: $id) { __typename ... on UserDataExportJob { status progress downloadUrl } } }";
const DELETE: &str = "mutation Delete($input: UserDeleteInput!) { userDelete(input: $input) {
    deletedUserId scheduledFor userErrors { code path } } }";
const SESSIONS: &str = "{ viewer { sessions { id current createdAt lastUsedAt userAgent } } }";

fn credentials(handle: &str, password: &str) -> Json {
    json!({ "email": format!("{handle}@example.com"), "password": password })
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions_and_no_more() {
    for app in App::all().await {
        let ada = app.register("ada").await;
        let other = app.anonymous().mutate(SIGN_IN, credentials("ada", "good enough")).await;
        let refresh = json!({ "refreshToken": other["session"]["refreshToken"] });
        let wrong = json!({ "currentPassword": "good enough?", "newPassword": "even better" });
        assert_eq!(
            ada.payload(PASSWORD, wrong).await,
            json!({ "changed": false, "userErrors": [{ "code": "INVALID_CREDENTIALS", "path": ["input", "currentPassword"] }] })
        );
        let short = json!({ "currentPassword": "good enough", "newPassword": "short" });
        assert_eq!(
            ada.payload(PASSWORD, short).await["userErrors"][0]["path"],
            json!(["input", "newPassword"])
        );
        let listed = ada.send(SESSIONS, json!({})).await["viewer"]["sessions"].clone();
        assert_eq!(listed.as_array().unwrap().len(), 2, "{}", app.kind());

        let right = json!({ "currentPassword": "good enough", "newPassword": "even better" });
        assert_eq!(ada.mutate(PASSWORD, right).await["changed"], true);
        let listed = ada.send(SESSIONS, json!({})).await["viewer"]["sessions"].clone();
        assert_eq!((listed.as_array().unwrap().len(), &listed[0]["current"]), (1, &json!(true)));
        let refused = app.anonymous().payload(REFRESH, refresh).await;
        assert_eq!(refused["userErrors"][0]["code"], "INVALID_CREDENTIALS", "{}", app.kind());
        let old = app.anonymous().payload(SIGN_IN, credentials("ada", "good enough")).await;
        assert_eq!(old["userErrors"][0]["code"], "INVALID_CREDENTIALS");
        app.anonymous().mutate(SIGN_IN, credentials("ada", "even better")).await;
    }
}

#[tokio::test]
async fn who_holds_a_token_cannot_guess_the_password() {
    let app = App::all().await.swap_remove(0);
    let ada = app.register("ada").await;
    let guess = json!({ "input": { "currentPassword": "a guess", "newPassword": "even better" } });
    for tried in 0.. {
        let response = ada.response(PASSWORD, guess.clone()).await;
        if response["errors"][0]["extensions"]["code"] == "RATE_LIMITED" {
            break;
        }
        let code = &response["data"]["passwordChange"]["userErrors"][0]["code"];
        assert!(code == "INVALID_CREDENTIALS" && tried < 40, "{response}");
    }
}

#[tokio::test]
async fn sessions_are_listed_and_ended_one_by_one_and_a_reused_token_ends_its_own() {
    for app in App::all().await {
        let (ada, bob) = (app.register("ada").await, app.register("bob").await);
        let first = app.anonymous().mutate(SIGN_IN, credentials("ada", "good enough")).await;
        let spent = json!({ "refreshToken": first["session"]["refreshToken"] });
        app.anonymous().mutate(REFRESH, spent.clone()).await;
        app.anonymous().payload(REFRESH, spent).await;
        let sessions = async || ada.send(SESSIONS, json!({})).await["viewer"]["sessions"].clone();
        assert_eq!(sessions().await.as_array().unwrap().len(), 1, "{}", app.kind());
        app.anonymous().mutate(SIGN_IN, credentials("ada", "good enough")).await;
        let listed = sessions().await;
        let other =
            listed.as_array().unwrap().iter().find(|one| one["current"] == false).unwrap()["id"].clone();
        assert_eq!(bob.mutate(REVOKE, json!({ "sessionId": other })).await["revoked"], false);
        assert_eq!(ada.mutate(REVOKE, json!({ "sessionId": other })).await["revoked"], true);
        assert_eq!(sessions().await.as_array().unwrap().len(), 1);
        let data = bob.send("{ designs { nodes { owner { sessions { id } } } } }", json!({})).await;
        assert_eq!(data["designs"]["nodes"], json!([]));
    }
}

#[tokio::test]
async fn admins_alone_set_plans() {
    for app in App::all().await {
        let (ada, root) = (app.register("ada").await, app.register("root").await);
        let id = ada.send("{ viewer { id } }", json!({})).await["viewer"]["id"].clone();
        let input = json!({ "userId": id, "tier": "PREMIUM" });
        for person in [ada, root] {
            assert_eq!(person.payload(SET_PLAN, input.clone()).await["userErrors"][0]["code"], "FORBIDDEN");
        }
        // Who is no admin learns nothing of an id.
        let unknown = json!({ "userId": "nonsense", "tier": "PREMIUM" });
        assert_eq!(ada.payload(SET_PLAN, unknown.clone()).await["userErrors"][0]["code"], "FORBIDDEN");
        let made = api::service::administration::make_admin(&app.services, "root@example.com").await.unwrap();
        assert!(made.is_some());
        assert_eq!(root.mutate(SET_PLAN, input).await["user"]["handle"], "ada");
        assert_eq!(root.payload(SET_PLAN, unknown).await["userErrors"][0]["code"], "NOT_FOUND");
        let plan = ada
            .send(
                "{ viewer { plan { tier maxConcurrentJobs jobsRunning jobTimeoutSeconds maxDesigns maxOperationsPerJob
                eventStorageBytes eventStorageUsedBytes } } }",
                json!({}),
            )
            .await;
        assert_eq!(
            plan["viewer"]["plan"],
            json!({ "tier": "PREMIUM", "maxConcurrentJobs": 8, "jobsRunning": 0, "jobTimeoutSeconds": 600,
                "maxDesigns": null, "maxOperationsPerJob": "100000000", "eventStorageBytes": null,
                "eventStorageUsedBytes": "0" }),
            "{}",
            app.kind()
        );
    }
}

/// Someone who has one of everything.
async fn with_everything(app: &App) -> Person<'_> {
    let ada = app.premium("ada").await;
    let private = ada.design("Private design", "PRIVATE").await["id"].clone();
    ada.design("Public design", "PUBLIC").await;
    let workload = ada.small_workload().await;
    ada.submit(&private, &workload).await;
    app.drain().await;
    ada.mutate(
        "mutation($input: BlockConfigSaveInput!) { blockConfigSave(input: $input) { userErrors { code } } }",
        json!({ "name": "Saved configuration", "type": "disk", "parameters": {} }),
    )
    .await;
    ada
}

/// The text of an export, read as the download route reads it.
async fn text(app: &App, job: &Json) -> Option<String> {
    let url = job["downloadUrl"].as_str()?;
    let download = app.tokens.verify_download(url.rsplit('/').next().unwrap()).unwrap();
    let (mut text, mut part) = (String::new(), 0);
    while let Some(piece) =
        api::service::exports::read(&app.services, download.job_id, download.user_id, part).await.unwrap()
    {
        text.push_str(&piece);
        part += 1;
    }
    Some(text)
}

#[tokio::test]
async fn an_export_holds_everything_and_no_secret_and_is_its_owners_alone() {
    for app in App::all().await {
        let ada = with_everything(&app).await;
        let bob = app.register("bob").await;
        bob.design("Bobs design", "PUBLIC").await;
        let queued = ada.mutate(EXPORT, json!({ "idempotencyKey": "k" })).await["export"].clone();
        assert_eq!((&queued["status"], &queued["downloadUrl"]), (&json!("QUEUED"), &json!(null)));
        assert_eq!(ada.mutate(EXPORT, json!({ "idempotencyKey": "k" })).await["export"]["id"], queued["id"]);
        let second = ada.payload(EXPORT, json!({ "idempotencyKey": "other" })).await;
        assert_eq!(second["userErrors"][0]["code"], "CONFLICT", "{}", app.kind());
        assert_eq!(app.drain().await, 1);
        assert_eq!(bob.send(EXPORTED, json!({ "id": queued["id"] })).await["node"], json!(null));
        let done = ada.send(EXPORTED, json!({ "id": queued["id"] })).await["node"].clone();
        assert_eq!(
            (&done["__typename"], &done["status"], &done["progress"]),
            (&json!("UserDataExportJob"), &json!("COMPLETED"), &json!(1.0)),
            "{}",
            app.kind()
        );
        let text = text(&app, &done).await.unwrap();
        let data: Json = serde_json::from_str(&text).unwrap();
        for (list, count) in [
            ("users", 1),
            ("sessions", 1),
            ("designs", 2),
            ("design_versions", 2),
            ("workloads", 1),
            ("block_configs", 1),
            ("simulation_jobs", 1),
            ("background_jobs", 1),
            ("simulation_runs", 1),
        ] {
            assert_eq!(data[list].as_array().unwrap().len(), count, "{list} on {}", app.kind());
        }
        assert_eq!(data["users"][0]["email"], "ada@example.com");
        let stored = ada
            .send(
                "{ viewer { runs { nodes { metrics(maxPoints: 10000) { name values } events { totalCount } resultHash } } } }",
                json!({}),
            )
            .await;
        let (run, exported) = (&stored["viewer"]["runs"]["nodes"][0], &data["simulation_runs"][0]);
        assert_eq!(exported["result_hash"], run["resultHash"]);
        assert_eq!(
            exported["events"].as_array().unwrap().len(),
            run["events"]["totalCount"].as_u64().unwrap() as usize
        );
        assert!(exported["events"].as_array().unwrap().len() > 1_000, "more than one page");
        let series = exported["series"].as_array().unwrap();
        assert_eq!(series.len(), run["metrics"].as_array().unwrap().len());
        assert_eq!(series[0]["values"], run["metrics"][0]["values"]);
        assert!(data["simulation_jobs"][0]["logs"].as_array().unwrap().len() > 1);
        assert!(!text.contains("Bobs design"));
        assert!(
            !text.contains("$argon2") && !text.contains("password") && !text.contains("refresh_token"),
            "{text}"
        );

        // The next one takes the place of this one.
        let next = ada.mutate(EXPORT, json!({ "idempotencyKey": "next" })).await["export"].clone();
        app.drain().await;
        assert!(ada.send(EXPORTED, json!({ "id": next["id"] })).await["node"]["downloadUrl"].is_string());
        assert_eq!(exports::forget_old(&app.services.db).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn an_export_that_was_delivered_twice_is_written_once() {
    for app in App::all().await {
        let ada = with_everything(&app).await;
        let id = ada.mutate(EXPORT, json!({ "idempotencyKey": "k" })).await["export"]["id"].clone();
        let executor = Executor::new(app.services.clone(), &app.config.worker);
        let delivery = executor.claim(1).await.unwrap().pop().unwrap();
        join_all([executor.handle(delivery), executor.handle(delivery)]).await;
        executor.handle(delivery).await;
        let done = ada.send(EXPORTED, json!({ "id": id })).await["node"].clone();
        let text = text(&app, &done).await.unwrap();
        serde_json::from_str::<Json>(&text).unwrap_or_else(|error| panic!("{error} on {}", app.kind()));
    }
}

#[tokio::test]
async fn a_deleted_account_leaves_nothing_that_names_it() {
    for app in App::all().await {
        let ada = with_everything(&app).await;
        let bob = app.premium("bob").await;
        let viewer = ada.viewer.unwrap();
        let id = ada.send("{ viewer { id } }", json!({})).await["viewer"]["id"].clone();
        // Waits, and must not be run.
        let data = ada
            .send("{ viewer { designs { nodes { id name } } workloads { nodes { id } } } }", json!({}))
            .await;
        let (designs, workload) = (
            data["viewer"]["designs"]["nodes"].clone(),
            data["viewer"]["workloads"]["nodes"][0]["id"].clone(),
        );
        ada.mutate(EXPORT, json!({ "idempotencyKey": "k" })).await;
        ada.submit(&designs[0]["id"], &workload).await;

        let wrong = json!({ "idempotencyKey": "d", "confirmHandle": "Ada" });
        assert_eq!(
            ada.payload(DELETE, wrong).await["userErrors"],
            json!([{ "code": "INVALID", "path": ["input", "confirmHandle"] }])
        );
        let right = json!({ "idempotencyKey": "d", "confirmHandle": "ada" });
        let gone = json!({ "deletedUserId": id, "scheduledFor": null, "userErrors": [] });
        assert_eq!(ada.payload(DELETE, right.clone()).await, gone, "{}", app.kind());
        assert_eq!(ada.payload(DELETE, right).await, gone, "asking again changes nothing");
        assert_eq!(app.drain().await, 0, "{}", app.kind());
        for (table, row) in app.rows().await {
            for word in [
                "ada@example.com",
                "\"ada\"",
                &viewer.user_id.to_string(),
                &viewer.user_id.simple().to_string(),
            ] {
                assert!(!row.contains(word), "{word} in {table} on {}: {row}", app.kind());
            }
        }
        assert!(users::open_sessions(&app.services.db, viewer.user_id).await.unwrap().is_empty());
        assert_eq!(ada.send("{ viewer { handle } }", json!({})).await["viewer"], json!(null));
        assert_eq!(
            bob.send("query($id: ID!) { design(id: $id) { id } }", json!({ "id": designs[0]["id"] })).await["design"],
            json!(null)
        );
        let refused = app.anonymous().payload(SIGN_IN, credentials("ada", "good enough")).await;
        assert_eq!(refused["userErrors"][0]["code"], "INVALID_CREDENTIALS");
        app.register("ada").await;
    }
}

#[tokio::test]
async fn who_watches_a_design_is_told_that_it_went_with_its_owner() {
    for app in App::all().await {
        let (ada, bob) = (app.register("ada").await, app.register("bob").await);
        let id = ada.design("D", "PUBLIC").await["id"].clone();
        let mut messages = bob
            .subscribe("subscription($id: ID!) { designChanged(id: $id) { sequence } }", json!({ "id": id }));
        assert_eq!(messages.next().await.unwrap()["data"]["designChanged"]["sequence"], 1);
        ada.mutate(DELETE, json!({ "idempotencyKey": "d", "confirmHandle": "ada" })).await;
        // Without a word of it they would look again after half a minute.
        let told = tokio::time::timeout(std::time::Duration::from_secs(20), messages.next()).await;
        assert!(told.unwrap().is_none(), "{}", app.kind());
    }
}

#[tokio::test]
async fn public_designs_outlive_their_owner_when_asked_to_and_others_keep_their_runs() {
    for app in App::all().await {
        let ada = app.premium("ada").await;
        let bob = app.premium("bob").await;
        let public = ada.design("Public", "PUBLIC").await["id"].clone();
        let unlisted = ada.design("Unlisted", "UNLISTED").await["id"].clone();
        let workload = ada.small_workload().await;
        let unused = ada.small_workload().await;
        ada.submit(&public, &workload).await;
        let own = bob.design("Bobs", "PRIVATE").await["id"].clone();
        app.drain().await;
        bob.submit(&own, &workload).await;
        app.drain().await;
        let input =
            json!({ "idempotencyKey": "d", "confirmHandle": "ada", "publicDesigns": "KEEP_WITHOUT_OWNER" });
        ada.mutate(DELETE, input).await;
        const DESIGN: &str = "query($id: ID!) { design(id: $id) { owner { handle } versions { nodes { author { handle } } }
            latestRun { status owner { handle } job { id } workload { name owner { handle } } metrics { name } } } }";
        let kept = bob.send(DESIGN, json!({ "id": public })).await["design"].clone();
        assert_eq!(kept["owner"], json!(null), "{}", app.kind());
        assert_eq!(kept["versions"]["nodes"], json!([{ "author": null }]));
        let run = &kept["latestRun"];
        assert_eq!(
            (&run["status"], &run["owner"], &run["job"]),
            (&json!("COMPLETED"), &json!(null), &json!(null))
        );
        assert_eq!(run["workload"], json!({ "name": "Small", "owner": null }));
        assert!(!run["metrics"].as_array().unwrap().is_empty());
        assert_eq!(bob.send(DESIGN, json!({ "id": unlisted })).await["design"], json!(null));
        let bobs = bob.send(DESIGN, json!({ "id": own })).await["design"].clone();
        assert_eq!(bobs["latestRun"]["status"], "COMPLETED");
        const WORKLOAD: &str = "query($id: ID!) { workload(id: $id) { id } }";
        assert_eq!(bob.send(WORKLOAD, json!({ "id": unused })).await["workload"], json!(null));
        assert_eq!(bob.send(WORKLOAD, json!({ "id": workload })).await["workload"]["id"], workload);
        for (table, row) in app.rows().await {
            assert!(!row.contains("ada@example.com") && !row.contains("\"ada\""), "{table}: {row}");
        }
    }
}
