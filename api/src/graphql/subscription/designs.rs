use async_graphql::{Context, Error, ID, Object, Subscription};
use entity::{design, store::designs};
use futures_util::{Stream, StreamExt as _};
use tokio::time::{Instant, sleep_until, timeout};
use uuid::Uuid;
use worker::{bus::Notice, pool::Services};

use super::{INTERVAL, SILENCE};
use crate::{
    graphql::{
        context::{services, viewer},
        errors::{bad_input, fault_error, internal, missing_parent},
        id::design_key,
        loaders::{UserById, VersionAt, load},
        types::{design::Design, design_version::DesignVersion, user::User},
    },
    service::Fault,
};

#[derive(Default)]
pub struct DesignSubscription;

#[Subscription]
impl DesignSubscription {
    /// First message is the current snapshot; completes when the viewer may no longer open the design. Resume with
    /// afterSequence. At most 4 messages a second, coalesced.
    async fn design_changed(
        &self,
        ctx: &Context<'_>,
        id: ID,
        #[graphql(desc = "The last sequence the client has seen: the first message is the next change.")]
        after_sequence: Option<i32>,
    ) -> Result<impl Stream<Item = Result<DesignChange, Error>> + use<>, Error> {
        let viewer = viewer(ctx).ok_or_else(|| fault_error(&Fault::Unauthenticated))?.user_id;
        let services = services(ctx).clone();
        let no_such_design = || bad_input("there is no such design");
        let design_id = design_key(&id).ok_or_else(no_such_design)?;
        // Listening starts before the row is read, so that nothing falls between the two.
        let notices = services.bus.subscribe();
        let watch = Watch { services, notices, viewer, design_id, known: after_sequence, told_at: None };
        watch.read().await?.ok_or_else(no_such_design)?;
        Ok(futures_util::stream::unfold(Some(watch), async |watch| {
            let mut watch = watch?;
            match watch.next().await {
                Ok(Some(row)) => Some((Ok(DesignChange(row)), Some(watch))),
                Ok(None) => None,
                // Nothing follows an error.
                Err(error) => Some((Err(error), None)),
            }
        }))
    }
}

/// `DesignChange` of the schema.
pub struct DesignChange(design::Head);

/// A message about a design.
#[Object]
impl DesignChange {
    /// Grows with every change of the design.
    async fn sequence(&self) -> i32 {
        self.0.version
    }

    async fn design(&self) -> Design {
        self.0.clone().into()
    }

    /// Its newest version, on whatever branch.
    async fn version(&self, ctx: &Context<'_>) -> Result<DesignVersion, Error> {
        let newest = VersionAt { design_id: self.0.id, number: self.0.version_count };
        load(ctx, newest).await?.map(DesignVersion::from).ok_or_else(missing_parent)
    }

    /// Who made the last change. Null once their account is gone.
    async fn changed_by(&self, ctx: &Context<'_>) -> Option<Result<User, Error>> {
        let user = load(ctx, UserById(self.0.changed_by_id?)).await;
        user.map(|found| found.map(User::from)).transpose()
    }
}

/// One subscriber's view of one design.
struct Watch<N> {
    services: Services,
    notices: N,
    viewer: Uuid,
    design_id: Uuid,
    /// Sequence of the last message.
    known: Option<i32>,
    told_at: Option<Instant>,
}

impl<N: Stream<Item = Notice> + Unpin> Watch<N> {
    /// The design as it is now; none when the viewer may not open it.
    async fn read(&self) -> Result<Option<design::Head>, Error> {
        let found =
            designs::find_visible_heads(&self.services.db, &[self.design_id], Some(self.viewer)).await;
        Ok(found.map_err(internal)?.pop())
    }

    /// The next message; none when the viewer may no longer open the design.
    async fn next(&mut self) -> Result<Option<design::Head>, Error> {
        if let Some(told_at) = self.told_at {
            self.wait_for_news().await;
            sleep_until(told_at + INTERVAL).await;
        }
        loop {
            let Some(design) = self.read().await? else { return Ok(None) };
            if self.known != Some(design.version) {
                self.known = Some(design.version);
                self.told_at = Some(Instant::now());
                return Ok(Some(design));
            }
            self.wait_for_news().await;
        }
    }

    /// Returns when the design may have changed.
    async fn wait_for_news(&mut self) {
        let watched = self.design_id;
        let news = async {
            while let Some(notice) = self.notices.next().await {
                match notice {
                    Notice::DesignChanged { design_id } if design_id == watched => return,
                    Notice::Lagged => return,
                    _ => {}
                }
            }
            std::future::pending::<()>().await;
        };
        // Silence is a reason to look as well.
        let _ = timeout(SILENCE, news).await;
    }
}
