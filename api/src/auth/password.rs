//! Passwords: argon2id with the library's recommended cost.

use std::sync::LazyLock;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::sync::Semaphore;

/// Hashing takes 19 MiB and a core for tens of milliseconds: as many at a time as there are cores, and the rest wait.
static TURNS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from)));

async fn in_turn<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PasswordFault> + Send + 'static,
) -> Result<T, PasswordFault> {
    // The semaphore lives as long as the process and is never closed.
    let _turn = TURNS.acquire().await;
    tokio::task::spawn_blocking(work).await?
}

/// The hash of a password nobody has.
static NOBODY: LazyLock<Option<String>> = LazyLock::new(|| hash("correct horse battery staple").ok());

fn hash(password: &str) -> Result<String, argon2::password_hash::Error> {
    Ok(Argon2::default().hash_password(password.as_bytes())?.to_string())
}

/// Hashes a password with a fresh salt, in PHC string format. Takes tens of milliseconds, off the async threads.
///
/// # Errors
/// When the system has no randomness to give, or the process is ending.
pub async fn hash_password(password: String) -> Result<String, PasswordFault> {
    in_turn(move || hash(&password).map_err(PasswordFault::Hash)).await
}

/// Whether `password` is the one behind `stored`. Without a stored hash the work is done all the same and the answer is no,
/// so that the time taken does not tell whether an account exists.
///
/// # Errors
/// When the stored hash cannot be read, or the process is ending.
pub async fn verify_password(password: String, stored: Option<String>) -> Result<bool, PasswordFault> {
    in_turn(move || {
        let known = stored.is_some();
        let Some(encoded) = stored.or_else(|| NOBODY.clone()) else { return Ok(false) };
        let parsed = PasswordHash::new(&encoded).map_err(|error| PasswordFault::Stored(error.to_string()))?;
        Ok(Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok() && known)
    })
    .await
}

/// A fault of the machinery, never of the password.
#[derive(Debug, thiserror::Error)]
pub enum PasswordFault {
    #[error("hashing a password failed: {0}")]
    Hash(argon2::password_hash::Error),
    #[error("a stored password hash cannot be read: {0}")]
    Stored(String),
    #[error("the hashing task was dropped: {0}")]
    Dropped(#[from] tokio::task::JoinError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_password_itself_opens_its_hash() {
        let stored = hash_password("a good password".into()).await.unwrap();
        assert!(stored.starts_with("$argon2id$"), "{stored}");
        assert!(verify_password("a good password".into(), Some(stored.clone())).await.unwrap());
        assert!(!verify_password("A good password".into(), Some(stored)).await.unwrap());
    }

    #[tokio::test]
    async fn no_account_opens_for_nobodys_password() {
        assert!(!verify_password("correct horse battery staple".into(), None).await.unwrap());
    }

    #[tokio::test]
    async fn two_hashes_of_one_password_differ() {
        let (one, two) = (hash_password("x".into()).await.unwrap(), hash_password("x".into()).await.unwrap());
        assert_ne!(one, two);
    }
}
