//! Links that carry their own permission, for a browser that cannot send a header.

use chrono::{Duration, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{InvalidToken, Tokens};

const LIFE: Duration = Duration::minutes(10);
/// Keeps a link's token from being taken for an access token, and the other way round.
const AUDIENCE: &str = "user-data-export";

/// What a link leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Download {
    pub job_id: Uuid,
    pub user_id: Uuid,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: Uuid,
    job: Uuid,
    aud: String,
    exp: i64,
}

impl Tokens {
    /// A token that opens a download for ten minutes.
    ///
    /// # Errors
    /// When the library cannot sign, which a symmetric key gives no cause for.
    pub fn issue_download(&self, download: Download) -> Result<String, jsonwebtoken::errors::Error> {
        self.sign(&Claims {
            sub: download.user_id,
            job: download.job_id,
            aud: AUDIENCE.to_owned(),
            exp: (Utc::now() + LIFE).timestamp(),
        })
    }

    /// The download that a token opens.
    ///
    /// # Errors
    /// [`InvalidToken`] for anything but an unexpired token of this kind signed with this secret.
    pub fn verify_download(&self, token: &str) -> Result<Download, InvalidToken> {
        let claims: Claims = self.read(token, Some(AUDIENCE))?;
        Ok(Download { job_id: claims.job, user_id: claims.sub })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use entity::status::Tier;

    use crate::auth::Viewer;

    #[test]
    fn a_link_is_good_for_its_download_alone_and_not_for_ever() {
        let tokens = Tokens::new(&[7; 32]);
        let download = Download { job_id: Uuid::now_v7(), user_id: Uuid::now_v7() };
        let link = tokens.issue_download(download).unwrap();
        assert_eq!(tokens.verify_download(&link), Ok(download));
        assert_eq!(tokens.verify(&link), Err(InvalidToken));
        assert_eq!(Tokens::new(&[8; 32]).verify_download(&link), Err(InvalidToken));
        let access = tokens
            .issue(Viewer { user_id: download.user_id, session_id: Uuid::now_v7() }, Tier::Free)
            .unwrap();
        assert_eq!(tokens.verify_download(&access.token), Err(InvalidToken));
        let expired = Claims {
            sub: download.user_id,
            job: download.job_id,
            aud: AUDIENCE.to_owned(),
            exp: Utc::now().timestamp() - 1,
        };
        assert_eq!(tokens.verify_download(&tokens.sign(&expired).unwrap()), Err(InvalidToken));
    }
}
