//! A transaction of which every statement is answered in time, or given up.

use std::time::Duration;

use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement,
    prelude::async_trait::async_trait,
};
use tokio::time::timeout;

/// Rolled back unless it is committed.
pub struct DatabaseTransaction {
    inner: sea_orm::DatabaseTransaction,
    patience: Option<Duration>,
}

impl DatabaseTransaction {
    pub(crate) fn new(inner: sea_orm::DatabaseTransaction, patience: Option<Duration>) -> Self {
        Self { inner, patience }
    }

    /// Makes its changes last. When that is not answered in time, nobody knows whether they do.
    pub async fn commit(self) -> Result<(), DbErr> {
        within(self.patience, self.inner.commit()).await
    }

    pub async fn rollback(self) -> Result<(), DbErr> {
        within(self.patience, self.inner.rollback()).await
    }
}

/// An answer of the database, unless it takes longer than `patience`: a connection may be dead without a word, and whoever waits on
/// it would wait for ever.
pub(crate) async fn within<T>(
    patience: Option<Duration>,
    answer: impl Future<Output = Result<T, DbErr>>,
) -> Result<T, DbErr> {
    let Some(patience) = patience else { return answer.await };
    timeout(patience, answer).await.unwrap_or_else(|_| {
        let message = format!("the database did not answer within {} s", patience.as_secs());
        Err(DbErr::Conn(RuntimeErr::Internal(message)))
    })
}

#[async_trait]
impl ConnectionTrait for DatabaseTransaction {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.get_database_backend()
    }

    async fn execute_raw(&self, stmt: Statement) -> Result<ExecResult, DbErr> {
        within(self.patience, self.inner.execute_raw(stmt)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        within(self.patience, self.inner.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, stmt: Statement) -> Result<Option<QueryResult>, DbErr> {
        within(self.patience, self.inner.query_one_raw(stmt)).await
    }

    async fn query_all_raw(&self, stmt: Statement) -> Result<Vec<QueryResult>, DbErr> {
        within(self.patience, self.inner.query_all_raw(stmt)).await
    }
}
