//! Accounts and sessions.

use std::net::IpAddr;

use chrono::{DateTime, Duration, Utc};
use entity::{
    StoreError, session,
    status::Tier,
    store::users::{self, NewUser},
    user,
};
use uuid::Uuid;
use worker::pool::Services;

use super::{ErrorCode, Fault, ServiceResult, UserError, input::Mistakes, sign_in::SignInThrottle};
use crate::auth::{AccessToken, RefreshToken, Tokens, Viewer, hash_password, verify_password};

/// How long a session lives without being refreshed.
const SESSION_LIFE: Duration = Duration::days(30);
const PASSWORD_CHARACTERS: std::ops::RangeInclusive<usize> = 8..=256;

/// A signed-in session, with the only copy of its tokens.
pub struct SignedIn {
    pub user: user::Model,
    pub access: AccessToken,
    pub refresh_token: String,
}

/// Makes an account on the FREE tier and signs it in.
#[expect(clippy::too_many_arguments, reason = "who asks and what for")]
pub async fn register(
    services: &Services,
    tokens: &Tokens,
    throttle: &SignInThrottle,
    address: Option<IpAddr>,
    handle: &str,
    email: &str,
    password: String,
    user_agent: Option<String>,
) -> ServiceResult<SignedIn> {
    throttle.attempt(email, address)?;
    let user = create(services, handle, email, password, Tier::Free).await?;
    open_session(services, tokens, user, user_agent).await
}

/// Makes an account.
pub async fn create(
    services: &Services,
    handle: &str,
    email: &str,
    password: String,
    tier: Tier,
) -> ServiceResult<user::Model> {
    let (handle, email) = (handle.trim(), email.trim());
    let mut mistakes = Mistakes::default();
    mistakes.check(is_handle(handle), &["handle"], || {
        "handle must have 2 to 39 characters: letters, digits and single hyphens between them".into()
    });
    mistakes.check(is_email(email), &["email"], || "email must be an address such as ada@example.org".into());
    check_password(&mut mistakes, "password", &password);
    mistakes.none()?;

    let new = NewUser {
        handle: handle.to_owned(),
        email: email.to_owned(),
        password_hash: hash_password(password).await?,
        tier,
    };
    match users::insert(&services.db, new).await {
        Ok(user) => Ok(user),
        Err(StoreError::Taken(_)) => Err(taken(services, handle).await?.into()),
        Err(error) => Err(error.into()),
    }
}

/// A password: 8 to 256 characters.
pub(super) fn check_password(mistakes: &mut Mistakes, field: &str, password: &str) {
    mistakes.check(PASSWORD_CHARACTERS.contains(&password.chars().count()), &[field], || {
        format!(
            "{field} must have {} to {} characters",
            PASSWORD_CHARACTERS.start(),
            PASSWORD_CHARACTERS.end()
        )
    });
}

/// Which of the two unique fields was taken.
async fn taken(services: &Services, handle: &str) -> ServiceResult<UserError> {
    let field = match users::find_by_handle(&services.db, handle).await? {
        Some(_) => "handle",
        None => "email",
    };
    Ok(UserError::new(ErrorCode::Taken, &[field], format!("{field} is taken")))
}

/// The demonstration's account. Nobody can register this address: it has no domain.
pub const DEMO_EMAIL: &str = "demo@localhost";

/// Makes the PREMIUM account of the demonstration, or gives the one there is a new password, which is returned: a password
/// that everyone knows has no place on a server that others may reach.
pub async fn ensure_demo_account(services: &Services) -> ServiceResult<String> {
    let password = Uuid::new_v4().simple().to_string();
    let password_hash = hash_password(password.clone()).await?;
    match users::find_by_email(&services.db, DEMO_EMAIL).await? {
        Some(user) => drop(users::set_password(&services.db, user, password_hash).await?),
        None => {
            // A user may have taken any plain handle.
            let handle = format!("demo-{}", &Uuid::new_v4().simple().to_string()[..8]);
            let email = DEMO_EMAIL.into();
            users::insert(&services.db, NewUser { handle, email, password_hash, tier: Tier::Premium })
                .await?;
        }
    }
    Ok(password)
}

/// Signs in with e-mail address and password. The answer and the time taken are the same whichever of them is wrong.
pub async fn sign_in(
    services: &Services,
    tokens: &Tokens,
    throttle: &SignInThrottle,
    address: Option<IpAddr>,
    email: &str,
    password: String,
    user_agent: Option<String>,
) -> ServiceResult<SignedIn> {
    throttle.attempt(email, address)?;
    let user = users::find_by_email(&services.db, email.trim()).await?;
    let stored = user.as_ref().map(|user| user.password_hash.clone());
    match (verify_password(password, stored).await?, user) {
        (true, Some(user)) => open_session(services, tokens, user, user_agent).await,
        _ => Err(UserError {
            code: ErrorCode::InvalidCredentials,
            message: "email or password is wrong".into(),
            path: vec!["input".into()],
            detail: super::error::Detail::None,
        }
        .into()),
    }
}

async fn open_session(
    services: &Services,
    tokens: &Tokens,
    user: user::Model,
    user_agent: Option<String>,
) -> ServiceResult<SignedIn> {
    let token = RefreshToken::random(Uuid::now_v7());
    let agent = user_agent.map(|agent| agent.chars().take(255).collect());
    let session =
        users::insert_session(&services.db, token.session_id, user.id, token.hash(), agent, session_end())
            .await?;
    signed_in(services, tokens, user, session.id, &token).await
}

/// Exchanges a refresh token for new tokens. It is good once: a token that was used before, or was never given out, ends
/// its session, because one of two holders must have stolen it.
pub async fn refresh(services: &Services, tokens: &Tokens, refresh_token: &str) -> ServiceResult<SignedIn> {
    let Some((token, session)) = find_session(services, refresh_token).await? else {
        return Err(bad_refresh_token());
    };
    let fresh = RefreshToken::random(session.id);
    let rotated =
        users::rotate_session(&services.db, session.id, &token.hash(), fresh.hash(), session_end()).await?;
    if !rotated {
        users::revoke_session(&services.db, session.id, session.user_id).await?;
        tracing::warn!(user_id = %session.user_id, session_id = %session.id, "a spent refresh token came back; its session is revoked");
        return Err(bad_refresh_token());
    }
    match users::find(&services.db, session.user_id).await? {
        Some(user) => signed_in(services, tokens, user, session.id, &fresh).await,
        None => Err(bad_refresh_token()),
    }
}

/// Ends the session of a refresh token. Tells whether there was one to end.
pub async fn revoke_by_token(services: &Services, refresh_token: &str) -> ServiceResult<bool> {
    match find_session(services, refresh_token).await? {
        Some((token, session)) if session.refresh_token_hash == token.hash() => {
            Ok(users::revoke_session(&services.db, session.id, session.user_id).await?)
        }
        _ => Ok(false),
    }
}

/// Ends one of the viewer's own sessions. Tells whether there was one to end.
pub async fn revoke_by_id(
    services: &Services,
    viewer: Option<Viewer>,
    session_id: Uuid,
) -> ServiceResult<bool> {
    let viewer = viewer.ok_or(Fault::Unauthenticated)?;
    Ok(users::revoke_session(&services.db, session_id, viewer.user_id).await?)
}

async fn find_session(
    services: &Services,
    refresh_token: &str,
) -> ServiceResult<Option<(RefreshToken, session::Model)>> {
    let Some(token) = RefreshToken::decode(refresh_token) else { return Ok(None) };
    let session = users::find_session(&services.db, token.session_id).await?;
    Ok(session.map(|session| (token, session)))
}

async fn signed_in(
    services: &Services,
    tokens: &Tokens,
    user: user::Model,
    session_id: Uuid,
    token: &RefreshToken,
) -> ServiceResult<SignedIn> {
    // Nobody was signed in when the request came, and now someone is.
    services.seen_by(user.id).await;
    let access = tokens.issue(Viewer { user_id: user.id, session_id }, user.tier)?;
    Ok(SignedIn { user, access, refresh_token: token.encode() })
}

fn session_end() -> DateTime<Utc> {
    entity::time::now() + SESSION_LIFE
}

fn bad_refresh_token() -> super::ServiceError {
    UserError::new(
        ErrorCode::InvalidCredentials,
        &["refreshToken"],
        "refreshToken is unknown, spent or expired; sign in again",
    )
    .into()
}

fn is_handle(text: &str) -> bool {
    (2..=39).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !text.starts_with('-')
        && !text.ends_with('-')
        && !text.contains("--")
}

/// Something before one `@` and a domain with a dot after it. Whether mail arrives there only a mail can tell.
fn is_email(text: &str) -> bool {
    let acceptable = |c: char| !c.is_whitespace() && !c.is_control() && c != '@';
    text.len() <= 254
        && text.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && domain.split('.').count() >= 2
                && domain.split('.').all(|label| !label.is_empty())
                && local.chars().chain(domain.chars()).all(acceptable)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_words_joined_by_single_hyphens() {
        for good in ["ada", "ada-lovelace", "a1", &"x".repeat(39)] {
            assert!(is_handle(good), "{good}");
        }
        for bad in ["", "a", "-ada", "ada-", "a--b", "ada lovelace", "ada_l", "ädä", &"x".repeat(40)] {
            assert!(!is_handle(bad), "{bad}");
        }
    }

    #[test]
    fn an_email_address_has_one_at_sign_and_a_domain() {
        for good in ["a@b.c", "ada+tag@mail.example.org"] {
            assert!(is_email(good), "{good}");
        }
        for bad in ["", "ada", "@b.c", "a@", "a@b", "a@b..c", "a@@b.c", "a b@c.d", "a@b.c\n"] {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
