//! What is somebody's is exported to them, and goes when they go: a table that is added later is not forgotten.

use std::collections::BTreeSet;

use entity::{store::exports::Owned, testing::TestDatabase};
use sea_orm::{ConnectionTrait, Statement};

/// Tables that name people and are not exported, and why.
const NOT_EXPORTED: [(&str, &str); 3] = [
    ("design_collaborators", "what was shared with someone is its owner's"),
    ("idempotency_keys", "the keys of clients, kept for a day"),
    ("queue_entries", "what waits is exported as the job that waits"),
];
/// Names people, has no foreign key, and is cleaned by other means: an entry goes when its job is canceled or claimed.
const WITHOUT_KEY: &str = "queue_entries";

async fn pairs(database: &TestDatabase, sql: &str) -> BTreeSet<(String, String)> {
    let statement = Statement::from_string(database.db.get_database_backend(), sql);
    let rows = database.db.query_all_raw(statement).await.unwrap();
    let pair = |row: &sea_orm::QueryResult| (row.try_get("", "a").unwrap(), row.try_get("", "b").unwrap());
    rows.iter().map(pair).collect()
}

#[tokio::test]
async fn every_table_that_names_people_is_exported_and_forgets_them() {
    let database = TestDatabase::sqlite().await;
    let tables = "FROM sqlite_master AS m, ";
    let named: BTreeSet<String> = pairs(
        &database,
        &format!(
            "SELECT m.name AS a, c.name AS b {tables} pragma_table_info(m.name) AS c
             WHERE m.type = 'table' AND (c.name LIKE '%user_id' OR c.name LIKE '%owner%' OR c.name LIKE '%author%')"
        ),
    )
    .await
    .into_iter()
    .map(|(table, _)| table)
    .collect();
    let keys = pairs(
        &database,
        &format!(
            "SELECT m.name AS a, k.on_delete AS b {tables} pragma_foreign_key_list(m.name) AS k
             WHERE m.type = 'table' AND k.\"table\" = 'users'"
        ),
    )
    .await;
    let linked: BTreeSet<String> = keys.iter().map(|(table, _)| table.clone()).collect();
    assert!(named.len() > 8 && linked.len() > 7, "{named:?} {linked:?}");

    let exported: BTreeSet<&str> = Owned::ALL.map(Owned::table).into();
    let excepted: BTreeSet<&str> = NOT_EXPORTED.map(|(table, _)| table).into();
    for table in named.union(&linked) {
        let table = table.as_str();
        assert!(
            exported.contains(table) != excepted.contains(table),
            "{table} names people: export it (store/exports.rs), or say here why not"
        );
        assert!(linked.contains(table) || table == WITHOUT_KEY, "{table} names people without a foreign key");
    }
    for (table, on_delete) in keys {
        assert!(
            ["CASCADE", "SET NULL"].contains(&on_delete.as_str()),
            "{table} keeps a deleted account from going: {on_delete}"
        );
    }
}
