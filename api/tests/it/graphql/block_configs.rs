use serde_json::{Value as Json, json};

use super::App;

const SAVE: &str = "mutation Save($input: BlockConfigSaveInput!) { blockConfigSave(input: $input) {
    blockConfig { id name type parameters createdAt updatedAt } userErrors { code path message } } }";
const DELETE: &str = "mutation Delete($input: BlockConfigDeleteInput!) { blockConfigDelete(input: $input) {
    deletedId userErrors { code path } } }";
const LIST: &str =
    "query($type: String) { blockConfigs(type: $type, first: 2) { totalCount pageInfo { hasNextPage }
    nodes { name type } } }";

fn disk(name: &str) -> Json {
    json!({ "name": name, "type": "disk", "parameters": {} })
}

#[tokio::test]
async fn a_configuration_is_saved_replaced_listed_and_deleted() {
    for app in App::all().await {
        let (ada, bob) = (app.register("ada").await, app.register("bob").await);
        let saved = ada.mutate(SAVE, disk("Fast")).await["blockConfig"].clone();
        let mut replacement = disk("Faster");
        replacement["id"] = saved["id"].clone();
        let replaced = ada.mutate(SAVE, replacement.clone()).await["blockConfig"].clone();
        assert_eq!((&replaced["id"], &replaced["name"]), (&saved["id"], &json!("Faster")), "{}", app.kind());
        assert_eq!(replaced["createdAt"], saved["createdAt"]);
        for name in ["b", "c"] {
            ada.mutate(SAVE, disk(name)).await;
        }
        ada.mutate(SAVE, json!({ "name": "P", "type": "cpu", "parameters": {} })).await;
        let listed = ada.send(LIST, json!({ "type": "disk" })).await["blockConfigs"].clone();
        assert_eq!((&listed["totalCount"], &listed["pageInfo"]["hasNextPage"]), (&json!(3), &json!(true)));
        assert_eq!(listed["nodes"][0], json!({ "name": "c", "type": "disk" }));
        assert_eq!(ada.send(LIST, json!({})).await["blockConfigs"]["totalCount"], 4);

        const NODE: &str = "query($id: ID!) { node(id: $id) { __typename } }";
        assert_eq!(ada.send(NODE, json!({ "id": saved["id"] })).await["node"]["__typename"], "BlockConfig");
        assert_eq!(bob.send(NODE, json!({ "id": saved["id"] })).await["node"], json!(null));
        assert_eq!(bob.send(LIST, json!({})).await["blockConfigs"]["totalCount"], 0);
        assert_eq!(app.anonymous().send(LIST, json!({})).await["blockConfigs"], json!(null));
        assert_eq!(bob.payload(SAVE, replacement).await["userErrors"][0]["code"], "NOT_FOUND");
        assert_eq!(
            bob.payload(DELETE, json!({ "id": saved["id"] })).await["userErrors"][0]["code"],
            "NOT_FOUND"
        );
        assert_eq!(ada.mutate(DELETE, json!({ "id": saved["id"] })).await["deletedId"], saved["id"]);
        assert_eq!(
            ada.payload(DELETE, json!({ "id": saved["id"] })).await["userErrors"][0]["code"],
            "NOT_FOUND"
        );
    }
}

#[tokio::test]
async fn parameters_are_held_to_the_catalogue() {
    for app in App::all().await {
        let ada = app.register("ada").await;
        let mistakes = async |input: Json| ada.payload(SAVE, input).await["userErrors"].clone();
        let unknown = mistakes(json!({ "name": "X", "type": "flux_capacitor", "parameters": {} })).await;
        assert_eq!(unknown[0]["path"], json!(["input", "type"]), "{unknown}");
        let bad = mistakes(json!({ "name": "", "type": "disk", "parameters": { "colour": 1 } })).await;
        assert_eq!(bad[0]["path"], json!(["input", "name"]), "{bad}");
        assert_eq!(bad[1]["path"][1], "parameters", "{bad}");
        assert_eq!(bad.as_array().unwrap().len(), 2, "{bad}");
        let shape = mistakes(json!({ "name": "X", "type": "disk", "parameters": [1] })).await;
        assert_eq!(shape[0]["path"][1], "parameters", "{shape}");
        assert_eq!(ada.send(LIST, json!({})).await["blockConfigs"]["totalCount"], 0, "{}", app.kind());
    }
}
