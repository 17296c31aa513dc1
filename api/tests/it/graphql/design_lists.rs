//! Lists of designs: scopes, filters, orders, pages.

use serde_json::{Value as Json, json};

use super::{App, Person, app::CREATE_DESIGN, designs::canvas};

const SHARE: &str = "mutation($input: DesignCollaboratorSetInput!) { designCollaboratorSet(input: $input) {
    userErrors { code path } } }";

async fn page(person: Person<'_>, arguments: &str, after: &Json) -> Json {
    let query = format!(
        "query($after: String) {{ designs(after: $after, {arguments}) {{ totalCount nodes {{ name }}
        pageInfo {{ hasNextPage endCursor }} }} }}"
    );
    person.send(&query, json!({ "after": after })).await["designs"].clone()
}

/// The names of a whole list, read in pages of two.
async fn names(person: Person<'_>, arguments: &str) -> Vec<String> {
    let (mut names, mut after) = (Vec::new(), json!(null));
    loop {
        let page = page(person, &format!("first: 2, {arguments}"), &after).await;
        let nodes = page["nodes"].as_array().unwrap();
        names.extend(nodes.iter().map(|node| node["name"].as_str().unwrap().to_owned()));
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            assert_eq!(page["totalCount"], names.len(), "{arguments}");
            return names;
        }
    }
}

async fn share(owner: Person<'_>, design: &Json, handle: &str) {
    owner.mutate(SHARE, json!({ "designId": design, "handle": handle, "role": "VIEWER" })).await;
}

#[tokio::test]
async fn own_shared_and_public_designs_are_one_list_in_every_order() {
    for app in App::all().await {
        let (ada, bob, eve) =
            (app.register("ada").await, app.register("bob").await, app.register("eve").await);
        // Names so that no order is that of creation, and the three kinds alternate.
        for (person, name, visibility, shared) in [
            (ada, "e own", "PRIVATE", false),
            (bob, "b public", "PUBLIC", false),
            (bob, "g shared", "PRIVATE", true),
            (ada, "a own public", "PUBLIC", false),
            (bob, "c shared public", "PUBLIC", true),
            (bob, "h hidden", "PRIVATE", false),
            (bob, "f shared unlisted", "UNLISTED", true),
            (eve, "d public", "PUBLIC", false),
            (eve, "i unlisted", "UNLISTED", false),
        ] {
            let id = person.design(name, visibility).await["id"].clone();
            if shared {
                share(person, &id, "ada").await;
            }
        }
        let by_name = [
            "a own public",
            "b public",
            "c shared public",
            "d public",
            "e own",
            "f shared unlisted",
            "g shared",
        ];
        let by_time = [
            "e own",
            "b public",
            "g shared",
            "a own public",
            "c shared public",
            "f shared unlisted",
            "d public",
        ];
        for (field, expected) in [("NAME", by_name), ("CREATED_AT", by_time), ("UPDATED_AT", by_time)] {
            let order = |direction| format!("orderBy: {{ field: {field}, direction: {direction} }}");
            assert_eq!(names(ada, &order("ASC")).await, expected, "{field} on {}", app.kind());
            let mut reversed = expected;
            reversed.reverse();
            assert_eq!(names(ada, &order("DESC")).await, reversed, "{field} on {}", app.kind());
        }
        let mut anonymous = names(app.anonymous(), "orderBy: { field: NAME, direction: ASC }").await;
        assert_eq!(anonymous, ["a own public", "b public", "c shared public", "d public"]);
        anonymous =
            names(ada, "filter: { visibility: [PUBLIC] }, orderBy: { field: NAME, direction: ASC }").await;
        assert_eq!(anonymous, ["a own public", "b public", "c shared public", "d public"]);

        const OF_BOB: &str =
            "query($id: ID!) { design(id: $id) { owner { designs { totalCount nodes { name } } } } }";
        let public =
            ada.send("{ designs(filter: { search: \"b public\" }) { nodes { id } } }", json!({})).await;
        let id = public["designs"]["nodes"][0]["id"].clone();
        for (person, count) in [(ada, 4), (bob, 5), (eve, 2), (app.anonymous(), 2)] {
            let data = person.send(OF_BOB, json!({ "id": id })).await;
            let list = &data["design"]["owner"]["designs"];
            assert_eq!(list["totalCount"], count, "{}", app.kind());
            assert_eq!(list["nodes"].as_array().unwrap().len(), count);
        }
    }
}

#[tokio::test]
async fn designs_are_found_by_all_of_their_block_types() {
    for app in App::all().await {
        let (ada, bob) = (app.register("ada").await, app.register("bob").await);
        ada.mutate(CREATE_DESIGN, json!({ "name": "scan", "canvas": canvas(0.9) })).await;
        ada.design("tree", "PUBLIC").await;
        let mut mine = canvas(0.9);
        // A word of the filter elsewhere on the canvas is no block.
        mine["note"] = json!({ "type": "btree-index" });
        ada.mutate(CREATE_DESIGN, json!({ "name": "note", "canvas": mine })).await;
        for (types, found) in [
            (json!(["seq-scan"]), vec!["note", "scan"]),
            (json!(["btree-index"]), vec!["tree"]),
            (json!(["heap-storage"]), vec!["note", "scan", "tree"]),
            (json!(["heap-storage", "btree-index"]), vec!["tree"]),
            (json!(["seq-scan", "btree-index"]), vec![]),
            (json!(["nothing"]), vec![]),
            (json!(["' OR 1=1 --", "\"}"]), vec![]),
            (json!([]), vec!["note", "scan", "tree"]),
        ] {
            const QUERY: &str = "query($types: [String!]) { designs(filter: { blockTypes: $types }, orderBy: { field: NAME, direction: ASC }) {
                totalCount nodes { name } } }";
            let data = ada.send(QUERY, json!({ "types": types })).await;
            let nodes: Vec<Json> = found.iter().map(|name| json!({ "name": name })).collect();
            assert_eq!(
                data["designs"],
                json!({ "totalCount": found.len(), "nodes": nodes }),
                "{types} on {}",
                app.kind()
            );
            let data = bob.send(QUERY, json!({ "types": types })).await;
            assert_eq!(data["designs"]["totalCount"], i32::from(found.contains(&"tree")));
        }
    }
}

#[tokio::test]
async fn a_filter_that_cannot_be_is_refused_with_the_rule() {
    for app in App::all().await {
        let many: Vec<String> = (0..21).map(|i| i.to_string()).collect();
        const QUERY: &str = "query($filter: DesignFilter) { designs(filter: $filter) { totalCount } }";
        let code = app.anonymous().error_code(QUERY, json!({ "filter": { "blockTypes": many } })).await;
        assert_eq!(code, "BAD_USER_INPUT", "{}", app.kind());
    }
}

#[tokio::test]
async fn designs_changed_since_a_moment_and_archived_ones_are_listed_when_asked_for() {
    for app in App::all().await {
        let (ada, bob) = (app.register("ada").await, app.register("bob").await);
        let old = ada.design("old", "PUBLIC").await["id"].clone();
        let since = ada.send("query($id: ID!) { design(id: $id) { updatedAt } }", json!({ "id": old })).await;
        let since = since["design"]["updatedAt"].as_str().unwrap();
        let new = ada.design("new", "PUBLIC").await["id"].clone();
        assert_eq!(names(bob, &format!("filter: {{ updatedSince: \"{since}\" }}")).await, ["new", "old"]);
        const ARCHIVE: &str =
            "mutation($input: DesignArchiveInput!) { designArchive(input: $input) { userErrors { code } } }";
        ada.mutate(ARCHIVE, json!({ "id": new })).await;
        assert_eq!(names(ada, "filter: {}").await, ["old"]);
        assert_eq!(names(ada, "filter: { includeArchived: true }").await, ["new", "old"], "{}", app.kind());
        assert_eq!(names(bob, "filter: { includeArchived: true }").await, ["old"]);
    }
}
