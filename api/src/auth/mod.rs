//! Who is asking.

mod download;
mod password;
mod token;

pub use download::Download;
pub use password::{PasswordFault, hash_password, verify_password};
pub use token::{AccessToken, InvalidToken, RefreshToken, Tokens, hex};
use uuid::Uuid;

/// A signed-in person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Viewer {
    pub user_id: Uuid,
    /// The session that the access token was issued for.
    pub session_id: Uuid,
}

/// Reads the value of an `Authorization` header; none is an anonymous viewer.
///
/// # Errors
/// [`InvalidToken`] when there is a value but no good token in it: a client that meant to sign in must be told.
pub fn viewer_from_header(
    tokens: &Tokens,
    authorization: Option<&str>,
) -> Result<Option<Viewer>, InvalidToken> {
    let Some(value) = authorization else { return Ok(None) };
    let (scheme, token) = value.trim().split_once(' ').ok_or(InvalidToken)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(InvalidToken);
    }
    tokens.verify(token.trim()).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_nothing_a_viewer_or_an_error() {
        let tokens = Tokens::new(&[7; 32]);
        let viewer = Viewer { user_id: Uuid::now_v7(), session_id: Uuid::now_v7() };
        let issued = tokens.issue(viewer).unwrap();

        assert_eq!(viewer_from_header(&tokens, None), Ok(None));
        assert_eq!(viewer_from_header(&tokens, Some(&format!("Bearer {}", issued.token))), Ok(Some(viewer)));
        assert_eq!(viewer_from_header(&tokens, Some(&format!("bearer  {}", issued.token))), Ok(Some(viewer)));
        for bad in ["", "Bearer", "Bearer ", "Basic abc", "Bearer a.b.c", issued.token.as_str()] {
            assert_eq!(viewer_from_header(&tokens, Some(bad)), Err(InvalidToken), "{bad:?}");
        }
        let other = Tokens::new(&[8; 32]).issue(viewer).unwrap();
        assert_eq!(viewer_from_header(&tokens, Some(&format!("Bearer {}", other.token))), Err(InvalidToken));
    }
}
