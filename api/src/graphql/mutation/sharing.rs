use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::{Payload, UserErrors, key};
use crate::{
    graphql::{
        context::{services, viewer},
        errors::settle,
        id::design_key,
        types::{collaborator::CollaboratorRole, design::Design},
    },
    service::{ServiceResult, sharing},
};

#[derive(Default)]
pub struct SharingMutation;

#[Object]
impl SharingMutation {
    /// Shares a design with a user, or ends that. Its owner does so; a collaborator may leave.
    async fn design_collaborator_set(
        &self,
        ctx: &Context<'_>,
        input: DesignCollaboratorSetInput,
    ) -> Payload<DesignCollaboratorSetPayload> {
        Some(settle(set(ctx, input).await).map(|(design, user_errors)| DesignCollaboratorSetPayload {
            design: design.flatten().map(Design::from),
            user_errors,
        }))
    }

    /// Gives a design another share link. The one before opens nothing any more; who has read an UNLISTED design by it
    /// knows the design's id, which only PRIVATE shuts.
    async fn share_link_rotate(
        &self,
        ctx: &Context<'_>,
        input: ShareLinkRotateInput,
    ) -> Payload<ShareLinkRotatePayload> {
        Some(settle(rotate(ctx, input).await).map(|(design, user_errors)| ShareLinkRotatePayload {
            design: design.map(Design::from),
            user_errors,
        }))
    }
}

async fn set(
    ctx: &Context<'_>,
    input: DesignCollaboratorSetInput,
) -> ServiceResult<Option<entity::design::Model>> {
    let id = key(&input.design_id, design_key, "designId", "design")?;
    let role = input.role.map(Into::into);
    sharing::set_collaborator(services(ctx), viewer(ctx), id, &input.handle, role).await
}

async fn rotate(ctx: &Context<'_>, input: ShareLinkRotateInput) -> ServiceResult<entity::design::Model> {
    let id = key(&input.design_id, design_key, "designId", "design")?;
    sharing::rotate_link(services(ctx), viewer(ctx), id).await
}

/// role null removes the collaborator.
#[derive(InputObject)]
pub struct DesignCollaboratorSetInput {
    design_id: ID,
    /// Of the user to share with.
    handle: String,
    role: Option<CollaboratorRole>,
}

/// A design whose share link is known to the wrong people.
#[derive(InputObject)]
pub struct ShareLinkRotateInput {
    design_id: ID,
}

/// The design as it is shared now, or why that is unchanged. Null for a collaborator who left and may not open it any more.
#[derive(SimpleObject)]
pub struct DesignCollaboratorSetPayload {
    design: Option<Design>,
    user_errors: UserErrors,
}

/// The design with its new link, or why it has none.
#[derive(SimpleObject)]
pub struct ShareLinkRotatePayload {
    design: Option<Design>,
    user_errors: UserErrors,
}
