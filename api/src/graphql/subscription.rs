mod designs;
mod runs;

use std::time::Duration;

use async_graphql::{Context, Error, ID, MergedSubscription, SimpleObject, Subscription};
use entity::{simulation_job, store::jobs};
use futures_util::{Stream, StreamExt as _};
use tokio::time::{Instant, sleep_until, timeout};
use uuid::Uuid;
use worker::{bus::Notice, pool::Services};

use super::{
    context::{services, viewer},
    errors::{bad_input, fault_error, internal},
    id::job_key,
    types::job::{JobLog, SimulationJob},
};
use crate::service::Fault;

/// At most four messages a second; what happens in between is told together.
const INTERVAL: Duration = Duration::from_millis(250);
/// A notice can be lost; the row is read again after this long without one.
const SILENCE: Duration = Duration::from_secs(30);
/// Lines of the log in one message at most; the next message goes on where it ended.
const LOG_LINES: u64 = 200;

/// Everything that can be watched.
#[derive(MergedSubscription, Default)]
pub struct Subscription(JobSubscription, runs::RunSubscription, designs::DesignSubscription);

#[derive(Default)]
pub struct JobSubscription;

#[Subscription]
impl JobSubscription {
    /// First message is the current snapshot; completes on a terminal status. Resume with afterSequence.
    async fn simulation_job_updated(
        &self,
        ctx: &Context<'_>,
        id: ID,
        #[graphql(desc = "The last sequence the client has seen: older lines of the log are left out.")]
        after_sequence: Option<i32>,
    ) -> Result<impl Stream<Item = Result<SimulationJobUpdate, Error>> + use<>, Error> {
        let viewer = viewer(ctx).ok_or_else(|| fault_error(&Fault::Unauthenticated))?;
        let services = services(ctx).clone();
        let key = job_key(&id).ok_or_else(no_such_job)?;
        // Listening starts before the row is read, so that nothing falls between the two.
        let notices = services.bus.subscribe();
        let job = jobs::find_for_user(&services.db, key, viewer.user_id).await.map_err(internal)?;
        let first = job.ok_or_else(no_such_job)?;
        let watch = Watch { services, notices, log_told: after_sequence.unwrap_or_default(), told: None };
        Ok(futures_util::stream::unfold((watch, Some(first)), |(mut watch, first)| async move {
            let next = match first {
                Some(job) => watch.tell(job).await.map(Some),
                None => watch.next().await,
            };
            if next.is_err() {
                // Nothing follows an error.
                watch.told = None;
            }
            Some((next.transpose()?, (watch, None)))
        }))
    }
}

fn no_such_job() -> Error {
    bad_input("there is no such job")
}

/// A message about a job.
#[derive(SimpleObject)]
pub struct SimulationJobUpdate {
    /// Grows with every change of the job.
    sequence: i32,
    job: SimulationJob,
    /// Lines of the log since the last message.
    logs: Vec<JobLog>,
}

/// One subscriber's view of one job.
struct Watch<N> {
    services: Services,
    notices: N,
    /// Sequence of the newest line of the log that was told.
    log_told: i32,
    /// The last message: what it was about and when it was told.
    told: Option<Told>,
}

struct Told {
    job_id: Uuid,
    sequence: i32,
    ended: bool,
    at: Instant,
}

impl<N: Stream<Item = Notice> + Unpin> Watch<N> {
    /// The next message; none when the job has ended and nothing is left to tell.
    async fn next(&mut self) -> Result<Option<SimulationJobUpdate>, Error> {
        let Some(Told { job_id, sequence, ended, at }) = self.told else { return Ok(None) };
        if ended {
            return Ok(None);
        }
        loop {
            self.wait_for_news(job_id, sequence).await;
            sleep_until(at + INTERVAL).await;
            let job = jobs::find(&self.services.db, job_id).await.map_err(internal)?;
            match job {
                Some(job) if job.sequence > sequence => return self.tell(job).await.map(Some),
                Some(_) => {}
                // Its owner's account was deleted.
                None => return Ok(None),
            }
        }
    }

    /// Returns when the row may have changed.
    async fn wait_for_news(&mut self, watched: Uuid, known: i32) {
        let relevant = |notice: &Notice| match notice {
            Notice::JobUpdated { job_id, sequence } => *job_id == watched && *sequence > known,
            Notice::Lagged => true,
            Notice::CancelRequested { .. } | Notice::DesignChanged { .. } | Notice::TemplatesChanged => false,
        };
        let news = async {
            while let Some(notice) = self.notices.next().await {
                if relevant(&notice) {
                    return;
                }
            }
            std::future::pending::<()>().await;
        };
        // Silence is a reason to look as well.
        let _ = timeout(SILENCE, news).await;
    }

    async fn tell(&mut self, row: simulation_job::Model) -> Result<SimulationJobUpdate, Error> {
        let lines =
            jobs::logs(&self.services.db, row.id, self.log_told, LOG_LINES).await.map_err(internal)?;
        self.log_told = lines.last().map_or(self.log_told, |line| line.sequence);
        self.told = Some(Told {
            job_id: row.id,
            sequence: row.sequence,
            ended: row.status.is_terminal(),
            at: Instant::now(),
        });
        Ok(SimulationJobUpdate {
            sequence: row.sequence,
            logs: lines.into_iter().map(JobLog::from).collect(),
            job: row.into(),
        })
    }
}
