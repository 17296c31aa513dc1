use async_graphql::{Enum, SimpleObject};
use chrono::{DateTime, Utc};
use entity::run_metric;
use serde_json::{Value as Json, json};

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
    offsets_ms: Vec<f64>,
    values: Vec<Option<f64>>,
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
}

/// Makes columns of samples that come in the order of series and time, at most `max_points` a series: where there are more,
/// neighbours share a bucket, which holds their mean.
pub fn series_of(
    samples: Vec<run_metric::Model>,
    run_started_at: DateTime<Utc>,
    max_points: usize,
) -> Vec<MetricSeries> {
    samples
        .chunk_by(|one, next| one.series == next.series)
        .map(|samples| column(samples, run_started_at, max_points))
        .collect()
}

fn column(samples: &[run_metric::Model], start_time: DateTime<Utc>, max_points: usize) -> MetricSeries {
    let size = samples.len().div_ceil(max_points).max(1);
    let mut column = MetricSeries {
        name: String::new(),
        unit: None,
        tags: json!({}),
        aggregation: if size == 1 { MetricAggregation::None } else { MetricAggregation::Avg },
        bucket_ms: 0,
        start_time,
        offsets_ms: Vec::with_capacity(samples.len().div_ceil(size)),
        values: Vec::with_capacity(samples.len().div_ceil(size)),
        min: None,
        max: None,
        avg: mean(samples.iter().map(|sample| sample.metric_value)),
        p95: None,
    };
    for bucket in samples.chunks(size) {
        let offset = bucket[0].time - start_time;
        column.offsets_ms.push(offset.num_microseconds().unwrap_or(i64::MAX) as f64 / 1_000.0);
        column.values.push(mean(bucket.iter().map(|sample| sample.metric_value)));
    }
    let mut sorted: Vec<f64> = samples.iter().map(|sample| sample.metric_value).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    column.min = sorted.first().copied();
    column.max = sorted.last().copied();
    // Nearest rank.
    column.p95 = sorted.get((sorted.len() * 95).div_ceil(100).saturating_sub(1)).copied();

    if let Some(first) = samples.first() {
        column.name.clone_from(&first.metric_name);
        describe(&mut column, first.tags.as_ref(), size);
    }
    column
}

/// Unit and interval are stored among the tags; to clients they are columns of their own.
fn describe(column: &mut MetricSeries, tags: Option<&Json>, size: usize) {
    let Some(Json::Object(mut tags)) = tags.cloned() else { return };
    column.unit = tags.remove("unit").and_then(|unit| unit.as_str().map(str::to_owned));
    let interval_ms = tags.remove("interval_ms").and_then(|value| value.as_f64()).unwrap_or_default();
    // A float that passes an integer's bound becomes that bound.
    column.bucket_ms = (interval_ms * size as f64).round() as i32;
    column.tags = Json::Object(tags);
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> Option<f64> {
    let count = values.len();
    (count > 0).then(|| values.sum::<f64>() / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::Duration;
    use uuid::Uuid;

    fn samples(series: i32, values: &[f64]) -> Vec<run_metric::Model> {
        let tags = json!({"unit": "1/s", "interval_ms": 100.0, "block_id": "b1"});
        values
            .iter()
            .enumerate()
            .map(|(i, &metric_value)| run_metric::Model {
                run_id: Uuid::nil(),
                series,
                time: DateTime::UNIX_EPOCH + Duration::milliseconds(100 * i as i64),
                metric_name: format!("series_{series}"),
                metric_value,
                tags: Some(tags.clone()),
            })
            .collect()
    }

    #[test]
    fn samples_stay_as_they_are_while_they_fit() {
        let mut rows = samples(0, &[1.0, 2.0, 3.0]);
        rows.extend(samples(1, &[4.0]));
        let columns = series_of(rows, DateTime::UNIX_EPOCH, 3);
        assert_eq!(columns.len(), 2);
        assert_eq!(columns[0].name, "series_0");
        assert_eq!(columns[0].aggregation, MetricAggregation::None);
        assert_eq!(columns[0].offsets_ms, [0.0, 100.0, 200.0]);
        assert_eq!(columns[0].values, [Some(1.0), Some(2.0), Some(3.0)]);
        assert_eq!((columns[0].unit.as_deref(), columns[0].bucket_ms), (Some("1/s"), 100));
        assert_eq!(columns[0].tags, json!({"block_id": "b1"}));
        assert_eq!(columns[1].values, [Some(4.0)]);
    }

    #[test]
    fn too_many_samples_share_buckets_and_keep_their_extremes() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        let column = series_of(samples(0, &values), DateTime::UNIX_EPOCH, 30).remove(0);
        assert_eq!((column.values.len(), column.bucket_ms), (25, 400));
        assert_eq!(column.aggregation, MetricAggregation::Avg);
        assert_eq!((column.offsets_ms[1], column.values[1]), (400.0, Some(6.5)));
        assert_eq!(
            (column.min, column.max, column.avg, column.p95),
            (Some(1.0), Some(100.0), Some(50.5), Some(95.0))
        );
    }
}
