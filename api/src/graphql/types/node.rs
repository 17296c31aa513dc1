#![expect(clippy::duplicated_attributes, reason = "fields of an interface may share a type")]

use async_graphql::{Context, Error, ID, Interface};
use chrono::{DateTime, Utc};
use entity::store::runs;
use uuid::Uuid;

use super::{
    block_config::BlockConfig,
    branch::Branch,
    design::Design,
    design_version::DesignVersion,
    event::RunEvent,
    export::UserDataExportJob,
    job::{JobFailure, JobStatus, SimulationJob},
    run::SimulationRun,
    template::Template,
    user::User,
    workload::Workload,
};
use crate::graphql::{
    context::services,
    errors::internal,
    id::GlobalId,
    loaders::{
        BlockConfigById, BranchById, DesignById, ExportById, JobById, RunById, TemplateById, UserById,
        VersionById, WorkloadById, load,
    },
};

/// Anything with an id.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Opaque and globally unique; never parse it."))]
pub enum Node {
    User(User),
    Design(Design),
    DesignVersion(DesignVersion),
    Branch(Branch),
    Workload(Workload),
    Template(Template),
    SimulationJob(SimulationJob),
    SimulationRun(SimulationRun),
    RunEvent(RunEvent),
    BlockConfig(BlockConfig),
    UserDataExportJob(UserDataExportJob),
}

/// Anything that remembers when it was made and last changed.
#[derive(Interface)]
#[graphql(
    field(name = "created_at", ty = "DateTime<Utc>", desc = "When it was made."),
    field(name = "updated_at", ty = "DateTime<Utc>", desc = "When it last changed.")
)]
pub enum Timestamped {
    Design(Design),
    Workload(Workload),
    BlockConfig(BlockConfig),
}

/// Anything the server does asynchronously. Terminal states never change.
#[derive(Interface)]
#[graphql(
    field(name = "id", ty = "ID", desc = "Opaque and globally unique; never parse it."),
    field(name = "status", ty = "JobStatus"),
    field(name = "progress", ty = "f64", desc = "0 to 1."),
    field(name = "created_at", ty = "DateTime<Utc>"),
    field(name = "finished_at", ty = "Option<DateTime<Utc>>"),
    field(name = "failure", ty = "Option<JobFailure>")
)]
pub enum AsyncJob {
    SimulationJob(SimulationJob),
    UserDataExportJob(UserDataExportJob),
}

/// The thing behind an id; none for what does not exist and for what the viewer may not know of.
///
/// # Errors
/// An internal fault.
pub async fn find(ctx: &Context<'_>, id: &ID) -> Result<Option<Node>, Error> {
    let Some(id) = GlobalId::decode(id) else { return Ok(None) };
    Ok(match id {
        GlobalId::User(key) => load(ctx, UserById(key)).await?.map(|row| Node::User(row.into())),
        GlobalId::Design(key) => load(ctx, DesignById(key)).await?.map(|row| Node::Design(row.into())),
        GlobalId::DesignVersion(key) => {
            load(ctx, VersionById(key)).await?.map(|row| Node::DesignVersion(row.into()))
        }
        GlobalId::Branch(key) => load(ctx, BranchById(key)).await?.map(|row| Node::Branch(row.into())),
        GlobalId::Workload(key) => load(ctx, WorkloadById(key)).await?.map(|row| Node::Workload(row.into())),
        GlobalId::Template(key) => load(ctx, TemplateById(key)).await?.map(|row| Node::Template(row.into())),
        GlobalId::SimulationJob(key) => {
            load(ctx, JobById(key)).await?.map(|row| Node::SimulationJob(row.into()))
        }
        GlobalId::SimulationRun(key) => {
            load(ctx, RunById(key)).await?.map(|row| Node::SimulationRun(row.into()))
        }
        GlobalId::RunEvent(run_id, sequence) => find_event(ctx, run_id, sequence).await?.map(Node::RunEvent),
        GlobalId::BlockConfig(key) => {
            load(ctx, BlockConfigById(key)).await?.map(|row| Node::BlockConfig(row.into()))
        }
        GlobalId::UserDataExportJob(key) => {
            load(ctx, ExportById(key)).await?.map(|row| Node::UserDataExportJob(row.into()))
        }
        GlobalId::Session(_) => None,
    })
}

async fn find_event(ctx: &Context<'_>, run_id: Uuid, sequence: i32) -> Result<Option<RunEvent>, Error> {
    let Some(run) = load(ctx, RunById(run_id)).await? else { return Ok(None) };
    let event = runs::find_event(&services(ctx).db, run_id, sequence).await.map_err(internal)?;
    Ok(event.map(|row| RunEvent::new(row, run.started_at)))
}
