use async_graphql::{Context, Enum, Error, ID, Object};
use entity::{
    status,
    store::{design_lists::DesignScope, run_lists::RunParent, users, workloads::WorkloadScope},
    user,
};

use super::{
    design::{Design, DesignFilter, DesignOrder, design_connection},
    job::{JobStatus, SimulationJob},
    job_list::job_connection,
    plan::Plan,
    run::SimulationRun,
    run_list::{SimulationRunFilter, SimulationRunOrder, run_connection},
    session::SessionInfo,
    workload::{Workload, workload_connection},
};
use crate::{
    auth::Tokens,
    config::Config,
    graphql::{
        context::{services, viewer},
        errors::internal,
        id::GlobalId,
        pagination::{PageArgs, Paged},
        scalars::Url,
    },
    service::queues,
};

/// `User` of the schema.
pub struct User(user::Model);

impl From<user::Model> for User {
    fn from(row: user::Model) -> Self {
        Self(row)
    }
}

impl User {
    fn is_viewer(&self, ctx: &Context<'_>) -> bool {
        viewer(ctx).is_some_and(|viewer| viewer.user_id == self.0.id)
    }
}

/// A person with an account.
#[Object]
impl User {
    /// Opaque and globally unique; never parse it.
    pub async fn id(&self) -> ID {
        GlobalId::User(self.0.id).into()
    }

    /// The public name.
    async fn handle(&self) -> &str {
        &self.0.handle
    }

    /// Only on viewer; null for others.
    async fn email(&self, ctx: &Context<'_>) -> Option<&str> {
        self.is_viewer(ctx).then_some(self.0.email.as_str())
    }

    /// Only on viewer; null for others.
    async fn role(&self, ctx: &Context<'_>) -> Option<UserRole> {
        self.is_viewer(ctx).then(|| self.0.role.into())
    }

    /// Only on viewer; null for others.
    async fn plan(&self, ctx: &Context<'_>) -> Option<Plan> {
        self.is_viewer(ctx).then(|| Plan::new(self.0.id, self.0.tier))
    }

    /// A link to the page of the queues, good for ten minutes; null for all but admins.
    async fn queues_url(&self, ctx: &Context<'_>) -> Option<Result<Url, Error>> {
        if !self.is_viewer(ctx) || self.0.role != status::Role::Admin {
            return None;
        }
        let public_url = &ctx.data_unchecked::<Config>().public_url;
        let tokens = ctx.data_unchecked::<Tokens>();
        Some(queues::link(public_url, tokens, self.0.id).map(Url).map_err(internal))
    }

    /// Their designs: all of them for themselves; the PUBLIC ones, and those shared with the viewer, for others.
    async fn designs(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        filter: Option<DesignFilter>,
    ) -> Option<Result<Paged<Design>, Error>> {
        let scope =
            DesignScope::OwnedBy { owner: self.0.id, viewer: viewer(ctx).map(|viewer| viewer.user_id) };
        let args = PageArgs { first, after, last, before };
        Some(design_connection(ctx, scope, args, filter.unwrap_or_default(), DesignOrder::default()).await)
    }

    /// Their own workloads, newest first. Only on viewer; null for others.
    async fn workloads(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Option<Result<Paged<Workload>, Error>> {
        let scope = WorkloadScope::OwnedBy(self.0.id);
        let args = PageArgs { first, after, last, before };
        match self.is_viewer(ctx) {
            true => Some(workload_connection(ctx, scope, args).await),
            false => None,
        }
    }

    /// Their sign-ins that are still good, the last used first. Only on viewer; null for others.
    async fn sessions(&self, ctx: &Context<'_>) -> Option<Result<Vec<SessionInfo>, Error>> {
        let viewer = viewer(ctx).filter(|viewer| viewer.user_id == self.0.id)?;
        let sessions = users::open_sessions(&services(ctx).db, viewer.user_id).await.map_err(internal);
        Some(
            sessions
                .map(|rows| rows.into_iter().map(|row| SessionInfo::new(row, viewer.session_id)).collect()),
        )
    }

    /// Their own jobs, newest first. Only on viewer; null for others.
    async fn jobs(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Jobs of these statuses alone.")] status: Option<Vec<JobStatus>>,
    ) -> Option<Result<Paged<SimulationJob>, Error>> {
        let args = PageArgs { first, after, last, before };
        match self.is_viewer(ctx) {
            true => Some(job_connection(ctx, self.0.id, status, args).await),
            false => None,
        }
    }

    /// Their own simulations, newest first unless ordered. Only on viewer; null for others.
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
        match self.is_viewer(ctx) {
            true => Some(run_connection(ctx, RunParent::User, self.0.id, args, filter, order_by).await),
            false => None,
        }
    }
}

/// What a user may do beyond their own things.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "status::Role")]
pub enum UserRole {
    User,
    Admin,
}
