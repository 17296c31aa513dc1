//! A handle to the database that knows the way to it: directly, through a pooler, or to a replica that has a primary behind it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, Statement, TransactionOptions,
    TransactionTrait, prelude::async_trait::async_trait,
};
use tracing::Instrument;

use crate::{
    error::code,
    transaction::{DatabaseTransaction, within},
};

/// PostgreSQL's code of a statement that was ended, for its timeout or because someone asked.
const QUERY_CANCELED: &str = "57014";

/// A pool of connections; clones share it.
#[derive(Clone)]
pub struct DatabaseConnection {
    pool: sea_orm::DatabaseConnection,
    /// What every transaction begins with behind a pooler, which may give each of them another connection of its own. A
    /// statement outside a transaction gets one there, because preparing it and executing it must meet the same connection.
    preamble: Option<Arc<str>>,
    primary: Option<Arc<Primary>>,
    /// How long one statement may take, its way there and back included.
    patience: Option<Duration>,
}

/// What stands behind a replica.
struct Primary {
    db: DatabaseConnection,
    replica_usable: Arc<AtomicBool>,
}

/// Runs one statement where `$db` sends statements to.
macro_rules! run {
    ($db:expr, |$connection:ident| $statement:expr) => {
        match &$db.preamble {
            None => {
                let $connection = &$db.pool;
                within($db.patience, $statement).await
            }
            Some(_) => {
                let $connection = $db.begin_here(TransactionOptions::default()).await?;
                let done = $statement.await;
                match done {
                    Ok(value) => $connection.commit().await.map(|()| value),
                    Err(error) => {
                        // The statement's failure says more than that of the connection, which the pool looks at again.
                        let _ = $connection.rollback().await;
                        Err(error)
                    }
                }
            }
        }
    };
}

/// Reads from a replica while that can be used, else from its primary.
macro_rules! read {
    ($db:expr, $stmt:expr, |$connection:ident, $statement:ident| $read:expr) => {{
        if let Some(primary) = &$db.primary {
            if primary.replica_usable.load(Ordering::Relaxed) {
                let $statement = $stmt.clone();
                let answer = run!($db, |$connection| $read);
                match answer {
                    Err(error) if !was_canceled(&error) => primary.suspect(&error),
                    answer => return answer,
                }
            }
            let ($connection, $statement) = (&primary.db, $stmt);
            return $read.await;
        }
        let $statement = $stmt;
        run!($db, |$connection| $read)
    }};
}

impl DatabaseConnection {
    /// Statements go to the pool as they are.
    pub(crate) fn direct(pool: sea_orm::DatabaseConnection) -> Self {
        Self { pool, preamble: None, primary: None, patience: None }
    }

    /// Statements go through transactions that begin with `preamble`.
    pub(crate) fn pooled(pool: sea_orm::DatabaseConnection, preamble: String) -> Self {
        Self { pool, preamble: Some(preamble.into()), primary: None, patience: None }
    }

    /// Gives up statements that take longer.
    pub(crate) fn with_patience(self, patience: Option<Duration>) -> Self {
        Self { patience, ..self }
    }

    /// This database as a replica of `primary`: it is read from while `usable` says so, and each failure takes that back.
    /// What it cannot answer, and every transaction, goes to the primary.
    #[must_use]
    pub fn as_replica_of(self, primary: Self, replica_usable: Arc<AtomicBool>) -> Self {
        Self { primary: Some(Arc::new(Primary { db: primary, replica_usable })), ..self }
    }

    /// The connections themselves: for what looks at the pool, and for migrations of a database without a pooler.
    pub fn pool(&self) -> &sea_orm::DatabaseConnection {
        &self.pool
    }

    /// Tells every statement to `callback`, in place of the one that was told before.
    pub fn set_metric_callback<F>(&mut self, callback: F)
    where
        F: Fn(&sea_orm::metric::Info<'_>) + Send + Sync + 'static,
    {
        self.pool.set_metric_callback(callback);
    }

    pub async fn ping(&self) -> Result<(), DbErr> {
        self.pool.ping().await
    }

    pub fn get_database_backend(&self) -> DbBackend {
        self.pool.get_database_backend()
    }

    pub async fn begin_with_options(
        &self,
        options: TransactionOptions,
    ) -> Result<DatabaseTransaction, DbErr> {
        self.writer().begin_here(options).await
    }

    async fn begin_here(&self, options: TransactionOptions) -> Result<DatabaseTransaction, DbErr> {
        let (pool, patience) = (self.pool.clone(), self.patience);
        let transaction = async move {
            let inner = within(patience, pool.begin_with_options(options)).await?;
            Ok(DatabaseTransaction::new(inner, patience))
        };
        let Some(preamble) = self.preamble.clone() else { return transaction.await };
        let begin = async move {
            let transaction = transaction.await?;
            transaction.execute_unprepared(&preamble).await?;
            Ok(transaction)
        };
        // A task of its own goes on when nobody waits any more, and then ends what it began. Half of a beginning would keep
        // the pooler's connection.
        let begun = tokio::spawn(begin.in_current_span()).await;
        begun.unwrap_or_else(|error| Err(DbErr::Custom(error.to_string())))
    }

    fn writer(&self) -> &Self {
        self.primary.as_ref().map_or(self, |primary| &primary.db)
    }
}

impl Primary {
    /// Who watches the replica decides when it is asked again.
    fn suspect(&self, error: &DbErr) {
        if self.replica_usable.swap(false, Ordering::Relaxed) {
            tracing::warn!(%error, "the replica failed; queries read from the primary");
        }
    }
}

/// Whether a statement took too long, as it would on the primary.
fn was_canceled(error: &DbErr) -> bool {
    code(error).as_deref() == Some(QUERY_CANCELED)
}

#[async_trait]
impl ConnectionTrait for DatabaseConnection {
    fn get_database_backend(&self) -> DbBackend {
        self.pool.get_database_backend()
    }

    async fn execute_raw(&self, stmt: Statement) -> Result<ExecResult, DbErr> {
        let db = self.writer();
        run!(db, |connection| connection.execute_raw(stmt))
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let db = self.writer();
        run!(db, |connection| connection.execute_unprepared(sql))
    }

    async fn query_one_raw(&self, stmt: Statement) -> Result<Option<QueryResult>, DbErr> {
        read!(self, stmt, |connection, statement| connection.query_one_raw(statement))
    }

    async fn query_all_raw(&self, stmt: Statement) -> Result<Vec<QueryResult>, DbErr> {
        read!(self, stmt, |connection, statement| connection.query_all_raw(statement))
    }
}
