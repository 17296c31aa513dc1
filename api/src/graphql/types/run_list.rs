use std::sync::Arc;

use async_graphql::{Context, Enum, Error, ID, InputObject};
use chrono::{DateTime, Utc};
use entity::{
    status,
    store::{
        page::{Float, Page},
        run_lists::{self, RunList, RunOrderField, RunParent},
    },
};
use uuid::Uuid;

use super::{
    design::OrderDirection,
    run::{RunEngine, RunStatus, SimulationRun},
};
use crate::graphql::{
    errors::internal,
    id::workload_key,
    loaders::{ListOf, Loaders, load},
    pagination::{KeyKind, MAX_PAGE, PageArgs, Paged, connection},
};

/// Which runs a list holds.
#[derive(InputObject, Default)]
pub struct SimulationRunFilter {
    status: Option<Vec<RunStatus>>,
    workload_id: Option<ID>,
    engine: Option<RunEngine>,
    /// Runs with at least this throughput.
    min_throughput_qps: Option<f64>,
    /// Runs that completed at this time or later.
    completed_since: Option<DateTime<Utc>>,
}

impl From<SimulationRunFilter> for run_lists::RunFilter {
    fn from(filter: SimulationRunFilter) -> Self {
        let status = filter.status.map(|list| list.into_iter().map(status::RunStatus::from).collect());
        Self {
            status,
            // No run has the nil workload, nor one whose id we never gave out.
            workload_id: filter.workload_id.map(|id| workload_key(&id).unwrap_or_default()),
            engine: filter.engine.map(Into::into),
            min_throughput_qps: filter.min_throughput_qps.map(Float),
            completed_since: filter.completed_since,
        }
    }
}

/// What a list of runs is sorted by.
#[derive(InputObject, Clone, Copy)]
pub struct SimulationRunOrder {
    field: SimulationRunOrderField,
    direction: OrderDirection,
}

/// Fields that runs can be sorted by. A run that has not completed counts as the latest, and one without a figure as the
/// slowest.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub enum SimulationRunOrderField {
    CompletedAt,
    ThroughputQps,
    LatencyP99Ms,
}

impl From<SimulationRunOrderField> for RunOrderField {
    fn from(field: SimulationRunOrderField) -> Self {
        match field {
            SimulationRunOrderField::CompletedAt => Self::CompletedAt,
            SimulationRunOrderField::ThroughputQps => Self::ThroughputQps,
            SimulationRunOrderField::LatencyP99Ms => Self::LatencyP99Ms,
        }
    }
}

/// A page of the runs of a parent that the viewer may read; newest first unless an order is asked for.
///
/// # Errors
/// Names the argument that breaks a rule.
pub async fn run_connection(
    ctx: &Context<'_>,
    parent: RunParent,
    id: Uuid,
    args: PageArgs,
    filter: Option<SimulationRunFilter>,
    order_by: Option<SimulationRunOrder>,
) -> Result<Paged<SimulationRun>, Error> {
    let mut list = RunList { filter: filter.unwrap_or_default().into(), ..RunList::newest(parent) };
    if let Some(order) = order_by {
        list.order = order.field.into();
        list.descending = order.direction == OrderDirection::Desc;
    }
    let kind = match list.order {
        RunOrderField::CreatedAt | RunOrderField::CompletedAt => KeyKind::Time,
        RunOrderField::ThroughputQps | RunOrderField::LatencyP99Ms => KeyKind::Float,
    };
    let request = args.request(kind, MAX_PAGE)?;
    let page = load(ctx, ListOf { parent: id, args: (list.clone(), request) }).await?;
    let order = list.order;
    Ok(connection(
        page.unwrap_or_else(Page::empty),
        move |run| order.cursor(run),
        SimulationRun::from,
        move |ctx| {
            let (loaders, list) = (ctx.data_unchecked::<Arc<Loaders>>().clone(), list.clone());
            async move {
                let runs = loaders.load_one(ListOf { parent: id, args: list }).await.map_err(internal)?;
                Ok(runs.unwrap_or_default())
            }
        },
    ))
}
