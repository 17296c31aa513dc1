//! Three-way merge of canvases: by block, by parameter of a block, and by connection.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

/// A part of a canvas that both sides changed in different ways; none is absent there.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    /// For example `["blocks", "pool", "parameters", "size_pages"]`: blocks and connections are named by their ids.
    pub path: Vec<String>,
    pub base: Option<Json>,
    pub ours: Option<Json>,
    pub theirs: Option<Json>,
}

/// What both sides made of a canvas, put together.
///
/// A block that only one side touched is as that side left it; of one that both touched, every parameter, its position and
/// its other fields are merged one by one. A connection is merged as a whole. Where both sides looked is no conflict: our
/// viewport stays.
///
/// # Errors
/// Everything that both sides changed in different ways, and every block that one side removed and the other connected.
pub fn merge(base: &Json, ours: &Json, theirs: &Json) -> Result<Json, Vec<Conflict>> {
    let mut conflicts = Conflicts::default();
    let sides = Sides { base: Some(base), ours: Some(ours), theirs: Some(theirs) };
    let merged = match sides.agreed() {
        Some(agreed) => agreed.cloned(),
        None => conflicts.canvas(sides),
    };
    match merged {
        Some(merged) if conflicts.0.is_empty() => Ok(merged),
        _ => Err(conflicts.0),
    }
}

/// One value on a canvas, on all three of them.
#[derive(Clone, Copy)]
struct Sides<'a> {
    base: Option<&'a Json>,
    ours: Option<&'a Json>,
    theirs: Option<&'a Json>,
}

impl<'a> Sides<'a> {
    /// The outcome where at most one side changed something, or both the same; `Some(None)` is the absence they agree on.
    fn agreed(self) -> Option<Option<&'a Json>> {
        if self.ours == self.theirs || self.theirs == self.base {
            Some(self.ours)
        } else if self.ours == self.base {
            Some(self.theirs)
        } else {
            None
        }
    }

    /// All three as objects; an absent base is an empty one.
    fn objects(self) -> Option<[Map<String, Json>; 3]> {
        let base = self.base.map_or(Some(Map::new()), |base| base.as_object().cloned())?;
        Some([base, self.ours?.as_object()?.clone(), self.theirs?.as_object()?.clone()])
    }

    /// All three as lists of things with ids; an absent one is an empty one.
    fn lists(self) -> Option<[Items<'a>; 3]> {
        Some([Items::read(self.base)?, Items::read(self.ours)?, Items::read(self.theirs)?])
    }

    fn map<T>(self, change: impl Fn(&'a Json) -> Option<T>) -> [Option<T>; 3] {
        [self.base, self.ours, self.theirs].map(|side| side.and_then(&change))
    }
}

/// Things with unique ids, in their order.
struct Items<'a> {
    order: Vec<&'a str>,
    by_id: BTreeMap<&'a str, &'a Json>,
}

impl<'a> Items<'a> {
    fn read(list: Option<&'a Json>) -> Option<Self> {
        let mut items = Self { order: Vec::new(), by_id: BTreeMap::new() };
        let Some(list) = list else { return Some(items) };
        for item in list.as_array()? {
            let id = item.as_object()?.get("id")?.as_str()?;
            items.order.push(id);
            if items.by_id.insert(id, item).is_some() {
                return None;
            }
        }
        Some(items)
    }

    fn get(&self, id: &str) -> Option<&'a Json> {
        self.by_id.get(id).copied()
    }
}

#[derive(Default)]
struct Conflicts(Vec<Conflict>);

impl Conflicts {
    fn add(&mut self, path: &[&str], sides: Sides<'_>) {
        let [base, ours, theirs] = sides.map(|value| Some(value.clone()));
        self.0.push(Conflict {
            path: path.iter().map(|part| (*part).to_owned()).collect(),
            base,
            ours,
            theirs,
        });
    }

    /// A value that is merged as a whole.
    fn whole(&mut self, path: &[&str], sides: Sides<'_>) -> Option<Json> {
        match sides.agreed() {
            Some(agreed) => agreed.cloned(),
            None => {
                self.add(path, sides);
                None
            }
        }
    }

    /// An object, field by field.
    fn fields(
        &mut self,
        path: &[&str],
        sides: Sides<'_>,
        merge: fn(&mut Self, &[&str], Sides<'_>) -> Option<Json>,
    ) -> Option<Json> {
        if let Some(agreed) = sides.agreed() {
            return agreed.cloned();
        }
        let Some([base, ours, theirs]) = sides.objects() else { return self.whole(path, sides) };
        let keys: BTreeSet<&String> = base.keys().chain(ours.keys()).chain(theirs.keys()).collect();
        let mut merged = Map::new();
        for key in keys {
            let path: Vec<&str> = path.iter().copied().chain([key.as_str()]).collect();
            let sides = Sides { base: base.get(key), ours: ours.get(key), theirs: theirs.get(key) };
            if let Some(value) = merge(self, &path, sides) {
                merged.insert(key.clone(), value);
            }
        }
        Some(Json::Object(merged))
    }

    fn canvas(&mut self, sides: Sides<'_>) -> Option<Json> {
        let merged = self.fields(&[], sides, |conflicts, path, sides| match path {
            ["blocks"] => conflicts.items(path, sides, Self::block),
            ["connections"] => conflicts.items(path, sides, Self::whole),
            ["viewport"] => sides.agreed().unwrap_or(sides.ours).cloned(),
            _ => conflicts.whole(path, sides),
        })?;
        self.blocks_in_use(&merged, sides);
        Some(merged)
    }

    /// Things with ids, one by one: in our order, with theirs behind what stands before them on their side.
    fn items(
        &mut self,
        path: &[&str],
        sides: Sides<'_>,
        merge: fn(&mut Self, &[&str], Sides<'_>) -> Option<Json>,
    ) -> Option<Json> {
        if let Some(agreed) = sides.agreed() {
            return agreed.cloned();
        }
        let Some([base, ours, theirs]) = sides.lists() else { return self.whole(path, sides) };
        let mut order = ours.order.clone();
        for (i, id) in theirs.order.iter().enumerate().filter(|(_, id)| ours.get(id).is_none()) {
            let before = i.checked_sub(1).and_then(|i| order.iter().position(|one| *one == theirs.order[i]));
            order.insert(before.map_or(0, |place| place + 1), id);
        }
        // What both removed is in neither order, and stays removed.
        let merged = order.into_iter().filter_map(|id| {
            let path: Vec<&str> = path.iter().copied().chain([id]).collect();
            merge(self, &path, Sides { base: base.get(id), ours: ours.get(id), theirs: theirs.get(id) })
        });
        Some(Json::Array(merged.collect()))
    }

    fn block(&mut self, path: &[&str], sides: Sides<'_>) -> Option<Json> {
        // Parameters mean something within a type alone, and blocks that were made apart have nothing in common.
        let [base, ours, theirs] = sides.map(|block| block.get("type"));
        if base.is_none() || base != ours || base != theirs {
            return self.whole(path, sides);
        }
        self.fields(path, sides, |conflicts, path, sides| match path {
            [.., "parameters"] => conflicts.fields(path, sides, Self::whole),
            _ => conflicts.whole(path, sides),
        })
    }

    /// A block that one side removed while the other connected something to it.
    fn blocks_in_use(&mut self, merged: &Json, sides: Sides<'_>) {
        let [base, ours, theirs] = sides.map(|canvas| canvas.get("blocks"));
        let Some([base, ours, theirs]) = (Sides { base, ours, theirs }).lists() else { return };
        let Some(blocks) = Items::read(merged.get("blocks")) else { return };
        let links = merged.get("connections").and_then(Json::as_array).into_iter().flatten();
        let ends =
            links.flat_map(|link| ["source", "target"].map(|end| link.get(end)?.get("blockId")?.as_str()));
        for id in ends.flatten().collect::<BTreeSet<_>>() {
            let known = self.0.iter().any(|conflict| conflict.path.get(1).is_some_and(|part| part == id));
            let existed = ours.get(id).is_some() || theirs.get(id).is_some();
            if blocks.get(id).is_none() && existed && !known {
                let sides = Sides { base: base.get(id), ours: ours.get(id), theirs: theirs.get(id) };
                self.add(&["blocks", id], sides);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::service::canvas_diff::tests::canvas;

    fn swapped(conflicts: Vec<Conflict>) -> Vec<Conflict> {
        let mut conflicts: Vec<_> = conflicts
            .into_iter()
            .map(|conflict| Conflict { ours: conflict.theirs, theirs: conflict.ours, ..conflict })
            .collect();
        conflicts.sort_by(|one, other| one.path.cmp(&other.path));
        conflicts
    }

    proptest! {
        #[test]
        fn what_one_side_alone_changed_is_the_outcome(base in canvas(), x in canvas()) {
            prop_assert_eq!(&merge(&base, &x, &base).unwrap(), &x);
            prop_assert_eq!(&merge(&base, &base, &x).unwrap(), &x);
            prop_assert_eq!(&merge(&base, &x, &x).unwrap(), &x);
        }

        #[test]
        fn both_sides_see_the_same_conflicts(base in canvas(), ours in canvas(), theirs in canvas()) {
            let (one, other) = (merge(&base, &ours, &theirs), merge(&base, &theirs, &ours));
            match (one, other) {
                (Ok(_), Ok(_)) => {}
                (Err(mut one), Err(other)) => {
                    one.sort_by(|one, other| one.path.cmp(&other.path));
                    prop_assert_eq!(one, swapped(other));
                }
                (one, other) => prop_assert!(false, "{:?} {:?}", one, other),
            }
        }

        /// Every block and connection of a merge stands on a side, or is one that both sides changed.
        #[test]
        fn a_merge_loses_and_invents_nothing(base in canvas(), ours in canvas(), theirs in canvas()) {
            let Ok(merged) = merge(&base, &ours, &theirs) else { return Ok(()) };
            for list in ["blocks", "connections"] {
                let [base, ours, theirs, merged] =
                    [&base, &ours, &theirs, &merged].map(|canvas| Items::read(canvas.get(list)).unwrap());
                for id in ours.order.iter().chain(&theirs.order).chain(&base.order) {
                    let sides = Sides { base: base.get(id), ours: ours.get(id), theirs: theirs.get(id) };
                    match sides.agreed() {
                        Some(agreed) => prop_assert_eq!(merged.get(id), agreed),
                        None => prop_assert!(merged.get(id).is_some()),
                    }
                }
                for id in &merged.order {
                    prop_assert!(ours.get(id).is_some() || theirs.get(id).is_some());
                }
            }
        }
    }

    fn block(id: &str, parameters: Json) -> Json {
        json!({ "id": id, "type": "t", "position": { "x": 0, "y": 0 }, "parameters": parameters })
    }

    fn blocks(blocks: &[Json]) -> Json {
        json!({ "blocks": blocks, "connections": [] })
    }

    #[test]
    fn parameters_of_one_block_merge_one_by_one() {
        let base = blocks(&[block("a", json!({ "x": 1, "y": 1 }))]);
        let ours = blocks(&[block("a", json!({ "x": 2, "y": 1 })), block("o", json!({}))]);
        let theirs = blocks(&[block("t", json!({})), block("a", json!({ "x": 1, "z": 3 }))]);
        let merged =
            blocks(&[block("t", json!({})), block("a", json!({ "x": 2, "z": 3 })), block("o", json!({}))]);
        assert_eq!(merge(&base, &ours, &theirs), Ok(merged));
    }

    #[test]
    fn what_both_changed_is_told_with_its_place_and_both_sides() {
        let base = blocks(&[block("a", json!({ "x": 1 })), block("b", json!({}))]);
        let ours = blocks(&[block("a", json!({ "x": 2 }))]);
        let theirs = blocks(&[block("a", json!({ "x": 3 })), block("b", json!({ "x": 1 }))]);
        let conflicts = merge(&base, &ours, &theirs).unwrap_err();
        let expected = [
            Conflict {
                path: ["blocks", "a", "parameters", "x"].map(str::to_owned).to_vec(),
                base: Some(json!(1)),
                ours: Some(json!(2)),
                theirs: Some(json!(3)),
            },
            Conflict {
                path: ["blocks", "b"].map(str::to_owned).to_vec(),
                base: Some(block("b", json!({}))),
                ours: None,
                theirs: Some(block("b", json!({ "x": 1 }))),
            },
        ];
        assert_eq!(conflicts, expected);
    }

    #[test]
    fn a_block_cannot_go_while_the_other_side_connects_it() {
        let link = json!({ "id": "l", "source": { "blockId": "a", "port": "p" }, "target": { "blockId": "b", "port": "q" } });
        let base = blocks(&[block("a", json!({})), block("b", json!({}))]);
        let ours = blocks(&[block("a", json!({}))]);
        let mut theirs = base.clone();
        theirs["connections"] = json!([link]);
        let conflicts = merge(&base, &ours, &theirs).unwrap_err();
        assert_eq!(conflicts.len(), 1);
        assert_eq!((conflicts[0].path[1].as_str(), &conflicts[0].ours), ("b", &None));
    }
}
