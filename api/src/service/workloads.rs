//! Workloads: what clients ask of a design.

use entity::{
    store::workloads::{self, NewWorkload, WorkloadChange, WorkloadContent},
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
    workload_variables,
};
use crate::auth::Viewer;

/// What a new workload is made of: a template with variables, or the engine's document `{operations, tables, config}`.
#[derive(Clone, Debug, serde::Serialize)]
pub struct CreateWorkload {
    pub idempotency_key: Option<String>,
    pub name: String,
    pub description: Option<String>,
    pub template_id: Option<Uuid>,
    pub variables: Option<Json>,
    pub document: Option<Json>,
}

/// What an update changes; none leaves a value as it is.
#[derive(Clone, Debug, Default)]
pub struct UpdateWorkload {
    pub name: Option<String>,
    pub description: Option<Option<String>>,
    /// The parts of the engine's document.
    pub operations: Option<Json>,
    pub tables: Option<Json>,
    pub config: Option<Json>,
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
    mistakes.check(input.variables.is_none() || input.template_id.is_some(), &["variables"], || {
        "variables fill a template; give templateId with them".into()
    });
    mistakes.none()?;

    let call = match &input.idempotency_key {
        Some(key) => Some(Call::new(viewer.user_id, "workloadCreate", key, &input)?),
        None => None,
    };
    let parsed = match (&input.document, input.template_id) {
        (Some(document), _) => parse(document)?,
        (None, id) => {
            let ids: Vec<Uuid> = id.into_iter().collect();
            let found = workloads::find_visible(&services.db, &ids, Some(viewer.user_id)).await?.pop();
            let template = found.filter(|workload| workload.is_template);
            let template =
                template.ok_or_else(|| UserError::not_found(&["templateId"], "workload template"))?;
            filled(&template, input.variables.as_ref())?
        }
    };
    let new = NewWorkload {
        user_id: viewer.user_id,
        name,
        description: input.description.clone(),
        content: content(&parsed)?,
        variables: input.variables.clone(),
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

/// Changes a workload of the viewer. What a queued or running job is to run does not change under it.
pub async fn update(
    services: &Services,
    viewer: Option<Viewer>,
    id: Uuid,
    input: UpdateWorkload,
) -> ServiceResult<workload::Model> {
    let viewer = viewer.ok_or(Fault::Unauthenticated)?;
    let mut mistakes = Mistakes::default();
    let name = input.name.as_deref().map(|name| mistakes.name(name));
    mistakes.description(input.description.as_ref().and_then(Option::as_deref));

    let (txn, _) = begin_creation(services, viewer).await?;
    let current = own(&txn, viewer, id).await?;
    if current.deleted_at.is_some() {
        let message = "the workload is archived and cannot be changed";
        return Err(UserError::new(ErrorCode::Forbidden, &["id"], message).into());
    }
    let mut document = document_of(&current);
    for (part, value) in
        [("operations", &input.operations), ("tables", &input.tables), ("config", &input.config)]
    {
        if let Some(value) = value {
            document[part] = value.clone();
        }
    }
    check_document(&mut mistakes, &document);
    mistakes.none()?;
    let new = content(&parse(&document)?)?;
    let changes = new != WorkloadContent::of(&current);
    if changes && workloads::has_unfinished_jobs(&txn, id).await? {
        let message = "a job with this workload is queued or running; wait for its end, or cancel it";
        return Err(UserError::new(ErrorCode::Conflict, &["id"], message).into());
    }
    let change = WorkloadChange { name, description: input.description, content: changes.then_some(new) };
    let workload = workloads::update(&txn, current, change).await?;
    commit(txn).await?;
    Ok(workload)
}

/// Hides a workload of the viewer from lists; no new job takes it. Archiving an archived one changes nothing.
pub async fn archive(
    services: &Services,
    viewer: Option<Viewer>,
    id: Uuid,
) -> ServiceResult<workload::Model> {
    let viewer = viewer.ok_or(Fault::Unauthenticated)?;
    let (txn, _) = begin_creation(services, viewer).await?;
    let current = own(&txn, viewer, id).await?;
    if current.deleted_at.is_some() {
        return Ok(current);
    }
    let workload = workloads::archive(&txn, current).await?;
    commit(txn).await?;
    Ok(workload)
}

/// The viewer's own workload, locked.
async fn own(txn: &entity::store::Transaction, viewer: Viewer, id: Uuid) -> ServiceResult<workload::Model> {
    if let Some(workload) = workloads::find_for_update(txn, id, viewer.user_id).await? {
        return Ok(workload);
    }
    // A workload that may be read is no secret; any other is.
    let readable = workloads::find_visible(txn, &[id], Some(viewer.user_id)).await?.pop();
    Err(match readable {
        Some(_) => UserError::new(ErrorCode::Forbidden, &["id"], "only its owner can change this workload"),
        None => UserError::not_found(&["id"], "workload"),
    }
    .into())
}

/// The engine's document of a stored workload.
pub fn document_of(workload: &workload::Model) -> Json {
    serde_json::json!({
        "operations": workload.operations,
        "tables": workload.tables,
        "config": workload.config,
    })
}

/// The template's workload with its variables filled in.
fn filled(template: &workload::Model, variables: Option<&Json>) -> ServiceResult<engine::Workload> {
    let workload = parse(&document_of(template))?;
    let Some(variables) = variables else { return Ok(workload) };
    let mut mistakes = Mistakes::default();
    let built_in = template.slug.as_deref().and_then(engine::templates::workload);
    let workload = workload_variables::fill(&mut mistakes, built_in, workload, variables);
    for diagnostic in workload.check() {
        // The template is sound, so only what a variable set can break a rule.
        let field = diagnostic.path.last().map(String::as_str).unwrap_or_default();
        mistakes.add(UserError::invalid(&["variables", field], diagnostic.message));
    }
    mistakes.none()?;
    Ok(workload)
}

/// A document that was checked or stored.
fn parse(document: &Json) -> ServiceResult<engine::Workload> {
    engine::workload::parse(document).map_err(|found| {
        let reasons: Vec<String> = found.into_iter().map(|diagnostic| diagnostic.message).collect();
        Fault::Internal(format!("a workload that was checked cannot be read: {reasons:?}")).into()
    })
}

/// Written back by the engine, so that what is stored has every default in its place.
fn content(workload: &engine::Workload) -> ServiceResult<WorkloadContent> {
    Ok(WorkloadContent {
        operations: serde_json::to_value(&workload.operations)?,
        tables: serde_json::to_value(&workload.tables)?,
        config: serde_json::to_value(&workload.config)?,
    })
}

fn check_document(mistakes: &mut Mistakes, document: &Json) {
    mistakes.document(&["operations"], document);
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
