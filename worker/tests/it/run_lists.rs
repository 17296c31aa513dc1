//! Lists of runs are read from indexes, whatever their parent and order.

use std::collections::BTreeSet;

use entity::{
    connect::connect,
    store::{
        page::{Cursor, CursorKey, Float, PageRequest},
        run_lists::{self, RunFilter, RunList, RunOrderField, RunParent},
    },
    testing::TestDatabase,
};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use uuid::Uuid;

#[tokio::test]
async fn every_order_of_every_parent_has_an_index_that_serves_it() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let name = database.url.rsplit('/').next().unwrap();
    // A table without rows is not worth an index, unless there is no other way.
    for setting in ["enable_seqscan", "enable_bitmapscan", "enable_sort"] {
        database.db.execute_unprepared(&format!("ALTER DATABASE {name} SET {setting} = off")).await.unwrap();
    }
    let db = connect(&database.url, 1).await.unwrap();
    let parents = [RunParent::Design, RunParent::DesignVersion, RunParent::User, RunParent::Workload];
    let orders = [RunOrderField::CompletedAt, RunOrderField::ThroughputQps, RunOrderField::LatencyP99Ms];
    for parent in parents {
        for order in orders {
            for descending in [true, false] {
                let key = match order {
                    RunOrderField::CompletedAt => CursorKey::Time(entity::time::now()),
                    _ => CursorKey::Float(Float(1.5)),
                };
                let after = Some(Cursor { key, id: Uuid::now_v7() });
                let request = PageRequest { limit: 20, backward: false, after, before: None };
                let list = RunList { parent, filter: RunFilter::default(), order, descending };
                run_lists::lists(&db, &list, None, &[Uuid::now_v7()], &request).await.unwrap();
            }
        }
    }
    db.execute_unprepared("SELECT pg_stat_force_next_flush()").await.unwrap();
    let used = "SELECT indexrelname AS name FROM pg_stat_user_indexes \
                WHERE relname = 'simulation_runs' AND idx_scan >= 2";
    let rows = db.query_all_raw(Statement::from_string(DbBackend::Postgres, used)).await.unwrap();
    let used: BTreeSet<String> = rows.iter().map(|row| row.try_get("", "name").unwrap()).collect();
    for parent in ["design", "version", "user", "workload"] {
        for order in ["completed", "throughput", "latency"] {
            let index = format!("idx_runs_{parent}_{order}");
            assert!(used.contains(&index), "{index} is not among {used:?}");
        }
    }
}
