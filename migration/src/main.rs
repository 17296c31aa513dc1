//! Brings the database of `DATABASE_URL` up to date and ends: for a deployment that migrates before it starts servers.

use sea_orm_migration::sea_orm::{ConnectOptions, Database};

#[tokio::main]
async fn main() -> std::process::ExitCode {
    let Ok(url) = std::env::var("DATABASE_URL") else {
        eprintln!("DATABASE_URL is not set: name the database to migrate");
        return std::process::ExitCode::FAILURE;
    };
    let mut options = ConnectOptions::new(url);
    // What a pooler between would refuse, or mix up with others' statements.
    options.map_sqlx_postgres_opts(|postgres| postgres.statement_cache_capacity(0).extra_float_digits(None));
    let migrated = match Database::connect(options).await {
        Ok(db) => migration::migrate(&db).await,
        Err(error) => Err(error),
    };
    match migrated {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the database of DATABASE_URL could not be migrated: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}
