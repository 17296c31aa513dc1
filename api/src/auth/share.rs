//! Tokens of share links.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use entity::store::design_access::ShareLink;
use sha2::{Digest as _, Sha256};

use super::hex;

/// Bytes of randomness in a token: 192 bits, more than anyone guesses.
const TOKEN_BYTES: usize = 24;

/// A new token from the system's randomness.
pub fn new_share_link() -> ShareLink {
    let token = URL_SAFE_NO_PAD.encode(rand::random::<[u8; TOKEN_BYTES]>());
    let hash = share_token_hash(&token);
    ShareLink { token, hash }
}

/// What a token is looked up by.
pub fn share_token_hash(token: &str) -> String {
    hex(&Sha256::digest(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_192_bits_that_no_other_has() {
        let links: Vec<ShareLink> = (0..100).map(|_| new_share_link()).collect();
        let tokens: std::collections::HashSet<&str> = links.iter().map(|link| link.token.as_str()).collect();
        assert_eq!(tokens.len(), links.len());
        for link in &links {
            assert_eq!(URL_SAFE_NO_PAD.decode(&link.token).unwrap().len(), 24);
            assert_eq!(share_token_hash(&link.token), link.hash);
        }
    }
}
