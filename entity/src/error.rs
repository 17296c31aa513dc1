//! What can go wrong below the services.

use sea_orm::{DbErr, SqlErr};

/// A failure of the store. Its text is for logs: it may hold SQL and never reaches a client.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another row already holds this unique value.
    #[error("unique value taken: {0}")]
    Taken(String),
    /// A stored document does not have the shape the code knows.
    #[error("stored {what} cannot be read: {source}")]
    Corrupt { what: &'static str, source: serde_json::Error },
    /// The database said no, or could not be reached.
    #[error(transparent)]
    Database(DbErr),
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(what)) => Self::Taken(what),
            _ => Self::Database(error),
        }
    }
}
