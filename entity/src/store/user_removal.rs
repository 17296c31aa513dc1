//! The right to be forgotten: an account and everything that names it, in one transaction.

use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, ExprTrait, Query},
};
use uuid::Uuid;

use crate::{
    DatabaseTransaction, StoreError, background_job, design, simulation_job, simulation_run,
    status::{JobStatus, Visibility},
    time::now,
    user, workload,
};

/// What went with an account.
pub struct Removed {
    /// Jobs that had not ended.
    pub unfinished_jobs: Vec<Uuid>,
    pub designs: Vec<Uuid>,
}

/// Removes an account with its sessions, designs, workloads, configurations, jobs and runs. With `keep_public` its PUBLIC
/// designs stay without an owner, with their runs. What others' runs are the result of stays without an owner too.
pub async fn remove(
    txn: &DatabaseTransaction,
    user_id: Uuid,
    keep_public: bool,
) -> Result<Removed, StoreError> {
    let unfinished_jobs = unfinished_jobs(txn, user_id).await?;
    if keep_public {
        design::Entity::update_many()
            .col_expr(design::Column::UserId, Expr::value(None::<Uuid>))
            .filter(design::Column::UserId.eq(user_id))
            .filter(design::Column::Visibility.eq(Visibility::Public))
            .filter(design::Column::DeletedAt.is_null())
            .exec(txn)
            .await?;
    }
    let designs = design::Entity::find()
        .select_only()
        .column(design::Column::Id)
        .filter(design::Column::UserId.eq(user_id))
        .into_tuple()
        .all(txn)
        .await?;
    // Versions, jobs and runs of a design go with it.
    design::Entity::delete_many().filter(design::Column::UserId.eq(user_id)).exec(txn).await?;
    simulation_job::Entity::delete_many()
        .filter(simulation_job::Column::UserId.eq(user_id))
        .exec(txn)
        .await?;
    let used_by_runs = Query::select()
        .column(simulation_run::Column::WorkloadId)
        .from(simulation_run::Entity)
        .and_where(
            Expr::col((simulation_run::Entity, simulation_run::Column::WorkloadId))
                .equals((workload::Entity, workload::Column::Id)),
        )
        .to_owned();
    let used_by_jobs = Query::select()
        .column(simulation_job::Column::WorkloadId)
        .from(simulation_job::Entity)
        .and_where(
            Expr::col((simulation_job::Entity, simulation_job::Column::WorkloadId))
                .equals((workload::Entity, workload::Column::Id)),
        )
        .to_owned();
    workload::Entity::delete_many()
        .filter(workload::Column::UserId.eq(user_id))
        .filter(Expr::not_exists(used_by_runs))
        .filter(Expr::not_exists(used_by_jobs))
        .exec(txn)
        .await?;
    workload::Entity::update_many()
        .col_expr(workload::Column::UserId, Expr::value(None::<Uuid>))
        .col_expr(workload::Column::DeletedAt, Expr::value(now()))
        .filter(workload::Column::UserId.eq(user_id))
        .exec(txn)
        .await?;
    // Sessions, keys, configurations and background jobs go with the row; what else points at it points nowhere then.
    user::Entity::delete_by_id(user_id).exec(txn).await?;
    Ok(Removed { unfinished_jobs, designs })
}

async fn unfinished_jobs(txn: &DatabaseTransaction, user_id: Uuid) -> Result<Vec<Uuid>, StoreError> {
    let unfinished = [JobStatus::Queued, JobStatus::Running];
    let mut ids: Vec<Uuid> = simulation_job::Entity::find()
        .select_only()
        .column(simulation_job::Column::Id)
        .filter(simulation_job::Column::UserId.eq(user_id))
        .filter(simulation_job::Column::Status.is_in(unfinished))
        .into_tuple()
        .all(txn)
        .await?;
    let background: Vec<Uuid> = background_job::Entity::find()
        .select_only()
        .column(background_job::Column::Id)
        .filter(background_job::Column::UserId.eq(user_id))
        .filter(background_job::Column::Status.is_in(unfinished))
        .into_tuple()
        .all(txn)
        .await?;
    ids.extend(background);
    Ok(ids)
}
