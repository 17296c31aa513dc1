use std::{hash::Hash, sync::Arc};

use async_graphql::{Context, Enum, Error, ID, InputObject, Object, dataloader::Loader};
use chrono::{DateTime, Utc};
use entity::{
    design, status,
    store::{
        design_access::Access,
        design_lists::{self, DesignScope},
        page::{Cursor, CursorKey, Page},
        run_lists::RunParent,
    },
};
use serde_json::Value as Json;
use uuid::Uuid;

use super::{
    branch::Branch,
    canvas::Canvas,
    canvas_diff::CanvasDiff,
    collaborator::{Collaborator, DesignPermissions},
    design_version::DesignVersion,
    run::SimulationRun,
    run_list::{SimulationRunFilter, SimulationRunOrder, run_connection},
    user::User,
};
use crate::{
    config::Config,
    graphql::{
        context::{services, viewer},
        errors::{bad_input, internal, missing_parent},
        id::GlobalId,
        loaders::{
            AccessTo, BranchCount, BranchPage, CollaboratorsOf, DesignById, HeadOf, ListOf, LoadFault,
            Loaders, Reader, UserById, VersionAt, VersionCount, VersionPage, load,
        },
        pagination::{KeyKind, MAX_PAGE, PageArgs, Paged, connection},
        scalars::Url,
    },
    service::{permissions::Permissions, sharing::share_url},
};

/// Types of blocks that one filter asks for.
const MAX_BLOCK_TYPES: usize = 20;

/// `Design` of the schema.
#[derive(Clone)]
pub struct Design {
    head: design::Head,
    /// None is loaded when it is asked for.
    canvas: Option<Arc<Json>>,
}

impl From<design::Head> for Design {
    fn from(head: design::Head) -> Self {
        Self { head, canvas: None }
    }
}

impl From<design::Model> for Design {
    fn from(mut row: design::Model) -> Self {
        let canvas = Some(Arc::new(row.canvas_state.take()));
        Self { head: row.into(), canvas }
    }
}

/// A database composed on a canvas, with its history and its runs.
#[Object]
impl Design {
    /// Opaque and globally unique; never parse it.
    pub async fn id(&self) -> ID {
        GlobalId::Design(self.head.id).into()
    }

    /// The key shared with other interfaces of this server.
    async fn database_id(&self) -> Uuid {
        self.head.id
    }

    async fn name(&self) -> &str {
        &self.head.name
    }

    async fn description(&self) -> Option<&str> {
        self.head.description.as_deref()
    }

    /// Who may open it.
    async fn visibility(&self) -> Visibility {
        self.head.visibility.into()
    }

    /// Null once the owner's account is gone.
    async fn owner(&self, ctx: &Context<'_>) -> Option<Result<User, Error>> {
        let owner = load(ctx, UserById(self.head.user_id?)).await;
        owner.map(|found| found.map(User::from)).transpose()
    }

    /// The canvas at the head.
    async fn canvas(&self, ctx: &Context<'_>) -> Result<Canvas, Error> {
        let raw = match &self.canvas {
            Some(raw) => raw.clone(),
            None => {
                let head = HeadOf { design_id: self.head.id, version: self.head.version };
                // It was there a moment ago: it has become somebody else's secret, or is gone.
                load(ctx, head).await?.ok_or_else(missing_parent)?
            }
        };
        Canvas::read(raw)
    }

    /// Optimistic-lock token; pass back as expectedVersion.
    async fn version(&self) -> i32 {
        self.head.version
    }

    /// Its branches, oldest first: the default one leads.
    async fn branches(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Option<Result<Paged<Branch>, Error>> {
        let args = PageArgs { first, after, last, before };
        Some(self.branch_connection(ctx, args).await)
    }

    /// Every canvas it ever had, newest first.
    async fn versions(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(
            desc = "Name of a branch: its head and all that led to it. All branches together when omitted."
        )]
        branch: Option<String>,
    ) -> Option<Result<Paged<DesignVersion>, Error>> {
        let args = PageArgs { first, after, last, before };
        Some(self.version_connection(ctx, args, branch).await)
    }

    /// What is different on the canvas of the version head, compared with base; null when there is no such version.
    async fn version_diff(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of a version.")] base: i32,
        #[graphql(desc = "Number of a version.")] head: i32,
    ) -> Option<Result<CanvasDiff, Error>> {
        let version = |number| load(ctx, VersionAt { design_id: self.head.id, number });
        match tokio::try_join!(version(base), version(head)) {
            Ok((Some(base), Some(head))) => Some(CanvasDiff::between(base, head)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        }
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
        Some(run_connection(ctx, RunParent::Design, self.head.id, args, filter, order_by).await)
    }

    /// The newest of its runs.
    async fn latest_run(&self, ctx: &Context<'_>) -> Option<Result<SimulationRun, Error>> {
        let newest = PageArgs { first: Some(1), ..Default::default() };
        match run_connection(ctx, RunParent::Design, self.head.id, newest, None, None).await {
            Ok(runs) => runs.edges.into_iter().next().map(|edge| Ok(edge.node)),
            Err(error) => Some(Err(error)),
        }
    }

    /// The design that it began as a copy of, if it is PUBLIC or the viewer's own or shared with them.
    async fn forked_from(&self, ctx: &Context<'_>) -> Option<Result<Design, Error>> {
        let id = self.head.forked_from_id?;
        match tokio::try_join!(load(ctx, DesignById(id)), load(ctx, AccessTo(id))) {
            Ok((Some(row), Some(access))) => {
                // Whoever has the link of an UNLISTED design may pass it on; we do not.
                let told = row.visibility == status::Visibility::Public || access >= Access::View;
                told.then(|| Ok(row.into()))
            }
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        }
    }

    /// Link that opens an UNLISTED or PUBLIC design; null while PRIVATE. That of an UNLISTED design is told to its owner and
    /// collaborators alone.
    async fn share_url(&self, ctx: &Context<'_>) -> Option<Result<Url, Error>> {
        let token = self.head.share_token.as_ref()?;
        let told = match self.head.visibility {
            status::Visibility::Private => Ok(false),
            status::Visibility::Public => Ok(true),
            status::Visibility::Unlisted => self.access(ctx).await.map(|access| access >= Access::View),
        };
        match told {
            Ok(true) => Some(Ok(Url(share_url(&ctx.data_unchecked::<Config>().public_url, token)))),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        }
    }

    /// Whom it is shared with. Told to them and its owner; null for others.
    async fn collaborators(&self, ctx: &Context<'_>) -> Option<Result<Vec<Collaborator>, Error>> {
        match self.access(ctx).await {
            Ok(access) if access >= Access::View => Some(self.shared_with(ctx).await),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        }
    }

    /// What the viewer may do with it besides reading it.
    async fn viewer_permissions(&self, ctx: &Context<'_>) -> Result<DesignPermissions, Error> {
        let access = self.access(ctx).await?;
        Ok(Permissions::of(access, self.head.deleted_at.is_some()).into())
    }

    pub async fn created_at(&self) -> DateTime<Utc> {
        self.head.created_at
    }

    pub async fn updated_at(&self) -> DateTime<Utc> {
        self.head.updated_at
    }

    /// Set while it is archived: hidden from lists and from everyone but its owner.
    async fn archived_at(&self) -> Option<DateTime<Utc>> {
        self.head.deleted_at
    }
}

impl Design {
    async fn access(&self, ctx: &Context<'_>) -> Result<Access, Error> {
        match viewer(ctx) {
            Some(viewer) if self.head.user_id == Some(viewer.user_id) => Ok(Access::Own),
            _ => Ok(load(ctx, AccessTo(self.head.id)).await?.unwrap_or(Access::None)),
        }
    }

    async fn shared_with(&self, ctx: &Context<'_>) -> Result<Vec<Collaborator>, Error> {
        let shared = load(ctx, CollaboratorsOf(self.head.id)).await?.unwrap_or_default();
        let users = shared.iter().map(|one| load(ctx, UserById(one.user_id)));
        let users = futures_util::future::try_join_all(users).await?;
        // An account that is gone is nobody to share with.
        let living = shared.iter().zip(users).filter_map(|(one, user)| Some((one.role, user?)));
        Ok(living.map(|(role, user)| Collaborator { user: user.into(), role: role.into() }).collect())
    }

    async fn branch_connection(&self, ctx: &Context<'_>, args: PageArgs) -> Result<Paged<Branch>, Error> {
        let request = args.request(KeyKind::Time, MAX_PAGE)?;
        let id = self.head.id;
        let page = load(ctx, ListOf { parent: id, args: BranchPage(request) }).await?;
        let cursor =
            |row: &entity::design_branch::Model| Cursor { key: CursorKey::Time(row.created_at), id: row.id };
        let count = move |ctx: &Context<'_>| count_of(ctx, ListOf { parent: id, args: BranchCount });
        Ok(connection(page.unwrap_or_else(Page::empty), cursor, Branch::from, count))
    }

    async fn version_connection(
        &self,
        ctx: &Context<'_>,
        args: PageArgs,
        branch: Option<String>,
    ) -> Result<Paged<DesignVersion>, Error> {
        let request = args.request(KeyKind::Integer, MAX_PAGE)?;
        let id = self.head.id;
        let list = VersionPage { branch: branch.clone(), request };
        let page = load(ctx, ListOf { parent: id, args: list }).await?;
        let cursor = |row: &entity::design_version::Model| Cursor {
            key: CursorKey::Integer(row.version_number.into()),
            id: row.id,
        };
        let counted = ListOf { parent: id, args: VersionCount(branch) };
        let count = move |ctx: &Context<'_>| count_of(ctx, counted.clone());
        Ok(connection(page.unwrap_or_else(Page::empty), cursor, DesignVersion::from, count))
    }
}

/// The length of a list, loaded together with those of other designs.
fn count_of<A>(ctx: &Context<'_>, list: ListOf<A>) -> impl Future<Output = Result<u64, Error>> + Send + use<A>
where
    A: Clone + Eq + Hash + Send + Sync + 'static,
    Reader: Loader<ListOf<A>, Value = u64, Error = LoadFault>,
{
    let loaders = ctx.data_unchecked::<Arc<Loaders>>().clone();
    async move { Ok(loaders.load_one(list).await.map_err(internal)?.unwrap_or_default()) }
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
    /// Types of blocks that are all on the canvas, as blockTypes tells them.
    block_types: Option<Vec<String>>,
    updated_since: Option<DateTime<Utc>>,
    /// Whether the viewer's archived designs are listed too.
    #[graphql(default_with = "Some(false)")]
    include_archived: Option<bool>,
}

impl DesignFilter {
    fn read(self) -> Result<design_lists::DesignFilter, Error> {
        let filter = self;
        let types = filter.block_types.as_deref().unwrap_or_default();
        if types.len() > MAX_BLOCK_TYPES {
            return Err(bad_input(format!("blockTypes must hold at most {MAX_BLOCK_TYPES} types")));
        }
        Ok(design_lists::DesignFilter {
            search: filter.search,
            visibility: filter
                .visibility
                .map(|list| list.into_iter().map(status::Visibility::from).collect()),
            block_types: filter.block_types,
            updated_since: filter.updated_since,
            include_archived: filter.include_archived.unwrap_or_default(),
        })
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
#[graphql(remote = "design_lists::DesignOrder")]
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
    let filter = filter.read()?;
    let kind = match order.field {
        DesignOrderField::Name => KeyKind::Text,
        DesignOrderField::CreatedAt | DesignOrderField::UpdatedAt => KeyKind::Time,
    };
    let request = args.request(kind, MAX_PAGE)?;
    let field = design_lists::DesignOrder::from(order.field);
    let descending = order.direction == OrderDirection::Desc;
    let page = design_lists::list(&services(ctx).db, scope, &filter, field, descending, &request)
        .await
        .map_err(internal)?;
    Ok(connection(
        page,
        move |row| field.cursor(row),
        Design::from,
        move |ctx| {
            let (db, filter) = (services(ctx).db.clone(), filter.clone());
            async move { design_lists::count(&db, scope, &filter).await.map_err(internal) }
        },
    ))
}
