//! What can go wrong below the services.

use std::borrow::Cow;

use sea_orm::{DbErr, RuntimeErr, SqlErr, SqlxError};

/// SQLite's code of a file, or a disk, without room; and PostgreSQL's.
const FULL: [&str; 2] = ["13", "53100"];

/// A failure of the store. Its text is for logs: it may hold SQL and never reaches a client.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no room for more, on the disk or in the file.
    #[error("no room to store anything: {0}")]
    Full(DbErr),
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
            _ if code(&error).is_some_and(|code| FULL.contains(&&*code)) => Self::Full(error),
            _ => Self::Database(error),
        }
    }
}

/// What the database itself calls an error.
pub(crate) fn code(error: &DbErr) -> Option<Cow<'_, str>> {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error))
        | DbErr::Conn(RuntimeErr::SqlxError(error)) => match &**error {
            SqlxError::Database(error) => error.code(),
            _ => None,
        },
        _ => None,
    }
}
