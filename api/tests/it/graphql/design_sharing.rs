//! Who may do what with a design, and share links.

use serde_json::{Value as Json, json};

use super::{App, Person, designs::canvas};

const SET: &str = "mutation($input: DesignCollaboratorSetInput!) { designCollaboratorSet(input: $input) {
    design { collaborators { role user { handle } } } userErrors { __typename code path } } }";
const ROTATE: &str = "mutation($input: ShareLinkRotateInput!) { shareLinkRotate(input: $input) {
    design { shareUrl version } userErrors { code path } } }";
const UPDATE: &str = "mutation($input: DesignUpdateInput!) { designUpdate(input: $input) {
    design { version } userErrors { code path } } }";
const SEEN: &str = "query($id: ID!) { design(id: $id) { shareUrl collaborators { role user { handle } }
    viewerPermissions { canEdit canShare canRun canArchive } } designs { totalCount } }";
const BY_TOKEN: &str = "query($token: String!) { designByShareToken(token: $token) { id } }";

async fn share(owner: Person<'_>, design: &Json, handle: &str, role: Option<&str>) -> Json {
    owner.mutate(SET, json!({ "designId": design, "handle": handle, "role": role })).await
}

#[tokio::test]
async fn everyone_may_do_what_their_role_says_and_is_told_so() {
    // Who: may open a private design, edit, share, archive.
    let roles = [
        ("owner", true, true, true),
        ("admin", true, true, true),
        ("editor", true, true, false),
        ("viewer", true, false, false),
        ("stranger", false, false, false),
        ("anonymous", false, false, false),
    ];
    for app in App::all().await {
        let owner = app.register("owner").await;
        let people = [
            owner,
            app.register("admin").await,
            app.register("editor").await,
            app.register("viewer").await,
            app.register("stranger").await,
            app.anonymous(),
        ];
        app.make_admin("admin").await;
        for visibility in ["PRIVATE", "UNLISTED", "PUBLIC"] {
            let open = visibility != "PRIVATE";
            let id = owner.design("D", visibility).await["id"].clone();
            share(owner, &id, "viewer", Some("EDITOR")).await;
            share(owner, &id, "viewer", Some("VIEWER")).await;
            let set = share(owner, &id, "Editor", Some("EDITOR")).await;
            let collaborators = json!([
                { "role": "VIEWER", "user": { "handle": "viewer" } }, { "role": "EDITOR", "user": { "handle": "editor" } },
            ]);
            assert_eq!(set["design"]["collaborators"], collaborators);

            let mut version = 1;
            for ((name, reads, edits, owns), person) in roles.into_iter().zip(people) {
                let who = format!("{name} of a {visibility} design on {}", app.kind());
                let seen = person.send(SEEN, json!({ "id": id })).await;
                assert_eq!(seen["design"].is_object(), reads || open, "{who}");
                if reads || open {
                    let permissions =
                        json!({ "canEdit": edits, "canShare": owns, "canRun": edits, "canArchive": owns });
                    assert_eq!(seen["design"]["viewerPermissions"], permissions, "{who}");
                    let told = if reads { collaborators.clone() } else { json!(null) };
                    assert_eq!(seen["design"]["collaborators"], told, "{who}");
                    let linked = match visibility {
                        "PRIVATE" => false,
                        "UNLISTED" => reads,
                        _ => true,
                    };
                    assert_eq!(seen["design"]["shareUrl"].is_string(), linked, "{who}");
                }
                if person.viewer.is_none() {
                    continue;
                }
                let refused = if reads || open { "FORBIDDEN" } else { "NOT_FOUND" };
                let outcome = |payload: Json, allowed: bool| {
                    let code = payload["userErrors"][0]["code"].clone();
                    assert_eq!(code, if allowed { json!(null) } else { json!(refused) }, "{who}: {payload}");
                };
                let edit = json!({ "id": id, "expectedVersion": version, "canvas": canvas(0.5) });
                outcome(person.payload(UPDATE, edit).await, edits);
                version += i32::from(edits);
                const BRANCH: &str = "mutation($input: BranchCreateInput!) { branchCreate(input: $input) { userErrors { code } } }";
                outcome(person.payload(BRANCH, json!({ "designId": id, "name": name })).await, edits);
                const RESTORE: &str = "mutation($input: DesignVersionRestoreInput!) { designVersionRestore(input: $input) { userErrors { code } } }";
                let restore = json!({ "designId": id, "number": 1, "expectedVersion": version });
                outcome(person.payload(RESTORE, restore).await, edits);
                version += i32::from(edits);
                let hide = json!({ "id": id, "expectedVersion": version, "visibility": if open { "PRIVATE" } else { "PUBLIC" } });
                let payload = person.payload(UPDATE, hide).await;
                if name == "editor" {
                    assert_eq!(
                        payload["userErrors"],
                        json!([{ "code": "FORBIDDEN", "path": ["input", "visibility"] }])
                    );
                } else {
                    outcome(payload, owns);
                }
                if owns {
                    let back = json!({ "id": id, "expectedVersion": version + 1, "visibility": visibility });
                    owner.mutate(UPDATE, back).await;
                    version += 2;
                }
                outcome(person.payload(ROTATE, json!({ "designId": id })).await, owns);
                let stranger = json!({ "designId": id, "handle": "stranger", "role": null });
                outcome(person.payload(SET, stranger).await, owns);
                const ARCHIVE: &str = "mutation($input: DesignArchiveInput!) { designArchive(input: $input) { userErrors { code } } }";
                const UNARCHIVE: &str = "mutation($input: DesignUnarchiveInput!) { designUnarchive(input: $input) { userErrors { code } } }";
                outcome(person.payload(ARCHIVE, json!({ "id": id })).await, owns);
                outcome(person.payload(UNARCHIVE, json!({ "id": id })).await, owns);
                version += 2 * i32::from(owns);
            }
        }
    }
}

#[tokio::test]
async fn an_archived_design_is_lost_to_its_collaborators_until_it_comes_back() {
    const ARCHIVE: &str =
        "mutation($input: DesignArchiveInput!) { designArchive(input: $input) { userErrors { code } } }";
    const UNARCHIVE: &str = "mutation($input: DesignUnarchiveInput!) { designUnarchive(input: $input) {
        design { archivedAt version } userErrors { __typename code path } } }";
    for app in App::all().await {
        let (ada, bob) = (app.register("ada").await, app.register("bob").await);
        let id = ada.design("D", "PRIVATE").await["id"].clone();
        share(ada, &id, "bob", Some("EDITOR")).await;
        ada.mutate(ARCHIVE, json!({ "id": id })).await;
        assert_eq!(bob.send(SEEN, json!({ "id": id })).await["design"], json!(null));
        assert_eq!(bob.payload(UNARCHIVE, json!({ "id": id })).await["userErrors"][0]["code"], "NOT_FOUND");
        let seen = ada.send(SEEN, json!({ "id": id })).await;
        assert_eq!(
            seen["design"]["viewerPermissions"],
            json!({ "canEdit": false, "canShare": false, "canRun": false, "canArchive": true })
        );
        let refused = ada.payload(SET, json!({ "designId": id, "handle": "bob", "role": "VIEWER" })).await;
        assert_eq!(refused["userErrors"][0]["code"], "FORBIDDEN");

        let back = ada.mutate(UNARCHIVE, json!({ "id": id })).await;
        assert_eq!(back["design"], json!({ "archivedAt": null, "version": 3 }), "{}", app.kind());
        assert_eq!(ada.mutate(UNARCHIVE, json!({ "id": id })).await["design"], back["design"]);
        assert!(bob.send(SEEN, json!({ "id": id })).await["design"].is_object());
    }
}

#[tokio::test]
async fn a_design_comes_back_only_if_the_plan_has_room() {
    const ARCHIVE: &str =
        "mutation($input: DesignArchiveInput!) { designArchive(input: $input) { userErrors { code } } }";
    const UNARCHIVE: &str = "mutation($input: DesignUnarchiveInput!) { designUnarchive(input: $input) {
        userErrors { __typename code path ... on QuotaError { limit used } } } }";
    // The rule is counted by SQL that both databases read alike; a hundred designs twice would only take longer.
    let app = App::all().await.remove(0);
    let ada = app.register("ada").await;
    let archived = ada.design("D", "PRIVATE").await["id"].clone();
    ada.mutate(ARCHIVE, json!({ "id": archived })).await;
    for _ in 0..100 {
        ada.design("D", "PRIVATE").await;
    }
    let payload = ada.payload(UNARCHIVE, json!({ "id": archived })).await;
    assert_eq!(
        payload["userErrors"],
        json!([{ "__typename": "QuotaError", "code": "QUOTA_EXCEEDED", "path": ["input"], "limit": 100, "used": 100 }])
    );
}

#[tokio::test]
async fn sharing_names_its_mistakes_and_a_collaborator_may_leave() {
    for app in App::all().await {
        let (ada, bob) = (app.register("ada").await, app.register("bob").await);
        let id = ada.design("D", "PRIVATE").await["id"].clone();
        for (handle, role, code) in [
            ("nobody", Some("VIEWER"), "NOT_FOUND"),
            ("ada", Some("VIEWER"), "INVALID"),
            ("ada", None, "INVALID"),
        ] {
            let payload = ada.payload(SET, json!({ "designId": id, "handle": handle, "role": role })).await;
            let error = &payload["userErrors"][0];
            assert_eq!((&error["code"], &error["path"]), (&json!(code), &json!(["input", "handle"])));
        }
        share(ada, &id, "bob", Some("VIEWER")).await;
        let data = bob.send(SEEN, json!({ "id": id })).await;
        assert_eq!(data["designs"], json!({ "totalCount": 1 }), "what is shared is listed on {}", app.kind());
        let refused = bob.payload(SET, json!({ "designId": id, "handle": "bob", "role": "EDITOR" })).await;
        assert_eq!(refused["userErrors"][0]["code"], "FORBIDDEN");
        assert_eq!(share(bob, &id, "bob", None).await["design"], json!(null));
        let data = bob.send(SEEN, json!({ "id": id })).await;
        assert_eq!(data, json!({ "design": null, "designs": { "totalCount": 0 } }));
        // Ending what has ended changes nothing.
        assert_eq!(share(ada, &id, "bob", None).await["design"]["collaborators"], json!([]));
    }
}

#[tokio::test]
async fn a_share_link_opens_a_design_until_it_is_private_or_has_another_link() {
    for app in App::all().await {
        let (ada, bob) = (app.register("ada").await, app.register("bob").await);
        let id = ada.design("D", "UNLISTED").await["id"].clone();
        let link = async || {
            let data = ada.send(SEEN, json!({ "id": id })).await;
            data["design"]["shareUrl"].as_str().map(str::to_owned)
        };
        let token = |link: &str| link.rsplit_once('/').unwrap().1.to_owned();
        let opens = async |token: &str| {
            let mut found = Vec::new();
            for person in [ada, bob, app.anonymous()] {
                let data = person.send(BY_TOKEN, json!({ "token": token })).await;
                found.push(data["designByShareToken"]["id"] == id);
            }
            assert!(found.iter().all(|one| *one == found[0]), "the token is all that counts");
            found[0]
        };
        let first = link().await.unwrap();
        assert!(first.starts_with("http://127.0.0.1:8000/share/"), "{first}");
        assert!(opens(&token(&first)).await, "{}", app.kind());

        let rotated = ada.mutate(ROTATE, json!({ "designId": id })).await["design"].clone();
        let second = rotated["shareUrl"].as_str().unwrap().to_owned();
        assert_ne!(first, second);
        assert_eq!(rotated["version"], 1, "a link is no part of the design");
        assert!(!opens(&token(&first)).await);
        assert!(opens(&token(&second)).await);

        for (version, visibility, open) in [(1, "PRIVATE", false), (2, "PUBLIC", true)] {
            ada.mutate(UPDATE, json!({ "id": id, "expectedVersion": version, "visibility": visibility }))
                .await;
            assert_eq!(link().await.is_some(), open);
            assert_eq!(opens(&token(&second)).await, open, "{visibility}");
        }
        for garbage in ["", "nonsense", &"x".repeat(10_000)] {
            assert!(!opens(garbage).await);
        }
    }
}

#[tokio::test]
async fn a_design_of_others_runs_for_its_editors_alone() {
    for app in App::all().await {
        let (ada, bob) = (app.register("ada").await, app.premium("bob").await);
        let id = ada.design("D", "PUBLIC").await["id"].clone();
        let workload = bob.small_workload().await;
        let input = json!({ "idempotencyKey": "k", "designId": id, "workloadId": workload });
        share(ada, &id, "bob", Some("VIEWER")).await;
        let refused = bob.payload(super::app::SUBMIT, input.clone()).await;
        assert_eq!(refused["userErrors"][0]["code"], "FORBIDDEN");
        share(ada, &id, "bob", Some("EDITOR")).await;
        bob.mutate(super::app::SUBMIT, input).await;
        assert_eq!(app.drain().await, 1);
        // Who may open the design may open its runs, and the workload that one of them ran.
        let app_wide = "query($id: ID!) { design(id: $id) { latestRun { id workload { name } } } }";
        let data = ada.send(app_wide, json!({ "id": id })).await;
        assert_eq!(data["design"]["latestRun"]["workload"], json!({ "name": "Small" }), "{}", app.kind());
    }
}

#[tokio::test]
async fn what_a_list_of_designs_tells_takes_as_many_statements_for_many_as_for_few() {
    const LIST: &str = r#"query($first: Int!) { designs(first: $first) { nodes { shareUrl forkedFrom { name }
        collaborators { role user { handle } } viewerPermissions { canEdit } owner { handle }
        branches { totalCount nodes { name head { number } } }
        versions(branch: "main") { totalCount nodes { number parents { number } branch { name } author { handle } } } } } }"#;
    const FORK: &str = "mutation($input: DesignForkInput!) { designFork(input: $input) { design { id } userErrors { code } } }";
    for app in App::all().await {
        let (ada, bob) = (app.register("ada").await, app.register("bob").await);
        let origin = bob.design("origin", "PUBLIC").await["id"].clone();
        for _ in 0..4 {
            let id = ada.mutate(FORK, json!({ "id": origin })).await["design"]["id"].clone();
            share(ada, &id, "bob", Some("VIEWER")).await;
            ada.mutate(UPDATE, json!({ "id": id, "expectedVersion": 1, "canvas": canvas(0.5) })).await;
        }
        let (few, _) = app.statements_of(bob.send(LIST, json!({ "first": 1 }))).await;
        let (many, data) = app.statements_of(bob.send(LIST, json!({ "first": 4 }))).await;
        // What two levels ask of one loader may or may not meet in one statement; a statement a design would be three more.
        assert!(many <= few + 2, "{few} and {many} statements on {}", app.kind());
        for node in data["designs"]["nodes"].as_array().unwrap() {
            assert_eq!(node["versions"]["totalCount"], 2);
            assert_eq!(node["branches"]["nodes"], json!([{ "name": "main", "head": { "number": 2 } }]));
        }
        let input = json!({ "id": origin, "expectedVersion": 1, "canvas": canvas(0.5) });
        let (update, _) = app.statements_of(bob.mutate(UPDATE, input)).await;
        // The design and its branch are read and written, the version is written.
        assert!(update <= 5, "{update} statements on {}", app.kind());
    }
}
