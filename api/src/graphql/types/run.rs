use std::sync::Arc;

use async_graphql::{Context, Enum, Error, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};
use entity::{
    simulation_run, status,
    store::{run_series::SeriesRequest, runs::EventFilter},
};
use futures_util::join;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value as Json;
use uuid::Uuid;

use super::{
    design::Design,
    design_version::DesignVersion,
    event::{RunEvent, event_connection},
    job::SimulationJob,
    metric::{self, MetricSeries},
    user::User,
    workload::Workload,
};
use crate::graphql::{
    errors::internal,
    id::GlobalId,
    loaders::{DesignById, DetailsOfRun, JobById, UserById, VersionById, WorkloadById, load},
    pagination::{PageArgs, Paged},
    scalars::BigInt,
};

/// `SimulationRun` of the schema.
pub struct SimulationRun(simulation_run::Model);

impl From<simulation_run::Model> for SimulationRun {
    fn from(row: simulation_run::Model) -> Self {
        Self(row)
    }
}

impl SimulationRun {
    async fn details(&self, ctx: &Context<'_>) -> Result<Option<Arc<Json>>, Error> {
        load(ctx, DetailsOfRun(self.0.id)).await
    }

    /// One part of the report; none while the run has no report, or the report no such part.
    async fn part<T: DeserializeOwned>(&self, ctx: &Context<'_>, name: &str) -> Option<Result<T, Error>> {
        let details = match self.details(ctx).await {
            Ok(details) => details?,
            Err(error) => return Some(Err(error)),
        };
        Some(T::deserialize(details.get(name)?).map_err(internal))
    }
}

/// One execution of a workload on a version of a design, and its result.
#[Object]
impl SimulationRun {
    /// Opaque and globally unique; never parse it.
    pub async fn id(&self) -> ID {
        GlobalId::SimulationRun(self.0.id).into()
    }

    /// The key shared with other interfaces of this server.
    async fn database_id(&self) -> Uuid {
        self.0.id
    }

    async fn status(&self) -> RunStatus {
        self.0.status.into()
    }

    /// Where it was computed.
    async fn engine(&self) -> RunEngine {
        self.0.engine.into()
    }

    async fn design(&self, ctx: &Context<'_>) -> Option<Result<Design, Error>> {
        let found = load(ctx, DesignById(self.0.design_id)).await.transpose()?;
        Some(found.map(Design::from))
    }

    async fn design_version(&self, ctx: &Context<'_>) -> Option<Result<DesignVersion, Error>> {
        let found = load(ctx, VersionById(self.0.design_version_id)).await.transpose()?;
        Some(found.map(DesignVersion::from))
    }

    async fn workload(&self, ctx: &Context<'_>) -> Option<Result<Workload, Error>> {
        let found = load(ctx, WorkloadById(self.0.workload_id)).await.transpose()?;
        Some(found.map(Workload::from))
    }

    /// Null once the owner's account is gone.
    async fn owner(&self, ctx: &Context<'_>) -> Option<Result<User, Error>> {
        let found = load(ctx, UserById(self.0.user_id?)).await.transpose()?;
        Some(found.map(User::from))
    }

    /// The figures of the measured interval; null until the run is completed.
    async fn summary(&self) -> Option<Result<RunSummary, Error>> {
        Some(RunSummary::deserialize(self.0.summary.as_ref()?).map_err(internal))
    }

    /// The job that computed it; only for who submitted that job.
    async fn job(&self, ctx: &Context<'_>) -> Option<Result<SimulationJob, Error>> {
        let found = load(ctx, JobById(self.0.job_id?)).await.transpose()?;
        Some(found.map(SimulationJob::from))
    }

    /// Summary per operation type or transaction.
    async fn operations(&self, ctx: &Context<'_>) -> Option<Result<Vec<OperationResult>, Error>> {
        self.part(ctx, "operations").await
    }

    /// What to know before trusting a figure.
    async fn warnings(&self, ctx: &Context<'_>) -> Result<Vec<RunWarning>, Error> {
        // Side by side, so that each is loaded together with what other fields ask for.
        let (workload, stored) =
            join!(load(ctx, WorkloadById(self.0.workload_id)), self.part::<Vec<RunWarning>>(ctx, "warnings"));
        let mut warnings = stored.transpose()?.unwrap_or_default();
        let workload = workload?;
        let changed_at = workload.and_then(|workload| workload.content_changed_at);
        if changed_at.is_some_and(|changed_at| changed_at > self.0.created_at) {
            warnings.push(RunWarning {
                code: "WORKLOAD_CHANGED".into(),
                message: "the workload was changed after this run; the figures are of what it asked then"
                    .into(),
                block_id: None,
            });
        }
        Ok(warnings)
    }

    /// The report as it is stored, without summary, series and events.
    async fn metrics_raw(&self, ctx: &Context<'_>) -> Option<Result<Json, Error>> {
        let details = self.details(ctx).await.transpose()?;
        Some(details.map(Arc::unwrap_or_clone))
    }

    /// Everything the engine reported, one entry a block.
    async fn blocks(&self, ctx: &Context<'_>) -> Option<Result<Vec<BlockResult>, Error>> {
        self.part(ctx, "blocks").await
    }

    /// Where the latency of the median and the tail went, by cause; parts sum to the whole.
    async fn latency_breakdown(&self, ctx: &Context<'_>) -> Option<Result<Vec<LatencyShare>, Error>> {
        self.part(ctx, "latency_breakdown").await
    }

    /// Same design, workload, seed and engine version give the same hash, bit for bit.
    async fn result_hash(&self) -> Option<&str> {
        self.0.result_hash.as_deref()
    }

    async fn seed(&self) -> Option<BigInt> {
        self.0.seed.map(BigInt)
    }

    async fn engine_version(&self) -> Option<&str> {
        self.0.engine_version.as_deref()
    }

    /// One entry per (name, tags); server buckets down to maxPoints.
    async fn metrics(
        &self,
        ctx: &Context<'_>,
        names: Option<Vec<String>>,
        block_ids: Option<Vec<String>>,
        from: Option<DateTime<Utc>>,
        to: Option<DateTime<Utc>>,
        #[graphql(default_with = "Some(metric::DEFAULT_POINTS)")] max_points: Option<i32>,
    ) -> Option<Result<Vec<MetricSeries>, Error>> {
        let with_p95 = ctx.look_ahead().field("p95").exists();
        let request = SeriesRequest { names, block_ids, from, to, max_points: 0, with_p95 };
        let max_points = max_points.unwrap_or(metric::DEFAULT_POINTS);
        Some(metric::series_of_run(ctx, self.0.id, self.0.started_at, request, max_points).await)
    }

    /// What happened, step by step, as far as it was traced.
    #[expect(clippy::too_many_arguments, reason = "a connection has four arguments of its own")]
    async fn events(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        types: Option<Vec<String>>,
        block_ids: Option<Vec<String>>,
        after_sequence: Option<i32>,
    ) -> Option<Result<Paged<RunEvent>, Error>> {
        let filter = EventFilter { types, block_ids, after_sequence };
        let args = PageArgs { first, after, last, before };
        Some(event_connection(ctx, self.0.id, self.0.started_at, filter, args).await)
    }

    async fn started_at(&self) -> DateTime<Utc> {
        self.0.started_at
    }

    async fn completed_at(&self) -> Option<DateTime<Utc>> {
        self.0.completed_at
    }

    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }
}

/// Life of a run.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "status::RunStatus")]
pub enum RunStatus {
    Running,
    Completed,
    Failed,
}

/// Where a run was computed: in a user's browser or by a worker.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "status::RunEngine")]
pub enum RunEngine {
    Client,
    Server,
}

/// The figures of a run over its measured interval.
#[derive(SimpleObject, Deserialize)]
#[serde(default)]
#[derive(Default)]
pub struct RunSummary {
    throughput_qps: Option<f64>,
    latency_mean_ms: Option<f64>,
    latency_p50_ms: Option<f64>,
    latency_p95_ms: Option<f64>,
    latency_p99_ms: Option<f64>,
    latency_max_ms: Option<f64>,
    total_io_pages: Option<BigInt>,
    pages_read: Option<BigInt>,
    pages_written: Option<BigInt>,
    cache_hit_ratio: Option<f64>,
    /// Bytes read from devices over bytes of rows the operations read.
    read_amplification: Option<f64>,
    /// Bytes written to devices, log included, over bytes of rows the operations wrote.
    write_amplification: Option<f64>,
    /// Bytes of all pages at the end over bytes of live rows.
    space_amplification: Option<f64>,
    operations: Option<BigInt>,
    transactions_committed: Option<BigInt>,
    transactions_aborted: Option<BigInt>,
    deadlocks: Option<BigInt>,
    /// Length of the measured interval, in virtual time.
    simulated_seconds: Option<f64>,
}

/// The figures of one operation type or transaction.
#[derive(SimpleObject, Deserialize)]
pub struct OperationResult {
    name: String,
    operations: BigInt,
    throughput_qps: f64,
    latency_mean_ms: f64,
    latency_p50_ms: f64,
    latency_p95_ms: f64,
    latency_p99_ms: f64,
}

/// Something to know before trusting a figure.
#[derive(SimpleObject, Deserialize)]
pub struct RunWarning {
    code: String,
    message: String,
    block_id: Option<String>,
}

/// utilization is of the block's own server time (0..1); null where the block has none.
#[derive(SimpleObject, Deserialize)]
pub struct BlockResult {
    block_id: String,
    #[serde(rename = "kind")]
    r#type: String,
    utilization: Option<f64>,
    counters: Json,
    gauges: Json,
    histograms: Json,
}

/// Mean causes of the operations in a band around the percentile (p99: p98.5 to p99.5); shares of one percentile sum to 1.
#[derive(SimpleObject, Deserialize)]
pub struct LatencyShare {
    percentile: LatencyPercentile,
    cause: String,
    block_id: Option<String>,
    milliseconds: f64,
    share: f64,
}

/// Which latency a share belongs to.
#[derive(Enum, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LatencyPercentile {
    P50,
    P95,
    P99,
    Mean,
}
