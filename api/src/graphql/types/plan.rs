use async_graphql::{Context, Enum, Error, Object};
use entity::{
    status,
    store::{client_runs, jobs},
};
use uuid::Uuid;

use crate::{
    graphql::{context::services, errors::internal, scalars::BigInt},
    service::plan,
};

/// What a user pays for.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "status::Tier")]
pub enum PlanTier {
    Free,
    Premium,
}

/// `Plan` of the schema.
pub struct Plan {
    user_id: Uuid,
    plan: plan::Plan,
}

impl Plan {
    pub fn new(user_id: Uuid, tier: status::Tier) -> Self {
        Self { user_id, plan: plan::Plan::of(tier) }
    }
}

/// What the server does for a user.
#[Object]
impl Plan {
    async fn tier(&self) -> PlanTier {
        self.plan.tier.into()
    }

    async fn max_operations_per_job(&self) -> BigInt {
        BigInt::of(self.plan.max_operations)
    }

    /// Jobs that run at a time; the others wait.
    async fn max_concurrent_jobs(&self) -> i32 {
        self.plan.max_concurrent_jobs
    }

    /// Jobs that run at present.
    async fn jobs_running(&self, ctx: &Context<'_>) -> Result<i32, Error> {
        let running = jobs::count_running(&services(ctx).db, self.user_id).await.map_err(internal)?;
        Ok(i32::try_from(running).unwrap_or(i32::MAX))
    }

    async fn job_timeout_seconds(&self) -> i32 {
        self.plan.max_timeout_seconds
    }

    /// Null is unlimited.
    async fn max_designs(&self) -> Option<i32> {
        self.plan.max_designs.map(|limit| i32::try_from(limit).unwrap_or(i32::MAX))
    }

    /// Null is unlimited.
    async fn event_storage_bytes(&self) -> Option<BigInt> {
        self.plan.event_storage_bytes.map(BigInt::of)
    }

    /// What the events of all the user's runs take.
    async fn event_storage_used_bytes(&self, ctx: &Context<'_>) -> Result<BigInt, Error> {
        let used = client_runs::event_bytes_of(&services(ctx).db, self.user_id).await.map_err(internal)?;
        Ok(BigInt::of(used))
    }
}
