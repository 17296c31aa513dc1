use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::{Payload, UserErrors};
use crate::{
    auth::Tokens,
    graphql::{
        context::{RequestContext, request, services, viewer},
        errors::settle,
        id::session_key,
        types::session::Session,
    },
    service::{
        ServiceResult, UserError,
        accounts::{self, SignedIn},
        sign_in::SignInThrottle,
    },
};

#[derive(Default)]
pub struct AccountMutation;

#[Object]
impl AccountMutation {
    /// Makes an account and signs it in.
    async fn user_register(&self, ctx: &Context<'_>, input: UserRegisterInput) -> Payload<SessionPayload> {
        let UserRegisterInput { handle, email, password } = input;
        let RequestContext { user_agent, client_ip, .. } = request(ctx).clone();
        let throttle = ctx.data_unchecked::<SignInThrottle>();
        let (services, tokens) = (services(ctx), tokens(ctx));
        let made =
            accounts::register(services, tokens, throttle, client_ip, &handle, &email, password, user_agent);
        Some(payload(made.await))
    }

    /// Signs in.
    async fn session_create(&self, ctx: &Context<'_>, input: SessionCreateInput) -> Payload<SessionPayload> {
        let SessionCreateInput { email, password } = input;
        let RequestContext { user_agent, client_ip, .. } = request(ctx).clone();
        let throttle = ctx.data_unchecked::<SignInThrottle>();
        let signed_in =
            accounts::sign_in(services(ctx), tokens(ctx), throttle, client_ip, &email, password, user_agent);
        Some(payload(signed_in.await))
    }

    /// Exchanges a refresh token for new tokens. Each refresh token is good once; one that comes back ends its session.
    async fn session_refresh(
        &self,
        ctx: &Context<'_>,
        input: SessionRefreshInput,
    ) -> Payload<SessionPayload> {
        Some(payload(accounts::refresh(services(ctx), tokens(ctx), &input.refresh_token).await))
    }

    /// Ends a session. Access tokens of it run out by themselves, within 15 minutes.
    async fn session_revoke(
        &self,
        ctx: &Context<'_>,
        input: SessionRevokeInput,
    ) -> Payload<SessionRevokePayload> {
        let settled = settle(revoke(ctx, input).await);
        Some(settled.map(|(revoked, user_errors)| SessionRevokePayload {
            revoked: revoked.unwrap_or_default(),
            user_errors,
        }))
    }
}

async fn revoke(ctx: &Context<'_>, input: SessionRevokeInput) -> ServiceResult<bool> {
    match (input.refresh_token, input.session_id) {
        (Some(token), None) => accounts::revoke_by_token(services(ctx), &token).await,
        (None, Some(id)) => match session_key(&id) {
            Some(id) => accounts::revoke_by_id(services(ctx), viewer(ctx), id).await,
            None => Ok(false),
        },
        _ => Err(UserError::invalid(&[], "give either refreshToken or sessionId").into()),
    }
}

fn tokens<'a>(ctx: &Context<'a>) -> &'a Tokens {
    ctx.data_unchecked()
}

fn payload(result: ServiceResult<SignedIn>) -> Result<SessionPayload, async_graphql::Error> {
    let (signed_in, user_errors) = settle(result)?;
    Ok(SessionPayload { session: signed_in.map(Session::from), user_errors })
}

/// A new account.
#[derive(InputObject)]
pub struct UserRegisterInput {
    /// The public name: letters, digits and single hyphens.
    handle: String,
    email: String,
    /// 8 to 256 characters.
    password: String,
}

/// A sign-in.
#[derive(InputObject)]
pub struct SessionCreateInput {
    email: String,
    password: String,
}

/// A refresh.
#[derive(InputObject)]
pub struct SessionRefreshInput {
    refresh_token: String,
}

/// Either the refresh token, or the id of one of the viewer's sessions.
#[derive(InputObject)]
pub struct SessionRevokeInput {
    refresh_token: Option<String>,
    session_id: Option<ID>,
}

/// A session, or why there is none.
#[derive(SimpleObject)]
pub struct SessionPayload {
    session: Option<Session>,
    user_errors: UserErrors,
}

/// Whether a session was ended.
#[derive(SimpleObject)]
pub struct SessionRevokePayload {
    revoked: bool,
    user_errors: UserErrors,
}
