//! Passes to pages for people who are signed in elsewhere: a browser that follows a link sends no header.

use chrono::{Duration, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{InvalidToken, Tokens};

/// A pass in a link: long enough to follow it.
pub const LINK: Duration = Duration::minutes(10);
/// A pass in a cookie: long enough to look around.
pub const COOKIE: Duration = Duration::hours(1);

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: Uuid,
    aud: String,
    exp: i64,
}

impl Tokens {
    /// A token that lets a user see the page at `path` for so long. It says who they are, not what they may see.
    ///
    /// # Errors
    /// When the library cannot sign, which a symmetric key gives no cause for.
    pub fn issue_pass(
        &self,
        path: &str,
        user_id: Uuid,
        life: Duration,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        self.sign(&Claims { sub: user_id, aud: audience(path), exp: (Utc::now() + life).timestamp() })
    }

    /// Whose pass to the page at `path` a token is.
    ///
    /// # Errors
    /// [`InvalidToken`] for anything but an unexpired token of this kind signed with this secret.
    pub fn verify_pass(&self, path: &str, token: &str) -> Result<Uuid, InvalidToken> {
        Ok(self.read::<Claims>(token, Some(&audience(path)))?.sub)
    }
}

/// Keeps a pass from being taken for another token, and for a pass to another page.
fn audience(path: &str) -> String {
    format!("page:{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_opens_its_page_alone_and_not_for_ever() {
        let (tokens, user_id) = (Tokens::new(&[7; 32]), Uuid::now_v7());
        let pass = tokens.issue_pass("/a", user_id, LINK).unwrap();
        assert_eq!(tokens.verify_pass("/a", &pass), Ok(user_id));
        assert_eq!(tokens.verify_pass("/b", &pass), Err(InvalidToken));
        assert_eq!(tokens.verify(&pass), Err(InvalidToken));
        assert_eq!(Tokens::new(&[8; 32]).verify_pass("/a", &pass), Err(InvalidToken));
        let expired = tokens.issue_pass("/a", user_id, -Duration::seconds(1)).unwrap();
        assert_eq!(tokens.verify_pass("/a", &expired), Err(InvalidToken));
    }
}
