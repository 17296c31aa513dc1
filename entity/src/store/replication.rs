//! How far a replica of PostgreSQL has come, in bytes of the primary's write-ahead log.

use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::{DatabaseConnection, StoreError};

/// Everything that has been committed on the primary until now is in its log before this position.
pub async fn position(primary: &DatabaseConnection) -> Result<i64, StoreError> {
    // Not what is written or flushed: with asynchronous commits both are behind what has been committed.
    let sql = "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint";
    Ok(number(primary, sql).await?.unwrap_or_default())
}

/// What is in the log before this position can be seen on the replica; none when it follows no primary.
pub async fn replayed(replica: &DatabaseConnection) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT CASE WHEN pg_is_in_recovery() THEN (pg_last_wal_replay_lsn() - '0/0')::bigint END";
    number(replica, sql).await
}

async fn number(db: &DatabaseConnection, sql: &str) -> Result<Option<i64>, StoreError> {
    match db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await? {
        Some(row) => Ok(row.try_get_by_index(0)?),
        None => Ok(None),
    }
}
