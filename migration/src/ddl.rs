//! Words shared by the steps.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, DbBackend},
};

/// Whether the schema is being built on PostgreSQL.
pub fn is_postgres(manager: &SchemaManager<'_>) -> bool {
    manager.get_database_backend() == DbBackend::Postgres
}

/// Runs statements that both databases read alike (partial indexes, mostly).
pub async fn run_all(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    for statement in statements {
        manager.get_connection().execute_unprepared(statement).await?;
    }
    Ok(())
}

/// `column` of `table` points at `parent.id`; `on_delete` says what becomes of the row when the parent goes.
pub fn references(
    table: &'static str,
    column: &'static str,
    parent: &'static str,
    on_delete: ForeignKeyAction,
) -> ForeignKeyCreateStatement {
    ForeignKey::create().from(table, column).to(parent, "id").on_delete(on_delete).take()
}

/// A text column that holds one of a few words.
pub fn one_of(column: &'static str, words: &[&str]) -> ColumnDef {
    let list = words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", ");
    ColumnDef::new(column).text().not_null().check(Expr::cust(format!("{column} IN ({list})"))).take()
}

/// Adds columns to a table, one statement each: SQLite takes no more at once.
pub async fn add_columns(
    manager: &SchemaManager<'_>,
    table: &'static str,
    columns: impl IntoIterator<Item = ColumnDef>,
) -> Result<(), DbErr> {
    for mut column in columns {
        manager.alter_table(Table::alter().table(table).add_column(&mut column).to_owned()).await?;
    }
    Ok(())
}

/// Takes columns off a table.
pub async fn drop_columns(
    manager: &SchemaManager<'_>,
    table: &'static str,
    columns: impl IntoIterator<Item = &'static str>,
) -> Result<(), DbErr> {
    for column in columns {
        manager.alter_table(Table::alter().table(table).drop_column(column).to_owned()).await?;
    }
    Ok(())
}
