use async_graphql::{Context, Error, ID, Object};
use chrono::{DateTime, Utc};
use entity::background_job;

use super::job::{JobFailure, JobStatus};
use crate::{
    auth::{Download, Tokens},
    config::Config,
    graphql::{errors::internal, id::GlobalId, scalars::Url},
    service::exports,
};

/// `UserDataExportJob` of the schema.
pub struct UserDataExportJob(background_job::Model);

impl From<background_job::Model> for UserDataExportJob {
    fn from(row: background_job::Model) -> Self {
        Self(row)
    }
}

/// An export of everything a user owns. Only for that user.
#[Object]
impl UserDataExportJob {
    /// Opaque and globally unique; never parse it.
    pub async fn id(&self) -> ID {
        GlobalId::UserDataExportJob(self.0.id).into()
    }

    /// A JSON document. The link is good for ten minutes, and a new one is made each time it is asked for; null until
    /// COMPLETED, and 24 hours after that.
    async fn download_url(&self, ctx: &Context<'_>) -> Option<Result<Url, Error>> {
        let user_id = self.0.user_id.filter(|_| exports::is_readable(&self.0))?;
        let tokens = ctx.data_unchecked::<Tokens>();
        let mut url = ctx.data_unchecked::<Config>().public_url.clone();
        let token = tokens.issue_download(Download { job_id: self.0.id, user_id });
        Some(token.map_err(internal).map(|token| {
            url.set_path(&format!("exports/{token}"));
            Url(url)
        }))
    }

    /// Terminal states never change.
    pub async fn status(&self) -> JobStatus {
        self.0.status.into()
    }

    /// 0 to 1.
    pub async fn progress(&self) -> f64 {
        self.0.progress
    }

    pub async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    pub async fn finished_at(&self) -> Option<DateTime<Utc>> {
        self.0.finished_at
    }

    /// Why it ended without a result.
    pub async fn failure(&self) -> Option<JobFailure> {
        JobFailure::of(self.0.failure_code, self.0.failure_message.as_deref())
    }
}
