use async_graphql::{Context, Enum, Error, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use entity::{
    store::{
        page::{Cursor, CursorKey},
        run_lists::RunParent,
        workloads::{self, WorkloadScope},
    },
    workload,
};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{
    run::SimulationRun,
    run_list::{SimulationRunFilter, SimulationRunOrder, run_connection},
    user::User,
};
use crate::{
    graphql::{
        context::services,
        errors::internal,
        id::GlobalId,
        loaders::{UserById, load},
        pagination::{KeyKind, MAX_PAGE, PageArgs, Paged, connection},
        scalars::BigInt,
    },
    service::{ServiceResult, UserError, workloads::document_of},
};

/// `Workload` of the schema.
pub struct Workload(workload::Model);

impl From<workload::Model> for Workload {
    fn from(row: workload::Model) -> Self {
        Self(row)
    }
}

impl Workload {
    fn parsed(&self) -> Result<engine::Workload, Error> {
        engine::workload::parse(&document_of(&self.0)).map_err(|found| {
            let reasons: Vec<String> = found.into_iter().map(|diagnostic| diagnostic.message).collect();
            internal(crate::service::Fault::Internal(format!(
                "a stored workload cannot be read: {reasons:?}"
            )))
        })
    }
}

/// What clients ask of a design: tables, operations and how they arrive.
#[Object]
impl Workload {
    /// Opaque and globally unique; never parse it.
    pub async fn id(&self) -> ID {
        GlobalId::Workload(self.0.id).into()
    }

    /// The key shared with other interfaces of this server.
    async fn database_id(&self) -> Uuid {
        self.0.id
    }

    async fn name(&self) -> &str {
        &self.0.name
    }

    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// Whether it is built in, for everyone to use.
    async fn is_template(&self) -> bool {
        self.0.is_template
    }

    /// Null for templates, and once the owner's account is gone.
    async fn owner(&self, ctx: &Context<'_>) -> Option<Result<User, Error>> {
        let owner = load(ctx, UserById(self.0.user_id?)).await;
        owner.map(|found| found.map(User::from)).transpose()
    }

    async fn operations(&self) -> Result<Vec<WorkloadOperation>, Error> {
        Ok(self.parsed()?.operations.into_iter().map(WorkloadOperation::from).collect())
    }

    async fn config(&self) -> Result<WorkloadConfig, Error> {
        Ok(self.parsed()?.config.into())
    }

    /// Filled from variables when the workload came from a template ("read_percent"); null once its content was changed.
    async fn variables(&self) -> Option<&Json> {
        self.0.variables.as_ref()
    }

    /// The tables before the first operation.
    async fn tables(&self) -> Result<Vec<WorkloadTable>, Error> {
        Ok(self.parsed()?.effective_tables().into_iter().map(WorkloadTable::from).collect())
    }

    /// Simulations of it that the viewer may see, newest first unless ordered. Only on the viewer's own workloads; null on others.
    #[expect(clippy::too_many_arguments, reason = "a connection has four arguments of its own")]
    async fn runs(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        filter: Option<SimulationRunFilter>,
        order_by: Option<SimulationRunOrder>,
    ) -> Option<Result<Paged<SimulationRun>, Error>> {
        let viewer = crate::graphql::context::viewer(ctx)?;
        if self.0.user_id != Some(viewer.user_id) {
            return None;
        }
        let args = PageArgs { first, after, last, before };
        Some(run_connection(ctx, RunParent::Workload, self.0.id, args, filter, order_by).await)
    }

    pub async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    pub async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }

    /// Set while it is archived.
    async fn archived_at(&self) -> Option<DateTime<Utc>> {
        self.0.deleted_at
    }
}

/// weights are relative; operations that name the same transaction run in order as one. parameters may state access (point,
/// range, scan), table, key generator and scan length.
#[derive(SimpleObject)]
pub struct WorkloadOperation {
    r#type: OperationType,
    template: String,
    weight: f64,
    transaction: Option<String>,
    parameters: Option<Json>,
}

impl From<engine::workload::Operation> for WorkloadOperation {
    fn from(operation: engine::workload::Operation) -> Self {
        Self {
            r#type: operation.kind.into(),
            template: operation.template,
            weight: operation.weight,
            transaction: operation.transaction,
            parameters: operation.parameters,
        }
    }
}

/// A table as it is before the first operation.
#[derive(SimpleObject)]
pub struct WorkloadTable {
    name: String,
    record_count: BigInt,
    record_bytes: i32,
    key_bytes: i32,
}

impl From<engine::workload::Table> for WorkloadTable {
    fn from(table: engine::workload::Table) -> Self {
        Self {
            name: table.name,
            record_count: BigInt::of(table.record_count),
            record_bytes: int(table.record_bytes),
            key_bytes: int(table.key_bytes),
        }
    }
}

fn int(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// What an operation does.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "engine::workload::OperationType")]
pub enum OperationType {
    Insert,
    Select,
    Update,
    Delete,
}

/// How many operations arrive, and how.
#[derive(SimpleObject)]
pub struct WorkloadConfig {
    total_operations: BigInt,
    concurrency: i32,
    distribution: KeyDistribution,
    zipfian_theta: Option<f64>,
    hotspot_data_fraction: Option<f64>,
    hotspot_operation_fraction: Option<f64>,
    key_min: Option<BigInt>,
    key_max: Option<BigInt>,
    /// Records of the table "main" before the first operation; keys are 0..recordCount-1 unless keyMin/keyMax spread them.
    record_count: BigInt,
    record_bytes: i32,
    /// Operations grouped into one transaction (1 = autocommit).
    operations_per_transaction: i32,
    think_time_ms: f64,
    /// Open loop when set: operations arrive at this rate (Poisson) whatever the response times; closed loop when null.
    arrival_rate_per_second: Option<f64>,
}

impl From<engine::workload::Config> for WorkloadConfig {
    fn from(config: engine::workload::Config) -> Self {
        Self {
            total_operations: BigInt::of(config.total_operations),
            concurrency: int(config.concurrency),
            distribution: config.distribution.into(),
            zipfian_theta: config.zipfian_theta,
            hotspot_data_fraction: config.hotspot_data_fraction,
            hotspot_operation_fraction: config.hotspot_operation_fraction,
            key_min: config.key_range.as_ref().map(|range| BigInt(range.min)),
            key_max: config.key_range.as_ref().map(|range| BigInt(range.max)),
            record_count: BigInt::of(config.record_count),
            record_bytes: int(config.record_bytes),
            operations_per_transaction: int(config.operations_per_transaction),
            think_time_ms: config.think_time_ms,
            arrival_rate_per_second: config.arrival_rate_per_second,
        }
    }
}

/// ZIPFIAN draws from the exact Zipf law; ZIPFIAN_YCSB and SCRAMBLED_ZIPFIAN_YCSB reproduce YCSB's own generators, which
/// differ from it.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "engine::workload::Distribution")]
pub enum KeyDistribution {
    Uniform,
    Zipfian,
    ZipfianYcsb,
    ScrambledZipfianYcsb,
    Latest,
    Hotspot,
    Sequential,
}

/// An operation of a new workload.
#[derive(InputObject)]
pub struct WorkloadOperationInput {
    r#type: OperationType,
    template: String,
    weight: f64,
    transaction: Option<String>,
    parameters: Option<Json>,
}

/// A table of a new workload.
#[derive(InputObject)]
pub struct WorkloadTableInput {
    name: String,
    record_count: BigInt,
    record_bytes: i32,
    #[graphql(default = 8)]
    key_bytes: i32,
}

/// How many operations of a new workload arrive, and how.
#[derive(InputObject)]
pub struct WorkloadConfigInput {
    total_operations: BigInt,
    #[graphql(default = 1)]
    concurrency: i32,
    #[graphql(default_with = "KeyDistribution::Uniform")]
    distribution: KeyDistribution,
    zipfian_theta: Option<f64>,
    hotspot_data_fraction: Option<f64>,
    hotspot_operation_fraction: Option<f64>,
    key_min: Option<BigInt>,
    key_max: Option<BigInt>,
    record_count: Option<BigInt>,
    record_bytes: Option<i32>,
    #[graphql(default = 1)]
    operations_per_transaction: i32,
    #[graphql(default = 0.0)]
    think_time_ms: f64,
    arrival_rate_per_second: Option<f64>,
}

/// The engine's document of the three parts of an input. The engine checks it; here it only changes its words.
///
/// # Errors
/// What the document has no words for.
pub fn document(
    operations: Vec<WorkloadOperationInput>,
    tables: Vec<WorkloadTableInput>,
    config: WorkloadConfigInput,
) -> ServiceResult<Json> {
    Ok(json!({
        "operations": operations_document(operations),
        "tables": tables_document(tables),
        "config": config_document(&config)?,
    }))
}

/// The engine's form of operations.
pub fn operations_document(operations: Vec<WorkloadOperationInput>) -> Json {
    operations
        .into_iter()
        .map(|operation| {
            json!({
                "type": engine::workload::OperationType::from(operation.r#type),
                "template": operation.template,
                "weight": operation.weight,
                "transaction": operation.transaction,
                "parameters": operation.parameters,
            })
        })
        .collect()
}

/// The engine's form of tables.
pub fn tables_document(tables: Vec<WorkloadTableInput>) -> Json {
    tables
        .into_iter()
        .map(|table| {
            json!({
                "name": table.name,
                "record_count": table.record_count.0,
                "record_bytes": table.record_bytes,
                "key_bytes": table.key_bytes,
            })
        })
        .collect()
}

/// The engine's form of a config.
///
/// # Errors
/// What it has no words for.
pub fn config_document(config: &WorkloadConfigInput) -> ServiceResult<Json> {
    let mut document = json!({
        "total_operations": config.total_operations.0,
        "concurrency": config.concurrency,
        "distribution": engine::workload::Distribution::from(config.distribution),
        "operations_per_transaction": config.operations_per_transaction,
        "think_time_ms": config.think_time_ms,
    });
    // What was not said is left out, so that the engine's default holds.
    let mut set = |name: &str, value: Option<Json>| {
        if let Some(value) = value {
            document[name] = value;
        }
    };
    set("zipfian_theta", config.zipfian_theta.map(Json::from));
    set("hotspot_data_fraction", config.hotspot_data_fraction.map(Json::from));
    set("hotspot_operation_fraction", config.hotspot_operation_fraction.map(Json::from));
    set("record_count", config.record_count.map(|count| count.0.into()));
    set("record_bytes", config.record_bytes.map(Json::from));
    set("arrival_rate_per_second", config.arrival_rate_per_second.map(Json::from));
    match (config.key_min, config.key_max) {
        (Some(min), Some(max)) => set("key_range", Some(json!({ "min": min.0, "max": max.0 }))),
        (None, None) => {}
        _ => {
            let message = "keyMin and keyMax go together";
            return Err(UserError::invalid(&["config", "keyMin"], message).into());
        }
    }
    Ok(document)
}

/// A page of a list of workloads.
///
/// # Errors
/// Names the argument that breaks a rule.
pub async fn workload_connection(
    ctx: &Context<'_>,
    scope: WorkloadScope,
    args: PageArgs,
) -> Result<Paged<Workload>, Error> {
    let request = args.request(KeyKind::Time, MAX_PAGE)?;
    let page = workloads::list(&services(ctx).db, scope, &request).await.map_err(internal)?;
    let cursor = |row: &workload::Model| Cursor { key: CursorKey::Time(row.created_at), id: row.id };
    Ok(connection(page, cursor, Workload::from, move |ctx| {
        let db = services(ctx).db.clone();
        async move { workloads::count(&db, scope).await.map_err(internal) }
    }))
}
