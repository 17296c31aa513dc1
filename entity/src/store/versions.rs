//! Versions of designs, and the branches that they are on. Versions form a graph: each has up to two parents.
//!
//! Finders that take the id of a design trust their caller to have checked that the viewer may read it.

use std::collections::HashMap;

use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult, IntoActiveModel,
    Iterable, QueryFilter, QuerySelect, Set,
    sea_query::{CommonTableExpression, Expr, ExprTrait, JoinType, Query, SelectStatement, UnionType},
};
use serde_json::Value as Json;
use uuid::Uuid;

use super::{
    design_access,
    page::{Keyset, Page, PageRequest, children_of_many},
};
use crate::{DatabaseTransaction, StoreError, design_branch, design_version, time::now};

/// Name of the branch whose head is the canvas of its design.
pub const DEFAULT_BRANCH: &str = "main";

/// A version to append.
pub struct NewVersion {
    pub design_id: Uuid,
    pub number: i32,
    pub branch_id: Uuid,
    pub parent_number: Option<i32>,
    pub merged_number: Option<i32>,
    pub canvas_state: Json,
    pub message: Option<String>,
    pub author_id: Uuid,
}

/// Appends a version. The caller holds the design's row locked, and has the number from it.
pub(super) async fn append(
    txn: &DatabaseTransaction,
    new: NewVersion,
) -> Result<design_version::Model, StoreError> {
    let row = design_version::Model {
        id: Uuid::now_v7(),
        design_id: new.design_id,
        version_number: new.number,
        branch_id: Some(new.branch_id),
        parent_number: new.parent_number,
        merged_number: new.merged_number,
        canvas_state: new.canvas_state,
        commit_message: new.message,
        author_id: Some(new.author_id),
        created_at: now(),
    };
    // A canvas need not come back from where it was just sent.
    let written = row.clone().into_active_model().reset_all();
    design_version::Entity::insert(written).exec_without_returning(txn).await?;
    Ok(row)
}

/// The versions with these ids whose design the viewer may open, in any order.
pub async fn find_visible_versions(
    db: &impl ConnectionTrait,
    ids: &[Uuid],
    viewer: Option<Uuid>,
) -> Result<Vec<design_version::Model>, StoreError> {
    let versions = design_version::Entity::find()
        .filter(design_version::Column::Id.is_in(ids.iter().copied()))
        .all(db)
        .await?;
    let designs: Vec<Uuid> = versions.iter().map(|version| version.design_id).collect();
    let visible = design_access::of_viewer(db, &designs, viewer).await?;
    Ok(versions.into_iter().filter(|version| visible.contains_key(&version.design_id)).collect())
}

/// The version of a design with this number, or the head of its default branch.
pub async fn find_version(
    db: &impl ConnectionTrait,
    design_id: Uuid,
    number: Option<i32>,
) -> Result<Option<design_version::Model>, StoreError> {
    let number = match number {
        Some(number) => number,
        None => match find_branches(db, &[design_id]).await?.pop() {
            Some(default) => default.head_number,
            None => return Ok(None),
        },
    };
    Ok(find_versions(db, &[(design_id, number)]).await?.pop())
}

/// The versions of designs with these numbers, in any order.
pub async fn find_versions(
    db: &impl ConnectionTrait,
    numbers: &[(Uuid, i32)],
) -> Result<Vec<design_version::Model>, StoreError> {
    let one = |(design_id, number): &(Uuid, i32)| {
        Condition::all()
            .add(design_version::Column::DesignId.eq(*design_id))
            .add(design_version::Column::VersionNumber.eq(*number))
    };
    let any = numbers.iter().map(one).fold(Condition::any(), Condition::add);
    Ok(design_version::Entity::find().filter(any).all(db).await?)
}

/// The requested page of the versions of each design, newest first: all of them, or those that led to the head of a branch.
pub async fn version_lists(
    db: &impl ConnectionTrait,
    design_ids: &[Uuid],
    branch: Option<&str>,
    request: &PageRequest,
) -> Result<HashMap<Uuid, Page<design_version::Model>>, StoreError> {
    let keyset = Keyset { key: Expr::col("version_number"), id: Expr::col("id"), descending: true };
    let mut select =
        Query::select().columns(design_version::Column::iter()).from(design_version::Entity).to_owned();
    if let Some(branch) = branch {
        select.and_where(led_to_head(design_ids, branch));
    }
    let parent_of = |row: &design_version::Model| row.design_id;
    children_of_many(db, select, "design_id", design_ids, &keyset, request, parent_of).await
}

/// How many versions each design has, on all branches or on the way to the head of one. A design without any is absent.
pub async fn count_versions(
    db: &impl ConnectionTrait,
    design_ids: &[Uuid],
    branch: Option<&str>,
) -> Result<HashMap<Uuid, u64>, StoreError> {
    let counts = design_version::Entity::find()
        .select_only()
        .column(design_version::Column::DesignId)
        .column_as(design_version::Column::VersionNumber.count(), "rows")
        .filter(design_version::Column::DesignId.is_in(design_ids.iter().copied()))
        .filter(Condition::all().add_option(branch.map(|branch| led_to_head(design_ids, branch))))
        .group_by(design_version::Column::DesignId);
    Ok(Count::by_design(counts.into_model().all(db).await?))
}

#[derive(FromQueryResult)]
struct Count {
    design_id: Uuid,
    rows: i64,
}

impl Count {
    fn by_design(counts: Vec<Self>) -> HashMap<Uuid, u64> {
        counts.into_iter().map(|count| (count.design_id, count.rows.unsigned_abs())).collect()
    }
}

/// Versions that are the head of the branch of this name, or one of its ancestors.
fn led_to_head(design_ids: &[Uuid], branch: &str) -> Expr {
    let heads = Query::select()
        .columns([design_branch::Column::DesignId, design_branch::Column::HeadNumber])
        .from(design_branch::Entity)
        .and_where(design_branch::Column::DesignId.is_in(design_ids.iter().copied()))
        .and_where(design_branch::Column::Name.eq(branch))
        .to_owned();
    let parents = Query::select()
        .columns([("parent", "design_id"), ("parent", "version_number")])
        .from("history")
        .join_as(
            JoinType::InnerJoin,
            design_version::Entity,
            "child",
            Condition::all()
                .add(Expr::col(("child", "design_id")).equals(("history", "design_id")))
                .add(Expr::col(("child", "version_number")).equals(("history", "number"))),
        )
        .join_as(
            JoinType::InnerJoin,
            design_version::Entity,
            "parent",
            Condition::all().add(Expr::col(("parent", "design_id")).equals(("child", "design_id"))).add(
                Expr::col(("parent", "version_number"))
                    .is_in([Expr::col(("child", "parent_number")), Expr::col(("child", "merged_number"))]),
            ),
        )
        .to_owned();
    let history = CommonTableExpression::new()
        .query(heads.clone().union(UnionType::Distinct, parents).to_owned())
        .columns(["design_id", "number"])
        .table_name("history")
        .to_owned();
    let found: SelectStatement = Query::select()
        .columns(["design_id", "number"])
        .from("history")
        .with_cte(Query::with().recursive(true).cte(history).to_owned())
        .to_owned();
    Expr::tuple([Expr::col("design_id"), Expr::col("version_number")]).in_subquery(found)
}

/// A version's place in the graph of its design.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Lineage {
    pub version_number: i32,
    pub parent_number: Option<i32>,
    pub merged_number: Option<i32>,
}

/// The graph of a design's versions.
pub async fn lineage(db: &impl ConnectionTrait, design_id: Uuid) -> Result<Vec<Lineage>, StoreError> {
    Ok(design_version::Entity::find()
        .select_only()
        .columns([
            design_version::Column::VersionNumber,
            design_version::Column::ParentNumber,
            design_version::Column::MergedNumber,
        ])
        .filter(design_version::Column::DesignId.eq(design_id))
        .into_model()
        .all(db)
        .await?)
}

/// Adds a branch. [`StoreError::Taken`] when the design has one of this name.
pub async fn insert_branch(
    db: &impl ConnectionTrait,
    id: Uuid,
    design_id: Uuid,
    name: String,
    head_number: i32,
) -> Result<design_branch::Model, StoreError> {
    let row = design_branch::ActiveModel {
        id: Set(id),
        design_id: Set(design_id),
        name: Set(name),
        head_number: Set(head_number),
        created_at: Set(now()),
    };
    Ok(row.insert(db).await?)
}

/// The branch of a design with this name.
pub async fn find_branch(
    db: &impl ConnectionTrait,
    design_id: Uuid,
    name: &str,
) -> Result<Option<design_branch::Model>, StoreError> {
    Ok(design_branch::Entity::find()
        .filter(design_branch::Column::DesignId.eq(design_id))
        .filter(design_branch::Column::Name.eq(name))
        .one(db)
        .await?)
}

/// The branches with these ids, in any order. The id of a design is the id of its default branch.
pub async fn find_branches(
    db: &impl ConnectionTrait,
    ids: &[Uuid],
) -> Result<Vec<design_branch::Model>, StoreError> {
    Ok(design_branch::Entity::find()
        .filter(design_branch::Column::Id.is_in(ids.iter().copied()))
        .all(db)
        .await?)
}

/// The branches with these ids whose design the viewer may open, in any order.
pub async fn find_visible_branches(
    db: &impl ConnectionTrait,
    ids: &[Uuid],
    viewer: Option<Uuid>,
) -> Result<Vec<design_branch::Model>, StoreError> {
    let branches = find_branches(db, ids).await?;
    let designs: Vec<Uuid> = branches.iter().map(|branch| branch.design_id).collect();
    let visible = design_access::of_viewer(db, &designs, viewer).await?;
    Ok(branches.into_iter().filter(|branch| visible.contains_key(&branch.design_id)).collect())
}

/// The requested page of the branches of each design, oldest first: the default one leads.
pub async fn branch_lists(
    db: &impl ConnectionTrait,
    design_ids: &[Uuid],
    request: &PageRequest,
) -> Result<HashMap<Uuid, Page<design_branch::Model>>, StoreError> {
    let keyset = Keyset { key: Expr::col("created_at"), id: Expr::col("id"), descending: false };
    let select =
        Query::select().columns(design_branch::Column::iter()).from(design_branch::Entity).to_owned();
    let parent_of = |row: &design_branch::Model| row.design_id;
    children_of_many(db, select, "design_id", design_ids, &keyset, request, parent_of).await
}

/// How many branches each design has.
pub async fn count_branches(
    db: &impl ConnectionTrait,
    design_ids: &[Uuid],
) -> Result<HashMap<Uuid, u64>, StoreError> {
    let counts = design_branch::Entity::find()
        .select_only()
        .column(design_branch::Column::DesignId)
        .column_as(design_branch::Column::Id.count(), "rows")
        .filter(design_branch::Column::DesignId.is_in(design_ids.iter().copied()))
        .group_by(design_branch::Column::DesignId);
    Ok(Count::by_design(counts.into_model().all(db).await?))
}

/// Moves a branch on to a version.
pub(super) async fn move_head(
    txn: &DatabaseTransaction,
    branch: design_branch::Model,
    number: i32,
) -> Result<design_branch::Model, StoreError> {
    let mut row: design_branch::ActiveModel = branch.into();
    row.head_number = Set(number);
    Ok(row.update(txn).await?)
}
