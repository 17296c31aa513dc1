//! Pages of a list by keyset: a page starts where another ended, whatever was inserted meanwhile.

use std::{
    collections::HashMap,
    hash::{Hash, Hasher},
};

use chrono::{DateTime, Utc};
use sea_orm::{
    ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, Order, QueryFilter, QueryOrder, QuerySelect,
    Select, Value,
    sea_query::{
        Asterisk, Cond, Condition, Expr, ExprTrait, Func, JoinType, Query, SelectStatement, WindowStatement,
    },
};
use uuid::Uuid;

use crate::StoreError;

/// A place in a list: the sort key of a row, and its id for rows with equal keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    pub key: CursorKey,
    pub id: Uuid,
}

/// The value a list is sorted by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CursorKey {
    Time(DateTime<Utc>),
    Text(String),
    Integer(i64),
    Float(Float),
}

/// A number that is the same as another when its bits are, so that it can be part of a loader's key.
#[derive(Clone, Copy, Debug)]
pub struct Float(pub f64);

impl PartialEq for Float {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Float {}

impl Hash for Float {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

impl CursorKey {
    fn value(&self) -> Value {
        match self {
            Self::Time(time) => (*time).into(),
            Self::Text(text) => text.clone().into(),
            Self::Integer(value) => (*value).into(),
            Self::Float(value) => value.0.into(),
        }
    }
}

/// Which part of a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PageRequest {
    /// Rows at most.
    pub limit: u64,
    /// Whether the rows are the last ones of the range (`last`) rather than the first (`first`).
    pub backward: bool,
    pub after: Option<Cursor>,
    pub before: Option<Cursor>,
}

/// A part of a list, in the list's order.
#[derive(Clone, Debug)]
pub struct Page<T> {
    pub rows: Vec<T>,
    pub has_previous: bool,
    pub has_next: bool,
}

impl<T> Page<T> {
    /// The page without anything in it.
    pub fn empty() -> Self {
        Self { rows: Vec::new(), has_previous: false, has_next: false }
    }

    /// Makes the page of the rows that a query limited to [`PageRequest::fetch`] found, in the order it found them.
    pub fn of(mut rows: Vec<T>, request: &PageRequest) -> Self {
        let more = rows.len() as u64 > request.limit;
        rows.truncate(usize::try_from(request.limit).unwrap_or(usize::MAX));
        if request.backward {
            rows.reverse();
            Self { rows, has_previous: more, has_next: request.before.is_some() }
        } else {
            Self { rows, has_previous: request.after.is_some(), has_next: more }
        }
    }
}

impl PageRequest {
    /// Rows to ask the database for: one more than wanted, which tells whether the list goes on.
    pub fn fetch(&self) -> u64 {
        self.limit + 1
    }
}

/// The order of a list: by an expression, then by id.
#[derive(Clone, Debug)]
pub struct Keyset {
    pub key: Expr,
    pub id: Expr,
    pub descending: bool,
}

impl Keyset {
    /// Direction to read in: the list's own, or the opposite when the page is counted from its end.
    pub fn direction(&self, request: &PageRequest) -> Order {
        if self.descending == request.backward { Order::Asc } else { Order::Desc }
    }

    /// The rows between the request's cursors.
    pub fn range(&self, request: &PageRequest) -> Condition {
        // Compared as one row value, which an index on both columns answers with one range.
        let place = || Expr::tuple([self.key.clone(), self.id.clone()]);
        let beyond = |cursor: &Cursor, larger: bool| {
            let cursor = Expr::tuple([Expr::val(cursor.key.value()), Expr::val(cursor.id)]);
            if larger { place().gt(cursor) } else { place().lt(cursor) }
        };
        Cond::all()
            .add_option(request.after.as_ref().map(|cursor| beyond(cursor, !self.descending)))
            .add_option(request.before.as_ref().map(|cursor| beyond(cursor, self.descending)))
    }

    /// Narrows, orders and limits `select` to the requested page; hand its rows to [`Page::of`].
    pub fn apply<E: EntityTrait>(&self, select: Select<E>, request: &PageRequest) -> Select<E> {
        let direction = self.direction(request);
        select
            .filter(self.range(request))
            .order_by(self.key.clone(), direction.clone())
            .order_by(self.id.clone(), direction)
            .limit(request.fetch())
    }
}

/// Reads the requested page of the children of many parents in one statement.
///
/// `children` selects the wanted columns of all children; `parent` is the column that names a child's parent and `parent_of`
/// reads it from a row. PostgreSQL walks one index range a parent (a lateral join); SQLite numbers the rows of each parent.
pub async fn children_of_many<M: FromQueryResult>(
    db: &impl ConnectionTrait,
    children: SelectStatement,
    parent: &'static str,
    parents: &[Uuid],
    keyset: &Keyset,
    request: &PageRequest,
    parent_of: impl Fn(&M) -> Uuid,
) -> Result<HashMap<Uuid, Page<M>>, StoreError> {
    let direction = keyset.direction(request);
    let mut children = children;
    children.cond_where(keyset.range(request));
    let statement = if db.get_database_backend() == DbBackend::Postgres {
        children
            .and_where(Expr::col(parent).equals(("parent", "parent")))
            .order_by_expr(keyset.key.clone(), direction.clone())
            .order_by_expr(keyset.id.clone(), direction.clone())
            .limit(request.fetch());
        Query::select()
            .column(("child", Asterisk))
            .from_function(Func::cust("unnest").arg(parents.to_vec()), "parent")
            .join_lateral(JoinType::InnerJoin, children, "child", Cond::all().add(Expr::val(true)))
            .order_by_expr(keyset.key.clone(), direction.clone())
            .order_by_expr(keyset.id.clone(), direction)
            .to_owned()
    } else {
        let numbering = WindowStatement::partition_by(parent)
            .order_by_expr(keyset.key.clone(), direction.clone())
            .order_by_expr(keyset.id.clone(), direction)
            .to_owned();
        children.and_where(Expr::col(parent).is_in(parents.iter().copied())).expr_window_as(
            Func::cust("ROW_NUMBER"),
            numbering,
            "place",
        );
        Query::select()
            .column(Asterisk)
            .from_subquery(children, "child")
            .and_where(Expr::col("place").lte(request.fetch()))
            .order_by("place", Order::Asc)
            .to_owned()
    };
    let rows = M::find_by_statement(db.get_database_backend().build(&statement)).all(db).await?;
    let lists = group_by(rows, parent_of);
    Ok(lists.into_iter().map(|(parent, rows)| (parent, Page::of(rows, request))).collect())
}

/// Sorts rows into lists by a key, keeping their order within each list.
pub fn group_by<K: Eq + Hash, T>(
    rows: impl IntoIterator<Item = T>,
    key: impl Fn(&T) -> K,
) -> HashMap<K, Vec<T>> {
    let mut lists: HashMap<K, Vec<T>> = HashMap::new();
    for row in rows {
        lists.entry(key(&row)).or_default().push(row);
    }
    lists
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(backward: bool) -> PageRequest {
        PageRequest { limit: 2, backward, after: None, before: None }
    }

    #[test]
    fn one_row_more_than_asked_for_means_that_the_list_goes_on() {
        let forward = Page::of(vec![1, 2, 3], &request(false));
        assert_eq!((forward.rows, forward.has_next, forward.has_previous), (vec![1, 2], true, false));
        let backward = Page::of(vec![9, 8, 7], &request(true));
        assert_eq!((backward.rows, backward.has_next, backward.has_previous), (vec![8, 9], false, true));
    }

    #[test]
    fn reading_from_the_end_turns_the_order_round() {
        let newest_first = Keyset { key: Expr::col("created_at"), id: Expr::col("id"), descending: true };
        assert_eq!(newest_first.direction(&request(false)), Order::Desc);
        assert_eq!(newest_first.direction(&request(true)), Order::Asc);
    }
}
