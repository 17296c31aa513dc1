//! Queries read from a replica of PostgreSQL, and nobody misses there what they have done or been told.
//!
//! Whoever changed something, or was told a state over a subscription, has a mark in Redis: a position in the primary's
//! log. Until the replica has replayed it, their queries read from the primary, whichever process answers them.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use entity::{
    DatabaseConnection,
    connect::{Way, connect_by},
    store::replication,
};
use redis::{AsyncCommands, RedisResult, Script};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::{
    bus::BusError,
    config::Config,
    error::StartError,
    redis_link::{self, Connection},
};

/// Between two looks at how far the replica has come.
const PERIOD: Duration = Duration::from_millis(500);
/// A replica, or Redis, that takes longer is as good as down: the primary answers.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a mark is kept. It counts only while the replica is behind it, so this bounds what a replica that fell behind for
/// good can cost the primary.
const MARK_SECONDS: u64 = 600;

/// Positions grow: of two processes that mark the same user at once, the later position holds.
static MARK: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local known = redis.call('GET', KEYS[1])
        if not known or tonumber(known) < tonumber(ARGV[1]) then
            redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
        end",
    )
});

/// A handle to the replica; clones share it, and with the last of them it is no longer watched.
#[derive(Clone)]
pub struct Replica {
    db: DatabaseConnection,
    state: Arc<State>,
    marks: Connection,
}

struct State {
    usable: Arc<AtomicBool>,
    /// The position that the replica had replayed when it was last looked at.
    replayed: AtomicI64,
}

impl Replica {
    /// The replica of the configuration, if it names one. It need not be there yet.
    pub(crate) async fn connect(
        config: &Config,
        primary: &DatabaseConnection,
    ) -> Result<Option<Self>, StartError> {
        let (Some(url), Some(redis_url)) = (&config.database_read_url, &config.redis_url) else {
            return Ok(None);
        };
        let way = Way {
            max_connections: config.database_connections,
            statement_timeout: config.statement_timeout,
            transaction_pooler: config.transaction_pooler,
            replica: true,
            ..Way::default()
        };
        let watched = connect_by(url, way).await.map_err(StartError::Replica)?;
        let (_, marks) = redis_link::connect(redis_url).await.map_err(BusError::from)?;
        let usable = Arc::new(AtomicBool::new(true));
        let state = Arc::new(State { usable: usable.clone(), replayed: AtomicI64::new(0) });
        let db = watched.clone().as_replica_of(primary.clone(), usable);
        state.look(&watched).await;
        let followed = Arc::downgrade(&state);
        tokio::spawn(async move {
            loop {
                sleep(PERIOD).await;
                let Some(state) = followed.upgrade() else { return };
                state.look(&watched).await;
            }
        });
        Ok(Some(Self { db, state, marks }))
    }

    /// The replica, if it can be used and shows all that this user may expect.
    pub(crate) async fn reader(&self, user_id: Option<Uuid>) -> Option<&DatabaseConnection> {
        if !self.state.usable.load(Ordering::Relaxed) {
            return None;
        }
        let Some(user_id) = user_id else { return Some(&self.db) };
        let mut marks = self.marks.clone();
        let mark = timeout(PATIENCE, marks.get(key(user_id))).await;
        match mark {
            Ok(RedisResult::<Option<i64>>::Ok(mark)) => {
                let replayed = self.state.replayed.load(Ordering::Relaxed);
                mark.is_none_or(|mark| mark <= replayed).then_some(&self.db)
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "marks cannot be read; the query reads from the primary");
                None
            }
            Err(_) => {
                tracing::warn!("marks are not read in time; the query reads from the primary");
                None
            }
        }
    }

    /// Marks the user with the primary's present position.
    pub(crate) async fn seen_by(&self, user_id: Uuid, primary: &DatabaseConnection) {
        let mark = async {
            let position = replication::position(primary).await.map_err(|error| error.to_string())?;
            let mut call = MARK.key(key(user_id));
            call.arg(position).arg(MARK_SECONDS);
            call.invoke_async::<()>(&mut self.marks.clone()).await.map_err(|error| error.to_string())
        };
        match timeout(PATIENCE, mark).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, %user_id, "a change was not marked; its user may read from before it")
            }
            Err(_) => {
                tracing::warn!(%user_id, "a change was not marked in time; its user may read from before it")
            }
        }
    }
}

/// Ids of users are unique over every namespace.
fn key(user_id: Uuid) -> String {
    format!("replica-mark:{user_id}")
}

impl State {
    /// Notes how far the replica has come, and whether it can be used at all.
    async fn look(&self, replica: &DatabaseConnection) {
        let answer = timeout(PATIENCE, replication::replayed(replica)).await;
        let usable = match &answer {
            Ok(Ok(Some(replayed))) => {
                self.replayed.store(*replayed, Ordering::Relaxed);
                true
            }
            _ => false,
        };
        metrics::gauge!("database_replica_usable").set(f64::from(u8::from(usable)));
        let before = self.usable.swap(usable, Ordering::Relaxed);
        if before == usable {
            return;
        }
        match answer {
            Ok(Ok(Some(_))) => tracing::info!("the replica can be used again"),
            Ok(Ok(None)) => {
                tracing::warn!("DATABASE_READ_URL names no replica; queries read from the primary")
            }
            Ok(Err(error)) => tracing::warn!(%error, "the replica failed; queries read from the primary"),
            Err(_) => tracing::warn!("the replica does not answer; queries read from the primary"),
        }
    }
}
