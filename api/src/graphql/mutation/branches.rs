use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::{design_branch, design_version};

use super::{Payload, UserErrors, key};
use crate::{
    graphql::{
        context::{services, viewer},
        errors::settle,
        id::design_key,
        types::{branch::Branch, design_version::DesignVersion},
    },
    service::{
        ServiceResult,
        branches::{self, MergeBranch},
    },
};

#[derive(Default)]
pub struct BranchMutation;

#[Object]
impl BranchMutation {
    /// Starts a branch of a design at one of its versions.
    async fn branch_create(
        &self,
        ctx: &Context<'_>,
        input: BranchCreateInput,
    ) -> Payload<BranchCreatePayload> {
        Some(settle(create(ctx, input).await).map(|(branch, user_errors)| BranchCreatePayload {
            branch: branch.map(Branch::from),
            user_errors,
        }))
    }

    /// Merges what a branch changed into another: by block, by parameter and by connection, from the nearest version that
    /// both come from.
    async fn branch_merge(&self, ctx: &Context<'_>, input: BranchMergeInput) -> Payload<BranchMergePayload> {
        Some(settle(merge(ctx, input).await).map(|(merged, user_errors)| {
            let (branch, version) = merged.unzip();
            BranchMergePayload {
                branch: branch.map(Branch::from),
                version: version.map(DesignVersion::from),
                user_errors,
            }
        }))
    }
}

async fn create(ctx: &Context<'_>, input: BranchCreateInput) -> ServiceResult<design_branch::Model> {
    let id = key(&input.design_id, design_key, "designId", "design")?;
    branches::create(services(ctx), viewer(ctx), id, &input.name, input.from_version).await
}

async fn merge(
    ctx: &Context<'_>,
    input: BranchMergeInput,
) -> ServiceResult<(design_branch::Model, design_version::Model)> {
    let design_id = key(&input.design_id, design_key, "designId", "design")?;
    let BranchMergeInput { design_id: _, source, target, expected_target_head, message } = input;
    let merge = MergeBranch { design_id, source, target, expected_target_head, message };
    branches::merge(services(ctx), viewer(ctx), merge).await
}

/// A branch to start.
#[derive(InputObject)]
pub struct BranchCreateInput {
    design_id: ID,
    /// 1 to 255 characters, unique in the design.
    name: String,
    /// Number of the version it starts at; the head of the default branch when omitted.
    from_version: Option<i32>,
}

/// A branch to merge into another. Both keep their names and go on.
#[derive(InputObject)]
pub struct BranchMergeInput {
    design_id: ID,
    /// Name of the branch whose changes are wanted.
    source: String,
    /// Name of the branch that takes them.
    target: String,
    /// Number of the target's head as the client last read it.
    expected_target_head: i32,
    /// Told with the version that the merge makes.
    message: Option<String>,
}

/// The new branch, or why there is none.
#[derive(SimpleObject)]
pub struct BranchCreatePayload {
    branch: Option<Branch>,
    user_errors: UserErrors,
}

/// The target branch as it is now, or why it is unchanged.
#[derive(SimpleObject)]
pub struct BranchMergePayload {
    branch: Option<Branch>,
    /// Its head: the version that the merge made, or the one it had when there was nothing to merge.
    version: Option<DesignVersion>,
    user_errors: UserErrors,
}
