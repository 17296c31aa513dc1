use async_graphql::{Context, Enum, Error, SimpleObject};
use chrono::{DateTime, Utc};
use entity::store::run_series::{Aggregation, Series, SeriesRequest};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::column::Column;
use crate::graphql::{
    errors::bad_input,
    loaders::{ListOf, load},
};

/// Points of a series that nobody asked a number for.
pub const DEFAULT_POINTS: i32 = 300;
const MAX_POINTS: i32 = 10_000;

/// Columnar: offsetsMs[i] goes with values[i]; no object per sample.
#[derive(SimpleObject)]
pub struct MetricSeries {
    name: String,
    unit: Option<String>,
    /// What the series is of, for example a block; series of one name differ in their tags.
    tags: Json,
    /// How a value was made of the samples in its bucket; NONE when each bucket holds one sample.
    aggregation: MetricAggregation,
    bucket_ms: i32,
    /// offsetsMs count from here: the start of the run.
    start_time: DateTime<Utc>,
    /// Milliseconds of virtual time from startTime to the start of each bucket.
    offsets_ms: Column<f64>,
    values: Column<Option<f64>>,
    /// The smallest sample.
    min: Option<f64>,
    /// The largest sample.
    max: Option<f64>,
    /// The mean of the samples.
    avg: Option<f64>,
    /// The smallest sample that 95 % of the samples do not exceed.
    p95: Option<f64>,
}

/// How the samples of a bucket become one value.
#[derive(Enum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum MetricAggregation {
    None,
    Avg,
    Max,
}

impl From<Aggregation> for MetricAggregation {
    fn from(aggregation: Aggregation) -> Self {
        match aggregation {
            Aggregation::None => Self::None,
            Aggregation::Average => Self::Avg,
            Aggregation::Largest => Self::Max,
        }
    }
}

impl MetricSeries {
    /// Unit and interval are stored among the tags; to clients they are columns of their own.
    pub fn new(series: Series, start_time: DateTime<Utc>) -> Self {
        let mut tags = match series.tags {
            Some(Json::Object(tags)) => tags,
            _ => Map::new(),
        };
        let unit = tags.remove("unit").and_then(|unit| unit.as_str().map(str::to_owned));
        let interval_ms = tags.remove("interval_ms").and_then(|value| value.as_f64()).unwrap_or_default();
        let offset =
            |time: DateTime<Utc>| (time - start_time).num_microseconds().unwrap_or(i64::MAX) as f64 / 1_000.0;
        Self {
            name: series.name,
            unit,
            tags: Json::Object(tags),
            aggregation: series.aggregation.into(),
            // A float that passes an integer's bound becomes that bound.
            bucket_ms: (interval_ms * series.samples_per_point as f64).round() as i32,
            start_time,
            offsets_ms: series.times.into_iter().map(offset).collect(),
            values: series.values.into_iter().map(Some).collect(),
            min: Some(series.min),
            max: Some(series.max),
            avg: Some(series.avg),
            p95: series.p95,
        }
    }
}

/// The series of a run as columns of at most `max_points` points.
///
/// # Errors
/// Names the argument that breaks a rule.
pub async fn series_of_run(
    ctx: &Context<'_>,
    run_id: Uuid,
    started_at: DateTime<Utc>,
    request: SeriesRequest,
    max_points: i32,
) -> Result<Vec<MetricSeries>, Error> {
    let max_points = u32::try_from(max_points)
        .ok()
        .filter(|_| (1..=MAX_POINTS).contains(&max_points))
        .ok_or_else(|| bad_input(format!("maxPoints must be from 1 to {MAX_POINTS}")))?;
    let args = SeriesRequest { max_points, ..request };
    let series = load(ctx, ListOf { parent: run_id, args }).await?.unwrap_or_default();
    Ok(series.into_iter().map(|series| MetricSeries::new(series, started_at)).collect())
}
