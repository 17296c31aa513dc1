//! Lists of designs.
//!
//! What a viewer finds is put together of their own, those shared with them, and the public ones. Each part is read in the
//! order of the list from an index of its own, as far as the page needs: no list sorts all that there is.

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, QueryFilter,
    QuerySelect, QueryTrait, Select,
    sea_query::{
        Asterisk, Expr, ExprTrait, Func, Query, SelectStatement, UnionType, extension::postgres::PgExpr,
    },
};
use serde_json::json;
use uuid::Uuid;

use super::{
    design_access::{shared_with, visibility, word},
    page::{Cursor, CursorKey, Keyset, Page, PageRequest},
};
use crate::{StoreError, design, status::Visibility};

/// Which designs a list holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DesignFilter {
    /// Words that name or description contain, whatever their case.
    pub search: Option<String>,
    pub visibility: Option<Vec<Visibility>>,
    /// Types of blocks that are all on the canvas.
    pub block_types: Option<Vec<String>>,
    pub updated_since: Option<chrono::DateTime<chrono::Utc>>,
    /// Whether the viewer's own archived designs are listed too.
    pub include_archived: bool,
}

/// Whose list it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DesignScope {
    /// What the viewer (none: an anonymous one) finds: their own, those shared with them, and the public ones.
    VisibleTo(Option<Uuid>),
    /// Designs of `owner` as far as `viewer` may see them listed.
    OwnedBy { owner: Uuid, viewer: Option<Uuid> },
}

/// What a list of designs is sorted by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DesignOrder {
    CreatedAt,
    UpdatedAt,
    Name,
}

impl DesignOrder {
    /// The place of a row in a list of this order.
    pub fn cursor(self, row: &design::Head) -> Cursor {
        let key = match self {
            Self::CreatedAt => CursorKey::Time(row.created_at),
            Self::UpdatedAt => CursorKey::Time(row.updated_at),
            Self::Name => CursorKey::Text(row.name.clone()),
        };
        Cursor { key, id: row.id }
    }

    fn keyset(self, descending: bool) -> Keyset {
        let key = match self {
            Self::CreatedAt => "created_at",
            Self::UpdatedAt => "updated_at",
            Self::Name => "name",
        };
        Keyset { key: Expr::col(key), id: Expr::col("id"), descending }
    }
}

/// A page of a list of designs.
pub async fn list(
    db: &impl ConnectionTrait,
    scope: DesignScope,
    filter: &DesignFilter,
    order: DesignOrder,
    descending: bool,
    request: &PageRequest,
) -> Result<Page<design::Head>, StoreError> {
    let backend = db.get_database_backend();
    let keyset = order.keyset(descending);
    let direction = keyset.direction(request);
    let parts = parts(scope, filter, backend);
    let statement = union(parts.into_iter().map(|part| keyset.apply(part, request).into_query()))
        .order_by_expr(keyset.key, direction.clone())
        .order_by_expr(keyset.id, direction)
        .limit(request.fetch())
        .to_owned();
    let rows = design::Head::find_by_statement(backend.build(&statement)).all(db).await?;
    Ok(Page::of(rows, request))
}

/// How many designs the whole list holds.
pub async fn count(
    db: &impl ConnectionTrait,
    scope: DesignScope,
    filter: &DesignFilter,
) -> Result<u64, StoreError> {
    #[derive(FromQueryResult)]
    struct Count {
        designs: i64,
    }
    let backend = db.get_database_backend();
    let ids = parts(scope, filter, backend)
        .into_iter()
        .map(|part| part.select_only().column(design::Column::Id).into_query());
    let statement = Query::select()
        .expr_as(Expr::col("id").count(), "designs")
        .from_subquery(union(ids), "listed")
        .to_owned();
    let counted = Count::find_by_statement(backend.build(&statement)).one(db).await?;
    Ok(counted.map_or(0, |count| count.designs.unsigned_abs()))
}

/// How many designs of this owner are not archived.
pub async fn count_owned(db: &impl ConnectionTrait, owner: Uuid) -> Result<u64, StoreError> {
    let scope = DesignScope::OwnedBy { owner, viewer: Some(owner) };
    count(db, scope, &DesignFilter::default()).await
}

/// All rows of all parts. SQLite orders and limits a part only inside a subquery of its own.
fn union(parts: impl IntoIterator<Item = SelectStatement>) -> SelectStatement {
    let all = |part| Query::select().column(Asterisk).from_subquery(part, "part").to_owned();
    let mut parts = parts.into_iter().map(all);
    let mut joined = parts.next().unwrap_or_default();
    for part in parts {
        joined.union(UnionType::All, part);
    }
    Query::select().column(Asterisk).from_subquery(joined, "designs").to_owned()
}

/// The parts of a list; no design is in two of them.
fn parts(scope: DesignScope, filter: &DesignFilter, backend: DbBackend) -> Vec<Select<design::Entity>> {
    let owned_by = |id| design::Column::UserId.eq(id);
    let public = || visibility().eq(word(Visibility::Public));
    let living = || design::Column::DeletedAt.is_null();
    let conditions = match scope {
        DesignScope::VisibleTo(None) => vec![Condition::all().add(public()).add(living())],
        DesignScope::VisibleTo(Some(viewer)) => {
            let of_others = || {
                Condition::any().add(design::Column::UserId.is_null()).add(design::Column::UserId.ne(viewer))
            };
            vec![
                Condition::all().add(owned_by(viewer)).add_option((!filter.include_archived).then(living)),
                Condition::all()
                    .add(shared_with(viewer))
                    .add(visibility().ne(word(Visibility::Public)))
                    .add(of_others())
                    .add(living()),
                Condition::all().add(public()).add(of_others()).add(living()),
            ]
        }
        DesignScope::OwnedBy { owner, viewer } if viewer == Some(owner) => {
            vec![Condition::all().add(owned_by(owner)).add_option((!filter.include_archived).then(living))]
        }
        DesignScope::OwnedBy { owner, viewer } => {
            let listed = Condition::any().add(public()).add_option(viewer.map(shared_with));
            vec![Condition::all().add(owned_by(owner)).add(listed).add(living())]
        }
    };
    let passes = passes(filter, backend);
    conditions
        .into_iter()
        .map(|of_scope| {
            let select = design::Entity::find().select_only().columns(design::Head::columns());
            select.filter(of_scope).filter(passes.clone())
        })
        .collect()
}

/// The condition of a filter, whoever's list it is for.
fn passes(filter: &DesignFilter, backend: DbBackend) -> Condition {
    let mut all = Condition::all();
    if let Some(words) = filter.search.as_deref().map(str::trim).filter(|words| !words.is_empty()) {
        let columns = [design::Column::Name, design::Column::Description];
        let found = columns.map(|column| contains(column, words, backend));
        all = all.add(found.into_iter().fold(Condition::any(), Condition::add));
    }
    if let Some(visibility) = &filter.visibility {
        all = all.add(design::Column::Visibility.is_in(visibility.iter().copied()));
    }
    if let Some(types) = filter.block_types.as_ref().filter(|types| !types.is_empty()) {
        all = all.add(has_blocks(types, backend));
    }
    if let Some(since) = filter.updated_since {
        all = all.add(design::Column::UpdatedAt.gte(since));
    }
    all
}

fn contains(column: design::Column, words: &str, backend: DbBackend) -> Expr {
    // Both sides folded by the database: SQLite folds ASCII letters alone, and must do so to both.
    let folded = Expr::expr(Func::lower(column.into_expr()));
    let pattern = Expr::expr(Func::lower(Expr::val(format!("%{}%", escape_like(words)))));
    let like = match backend {
        DbBackend::Postgres => "$1 LIKE $2 ESCAPE '!'",
        _ => "? LIKE ? ESCAPE '!'",
    };
    Expr::cust_with_exprs(like, [folded, pattern])
}

/// Makes the wildcards of LIKE stand for themselves.
fn escape_like(text: &str) -> String {
    text.replace('!', "!!").replace('%', "!%").replace('_', "!_")
}

/// The canvas has a block of each of these types. On PostgreSQL a containment, which its GIN index answers.
fn has_blocks(types: &[String], backend: DbBackend) -> Condition {
    if backend == DbBackend::Postgres {
        let blocks: Vec<_> = types.iter().map(|kind| json!({ "type": kind })).collect();
        let pattern = Expr::val(json!({ "blocks": blocks }));
        return Condition::all().add(design::Column::CanvasState.into_expr().contains(pattern));
    }
    types.iter().fold(Condition::all(), |all, kind| {
        all.add(Expr::cust_with_values(
            "EXISTS (SELECT 1 FROM json_each(designs.canvas_state, '$.blocks') WHERE json_extract(value, '$.type') = ?)",
            [kind.as_str()],
        ))
    })
}
