use serde_json::{Value as Json, json};

use super::{App, Person};

async fn page(person: Person<'_>, arguments: &str) -> Json {
    let query = format!(
        "{{ designs({arguments}) {{ totalCount nodes {{ name }} edges {{ cursor }}
        pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }}"
    );
    person.send(&query, json!({})).await["designs"].clone()
}

fn names(page: &Json) -> Vec<String> {
    let nodes = page["nodes"].as_array().unwrap();
    nodes.iter().map(|node| node["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn pages_put_together_are_the_whole_list_in_either_direction_and_any_order() {
    for app in App::all().await {
        let ada = app.register("ada").await;
        for i in 0..7 {
            // Two share a name: the id decides between them.
            ada.design(&format!("D{}", i / 2), "PRIVATE").await;
        }
        for order in ["CREATED_AT", "UPDATED_AT", "NAME"] {
            for direction in ["ASC", "DESC"] {
                let order_by = format!("orderBy: {{ field: {order}, direction: {direction} }}");
                let whole = names(&page(ada, &format!("first: 100, {order_by}")).await);
                assert_eq!(whole.len(), 7);

                let mut forward = Vec::new();
                let mut after = String::new();
                loop {
                    let next = page(ada, &format!("first: 3, {after} {order_by}")).await;
                    forward.extend(names(&next));
                    assert_eq!(next["totalCount"], 7);
                    if next["pageInfo"]["hasNextPage"] == false {
                        break;
                    }
                    after = format!("after: {},", next["pageInfo"]["endCursor"]);
                }
                assert_eq!(forward, whole, "{order} {direction} on {}", app.kind());

                let mut backward = Vec::new();
                let mut before = String::new();
                loop {
                    let previous = page(ada, &format!("last: 3, {before} {order_by}")).await;
                    backward.splice(0..0, names(&previous));
                    if previous["pageInfo"]["hasPreviousPage"] == false {
                        break;
                    }
                    before = format!("before: {},", previous["pageInfo"]["startCursor"]);
                }
                assert_eq!(backward, whole, "{order} {direction} on {}", app.kind());
            }
        }
    }
}

#[tokio::test]
async fn a_page_that_cannot_be_is_refused_with_the_argument_named() {
    for app in App::all().await {
        let ada = app.register("ada").await;
        ada.design("D", "PRIVATE").await;
        let cursor = page(ada, "first: 1").await["edges"][0]["cursor"].clone();
        for arguments in [
            "first: 0".to_owned(),
            "first: 101".to_owned(),
            "last: -1".to_owned(),
            "first: 1, last: 1".to_owned(),
            "after: \"nonsense\"".to_owned(),
            format!("after: {cursor}, orderBy: {{ field: NAME, direction: ASC }}"),
        ] {
            let query = format!("{{ designs({arguments}) {{ nodes {{ id }} }} viewer {{ handle }} }}");
            let response = ada.response(&query, json!({})).await;
            assert_eq!(response["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{arguments}");
            // The field alone is lost.
            assert_eq!(
                response["data"],
                json!({ "designs": null, "viewer": { "handle": "ada" } }),
                "{arguments}"
            );
        }
    }
}

#[tokio::test]
async fn events_are_paged_by_their_sequence_and_filtered() {
    for app in App::all().await {
        let ada = app.premium("ada").await;
        let design = ada.design("D", "PRIVATE").await["id"].clone();
        let workload = ada.small_workload().await;
        ada.submit(&design, &workload).await;
        app.drain().await;
        const QUERY: &str = "query($id: ID!, $first: Int, $after: String, $last: Int, $types: [String!], $from: Int) {
            design(id: $id) { latestRun { events(first: $first, after: $after, last: $last, types: $types, afterSequence: $from) {
            totalCount pageInfo { endCursor } nodes { sequence type } } } } }";
        let events = async |variables: Json| {
            let mut variables = variables;
            variables["id"] = design.clone();
            ada.send(QUERY, variables).await["design"]["latestRun"]["events"].clone()
        };
        let first = events(json!({ "first": 10 })).await;
        let second = events(json!({ "first": 10, "after": first["pageInfo"]["endCursor"] })).await;
        let sequence = |page: &Json, i: usize| page["nodes"][i]["sequence"].as_i64().unwrap();
        assert_eq!(sequence(&second, 0), sequence(&first, 9) + 1, "{}", app.kind());
        let later = events(json!({ "first": 1, "from": sequence(&first, 4) })).await;
        assert_eq!(sequence(&later, 0), sequence(&first, 5));
        let kind = first["nodes"][0]["type"].clone();
        let filtered = events(json!({ "last": 1000, "types": [kind] })).await;
        assert!(filtered["nodes"].as_array().unwrap().iter().all(|event| event["type"] == kind));
        assert!(filtered["totalCount"].as_i64() <= first["totalCount"].as_i64());
    }
}
