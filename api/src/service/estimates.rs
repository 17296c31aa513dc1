//! What a job would cost, before it is submitted.

use engine::{SimulateError, Workload, estimate::Estimate};
use entity::{
    status::Tier,
    store::{
        design_access::{self, Access},
        designs, users, workloads,
    },
};
use serde_json::Value as Json;
use uuid::Uuid;
use worker::pool::Services;

use super::{ServiceResult, permissions::Permissions, plan::Plan, workloads::document_of};
use crate::auth::Viewer;

/// An estimate, and why the viewer may not run it; none when they may.
pub struct JobEstimate {
    pub cost: Estimate,
    pub refusal: Option<String>,
}

/// What running this workload on the newest version of this design would take; none when the viewer may not open both.
pub async fn of_job(
    services: &Services,
    viewer: Option<Viewer>,
    free_jobs_allowed: bool,
    design_id: Uuid,
    workload_id: Uuid,
) -> ServiceResult<Option<JobEstimate>> {
    let (db, user_id) = (&services.db, viewer.map(|viewer| viewer.user_id));
    let design = designs::find_visible(db, &[design_id], user_id).await?.pop();
    let workload = workloads::find_visible(db, &[workload_id], user_id).await?.pop();
    let (Some(design), Some(workload)) = (design, workload) else { return Ok(None) };
    let refused = |reason: String| {
        let nothing = Estimate { seconds: 0.0, memory_bytes: 0 };
        Ok(Some(JobEstimate { cost: nothing, refusal: Some(reason) }))
    };
    let parsed = match engine::workload::parse(&document_of(&workload)) {
        Ok(parsed) => parsed,
        Err(found) => return refused(SimulateError::InvalidWorkload(found).to_string()),
    };
    let cost = match cost(&design.canvas_state, &parsed) {
        Ok(cost) => cost,
        Err(error) => return refused(error.to_string()),
    };
    let user = match user_id {
        Some(id) => users::find(db, id).await?,
        None => None,
    };
    let access = design_access::of_viewer(db, &[design.id], user_id).await?;
    let access = access.get(&design.id).copied().unwrap_or(Access::None);
    let may = Permissions::of(access, design.deleted_at.is_some());
    let refusal = match user {
        None => Some("sign in to run simulations on the server".to_owned()),
        Some(_) if access < Access::Edit => {
            Some("only the owner of the design and its editors can run it".to_owned())
        }
        Some(_) if !may.can_run => Some("the design is archived; unarchive it first".to_owned()),
        Some(_) if workload.deleted_at.is_some() => Some("the workload is archived".to_owned()),
        Some(user) if user.tier == Tier::Free && !free_jobs_allowed => {
            Some("simulations on this server are part of the PREMIUM plan".to_owned())
        }
        Some(user) => beyond(Plan::of(user.tier), &parsed, cost),
    };
    Ok(Some(JobEstimate { cost, refusal }))
}

/// What the engine says of running a workload on a canvas.
///
/// # Errors
/// Why it cannot.
pub fn cost(canvas: &Json, workload: &Workload) -> Result<Estimate, SimulateError> {
    let checked = engine::design::check(canvas);
    match checked.plan {
        Some(plan) => engine::estimate::estimate(&plan, workload),
        None => Err(SimulateError::InvalidDesign(checked.diagnostics)),
    }
}

/// The first limit of the plan that the job passes.
fn beyond(plan: Plan, workload: &Workload, cost: Estimate) -> Option<String> {
    let (operations, seconds) = (workload.config.total_operations, plan.max_timeout_seconds);
    if operations > plan.max_operations {
        return Some(format!("{operations} operations are more than your plan's {}", plan.max_operations));
    }
    if cost.seconds > f64::from(seconds) {
        return Some(format!("it would take about {:.0} s, more than your plan's {seconds} s", cost.seconds));
    }
    if cost.memory_bytes > plan.memory_limit_bytes.unsigned_abs() {
        let (wanted, limit) = (cost.memory_bytes >> 20, plan.memory_limit_bytes >> 20);
        return Some(format!(
            "it would take about {wanted} MiB of memory, more than your plan's {limit} MiB"
        ));
    }
    None
}
