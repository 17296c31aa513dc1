//! Rows that nobody needs any more.

use chrono::Duration;
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use super::{background::MAINTENANCE, idempotency};
use crate::{DatabaseConnection, StoreError, time::now};

/// How long the records of past nights, and workers that vanished, are kept.
const KEPT: Duration = Duration::days(30);

/// Rows that are of use for a time only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passing {
    IdempotencyKeys,
    Sessions,
    MaintenanceJobs,
    Workers,
}

impl Passing {
    pub const ALL: [Self; 4] = [Self::IdempotencyKeys, Self::Sessions, Self::MaintenanceJobs, Self::Workers];

    /// The table they are in.
    pub fn table(self) -> &'static str {
        match self {
            Self::IdempotencyKeys => "idempotency_keys",
            Self::Sessions => "sessions",
            Self::MaintenanceJobs => "background_jobs",
            Self::Workers => "workers",
        }
    }

    /// Which of its rows may go: those with a time before some other, and how long that other lies back.
    fn condition(self) -> (String, Duration) {
        match self {
            Self::IdempotencyKeys => ("created_at".into(), idempotency::KEPT),
            // A refresh token that has expired opens nothing, whether the row is there or not.
            Self::Sessions => ("expires_at".into(), Duration::zero()),
            Self::MaintenanceJobs => (format!("kind = '{MAINTENANCE}' AND finished_at"), KEPT),
            Self::Workers => ("alive_until".into(), KEPT),
        }
    }
}

/// Removes rows that have had their time, `limit` at most, so that nobody waits long for a lock; how many there were.
pub async fn forget(db: &DatabaseConnection, what: Passing, limit: u64) -> Result<u64, StoreError> {
    let backend = db.get_database_backend();
    let row = match backend {
        DbBackend::Postgres => "ctid",
        _ => "rowid",
    };
    let (table, (past, age)) = (what.table(), what.condition());
    let sql = format!(
        "DELETE FROM {table} WHERE {row} IN (SELECT {row} FROM {table} WHERE {past} < $1 LIMIT {limit})"
    );
    let statement = Statement::from_sql_and_values(backend, sql, [(now() - age).into()]);
    Ok(db.execute_raw(statement).await?.rows_affected())
}
