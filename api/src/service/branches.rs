//! Branches of a design, and merging one into another.

use std::collections::BTreeSet;

use entity::{
    StoreError, design_branch, design_version,
    store::{
        design_access::Access,
        designs::{self, DesignChange, NewHead},
        versions::{self, Lineage},
    },
};
use uuid::Uuid;
use worker::pool::Services;

use super::{
    ErrorCode, Fault, ServiceResult, UserError, canvas_merge,
    creation::commit,
    designs::{announce_change, branch_of, check_canvas, stale},
    error::Detail,
    input::Mistakes,
    permissions::lock_for,
};
use crate::auth::Viewer;

/// Starts a branch at a version; without one, at the head of the default branch.
pub async fn create(
    services: &Services,
    viewer: Option<Viewer>,
    design_id: Uuid,
    name: &str,
    from_version: Option<i32>,
) -> ServiceResult<design_branch::Model> {
    let viewer = viewer.ok_or(Fault::Unauthenticated)?;
    let mut mistakes = Mistakes::default();
    let name = mistakes.name(name);
    mistakes.none()?;
    let txn = entity::store::begin(&services.db).await?;
    let (design, _) = lock_for(&txn, viewer, design_id, "designId", Access::Edit).await?;
    let from = versions::find_version(&txn, design.id, from_version).await?;
    let from = from.ok_or_else(|| UserError::not_found(&["fromVersion"], "version of this design"))?;
    let number = from.version_number;
    match versions::insert_branch(&txn, Uuid::now_v7(), design.id, name, number).await {
        Ok(branch) => {
            commit(txn).await?;
            tracing::info!(user_id = %viewer.user_id, design_id = %design.id, branch_id = %branch.id, action = "branch_created", "branch created");
            Ok(branch)
        }
        Err(StoreError::Taken(_)) => {
            let message = "the design has a branch of this name";
            Err(UserError::new(ErrorCode::Taken, &["name"], message).into())
        }
        Err(error) => Err(error.into()),
    }
}

/// A branch to merge into another.
#[derive(Clone, Debug)]
pub struct MergeBranch {
    pub design_id: Uuid,
    pub source: String,
    pub target: String,
    /// Number of the target's head as the client last read it.
    pub expected_target_head: i32,
    pub message: Option<String>,
}

/// Merges what the source branch changed since both parted into the target, as a new version with both as parents. A
/// source that the target holds already changes nothing: the answer is the target's head.
pub async fn merge(
    services: &Services,
    viewer: Option<Viewer>,
    input: MergeBranch,
) -> ServiceResult<(design_branch::Model, design_version::Model)> {
    let viewer = viewer.ok_or(Fault::Unauthenticated)?;
    let mut mistakes = Mistakes::default();
    mistakes.text("message", input.message.as_deref());
    mistakes.check(input.source != input.target, &["source"], || {
        "source must be another branch than target".into()
    });
    mistakes.none()?;
    let txn = entity::store::begin(&services.db).await?;
    let (design, _) = lock_for(&txn, viewer, input.design_id, "designId", Access::Edit).await?;
    let source = branch_of(&txn, &design, &input.source, "source").await?;
    let target = branch_of(&txn, &design, &input.target, "target").await?;
    if target.head_number != input.expected_target_head {
        return Err(stale("expectedTargetHead", input.expected_target_head, target.head_number, design));
    }
    let graph = versions::lineage(&txn, design.id).await?;
    let base = merge_base(&graph, target.head_number, source.head_number)
        .ok_or_else(|| Fault::Internal("two branches of a design have no common version".into()))?;
    let read = [base, target.head_number, source.head_number].map(|number| (design.id, number));
    let read = versions::find_versions(&txn, &read).await?;
    let version = |number| {
        let found = read.iter().find(|version| version.version_number == number);
        found.ok_or_else(|| Fault::Internal("the head of a branch is missing".into()))
    };
    let (ours, theirs) = (version(target.head_number)?, version(source.head_number)?);
    if base == source.head_number {
        return Ok((target, ours.clone()));
    }
    let merged = canvas_merge::merge(&version(base)?.canvas_state, &ours.canvas_state, &theirs.canvas_state);
    let canvas_state = merged.map_err(|conflicts| {
        let message = format!(
            "{} and {} changed the same in {} places; change one of them and merge again",
            input.source,
            input.target,
            conflicts.len()
        );
        UserError::new(ErrorCode::Conflict, &["source"], message).with(Detail::MergeConflict(conflicts))
    })?;
    // Two canvases that can be run may give one that cannot: both connected the same port, for example.
    let mut mistakes = Mistakes::default();
    check_canvas(&mut mistakes, "source", &canvas_state);
    mistakes.none()?;

    let message = input.message.unwrap_or_else(|| format!("Merge {} into {}", input.source, input.target));
    let merged_number = Some(source.head_number);
    let head = NewHead { branch: target, canvas_state, message: Some(message), merged_number };
    let change = DesignChange { head: Some(head), ..Default::default() };
    let changed = designs::change(&txn, design, viewer.user_id, change).await?;
    commit(txn).await?;
    announce_change(services, changed.design.id).await;
    tracing::info!(user_id = %viewer.user_id, design_id = %changed.design.id, action = "branch_merged", "branch merged");
    Ok(changed.head.ok_or_else(|| Fault::Internal("a merge made no version".into()))?)
}

/// The nearest version that both versions come from. Numbers grow from parents to children: the common ancestor with the
/// largest is no ancestor of another.
fn merge_base(graph: &[Lineage], one: i32, other: i32) -> Option<i32> {
    let (one, other) = (ancestors(graph, one), ancestors(graph, other));
    one.intersection(&other).max().copied()
}

/// A version and all that led to it.
fn ancestors(graph: &[Lineage], head: i32) -> BTreeSet<i32> {
    let mut found = BTreeSet::from([head]);
    let mut newest_first: Vec<&Lineage> = graph.iter().collect();
    newest_first.sort_unstable_by_key(|version| std::cmp::Reverse(version.version_number));
    for version in newest_first {
        if found.contains(&version.version_number) {
            found.extend([version.parent_number, version.merged_number].into_iter().flatten());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(version_number: i32, parents: &[i32]) -> Lineage {
        Lineage {
            version_number,
            parent_number: parents.first().copied(),
            merged_number: parents.get(1).copied(),
        }
    }

    #[test]
    fn the_merge_base_is_the_nearest_common_ancestor_through_earlier_merges() {
        // 1 – 2 – 4 – 6 – 7 (main; 6 merged 5)
        //      \ 3 – 5 – 8 (other)
        let graph = [
            version(1, &[]),
            version(2, &[1]),
            version(3, &[2]),
            version(4, &[2]),
            version(5, &[3]),
            version(6, &[4, 5]),
            version(7, &[6]),
            version(8, &[5]),
        ];
        for (one, other, base) in
            [(4, 3, 2), (7, 8, 5), (8, 7, 5), (7, 5, 5), (1, 8, 1), (4, 8, 2), (3, 3, 3)]
        {
            assert_eq!(merge_base(&graph, one, other), Some(base), "{one} {other}");
        }
        assert_eq!(merge_base(&[version(1, &[]), version(2, &[])], 1, 2), None);
    }
}
