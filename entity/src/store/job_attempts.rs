//! The history of a job's attempts. A row is opened and closed in the transaction that moves the job.

use std::collections::HashMap;

use sea_orm::{ActiveValue::Set, QueryOrder, entity::prelude::*, sea_query::Expr};

use super::attempts::Failure;
use crate::{
    StoreError,
    job_attempt::{ActiveModel, Column, Entity, Model},
    simulation_job, time,
};

/// Opens the row of the attempt that a job was just started for.
pub(super) async fn open(
    conn: &impl ConnectionTrait,
    job: &simulation_job::Model,
    worker: &str,
) -> Result<(), StoreError> {
    let row = ActiveModel {
        job_id: Set(job.id),
        number: Set(job.attempt),
        worker: Set(worker.to_owned()),
        started_at: Set(job.started_at.unwrap_or_else(time::now)),
        finished_at: Set(None),
        failure_code: Set(None),
        failure_message: Set(None),
    };
    Entity::insert(row).exec_without_returning(conn).await?;
    Ok(())
}

/// Closes the row of a job's present attempt; `failure` says why it gave no result.
pub(super) async fn close(
    conn: &impl ConnectionTrait,
    job: &simulation_job::Model,
    failure: Option<&Failure>,
) -> Result<(), StoreError> {
    Entity::update_many()
        .filter(Column::JobId.eq(job.id))
        .filter(Column::Number.eq(job.attempt))
        .col_expr(Column::FinishedAt, Expr::value(time::now()))
        .col_expr(Column::FailureCode, Expr::value(failure.map(|failure| failure.code)))
        .col_expr(Column::FailureMessage, Expr::value(failure.map(|failure| failure.message.as_str())))
        .exec(conn)
        .await?;
    Ok(())
}

/// The attempts of each of these jobs, oldest first. A job without any is absent.
pub async fn of_jobs(
    conn: &impl ConnectionTrait,
    job_ids: &[Uuid],
) -> Result<HashMap<Uuid, Vec<Model>>, StoreError> {
    let rows = Entity::find()
        .filter(Column::JobId.is_in(job_ids.iter().copied()))
        .order_by_asc(Column::JobId)
        .order_by_asc(Column::Number)
        .all(conn)
        .await?;
    let mut attempts: HashMap<Uuid, Vec<Model>> = HashMap::new();
    for row in rows {
        attempts.entry(row.job_id).or_default().push(row);
    }
    Ok(attempts)
}
