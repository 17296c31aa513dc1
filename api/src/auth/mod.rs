//! Who is asking.

mod download;
pub mod pass;
mod password;
mod share;
mod token;

use chrono::{DateTime, Utc};
pub use download::Download;
use entity::status::Tier;
pub use password::{PasswordFault, hash_password, verify_password};
pub use share::{new_share_link, share_token_hash};
pub use token::{AccessToken, InvalidToken, RefreshToken, Tokens, hex};
use uuid::Uuid;

/// A signed-in person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Viewer {
    pub user_id: Uuid,
    /// The session that the access token was issued for.
    pub session_id: Uuid,
}

/// What an access token says of its holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    pub viewer: Viewer,
    /// The plan when the token was issued.
    pub tier: Tier,
    /// From then on the token is worth nothing.
    pub expires_at: DateTime<Utc>,
}

/// Reads the value of an `Authorization` header; none is an anonymous viewer.
///
/// # Errors
/// [`InvalidToken`] when there is a value but no good token in it: a client that meant to sign in must be told.
pub fn identity(tokens: &Tokens, authorization: Option<&str>) -> Result<Option<Identity>, InvalidToken> {
    let Some(value) = authorization else { return Ok(None) };
    let (scheme, token) = value.trim().split_once(' ').ok_or(InvalidToken)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(InvalidToken);
    }
    tokens.verify(token.trim()).map(Some)
}

/// The person that an `Authorization` header names.
///
/// # Errors
/// As [`identity`].
pub fn viewer_from_header(
    tokens: &Tokens,
    authorization: Option<&str>,
) -> Result<Option<Viewer>, InvalidToken> {
    Ok(identity(tokens, authorization)?.map(|identity| identity.viewer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_nothing_a_viewer_or_an_error() {
        let tokens = Tokens::new(&[7; 32]);
        let viewer = Viewer { user_id: Uuid::now_v7(), session_id: Uuid::now_v7() };
        let issued = tokens.issue(viewer, Tier::Premium).unwrap();
        let identity = Identity { viewer, tier: Tier::Premium, expires_at: issued.expires_at };

        assert_eq!(super::identity(&tokens, None), Ok(None));
        assert_eq!(super::identity(&tokens, Some(&format!("Bearer {}", issued.token))), Ok(Some(identity)));
        assert_eq!(super::identity(&tokens, Some(&format!("bearer  {}", issued.token))), Ok(Some(identity)));
        for bad in ["", "Bearer", "Bearer ", "Basic abc", "Bearer a.b.c", issued.token.as_str()] {
            assert_eq!(super::identity(&tokens, Some(bad)), Err(InvalidToken), "{bad:?}");
        }
        let other = Tokens::new(&[8; 32]).issue(viewer, Tier::Free).unwrap();
        assert_eq!(super::identity(&tokens, Some(&format!("Bearer {}", other.token))), Err(InvalidToken));
    }
}
