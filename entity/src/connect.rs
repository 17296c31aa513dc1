//! Opens the database that a URL names.

use std::time::Duration;

use sea_orm::{ConnectOptions, Database};

use crate::{DatabaseConnection, StoreError};

/// How long a free connection is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same for a replica: there is a primary to ask instead.
const REPLICA_PATIENCE: Duration = Duration::from_secs(1);

/// A connection that was idle this long is asked whether it still lives before it is used. Asking each time would cost a round
/// trip a statement.
const IDLE: Duration = Duration::from_secs(1);

/// How to connect.
#[derive(Clone, Copy, Default)]
pub struct Way {
    pub max_connections: u32,
    /// When PostgreSQL itself ends a statement: whoever waited for it may be gone by then.
    pub statement_timeout: Option<Duration>,
    /// Whether PgBouncer, or a pooler like it, gives each transaction another connection to PostgreSQL.
    pub transaction_pooler: bool,
    /// Connects when it is first used, and gives up soon.
    pub replica: bool,
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
    options.map_sqlx_sqlite_opts(|sqlite| {
        sqlite
            .create_if_missing(true)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10))
            .pragma("journal_mode", "WAL")
            .pragma("synchronous", "NORMAL")
    });
    if way.transaction_pooler {
        // Statements are prepared on connections that others use next, and a pooler refuses parameters of a session.
        options
            .map_sqlx_postgres_opts(|postgres| postgres.statement_cache_capacity(0).extra_float_digits(None));
    } else if let Some(timeout) = way.statement_timeout {
        options.statement_timeout(timeout);
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
    if !way.transaction_pooler {
        return Ok(DatabaseConnection::direct(pool));
    }
    // Whoever had the connection before may have left prepared statements of the same names. The pooler gives the
    // connection to nobody else until the transaction ends.
    let mut preamble = "DEALLOCATE ALL".to_owned();
    if let Some(timeout) = way.statement_timeout {
        preamble += &format!("; SET LOCAL statement_timeout = {}", timeout.as_millis());
    }
    Ok(DatabaseConnection::pooled(pool, preamble))
}

/// The verb of a statement: a label with few values.
fn operation(sql: &str) -> &'static str {
    let verb = sql.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"]
        .into_iter()
        .find(|known| verb.eq_ignore_ascii_case(known))
        .unwrap_or("OTHER")
}
