//! Designs from before branches and share links get both.

use std::collections::HashSet;

use entity::{
    design, design_version,
    store::{designs, versions},
    testing::TestDatabase,
};
use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, EntityTrait, QueryOrder};
use uuid::Uuid;

const FIRST: &str = "m20260121_000001_create_design_branches";

/// Two designs, one with three versions; written as both databases read it.
fn before(uuid: impl Fn(u128) -> String) -> String {
    let (user, one, other) = (uuid(1), uuid(2), uuid(3));
    let now = "'2026-01-01 00:00:00+00:00'";
    let mut sql = format!(
        "INSERT INTO users (id, handle, email, password_hash, role, tier, created_at, updated_at)
           VALUES ({user}, 'ada', 'ada', '', 'user', 'free', {now}, {now});"
    );
    for (design, versions) in [(&one, 1..=3), (&other, 1..=1)] {
        sql += &format!(
            "INSERT INTO designs (id, user_id, name, canvas_state, visibility, version, created_at, updated_at)
               VALUES ({design}, {user}, 'D', '{{}}', 'unlisted', 7, {now}, {now});"
        );
        for number in versions {
            sql += &format!(
                "INSERT INTO design_versions (id, design_id, version_number, canvas_state, created_at)
                   VALUES ({}, {design}, {number}, '{{}}', {now});",
                uuid(Uuid::now_v7().as_u128())
            );
        }
    }
    sql
}

#[tokio::test]
async fn designs_from_before_branches_and_links_get_both() {
    for database in TestDatabase::all().await {
        let (db, kind) = (&database.db, database.kind);
        let steps = Migrator::migrations();
        let kept = steps.iter().position(|step| step.name() == FIRST).unwrap();
        Migrator::down(db.pool(), Some(u32::try_from(steps.len() - kept).unwrap())).await.unwrap();
        let sql = before(|id| match kind {
            "sqlite" => format!("X'{}'", Uuid::from_u128(id).simple()),
            _ => format!("'{}'", Uuid::from_u128(id)),
        });
        db.execute_unprepared(&sql).await.unwrap();
        Migrator::up(db.pool(), None).await.unwrap();

        let [one, other] = [2, 3].map(Uuid::from_u128);
        let mut hashes = HashSet::new();
        for (id, count) in [(one, 3), (other, 1)] {
            let design = design::Entity::find_by_id(id).one(db).await.unwrap().unwrap();
            assert_eq!((design.version, design.version_count), (7, count), "{kind}");
            assert_eq!(design.changed_by_id, Some(Uuid::from_u128(1)));
            assert_eq!(design.share_token.unwrap().len(), 48);
            let hash = design.share_token_hash.unwrap();
            assert_eq!(designs::find_shared(db, &hash).await.unwrap().unwrap().id, id, "{kind}");
            hashes.insert(hash);
            let branch = versions::find_branch(db, id, "main").await.unwrap().unwrap();
            assert!(branch.is_default());
            assert_eq!(branch.head_number, count);
            let head = versions::find_version(db, id, None).await.unwrap().unwrap();
            assert_eq!((head.version_number, head.branch_id), (count, Some(id)));
        }
        assert_eq!(hashes.len(), 2);
        let rows =
            design_version::Entity::find().order_by_asc(design_version::Column::VersionNumber).all(db).await;
        let parents: Vec<_> = rows
            .unwrap()
            .into_iter()
            .filter(|row| row.design_id == one)
            .map(|row| row.parent_number)
            .collect();
        assert_eq!(parents, [None, Some(1), Some(2)], "{kind}");
    }
}
