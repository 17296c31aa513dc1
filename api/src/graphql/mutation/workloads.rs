use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, SimpleObject};
use serde_json::Value as Json;

use super::{Payload, UserErrors, key, required};
use crate::{
    graphql::{
        context::{services, viewer},
        errors::settle,
        id::workload_key,
        types::workload::{
            Workload, WorkloadConfigInput, WorkloadOperationInput, WorkloadTableInput, config_document,
            document, operations_document, tables_document,
        },
    },
    service::{
        ServiceResult, UserError,
        workloads::{self, CreateWorkload, UpdateWorkload},
    },
};

#[derive(Default)]
pub struct WorkloadMutation;

#[Object]
impl WorkloadMutation {
    /// Makes a workload from operations and config, or from a template.
    async fn workload_create(
        &self,
        ctx: &Context<'_>,
        input: WorkloadCreateInput,
    ) -> Payload<WorkloadCreatePayload> {
        Some(settle(create(ctx, input).await).map(|(workload, user_errors)| WorkloadCreatePayload {
            workload: workload.map(Workload::from),
            user_errors,
        }))
    }

    /// Changes a workload that no queued or running job is to run. Runs of before are marked with a warning.
    async fn workload_update(
        &self,
        ctx: &Context<'_>,
        input: WorkloadUpdateInput,
    ) -> Payload<WorkloadUpdatePayload> {
        Some(settle(update(ctx, input).await).map(|(workload, user_errors)| WorkloadUpdatePayload {
            workload: workload.map(Workload::from),
            user_errors,
        }))
    }

    /// Hides a workload from lists; no new job takes it. Its runs stay.
    async fn workload_archive(
        &self,
        ctx: &Context<'_>,
        input: WorkloadArchiveInput,
    ) -> Payload<WorkloadArchivePayload> {
        Some(settle(archive(ctx, input).await).map(|(workload, user_errors)| WorkloadArchivePayload {
            workload: workload.map(Workload::from),
            user_errors,
        }))
    }
}

async fn update(ctx: &Context<'_>, input: WorkloadUpdateInput) -> ServiceResult<entity::workload::Model> {
    let id = key(&input.id, workload_key, "id", "workload")?;
    let change = UpdateWorkload {
        name: required("name", input.name)?,
        description: match input.description {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(text) => Some(Some(text)),
        },
        operations: required("operations", input.operations)?.map(operations_document),
        tables: required("tables", input.tables)?.map(tables_document),
        config: required("config", input.config)?.as_ref().map(config_document).transpose()?,
    };
    workloads::update(services(ctx), viewer(ctx), id, change).await
}

async fn archive(ctx: &Context<'_>, input: WorkloadArchiveInput) -> ServiceResult<entity::workload::Model> {
    let id = key(&input.id, workload_key, "id", "workload")?;
    workloads::archive(services(ctx), viewer(ctx), id).await
}

async fn create(ctx: &Context<'_>, input: WorkloadCreateInput) -> ServiceResult<entity::workload::Model> {
    let template_id = match &input.template_id {
        Some(id) => Some(key(id, workload_key, "templateId", "workload template")?),
        None => None,
    };
    let document = match (input.operations, input.tables, input.config) {
        (Some(operations), tables, Some(config)) => {
            Some(document(operations, tables.unwrap_or_default(), config)?)
        }
        (None, None, None) => None,
        _ => {
            let message = "operations and config go together, and tables only with them";
            return Err(UserError::invalid(&["operations"], message).into());
        }
    };
    let workload = CreateWorkload {
        idempotency_key: input.idempotency_key,
        name: input.name,
        description: input.description,
        template_id,
        variables: input.variables,
        document,
    };
    workloads::create(services(ctx), viewer(ctx), workload).await
}

/// A new workload: from operations + config, or from templateId.
#[derive(InputObject)]
pub struct WorkloadCreateInput {
    /// The same key with the same input is the same workload, within 24 hours.
    idempotency_key: Option<String>,
    name: String,
    description: Option<String>,
    template_id: Option<ID>,
    /// Of the template: read_percent, total_operations, record_count, concurrency; and its own, such as warehouses of TPC-C.
    variables: Option<Json>,
    operations: Option<Vec<WorkloadOperationInput>>,
    /// Omitted: one table "main" of config's recordCount and recordBytes.
    tables: Option<Vec<WorkloadTableInput>>,
    config: Option<WorkloadConfigInput>,
}

/// The new workload, or why there is none.
#[derive(SimpleObject)]
pub struct WorkloadCreatePayload {
    workload: Option<Workload>,
    user_errors: UserErrors,
}

/// Omitted = unchanged; explicit null clears a nullable field. operations, tables and config are replaced whole.
#[derive(InputObject)]
pub struct WorkloadUpdateInput {
    id: ID,
    name: MaybeUndefined<String>,
    description: MaybeUndefined<String>,
    operations: MaybeUndefined<Vec<WorkloadOperationInput>>,
    tables: MaybeUndefined<Vec<WorkloadTableInput>>,
    config: MaybeUndefined<WorkloadConfigInput>,
}

/// A workload to archive.
#[derive(InputObject)]
pub struct WorkloadArchiveInput {
    id: ID,
}

/// The workload as it is now, or why it is unchanged.
#[derive(SimpleObject)]
pub struct WorkloadUpdatePayload {
    workload: Option<Workload>,
    user_errors: UserErrors,
}

/// The archived workload, or why it is not archived.
#[derive(SimpleObject)]
pub struct WorkloadArchivePayload {
    workload: Option<Workload>,
    user_errors: UserErrors,
}
