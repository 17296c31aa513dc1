//! Reads the SQL-like template of an operation: which table, which access. The only file that knows the SQL parser.

use sqlparser::ast::{
    AssignmentTarget, BinaryOperator, Expr, FromTable, Join, JoinConstraint, JoinOperator, LimitClause,
    ObjectName, OrderBy, OrderByKind, Query, SetExpr, Statement, TableFactor, TableObject, TableWithJoins,
    Value,
};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;

use super::OperationType;
use super::query::{Filter, ReadJoin};

/// Longest template that is read.
pub(super) const MAX_TEMPLATE_BYTES: usize = 4_096;

/// What a template says.
#[derive(Debug, PartialEq)]
pub(super) struct Reading {
    pub(super) kind: OperationType,
    pub(super) table: String,
    pub(super) access: TemplateAccess,
    /// A LIMIT or the width of a BETWEEN, where they are numbers.
    pub(super) rows: Option<u64>,
    /// Of a query that joins or sorts: the other table, its condition, whether its result is sorted.
    pub(super) join: Option<ReadJoin>,
    pub(super) filter: Filter,
    pub(super) ordered: bool,
}

impl Reading {
    fn new(kind: OperationType, table: String, access: TemplateAccess, rows: Option<u64>) -> Self {
        Self { kind, table, access, rows, join: None, filter: Filter::None, ordered: false }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TemplateAccess {
    /// Stated only: no template means it.
    RowId,
    Point,
    Range,
    Scan,
    Join,
    Sort,
}

/// Reads a template. `key_column` names the key where it is not one of the usual names.
///
/// # Errors
/// One sentence that says what was not understood and how to say it instead.
pub(super) fn read(template: &str, key_column: Option<&str>) -> Result<Reading, String> {
    if template.len() > MAX_TEMPLATE_BYTES {
        return Err(format!("a template has at most {MAX_TEMPLATE_BYTES} bytes"));
    }
    let text = replace_braces(template);
    // The parser's own message quotes internals; people get the offending place in plain words instead.
    let statements = Parser::new(&GenericDialect {})
        .with_recursion_limit(20)
        .try_with_sql(&text)
        .and_then(|mut parser| parser.parse_statements())
        .map_err(|_| "it is not a statement this reads".to_owned())?;
    let [statement] = statements.as_slice() else {
        return Err(format!("it holds {} statements; one is expected", statements.len()));
    };
    statement_reading(statement, key_column)
}

/// `{key}` and `{{key}}` mean a value, as `?` and `:key` do.
fn replace_braces(template: &str) -> String {
    let mut text = String::with_capacity(template.len());
    let mut depth = 0u32;
    for character in template.chars() {
        match character {
            '{' => depth += 1,
            '}' if depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    text.push('?');
                }
            }
            _ if depth > 0 => {}
            other => text.push(other),
        }
    }
    text
}

fn statement_reading(statement: &Statement, key_column: Option<&str>) -> Result<Reading, String> {
    match statement {
        Statement::Query(query) => read_query(query, key_column),
        Statement::Insert(insert) => match &insert.table {
            TableObject::TableName(name) => {
                Ok(Reading::new(OperationType::Insert, table_name(name)?, TemplateAccess::Point, None))
            }
            _ => Err("INSERT needs the name of a table".to_owned()),
        },
        Statement::Update(update) => {
            let table = single_table(std::slice::from_ref(&update.table))?;
            let key = Key { column: key_column, table: &table };
            for assignment in &update.assignments {
                if let AssignmentTarget::ColumnName(column) = &assignment.target {
                    if column.0.last().is_some_and(|part| key.is(&part.to_string())) {
                        return Err(format!("it changes the key \"{column}\"; keys of rows do not change"));
                    }
                }
            }
            let (access, rows) = read_condition(update.selection.as_ref(), &key)?;
            let rows = update.limit.as_ref().and_then(number).or(rows);
            Ok(Reading::new(OperationType::Update, table, access, rows))
        }
        Statement::Delete(delete) => {
            let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
            let table = single_table(from)?;
            let (access, rows) =
                read_condition(delete.selection.as_ref(), &Key { column: key_column, table: &table })?;
            let rows = delete.limit.as_ref().and_then(number).or(rows);
            Ok(Reading::new(OperationType::Delete, table, access, rows))
        }
        _ => Err("only SELECT, INSERT, UPDATE and DELETE are read".to_owned()),
    }
}

fn read_query(query: &Query, key_column: Option<&str>) -> Result<Reading, String> {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return Err("only a plain SELECT is read".to_owned());
    };
    let limit = match &query.limit_clause {
        Some(LimitClause::LimitOffset { limit, .. }) => limit.as_ref().and_then(number),
        Some(LimitClause::OffsetCommaLimit { limit, .. }) => number(limit),
        None => None,
    };
    if let [TableWithJoins { relation, joins }] = select.from.as_slice() {
        if !joins.is_empty() {
            let join = read_join(relation, joins, key_column)?;
            let filter = match &select.selection {
                None => Filter::None,
                Some(condition) => read_filter(condition, &join.0, key_column),
            };
            let ordered = query.order_by.is_some();
            let reading = Reading::new(OperationType::Select, join.0.name, TemplateAccess::Join, limit);
            return Ok(Reading { join: Some(join.1), filter, ordered, ..reading });
        }
    }
    let table = single_table(&select.from)?;
    let key = Key { column: key_column, table: &table };
    if select.selection.is_none() && query.order_by.as_ref().is_some_and(|order| !orders_by_key(order, &key))
    {
        let reading = Reading::new(OperationType::Select, table, TemplateAccess::Sort, limit);
        return Ok(Reading { ordered: true, ..reading });
    }
    let (mut access, rows) = read_condition(select.selection.as_ref(), &key)?;
    if access == TemplateAccess::Scan && query.limit_clause.is_some() && query.order_by.is_some() {
        // ORDER BY key LIMIT n reads the start of an index, not the table.
        access = TemplateAccess::Range;
    }
    Ok(Reading::new(OperationType::Select, table, access, limit.or(rows)))
}

/// A table under the name that columns call it by.
struct Named {
    name: String,
    alias: String,
}

impl Named {
    fn read(factor: &TableFactor) -> Result<Self, String> {
        let TableFactor::Table { name, alias, .. } = factor else {
            return Err("it must read named tables".to_owned());
        };
        let name = table_name(name)?;
        let alias = alias.as_ref().map_or_else(|| name.clone(), |alias| alias.name.value.clone());
        Ok(Self { name, alias })
    }

    /// Whether this is a column of the table, and whether it is its key.
    fn column(&self, expression: &Expr, key_column: Option<&str>) -> Option<bool> {
        let Expr::CompoundIdentifier(parts) = expression else { return None };
        let [.., table, column] = parts.as_slice() else { return None };
        let key = Key { column: key_column, table: &self.name };
        table.value.eq_ignore_ascii_case(&self.alias).then(|| key.is(&column.value))
    }
}

fn read_join(
    relation: &TableFactor,
    joins: &[Join],
    key_column: Option<&str>,
) -> Result<(Named, ReadJoin), String> {
    let [join] = joins else { return Err("it joins more than two tables".to_owned()) };
    let on = match &join.join_operator {
        JoinOperator::Join(JoinConstraint::On(on)) | JoinOperator::Inner(JoinConstraint::On(on)) => on,
        _ => return Err("only an inner JOIN … ON one equality is read".to_owned()),
    };
    let (first, second) = (Named::read(relation)?, Named::read(&join.relation)?);
    let equality = "its ON must be one equality of a column of each table, such as a.b_id = b.id";
    let Expr::BinaryOp { left, op: BinaryOperator::Eq, right } = on else { return Err(equality.to_owned()) };
    let of = |table: &Named, one: &Expr, other: &Expr| {
        table.column(one, key_column).or_else(|| table.column(other, key_column))
    };
    let by_key = of(&first, left, right).zip(of(&second, right, left)).ok_or(equality)?;
    Ok((first, ReadJoin { table: second.name, by_key: [by_key.0, by_key.1] }))
}

/// How many rows of the first table of a join pass: known where its key is compared with one value, or lies between numbers.
fn read_filter(condition: &Expr, first: &Named, key_column: Option<&str>) -> Filter {
    let is_key = |expression: &Expr| first.column(expression, key_column) == Some(true);
    match condition {
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } if is_key(left) || is_key(right) => {
            Filter::Rows(1)
        }
        Expr::Between { expr, negated: false, low, high } if is_key(expr) => number(low)
            .zip(number(high))
            .and_then(|(low, high)| (high.checked_add(1)?).checked_sub(low))
            .map_or(Filter::Unknown, Filter::Rows),
        Expr::Nested(inner) => read_filter(inner, first, key_column),
        _ => Filter::Unknown,
    }
}

fn orders_by_key(order: &OrderBy, key: &Key<'_>) -> bool {
    match &order.kind {
        OrderByKind::Expressions(by) => by.first().is_some_and(|first| is_key(&first.expr, key)),
        OrderByKind::All(_) => false,
    }
}

fn single_table(from: &[TableWithJoins]) -> Result<String, String> {
    let [table] = from else {
        return Err("it must name one table".to_owned());
    };
    if !table.joins.is_empty() {
        return Err("only a SELECT joins tables".to_owned());
    }
    match &table.relation {
        TableFactor::Table { name, .. } => table_name(name),
        _ => Err("it must read a named table".to_owned()),
    }
}

fn table_name(name: &ObjectName) -> Result<String, String> {
    name.0
        .last()
        .and_then(|part| part.as_ident())
        .map(|ident| ident.value.clone())
        .ok_or_else(|| "it must name a table".to_owned())
}

/// Which column is the key.
struct Key<'a> {
    column: Option<&'a str>,
    table: &'a str,
}

impl Key<'_> {
    fn is(&self, column: &str) -> bool {
        if let Some(key) = self.column {
            return column.eq_ignore_ascii_case(key);
        }
        let column = column.to_ascii_lowercase();
        let table = self.table.to_ascii_lowercase();
        let singular = table.strip_suffix('s').unwrap_or(&table);
        ["id", "key", "k", "pk", "ycsb_key", "primary_key"].contains(&column.as_str())
            || column == format!("{table}_id")
            || column == format!("{singular}_id")
    }

    fn names(&self) -> String {
        self.column.map_or_else(
            || format!("id, key, k, pk, ycsb_key, primary_key, {}_id", self.table),
            str::to_owned,
        )
    }
}

/// The access a WHERE clause makes, and the rows of a BETWEEN with numbers.
fn read_condition(condition: Option<&Expr>, key: &Key<'_>) -> Result<(TemplateAccess, Option<u64>), String> {
    let Some(condition) = condition else {
        return Ok((TemplateAccess::Scan, None));
    };
    let mut terms = Vec::new();
    conjuncts(condition, &mut terms);
    let mut best = None;
    let mut rows = None;
    for term in terms {
        match term {
            Expr::BinaryOp { left, op, right } if is_key(left, key) || is_key(right, key) => match op {
                BinaryOperator::Eq => best = Some(TemplateAccess::Point),
                BinaryOperator::Lt | BinaryOperator::LtEq | BinaryOperator::Gt | BinaryOperator::GtEq => {
                    best = best.or(Some(TemplateAccess::Range));
                }
                _ => return Err(format!("the operator {op} on the key is not read; use =, <, >, BETWEEN")),
            },
            Expr::Between { expr, negated: false, low, high } if is_key(expr, key) => {
                best = best.or(Some(TemplateAccess::Range));
                rows = number(low).zip(number(high)).and_then(|(low, high)| (high + 1).checked_sub(low));
            }
            // Conditions on other columns only filter what the key condition finds.
            _ => {}
        }
    }
    match best {
        Some(access) => Ok((access, rows)),
        None => Err(format!(
            "its condition is not on the key ({}); name it in parameters.key_column, or state parameters.access as \
             \"point\", \"range\" or \"scan\"",
            key.names()
        )),
    }
}

fn conjuncts<'e>(expression: &'e Expr, terms: &mut Vec<&'e Expr>) {
    match expression {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            conjuncts(left, terms);
            conjuncts(right, terms);
        }
        Expr::Nested(inner) => conjuncts(inner, terms),
        other => terms.push(other),
    }
}

fn is_key(expression: &Expr, key: &Key<'_>) -> bool {
    match expression {
        Expr::Identifier(ident) => key.is(&ident.value),
        Expr::CompoundIdentifier(parts) => parts.last().is_some_and(|ident| key.is(&ident.value)),
        Expr::Nested(inner) => is_key(inner, key),
        _ => false,
    }
}

fn number(expression: &Expr) -> Option<u64> {
    match expression {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => text.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(template: &str) -> Result<TemplateAccess, String> {
        read(template, None).map(|reading| reading.access)
    }

    #[test]
    fn reads_the_usual_forms() {
        for (template, expected) in [
            ("SELECT * FROM users WHERE id = ?", TemplateAccess::Point),
            ("SELECT * FROM users u WHERE u.user_id = {{id}} AND age > 5", TemplateAccess::Point),
            ("select name from users where key = :key", TemplateAccess::Point),
            ("SELECT * FROM users WHERE id BETWEEN $1 AND $2", TemplateAccess::Range),
            ("SELECT * FROM users WHERE (id >= ? AND id < ?) LIMIT 10", TemplateAccess::Range),
            ("SELECT COUNT(*) FROM users", TemplateAccess::Scan),
            ("SELECT * FROM users ORDER BY id", TemplateAccess::Scan),
            ("SELECT * FROM users ORDER BY user_id LIMIT 5", TemplateAccess::Range),
            ("SELECT * FROM users ORDER BY name LIMIT 5", TemplateAccess::Sort),
            ("SELECT * FROM a JOIN b ON a.id = b.a_id", TemplateAccess::Join),
            ("UPDATE users SET name = ? WHERE id = ?", TemplateAccess::Point),
            ("DELETE FROM users WHERE id = @id", TemplateAccess::Point),
            ("INSERT INTO users (id, name) VALUES (?, ?)", TemplateAccess::Point),
        ] {
            assert_eq!(access(template), Ok(expected), "{template}");
        }
        assert_eq!(read("SELECT * FROM t WHERE id BETWEEN 10 AND 19", None).unwrap().rows, Some(10));
        assert_eq!(read("SELECT * FROM t WHERE id > 3 LIMIT 7", None).unwrap().rows, Some(7));
    }

    #[test]
    fn says_what_it_does_not_understand() {
        for template in [
            "",
            "find the user",
            "SELECT * FROM users WHERE email = ?",
            "SELECT * FROM a LEFT JOIN b ON a.id = b.id",
            "SELECT * FROM a JOIN b ON a.id = b.id JOIN c ON b.id = c.id",
            "UPDATE a JOIN b ON a.id = b.id SET x = 1",
            "SELECT * FROM users WHERE id = 1 OR id = 2",
            "UPDATE users SET id = 4 WHERE id = 3",
            "DROP TABLE users",
            "SELECT * FROM a; SELECT * FROM b",
        ] {
            assert!(access(template).is_err(), "{template}");
        }
        assert!(read("SELECT * FROM users WHERE email = ?", Some("email")).is_ok());
    }
}
