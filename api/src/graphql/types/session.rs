use async_graphql::SimpleObject;
use chrono::{DateTime, Utc};

use super::user::User;
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
