use async_graphql::{Context, Error, ID, Object};
use entity::store::{design_lists::DesignScope, workloads::WorkloadScope};
use serde_json::Value as Json;

use super::{
    context::{services, viewer},
    errors::{bad_input, settle, settle_fault},
    id::{design_key, job_key, run_key, workload_key},
    loaders::{DesignById, JobById, RunById, UserById, WorkloadById, load},
    pagination::{MAX_PAGE, PageArgs, Paged},
    types::{
        block_config::{BlockConfig, block_config_connection},
        block_type::{self, BlockCategory, BlockType},
        canvas::CanvasValidation,
        comparison::RunComparison,
        design::{Design, DesignFilter, DesignOrder, design_connection},
        estimate::SimulationEstimate,
        job::SimulationJob,
        node::{self, Node},
        rate_limit::RateLimit,
        run::SimulationRun,
        template::{Template, TemplateCategory, template_connection},
        user::User,
        workload::{Workload, workload_connection},
    },
};
use crate::{
    config::Config,
    service::{estimates, sharing},
};

/// `Query` of the schema.
pub struct Query;

/// Everything that can be read.
#[Object]
impl Query {
    /// The thing with this id; null for what does not exist and for what the viewer may not see.
    async fn node(&self, ctx: &Context<'_>, id: ID) -> Option<Result<Node, Error>> {
        node::find(ctx, &id).await.transpose()
    }

    /// The things with these ids, in their order.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        ids: Vec<ID>,
    ) -> Result<Vec<Option<Result<Node, Error>>>, Error> {
        if ids.len() as u64 > MAX_PAGE {
            return Err(bad_input(format!("ids must hold at most {MAX_PAGE} ids")));
        }
        // Together, so that things of one type are loaded in one statement.
        let found = futures_util::future::join_all(ids.iter().map(|id| node::find(ctx, id))).await;
        Ok(found.into_iter().map(Result::transpose).collect())
    }

    /// Null when anonymous.
    async fn viewer(&self, ctx: &Context<'_>) -> Option<Result<User, Error>> {
        let found = load(ctx, UserById(viewer(ctx)?.user_id)).await.transpose()?;
        Some(found.map(User::from))
    }

    /// A design by its id, if the viewer may open it.
    async fn design(&self, ctx: &Context<'_>, id: ID) -> Option<Result<Design, Error>> {
        let found = load(ctx, DesignById(design_key(&id)?)).await.transpose()?;
        Some(found.map(Design::from))
    }

    /// Opens an UNLISTED or PUBLIC design by the token of its share link.
    async fn design_by_share_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The last part of shareUrl.")] token: String,
    ) -> Option<Result<Design, Error>> {
        let found = sharing::find_by_token(services(ctx), &token).await;
        settle_fault(found).transpose().map(|found| found.map(Design::from))
    }

    /// Own, shared with the viewer, and PUBLIC; UNLISTED ones of others are never listed.
    #[expect(clippy::too_many_arguments, reason = "a connection has four arguments of its own")]
    async fn designs(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        filter: Option<DesignFilter>,
        #[graphql(default_with = "Some(DesignOrder::default())")] order_by: Option<DesignOrder>,
    ) -> Option<Result<Paged<Design>, Error>> {
        let scope = DesignScope::VisibleTo(viewer(ctx).map(|viewer| viewer.user_id));
        let args = PageArgs { first, after, last, before };
        Some(
            design_connection(ctx, scope, args, filter.unwrap_or_default(), order_by.unwrap_or_default())
                .await,
        )
    }

    /// A workload by its id, if the viewer may open it.
    async fn workload(&self, ctx: &Context<'_>, id: ID) -> Option<Result<Workload, Error>> {
        let found = load(ctx, WorkloadById(workload_key(&id)?)).await.transpose()?;
        Some(found.map(Workload::from))
    }

    /// A job by its id, if the viewer submitted it.
    async fn simulation_job(&self, ctx: &Context<'_>, id: ID) -> Option<Result<SimulationJob, Error>> {
        let found = load(ctx, JobById(job_key(&id)?)).await.transpose()?;
        Some(found.map(SimulationJob::from))
    }

    /// A run by its id, if the viewer may open its design.
    async fn simulation_run(&self, ctx: &Context<'_>, id: ID) -> Option<Result<SimulationRun, Error>> {
        let found = load(ctx, RunById(run_key(&id)?)).await.transpose()?;
        Some(found.map(SimulationRun::from))
    }

    /// 2..10 runs of any designs the viewer can read; null when one of them is not.
    async fn run_comparison(
        &self,
        ctx: &Context<'_>,
        run_ids: Vec<ID>,
        #[graphql(desc = "What the others are measured against; the first run when omitted.")]
        baseline_run_id: Option<ID>,
    ) -> Option<Result<RunComparison, Error>> {
        RunComparison::of(ctx, &run_ids, baseline_run_id.as_ref()).await.transpose()
    }

    /// What a job would cost before it is submitted: seconds, memory, and whether the viewer's plan allows it. Null when the
    /// viewer may not open the design or the workload.
    async fn simulation_estimate(
        &self,
        ctx: &Context<'_>,
        design_id: ID,
        workload_id: ID,
    ) -> Option<Result<SimulationEstimate, Error>> {
        let (design_id, workload_id) = (design_key(&design_id)?, workload_key(&workload_id)?);
        let free_jobs_allowed = ctx.data_unchecked::<Config>().free_server_jobs;
        let found =
            estimates::of_job(services(ctx), viewer(ctx), free_jobs_allowed, design_id, workload_id).await;
        match settle(found) {
            Ok((estimate, _)) => estimate.flatten().map(|estimate| Ok(estimate.into())),
            Err(error) => Some(Err(error)),
        }
    }

    /// Designs to start from.
    async fn templates(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        category: Option<TemplateCategory>,
    ) -> Result<Paged<Template>, Error> {
        template_connection(ctx, category, PageArgs { first, after, last, before }).await
    }

    /// Workloads to start from.
    async fn workload_templates(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Paged<Workload>, Error> {
        workload_connection(ctx, WorkloadScope::Templates, PageArgs { first, after, last, before }).await
    }

    /// Palette: every block the canvas knows, with a JSON Schema for its parameters.
    async fn block_types(&self, search: Option<String>, category: Option<BlockCategory>) -> Vec<BlockType> {
        block_type::search(search.as_deref(), category)
    }

    /// What this very request cost; free to select. Null where nothing is limited.
    async fn rate_limit(&self, ctx: &Context<'_>) -> Option<RateLimit> {
        ctx.data_opt::<RateLimit>().cloned()
    }

    /// The viewer's saved block configurations, newest first; null when anonymous.
    async fn block_configs(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Configurations of this type of block alone.")] r#type: Option<String>,
    ) -> Option<Result<Paged<BlockConfig>, Error>> {
        let owner = viewer(ctx)?.user_id;
        let args = PageArgs { first, after, last, before };
        Some(block_config_connection(ctx, owner, r#type, args).await)
    }

    /// Static checks of a canvas without saving it: every diagnostic, never just the first.
    async fn canvas_validate(&self, canvas: Json) -> CanvasValidation {
        CanvasValidation::of(&canvas)
    }
}
