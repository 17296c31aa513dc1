use std::sync::Arc;

use async_graphql::{Context, Enum, Error, ID, Object};
use entity::{
    StoreError, status,
    store::{
        page::{Cursor, CursorKey, Page},
        templates,
    },
    template,
};
use worker::{cache::TemplatePage, pool::Services};

use super::{canvas::Canvas, workload::Workload};
use crate::graphql::{
    context::services,
    errors::internal,
    id::GlobalId,
    loaders::{WorkloadById, load},
    pagination::{KeyKind, MAX_PAGE, PageArgs, Paged, connection},
};

/// `Template` of the schema.
pub struct Template(template::Model);

impl From<template::Model> for Template {
    fn from(row: template::Model) -> Self {
        Self(row)
    }
}

/// A built-in design to start from.
#[Object]
impl Template {
    /// Opaque and globally unique; never parse it.
    pub async fn id(&self) -> ID {
        GlobalId::Template(self.0.id).into()
    }

    /// Its name for programs.
    async fn slug(&self) -> &str {
        &self.0.slug
    }

    async fn name(&self) -> &str {
        &self.0.name
    }

    async fn description(&self) -> &str {
        &self.0.description
    }

    async fn category(&self) -> TemplateCategory {
        self.0.category.into()
    }

    async fn canvas(&self) -> Result<Canvas, Error> {
        Canvas::read(Arc::new(self.0.canvas_state.clone()))
    }

    /// The workload that shows what the template is about.
    async fn suggested_workload(&self, ctx: &Context<'_>) -> Option<Result<Workload, Error>> {
        let workload = load(ctx, WorkloadById(self.0.workload_id?)).await;
        workload.map(|found| found.map(Workload::from)).transpose()
    }
}

/// What a template is a starting point for.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "status::TemplateCategory")]
pub enum TemplateCategory {
    Oltp,
    Olap,
    WriteHeavy,
}

/// A page of the templates.
///
/// # Errors
/// Names the argument that breaks a rule.
pub async fn template_connection(
    ctx: &Context<'_>,
    category: Option<TemplateCategory>,
    args: PageArgs,
) -> Result<Paged<Template>, Error> {
    let category = category.map(status::TemplateCategory::from);
    let request = args.request(KeyKind::Time, MAX_PAGE)?;
    let page = page_of(services(ctx), TemplatePage { category, request }).await.map_err(internal)?;
    let cursor = |row: &template::Model| Cursor { key: CursorKey::Time(row.created_at), id: row.id };
    Ok(connection(Page::clone(&page), cursor, Template::from, move |ctx| {
        let db = services(ctx).db.clone();
        async move { templates::count(&db, category).await.map_err(internal) }
    }))
}

/// A page of the templates, which change only when a program of another release is started.
async fn page_of(services: &Services, page: TemplatePage) -> Result<Arc<Page<template::Model>>, StoreError> {
    let known = services.cache.templates();
    if let Some(found) = known.get(&page) {
        return Ok(found);
    }
    let found = Arc::new(templates::list(&services.db, page.category, &page.request).await?);
    known.keep(page, found.clone());
    Ok(found)
}
