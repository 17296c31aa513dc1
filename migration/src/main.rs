//! Brings the database of `DATABASE_URL` up to date and ends: for a deployment that migrates before it starts servers.

use sea_orm_migration::sea_orm::Database;

#[tokio::main]
async fn main() -> std::process::ExitCode {
    let Ok(url) = std::env::var("DATABASE_URL") else {
        eprintln!("DATABASE_URL is not set: name the database to migrate");
        return std::process::ExitCode::FAILURE;
    };
    let migrated = match Database::connect(url).await {
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
