use async_graphql::{ID, SimpleObject};
use chrono::{DateTime, Utc};
use entity::session;
use uuid::Uuid;

use super::user::User;
use crate::graphql::id::GlobalId;
use crate::service::accounts::SignedIn;

/// accessToken is a JWT for Authorization: Bearer; refreshToken is single-use.
#[derive(SimpleObject)]
pub struct Session {
    access_token: String,
    /// When the access token ends; refresh before.
    expires_at: DateTime<Utc>,
    refresh_token: String,
    user: User,
}

impl From<SignedIn> for Session {
    fn from(signed_in: SignedIn) -> Self {
        Self {
            access_token: signed_in.access.token,
            expires_at: signed_in.access.expires_at,
            refresh_token: signed_in.refresh_token,
            user: signed_in.user.into(),
        }
    }
}

/// A sign-in that is still good.
#[derive(SimpleObject)]
pub struct SessionInfo {
    /// Ends the session by sessionRevoke.
    id: ID,
    created_at: DateTime<Utc>,
    /// When it was last refreshed.
    last_used_at: DateTime<Utc>,
    user_agent: Option<String>,
    /// Whether this very request belongs to it.
    current: bool,
}

impl SessionInfo {
    pub fn new(row: session::Model, current: Uuid) -> Self {
        Self {
            id: GlobalId::Session(row.id).into(),
            created_at: row.created_at,
            last_used_at: row.last_used_at,
            user_agent: row.user_agent,
            current: row.id == current,
        }
    }
}
