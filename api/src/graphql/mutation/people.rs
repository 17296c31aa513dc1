use async_graphql::{Context, Enum, Error, ID, InputObject, Object, SimpleObject};

use super::{Payload, UserErrors};
use crate::{
    graphql::{
        context::{request, services, viewer},
        errors::settle,
        id::{GlobalId, user_key},
        types::{export::UserDataExportJob, plan::PlanTier, user::User},
    },
    service::{account_removal, administration, exports, passwords, sign_in::SignInThrottle},
};

#[derive(Default)]
pub struct PeopleMutation;

#[Object]
impl PeopleMutation {
    /// Gives the viewer another password and ends all their other sessions.
    async fn password_change(
        &self,
        ctx: &Context<'_>,
        input: PasswordChangeInput,
    ) -> Payload<PasswordChangePayload> {
        let PasswordChangeInput { current_password, new_password } = input;
        let (throttle, address) = (ctx.data_unchecked::<SignInThrottle>(), request(ctx).client_ip);
        let (services, viewer) = (services(ctx), viewer(ctx));
        let changed =
            passwords::change(services, viewer, throttle, address, current_password, new_password).await;
        Some(
            settle(changed).map(|(changed, user_errors)| PasswordChangePayload {
                changed: changed.is_some(),
                user_errors,
            }),
        )
    }

    /// Moves an account to another plan. Admins only.
    async fn user_plan_set(&self, ctx: &Context<'_>, input: UserPlanSetInput) -> Payload<UserPlanSetPayload> {
        let (user_id, tier) = (user_key(&input.user_id), input.tier.into());
        let set = administration::set_plan(services(ctx), viewer(ctx), user_id, tier).await;
        Some(
            settle(set)
                .map(|(user, user_errors)| UserPlanSetPayload { user: user.map(User::from), user_errors }),
        )
    }

    /// Queues an export of everything the viewer owns, as JSON.
    async fn user_data_export(
        &self,
        ctx: &Context<'_>,
        input: UserDataExportInput,
    ) -> Payload<UserDataExportPayload> {
        let job = exports::submit(services(ctx), viewer(ctx), &input.idempotency_key).await;
        Some(settle(job).map(|(job, user_errors)| UserDataExportPayload {
            export: job.map(UserDataExportJob::from),
            user_errors,
        }))
    }

    /// Deletes the viewer's account and everything that names it, at once and for ever. Sending it again changes nothing.
    async fn user_delete(&self, ctx: &Context<'_>, input: UserDeleteInput) -> Payload<UserDeletePayload> {
        Some(delete(ctx, input).await)
    }
}

async fn delete(ctx: &Context<'_>, input: UserDeleteInput) -> Result<UserDeletePayload, Error> {
    let UserDeleteInput { idempotency_key, confirm_handle, public_designs } = input;
    let keep_public = public_designs == PublicDesignFate::KeepWithoutOwner;
    let (services, viewer) = (services(ctx), viewer(ctx));
    let deleted =
        account_removal::remove(services, viewer, &idempotency_key, &confirm_handle, keep_public).await;
    let (deleted, user_errors) = settle(deleted)?;
    let deleted_user_id = deleted.map(|id| GlobalId::User(id).into());
    Ok(UserDeletePayload { deleted_user_id, scheduled_for: None, user_errors })
}

/// The password as it is and as it is to be.
#[derive(InputObject)]
pub struct PasswordChangeInput {
    current_password: String,
    /// 8 to 256 characters.
    new_password: String,
}

/// Whose plan becomes which.
#[derive(InputObject)]
pub struct UserPlanSetInput {
    user_id: ID,
    tier: PlanTier,
}

/// An export to queue.
#[derive(InputObject)]
pub struct UserDataExportInput {
    /// Required: a retry returns the first export.
    idempotency_key: String,
}

/// An account to delete: the viewer's own.
#[derive(InputObject)]
pub struct UserDeleteInput {
    idempotency_key: String,
    /// The viewer's handle, so that nobody does this by mistake.
    confirm_handle: String,
    #[graphql(default_with = "PublicDesignFate::Remove")]
    public_designs: PublicDesignFate,
}

/// What becomes of the PUBLIC designs of a deleted account. Its other designs are removed.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub enum PublicDesignFate {
    Remove,
    KeepWithoutOwner,
}

/// Whether the password was changed.
#[derive(SimpleObject)]
pub struct PasswordChangePayload {
    changed: bool,
    user_errors: UserErrors,
}

/// The user with the plan that was set, or why it was not.
#[derive(SimpleObject)]
pub struct UserPlanSetPayload {
    user: Option<User>,
    user_errors: UserErrors,
}

/// The export, or why there is none.
#[derive(SimpleObject)]
pub struct UserDataExportPayload {
    export: Option<UserDataExportJob>,
    user_errors: UserErrors,
}

/// The account that is gone, or why it is not.
#[derive(SimpleObject)]
pub struct UserDeletePayload {
    deleted_user_id: Option<ID>,
    /// When the account will be gone; null when it is gone already.
    scheduled_for: Option<chrono::DateTime<chrono::Utc>>,
    user_errors: UserErrors,
}
