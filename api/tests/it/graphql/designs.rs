use serde_json::{Value as Json, json};

use super::{App, app::CREATE_DESIGN};

const UPDATE: &str = "mutation Update($input: DesignUpdateInput!) { designUpdate(input: $input) {
    design { name description version visibility versions { nodes { number message } } }
    version { number message author { handle } }
    userErrors { __typename code path
      ... on VersionConflictError { expectedVersion currentVersion current { name } } } } }";
const ARCHIVE: &str = "mutation Archive($input: DesignArchiveInput!) { designArchive(input: $input) {
    design { archivedAt version } userErrors { code path } } }";
const DESIGN: &str = "query($id: ID!) { design(id: $id) { name visibility owner { handle } archivedAt } }";

/// A client in front of a table behind a disk.
pub fn canvas(fill_factor: f64) -> Json {
    json!({
        "blocks": [
            { "id": "c", "type": "client", "position": { "x": 0, "y": 0 }, "parameters": {} },
            { "id": "s", "type": "seq-scan", "position": { "x": 200, "y": 0 }, "parameters": {} },
            { "id": "h", "type": "heap-storage", "position": { "x": 400, "y": 0 }, "parameters": { "fill_factor": fill_factor } },
            { "id": "d", "type": "disk", "position": { "x": 600, "y": 0 }, "parameters": {} },
        ],
        "connections": [
            { "id": "1", "source": { "blockId": "c", "port": "out" }, "target": { "blockId": "s", "port": "in" } },
            { "id": "2", "source": { "blockId": "s", "port": "table" }, "target": { "blockId": "h", "port": "in" } },
            { "id": "3", "source": { "blockId": "h", "port": "pages" }, "target": { "blockId": "d", "port": "in" } },
        ],
        "viewport": { "x": 1, "y": 2, "zoom": 0.5 },
        "note": "fields that the engine does not know are kept",
    })
}

#[tokio::test]
async fn a_canvas_is_stored_and_read_back_as_it_came() {
    for app in App::all().await {
        let ada = app.register("ada").await;
        let payload = ada.mutate(CREATE_DESIGN, json!({ "name": " Mine ", "canvas": canvas(0.9) })).await;
        let design = &payload["design"];
        assert_eq!(design["canvas"]["raw"], canvas(0.9), "{}", app.kind());
        assert_eq!((&design["name"], &design["version"]), (&json!("Mine"), &json!(1)));
        assert_eq!(design["visibility"], "PRIVATE");
        assert_eq!(design["versions"], json!({ "totalCount": 1, "nodes": [{ "number": 1 }] }));

        const TYPED: &str = r#"query($id: ID!) { design(id: $id) { canvas {
            blocks(types: ["disk"]) { blockId type x y parameters } viewport { x y zoom }
            links { linkId source { blockId port } target { blockId port } } } } }"#;
        let typed = ada.send(TYPED, json!({ "id": design["id"] })).await;
        let typed = &typed["design"]["canvas"];
        assert_eq!(
            typed["blocks"],
            json!([{ "blockId": "d", "type": "disk", "x": 600.0, "y": 0.0, "parameters": {} }])
        );
        assert_eq!(typed["viewport"], json!({ "x": 1.0, "y": 2.0, "zoom": 0.5 }));
        assert_eq!(typed["links"][2]["target"], json!({ "blockId": "d", "port": "in" }));
    }
}

#[tokio::test]
async fn a_bad_canvas_is_refused_with_every_diagnostic_and_nothing_is_stored() {
    for app in App::all().await {
        let ada = app.register("ada").await;
        let mut bad = canvas(7.0);
        bad["blocks"][3]["type"] = json!("dikc");
        let payload = ada.payload(CREATE_DESIGN, json!({ "name": "", "canvas": bad })).await;
        let errors = payload["userErrors"].as_array().unwrap();
        assert_eq!(errors[0]["path"], json!(["input", "name"]));
        assert_eq!(errors[1]["__typename"], "CanvasError");
        assert_eq!(errors[1]["path"].as_array().unwrap()[..2], [json!("input"), json!("canvas")]);
        let codes: Vec<_> =
            errors[1]["diagnostics"].as_array().unwrap().iter().map(|found| found["code"].clone()).collect();
        assert!(codes.contains(&json!("UNKNOWN_BLOCK_TYPE")), "{codes:?}");
        assert!(codes.contains(&json!("PARAMETER_OUT_OF_RANGE")), "{codes:?}");
        let data = ada.send("{ designs { totalCount } }", json!({})).await;
        assert_eq!(data["designs"]["totalCount"], 0);
    }
}

#[tokio::test]
async fn every_update_moves_the_version_and_only_a_new_canvas_appends_one() {
    for app in App::all().await {
        let ada = app.register("ada").await;
        let id = ada
            .mutate(CREATE_DESIGN, json!({ "name": "D", "description": "x", "canvas": canvas(0.9) }))
            .await["design"]["id"]
            .clone();

        let renamed = ada.mutate(UPDATE, json!({ "id": id, "expectedVersion": 1, "name": "E" })).await;
        assert_eq!((&renamed["design"]["version"], &renamed["version"]), (&json!(2), &json!(null)));
        assert_eq!(renamed["design"]["description"], "x");

        let input = json!({ "id": id, "expectedVersion": 2, "canvas": canvas(0.8), "message": "tighter", "description": null });
        let changed = ada.mutate(UPDATE, input).await;
        assert_eq!(
            changed["version"],
            json!({ "number": 2, "message": "tighter", "author": { "handle": "ada" } })
        );
        assert_eq!(changed["design"]["version"], 3);
        assert_eq!(changed["design"]["description"], json!(null));
        assert_eq!(
            changed["design"]["versions"]["nodes"],
            json!([{ "number": 2, "message": "tighter" }, { "number": 1, "message": null }])
        );
    }
}

#[tokio::test]
async fn a_stale_update_changes_nothing_and_is_told_what_is_there() {
    for app in App::all().await {
        let ada = app.register("ada").await;
        let id = ada.design("D", "PRIVATE").await["id"].clone();
        ada.mutate(UPDATE, json!({ "id": id, "expectedVersion": 1, "name": "First" })).await;
        let payload = ada.payload(UPDATE, json!({ "id": id, "expectedVersion": 1, "name": "Second" })).await;
        assert_eq!(
            payload["userErrors"],
            json!([{
                "__typename": "VersionConflictError", "code": "CONFLICT", "path": ["input", "expectedVersion"],
                "expectedVersion": 1, "currentVersion": 2, "current": { "name": "First" },
            }])
        );
        let cleared = ada.payload(UPDATE, json!({ "id": id, "expectedVersion": 2, "name": null })).await;
        assert_eq!(cleared["userErrors"][0]["path"], json!(["input", "name"]));
    }
}

#[tokio::test]
async fn concurrent_updates_under_one_version_succeed_once() {
    for app in App::all().await {
        let ada = app.register("ada").await;
        let id = ada.design("D", "PRIVATE").await["id"].clone();
        let updates = (0..8).map(|i| {
            ada.payload(
                UPDATE,
                json!({ "id": id, "expectedVersion": 1, "name": format!("N{i}"), "canvas": canvas(0.5) }),
            )
        });
        let payloads = futures_util::future::join_all(updates).await;
        let won = payloads.iter().filter(|payload| payload["userErrors"] == json!([])).count();
        assert_eq!(won, 1, "{}", app.kind());
        let data = ada
            .send(
                "query($id: ID!) { design(id: $id) { version versions { totalCount } } }",
                json!({ "id": id }),
            )
            .await;
        assert_eq!(data["design"], json!({ "version": 2, "versions": { "totalCount": 2 } }));
    }
}

#[tokio::test]
async fn a_design_is_seen_by_whom_its_visibility_says() {
    for app in App::all().await {
        let (ada, bob) = (app.register("ada").await, app.register("bob").await);
        for (visibility, readable, listed) in
            [("PRIVATE", false, false), ("UNLISTED", true, false), ("PUBLIC", true, true)]
        {
            let id = ada.design(visibility, visibility).await["id"].clone();
            for stranger in [bob, app.anonymous()] {
                let data = stranger.send(DESIGN, json!({ "id": id })).await;
                assert_eq!(data["design"].is_object(), readable, "{visibility}");
                let data = stranger.send("{ designs { nodes { id } } }", json!({})).await;
                assert_eq!(
                    data["designs"]["nodes"].as_array().unwrap().contains(&json!({ "id": id })),
                    listed
                );
            }
            let input = json!({ "id": id, "expectedVersion": 1, "name": "Mine now" });
            let refused = bob.payload(UPDATE, input.clone()).await;
            let expected = if readable { "FORBIDDEN" } else { "NOT_FOUND" };
            assert_eq!(refused["userErrors"][0]["code"], expected, "{visibility}");
            assert_eq!(
                app.anonymous().error_code(UPDATE, json!({ "input": input })).await,
                "UNAUTHENTICATED"
            );
        }
        let data = ada.send("{ designs { totalCount } viewer { designs { totalCount } } }", json!({})).await;
        assert_eq!(
            data,
            json!({ "designs": { "totalCount": 3 }, "viewer": { "designs": { "totalCount": 3 } } })
        );
    }
}

#[tokio::test]
async fn an_archived_design_is_hidden_from_all_but_its_owner() {
    for app in App::all().await {
        let (ada, bob) = (app.register("ada").await, app.register("bob").await);
        let id = ada.design("D", "PUBLIC").await["id"].clone();
        let stale = ada.payload(ARCHIVE, json!({ "id": id, "expectedVersion": 9 })).await;
        assert_eq!(stale["userErrors"][0]["code"], "CONFLICT");
        let archived = ada.mutate(ARCHIVE, json!({ "id": id, "expectedVersion": 1 })).await;
        assert_eq!(archived["design"]["version"], 2);
        let again = ada.mutate(ARCHIVE, json!({ "id": id })).await;
        assert_eq!(again["design"], archived["design"]);

        assert_eq!(bob.send(DESIGN, json!({ "id": id })).await["design"], json!(null));
        assert!(ada.send(DESIGN, json!({ "id": id })).await["design"]["archivedAt"].is_string());
        const LISTS: &str = "{ plain: designs { totalCount } all: designs(filter: { includeArchived: true }) { totalCount } }";
        let count = |n| json!({ "totalCount": n });
        assert_eq!(ada.send(LISTS, json!({})).await, json!({ "plain": count(0), "all": count(1) }));
        assert_eq!(bob.send(LISTS, json!({})).await, json!({ "plain": count(0), "all": count(0) }));
        let update = ada.payload(UPDATE, json!({ "id": id, "expectedVersion": 2, "name": "X" })).await;
        assert_eq!(update["userErrors"][0]["code"], "FORBIDDEN");
    }
}

#[tokio::test]
async fn the_same_creation_sent_twice_makes_one_design() {
    for app in App::all().await {
        let ada = app.register("ada").await;
        let input = json!({ "idempotencyKey": "k", "name": "D", "canvas": canvas(0.9) });
        let calls = (0..6).map(|_| ada.mutate(CREATE_DESIGN, input.clone()));
        let ids: Vec<_> = futures_util::future::join_all(calls)
            .await
            .iter()
            .map(|payload| payload["design"]["id"].clone())
            .collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "{}: {ids:?}", app.kind());
        let mut other = input.clone();
        other["name"] = json!("E");
        let refused = ada.payload(CREATE_DESIGN, other).await;
        assert_eq!(refused["userErrors"][0]["code"], "IDEMPOTENCY_KEY_REUSED");
        let bob = app.register("bob").await;
        assert_ne!(bob.mutate(CREATE_DESIGN, input).await["design"]["id"], ids[0]);
    }
}

#[tokio::test]
async fn a_design_is_made_of_a_canvas_or_a_template_and_of_nothing_else() {
    for app in App::all().await {
        let ada = app.register("ada").await;
        let template = ada.template("heap-btree").await;
        for (input, path) in [
            (json!({ "name": "D" }), "canvas"),
            (json!({ "name": "D", "canvas": canvas(0.9), "templateId": template }), "canvas"),
            (json!({ "name": "D", "templateId": "nonsense" }), "templateId"),
        ] {
            let payload = ada.payload(CREATE_DESIGN, input).await;
            assert_eq!(payload["userErrors"][0]["path"], json!(["input", path]));
        }
        assert_eq!(
            app.anonymous()
                .error_code(CREATE_DESIGN, json!({ "input": { "name": "D", "templateId": template } }))
                .await,
            "UNAUTHENTICATED"
        );
    }
}

#[tokio::test]
async fn designs_are_found_by_words_with_wildcards_standing_for_themselves() {
    for app in App::all().await {
        let ada = app.register("ada").await;
        for name in ["Heap 100%", "Heap 100x", "B_tree", "Ölbaum"] {
            ada.design(name, "PRIVATE").await;
        }
        for (search, found) in
            [("heap", 2), ("100%", 1), ("b_t", 1), ("%", 1), ("nothing", 0), ("  ", 4), ("Ölb", 1)]
        {
            let query = "query($search: String) { designs(filter: { search: $search }) { totalCount } }";
            let data = ada.send(query, json!({ "search": search })).await;
            assert_eq!(data["designs"]["totalCount"], found, "{search} on {}", app.kind());
        }
    }
}

#[tokio::test]
async fn the_free_plan_holds_a_hundred_designs_however_they_are_made() {
    for app in App::all().await {
        let ada = app.register("ada").await;
        let create = || ada.payload(CREATE_DESIGN, json!({ "name": "D", "canvas": canvas(0.9) }));
        for _ in 0..98 {
            assert_eq!(create().await["userErrors"], json!([]));
        }
        let payloads = futures_util::future::join_all((0..6).map(|_| create())).await;
        let refused: Vec<&Json> =
            payloads.iter().filter(|payload| payload["userErrors"] != json!([])).collect();
        assert_eq!(refused.len(), 4, "{}", app.kind());
        let error = &refused[0]["userErrors"][0];
        assert_eq!(
            (&error["code"], &error["limit"], &error["used"]),
            (&json!("QUOTA_EXCEEDED"), &json!(100), &json!(100))
        );
    }
}

#[tokio::test]
async fn an_expected_version_that_never_was_is_a_conflict() {
    for app in App::all().await {
        let ada = app.register("ada").await;
        let id = ada.design("D", "PRIVATE").await["id"].clone();
        for version in [i32::MAX, i32::MIN, 0, -1] {
            let payload =
                ada.payload(UPDATE, json!({ "id": id, "expectedVersion": version, "name": "E" })).await;
            assert_eq!(payload["userErrors"][0]["code"], "CONFLICT", "{version} on {}", app.kind());
        }
    }
}
