//! Versions, branches, merges, diffs and forks.

use futures_util::future::join_all;
use serde_json::{Value as Json, json};

use super::{App, Person, app::CREATE_DESIGN, designs::canvas};

const UPDATE: &str = "mutation($input: DesignUpdateInput!) { designUpdate(input: $input) {
    design { version canvas { raw } } version { number message branch { name isDefault } parents { number } }
    userErrors { __typename code path ... on VersionConflictError { expectedVersion currentVersion current { name } }
      ... on CanvasError { diagnostics { code } } } } }";
const BRANCH: &str = "mutation($input: BranchCreateInput!) { branchCreate(input: $input) {
    branch { id name isDefault head { number } design { name } } userErrors { code path } } }";
const MERGE: &str = "mutation($input: BranchMergeInput!) { branchMerge(input: $input) {
    branch { name head { number } } version { number message parents { number } canvas { raw } }
    userErrors { __typename code path message ... on VersionConflictError { expectedVersion currentVersion }
      ... on MergeConflictError { conflicts { path base ours theirs } } ... on CanvasError { diagnostics { code } } } } }";
const RESTORE: &str = "mutation($input: DesignVersionRestoreInput!) { designVersionRestore(input: $input) {
    design { version canvas { raw } } version { number message parents { number } }
    userErrors { __typename code path } } }";
const FORK: &str = "mutation($input: DesignForkInput!) { designFork(input: $input) {
    design { id name description visibility version owner { handle } canvas { raw } versions { totalCount }
      forkedFrom { id } } userErrors { code path } } }";

async fn design(person: Person<'_>, canvas: Json) -> Json {
    let input = json!({ "name": "D", "canvas": canvas });
    person.mutate(CREATE_DESIGN, input).await["design"]["id"].clone()
}

/// The canvas of the tests with the table's fill factor and the disk's place.
fn drawn(fill_factor: f64, x: f64) -> Json {
    let mut canvas = canvas(fill_factor);
    canvas["blocks"][3]["position"]["x"] = json!(x);
    canvas
}

async fn save(person: Person<'_>, id: &Json, branch: &str, head: i32, canvas: Json) -> Json {
    let input = json!({ "id": id, "expectedVersion": head, "branch": branch, "canvas": canvas });
    person.mutate(UPDATE, input).await
}

#[tokio::test]
async fn branches_go_their_own_ways_and_come_together() {
    for app in App::all().await {
        let ada = app.register("ada").await;
        let id = design(ada, drawn(0.9, 600.0)).await;
        let made = ada.mutate(BRANCH, json!({ "designId": id, "name": "tuning" })).await;
        let branch = &made["branch"];
        assert_eq!(
            (&branch["name"], &branch["isDefault"], &branch["head"]),
            (&json!("tuning"), &json!(false), &json!({ "number": 1 }))
        );

        let saved = save(ada, &id, "tuning", 1, drawn(0.5, 600.0)).await;
        assert_eq!(
            saved["version"],
            json!({ "number": 2, "message": null, "branch": { "name": "tuning", "isDefault": false }, "parents": [{ "number": 1 }] }),
            "{}",
            app.kind()
        );
        // Every update counts, but the canvas of the design is that of its default branch.
        assert_eq!(saved["design"], json!({ "version": 2, "canvas": { "raw": drawn(0.9, 600.0) } }));
        save(ada, &id, "main", 1, drawn(0.9, 700.0)).await;

        let input = json!({ "designId": id, "source": "tuning", "target": "main", "expectedTargetHead": 3, "message": "m" });
        let merged = ada.mutate(MERGE, input).await;
        assert_eq!(merged["branch"], json!({ "name": "main", "head": { "number": 4 } }));
        assert_eq!(
            merged["version"],
            json!({ "number": 4, "message": "m", "parents": merged["version"]["parents"], "canvas": { "raw": drawn(0.5, 700.0) } })
        );
        let mut parents: Vec<_> = merged["version"]["parents"].as_array().unwrap().clone();
        parents.sort_by_key(|parent| parent["number"].as_i64());
        assert_eq!(parents, [json!({ "number": 2 }), json!({ "number": 3 })]);

        // The other way round there is nothing but what main has: its canvas, as a merge.
        let input = json!({ "designId": id, "source": "main", "target": "tuning", "expectedTargetHead": 2 });
        let back = ada.mutate(MERGE, input).await;
        assert_eq!(
            (&back["version"]["number"], &back["version"]["canvas"]["raw"], &back["version"]["message"]),
            (&json!(5), &drawn(0.5, 700.0), &json!("Merge main into tuning"))
        );
        // Again, there is nothing to merge.
        let input = json!({ "designId": id, "source": "main", "target": "tuning", "expectedTargetHead": 5 });
        assert_eq!(ada.mutate(MERGE, input).await["version"]["number"], 5);

        const LISTS: &str = r#"query($id: ID!) { design(id: $id) { version canvas { raw }
            branches { totalCount nodes { name isDefault head { number } } }
            main: versions(branch: "main") { totalCount nodes { number } }
            tuning: versions(branch: "tuning", last: 2) { totalCount nodes { number } }
            none: versions(branch: "nothing") { totalCount nodes { number } }
            versions(first: 2) { totalCount nodes { number branch { name } } } } }"#;
        let data = ada.send(LISTS, json!({ "id": id })).await;
        let numbers =
            |list: &[i32]| json!(list.iter().map(|number| json!({ "number": number })).collect::<Vec<_>>());
        assert_eq!(
            data["design"],
            json!({
                "version": 5,
                "canvas": { "raw": drawn(0.5, 700.0) },
                "branches": { "totalCount": 2, "nodes": [
                    { "name": "main", "isDefault": true, "head": { "number": 4 } },
                    { "name": "tuning", "isDefault": false, "head": { "number": 5 } },
                ] },
                "main": { "totalCount": 4, "nodes": numbers(&[4, 3, 2, 1]) },
                "tuning": { "totalCount": 5, "nodes": numbers(&[2, 1]) },
                "none": { "totalCount": 0, "nodes": [] },
                "versions": { "totalCount": 5, "nodes": [
                    { "number": 5, "branch": { "name": "tuning" } }, { "number": 4, "branch": { "name": "main" } },
                ] },
            }),
            "{}",
            app.kind()
        );

        const NODE: &str = "query($id: ID!) { node(id: $id) { __typename ... on Branch { name } } }";
        let found = ada.send(NODE, json!({ "id": branch["id"] })).await;
        assert_eq!(found["node"], json!({ "__typename": "Branch", "name": "tuning" }));
        let hidden = app.register("bob").await.send(NODE, json!({ "id": branch["id"] })).await;
        assert_eq!(hidden["node"], json!(null));
    }
}

#[tokio::test]
async fn a_merge_that_both_sides_contradict_changes_nothing_and_tells_both() {
    for app in App::all().await {
        let ada = app.register("ada").await;
        let id = design(ada, drawn(0.9, 600.0)).await;
        ada.mutate(BRANCH, json!({ "designId": id, "name": "b" })).await;
        save(ada, &id, "b", 1, drawn(0.5, 1.0)).await;
        save(ada, &id, "main", 1, drawn(0.6, 600.0)).await;
        let merge = json!({ "designId": id, "source": "b", "target": "main", "expectedTargetHead": 3 });
        let payload = ada.payload(MERGE, merge.clone()).await;
        let error = &payload["userErrors"][0];
        assert_eq!(
            (&error["__typename"], &error["code"], &error["path"]),
            (&json!("MergeConflictError"), &json!("CONFLICT"), &json!(["input", "source"]))
        );
        assert_eq!(
            error["conflicts"],
            json!([{ "path": ["blocks", "h", "parameters", "fill_factor"], "base": 0.9, "ours": 0.6, "theirs": 0.5 }]),
            "{}",
            app.kind()
        );
        assert_eq!((&payload["branch"], &payload["version"]), (&json!(null), &json!(null)));
        const HEADS: &str =
            "query($id: ID!) { design(id: $id) { version branches { nodes { head { number } } } } }";
        let heads = ada.send(HEADS, json!({ "id": id })).await;
        assert_eq!(
            heads["design"],
            json!({ "version": 3, "branches": { "nodes": [{ "head": { "number": 3 } }, { "head": { "number": 2 } }] } })
        );

        // Two ways from the client to the scan are one too many, though neither side drew both.
        let mut links = [canvas(0.9), canvas(0.9)];
        for (canvas, name) in links.iter_mut().zip(["x", "y"]) {
            canvas["connections"][1] = json!({ "id": name, "source": { "blockId": "s", "port": "table" }, "target": { "blockId": "h", "port": "in" } });
        }
        let id = design(ada, canvas(0.9)).await;
        ada.mutate(BRANCH, json!({ "designId": id, "name": "b" })).await;
        let [one, other] = links;
        save(ada, &id, "b", 1, one).await;
        save(ada, &id, "main", 1, other).await;
        let merge = json!({ "designId": id, "source": "b", "target": "main", "expectedTargetHead": 3 });
        let error = ada.payload(MERGE, merge).await["userErrors"][0].clone();
        assert_eq!(error["__typename"], "CanvasError", "{error}");
        assert!(!error["diagnostics"].as_array().unwrap().is_empty());
    }
}

#[tokio::test]
async fn of_concurrent_merges_and_updates_of_one_head_one_wins() {
    for app in App::all().await {
        let ada = app.register("ada").await;
        let id = design(ada, drawn(0.9, 600.0)).await;
        ada.mutate(BRANCH, json!({ "designId": id, "name": "b" })).await;
        save(ada, &id, "b", 1, drawn(0.5, 600.0)).await;
        let merge = json!({ "designId": id, "source": "b", "target": "main", "expectedTargetHead": 1 });
        let update = json!({ "id": id, "branch": "main", "expectedVersion": 1, "canvas": drawn(0.9, 1.0) });
        let merges = join_all((0..3).map(|_| ada.payload(MERGE, merge.clone())));
        let updates = join_all((0..3).map(|_| ada.payload(UPDATE, update.clone())));
        let (merges, updates) = tokio::join!(merges, updates);
        let all: Vec<Json> = merges.into_iter().chain(updates).collect();
        let lost: Vec<&Json> = all.iter().filter(|payload| payload["userErrors"] != json!([])).collect();
        assert_eq!(lost.len(), 5, "{}: {all:#?}", app.kind());
        for payload in lost {
            let error = &payload["userErrors"][0];
            assert_eq!(
                (&error["__typename"], &error["currentVersion"]),
                (&json!("VersionConflictError"), &json!(3)),
                "{error}"
            );
        }
    }
}

#[tokio::test]
async fn a_branch_is_updated_under_its_own_head() {
    for app in App::all().await {
        let ada = app.register("ada").await;
        let id = design(ada, canvas(0.9)).await;
        ada.mutate(UPDATE, json!({ "id": id, "expectedVersion": 1, "name": "E" })).await;
        ada.mutate(BRANCH, json!({ "designId": id, "name": "b" })).await;
        // The design is at version 2, its branches at number 1.
        let stale = json!({ "id": id, "expectedVersion": 2, "branch": "b", "canvas": canvas(0.8) });
        assert_eq!(
            ada.payload(UPDATE, stale).await["userErrors"],
            json!([{
                "__typename": "VersionConflictError", "code": "CONFLICT", "path": ["input", "expectedVersion"],
                "expectedVersion": 2, "currentVersion": 1, "current": { "name": "E" },
            }])
        );
        save(ada, &id, "b", 1, canvas(0.8)).await;
        for (mutation, input, path, code) in [
            (
                UPDATE,
                json!({ "id": id, "expectedVersion": 1, "branch": "x", "canvas": canvas(0.8) }),
                "branch",
                "NOT_FOUND",
            ),
            (
                UPDATE,
                json!({ "id": id, "expectedVersion": 3, "message": "x".repeat(5_001) }),
                "message",
                "INVALID",
            ),
            (BRANCH, json!({ "designId": id, "name": "b" }), "name", "TAKEN"),
            (BRANCH, json!({ "designId": id, "name": "main" }), "name", "TAKEN"),
            (BRANCH, json!({ "designId": id, "name": " " }), "name", "INVALID"),
            (BRANCH, json!({ "designId": id, "name": "c", "fromVersion": 9 }), "fromVersion", "NOT_FOUND"),
            (BRANCH, json!({ "designId": "nonsense", "name": "c" }), "designId", "NOT_FOUND"),
            (
                MERGE,
                json!({ "designId": id, "source": "b", "target": "b", "expectedTargetHead": 2 }),
                "source",
                "INVALID",
            ),
            (
                MERGE,
                json!({ "designId": id, "source": "x", "target": "b", "expectedTargetHead": 2 }),
                "source",
                "NOT_FOUND",
            ),
            (
                MERGE,
                json!({ "designId": id, "source": "b", "target": "x", "expectedTargetHead": 2 }),
                "target",
                "NOT_FOUND",
            ),
            (
                MERGE,
                json!({ "designId": id, "source": "b", "target": "main", "expectedTargetHead": 9 }),
                "expectedTargetHead",
                "CONFLICT",
            ),
            (RESTORE, json!({ "designId": id, "number": 9, "expectedVersion": 3 }), "number", "NOT_FOUND"),
            (
                RESTORE,
                json!({ "designId": id, "number": 1, "expectedVersion": 9 }),
                "expectedVersion",
                "CONFLICT",
            ),
            (FORK, json!({ "id": id, "version": 9 }), "version", "NOT_FOUND"),
            (FORK, json!({ "id": id, "name": "" }), "name", "INVALID"),
            (FORK, json!({ "id": "nonsense" }), "id", "NOT_FOUND"),
        ] {
            let payload = ada.payload(mutation, input.clone()).await;
            let error = &payload["userErrors"][0];
            assert_eq!((&error["path"], &error["code"]), (&json!(["input", path]), &json!(code)), "{input}");
        }
    }
}

#[tokio::test]
async fn an_earlier_canvas_comes_back_as_a_new_version() {
    for app in App::all().await {
        let ada = app.register("ada").await;
        let id = design(ada, canvas(0.9)).await;
        ada.mutate(UPDATE, json!({ "id": id, "expectedVersion": 1, "canvas": canvas(0.8) })).await;
        let restored =
            ada.mutate(RESTORE, json!({ "designId": id, "number": 1, "expectedVersion": 2 })).await;
        assert_eq!(restored["design"], json!({ "version": 3, "canvas": { "raw": canvas(0.9) } }));
        assert_eq!(
            restored["version"],
            json!({ "number": 3, "message": "Restore version 1", "parents": [{ "number": 2 }] }),
            "{}",
            app.kind()
        );
    }
}

#[tokio::test]
async fn a_diff_tells_what_was_added_removed_and_changed_and_where() {
    for app in App::all().await {
        let ada = app.register("ada").await;
        let id = design(ada, canvas(0.9)).await;
        let mut changed = drawn(0.8, 650.0);
        changed["blocks"].as_array_mut().unwrap().push(
            json!({ "id": "p", "type": "buffer-pool", "position": { "x": 500, "y": 0 }, "parameters": {} }),
        );
        changed["connections"][2]["target"] = json!({ "blockId": "p", "port": "in" });
        changed["connections"].as_array_mut().unwrap().push(
            json!({ "id": "4", "source": { "blockId": "p", "port": "device" }, "target": { "blockId": "d", "port": "in" } }),
        );
        ada.mutate(UPDATE, json!({ "id": id, "expectedVersion": 1, "canvas": changed })).await;
        const DIFF: &str = "query($id: ID!, $base: Int!, $head: Int!) { design(id: $id) { versionDiff(base: $base, head: $head) {
            base { number } head { number } added { blockId type } removed { blockId }
            changed { before { blockId x } after { parameters x } paths }
            addedLinks { linkId target { blockId } } removedLinks { linkId target { blockId } } } } }";
        let data = ada.send(DIFF, json!({ "id": id, "base": 1, "head": 2 })).await;
        assert_eq!(
            data["design"]["versionDiff"],
            json!({
                "base": { "number": 1 },
                "head": { "number": 2 },
                "added": [{ "blockId": "p", "type": "buffer-pool" }],
                "removed": [],
                "changed": [
                    { "before": { "blockId": "h", "x": 400.0 }, "after": { "parameters": { "fill_factor": 0.8 }, "x": 400.0 },
                      "paths": ["/parameters/fill_factor"] },
                    { "before": { "blockId": "d", "x": 600.0 }, "after": { "parameters": {}, "x": 650.0 },
                      "paths": ["/position/x"] },
                ],
                "addedLinks": [
                    { "linkId": "3", "target": { "blockId": "p" } }, { "linkId": "4", "target": { "blockId": "d" } },
                ],
                "removedLinks": [{ "linkId": "3", "target": { "blockId": "d" } }],
            }),
            "{}",
            app.kind()
        );
        let back = ada.send(DIFF, json!({ "id": id, "base": 2, "head": 1 })).await;
        assert_eq!(back["design"]["versionDiff"]["removed"], json!([{ "blockId": "p" }]));
        for (base, head) in [(1, 9), (0, 1), (i32::MIN, i32::MAX)] {
            let data = ada.send(DIFF, json!({ "id": id, "base": base, "head": head })).await;
            assert_eq!(data["design"]["versionDiff"], json!(null));
        }
    }
}

#[tokio::test]
async fn a_fork_is_a_private_design_of_its_own_that_remembers_where_it_came_from() {
    for app in App::all().await {
        let (ada, bob) = (app.register("ada").await, app.register("bob").await);
        let input = json!({ "name": "D", "description": "d", "canvas": canvas(0.9), "visibility": "PUBLIC" });
        let id = ada.mutate(CREATE_DESIGN, input).await["design"]["id"].clone();
        ada.mutate(UPDATE, json!({ "id": id, "expectedVersion": 1, "canvas": canvas(0.8) })).await;

        let input = json!({ "id": id, "idempotencyKey": "k", "version": 1, "name": "Mine" });
        let forks = join_all((0..4).map(|_| bob.mutate(FORK, input.clone()))).await;
        let fork = &forks[0]["design"];
        assert!(forks.iter().all(|payload| payload["design"]["id"] == fork["id"]), "{}", app.kind());
        assert_eq!(
            *fork,
            json!({
                "id": fork["id"], "name": "Mine", "description": "d", "visibility": "PRIVATE", "version": 1,
                "owner": { "handle": "bob" }, "canvas": { "raw": canvas(0.9) }, "versions": { "totalCount": 1 },
                "forkedFrom": { "id": id },
            })
        );
        let newest = bob.mutate(FORK, json!({ "id": id })).await["design"].clone();
        assert_eq!((&newest["name"], &newest["canvas"]["raw"]), (&json!("D"), &canvas(0.8)));

        // What it was copied from is told as far as it may be found.
        const FROM: &str = "query($id: ID!) { design(id: $id) { forkedFrom { name } } }";
        for (version, visibility, told) in
            [(2, "UNLISTED", false), (3, "PRIVATE", false), (4, "PUBLIC", true)]
        {
            let input = json!({ "id": id, "expectedVersion": version, "visibility": visibility });
            ada.mutate(UPDATE, input).await;
            let data = bob.send(FROM, json!({ "id": fork["id"] })).await;
            assert_eq!(data["design"]["forkedFrom"].is_object(), told, "{visibility}");
        }
        let private = design(ada, canvas(0.9)).await;
        let refused = bob.payload(FORK, json!({ "id": private })).await;
        assert_eq!(refused["userErrors"][0], json!({ "code": "NOT_FOUND", "path": ["input", "id"] }));
        assert_eq!(
            app.anonymous().error_code(FORK, json!({ "input": { "id": id } })).await,
            "UNAUTHENTICATED"
        );
    }
}
