//! Designs: made from a canvas, a template or another design, changed under an optimistic lock, archived rather than deleted.

use entity::{
    design, design_branch, design_version,
    status::Visibility,
    store::{
        Transaction,
        design_access::Access,
        design_lists::count_owned,
        designs::{self, Changed, DesignChange, NewDesign, NewHead},
        templates, users, versions,
    },
    user,
};
use serde_json::Value as Json;
use uuid::Uuid;
use worker::{bus::Notice, pool::Services};

use super::{
    ErrorCode, Fault, ServiceError, ServiceResult, UserError,
    creation::{begin_creation, commit},
    error::Detail,
    idempotency::{Call, recall},
    input::Mistakes,
    jobs::announce,
    permissions::{lock_even_archived, lock_for},
    plan::Plan,
};
use crate::auth::{Viewer, new_share_link};

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

/// A copy of a design to make.
#[derive(Clone, Debug, serde::Serialize)]
pub struct ForkDesign {
    pub idempotency_key: Option<String>,
    pub id: Uuid,
    /// None is the head of its default branch.
    pub version: Option<i32>,
    /// None is its own name.
    pub name: Option<String>,
}

/// What an update changes; the outer none leaves a value as it is.
#[derive(Clone, Debug, Default)]
pub struct UpdateDesign {
    pub name: Option<String>,
    pub description: Option<Option<String>>,
    pub canvas: Option<Json>,
    pub visibility: Option<Visibility>,
    pub message: Option<String>,
    /// The branch whose head the canvas becomes; none is the default one, under the design's own version.
    pub branch: Option<String>,
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
        (Some(canvas), None) => check_canvas(&mut mistakes, "canvas", canvas),
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
        share_link: new_share_link(),
        forked_from_id: None,
    };
    let (txn, user) = begin_creation(services, viewer).await?;
    add(txn, viewer, &user, call, new).await
}

/// Makes a private copy of a design that the viewer may read, of its newest canvas or an earlier one.
pub async fn fork(
    services: &Services,
    viewer: Option<Viewer>,
    input: ForkDesign,
) -> ServiceResult<design::Model> {
    let viewer = viewer.ok_or(Fault::Unauthenticated)?;
    let mut mistakes = Mistakes::default();
    if let Some(key) = &input.idempotency_key {
        mistakes.idempotency_key(key);
    }
    let name = input.name.as_deref().map(|name| mistakes.name(name));
    mistakes.none()?;
    let call = match &input.idempotency_key {
        Some(key) => Some(Call::new(viewer.user_id, "designFork", key, &input)?),
        None => None,
    };
    let (txn, user) = begin_creation(services, viewer).await?;
    let source = designs::find_visible(&txn, &[input.id], Some(viewer.user_id)).await?.pop();
    let source = source.ok_or_else(|| UserError::not_found(&["id"], "design"))?;
    let version = versions::find_version(&txn, source.id, input.version).await?;
    let version = version.ok_or_else(|| UserError::not_found(&["version"], "version of this design"))?;
    let new = NewDesign {
        user_id: viewer.user_id,
        name: name.unwrap_or(source.name),
        description: source.description,
        canvas_state: version.canvas_state,
        visibility: Visibility::Private,
        share_link: new_share_link(),
        forked_from_id: Some(source.id),
    };
    add(txn, viewer, &user, call, new).await
}

/// Adds a design within the plan of its owner, once for each key.
async fn add(
    txn: Transaction,
    viewer: Viewer,
    user: &user::Model,
    call: Option<Call<'_>>,
    new: NewDesign,
) -> ServiceResult<design::Model> {
    if let Some(id) = recall(&txn, call.as_ref()).await? {
        let made = designs::find_visible(&txn, &[id], Some(viewer.user_id)).await?.pop();
        return Ok(made.ok_or_else(|| UserError::not_found(&["idempotencyKey"], "design any more"))?);
    }
    room_for_one_more(&txn, user).await?;
    let design = designs::insert(&txn, new).await?;
    if let Some(call) = &call {
        call.remember(&txn, design.id).await?;
    }
    commit(txn).await?;
    metrics::counter!("designs_created_total").increment(1);
    tracing::info!(user_id = %viewer.user_id, design_id = %design.id, action = "design_created", "design created");
    Ok(design)
}

/// The plan of this user, whose row is locked, holds another design.
async fn room_for_one_more(txn: &Transaction, user: &user::Model) -> ServiceResult<()> {
    let Some(limit) = Plan::of(user.tier).max_designs else { return Ok(()) };
    let used = count_owned(txn, user.id).await?;
    if used < limit {
        return Ok(());
    }
    let message = format!("the plan holds {limit} designs; archive one first");
    let quota = Detail::Quota { limit, used };
    Err(UserError::new(ErrorCode::QuotaExceeded, &[], message).with(quota).into())
}

/// Changes a design that is still at `expected_version`; where a branch is named, that is the number of its head. A canvas
/// appends a version, which is returned too.
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
        check_canvas(&mut mistakes, "canvas", canvas);
    }
    mistakes.text("message", input.message.as_deref());
    mistakes.none()?;

    let txn = entity::store::begin(&services.db).await?;
    let (design, access) = lock_for(&txn, viewer, id, "id", Access::Edit).await?;
    if input.visibility.is_some_and(|wanted| wanted != design.visibility) && access < Access::Own {
        let message = "only the owner of the design can change who may open it";
        return Err(UserError::new(ErrorCode::Forbidden, &["visibility"], message).into());
    }
    let branch = match &input.branch {
        Some(name) => Some(branch_of(&txn, &design, name, "branch").await?),
        None => None,
    };
    let actual = branch.as_ref().map_or(design.version, |branch| branch.head_number);
    if actual != expected_version {
        return Err(stale("expectedVersion", expected_version, actual, design));
    }
    let head = match input.canvas {
        Some(canvas_state) => {
            let branch = match branch {
                Some(branch) => branch,
                None => default_branch(&txn, &design).await?,
            };
            Some(NewHead { branch, canvas_state, message: input.message, merged_number: None })
        }
        None => None,
    };
    let change = DesignChange {
        name,
        description: input.description,
        visibility: input.visibility,
        head,
        archived: None,
    };
    let changed = designs::change(&txn, design, viewer.user_id, change).await?;
    finish(services, txn, viewer, changed).await
}

/// Makes the canvas of an earlier version the head of the default branch again, as a new version.
pub async fn restore(
    services: &Services,
    viewer: Option<Viewer>,
    id: Uuid,
    number: i32,
    expected_version: i32,
) -> ServiceResult<(design::Model, Option<design_version::Model>)> {
    let viewer = viewer.ok_or(Fault::Unauthenticated)?;
    let txn = entity::store::begin(&services.db).await?;
    let (design, _) = lock_for(&txn, viewer, id, "designId", Access::Edit).await?;
    if design.version != expected_version {
        return Err(stale("expectedVersion", expected_version, design.version, design));
    }
    let version = versions::find_version(&txn, design.id, Some(number)).await?;
    let version = version.ok_or_else(|| UserError::not_found(&["number"], "version of this design"))?;
    let head = NewHead {
        branch: default_branch(&txn, &design).await?,
        canvas_state: version.canvas_state,
        message: Some(format!("Restore version {number}")),
        merged_number: None,
    };
    let change = DesignChange { head: Some(head), ..Default::default() };
    let changed = designs::change(&txn, design, viewer.user_id, change).await?;
    finish(services, txn, viewer, changed).await
}

/// Archives a design, if it is at `expected_version` where one is given. Archiving twice is archiving once.
pub async fn archive(
    services: &Services,
    viewer: Option<Viewer>,
    id: Uuid,
    expected_version: Option<i32>,
) -> ServiceResult<design::Model> {
    let viewer = viewer.ok_or(Fault::Unauthenticated)?;
    let txn = entity::store::begin(&services.db).await?;
    let (design, _) = lock_even_archived(&txn, viewer, id, "id", Access::Own).await?;
    if let Some(expected) = expected_version.filter(|expected| *expected != design.version) {
        return Err(stale("expectedVersion", expected, design.version, design));
    }
    if design.deleted_at.is_some() {
        return Ok(design);
    }
    let change = DesignChange { archived: Some(true), ..Default::default() };
    let changed = designs::change(&txn, design, viewer.user_id, change).await?;
    Ok(finish(services, txn, viewer, changed).await?.0)
}

/// Takes a design back from the archive, if the plan of its owner has room. One that is not archived stays as it is.
pub async fn unarchive(
    services: &Services,
    viewer: Option<Viewer>,
    id: Uuid,
) -> ServiceResult<design::Model> {
    let viewer = viewer.ok_or(Fault::Unauthenticated)?;
    let found = designs::find_visible(&services.db, &[id], Some(viewer.user_id)).await?.pop();
    let owner = found.ok_or_else(|| UserError::not_found(&["id"], "design"))?.user_id;
    let txn = entity::store::begin(&services.db).await?;
    // Users before designs, as everywhere: who locks both in two orders may wait for themselves.
    let owner = match owner {
        Some(owner) => users::find_for_update(&txn, owner).await?,
        None => None,
    };
    let (design, _) = lock_even_archived(&txn, viewer, id, "id", Access::Own).await?;
    if design.deleted_at.is_none() {
        return Ok(design);
    }
    if let Some(owner) = &owner {
        room_for_one_more(&txn, owner).await?;
    }
    let change = DesignChange { archived: Some(false), ..Default::default() };
    let changed = designs::change(&txn, design, viewer.user_id, change).await?;
    Ok(finish(services, txn, viewer, changed).await?.0)
}

/// Makes an update last and tells those who watch the design.
async fn finish(
    services: &Services,
    txn: Transaction,
    viewer: Viewer,
    changed: Changed,
) -> ServiceResult<(design::Model, Option<design_version::Model>)> {
    commit(txn).await?;
    let Changed { design, head } = changed;
    announce_change(services, design.id).await;
    tracing::info!(user_id = %viewer.user_id, design_id = %design.id, action = "design_updated", version = design.version, "design updated");
    Ok((design, head.map(|(_, version)| version)))
}

/// Tells those who watch a design that it, or who may read it, has changed.
pub(super) async fn announce_change(services: &Services, design_id: Uuid) {
    announce(services, &Notice::DesignChanged { design_id }).await;
}

/// The design, or the branch, has moved on since the client read it.
pub(super) fn stale(field: &str, expected: i32, actual: i32, current: design::Model) -> ServiceError {
    let message =
        format!("it is at version {actual}, not {expected}; merge your change into it and try again");
    UserError::new(ErrorCode::Conflict, &[field], message)
        .with(Detail::VersionConflict { expected, actual, current: Box::new(current) })
        .into()
}

/// The branch of a design that an input names.
pub(super) async fn branch_of(
    txn: &Transaction,
    design: &design::Model,
    name: &str,
    field: &str,
) -> ServiceResult<design_branch::Model> {
    let found = versions::find_branch(txn, design.id, name).await?;
    Ok(found.ok_or_else(|| UserError::not_found(&[field], "branch of this design"))?)
}

async fn default_branch(txn: &Transaction, design: &design::Model) -> ServiceResult<design_branch::Model> {
    let found = versions::find_branches(txn, &[design.id]).await?.pop();
    Ok(found.ok_or_else(|| Fault::Internal("a design has no default branch".into()))?)
}

/// Checks a canvas that is named by `field` of the input.
pub(super) fn check_canvas(mistakes: &mut Mistakes, field: &str, canvas: &Json) {
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
    let mut full = vec![field];
    full.extend(path.iter().map(String::as_str));
    mistakes.add(
        UserError::invalid(&full, format!("canvas is not valid: {message}"))
            .with(Detail::Canvas(checked.diagnostics)),
    );
}
