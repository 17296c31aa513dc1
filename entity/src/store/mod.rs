//! Finders and writes, one file a noun.

pub mod attempts;
pub mod background;
pub mod block_configs;
pub mod client_runs;
pub mod design_access;
pub mod design_lists;
pub mod designs;
pub mod exports;
pub mod idempotency;
pub mod job_attempts;
pub mod job_lists;
pub mod job_overview;
pub mod jobs;
pub mod maintenance;
pub mod page;
pub mod replication;
pub mod results;
pub mod run_lists;
pub mod run_series;
pub mod runs;
pub mod templates;
pub mod user_removal;
pub mod users;
pub mod versions;
pub mod workers;
pub mod workloads;

use sea_orm::{SqliteTransactionMode, TransactionOptions};

pub use sea_orm::ConnectionTrait as Connection;

pub use crate::DatabaseTransaction as Transaction;
use crate::{DatabaseConnection, DatabaseTransaction, StoreError};

/// Begins a transaction that will write. On SQLite it takes the write lock at once: a transaction that reads first and
/// writes later would be refused when another one wrote in between, without waiting.
pub async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction, StoreError> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..Default::default()
    };
    Ok(db.begin_with_options(options).await?)
}

/// Makes the changes of a transaction last.
pub async fn commit(txn: DatabaseTransaction) -> Result<(), StoreError> {
    Ok(txn.commit().await?)
}
