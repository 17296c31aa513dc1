//! The time series of runs as columns: at most so many points each, brought together by the database.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{
    ConnectionTrait, DbBackend, FromQueryResult,
    sea_query::{Cond, Expr, ExprTrait, Func, JoinType, Order, Query, SelectStatement},
};
use serde_json::Value as Json;
use uuid::Uuid;

use super::runs::all;
use crate::{
    StoreError,
    run_metric::{Column, Entity},
};

/// Which samples of a run are wanted, and how many points they become.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SeriesRequest {
    /// None means all.
    pub names: Option<Vec<String>>,
    /// None means all.
    pub block_ids: Option<Vec<String>>,
    pub from: Option<DateTime<Utc>>,
    pub to: Option<DateTime<Utc>>,
    /// Points of a series at most: where there are more samples, neighbours share a point.
    pub max_points: u32,
    /// Sorting the samples for it costs as much as the rest.
    pub with_p95: bool,
}

/// How the samples of a point become its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregation {
    /// A point is a sample.
    None,
    Average,
    /// Percentiles of joined samples are not known; the largest is an upper bound.
    Largest,
}

/// One series of a run in columns: `values[i]` begins at `times[i]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    pub name: String,
    pub tags: Option<Json>,
    pub aggregation: Aggregation,
    /// Samples of a point; the last point may have fewer.
    pub samples_per_point: i64,
    pub times: Vec<DateTime<Utc>>,
    pub values: Vec<f64>,
    /// Of all samples: smallest, largest, mean, and the smallest that 95 % of them do not exceed.
    pub min: f64,
    pub max: f64,
    pub avg: f64,
    pub p95: Option<f64>,
}

/// Begins the names of series of percentiles.
const PERCENTILES: &str = "latency_p";

/// The series of these runs, by run, in the order they were stored in.
pub async fn series(
    db: &impl ConnectionTrait,
    run_ids: &[Uuid],
    request: &SeriesRequest,
) -> Result<HashMap<Uuid, Vec<Series>>, StoreError> {
    let mut lists: HashMap<Uuid, Vec<Series>> = HashMap::new();
    if db.get_database_backend() == DbBackend::Postgres {
        let rows: Vec<Columns> = all(db, &columns(run_ids, request)).await?;
        for row in rows {
            lists.entry(row.run_id).or_default().push(row.series(request));
        }
        return Ok(lists);
    }
    let rows: Vec<Point> = all(db, &points(run_ids, request)).await?;
    for points in rows.chunk_by(|one, next| (one.run_id, one.series) == (next.run_id, next.series)) {
        lists.entry(points[0].run_id).or_default().push(Columns::of(points).series(request));
    }
    Ok(lists)
}

/// A row a point.
#[derive(Clone, FromQueryResult)]
struct Point {
    run_id: Uuid,
    series: i32,
    metric_name: String,
    tags: Option<Json>,
    samples: i64,
    time: DateTime<Utc>,
    value: f64,
    low: f64,
    high: f64,
    total: f64,
    p95: Option<f64>,
}

/// A row a series.
#[derive(FromQueryResult)]
struct Columns {
    run_id: Uuid,
    metric_name: String,
    tags: Option<Json>,
    samples: i64,
    times: Vec<DateTime<Utc>>,
    points: Vec<f64>,
    low: f64,
    high: f64,
    total: f64,
    p95: Option<f64>,
}

impl Columns {
    fn of(points: &[Point]) -> Self {
        let first = points[0].clone();
        Self {
            run_id: first.run_id,
            metric_name: first.metric_name,
            tags: first.tags,
            samples: first.samples,
            times: points.iter().map(|point| point.time).collect(),
            points: points.iter().map(|point| point.value).collect(),
            low: points.iter().map(|point| point.low).fold(f64::INFINITY, f64::min),
            high: points.iter().map(|point| point.high).fold(f64::NEG_INFINITY, f64::max),
            total: points.iter().map(|point| point.total).sum(),
            p95: points.iter().find_map(|point| point.p95),
        }
    }

    fn series(self, request: &SeriesRequest) -> Series {
        let samples_per_point =
            (self.samples + i64::from(request.max_points) - 1) / i64::from(request.max_points);
        Series {
            aggregation: match samples_per_point {
                1 => Aggregation::None,
                _ if self.metric_name.starts_with(PERCENTILES) => Aggregation::Largest,
                _ => Aggregation::Average,
            },
            name: self.metric_name,
            tags: self.tags,
            samples_per_point,
            times: self.times,
            values: self.points,
            min: self.low,
            max: self.high,
            avg: self.total / self.samples as f64,
            p95: self.p95,
        }
    }
}

/// The wanted samples of the runs that meet `of_runs`.
fn wanted(backend: DbBackend, of_runs: Expr, request: &SeriesRequest) -> SelectStatement {
    let mut select = Query::select();
    select.from(Entity).and_where(of_runs);
    if let Some(names) = &request.names {
        select.and_where(Expr::col(Column::MetricName).is_in(names));
    }
    if let Some(block_ids) = &request.block_ids {
        let block_id = match backend {
            DbBackend::Postgres => Expr::cust("tags ->> 'block_id'"),
            _ => Expr::cust("json_extract(tags, '$.block_id')"),
        };
        select.and_where(block_id.is_in(block_ids));
    }
    if let Some(from) = request.from {
        select.and_where(Expr::col(Column::Time).gte(from));
    }
    if let Some(to) = request.to {
        select.and_where(Expr::col(Column::Time).lte(to));
    }
    select
}

/// The wanted samples, numbered within their series by time and, if that is asked for, by value.
fn samples(run_ids: &[Uuid], request: &SeriesRequest) -> SelectStatement {
    let of_runs = Expr::col(Column::RunId).is_in(run_ids.iter().copied());
    let mut select = wanted(DbBackend::Sqlite, of_runs, request);
    select
        .columns([
            Column::RunId,
            Column::Series,
            Column::Time,
            Column::MetricName,
            Column::MetricValue,
            Column::Tags,
        ])
        .expr_as(Expr::cust("row_number() OVER (PARTITION BY run_id, series ORDER BY time) - 1"), "place")
        .expr_as(Expr::cust("count(*) OVER (PARTITION BY run_id, series)"), "samples");
    if request.with_p95 {
        let rank = "row_number() OVER (PARTITION BY run_id, series ORDER BY metric_value)";
        select.expr_as(Expr::cust(rank), "value_rank");
    }
    select
}

/// How the samples of one point become its value, in SQL, where `value` names a sample's.
fn value_of_samples(value: &str) -> String {
    format!("CASE WHEN metric_name LIKE '{PERCENTILES}%' THEN max({value}) ELSE avg({value}) END")
}

/// The points of the wanted series on SQLite, in the order of series and time.
fn points(run_ids: &[Uuid], request: &SeriesRequest) -> SelectStatement {
    let most = request.max_points;
    let point = format!("place / ((samples + {most} - 1) / {most})");
    // By nearest rank.
    let p95 = match request.with_p95 {
        true => "max(CASE WHEN value_rank = (samples * 95 + 99) / 100 THEN metric_value END)",
        false => "CAST(NULL AS double precision)",
    };
    Query::select()
        .columns(["run_id", "series", "metric_name", "samples"])
        .expr_as(Expr::cust("min(time)"), "time")
        .expr_as(Expr::cust(value_of_samples("metric_value")), "value")
        .expr_as(Expr::cust("min(metric_value)"), "low")
        .expr_as(Expr::cust("max(metric_value)"), "high")
        .expr_as(Expr::cust("sum(metric_value)"), "total")
        .expr_as(Expr::cust(p95), "p95")
        // The tags of a series are the same in every sample.
        .expr_as(Expr::cust("min(tags)"), "tags")
        .from_subquery(samples(run_ids, request), "sample")
        .group_by_columns(["run_id", "series", "metric_name", "samples"])
        .add_group_by([Expr::cust(point)])
        .order_by("run_id", Order::Asc)
        .order_by("series", Order::Asc)
        .order_by("time", Order::Asc)
        .to_owned()
}

/// The wanted series on PostgreSQL, a row each: one range of the table's key a run, in its order. Samples are brought together into points only where there are more than
/// wanted: most lists are short, and sorting them twice would cost more than all the rest.
fn columns(run_ids: &[Uuid], request: &SeriesRequest) -> SelectStatement {
    let most = request.max_points;
    let p95 = match request.with_p95 {
        // By nearest rank.
        true => "percentile_disc(0.95) WITHIN GROUP (ORDER BY metric_value)",
        false => "CAST(NULL AS double precision)",
    };
    // An aggregate takes the rows of a sorted subquery as they come.
    let of_run = Expr::col(Column::RunId).equals(("run", "run"));
    let samples = wanted(DbBackend::Postgres, of_run, request)
        .columns(["series", "time", "metric_name", "metric_value", "tags"])
        .order_by("series", Order::Asc)
        .order_by("time", Order::Asc)
        .to_owned();
    let whole = Query::select()
        .column("series")
        .expr_as(Expr::cust("count(*)"), "samples")
        // The name and the tags of a series are the same in every sample.
        .expr_as(Expr::cust("(array_agg(metric_name))[1]"), "metric_name")
        .expr_as(Expr::cust("(array_agg(tags))[1]"), "tags")
        .expr_as(Expr::cust("array_agg(time)"), "times")
        .expr_as(Expr::cust("array_agg(metric_value)"), "sampled")
        .expr_as(Expr::cust("min(metric_value)"), "low")
        .expr_as(Expr::cust("max(metric_value)"), "high")
        .expr_as(Expr::cust("sum(metric_value)"), "total")
        .expr_as(Expr::cust(p95), "p95")
        .from_subquery(samples, "sample")
        .group_by_col("series")
        .to_owned();
    let joined = |column: &str, point: &str| {
        format!(
            "CASE WHEN samples <= {most} THEN {column} ELSE (SELECT array_agg(one ORDER BY place) FROM \
             (SELECT (number - 1) / ((samples + {most} - 1) / {most}) AS place, {point} AS one \
             FROM unnest({column}) WITH ORDINALITY AS sample(item, number) GROUP BY 1) AS point) END"
        )
    };
    Query::select()
        .expr_as(Expr::col(("run", "run")), "run_id")
        .columns(["metric_name", "tags", "samples", "low", "high", "total", "p95"])
        .expr_as(Expr::cust(joined("times", "min(item)")), "times")
        .expr_as(Expr::cust(joined("sampled", &value_of_samples("item"))), "points")
        .from_function(Func::cust("unnest").arg(run_ids.to_vec()), "run")
        .join_lateral(JoinType::InnerJoin, whole, "whole", Cond::all().add(Expr::val(true)))
        .order_by("run_id", Order::Asc)
        .order_by("series", Order::Asc)
        .to_owned()
}
