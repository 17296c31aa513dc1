use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::{Payload, UserErrors, key};
use crate::{
    graphql::{
        context::{services, viewer},
        errors::settle,
        id::workload_key,
        types::workload::{
            Workload, WorkloadConfigInput, WorkloadOperationInput, WorkloadTableInput, document,
        },
    },
    service::{
        ServiceResult, UserError,
        workloads::{self, CreateWorkload},
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
