use async_graphql::{Context, Enum, Error, ID, InputObject, Object};
use chrono::{DateTime, Utc};
use entity::{
    design, status,
    store::{
        designs::{self, DesignScope},
        page::{Cursor, CursorKey, Page},
        run_lists::RunParent,
    },
};
use uuid::Uuid;

use super::{
    canvas::Canvas,
    design_version::DesignVersion,
    run::SimulationRun,
    run_list::{SimulationRunFilter, SimulationRunOrder, run_connection},
    user::User,
};
use crate::graphql::{
    context::services,
    errors::internal,
    id::GlobalId,
    loaders::{ListOf, UserById, VersionPage, load},
    pagination::{KeyKind, MAX_PAGE, PageArgs, Paged, connection},
};

/// `Design` of the schema.
#[derive(Clone)]
pub struct Design(design::Model);

impl From<design::Model> for Design {
    fn from(row: design::Model) -> Self {
        Self(row)
    }
}

/// A database composed on a canvas, with its history and its runs.
#[Object]
impl Design {
    /// Opaque and globally unique; never parse it.
    pub async fn id(&self) -> ID {
        GlobalId::Design(self.0.id).into()
    }

    /// The key shared with other interfaces of this server.
    async fn database_id(&self) -> Uuid {
        self.0.id
    }

    async fn name(&self) -> &str {
        &self.0.name
    }

    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// Who may open it.
    async fn visibility(&self) -> Visibility {
        self.0.visibility.into()
    }

    /// Null once the owner's account is gone.
    async fn owner(&self, ctx: &Context<'_>) -> Option<Result<User, Error>> {
        let owner = load(ctx, UserById(self.0.user_id?)).await;
        owner.map(|found| found.map(User::from)).transpose()
    }

    /// The canvas at the head.
    async fn canvas(&self) -> Result<Canvas, Error> {
        Canvas::read(self.0.canvas_state.clone())
    }

    /// Optimistic-lock token; pass back as expectedVersion.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// Every canvas it ever had, newest first.
    async fn versions(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Option<Result<Paged<DesignVersion>, Error>> {
        let args = PageArgs { first, after, last, before };
        Some(self.version_connection(ctx, args).await)
    }

    /// Simulations of any of its versions, newest first unless ordered.
    #[expect(clippy::too_many_arguments, reason = "a connection has four arguments of its own")]
    async fn runs(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        filter: Option<SimulationRunFilter>,
        order_by: Option<SimulationRunOrder>,
    ) -> Option<Result<Paged<SimulationRun>, Error>> {
        let args = PageArgs { first, after, last, before };
        Some(run_connection(ctx, RunParent::Design, self.0.id, args, filter, order_by).await)
    }

    /// The newest of its runs.
    async fn latest_run(&self, ctx: &Context<'_>) -> Option<Result<SimulationRun, Error>> {
        let newest = PageArgs { first: Some(1), ..Default::default() };
        match run_connection(ctx, RunParent::Design, self.0.id, newest, None, None).await {
            Ok(runs) => runs.edges.into_iter().next().map(|edge| Ok(edge.node)),
            Err(error) => Some(Err(error)),
        }
    }

    pub async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    pub async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }

    /// Set while it is archived: hidden from lists and from everyone but its owner.
    async fn archived_at(&self) -> Option<DateTime<Utc>> {
        self.0.deleted_at
    }
}

impl Design {
    async fn version_connection(
        &self,
        ctx: &Context<'_>,
        args: PageArgs,
    ) -> Result<Paged<DesignVersion>, Error> {
        let request = args.request(KeyKind::Integer, MAX_PAGE)?;
        let id = self.0.id;
        let page = load(ctx, ListOf { parent: id, args: VersionPage(request) }).await?;
        let cursor = |row: &entity::design_version::Model| Cursor {
            key: CursorKey::Integer(row.version_number.into()),
            id: row.id,
        };
        Ok(connection(page.unwrap_or_else(Page::empty), cursor, DesignVersion::from, move |ctx| {
            let db = services(ctx).db.clone();
            async move { designs::count_versions(&db, id).await.map_err(internal) }
        }))
    }
}

/// Who may open a design: its owner; whoever has its link; everyone, and it stands in lists.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "status::Visibility")]
pub enum Visibility {
    Private,
    Unlisted,
    Public,
}

/// Which designs a list holds.
#[derive(InputObject, Default)]
pub struct DesignFilter {
    /// Words that name or description contain.
    search: Option<String>,
    visibility: Option<Vec<Visibility>>,
    updated_since: Option<DateTime<Utc>>,
    /// Whether the viewer's archived designs are listed too.
    #[graphql(default_with = "Some(false)")]
    include_archived: Option<bool>,
}

impl From<DesignFilter> for designs::DesignFilter {
    fn from(filter: DesignFilter) -> Self {
        Self {
            search: filter.search,
            visibility: filter
                .visibility
                .map(|list| list.into_iter().map(status::Visibility::from).collect()),
            updated_since: filter.updated_since,
            include_archived: filter.include_archived.unwrap_or_default(),
        }
    }
}

/// What a list of designs is sorted by.
#[derive(InputObject, Clone, Copy)]
pub struct DesignOrder {
    field: DesignOrderField,
    direction: OrderDirection,
}

impl Default for DesignOrder {
    fn default() -> Self {
        Self { field: DesignOrderField::UpdatedAt, direction: OrderDirection::Desc }
    }
}

/// Fields that designs can be sorted by.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "designs::DesignOrder")]
pub enum DesignOrderField {
    CreatedAt,
    UpdatedAt,
    Name,
}

/// Up or down.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub enum OrderDirection {
    Asc,
    Desc,
}

/// A page of a list of designs.
///
/// # Errors
/// Names the argument that breaks a rule.
pub async fn design_connection(
    ctx: &Context<'_>,
    scope: DesignScope,
    args: PageArgs,
    filter: DesignFilter,
    order: DesignOrder,
) -> Result<Paged<Design>, Error> {
    let filter = designs::DesignFilter::from(filter);
    let kind = match order.field {
        DesignOrderField::Name => KeyKind::Text,
        DesignOrderField::CreatedAt | DesignOrderField::UpdatedAt => KeyKind::Time,
    };
    let request = args.request(kind, MAX_PAGE)?;
    let field = designs::DesignOrder::from(order.field);
    let descending = order.direction == OrderDirection::Desc;
    let page = designs::list(&services(ctx).db, scope, &filter, field, descending, &request)
        .await
        .map_err(internal)?;
    Ok(connection(
        page,
        move |row| field.cursor(row),
        Design::from,
        move |ctx| {
            let (db, filter) = (services(ctx).db.clone(), filter.clone());
            async move { designs::count(&db, scope, &filter).await.map_err(internal) }
        },
    ))
}
