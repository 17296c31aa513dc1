//! A replica that fails has a primary behind it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use entity::status::Tier;
use entity::{
    connect::{Way, connect_by},
    store::{
        begin, commit,
        users::{self, NewUser},
    },
    testing::TestDatabase,
};

fn ada() -> NewUser {
    NewUser {
        handle: "ada".into(),
        email: "ada@example.com".into(),
        password_hash: String::new(),
        tier: Tier::Free,
    }
}

#[tokio::test]
async fn what_a_lost_replica_cannot_answer_the_primary_does() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let way = Way { max_connections: 2, replica: true, ..Way::default() };
    let lost = connect_by("postgres://nobody@127.0.0.1:1/nothing", way).await.unwrap();
    let usable = Arc::new(AtomicBool::new(true));
    let db = lost.as_replica_of(database.db.clone(), usable.clone());
    let found = users::find_by_email(&db, "ada@example.com").await.unwrap();
    assert!(found.is_none(), "the primary knows nobody yet");
    assert!(!usable.load(Ordering::Relaxed), "nobody asks it again until it was looked at");
    // What changes something goes to the primary, however the replica is.
    usable.store(true, Ordering::Relaxed);
    let transaction = begin(&db).await.unwrap();
    let user = users::insert(&transaction, ada()).await.unwrap();
    commit(transaction).await.unwrap();
    assert!(usable.load(Ordering::Relaxed));
    let found = users::find(&db, user.id).await.unwrap();
    assert_eq!(found.unwrap().handle, "ada");
}
