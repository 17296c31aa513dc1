//! Results of simulations that ran at a client, as far as they are told.

use std::collections::HashSet;

use chrono::{DateTime, Duration, SubsecRound as _, TimeZone as _, Utc};
use entity::{
    simulation_run,
    status::RunEngine,
    store::{
        client_runs::{self, NewClientRun, NewColumns},
        results::NewEvent,
        runs, workloads,
    },
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value as Json, json};
use uuid::Uuid;
use worker::pool::Services;

use super::{
    ErrorCode, Fault, ServiceResult, UserError,
    creation::{begin_creation, commit},
    error::Detail,
    idempotency::{Call, recall},
    input::Mistakes,
    jobs::runnable_version,
    plan::Plan,
};
use crate::auth::Viewer;

/// Events in one call.
pub const MAX_EVENTS: usize = 1_000;
const MAX_SERIES: usize = 1_000;
const MAX_SAMPLES: usize = 100_000;
const TEXT: usize = 255;

/// A completed run to keep.
#[derive(Clone, Debug, Serialize)]
pub struct SaveRun {
    pub idempotency_key: String,
    pub design_id: Uuid,
    /// None is the newest version.
    pub design_version: Option<i32>,
    pub workload_id: Uuid,
    pub started_at: DateTime<Utc>,
    pub completed_at: DateTime<Utc>,
    pub summary: Summary,
    pub metrics: Option<Json>,
    pub series: Vec<Columns>,
    pub events: Vec<Event>,
    pub event_count: Option<i32>,
    pub seed: Option<i64>,
    pub engine_version: Option<String>,
    pub result_hash: Option<String>,
}

/// The figures of a run that its client told.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Summary {
    pub throughput_qps: Option<f64>,
    pub latency_p50_ms: Option<f64>,
    pub latency_p95_ms: Option<f64>,
    pub latency_p99_ms: Option<f64>,
    pub total_io_pages: Option<i64>,
    pub cache_hit_ratio: Option<f64>,
}

/// A time series: `values[i]` at `start_time` + `offsets_ms[i]`.
#[derive(Clone, Debug, Serialize)]
pub struct Columns {
    pub name: String,
    pub tags: Option<Json>,
    pub start_time: DateTime<Utc>,
    pub offsets_ms: Vec<f64>,
    pub values: Vec<f64>,
}

/// A step of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    pub sequence: i32,
    pub time: DateTime<Utc>,
    pub kind: String,
    pub block_id: String,
    pub payload: Json,
}

/// Keeps a run that was computed by its client.
pub async fn save(
    services: &Services,
    viewer: Option<Viewer>,
    input: SaveRun,
) -> ServiceResult<simulation_run::Model> {
    let viewer = viewer.ok_or(Fault::Unauthenticated)?;
    let mut mistakes = Mistakes::default();
    mistakes.idempotency_key(&input.idempotency_key);
    check_figures(&mut mistakes, &input);
    let series = columns(&mut mistakes, &input);
    let events = events(&mut mistakes, &input.events, input.started_at);
    mistakes.none()?;

    let call = Call::new(viewer.user_id, "simulationRunSave", &input.idempotency_key, &input)?;
    let (txn, user) = begin_creation(services, viewer).await?;
    if let Some(id) = recall(&txn, Some(&call)).await? {
        let made = runs::find_visible(&txn, &[id], Some(viewer.user_id)).await?.pop();
        return Ok(made.ok_or_else(|| UserError::not_found(&["idempotencyKey"], "run any more"))?);
    }
    let version = runnable_version(&txn, viewer, input.design_id, input.design_version).await?;
    let workload = workloads::find_visible(&txn, &[input.workload_id], Some(viewer.user_id)).await?.pop();
    let workload = workload.ok_or_else(|| UserError::not_found(&["workloadId"], "workload"))?;
    let used = client_runs::event_bytes_of(&txn, viewer.user_id).await?;
    has_room(Plan::of(user.tier), used, &events)?;
    let told = i64::try_from(events.len()).unwrap_or(i64::MAX);
    let new = NewClientRun {
        design_id: version.design_id,
        design_version_id: version.id,
        workload_id: workload.id,
        user_id: viewer.user_id,
        started_at: input.started_at.trunc_subsecs(6),
        completed_at: input.completed_at.trunc_subsecs(6),
        throughput_qps: input.summary.throughput_qps,
        latency_p50_ms: input.summary.latency_p50_ms,
        latency_p95_ms: input.summary.latency_p95_ms,
        latency_p99_ms: input.summary.latency_p99_ms,
        total_io_pages: input.summary.total_io_pages,
        cache_hit_ratio: input.summary.cache_hit_ratio,
        summary: serde_json::to_value(input.summary)?,
        metrics: input.metrics.clone(),
        seed: input.seed,
        engine_version: input.engine_version.clone(),
        result_hash: input.result_hash.clone(),
        event_count: input.event_count.map_or(told, i64::from),
        series,
        events,
    };
    let run = client_runs::insert(&txn, new).await?;
    call.remember(&txn, run.id).await?;
    commit(txn).await?;
    tracing::info!(user_id = %viewer.user_id, design_id = %run.design_id, run_id = %run.id, action = "run_saved", "run saved");
    Ok(run)
}

/// Adds events to a run that the viewer saved. Those that the run holds already are left as they are. Tells how many were
/// new.
pub async fn append_events(
    services: &Services,
    viewer: Option<Viewer>,
    run_id: Uuid,
    told: &[Event],
) -> ServiceResult<(simulation_run::Model, usize)> {
    let viewer = viewer.ok_or(Fault::Unauthenticated)?;
    let (txn, user) = begin_creation(services, viewer).await?;
    // Who saved a run may have lost its design since.
    if runs::find_visible(&txn, &[run_id], Some(viewer.user_id)).await?.is_empty() {
        return Err(UserError::not_found(&["runId"], "run").into());
    }
    let run = client_runs::find_for_update(&txn, run_id, viewer.user_id).await?;
    let run = run.filter(|run| run.engine == RunEngine::Client).ok_or_else(|| {
        let message = "events can be added only by who saved the run, and not to a run of the server";
        UserError::new(ErrorCode::Forbidden, &["runId"], message)
    })?;
    let mut mistakes = Mistakes::default();
    let events = events(&mut mistakes, told, run.started_at);
    mistakes.none()?;
    let unknown = client_runs::unknown_events(&txn, run.id, events).await?;
    let used = client_runs::event_bytes_of(&txn, viewer.user_id).await?;
    has_room(Plan::of(user.tier), used, &unknown)?;
    let run = client_runs::append_events(&txn, run, &unknown).await?;
    commit(txn).await?;
    Ok((run, unknown.len()))
}

/// Whether the plan has room for these events beside those that take `used` bytes.
fn has_room(plan: Plan, used: u64, events: &[NewEvent]) -> ServiceResult<()> {
    let Some(limit) = plan.event_storage_bytes else { return Ok(()) };
    let wanted = client_runs::event_bytes(events);
    if wanted == 0 || used.saturating_add(wanted) <= limit {
        return Ok(());
    }
    let message =
        format!("your plan stores {limit} bytes of events; {used} are used and these take {wanted}");
    let quota = Detail::Quota { limit, used };
    Err(UserError::new(ErrorCode::QuotaExceeded, &["events"], message).with(quota).into())
}

fn check_figures(mistakes: &mut Mistakes, input: &SaveRun) {
    for (name, time) in [("startedAt", input.started_at), ("completedAt", input.completed_at)] {
        mistakes.check(is_storable(time), &[name], || format!("{name} must be from 1970 to 9998"));
    }
    mistakes.check(input.started_at <= input.completed_at, &["completedAt"], || {
        "completedAt must not be before startedAt".into()
    });
    let Summary { throughput_qps, latency_p50_ms, latency_p95_ms, latency_p99_ms, .. } = input.summary;
    for (name, value) in [
        ("throughputQps", throughput_qps),
        ("latencyP50Ms", latency_p50_ms),
        ("latencyP95Ms", latency_p95_ms),
        ("latencyP99Ms", latency_p99_ms),
    ] {
        mistakes.check(value.is_none_or(|value| (0.0..=1e300).contains(&value)), &["summary", name], || {
            format!("{name} must be 0 or more")
        });
    }
    let ratio = input.summary.cache_hit_ratio;
    mistakes.check(
        ratio.is_none_or(|ratio| (0.0..=1.0).contains(&ratio)),
        &["summary", "cacheHitRatio"],
        || "cacheHitRatio must be from 0 to 1".into(),
    );
    let pages = input.summary.total_io_pages;
    mistakes.check(pages.is_none_or(|pages| pages >= 0), &["summary", "totalIoPages"], || {
        "totalIoPages must be 0 or more".into()
    });
    let told = i32::try_from(input.events.len()).unwrap_or(i32::MAX);
    mistakes.check(input.event_count.is_none_or(|count| count >= told), &["eventCount"], || {
        format!("eventCount must not be below the {told} events given")
    });
    mistakes.check(input.seed.is_none_or(|seed| seed >= 0), &["seed"], || "seed must be 0 or more".into());
    for (name, text) in [("engineVersion", &input.engine_version), ("resultHash", &input.result_hash)] {
        if let Some(text) = text {
            mistakes.word(&[name], text, TEXT);
        }
    }
    if let Some(metrics) = &input.metrics {
        check_report(mistakes, metrics);
    }
}

/// `metrics` is the client's own, but for the parts that the API reads: those have the form of the server's report.
fn check_report(mistakes: &mut Mistakes, metrics: &Json) {
    mistakes.check(metrics.is_object(), &["metrics"], || "metrics must be an object".into());
    mistakes.document(&["metrics"], metrics);
    check_part::<Vec<engine::report::OperationResult>>(mistakes, metrics, "operations");
    check_part::<Vec<engine::report::BlockResult>>(mistakes, metrics, "blocks");
    check_part::<Vec<engine::report::LatencyShare>>(mistakes, metrics, "latency_breakdown");
    check_part::<Vec<engine::report::Warning>>(mistakes, metrics, "warnings");
}

fn check_part<T: DeserializeOwned>(mistakes: &mut Mistakes, metrics: &Json, name: &str) {
    let Some(part) = metrics.get(name) else { return };
    if let Err(error) = T::deserialize(part) {
        let message = format!("{name} must have the form that metricsRaw gives it: {error}");
        mistakes.add(UserError::invalid(&["metrics", name], message));
    }
}

/// The series as they are stored.
fn columns(mistakes: &mut Mistakes, input: &SaveRun) -> Vec<NewColumns> {
    let samples: usize = input.series.iter().map(|series| series.values.len()).sum();
    if input.series.len() > MAX_SERIES || samples > MAX_SAMPLES {
        let message = format!("a run has at most {MAX_SERIES} series with {MAX_SAMPLES} samples together");
        mistakes.add(UserError::new(ErrorCode::TooLarge, &["series"], message));
        return Vec::new();
    }
    let numbered = input.series.iter().enumerate();
    numbered.map(|(i, series)| column(mistakes, &i.to_string(), series, input.started_at)).collect()
}

fn column(
    mistakes: &mut Mistakes,
    place: &str,
    series: &Columns,
    run_started_at: DateTime<Utc>,
) -> NewColumns {
    mistakes.word(&["series", place, "name"], &series.name, TEXT);
    let mut tags = series.tags.clone().unwrap_or_else(|| json!({}));
    mistakes.document(&["series", place, "tags"], &tags);
    mistakes.check(tags.is_object(), &["series", place, "tags"], || "tags must be an object".into());
    let start = series.start_time;
    mistakes.check(start >= run_started_at, &["series", place, "startTime"], || {
        "startTime must not be before the run's startedAt".into()
    });
    let (offsets, values) = (series.offsets_ms.len(), series.values.len());
    mistakes.check(offsets == values, &["series", place, "values"], || {
        format!("values must be as many as offsetsMs, {offsets}; there are {values}")
    });
    let times: Vec<Option<DateTime<Utc>>> =
        series.offsets_ms.iter().map(|&offset| after(start.trunc_subsecs(6), offset)).collect();
    let ascending = times.iter().all(Option::is_some) && times.is_sorted_by(|one, next| one < next);
    mistakes.check(ascending, &["series", place, "offsetsMs"], || {
        "offsetsMs must be 0 or more and grow by at least a microsecond from sample to sample".into()
    });
    if let (Some(tags), Some(interval)) = (tags.as_object_mut(), shortest_step(&series.offsets_ms)) {
        tags.insert("interval_ms".into(), json!(interval));
    }
    NewColumns {
        name: series.name.clone(),
        tags,
        times: times.into_iter().flatten().collect(),
        values: series.values.clone(),
    }
}

/// The time so many milliseconds later, in whole microseconds; none before `start` and beyond what can be stored.
fn after(start: DateTime<Utc>, offset_ms: f64) -> Option<DateTime<Utc>> {
    const LONGEST_MS: f64 = 1e14;
    let offset = (0.0..=LONGEST_MS).contains(&offset_ms).then_some((offset_ms * 1e3).round() as i64)?;
    start.checked_add_signed(Duration::microseconds(offset)).filter(|time| is_storable(*time))
}

fn shortest_step(offsets_ms: &[f64]) -> Option<f64> {
    offsets_ms.windows(2).map(|pair| pair[1] - pair[0]).min_by(f64::total_cmp)
}

/// The events as they are stored.
fn events(mistakes: &mut Mistakes, events: &[Event], run_started_at: DateTime<Utc>) -> Vec<NewEvent> {
    if events.len() > MAX_EVENTS {
        let message = format!("a call takes at most {MAX_EVENTS} events; there are {}", events.len());
        mistakes.add(UserError::new(ErrorCode::TooLarge, &["events"], message));
        return Vec::new();
    }
    let mut sequences = HashSet::new();
    let started_at = run_started_at.trunc_subsecs(6);
    let numbered = events.iter().enumerate();
    numbered
        .map(|(i, event)| {
            let i = i.to_string();
            let place = i.as_str();
            let time_ns = (event.time - started_at).num_nanoseconds().filter(|ns| *ns >= 0);
            mistakes.check(event.sequence >= 0, &["events", place, "sequence"], || {
                "sequence must be 0 or more".into()
            });
            mistakes.check(sequences.insert(event.sequence), &["events", place, "sequence"], || {
                format!("sequence {} stands twice in this call", event.sequence)
            });
            mistakes.check(time_ns.is_some(), &["events", place, "time"], || {
                "time must not be before the run's startedAt, nor 292 years after it".into()
            });
            mistakes.word(&["events", place, "type"], &event.kind, TEXT);
            mistakes.word(&["events", place, "blockId"], &event.block_id, TEXT);
            mistakes.document(&["events", place, "payload"], &event.payload);
            NewEvent {
                sequence_number: event.sequence,
                time_ns: time_ns.unwrap_or_default(),
                event_type: event.kind.clone(),
                block_id: event.block_id.clone(),
                payload: event.payload.clone(),
            }
        })
        .collect()
}

/// Whether a time compares as text the way it compares as time, which SQLite needs.
fn is_storable(time: DateTime<Utc>) -> bool {
    let last = Utc.with_ymd_and_hms(9999, 1, 1, 0, 0, 0).single();
    time >= DateTime::UNIX_EPOCH && last.is_some_and(|last| time < last)
}
