//! Workloads: what clients ask of a design.

use entity::{
    store::workloads::{self, NewWorkload},
    workload,
};
use serde_json::Value as Json;
use uuid::Uuid;
use worker::pool::Services;

use super::{
    ErrorCode, Fault, ServiceResult, UserError,
    creation::{begin_creation, commit},
    idempotency::{Call, recall},
    input::Mistakes,
};
use crate::auth::Viewer;

/// What a new workload is made of: a template, or the engine's document `{operations, tables, config}`.
#[derive(Clone, Debug, serde::Serialize)]
pub struct CreateWorkload {
    pub idempotency_key: Option<String>,
    pub name: String,
    pub description: Option<String>,
    pub template_id: Option<Uuid>,
    pub document: Option<Json>,
}

/// Makes a workload.
pub async fn create(
    services: &Services,
    viewer: Option<Viewer>,
    input: CreateWorkload,
) -> ServiceResult<workload::Model> {
    let viewer = viewer.ok_or(Fault::Unauthenticated)?;
    let mut mistakes = Mistakes::default();
    if let Some(key) = &input.idempotency_key {
        mistakes.idempotency_key(key);
    }
    let name = mistakes.name(&input.name);
    mistakes.description(input.description.as_deref());
    match (&input.document, input.template_id) {
        (Some(document), None) => check_document(&mut mistakes, document),
        (None, Some(_)) => {}
        _ => mistakes.add(UserError::invalid(
            &["operations"],
            "give either operations and config, or templateId, not both and not neither",
        )),
    }
    mistakes.none()?;

    let call = match &input.idempotency_key {
        Some(key) => Some(Call::new(viewer.user_id, "workloadCreate", key, &input)?),
        None => None,
    };
    let document = match (input.document.clone(), input.template_id) {
        (Some(document), _) => document,
        (None, id) => {
            let ids: Vec<Uuid> = id.into_iter().collect();
            let found = workloads::find_visible(&services.db, &ids, Some(viewer.user_id)).await?.pop();
            let template = found.filter(|workload| workload.is_template);
            document_of(&template.ok_or_else(|| UserError::not_found(&["templateId"], "workload template"))?)
        }
    };
    // Written back by the engine, so that what is stored has every default in its place.
    let parsed = engine::workload::parse(&document).map_err(|_| {
        UserError::new(ErrorCode::Invalid, &["templateId"], "the template can no longer be read")
    })?;
    let new = NewWorkload {
        user_id: viewer.user_id,
        name,
        description: input.description.clone(),
        operations: serde_json::to_value(&parsed.operations)?,
        tables: serde_json::to_value(&parsed.tables)?,
        config: serde_json::to_value(&parsed.config)?,
    };
    let (txn, _) = begin_creation(services, viewer).await?;
    if let Some(id) = recall(&txn, call.as_ref()).await? {
        let made = workloads::find_visible(&txn, &[id], Some(viewer.user_id)).await?.pop();
        return Ok(made.ok_or_else(|| UserError::not_found(&["idempotencyKey"], "workload any more"))?);
    }
    let workload = workloads::insert(&txn, new).await?;
    if let Some(call) = &call {
        call.remember(&txn, workload.id).await?;
    }
    commit(txn).await?;
    Ok(workload)
}

/// The engine's document of a stored workload.
pub fn document_of(workload: &workload::Model) -> Json {
    serde_json::json!({
        "operations": workload.operations,
        "tables": workload.tables,
        "config": workload.config,
    })
}

fn check_document(mistakes: &mut Mistakes, document: &Json) {
    let diagnostics = match engine::workload::parse(document) {
        Ok(workload) => workload.check(),
        Err(diagnostics) => diagnostics,
    };
    for diagnostic in diagnostics.into_iter().filter(|found| found.severity == engine::Severity::Error) {
        let path: Vec<String> = diagnostic.path.iter().map(|part| camel_case(part)).collect();
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        // The engine calls a field by its stored name.
        let message = match (diagnostic.path.last(), path.last()) {
            (Some(stored), Some(name)) => diagnostic.message.replace(stored.as_str(), name),
            _ => diagnostic.message,
        };
        mistakes.add(UserError::invalid(&path, message));
    }
}

/// The name that a field of the document has in the API.
fn camel_case(snake_case: &str) -> String {
    let mut words = snake_case.split('_');
    let mut name = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(letters.as_str());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_in_the_names_of_the_api() {
        assert_eq!(camel_case("record_count"), "recordCount");
        assert_eq!(camel_case("config"), "config");
        assert_eq!(camel_case("0"), "0");
    }
}
