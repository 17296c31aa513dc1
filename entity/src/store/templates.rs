//! The built-in designs and workloads, as rows that others can point at.

use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, Set,
    sea_query::Expr,
};
use serde_json::Value as Json;
use uuid::Uuid;

use super::page::{Keyset, Page, PageRequest};
use crate::{DatabaseConnection, StoreError, status::TemplateCategory, template, time::now, workload};

/// A built-in workload as the code has it.
pub struct WorkloadSeed {
    pub slug: String,
    pub name: String,
    pub description: String,
    pub operations: Json,
    pub tables: Json,
    pub config: Json,
}

/// A built-in design as the code has it.
pub struct TemplateSeed {
    pub slug: String,
    pub name: String,
    pub description: String,
    pub category: TemplateCategory,
    pub canvas_state: Json,
    pub workload_slug: String,
}

/// Makes the rows agree with the code, all or nothing: adds what is new and updates what has changed, so that ids stay
/// and a second call changes nothing; whether it changed any. A template that the code no longer has stays for those who point at it.
pub async fn seed(
    db: &DatabaseConnection,
    workloads: Vec<WorkloadSeed>,
    templates: Vec<TemplateSeed>,
) -> Result<bool, StoreError> {
    let txn = super::begin(db).await?;
    let mut changed = false;
    for seed in workloads {
        changed |= seed_workload(&txn, seed).await?;
    }
    for seed in templates {
        changed |= seed_template(&txn, seed).await?;
    }
    txn.commit().await?;
    Ok(changed)
}

async fn seed_workload(db: &impl ConnectionTrait, seed: WorkloadSeed) -> Result<bool, StoreError> {
    let now = now();
    let stored = super::workloads::find_by_slug(db, &seed.slug).await?;
    let unchanged = stored.as_ref().is_some_and(|row| {
        row.name == seed.name
            && row.description.as_ref() == Some(&seed.description)
            && row.operations == seed.operations
            && row.tables == seed.tables
            && row.config == seed.config
    });
    if unchanged {
        return Ok(false);
    }
    let row = workload::ActiveModel {
        id: Set(stored.as_ref().map_or_else(Uuid::now_v7, |row| row.id)),
        user_id: Set(None),
        slug: Set(Some(seed.slug)),
        name: Set(seed.name),
        description: Set(Some(seed.description)),
        operations: Set(seed.operations),
        tables: Set(seed.tables),
        config: Set(seed.config),
        variables: Set(None),
        is_template: Set(true),
        created_at: Set(stored.as_ref().map_or(now, |row| row.created_at)),
        updated_at: Set(now),
        content_changed_at: Set(stored.as_ref().map(|_| now)),
        deleted_at: Set(None),
    };
    if stored.is_some() {
        row.update(db).await?
    } else {
        row.insert(db).await?
    };
    Ok(true)
}

async fn seed_template(db: &impl ConnectionTrait, seed: TemplateSeed) -> Result<bool, StoreError> {
    let now = now();
    let workload_id = super::workloads::find_by_slug(db, &seed.workload_slug).await?.map(|row| row.id);
    let stored = find_by_slug(db, &seed.slug).await?;
    let unchanged = stored.as_ref().is_some_and(|row| {
        row.name == seed.name
            && row.description == seed.description
            && row.category == seed.category
            && row.canvas_state == seed.canvas_state
            && row.workload_id == workload_id
    });
    if unchanged {
        return Ok(false);
    }
    let row = template::ActiveModel {
        id: Set(stored.as_ref().map_or_else(Uuid::now_v7, |row| row.id)),
        slug: Set(seed.slug),
        name: Set(seed.name),
        description: Set(seed.description),
        category: Set(seed.category),
        canvas_state: Set(seed.canvas_state),
        workload_id: Set(workload_id),
        created_at: Set(stored.as_ref().map_or(now, |row| row.created_at)),
        updated_at: Set(now),
    };
    if stored.is_some() {
        row.update(db).await?
    } else {
        row.insert(db).await?
    };
    Ok(true)
}

/// The template with this slug.
pub async fn find_by_slug(
    db: &impl ConnectionTrait,
    slug: &str,
) -> Result<Option<template::Model>, StoreError> {
    Ok(template::Entity::find().filter(template::Column::Slug.eq(slug)).one(db).await?)
}

/// The templates with these ids, in any order.
pub async fn find_many(db: &impl ConnectionTrait, ids: &[Uuid]) -> Result<Vec<template::Model>, StoreError> {
    Ok(template::Entity::find().filter(template::Column::Id.is_in(ids.iter().copied())).all(db).await?)
}

/// A page of the templates, of one category if one is given, in the order they were written in.
pub async fn list(
    db: &impl ConnectionTrait,
    category: Option<TemplateCategory>,
    request: &PageRequest,
) -> Result<Page<template::Model>, StoreError> {
    let keyset = Keyset {
        key: Expr::col(template::Column::CreatedAt),
        id: Expr::col(template::Column::Id),
        descending: false,
    };
    let select = keyset.apply(of_category(category), request);
    Ok(Page::of(select.all(db).await?, request))
}

/// How many templates there are, of one category if one is given.
pub async fn count(db: &impl ConnectionTrait, category: Option<TemplateCategory>) -> Result<u64, StoreError> {
    Ok(of_category(category).count(db).await?)
}

fn of_category(category: Option<TemplateCategory>) -> sea_orm::Select<template::Entity> {
    let select = template::Entity::find();
    match category {
        Some(category) => select.filter(template::Column::Category.eq(category)),
        None => select,
    }
}
