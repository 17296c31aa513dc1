//! How PostgreSQL answers the lists of designs: from indexes, in their order, however many designs there are.

use std::sync::{Arc, Mutex};

use entity::{
    DatabaseConnection,
    status::Visibility,
    store::{
        design_lists::{self, DesignFilter, DesignOrder, DesignScope},
        designs,
        page::PageRequest,
        runs, versions, workloads,
    },
    testing::TestDatabase,
};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use uuid::Uuid;

/// 20,000 designs of 100 users; a tenth of them is public, 100 are shared with each user, and 4 have a rare block.
const SEED: &str = r#"
    INSERT INTO users (id, handle, email, password_hash, role, tier, created_at, updated_at)
    SELECT lpad(n::text, 32, '0')::uuid, 'u' || n, 'u' || n, '', 'user', 'free', now(), now() FROM generate_series(1, 100) n;
    INSERT INTO designs (id, user_id, name, canvas_state, visibility, version, version_count, created_at, updated_at)
    SELECT gen_random_uuid(), lpad((n % 100 + 1)::text, 32, '0')::uuid, md5(n::text),
      jsonb_build_object('blocks', jsonb_build_array(
        jsonb_build_object('type', CASE WHEN n % 5000 = 0 THEN 'rare' ELSE 'disk' END))),
      CASE WHEN n % 10 = 3 THEN 'public' ELSE 'private' END, 1, 1,
      now() - n * interval '1 minute', now() - n * interval '1 second'
    FROM generate_series(1, 20000) n;
    INSERT INTO design_collaborators (design_id, user_id, role, created_at)
    SELECT id, lpad((abs(hashtext(name)) % 100 + 1)::text, 32, '0')::uuid, 'viewer', now() FROM designs LIMIT 10000;
    ANALYZE users, designs, design_collaborators;
"#;

struct Seeded {
    db: DatabaseConnection,
    statements: Arc<Mutex<Vec<Statement>>>,
    _database: TestDatabase,
}

impl Seeded {
    async fn new() -> Option<Self> {
        let database = TestDatabase::postgres().await?;
        database.db.execute_unprepared(SEED).await.unwrap();
        let statements = Arc::new(Mutex::new(Vec::new()));
        let (mut db, seen) = (database.db.clone(), statements.clone());
        db.set_metric_callback(move |info| seen.lock().unwrap().push(info.statement.clone()));
        Some(Self { db, statements, _database: database })
    }

    /// The plans of the statements that `work` sends.
    async fn plans_of<T>(&self, work: impl Future<Output = T>) -> String {
        self.statements.lock().unwrap().clear();
        work.await;
        let sent = std::mem::take(&mut *self.statements.lock().unwrap());
        let mut plan = String::new();
        for mut statement in sent {
            statement.sql = format!("EXPLAIN {}", statement.sql);
            for row in self.db.query_all_raw(statement).await.unwrap() {
                plan.push_str(&row.try_get_by_index::<String>(0).unwrap());
                plan.push('\n');
            }
        }
        plan
    }
}

fn page() -> PageRequest {
    PageRequest { limit: 20, backward: false, after: None, before: None }
}

#[tokio::test]
async fn lists_are_read_from_the_index_of_their_order() {
    let Some(seeded) = Seeded::new().await else { return };
    assert_eq!(seeded.db.get_database_backend(), DbBackend::Postgres);
    let viewer = Uuid::from_u128(7);
    for (order, public, own) in [
        (DesignOrder::UpdatedAt, "idx_designs_public ", "idx_designs_user"),
        (DesignOrder::CreatedAt, "idx_designs_public_created", "idx_designs_user"),
        (DesignOrder::Name, "idx_designs_public_name", "idx_designs_user"),
    ] {
        for descending in [false, true] {
            for scope in [
                DesignScope::VisibleTo(None),
                DesignScope::VisibleTo(Some(viewer)),
                DesignScope::OwnedBy { owner: viewer, viewer: Some(viewer) },
                DesignScope::OwnedBy { owner: viewer, viewer: None },
            ] {
                let filter = DesignFilter::default();
                let plan = seeded
                    .plans_of(design_lists::list(&seeded.db, scope, &filter, order, descending, &page()))
                    .await;
                let context = format!("{order:?} {scope:?}\n{plan}");
                assert!(!plan.contains("Seq Scan"), "{context}");
                if matches!(scope, DesignScope::VisibleTo(_)) {
                    assert!(plan.contains(public), "{context}");
                }
                if scope != DesignScope::VisibleTo(None) {
                    assert!(plan.contains(own), "{context}");
                }
            }
        }
    }
}

#[tokio::test]
async fn rare_blocks_share_tokens_and_counts_are_found_by_index() {
    let Some(seeded) = Seeded::new().await else { return };
    let viewer = Uuid::from_u128(7);
    let filter = DesignFilter { block_types: Some(vec!["rare".into()]), ..Default::default() };
    let scope = DesignScope::VisibleTo(None);
    let order = DesignOrder::UpdatedAt;
    let plan = seeded.plans_of(design_lists::list(&seeded.db, scope, &filter, order, true, &page())).await;
    assert!(plan.contains("idx_designs_canvas") && !plan.contains("Seq Scan"), "{plan}");

    let plan = seeded.plans_of(designs::find_shared(&seeded.db, "hash")).await;
    assert!(plan.contains("idx_designs_share") && !plan.contains("Seq Scan"), "{plan}");

    let plan = seeded.plans_of(design_lists::count_owned(&seeded.db, viewer)).await;
    assert!(plan.contains("idx_designs_user") && !plan.contains("Seq Scan"), "{plan}");

    let filter = DesignFilter { visibility: Some(vec![Visibility::Public]), ..Default::default() };
    let plan = seeded.plans_of(design_lists::count(&seeded.db, DesignScope::VisibleTo(None), &filter)).await;
    assert!(plan.contains("idx_designs_public"), "{plan}");
}

#[tokio::test]
async fn the_way_to_the_head_of_a_branch_is_walked_by_index() {
    let Some(seeded) = Seeded::new().await else { return };
    // 20,000 versions of 20 designs; each has one branch.
    const VERSIONS: &str = "
        INSERT INTO design_branches (id, design_id, name, head_number, created_at)
        SELECT id, id, 'main', 1000, now() FROM (SELECT id FROM designs ORDER BY name LIMIT 20) d;
        INSERT INTO design_versions (id, design_id, version_number, branch_id, parent_number, canvas_state, created_at)
        SELECT gen_random_uuid(), id, n, id, nullif(n - 1, 0), '{}', now() FROM design_branches, generate_series(1, 1000) n;
        ANALYZE design_branches, design_versions;";
    seeded.db.execute_unprepared(VERSIONS).await.unwrap();
    let row = seeded
        .db
        .query_one_raw(Statement::from_string(DbBackend::Postgres, "SELECT id FROM design_branches LIMIT 1"));
    let id: Uuid = row.await.unwrap().unwrap().try_get_by_index(0).unwrap();
    let plan = seeded.plans_of(versions::version_lists(&seeded.db, &[id], Some("main"), &page())).await;
    assert!(plan.contains("idx_versions_design") && !plan.contains("Seq Scan on design_versions"), "{plan}");
    let page =
        versions::version_lists(&seeded.db, &[id], Some("main"), &page()).await.unwrap().remove(&id).unwrap();
    assert_eq!((page.rows.len(), page.rows[0].version_number, page.has_next), (20, 1000, true));
    assert_eq!(versions::count_versions(&seeded.db, &[id], Some("main")).await.unwrap()[&id], 1000);
}

#[tokio::test]
async fn runs_and_their_workloads_are_found_by_id_however_many_there_are() {
    let Some(seeded) = Seeded::new().await else { return };
    // 20,000 runs of 20 designs, half of which are public, with one workload that is no template.
    const RUNS: &str = "
        CREATE TEMPORARY TABLE twenty AS (SELECT id FROM designs WHERE visibility = 'public' LIMIT 10)
          UNION ALL (SELECT id FROM designs WHERE visibility = 'private' LIMIT 10);
        DELETE FROM designs WHERE id NOT IN (SELECT id FROM twenty);
        INSERT INTO design_branches (id, design_id, name, head_number, created_at) SELECT id, id, 'main', 1, now() FROM designs;
        INSERT INTO design_versions (id, design_id, version_number, branch_id, canvas_state, created_at)
        SELECT id, id, 1, id, '{}', now() FROM designs;
        INSERT INTO workloads (id, name, operations, tables, config, is_template, created_at, updated_at)
        VALUES (lpad('9', 32, '0')::uuid, 'w', '[]', '[]', '{}', FALSE, now(), now());
        INSERT INTO simulation_runs (id, design_id, design_version_id, workload_id, status, engine, started_at, created_at,
          event_count, event_bytes)
        SELECT gen_random_uuid(), id, id, lpad('9', 32, '0')::uuid, 'completed', 'client', now(), now(), 0, 0
        FROM designs, generate_series(1, 1000);
        ANALYZE designs, simulation_runs, workloads;";
    seeded.db.execute_unprepared(RUNS).await.unwrap();
    let some = "SELECT id FROM simulation_runs LIMIT 5";
    let rows = seeded.db.query_all_raw(Statement::from_string(DbBackend::Postgres, some)).await.unwrap();
    let ids: Vec<Uuid> = rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
    for viewer in [None, Some(Uuid::from_u128(7))] {
        let plan = seeded.plans_of(runs::find_visible(&seeded.db, &ids, viewer)).await;
        // The order of the tables is fixed: whatever the planner knows of the values, designs are looked up for runs.
        assert!(plan.contains("simulation_runs_pkey") && plan.contains("SubPlan"), "{plan}");
        assert!(!plan.contains("Seq Scan on simulation_runs"), "{plan}");
        let plan = seeded.plans_of(workloads::find_visible(&seeded.db, &[Uuid::from_u128(9)], viewer)).await;
        assert!(!plan.contains("Seq Scan on simulation_runs"), "{plan}");
        assert_eq!(
            workloads::find_visible(&seeded.db, &[Uuid::from_u128(9)], viewer).await.unwrap().len(),
            1
        );
    }
    let plan = seeded.plans_of(runs::sources(&seeded.db, &ids)).await;
    assert!(plan.contains("simulation_runs_pkey") && !plan.contains("Seq Scan on simulation_runs"), "{plan}");
}
