use std::sync::Arc;

use async_graphql::{Context, Error, ID, Object};
use chrono::{DateTime, Utc};
use entity::{design_version, store::run_lists::RunParent};

use super::{
    branch::Branch,
    canvas::Canvas,
    design::Design,
    run::SimulationRun,
    run_list::{SimulationRunFilter, SimulationRunOrder, run_connection},
    user::User,
};
use crate::graphql::{
    errors::missing_parent,
    id::GlobalId,
    loaders::{BranchById, DesignById, UserById, VersionAt, load},
    pagination::{PageArgs, Paged},
};

/// `DesignVersion` of the schema.
pub struct DesignVersion(design_version::Model);

impl From<design_version::Model> for DesignVersion {
    fn from(row: design_version::Model) -> Self {
        Self(row)
    }
}

/// One state of a design's canvas. Immutable.
#[Object]
impl DesignVersion {
    /// Opaque and globally unique; never parse it.
    pub async fn id(&self) -> ID {
        GlobalId::DesignVersion(self.0.id).into()
    }

    /// 1, 2, 3 … within the design, over all its branches.
    async fn number(&self) -> i32 {
        self.0.version_number
    }

    async fn design(&self, ctx: &Context<'_>) -> Result<Design, Error> {
        load(ctx, DesignById(self.0.design_id)).await?.map(Design::from).ok_or_else(missing_parent)
    }

    /// The branch that it was made on.
    async fn branch(&self, ctx: &Context<'_>) -> Option<Result<Branch, Error>> {
        let branch = load(ctx, BranchById(self.0.branch_id?)).await;
        branch.map(|found| found.map(Branch::from)).transpose()
    }

    /// The version that it changed, and the one that was merged into it; the first version has none.
    async fn parents(&self, ctx: &Context<'_>) -> Result<Vec<DesignVersion>, Error> {
        let numbers = [self.0.parent_number, self.0.merged_number].into_iter().flatten();
        let keys = numbers.map(|number| VersionAt { design_id: self.0.design_id, number });
        // Together, so that they are loaded in one statement.
        let found = futures_util::future::try_join_all(keys.map(|key| load(ctx, key))).await?;
        Ok(found.into_iter().flatten().map(DesignVersion::from).collect())
    }

    /// What its author said about it.
    async fn message(&self) -> Option<&str> {
        self.0.commit_message.as_deref()
    }

    /// Null once the author's account is gone.
    async fn author(&self, ctx: &Context<'_>) -> Option<Result<User, Error>> {
        let author = load(ctx, UserById(self.0.author_id?)).await;
        author.map(|found| found.map(User::from)).transpose()
    }

    async fn canvas(&self) -> Result<Canvas, Error> {
        Canvas::read(Arc::new(self.0.canvas_state.clone()))
    }

    /// Simulations of this version, newest first unless ordered.
    #[expect(clippy::too_many_arguments, reason = "a connection has four arguments of its own")]
    async fn runs(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        filter: Option<SimulationRunFilter>,
        order_by: Option<SimulationRunOrder>,
    ) -> Option<Result<Paged<SimulationRun>, Error>> {
        let args = PageArgs { first, after, last, before };
        Some(run_connection(ctx, RunParent::DesignVersion, self.0.id, args, filter, order_by).await)
    }

    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }
}
