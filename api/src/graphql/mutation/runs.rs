use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use entity::simulation_run;
use serde_json::Value as Json;

use super::{Payload, UserErrors, key};
use crate::{
    graphql::{
        context::{services, viewer},
        errors::settle,
        id::{design_key, run_key, workload_key},
        scalars::BigInt,
        types::run::SimulationRun,
    },
    service::{
        ServiceResult,
        runs::{self, Columns, Event, SaveRun, Summary},
    },
};

#[derive(Default)]
pub struct RunMutation;

#[Object]
impl RunMutation {
    /// Keeps a run that was computed by its client.
    async fn simulation_run_save(
        &self,
        ctx: &Context<'_>,
        input: SimulationRunSaveInput,
    ) -> Payload<SimulationRunSavePayload> {
        Some(settle(save(ctx, input).await).map(|(run, user_errors)| SimulationRunSavePayload {
            run: run.map(SimulationRun::from),
            user_errors,
        }))
    }

    /// Adds events to a run that the viewer saved. Sending a call again changes nothing.
    async fn simulation_run_events_append(
        &self,
        ctx: &Context<'_>,
        input: SimulationRunEventsAppendInput,
    ) -> Payload<SimulationRunEventsAppendPayload> {
        Some(settle(append(ctx, input).await).map(|(appended, user_errors)| {
            let (run, accepted) = appended.unzip();
            SimulationRunEventsAppendPayload {
                run: run.map(SimulationRun::from),
                // A call has far fewer.
                accepted_count: accepted.map_or(0, |count| i32::try_from(count).unwrap_or(i32::MAX)),
                user_errors,
            }
        }))
    }
}

async fn save(ctx: &Context<'_>, input: SimulationRunSaveInput) -> ServiceResult<simulation_run::Model> {
    let run = SaveRun {
        idempotency_key: input.idempotency_key,
        design_id: key(&input.design_id, design_key, "designId", "design")?,
        design_version: input.design_version,
        workload_id: key(&input.workload_id, workload_key, "workloadId", "workload")?,
        started_at: input.started_at,
        completed_at: input.completed_at,
        summary: input.summary.into(),
        metrics: input.metrics,
        series: input.series.unwrap_or_default().into_iter().map(Columns::from).collect(),
        events: input.events.unwrap_or_default().into_iter().map(Event::from).collect(),
        event_count: input.event_count,
        seed: input.seed.map(|seed| seed.0),
        engine_version: input.engine_version,
        result_hash: input.result_hash,
    };
    runs::save(services(ctx), viewer(ctx), run).await
}

async fn append(
    ctx: &Context<'_>,
    input: SimulationRunEventsAppendInput,
) -> ServiceResult<(simulation_run::Model, usize)> {
    let run_id = key(&input.run_id, run_key, "runId", "run")?;
    let events: Vec<Event> = input.events.into_iter().map(Event::from).collect();
    runs::append_events(services(ctx), viewer(ctx), run_id, &events).await
}

/// A completed run to keep.
#[derive(InputObject)]
pub struct SimulationRunSaveInput {
    /// Required: a retry returns the first run.
    idempotency_key: String,
    design_id: ID,
    /// Omitted: the newest.
    design_version: Option<i32>,
    workload_id: ID,
    started_at: DateTime<Utc>,
    completed_at: DateTime<Utc>,
    summary: RunSummaryInput,
    /// The rest of the report, as metricsRaw gives it back.
    metrics: Option<Json>,
    series: Option<Vec<MetricSeriesInput>>,
    /// Up to 1000 events; append the others.
    events: Option<Vec<RunEventInput>>,
    /// Events that happened; omitted: those given.
    event_count: Option<i32>,
    seed: Option<BigInt>,
    engine_version: Option<String>,
    result_hash: Option<String>,
}

/// The figures of a run over its measured interval.
#[derive(InputObject)]
pub struct RunSummaryInput {
    throughput_qps: Option<f64>,
    latency_p50_ms: Option<f64>,
    latency_p95_ms: Option<f64>,
    latency_p99_ms: Option<f64>,
    total_io_pages: Option<BigInt>,
    cache_hit_ratio: Option<f64>,
}

impl From<RunSummaryInput> for Summary {
    fn from(input: RunSummaryInput) -> Self {
        Self {
            throughput_qps: input.throughput_qps,
            latency_p50_ms: input.latency_p50_ms,
            latency_p95_ms: input.latency_p95_ms,
            latency_p99_ms: input.latency_p99_ms,
            total_io_pages: input.total_io_pages.map(|pages| pages.0),
            cache_hit_ratio: input.cache_hit_ratio,
        }
    }
}

/// A time series in columns: offsetsMs[i] goes with values[i].
#[derive(InputObject)]
pub struct MetricSeriesInput {
    name: String,
    /// What the series is of: block_id names a block, unit a unit.
    tags: Option<Json>,
    start_time: DateTime<Utc>,
    offsets_ms: Vec<f64>,
    values: Vec<f64>,
}

impl From<MetricSeriesInput> for Columns {
    fn from(input: MetricSeriesInput) -> Self {
        let MetricSeriesInput { name, tags, start_time, offsets_ms, values } = input;
        Self { name, tags, start_time, offsets_ms, values }
    }
}

/// A step of a run.
#[derive(InputObject)]
pub struct RunEventInput {
    /// Place in the run's trace, from 0.
    sequence: i32,
    /// Start of the run plus the event's virtual time.
    time: DateTime<Utc>,
    r#type: String,
    block_id: String,
    payload: Json,
}

impl From<RunEventInput> for Event {
    fn from(input: RunEventInput) -> Self {
        let RunEventInput { sequence, time, r#type, block_id, payload } = input;
        Self { sequence, time, kind: r#type, block_id, payload }
    }
}

/// Up to 1000 events; (run, sequence) makes resends no-ops.
#[derive(InputObject)]
pub struct SimulationRunEventsAppendInput {
    run_id: ID,
    events: Vec<RunEventInput>,
}

/// The kept run, or why there is none.
#[derive(SimpleObject)]
pub struct SimulationRunSavePayload {
    run: Option<SimulationRun>,
    user_errors: UserErrors,
}

/// The run with its events, or why none were added.
#[derive(SimpleObject)]
pub struct SimulationRunEventsAppendPayload {
    run: Option<SimulationRun>,
    /// Events that the run did not hold yet.
    accepted_count: i32,
    user_errors: UserErrors,
}
