//! What is different between two canvases, block by block and connection by connection.

use std::collections::HashMap;

use serde_json::Value as Json;

/// The way from one canvas to another. Where they were looked at from does not count.
#[derive(Debug, Default, PartialEq)]
pub struct Diff<'a> {
    pub added: Vec<&'a Json>,
    pub removed: Vec<&'a Json>,
    pub changed: Vec<Change<'a>>,
    /// With those that lead elsewhere now; as they were, these are among the removed.
    pub added_links: Vec<&'a Json>,
    pub removed_links: Vec<&'a Json>,
}

/// A block that is on both canvases but not the same.
#[derive(Debug, PartialEq)]
pub struct Change<'a> {
    pub before: &'a Json,
    pub after: &'a Json,
    /// Where they differ, as JSON Pointers into the block: `/parameters/fill_factor`.
    pub paths: Vec<String>,
}

/// What is different on `head`, in the order of its blocks; what it no longer has, in the order of `base`.
pub fn diff<'a>(base: &'a Json, head: &'a Json) -> Diff<'a> {
    let mut diff = Diff::default();
    let (before, after) = (items(base, "blocks"), items(head, "blocks"));
    let (known, kept) = (by_id(&before), by_id(&after));
    for block in after {
        match known.get(id(block)) {
            None => diff.added.push(block),
            Some(before) if *before == block => {}
            Some(before) => {
                let mut paths = Vec::new();
                compare(String::new(), Some(before), Some(block), &mut paths);
                diff.changed.push(Change { before, after: block, paths });
            }
        }
    }
    diff.removed = before.into_iter().filter(|block| !kept.contains_key(id(block))).collect();

    let (before, after) = (items(base, "connections"), items(head, "connections"));
    let (known, kept) = (by_id(&before), by_id(&after));
    diff.added_links = after.into_iter().filter(|link| known.get(id(link)) != Some(link)).collect();
    diff.removed_links = before.into_iter().filter(|link| kept.get(id(link)) != Some(link)).collect();
    diff
}

fn items<'a>(canvas: &'a Json, list: &str) -> Vec<&'a Json> {
    canvas.get(list).and_then(Json::as_array).into_iter().flatten().collect()
}

/// Every block and connection of a stored canvas has an id of its own.
fn id(item: &Json) -> &str {
    item.get("id").and_then(Json::as_str).unwrap_or_default()
}

fn by_id<'a>(items: &[&'a Json]) -> HashMap<&'a str, &'a Json> {
    items.iter().map(|item| (id(item), *item)).collect()
}

/// Adds the places where two values differ. Objects are compared field by field, everything else as a whole.
fn compare(path: String, before: Option<&Json>, after: Option<&Json>, paths: &mut Vec<String>) {
    match (before, after) {
        _ if before == after => {}
        (Some(Json::Object(before)), Some(Json::Object(after))) => {
            let added = after.keys().filter(|key| !before.contains_key(*key));
            for key in before.keys().chain(added) {
                let path = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
                compare(path, before.get(key), after.get(key), paths);
            }
        }
        _ => paths.push(path),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use proptest::{collection::btree_map, prelude::*, sample::select};
    use serde_json::{Map, json};

    use super::*;

    /// Canvases with few ids, types and values, so that two of them have much in common.
    pub fn canvas() -> impl Strategy<Value = Json> {
        let id = || select(vec!["a", "b", "c", "d"]);
        let parameters = btree_map(select(vec!["x", "y", "a/b~c"]), 0..3_u8, 0..3);
        let block = (select(vec!["heap", "heap", "disk"]), 0..2_u8, parameters).prop_map(|(kind, x, parameters)| {
            json!({ "type": kind, "position": { "x": x, "y": 0 }, "parameters": parameters })
        });
        let link = (id(), id()).prop_map(|(source, target)| {
            json!({ "source": { "blockId": source, "port": "out" }, "target": { "blockId": target, "port": "in" } })
        });
        let list = |items: BTreeMap<&'static str, Json>| {
            let items: Vec<Json> = items
                .into_iter()
                .map(|(id, mut item)| {
                    item["id"] = json!(id);
                    item
                })
                .collect();
            Just(items).prop_shuffle()
        };
        let blocks = btree_map(id(), block, 0..5).prop_flat_map(list);
        let links = btree_map(id(), link, 0..4).prop_flat_map(list);
        (blocks, links, 0..2_u8, 0..2_u8).prop_map(|(blocks, links, zoom, note)| {
            json!({ "blocks": blocks, "connections": links, "viewport": { "zoom": zoom }, "note": note })
        })
    }

    fn set(list: &Json) -> BTreeMap<String, Json> {
        list.as_array().unwrap().iter().map(|item| (id(item).to_owned(), item.clone())).collect()
    }

    /// `before` with the values that `after` has at these paths.
    fn patched(before: &Json, after: &Json, paths: &[String]) -> Json {
        let mut patched = before.clone();
        for path in paths {
            let (parent, key) = path.rsplit_once('/').unwrap();
            let key = key.replace("~1", "/").replace("~0", "~");
            let parent: &mut Map<String, Json> =
                patched.pointer_mut(parent).unwrap().as_object_mut().unwrap();
            match after.pointer(path) {
                Some(value) => drop(parent.insert(key, value.clone())),
                None => drop(parent.remove(&key)),
            }
        }
        patched
    }

    proptest! {
        #[test]
        fn a_diff_applied_to_its_base_is_its_head(base in canvas(), head in canvas()) {
            let diff = diff(&base, &head);
            let mut blocks = set(&base["blocks"]);
            blocks.retain(|key, _| diff.removed.iter().all(|block| id(block) != key));
            for change in &diff.changed {
                prop_assert!(!change.paths.is_empty());
                prop_assert_eq!(&patched(change.before, change.after, &change.paths), change.after);
                blocks.insert(id(change.before).to_owned(), change.after.clone());
            }
            blocks.extend(diff.added.iter().map(|block| (id(block).to_owned(), (*block).clone())));
            prop_assert_eq!(blocks, set(&head["blocks"]));

            let mut links = set(&base["connections"]);
            links.retain(|key, _| diff.removed_links.iter().all(|link| id(link) != key));
            links.extend(diff.added_links.iter().map(|link| (id(link).to_owned(), (*link).clone())));
            prop_assert_eq!(links, set(&head["connections"]));
        }

        #[test]
        fn a_canvas_is_no_different_from_itself_and_there_and_back_are_opposites(base in canvas(), head in canvas()) {
            prop_assert_eq!(diff(&base, &base), Diff::default());
            let (there, back) = (diff(&base, &head), diff(&head, &base));
            prop_assert_eq!(there.added, back.removed);
            prop_assert_eq!(there.removed_links, back.added_links);
            prop_assert_eq!(there.changed.len(), back.changed.len());
        }
    }
}
