use async_graphql::SimpleObject;

use crate::{graphql::scalars::BigInt, service::estimates::JobEstimate};

/// What a job would cost: processor time and memory of a worker, roughly.
#[derive(SimpleObject)]
pub struct SimulationEstimate {
    seconds: f64,
    memory_bytes: BigInt,
    /// Whether the viewer could submit it now.
    allowed: bool,
    /// Why not; null when it is allowed.
    reason: Option<String>,
}

impl From<JobEstimate> for SimulationEstimate {
    fn from(estimate: JobEstimate) -> Self {
        Self {
            seconds: estimate.cost.seconds,
            memory_bytes: BigInt::of(estimate.cost.memory_bytes),
            allowed: estimate.refusal.is_none(),
            reason: estimate.refusal,
        }
    }
}
