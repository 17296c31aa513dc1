//! Opens the database that a URL names.

use std::{future::ready, time::Duration};

use sea_orm::{
    ConnectOptions, Database, DbBackend, SqlxError,
    sqlx::{Connection as _, PgConnection},
};
use tokio::time::timeout;

use crate::{DatabaseConnection, StoreError};

/// How long a free connection is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same for a replica: there is a primary to ask instead.
const REPLICA_PATIENCE: Duration = Duration::from_secs(1);

/// How long a connection between two uses may take to answer.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);
/// SQLite's pages are of 4 KiB unless it is told otherwise.
const SQLITE_PAGES_IN_MB: u64 = 256;
/// A connection that was idle this long is asked whether it still lives before it is used. Asking each time would cost a round
/// trip a statement.
const IDLE: Duration = Duration::from_secs(1);

/// How to connect.
#[derive(Clone, Copy, Default)]
pub struct Way {
    pub max_connections: u32,
    /// When PostgreSQL itself ends a statement: whoever waited for it may be gone by then.
    pub statement_timeout: Option<Duration>,
    /// When a statement is given up of which nothing is heard from PostgreSQL, and PostgreSQL gives up a transaction of which it hears
    /// nothing: a connection may be dead without a word to either.
    pub patience: Option<Duration>,
    /// Whether PgBouncer, or a pooler like it, gives each transaction another connection to PostgreSQL.
    pub transaction_pooler: bool,
    /// How large a SQLite file may become.
    pub sqlite_max_mb: Option<u64>,
    /// Connects when it is first used, and gives up soon.
    pub replica: bool,
}

impl Way {
    /// Settings of PostgreSQL, each a time. A transaction whose client is silent holds locks that others wait for.
    fn limits(self) -> impl Iterator<Item = (&'static str, Duration)> {
        let settings = [
            ("statement_timeout", self.statement_timeout),
            ("idle_in_transaction_session_timeout", self.patience),
        ];
        settings.into_iter().filter_map(|(name, limit)| Some((name, limit?)))
    }
}

/// Opens a pool on `url` (`sqlite://path` or `postgres://…`), creating a SQLite file that is not there yet.
///
/// SQLite runs with a write-ahead log, so that readers do not wait for a writer, and with foreign keys on. Every
/// statement is timed into `db_query_duration_seconds`.
pub async fn connect(url: &str, max_connections: u32) -> Result<DatabaseConnection, StoreError> {
    connect_by(url, Way { max_connections, ..Way::default() }).await
}

/// [`connect`] with more to say about how.
pub async fn connect_by(url: &str, way: Way) -> Result<DatabaseConnection, StoreError> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(way.max_connections)
        .acquire_timeout(if way.replica { REPLICA_PATIENCE } else { PATIENCE })
        .connect_lazy(way.replica)
        .test_before_acquire_if_idle_for(IDLE)
        .sqlx_logging(false);
    options.map_sqlx_sqlite_opts(move |sqlite| {
        let sqlite = sqlite
            .create_if_missing(true)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10))
            .pragma("journal_mode", "WAL")
            .pragma("synchronous", "NORMAL");
        match way.sqlite_max_mb {
            Some(max_mb) => sqlite.pragma("max_page_count", (max_mb * SQLITE_PAGES_IN_MB).to_string()),
            None => sqlite,
        }
    });
    options.map_sqlx_postgres_pool_opts(|pool| {
        // The pool itself waits for ever for a connection that is silent, and never has the place of it again.
        pool.before_acquire(|connection, used| match used.idle_for < IDLE {
            true => Box::pin(ready(Ok(true))),
            false => Box::pin(answers(connection)),
        })
        .after_release(|connection, _| Box::pin(answers(connection)))
    });
    if way.transaction_pooler {
        // Statements are prepared on connections that others use next, and a pooler refuses parameters of a session.
        options
            .map_sqlx_postgres_opts(|postgres| postgres.statement_cache_capacity(0).extra_float_digits(None));
    } else {
        options.map_sqlx_postgres_opts(move |postgres| {
            postgres.options(way.limits().map(|(name, limit)| (name, format!("{}ms", limit.as_millis()))))
        });
    }
    let mut pool = Database::connect(options).await?;
    pool.set_metric_callback(|statement| {
        let operation = operation(&statement.statement.sql);
        metrics::histogram!("db_query_duration_seconds", "query" => operation)
            .record(statement.elapsed.as_secs_f64());
        if statement.failed {
            metrics::counter!("db_query_failures_total", "query" => operation).increment(1);
        }
    });
    let patience = way.patience.filter(|_| pool.get_database_backend() == DbBackend::Postgres);
    if !way.transaction_pooler {
        return Ok(DatabaseConnection::direct(pool).with_patience(patience));
    }
    // Whoever had the connection before may have left prepared statements of the same names. The pooler gives the
    // connection to nobody else until the transaction ends.
    let mut preamble = "DEALLOCATE ALL".to_owned();
    for (name, limit) in way.limits() {
        preamble += &format!("; SET LOCAL {name} = {}", limit.as_millis());
    }
    Ok(DatabaseConnection::pooled(pool, preamble).with_patience(patience))
}

/// Whether a connection of the pool is alive. It is closed when it says nothing.
async fn answers(connection: &mut PgConnection) -> Result<bool, SqlxError> {
    timeout(SIGN_OF_LIFE, connection.ping()).await.map_or(Ok(false), |answer| answer.map(|()| true))
}

/// The verb of a statement: a label with few values.
fn operation(sql: &str) -> &'static str {
    let verb = sql.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"]
        .into_iter()
        .find(|known| verb.eq_ignore_ascii_case(known))
        .unwrap_or("OTHER")
}
