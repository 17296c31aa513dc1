//! Databases of their own for tests.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use uuid::Uuid;

use crate::{DatabaseConnection, DatabaseTransaction, connect::connect, store};

/// A migrated, empty database that nobody else uses.
pub struct TestDatabase {
    pub db: DatabaseConnection,
    /// Opens the same database again, from this process or another.
    pub url: String,
    /// `sqlite` or `postgres`, for messages.
    pub kind: &'static str,
    file: Option<PathBuf>,
}

impl TestDatabase {
    /// One of each kind: SQLite always, PostgreSQL when `TEST_DATABASE_URL` names a server.
    pub async fn all() -> Vec<Self> {
        let mut databases = vec![Self::sqlite().await];
        databases.extend(Self::postgres().await);
        databases
    }

    /// A SQLite file in the folder for temporary files, gone when the value is dropped.
    pub async fn sqlite() -> Self {
        let file = std::env::temp_dir().join(format!("simulator-test-{}.sqlite", Uuid::new_v4()));
        let url = format!("sqlite://{}", file.display());
        Self::migrated(url, "sqlite", Some(file)).await
    }

    /// A database on the server of `TEST_DATABASE_URL`, which goes with its server; none when the variable is not set.
    pub async fn postgres() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let server = std::env::var("TEST_DATABASE_URL").ok()?;
        let name = format!("test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let admin = connect(&server, 1).await.expect("TEST_DATABASE_URL names a server that answers");
        admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.expect("may create databases");
        let (base, _) = server.rsplit_once('/').expect("TEST_DATABASE_URL ends in a database name");
        Some(Self::migrated(format!("{base}/{name}"), "postgres", None).await)
    }

    /// The same database on the replica that `TEST_REPLICA_URL` names; none when the variable is not set.
    pub fn replica_url(&self) -> Option<String> {
        let server = std::env::var("TEST_REPLICA_URL").ok()?;
        let (base, _) = server.rsplit_once('/').expect("TEST_REPLICA_URL ends in a database name");
        let (_, name) = self.url.rsplit_once('/').expect("the URL ends in a database name");
        Some(format!("{base}/{name}"))
    }

    /// Keeps everyone else on PostgreSQL from reading a table, until the transaction ends.
    pub async fn hold(&self, table: &str) -> DatabaseTransaction {
        let txn = store::begin(&self.db).await.expect("a transaction begins");
        let statement = format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
        txn.execute_unprepared(&statement).await.expect("the lock is free");
        txn
    }

    /// How many statements of this database wait for a lock on PostgreSQL now.
    pub async fn waiting_statements(&self) -> i64 {
        let statement = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let row = self.db.query_one_raw(Statement::from_string(DbBackend::Postgres, statement)).await;
        row.expect("the view is readable").and_then(|row| row.try_get_by_index(0).ok()).expect("a count")
    }

    /// Every row of every table as text, with its table: what a search for a word has to look through.
    pub async fn rows(&self) -> Vec<(String, String)> {
        let tables = match self.db.get_database_backend() {
            DbBackend::Postgres => {
                "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'"
            }
            _ => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
        };
        let mut rows = Vec::new();
        for table in self.texts(tables.to_owned()).await {
            let select = match self.db.get_database_backend() {
                DbBackend::Postgres => format!("SELECT to_jsonb(t)::text AS name FROM \"{table}\" AS t"),
                _ => {
                    let columns = self.texts(format!("SELECT name FROM pragma_table_info('{table}')")).await;
                    // Ids are bytes, which JSON has no place for.
                    let column = |name: &String| {
                        format!(
                            "CASE typeof(\"{name}\") WHEN 'blob' THEN lower(hex(\"{name}\")) ELSE \"{name}\" END"
                        )
                    };
                    let columns = columns.iter().map(column).collect::<Vec<_>>().join(", ");
                    format!("SELECT json_array({columns}) AS name FROM \"{table}\"")
                }
            };
            rows.extend(self.texts(select).await.into_iter().map(|row| (table.clone(), row)));
        }
        rows
    }

    async fn texts(&self, sql: String) -> Vec<String> {
        let statement = Statement::from_string(self.db.get_database_backend(), sql);
        let rows = self.db.query_all_raw(statement).await.expect("a query of the catalogue is sound");
        rows.into_iter().map(|row| row.try_get("", "name").expect("a text")).collect()
    }

    async fn migrated(url: String, kind: &'static str, file: Option<PathBuf>) -> Self {
        let db = connect(&url, 8).await.expect("a test database opens");
        Migrator::up(db.pool(), None).await.expect("the migrations apply to an empty database");
        Self { db, url, kind, file }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            for suffix in ["", "-wal", "-shm"] {
                // A file that was never made needs no removal.
                let _ = std::fs::remove_file(format!("{}{suffix}", file.display()));
            }
        }
    }
}
