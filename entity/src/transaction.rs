//! A transaction of which every statement is answered in time, or given up.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement,
    prelude::async_trait::async_trait,
};
use tokio::time::timeout;

/// Rolled back unless it is committed.
pub struct DatabaseTransaction {
    inner: sea_orm::DatabaseTransaction,
    patience: Option<Patience>,
}

impl DatabaseTransaction {
    pub(crate) fn new(inner: sea_orm::DatabaseTransaction, patience: Option<Patience>) -> Self {
        Self { inner, patience }
    }

    /// Makes its changes last. When that is not answered in time, nobody knows whether they do.
    pub async fn commit(self) -> Result<(), DbErr> {
        within(self.patience.as_ref(), self.inner.commit()).await
    }

    pub async fn rollback(self) -> Result<(), DbErr> {
        within(self.patience.as_ref(), self.inner.rollback()).await
    }
}

/// How long a statement is waited for, and what is known of those that nobody waited for to the end.
#[derive(Clone)]
pub(crate) struct Patience {
    /// The way there and back included.
    pub limit: Duration,
    pub abandoned: Abandoned,
}

/// When a statement was last left unanswered. Its connection goes back to the pool, and may be dead.
#[derive(Clone)]
pub(crate) struct Abandoned {
    start: Instant,
    /// Milliseconds after the start; 0 is never.
    last_ms: Arc<AtomicU64>,
}

impl Default for Abandoned {
    fn default() -> Self {
        Self { start: Instant::now(), last_ms: Arc::default() }
    }
}

impl Abandoned {
    /// Whether it happened less than `span` ago.
    pub fn within(&self, span: Duration) -> bool {
        let last_ms = self.last_ms.load(Ordering::Relaxed);
        last_ms > 0 && self.start.elapsed() < Duration::from_millis(last_ms) + span
    }

    fn note(&self) {
        let now_ms = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        self.last_ms.store(now_ms, Ordering::Relaxed);
    }
}

/// Notes that a statement was left unanswered, unless it is told otherwise before it is dropped.
struct Waiting<'a>(Option<&'a Abandoned>);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(abandoned) = self.0 {
            abandoned.note();
        }
    }
}

/// An answer of the database, unless it takes longer than `patience`: a connection may be dead without a word, and whoever waits on
/// it would wait for ever.
pub(crate) async fn within<T>(
    patience: Option<&Patience>,
    answer: impl Future<Output = Result<T, DbErr>>,
) -> Result<T, DbErr> {
    let Some(Patience { limit, abandoned }) = patience else { return answer.await };
    let mut answer = Box::pin(timeout(*limit, answer));
    // Dropped before the answer is, whose connection goes back to the pool then.
    let mut waiting = Waiting(Some(abandoned));
    match answer.as_mut().await {
        Ok(answered) => {
            waiting.0 = None;
            answered
        }
        Err(_) => {
            let message = format!("the database did not answer within {} s", limit.as_secs());
            Err(DbErr::Conn(RuntimeErr::Internal(message)))
        }
    }
}

#[async_trait]
impl ConnectionTrait for DatabaseTransaction {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.get_database_backend()
    }

    async fn execute_raw(&self, stmt: Statement) -> Result<ExecResult, DbErr> {
        within(self.patience.as_ref(), self.inner.execute_raw(stmt)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        within(self.patience.as_ref(), self.inner.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, stmt: Statement) -> Result<Option<QueryResult>, DbErr> {
        within(self.patience.as_ref(), self.inner.query_one_raw(stmt)).await
    }

    async fn query_all_raw(&self, stmt: Statement) -> Result<Vec<QueryResult>, DbErr> {
        within(self.patience.as_ref(), self.inner.query_all_raw(stmt)).await
    }
}
