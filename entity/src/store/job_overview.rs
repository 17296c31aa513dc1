//! Everybody's jobs, for those who run the service.

use chrono::Duration;
use sea_orm::{
    FromQueryResult, Order, QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{Expr, ExprTrait, Query},
};

use super::runs::all;
use crate::{
    StoreError,
    simulation_job::{self, Column, Entity},
    status::JobStatus,
    time::now,
};

/// How many jobs came to an end of this kind in some time.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct Ended {
    pub status: JobStatus,
    pub jobs: i64,
}

/// The ends that jobs came to since so long ago. An end that none came to is absent.
pub async fn ended(conn: &impl ConnectionTrait, ago: Duration) -> Result<Vec<Ended>, StoreError> {
    let select = Query::select()
        .column(Column::Status)
        .expr_as(Expr::col(Column::Id).count(), "jobs")
        .from(Entity)
        .and_where(Expr::col(Column::FinishedAt).gt(now() - ago))
        .group_by_col(Column::Status)
        .order_by(Column::Status, Order::Asc)
        .to_owned();
    all(conn, &select).await
}

/// The jobs that failed or ran out of time last, newest first.
pub async fn last_failures(
    conn: &impl ConnectionTrait,
    limit: u64,
) -> Result<Vec<simulation_job::Model>, StoreError> {
    Ok(Entity::find()
        .filter(Column::FinishedAt.is_not_null())
        .filter(Column::Status.is_in([JobStatus::Failed, JobStatus::TimedOut]))
        .order_by_desc(Column::FinishedAt)
        .limit(limit)
        .all(conn)
        .await?)
}

/// Jobs, of this status if one is given, newest first.
pub async fn newest(
    conn: &impl ConnectionTrait,
    status: Option<JobStatus>,
    limit: u64,
) -> Result<Vec<simulation_job::Model>, StoreError> {
    let mut jobs = Entity::find();
    if let Some(status) = status {
        jobs = jobs.filter(Column::Status.eq(status));
    }
    Ok(jobs.order_by_desc(Column::CreatedAt).order_by_desc(Column::Id).limit(limit).all(conn).await?)
}
