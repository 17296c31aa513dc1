//! Designs: made from a canvas or a template, changed under an optimistic lock, archived rather than deleted.

use entity::{
    design, design_version,
    status::Visibility,
    store::{
        designs::{self, DesignChange, NewDesign, Updated},
        templates,
    },
};
use serde_json::Value as Json;
use uuid::Uuid;
use worker::pool::Services;

use super::{
    ErrorCode, Fault, ServiceResult, UserError,
    creation::{begin_creation, commit},
    error::Detail,
    idempotency::{Call, recall},
    input::Mistakes,
    plan::Plan,
};
use crate::auth::Viewer;

/// What a new design is made of: exactly one of `canvas` and `template_id`.
#[derive(Clone, Debug, serde::Serialize)]
pub struct CreateDesign {
    pub idempotency_key: Option<String>,
    pub name: String,
    pub description: Option<String>,
    pub canvas: Option<Json>,
    pub template_id: Option<Uuid>,
    pub visibility: Visibility,
}

/// What an update changes; the outer none leaves a value as it is.
#[derive(Clone, Debug, Default)]
pub struct UpdateDesign {
    pub name: Option<String>,
    pub description: Option<Option<String>>,
    pub canvas: Option<Json>,
    pub visibility: Option<Visibility>,
    pub message: Option<String>,
}

/// Makes a design and its version 1.
pub async fn create(
    services: &Services,
    viewer: Option<Viewer>,
    input: CreateDesign,
) -> ServiceResult<design::Model> {
    let viewer = viewer.ok_or(Fault::Unauthenticated)?;
    let mut mistakes = Mistakes::default();
    if let Some(key) = &input.idempotency_key {
        mistakes.idempotency_key(key);
    }
    let name = mistakes.name(&input.name);
    mistakes.description(input.description.as_deref());
    match (&input.canvas, input.template_id) {
        (Some(canvas), None) => check_canvas(&mut mistakes, canvas),
        (None, Some(_)) => {}
        _ => mistakes.add(UserError::invalid(
            &["canvas"],
            "give either canvas or templateId, not both and not neither",
        )),
    }
    mistakes.none()?;

    let call = match &input.idempotency_key {
        Some(key) => Some(Call::new(viewer.user_id, "designCreate", key, &input)?),
        None => None,
    };
    let canvas_state = match (input.canvas.clone(), input.template_id) {
        (Some(canvas), _) => canvas,
        (None, id) => {
            let ids: Vec<Uuid> = id.into_iter().collect();
            let template = templates::find_many(&services.db, &ids).await?.pop();
            template.ok_or_else(|| UserError::not_found(&["templateId"], "template"))?.canvas_state
        }
    };
    let new = NewDesign {
        user_id: viewer.user_id,
        name,
        description: input.description.clone(),
        canvas_state,
        visibility: input.visibility,
    };
    let (txn, user) = begin_creation(services, viewer).await?;
    if let Some(id) = recall(&txn, call.as_ref()).await? {
        let made = designs::find_visible(&txn, &[id], Some(viewer.user_id)).await?.pop();
        return Ok(made.ok_or_else(|| UserError::not_found(&["idempotencyKey"], "design any more"))?);
    }
    if let Some(limit) = Plan::of(user.tier).max_designs {
        let used = designs::count_owned(&txn, viewer.user_id).await?;
        if used >= limit {
            let message = format!("your plan holds {limit} designs; archive one first");
            let quota = Detail::Quota { limit, used };
            return Err(UserError::new(ErrorCode::QuotaExceeded, &[], message).with(quota).into());
        }
    }
    let design = designs::insert(&txn, new).await?;
    if let Some(call) = &call {
        call.remember(&txn, design.id).await?;
    }
    commit(txn).await?;
    metrics::counter!("designs_created_total").increment(1);
    tracing::info!(user_id = %viewer.user_id, design_id = %design.id, action = "design_created", "design created");
    Ok(design)
}

/// Changes a design that is still at `expected_version`. A new canvas appends a version, which is returned too.
pub async fn update(
    services: &Services,
    viewer: Option<Viewer>,
    id: Uuid,
    expected_version: i32,
    input: UpdateDesign,
) -> ServiceResult<(design::Model, Option<design_version::Model>)> {
    let viewer = viewer.ok_or(Fault::Unauthenticated)?;
    let mut mistakes = Mistakes::default();
    let name = input.name.as_deref().map(|name| mistakes.name(name));
    mistakes.description(input.description.as_ref().and_then(|text| text.as_deref()));
    if let Some(canvas) = &input.canvas {
        check_canvas(&mut mistakes, canvas);
    }
    mistakes.check(
        input.message.as_ref().is_none_or(|text| text.chars().count() <= 5_000),
        &["message"],
        || "message must have at most 5000 characters".into(),
    );
    mistakes.none()?;

    let change = DesignChange {
        name,
        description: input.description,
        canvas_state: input.canvas,
        visibility: input.visibility,
        message: input.message,
    };
    let updated = designs::update(&services.db, viewer.user_id, id, expected_version, change).await?;
    settle(services, viewer, id, expected_version, updated).await
}

/// Archives a design, if it is at `expected_version` where one is given. Archiving twice is archiving once.
pub async fn archive(
    services: &Services,
    viewer: Option<Viewer>,
    id: Uuid,
    expected_version: Option<i32>,
) -> ServiceResult<design::Model> {
    let viewer = viewer.ok_or(Fault::Unauthenticated)?;
    let archived = designs::archive(&services.db, viewer.user_id, id, expected_version).await?;
    let (design, _) = settle(services, viewer, id, expected_version.unwrap_or_default(), archived).await?;
    Ok(design)
}

async fn settle(
    services: &Services,
    viewer: Viewer,
    id: Uuid,
    expected: i32,
    updated: Updated,
) -> ServiceResult<(design::Model, Option<design_version::Model>)> {
    match updated {
        Updated::Done(design, version) => {
            tracing::info!(user_id = %viewer.user_id, design_id = %id, action = "design_updated", version = design.version, "design updated");
            Ok((design, version))
        }
        Updated::Conflict(current) => {
            let message = format!(
                "the design is at version {}, not {expected}; merge your change into it and try again",
                current.version
            );
            Err(UserError::new(ErrorCode::Conflict, &["expectedVersion"], message)
                .with(Detail::VersionConflict { expected, current: Box::new(current) })
                .into())
        }
        // A design that may be read but not changed is no secret; any other is.
        Updated::Missing => {
            let readable = designs::find_visible(&services.db, &[id], Some(viewer.user_id)).await?.pop();
            Err(match readable {
                Some(design) if design.user_id == Some(viewer.user_id) => UserError::new(
                    ErrorCode::Forbidden,
                    &["id"],
                    "the design is archived and cannot be changed",
                ),
                Some(_) => {
                    UserError::new(ErrorCode::Forbidden, &["id"], "only its owner can change this design")
                }
                None => UserError::not_found(&["id"], "design"),
            }
            .into())
        }
    }
}

fn check_canvas(mistakes: &mut Mistakes, canvas: &Json) {
    let checked = engine::design::check(canvas);
    if checked.plan.is_some() {
        return;
    }
    let first = checked
        .diagnostics
        .iter()
        .find(|diagnostic| diagnostic.severity == engine::Severity::Error)
        .or(checked.diagnostics.first());
    let (path, message) = first.map_or((Vec::new(), "it cannot be compiled".into()), |diagnostic| {
        (diagnostic.path.clone(), diagnostic.message.clone())
    });
    let mut full = vec!["canvas"];
    full.extend(path.iter().map(String::as_str));
    mistakes.add(
        UserError::invalid(&full, format!("canvas is not valid: {message}"))
            .with(Detail::Canvas(checked.diagnostics)),
    );
}
