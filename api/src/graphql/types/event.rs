use std::sync::Arc;

use async_graphql::{Context, Error, ID, Object};
use chrono::{DateTime, Duration, Utc};
use entity::{
    run_event,
    store::{
        page::{Cursor, CursorKey, Page},
        runs::EventFilter,
    },
};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::graphql::{
    errors::internal,
    id::GlobalId,
    loaders::{ListOf, Loaders, load},
    pagination::{KeyKind, MAX_EVENTS_PAGE, PageArgs, Paged, connection},
};

/// `RunEvent` of the schema.
pub struct RunEvent {
    row: run_event::Model,
    run_started_at: DateTime<Utc>,
}

impl RunEvent {
    pub fn new(row: run_event::Model, run_started_at: DateTime<Utc>) -> Self {
        Self { row, run_started_at }
    }
}

/// Append-only; type is an open set (page_read, btree_lookup, ...).
#[Object]
impl RunEvent {
    /// Opaque and globally unique; never parse it.
    pub async fn id(&self) -> ID {
        GlobalId::RunEvent(self.row.run_id, self.row.sequence_number).into()
    }

    /// Place in the run's trace.
    async fn sequence(&self) -> i32 {
        self.row.sequence_number
    }

    /// Start of the run plus the event's virtual time.
    async fn time(&self) -> DateTime<Utc> {
        self.run_started_at + Duration::nanoseconds(self.row.time_ns)
    }

    /// What happened.
    async fn r#type(&self) -> &str {
        &self.row.event_type
    }

    /// The block it happened in.
    async fn block_id(&self) -> &str {
        &self.row.block_id
    }

    async fn payload(&self) -> &Json {
        &self.row.payload
    }
}

/// A page of a run's events.
///
/// # Errors
/// Names the argument that breaks a rule.
pub async fn event_connection(
    ctx: &Context<'_>,
    run_id: Uuid,
    started_at: DateTime<Utc>,
    filter: EventFilter,
    args: PageArgs,
) -> Result<Paged<RunEvent>, Error> {
    let request = args.request(KeyKind::Integer, MAX_EVENTS_PAGE)?;
    let page = load(ctx, ListOf { parent: run_id, args: (filter.clone(), request) }).await?;
    let cursor = |row: &run_event::Model| Cursor {
        key: CursorKey::Integer(row.sequence_number.into()),
        id: row.run_id,
    };
    let node = |row| RunEvent::new(row, started_at);
    Ok(connection(page.unwrap_or_else(Page::empty), cursor, node, move |ctx| {
        let loaders = ctx.data_unchecked::<Arc<Loaders>>().clone();
        let key = ListOf { parent: run_id, args: filter.clone() };
        async move { Ok(loaders.load_one(key).await.map_err(internal)?.unwrap_or_default()) }
    }))
}
