//! Loading what fields need, a whole list of parents in one statement.
//!
//! One reader serves one request; it carries the viewer, so that nothing it finds is hidden from them. A list of children
//! is loaded once for each set of arguments.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use async_graphql::{
    Context, Error,
    dataloader::{DataLoader, Loader},
    runtime::TokioTimer,
};
use entity::{
    DatabaseConnection, StoreError, background_job, block_config, design, design_branch, design_collaborator,
    design_version, job_attempt, run_event, simulation_job, simulation_run,
    store::{
        background::{self, USER_DATA_EXPORT},
        block_configs,
        design_access::{self, Access},
        designs, job_attempts, jobs,
        page::{Page, PageRequest, group_by},
        run_lists::{self, RunList},
        run_series::{self, Series, SeriesRequest},
        runs::{self, EventFilter, Source},
        templates, users, versions, workloads,
    },
    template, user, workload,
};
use futures_util::task::{FutureObj, Spawn, SpawnError};
use serde_json::Value as Json;
use tokio::task::JoinSet;
use uuid::Uuid;
use worker::{
    cache::{Cache, CanvasKey},
    pool::Services,
};

use super::errors::internal;
use crate::{auth::Viewer, service::Fault};

/// Reads rows on behalf of one viewer.
pub struct Reader {
    db: DatabaseConnection,
    cache: Cache,
    viewer: Option<Uuid>,
}

/// The loader of one request.
pub type Loaders = DataLoader<Reader>;

/// The loader for a request of this viewer.
pub fn loaders(services: &Services, viewer: Option<Viewer>) -> Arc<Loaders> {
    let reader = Reader {
        db: services.db.clone(),
        cache: services.cache.clone(),
        viewer: viewer.map(|viewer| viewer.user_id),
    };
    // All fields of one level ask in the same turn of the executor; waiting longer would only add latency.
    let loaders = DataLoader::new(reader, RequestSpawner::default(), TokioTimer::default());
    Arc::new(loaders.delay(std::time::Duration::from_micros(200)))
}

/// Runs the loads of one request. They end with it: who has run out of time must not keep the database busy.
#[derive(Default)]
struct RequestSpawner(Mutex<JoinSet<()>>);

impl Spawn for RequestSpawner {
    fn spawn_obj(&self, load: FutureObj<'static, ()>) -> Result<(), SpawnError> {
        let mut loads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A subscription keeps its loader for long: what has ended is let go.
        while loads.try_join_next().is_some() {}
        loads.spawn(load);
        Ok(())
    }
}

/// Loads one value through the loader of the request.
///
/// # Errors
/// An internal fault when the database did not answer.
pub async fn load<K>(ctx: &Context<'_>, key: K) -> Result<Option<<Reader as Loader<K>>::Value>, Error>
where
    K: Send + Sync + Hash + Eq + Clone + 'static,
    Reader: Loader<K, Error = LoadFault>,
{
    ctx.data_unchecked::<Arc<Loaders>>().load_one(key).await.map_err(internal)
}

/// A failed load, told to everyone who waited for it.
#[derive(Clone)]
pub struct LoadFault(Arc<StoreError>);

impl fmt::Display for LoadFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<StoreError> for LoadFault {
    fn from(error: StoreError) -> Self {
        Self(Arc::new(error))
    }
}

impl From<LoadFault> for Fault {
    fn from(fault: LoadFault) -> Self {
        Self::Internal(fault.to_string())
    }
}

/// Declares a loader of single rows: a key type around an id, and how to find the rows of many ids.
macro_rules! rows_by_id {
    ($($(#[$doc:meta])* $key:ident => $row:ty, |$reader:ident, $ids:ident| $find:expr, $id:expr;)+) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $key(pub Uuid);

        impl Loader<$key> for Reader {
            type Value = $row;
            type Error = LoadFault;

            async fn load(&self, keys: &[$key]) -> Result<HashMap<$key, $row>, LoadFault> {
                let $ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
                let ($reader, $ids) = (self, $ids.as_slice());
                let id_of: fn(&$row) -> Uuid = $id;
                Ok($find.await?.into_iter().map(|row| ($key(id_of(&row)), row)).collect())
            }
        }
    )+ };
}
rows_by_id! {
    /// A person.
    UserById => user::Model, |reader, ids| users::find_many(&reader.db, ids), |row| row.id;
    /// A design that the viewer may open.
    DesignById => design::Head,
        |reader, ids| designs::find_visible_heads(&reader.db, ids, reader.viewer), |row| row.id;
    /// A version of a design that the viewer may open.
    VersionById => design_version::Model,
        |reader, ids| versions::find_visible_versions(&reader.db, ids, reader.viewer), |row| row.id;
    /// A branch of a design that the viewer may open.
    BranchById => design_branch::Model,
        |reader, ids| versions::find_visible_branches(&reader.db, ids, reader.viewer), |row| row.id;
    /// A workload that the viewer may open.
    WorkloadById => workload::Model, |reader, ids| workloads::find_visible(&reader.db, ids, reader.viewer), |row| row.id;
    /// A template.
    TemplateById => template::Model, |reader, ids| templates::find_many(&reader.db, ids), |row| row.id;
    /// A run whose design the viewer may open.
    RunById => simulation_run::Model, |reader, ids| runs::find_visible(&reader.db, ids, reader.viewer), |row| row.id;
    /// What a run that the viewer may open is of.
    SourceOf => Source, |reader, ids| runs::sources(&reader.db, ids), |row| row.run_id;
    /// A job that the viewer submitted.
    JobById => simulation_job::Model, |reader, ids| reader.own_jobs(ids), |row| row.id;
    /// A block configuration of the viewer.
    BlockConfigById => block_config::Model, |reader, ids| reader.own_block_configs(ids), |row| row.id;
    /// An export of the viewer's own data.
    ExportById => background_job::Model, |reader, ids| reader.own_exports(ids), |row| row.id;
    /// The run of a job, by the id of the job, if the viewer may open its design.
    RunOfJob => simulation_run::Model, |reader, ids| runs::find_by_jobs(&reader.db, ids, reader.viewer),
        |row| row.job_id.unwrap_or_default();
}

impl Reader {
    async fn own_exports(&self, ids: &[Uuid]) -> Result<Vec<background_job::Model>, StoreError> {
        let Some(viewer) = self.viewer else { return Ok(Vec::new()) };
        background::find_owned(&self.db, ids, USER_DATA_EXPORT, viewer).await
    }

    async fn own_block_configs(&self, ids: &[Uuid]) -> Result<Vec<block_config::Model>, StoreError> {
        let Some(viewer) = self.viewer else { return Ok(Vec::new()) };
        block_configs::find_owned(&self.db, ids, viewer).await
    }

    async fn own_jobs(&self, ids: &[Uuid]) -> Result<Vec<simulation_job::Model>, StoreError> {
        let Some(viewer) = self.viewer else { return Ok(Vec::new()) };
        let jobs = jobs::find_many(&self.db, ids).await?;
        Ok(jobs.into_iter().filter(|job| job.user_id == viewer).collect())
    }
}

/// The canvas of a design whose row the viewer was just given, at that row's version or a later one.
pub type HeadOf = CanvasKey;

impl Loader<HeadOf> for Reader {
    type Value = Arc<Json>;
    type Error = LoadFault;

    async fn load(&self, keys: &[HeadOf]) -> Result<HashMap<HeadOf, Arc<Json>>, LoadFault> {
        let mut found = self.cache.canvases(keys).await;
        let missing: Vec<HeadOf> = keys.iter().copied().filter(|key| !found.contains_key(key)).collect();
        if missing.is_empty() {
            return Ok(found);
        }
        let ids: Vec<Uuid> = missing.iter().map(|key| key.design_id).collect();
        let rows = designs::find_visible_canvases(&self.db, &ids, self.viewer).await?;
        let read: HashMap<HeadOf, Arc<Json>> = rows
            .into_iter()
            .map(|row| (HeadOf { design_id: row.id, version: row.version }, Arc::new(row.canvas_state)))
            .collect();
        self.cache.keep_canvases(&read).await;
        let by_design: HashMap<Uuid, &Arc<Json>> =
            read.iter().map(|(key, canvas)| (key.design_id, canvas)).collect();
        found.extend(
            missing.into_iter().filter_map(|key| Some((key, (*by_design.get(&key.design_id)?).clone()))),
        );
        Ok(found)
    }
}

/// A version of a design that the viewer may open, by its number.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct VersionAt {
    pub design_id: Uuid,
    pub number: i32,
}

impl Loader<VersionAt> for Reader {
    type Value = design_version::Model;
    type Error = LoadFault;

    async fn load(&self, keys: &[VersionAt]) -> Result<HashMap<VersionAt, design_version::Model>, LoadFault> {
        let numbers: Vec<(Uuid, i32)> = keys.iter().map(|key| (key.design_id, key.number)).collect();
        let found = versions::find_versions(&self.db, &numbers).await?;
        let key =
            |row: &design_version::Model| VersionAt { design_id: row.design_id, number: row.version_number };
        Ok(found.into_iter().map(|row| (key(&row), row)).collect())
    }
}

/// What the viewer may do with a design; none when they may not know of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AccessTo(pub Uuid);

impl Loader<AccessTo> for Reader {
    type Value = Access;
    type Error = LoadFault;

    async fn load(&self, keys: &[AccessTo]) -> Result<HashMap<AccessTo, Access>, LoadFault> {
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let found = design_access::of_viewer(&self.db, &ids, self.viewer).await?;
        Ok(found.into_iter().map(|(id, access)| (AccessTo(id), access)).collect())
    }
}

/// Whom a design was shared with.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CollaboratorsOf(pub Uuid);

impl Loader<CollaboratorsOf> for Reader {
    type Value = Vec<design_collaborator::Model>;
    type Error = LoadFault;

    async fn load(
        &self,
        keys: &[CollaboratorsOf],
    ) -> Result<HashMap<CollaboratorsOf, Self::Value>, LoadFault> {
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let found = design_access::collaborators(&self.db, &ids).await?;
        Ok(found.into_iter().map(|(id, list)| (CollaboratorsOf(id), list)).collect())
    }
}

/// The large part of a run's report.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DetailsOfRun(pub Uuid);

impl Loader<DetailsOfRun> for Reader {
    type Value = Arc<Json>;
    type Error = LoadFault;

    async fn load(&self, keys: &[DetailsOfRun]) -> Result<HashMap<DetailsOfRun, Arc<Json>>, LoadFault> {
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let details = runs::details(&self.db, &ids).await?;
        Ok(details.into_iter().map(|(id, json)| (DetailsOfRun(id), Arc::new(json))).collect())
    }
}

/// The attempts of a job that the viewer may see, oldest first.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AttemptsOf(pub Uuid);

impl Loader<AttemptsOf> for Reader {
    type Value = Vec<job_attempt::Model>;
    type Error = LoadFault;

    async fn load(
        &self,
        keys: &[AttemptsOf],
    ) -> Result<HashMap<AttemptsOf, Vec<job_attempt::Model>>, LoadFault> {
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let attempts = job_attempts::of_jobs(&self.db, &ids).await?;
        Ok(attempts.into_iter().map(|(id, rows)| (AttemptsOf(id), rows)).collect())
    }
}

/// A list of children under each of many parents, read with the same arguments.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ListOf<A> {
    pub parent: Uuid,
    pub args: A,
}

/// Reads the lists of all keys: one statement for each distinct set of arguments.
async fn load_lists<A, V, F>(
    keys: &[ListOf<A>],
    mut read: impl FnMut(A, Vec<Uuid>) -> F,
) -> Result<HashMap<ListOf<A>, V>, LoadFault>
where
    A: Clone + Eq + Hash,
    F: Future<Output = Result<HashMap<Uuid, V>, StoreError>>,
{
    let mut lists = HashMap::with_capacity(keys.len());
    for (args, keys) in group_by(keys.iter(), |key| key.args.clone()) {
        let parents = keys.iter().map(|key| key.parent).collect();
        let found = read(args.clone(), parents).await?;
        lists.extend(found.into_iter().map(|(parent, list)| (ListOf { parent, args: args.clone() }, list)));
    }
    Ok(lists)
}

/// Declares a loader of lists: its arguments, what a list is, and how to read the lists of many parents.
macro_rules! lists_of_parents {
    ($($args:ty => $list:ty, |$reader:ident, $a:ident, $parents:ident| $read:expr;)+) => { $(
        impl Loader<ListOf<$args>> for Reader {
            type Value = $list;
            type Error = LoadFault;

            async fn load(&self, keys: &[ListOf<$args>]) -> Result<HashMap<ListOf<$args>, $list>, LoadFault> {
                let $reader = self;
                load_lists(keys, |$a: $args, $parents| async move { $read.await }).await
            }
        }
    )+ };
}

/// A page of runs of a parent.
pub type RunPage = (RunList, PageRequest);
/// A page of versions of a design, of those that led to the head of a branch where one is named.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct VersionPage {
    pub branch: Option<String>,
    pub request: PageRequest,
}
/// How many versions a design has, or led to the head of a branch.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct VersionCount(pub Option<String>);
/// How many branches a design has.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BranchCount;
/// A page of branches of a design.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct BranchPage(pub PageRequest);
/// A page of events of a run.
pub type EventPage = (EventFilter, PageRequest);

lists_of_parents! {
    RunPage => Page<simulation_run::Model>,
        |reader, args, parents| run_lists::lists(&reader.db, &args.0, reader.viewer, &parents, &args.1);
    RunList => u64, |reader, list, parents| run_lists::counts(&reader.db, &list, reader.viewer, &parents);
    VersionPage => Page<design_version::Model>,
        |reader, args, parents| versions::version_lists(&reader.db, &parents, args.branch.as_deref(), &args.request);
    VersionCount => u64,
        |reader, args, parents| versions::count_versions(&reader.db, &parents, args.0.as_deref());
    BranchCount => u64, |reader, _args, parents| versions::count_branches(&reader.db, &parents);
    BranchPage => Page<design_branch::Model>,
        |reader, args, parents| versions::branch_lists(&reader.db, &parents, &args.0);
    SeriesRequest => Vec<Series>, |reader, request, parents| run_series::series(&reader.db, &parents, &request);
    EventPage => Page<run_event::Model>,
        |reader, args, parents| runs::events(&reader.db, &parents, &args.0, &args.1);
    EventFilter => u64, |reader, filter, parents| runs::event_counts(&reader.db, &parents, &filter);
}
