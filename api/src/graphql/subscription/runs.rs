use async_graphql::{Context, Error, ID, SimpleObject, Subscription};
use entity::{
    simulation_run,
    status::RunStatus,
    store::{
        jobs,
        run_series::{self, SeriesRequest},
        runs,
    },
};
use futures_util::{Stream, StreamExt as _, stream};
use tokio::time::{Instant, sleep_until, timeout};
use uuid::Uuid;
use worker::{bus::Notice, pool::Services};

use super::{INTERVAL, SILENCE};
use crate::graphql::{
    context::{services, viewer},
    errors::{bad_input, internal},
    id::run_key,
    types::metric::MetricSeries,
};

/// Points of a series in one message.
const MAX_POINTS: u32 = 300;

#[derive(Default)]
pub struct RunSubscription;

#[Subscription]
impl RunSubscription {
    /// First message is what is stored so far, without series when the client has seen them; completes with the run. At most 4
    /// messages a second, coalesced.
    async fn simulation_run_metrics_appended(
        &self,
        ctx: &Context<'_>,
        run_id: ID,
        #[graphql(desc = "Names of the series to send; all when omitted.")] names: Option<Vec<String>>,
        #[graphql(desc = "The last sequence the client has seen: series it has are left out.")]
        after_sequence: Option<i32>,
    ) -> Result<impl Stream<Item = Result<MetricsUpdate, Error>> + use<>, Error> {
        let viewer = viewer(ctx).map(|viewer| viewer.user_id);
        let services = services(ctx).clone();
        let key = run_key(&run_id).ok_or_else(no_such_run)?;
        // Listening starts before the row is read, so that nothing falls between the two.
        let notices = services.bus.subscribe();
        let found = runs::find_visible(&services.db, &[key], viewer).await.map_err(internal)?.pop();
        let run = found.ok_or_else(no_such_run)?;
        let watch = Watch { services, notices, viewer, names, seen: after_sequence.unwrap_or_default() };
        Ok(stream::unfold((watch, Step::First(Box::new(run))), |(mut watch, step)| async move {
            let (message, next) = match watch.step(step).await {
                Ok(step) => (Ok(step.0?), step.1),
                // Nothing follows an error.
                Err(error) => (Err(error), Step::Last),
            };
            Some((message, (watch, next)))
        }))
    }
}

fn no_such_run() -> Error {
    bad_input("there is no such run")
}

/// A message about the series of a run.
#[derive(SimpleObject)]
pub struct MetricsUpdate {
    /// Grows when series were stored.
    sequence: i32,
    /// The series as they are now; empty while none are stored that the client has not seen.
    series: Vec<MetricSeries>,
}

/// How far a watch is.
enum Step {
    First(Box<simulation_run::Model>),
    /// The run was RUNNING when it was told of, at this time.
    Wait(Box<simulation_run::Model>, Instant),
    Last,
}

/// One subscriber's view of one run.
struct Watch<N> {
    services: Services,
    notices: N,
    viewer: Option<Uuid>,
    names: Option<Vec<String>>,
    /// The last sequence that the client has.
    seen: i32,
}

impl<N: Stream<Item = Notice> + Unpin> Watch<N> {
    /// The next message, and what follows it; no message when the run has ended and all was told.
    async fn step(&mut self, step: Step) -> Result<(Option<MetricsUpdate>, Step), Error> {
        let run = match step {
            Step::First(run) => *run,
            Step::Wait(run, told_at) => match self.ended(&run, told_at).await? {
                Some(run) => run,
                // The viewer may no longer read it.
                None => return Ok((None, Step::Last)),
            },
            Step::Last => return Ok((None, Step::Last)),
        };
        let message = self.message(&run).await?;
        let next = match run.status {
            RunStatus::Running => Step::Wait(Box::new(run), Instant::now()),
            RunStatus::Completed | RunStatus::Failed => Step::Last,
        };
        Ok((Some(message), next))
    }

    /// The run once it is no longer RUNNING; none when it is gone.
    async fn ended(
        &mut self,
        run: &simulation_run::Model,
        told_at: Instant,
    ) -> Result<Option<simulation_run::Model>, Error> {
        loop {
            self.wait_for_news(run.job_id).await;
            sleep_until(told_at + INTERVAL).await;
            let db = &self.services.db;
            match runs::find_visible(db, &[run.id], self.viewer).await.map_err(internal)?.pop() {
                // A job that goes back to the queue leaves its run as it is.
                Some(run) if run.status == RunStatus::Running => {
                    let job = match run.job_id {
                        Some(id) => jobs::find(db, id).await.map_err(internal)?,
                        None => None,
                    };
                    if job.is_none_or(|job| job.status.is_terminal()) {
                        return Ok(None);
                    }
                }
                found => return Ok(found),
            }
        }
    }

    /// Returns when the run may have changed. Its series are stored with the end of its job, which is what is told.
    async fn wait_for_news(&mut self, job: Option<Uuid>) {
        let relevant = |notice: &Notice| match notice {
            Notice::JobUpdated { job_id, .. } => job == Some(*job_id),
            Notice::Lagged => true,
            _ => false,
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

    async fn message(&mut self, run: &simulation_run::Model) -> Result<MetricsUpdate, Error> {
        // Series are stored once, whole.
        let sequence = i32::from(run.status == RunStatus::Completed);
        if sequence <= self.seen {
            return Ok(MetricsUpdate { sequence, series: Vec::new() });
        }
        self.seen = sequence;
        let request = SeriesRequest {
            names: self.names.clone(),
            max_points: MAX_POINTS,
            with_p95: true,
            ..SeriesRequest::default()
        };
        let mut series =
            run_series::series(&self.services.db, &[run.id], &request).await.map_err(internal)?;
        let series = series.remove(&run.id).unwrap_or_default();
        let series = series.into_iter().map(|one| MetricSeries::new(one, run.started_at)).collect();
        Ok(MetricsUpdate { sequence, series })
    }
}
