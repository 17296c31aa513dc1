//! A SQLite file that must not grow.

use entity::{
    StoreError,
    connect::{Way, connect_by},
    store::{self, Connection as _},
    testing::TestDatabase,
};

#[tokio::test]
async fn what_finds_no_room_keeps_no_lock() {
    let database = TestDatabase::sqlite().await;
    database.db.execute_unprepared("CREATE TABLE large (bytes)").await.unwrap();
    let way = Way { max_connections: 1, sqlite_max_mb: Some(4), ..Way::default() };
    let db = connect_by(&database.url, way).await.unwrap();
    let txn = store::begin(&db).await.unwrap();
    let answer = txn.execute_unprepared("INSERT INTO large VALUES (zeroblob(8 << 20))").await;
    assert!(matches!(StoreError::from(answer.unwrap_err()), StoreError::Full(_)));
    drop(txn);
    let txn = store::begin(&db).await.unwrap();
    txn.execute_unprepared("INSERT INTO large VALUES (1)").await.unwrap();
    drop(txn);
    // Whoever writes next has the lock.
    database.db.execute_unprepared("INSERT INTO large VALUES (2)").await.unwrap();
}
