use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, SimpleObject};
use serde_json::Value as Json;

use super::{Payload, UserErrors, key, required};
use crate::{
    graphql::{
        context::{services, viewer},
        errors::settle,
        id::{design_key, template_key},
        types::{
            design::{Design, Visibility},
            design_version::DesignVersion,
        },
    },
    service::{
        ServiceResult,
        designs::{self, CreateDesign, ForkDesign, UpdateDesign},
    },
};

#[derive(Default)]
pub struct DesignMutation;

#[Object]
impl DesignMutation {
    /// Makes a design from a canvas or from a template, and its version 1.
    async fn design_create(
        &self,
        ctx: &Context<'_>,
        input: DesignCreateInput,
    ) -> Payload<DesignCreatePayload> {
        Some(settle(create(ctx, input).await).map(|(design, user_errors)| DesignCreatePayload {
            design: design.map(Design::from),
            user_errors,
        }))
    }

    /// Changes a design that is still at expectedVersion. A new canvas makes a new version.
    async fn design_update(
        &self,
        ctx: &Context<'_>,
        input: DesignUpdateInput,
    ) -> Payload<DesignUpdatePayload> {
        Some(settle(update(ctx, input).await).map(|(updated, user_errors)| {
            let (design, version) = updated.unzip();
            DesignUpdatePayload {
                design: design.map(Design::from),
                version: version.flatten().map(DesignVersion::from),
                user_errors,
            }
        }))
    }

    /// Hides a design from lists and from everyone but its owner. Its runs stay.
    async fn design_archive(
        &self,
        ctx: &Context<'_>,
        input: DesignArchiveInput,
    ) -> Payload<DesignArchivePayload> {
        Some(settle(archive(ctx, input).await).map(|(design, user_errors)| DesignArchivePayload {
            design: design.map(Design::from),
            user_errors,
        }))
    }

    /// Takes a design back from the archive, if the plan has room for it.
    async fn design_unarchive(
        &self,
        ctx: &Context<'_>,
        input: DesignUnarchiveInput,
    ) -> Payload<DesignUnarchivePayload> {
        Some(settle(unarchive(ctx, input).await).map(|(design, user_errors)| DesignUnarchivePayload {
            design: design.map(Design::from),
            user_errors,
        }))
    }

    /// Makes a PRIVATE copy, with a history of its own, of a design that the viewer may open.
    async fn design_fork(&self, ctx: &Context<'_>, input: DesignForkInput) -> Payload<DesignForkPayload> {
        Some(
            settle(fork(ctx, input).await).map(|(design, user_errors)| DesignForkPayload {
                design: design.map(Design::from),
                user_errors,
            }),
        )
    }

    /// Makes the canvas of an earlier version the newest one of the default branch again.
    async fn design_version_restore(
        &self,
        ctx: &Context<'_>,
        input: DesignVersionRestoreInput,
    ) -> Payload<DesignVersionRestorePayload> {
        Some(settle(restore(ctx, input).await).map(|(restored, user_errors)| {
            let (design, version) = restored.unzip();
            DesignVersionRestorePayload {
                design: design.map(Design::from),
                version: version.flatten().map(DesignVersion::from),
                user_errors,
            }
        }))
    }
}

async fn fork(ctx: &Context<'_>, input: DesignForkInput) -> ServiceResult<entity::design::Model> {
    let id = key(&input.id, design_key, "id", "design")?;
    let DesignForkInput { idempotency_key, id: _, version, name } = input;
    designs::fork(services(ctx), viewer(ctx), ForkDesign { idempotency_key, id, version, name }).await
}

async fn unarchive(ctx: &Context<'_>, input: DesignUnarchiveInput) -> ServiceResult<entity::design::Model> {
    let id = key(&input.id, design_key, "id", "design")?;
    designs::unarchive(services(ctx), viewer(ctx), id).await
}

async fn restore(
    ctx: &Context<'_>,
    input: DesignVersionRestoreInput,
) -> ServiceResult<(entity::design::Model, Option<entity::design_version::Model>)> {
    let id = key(&input.design_id, design_key, "designId", "design")?;
    designs::restore(services(ctx), viewer(ctx), id, input.number, input.expected_version).await
}

async fn create(ctx: &Context<'_>, input: DesignCreateInput) -> ServiceResult<entity::design::Model> {
    let template_id = match &input.template_id {
        Some(id) => Some(key(id, template_key, "templateId", "template")?),
        None => None,
    };
    let design = CreateDesign {
        idempotency_key: input.idempotency_key,
        name: input.name,
        description: input.description,
        canvas: input.canvas,
        template_id,
        visibility: input.visibility.unwrap_or(Visibility::Private).into(),
    };
    designs::create(services(ctx), viewer(ctx), design).await
}

async fn update(
    ctx: &Context<'_>,
    input: DesignUpdateInput,
) -> ServiceResult<(entity::design::Model, Option<entity::design_version::Model>)> {
    let id = key(&input.id, design_key, "id", "design")?;
    let change = UpdateDesign {
        name: required("name", input.name)?,
        description: match input.description {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(text) => Some(Some(text)),
        },
        canvas: required("canvas", input.canvas)?,
        visibility: required("visibility", input.visibility)?.map(Into::into),
        message: input.message,
        branch: input.branch,
    };
    designs::update(services(ctx), viewer(ctx), id, input.expected_version, change).await
}

async fn archive(ctx: &Context<'_>, input: DesignArchiveInput) -> ServiceResult<entity::design::Model> {
    let id = key(&input.id, design_key, "id", "design")?;
    designs::archive(services(ctx), viewer(ctx), id, input.expected_version).await
}

/// A new design: give either canvas or templateId.
#[derive(InputObject)]
pub struct DesignCreateInput {
    /// The same key with the same input is the same design, within 24 hours.
    idempotency_key: Option<String>,
    name: String,
    description: Option<String>,
    canvas: Option<Json>,
    template_id: Option<ID>,
    #[graphql(default_with = "Some(Visibility::Private)")]
    visibility: Option<Visibility>,
}

/// Omitted = unchanged; explicit null clears a nullable field.
#[derive(InputObject)]
pub struct DesignUpdateInput {
    id: ID,
    /// The design's version as the client last read it; with a branch, the number of that branch's head.
    expected_version: i32,
    name: MaybeUndefined<String>,
    description: MaybeUndefined<String>,
    canvas: MaybeUndefined<Json>,
    visibility: MaybeUndefined<Visibility>,
    /// Told with the version that a new canvas makes.
    message: Option<String>,
    /// Name of the branch whose head the canvas becomes; the default one when omitted.
    branch: Option<String>,
}

/// A design to take back from the archive.
#[derive(InputObject)]
pub struct DesignUnarchiveInput {
    id: ID,
}

/// A design to copy.
#[derive(InputObject)]
pub struct DesignForkInput {
    /// The same key with the same input is the same copy, within 24 hours.
    idempotency_key: Option<String>,
    id: ID,
    /// Number of the version to copy; the head of the default branch when omitted.
    version: Option<i32>,
    /// The name of the copy; the design's own when omitted.
    name: Option<String>,
}

/// A version to go back to.
#[derive(InputObject)]
pub struct DesignVersionRestoreInput {
    design_id: ID,
    /// Number of the version whose canvas is wanted.
    number: i32,
    /// The design's version as the client last read it.
    expected_version: i32,
}

/// A design to archive.
#[derive(InputObject)]
pub struct DesignArchiveInput {
    id: ID,
    expected_version: Option<i32>,
}

/// The new design, or why there is none.
#[derive(SimpleObject)]
pub struct DesignCreatePayload {
    design: Option<Design>,
    user_errors: UserErrors,
}

/// The design as it is now, or why it is unchanged.
#[derive(SimpleObject)]
pub struct DesignUpdatePayload {
    design: Option<Design>,
    /// The version that a new canvas made.
    version: Option<DesignVersion>,
    user_errors: UserErrors,
}

/// The design, or why it stays archived.
#[derive(SimpleObject)]
pub struct DesignUnarchivePayload {
    design: Option<Design>,
    user_errors: UserErrors,
}

/// The copy, or why there is none.
#[derive(SimpleObject)]
pub struct DesignForkPayload {
    design: Option<Design>,
    user_errors: UserErrors,
}

/// The design as it is now, or why it is unchanged.
#[derive(SimpleObject)]
pub struct DesignVersionRestorePayload {
    design: Option<Design>,
    /// The version that was made.
    version: Option<DesignVersion>,
    user_errors: UserErrors,
}

/// The archived design, or why it is not archived.
#[derive(SimpleObject)]
pub struct DesignArchivePayload {
    design: Option<Design>,
    user_errors: UserErrors,
}
