//! Connections to PostgreSQL on which nothing is heard any more.

use std::time::Duration;

use entity::{
    connect::{Way, connect_by},
    store::{self, Connection as _},
    testing::TestDatabase,
};

/// A database behind one connection that is waited for so long.
async fn impatient(database: &TestDatabase, patience: Duration) -> entity::DatabaseConnection {
    let way = Way { max_connections: 1, patience: Some(patience), ..Way::default() };
    connect_by(&database.url, way).await.unwrap()
}

#[tokio::test]
async fn a_statement_without_an_answer_is_given_up_and_its_connection_too() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let db = impatient(&database, Duration::from_millis(200)).await;
    let answer = db.execute_unprepared("SELECT pg_sleep(600)").await;
    assert!(answer.unwrap_err().to_string().contains("did not answer"));
    answers_again(&db).await;

    let txn = store::begin(&db).await.unwrap();
    let answer = txn.execute_unprepared("SELECT pg_sleep(600)").await;
    assert!(answer.unwrap_err().to_string().contains("did not answer"));
    drop(txn);
    answers_again(&db).await;
}

/// The pool has the place of the lost connection for another, once it has seen that nothing comes.
async fn answers_again(db: &entity::DatabaseConnection) {
    let mut tries = 0;
    while db.execute_unprepared("SELECT 1").await.is_err() {
        tries += 1;
        assert!(tries < 100, "the one connection is never replaced");
    }
}

#[tokio::test]
async fn the_locks_of_a_silent_transaction_are_free_again() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let silent = impatient(&database, Duration::from_millis(200)).await;
    let txn = store::begin(&silent).await.unwrap();
    txn.execute_unprepared("LOCK TABLE users IN ACCESS EXCLUSIVE MODE").await.unwrap();
    // Waits for the lock, and would do so as long as the transaction is open.
    database.db.execute_unprepared("SELECT count(*) FROM users").await.unwrap();
    assert!(txn.commit().await.is_err(), "the transaction was ended");
}
