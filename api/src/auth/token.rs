//! Access tokens (short-lived JWTs) and refresh tokens (random, single-use, stored hashed).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Duration, TimeZone as _, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use entity::status::Tier;

use super::{Identity, Viewer};

const ACCESS_TOKEN_LIFE: Duration = Duration::minutes(15);

/// A token that is not ours, is past its end, or is no token. Which of them is nobody's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the access token is invalid or has expired")]
pub struct InvalidToken;

/// An access token and when it ends.
#[derive(Clone)]
pub struct AccessToken {
    pub token: String,
    pub expires_at: DateTime<Utc>,
}

/// Signs and checks access tokens with one secret (HMAC-SHA-256).
#[derive(Clone)]
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: Uuid,
    sid: Uuid,
    /// Whether the plan is PREMIUM, as it was when the token was issued. It decides about rates alone.
    #[serde(default)]
    premium: bool,
    iat: i64,
    exp: i64,
}

impl Tokens {
    pub fn new(secret: &[u8]) -> Self {
        Self { encoding: EncodingKey::from_secret(secret), decoding: DecodingKey::from_secret(secret) }
    }

    /// A token that is good for 15 minutes from now.
    ///
    /// # Errors
    /// When the library cannot sign, which a symmetric key gives no cause for.
    pub fn issue(&self, viewer: Viewer, tier: Tier) -> Result<AccessToken, jsonwebtoken::errors::Error> {
        let now = Utc::now();
        let claims = Claims {
            sub: viewer.user_id,
            sid: viewer.session_id,
            premium: tier == Tier::Premium,
            iat: now.timestamp(),
            exp: (now + ACCESS_TOKEN_LIFE).timestamp(),
        };
        let expires_at = Utc.timestamp_opt(claims.exp, 0).single().unwrap_or(now);
        Ok(AccessToken { token: self.sign(&claims)?, expires_at })
    }

    /// Whom a token was issued to.
    ///
    /// # Errors
    /// [`InvalidToken`] for anything but an unexpired token signed with this secret.
    pub fn verify(&self, token: &str) -> Result<Identity, InvalidToken> {
        let Claims { sub, sid, premium, exp, .. } = self.read(token, None)?;
        Ok(Identity {
            viewer: Viewer { user_id: sub, session_id: sid },
            tier: if premium { Tier::Premium } else { Tier::Free },
            expires_at: Utc.timestamp_opt(exp, 0).single().ok_or(InvalidToken)?,
        })
    }

    pub(super) fn sign(&self, claims: &impl Serialize) -> Result<String, jsonwebtoken::errors::Error> {
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &self.encoding)
    }

    /// The claims of a token that is for this audience, or for none.
    pub(super) fn read<T: DeserializeOwned>(
        &self,
        token: &str,
        audience: Option<&str>,
    ) -> Result<T, InvalidToken> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = 0;
        if let Some(audience) = audience {
            validation.set_audience(&[audience]);
            validation.set_required_spec_claims(&["exp", "aud"]);
        }
        let data = jsonwebtoken::decode::<T>(token, &self.decoding, &validation);
        data.map(|data| data.claims).map_err(|_| InvalidToken)
    }
}

/// A refresh token names its session, so that one that was used before is recognised without storing it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    pub session_id: Uuid,
    secret: [u8; 32],
}

impl RefreshToken {
    /// A token for a session, from the system's randomness.
    pub fn random(session_id: Uuid) -> Self {
        Self { session_id, secret: rand::random() }
    }

    /// What the database keeps: SHA-256 in hexadecimal. The secret is random, so a slow hash would add nothing.
    pub fn hash(&self) -> String {
        hex(&Sha256::digest(self.secret))
    }

    /// The token as a client holds it.
    pub fn encode(&self) -> String {
        let mut bytes = [0; 48];
        bytes[..16].copy_from_slice(self.session_id.as_bytes());
        bytes[16..].copy_from_slice(&self.secret);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a token as a client sent it; none for anything that cannot be one.
    pub fn decode(text: &str) -> Option<Self> {
        let bytes: [u8; 48] = URL_SAFE_NO_PAD.decode(text.trim()).ok()?.try_into().ok()?;
        let (session_id, secret) = bytes.split_at(16);
        Some(Self { session_id: Uuid::from_slice(session_id).ok()?, secret: secret.try_into().ok()? })
    }
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_token_survives_its_text_and_hides_its_secret() {
        let token = RefreshToken::random(Uuid::now_v7());
        let text = token.encode();
        assert_eq!(RefreshToken::decode(&text), Some(token.clone()));
        assert!(!text.contains(&token.hash()));
        assert_eq!(RefreshToken::decode("nonsense"), None);
        assert_eq!(RefreshToken::decode(&text[1..]), None);
    }

    #[test]
    fn an_expired_or_differently_signed_token_is_refused() {
        let tokens = Tokens::new(&[1; 32]);
        let claims = Claims {
            sub: Uuid::nil(),
            sid: Uuid::nil(),
            premium: false,
            iat: 0,
            exp: Utc::now().timestamp() - 1,
        };
        let expired =
            jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &tokens.encoding).unwrap();
        assert_eq!(tokens.verify(&expired), Err(InvalidToken));

        let unsigned =
            format!("{}.{}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), URL_SAFE_NO_PAD.encode("{}"));
        assert_eq!(tokens.verify(&unsigned), Err(InvalidToken));
        let claims = Claims { exp: Utc::now().timestamp() + 60, ..claims };
        let other = jsonwebtoken::encode(&Header::new(Algorithm::HS512), &claims, &tokens.encoding).unwrap();
        assert_eq!(tokens.verify(&other), Err(InvalidToken));
    }
}
