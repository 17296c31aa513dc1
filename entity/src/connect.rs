//! Opens the database that a URL names.

use std::time::Duration;

use sea_orm::{ConnectOptions, Database, DatabaseConnection};

use crate::StoreError;

/// Opens a pool on `url` (`sqlite://path` or `postgres://…`), creating a SQLite file that is not there yet.
///
/// SQLite runs with a write-ahead log, so that readers do not wait for a writer, and with foreign keys on. Every
/// statement is timed into `db_query_duration_seconds`.
pub async fn connect(url: &str, max_connections: u32) -> Result<DatabaseConnection, StoreError> {
    connect_with(url, max_connections, None).await
}

/// [`connect`] where PostgreSQL itself ends a statement that takes longer than `statement_timeout`: whoever waited for it may be
/// gone by then.
pub async fn connect_with(
    url: &str,
    max_connections: u32,
    statement_timeout: Option<Duration>,
) -> Result<DatabaseConnection, StoreError> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(max_connections).acquire_timeout(Duration::from_secs(10)).sqlx_logging(false);
    options.map_sqlx_sqlite_opts(|sqlite| {
        sqlite
            .create_if_missing(true)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10))
            .pragma("journal_mode", "WAL")
            .pragma("synchronous", "NORMAL")
    });
    if let Some(timeout) = statement_timeout {
        let milliseconds = timeout.as_millis().to_string();
        options.map_sqlx_postgres_opts(move |postgres| {
            postgres.options([("statement_timeout", milliseconds.as_str())])
        });
    }
    let mut db = Database::connect(options).await?;
    db.set_metric_callback(|statement| {
        let operation = operation(&statement.statement.sql);
        metrics::histogram!("db_query_duration_seconds", "query" => operation)
            .record(statement.elapsed.as_secs_f64());
        if statement.failed {
            metrics::counter!("db_query_failures_total", "query" => operation).increment(1);
        }
    });
    Ok(db)
}

/// The verb of a statement: a label with few values.
fn operation(sql: &str) -> &'static str {
    let verb = sql.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"]
        .into_iter()
        .find(|known| verb.eq_ignore_ascii_case(known))
        .unwrap_or("OTHER")
}
