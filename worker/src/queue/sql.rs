//! The queue of the embedded mode: tables beside the rows, in SQLite. The step of the migration that made them says what they
//! hold, and which of it their triggers keep.

use std::{fmt::Write, sync::Arc, time::Duration};

use entity::{DatabaseConnection, DatabaseTransaction, store};
use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement, Value};
use tokio::sync::watch;
use uuid::Uuid;

use super::{
    BACKGROUND_AGE, Clock, Jobs, Message, PROMOTION_LIMIT, QueueError, RawClaim, STANDARD_AGE, Stats, lane,
    stats_of,
};

/// Now, in milliseconds of the Unix epoch, by the database's clock; `?1` moves it.
const NOW: &str = "(CAST(unixepoch('subsec') * 1000 AS INTEGER) + ?1)";
const WAITING: &str = "due_at_ms IS NULL AND lease_expires_at_ms IS NULL";
/// The claim that counted attempt `?3` still holds entry `?2`.
const HOLDS: &str = "id = ?2 AND attempts = ?3 AND lease_expires_at_ms IS NOT NULL";

#[derive(Clone)]
pub(super) struct Store {
    db: DatabaseConnection,
    clock: Clock,
    wake: Arc<watch::Sender<()>>,
}

/// The columns of a flow that are about some of its jobs, and the condition that an entry meets to be one of them.
struct View {
    ring: &'static str,
    since: &'static str,
    aged: &'static str,
    condition: &'static str,
}

impl Jobs {
    fn view(self) -> View {
        match self {
            Jobs::All => View { ring: "ring", since: "since_ms", aged: "aged_turn", condition: "" },
            Jobs::Short => View {
                ring: "short_ring",
                since: "short_since_ms",
                aged: "short_aged_turn",
                condition: "AND short = 1",
            },
        }
    }
}

impl Store {
    pub(super) fn new(db: DatabaseConnection, clock: Clock) -> Self {
        Self { db, clock, wake: Arc::new(watch::Sender::new(())) }
    }

    /// A statement whose `?1` is the clock and whose further values follow from `?2` on.
    fn statement(&self, sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
        let clock = Value::from(self.clock.ahead_ms());
        Statement::from_sql_and_values(DbBackend::Sqlite, sql, std::iter::once(clock).chain(values))
    }

    /// Runs a statement that changes entries and returns their users; how many there were. Their flows are put where they
    /// belong now.
    async fn change(&self, sql: &str, values: impl IntoIterator<Item = Value>) -> Result<usize, QueueError> {
        let tx = store::begin(&self.db).await?;
        let changed = self.change_in(&tx, sql, values).await?.len();
        tx.commit().await?;
        Ok(changed)
    }

    async fn change_in(
        &self,
        tx: &DatabaseTransaction,
        sql: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<QueryResult>, QueueError> {
        let rows = tx.query_all_raw(self.statement(sql, values)).await?;
        self.arrange(tx, &rows).await?;
        Ok(rows)
    }

    /// Puts the flows of the users of these entries where their first entries say that they belong.
    async fn arrange(&self, tx: &DatabaseTransaction, entries: &[QueryResult]) -> Result<(), QueueError> {
        let mut users: Vec<String> =
            entries.iter().map(|row| row.try_get_by("user_id")).collect::<Result<_, _>>()?;
        users.sort_unstable();
        users.dedup();
        if !users.is_empty() {
            let users = serde_json::json!(users).to_string();
            tx.execute_raw(self.statement(&arrange(), [users.into()])).await?;
        }
        Ok(())
    }

    pub(super) async fn enqueue(&self, messages: &[Message]) -> Result<(), QueueError> {
        let sql = format!(
            "INSERT INTO queue_entries \
             (id, payload, user_id, lane, short, max_concurrent, attempts, enqueued_at_ms, turn) \
             VALUES (?2, ?3, ?4, ?5, ?6, ?7, 0, {NOW}, (SELECT last + 1 FROM queue_turns)) \
             ON CONFLICT (id) DO NOTHING RETURNING user_id"
        );
        let tx = store::begin(&self.db).await?;
        let mut new = Vec::new();
        for message in messages {
            let values = [
                message.id.to_string().into(),
                message.payload().into(),
                message.user_id.to_string().into(),
                lane(message.priority).into(),
                i32::from(message.short).into(),
                message.max_concurrent.into(),
            ];
            new.extend(tx.query_one_raw(self.statement(&sql, values)).await?);
        }
        self.arrange(&tx, &new).await?;
        tx.commit().await?;
        self.wake.send_replace(());
        Ok(())
    }

    pub(super) async fn claim(
        &self,
        worker: &str,
        lease: Duration,
        count: usize,
        jobs: Jobs,
    ) -> Result<Vec<RawClaim>, QueueError> {
        let View { ring, aged, condition, .. } = jobs.view();
        let tx = store::begin(&self.db).await?;
        // Entries whose rest or whose lease is over wait again, so many at a time that nobody else waits long for the lock.
        for (column, change) in [
            ("due_at_ms", "due_at_ms = NULL"),
            ("lease_expires_at_ms", "lease_expires_at_ms = NULL, worker = NULL"),
        ] {
            let sql = format!(
                "UPDATE queue_entries SET {change} WHERE sequence IN (SELECT sequence FROM queue_entries \
                 WHERE {column} <= {NOW} ORDER BY {column} LIMIT {PROMOTION_LIMIT}) RETURNING user_id"
            );
            if !self.change_in(&tx, &sql, []).await?.is_empty() {
                self.wake.send_replace(());
            }
        }
        // Flows whose first entry has aged get a turn among premium.
        for View { ring, since, aged, .. } in [Jobs::All.view(), Jobs::Short.view()] {
            let found = [(1, STANDARD_AGE), (2, BACKGROUND_AGE)].map(|(lane, age)| {
                format!(
                    "SELECT * FROM (SELECT flow FROM queue_flows WHERE {ring} IS NOT NULL AND {aged} IS NULL \
                     AND lane = {lane} AND {since} <= {NOW} - {age} ORDER BY {since} LIMIT {PROMOTION_LIMIT})",
                    age = age.as_millis(),
                )
            });
            let found = found.join(" UNION ALL ");
            let sql = format!("UPDATE queue_flows SET {aged} = turn WHERE flow IN ({found})");
            tx.execute_raw(self.statement(&sql, [])).await?;
        }
        // Whose turn it is: premium and aged flows before the standard lane before the background. The lane of an aged flow
        // gives the turn to whoever is next in the lane: else all of one user's jobs, once aged, would come before another's
        // first.
        let turn = format!(
            "SELECT lane, payer, (SELECT flow FROM queue_flows WHERE {ring} = turns.lane ORDER BY turn LIMIT 1) AS flow \
             FROM (SELECT * FROM ( \
             SELECT * FROM (SELECT 0 AS class, turn, 0 AS lane, NULL AS payer FROM queue_flows \
             WHERE {ring} = 0 ORDER BY turn LIMIT 1) UNION ALL \
             SELECT * FROM (SELECT 0, {aged}, lane, flow FROM queue_flows WHERE {aged} IS NOT NULL \
             ORDER BY {aged} LIMIT 1) UNION ALL \
             SELECT * FROM (SELECT {ring}, 0, {ring}, NULL FROM queue_flows WHERE {ring} > 0 ORDER BY {ring} LIMIT 1)) \
             ORDER BY class, turn LIMIT 1) AS turns"
        );
        // A trigger sends the flow that is served to the end of its ring.
        let take = format!(
            "UPDATE queue_entries SET attempts = attempts + 1, worker = ?2, lease_expires_at_ms = {NOW} + ?3, \
             turn = (SELECT turn FROM queue_flows WHERE queue_flows.flow = queue_entries.flow) \
             WHERE sequence = (SELECT sequence FROM queue_entries WHERE flow = ?4 AND {WAITING} {condition} \
             ORDER BY sequence LIMIT 1) RETURNING id, attempts, payload, user_id"
        );
        // No two flows have the same turn; the served one's is the last.
        let pay = format!("UPDATE queue_flows SET {aged} = (SELECT last FROM queue_turns) WHERE flow = ?2");
        let next = "UPDATE queue_turns SET last = last + 1";
        let mut claims = Vec::new();
        while claims.len() < count {
            let Some(turn) = tx.query_one_raw(self.statement(&turn, [])).await? else { break };
            let flow: String = turn.try_get_by("flow")?;
            let payer: Option<String> = turn.try_get_by("payer")?;
            let values = [worker.into(), milliseconds(lease), flow.as_str().into()];
            let taken = tx.query_one_raw(self.statement(&take, values)).await?;
            if let Some(payer) = payer {
                if payer != flow {
                    tx.execute_raw(self.statement(next, [])).await?;
                }
                tx.execute_raw(self.statement(&pay, [payer.into()])).await?;
            }
            let Some(row) = taken else { break };
            self.arrange(&tx, std::slice::from_ref(&row)).await?;
            claims.push(RawClaim {
                id: row.try_get_by::<String, _>("id")?.into_bytes(),
                attempts: row.try_get_by("attempts")?,
                payload: row.try_get_by::<String, _>("payload")?.into_bytes(),
            });
        }
        tx.commit().await?;
        Ok(claims)
    }

    pub(super) async fn heartbeat(
        &self,
        id: &[u8],
        attempts: i64,
        lease: Duration,
    ) -> Result<bool, QueueError> {
        let sql = format!("UPDATE queue_entries SET lease_expires_at_ms = {NOW} + ?4 WHERE {HOLDS}");
        let statement = self.statement(&sql, [text(id), attempts.into(), milliseconds(lease)]);
        Ok(self.db.execute_raw(statement).await?.rows_affected() > 0)
    }

    pub(super) async fn ack(&self, id: &[u8], attempts: i64) -> Result<bool, QueueError> {
        let sql = format!("DELETE FROM queue_entries WHERE {HOLDS} RETURNING user_id");
        let held = self.change(&sql, [text(id), attempts.into()]).await?;
        // It may have been all that kept its user's next one waiting.
        self.wake.send_replace(());
        Ok(held > 0)
    }

    pub(super) async fn retry(&self, id: &[u8], attempts: i64, delay: Duration) -> Result<bool, QueueError> {
        let sql = format!(
            "UPDATE queue_entries SET lease_expires_at_ms = NULL, worker = NULL, \
             due_at_ms = CASE WHEN ?4 > 0 THEN {NOW} + ?4 END WHERE {HOLDS} RETURNING user_id"
        );
        let held = self.change(&sql, [text(id), attempts.into(), milliseconds(delay)]).await?;
        self.wake.send_replace(());
        Ok(held > 0)
    }

    pub(super) async fn cancel(&self, id: Uuid) -> Result<bool, QueueError> {
        let sql = "DELETE FROM queue_entries WHERE id = ?2 AND lease_expires_at_ms IS NULL RETURNING user_id";
        Ok(self.change(sql, [id.to_string().into()]).await? > 0)
    }

    pub(super) async fn position(&self, id: Uuid) -> Result<Option<u32>, QueueError> {
        // Behind so many of its own flow, an entry is served after as many of every other, and one more of those whose turn
        // is sooner, as far as they have them. A flow that is parked comes after all of its lane that can run.
        let sql = format!(
            "WITH own AS (SELECT flow.*, \
             (SELECT coalesce(sum(waiting), 0) FROM queue_buckets WHERE queue_buckets.flow = entry.flow \
             AND bucket < entry.sequence >> 10) \
             + (SELECT count(*) FROM queue_entries AS before WHERE before.flow = entry.flow AND {WAITING} \
             AND before.sequence >= entry.sequence >> 10 << 10 AND before.sequence < entry.sequence) AS depth \
             FROM queue_entries AS entry JOIN queue_flows AS flow ON flow.flow = entry.flow \
             WHERE entry.id = ?2 AND {WAITING}) \
             SELECT depth + 1 + CASE WHEN ring IS NOT NULL THEN {among} ELSE {before} + {parked} END AS place FROM own",
            among = others("other.ring = own.ring"),
            before = "(SELECT coalesce(sum(waiting), 0) FROM queue_flows WHERE lane = own.lane AND ring IS NOT NULL)",
            parked = others("other.ring IS NULL AND other.lane = own.lane"),
        );
        let row = self.db.query_one_raw(self.statement(&sql, [id.to_string().into()])).await?;
        Ok(row.map(|row| row.try_get_by::<u32, _>("place")).transpose()?)
    }

    pub(super) async fn stats(&self) -> Result<Stats, QueueError> {
        let lanes = format!(
            "SELECT lane, sum(waiting) AS waiting, max(0, {NOW} - min(since_ms)) AS oldest \
             FROM queue_flows GROUP BY lane"
        );
        let mut numbers = [0; 8];
        for row in self.db.query_all_raw(self.statement(&lanes, [])).await? {
            let at = 2 * usize::try_from(row.try_get_by::<i64, _>("lane")?).unwrap_or_default();
            numbers[at] = count(&row, "waiting")?;
            numbers[at + 1] = count(&row, "oldest")?;
        }
        let others = "SELECT (SELECT count(*) FROM queue_entries WHERE due_at_ms IS NOT NULL) AS resting, \
                      (SELECT count(*) FROM queue_entries WHERE lease_expires_at_ms IS NOT NULL) AS held";
        if let Some(row) = self.db.query_one_raw(self.statement(others, [])).await? {
            numbers[6] = count(&row, "resting")?;
            numbers[7] = count(&row, "held")?;
        }
        Ok(stats_of(numbers))
    }

    pub(super) async fn ping(&self) -> Result<(), QueueError> {
        Ok(self.db.ping().await?)
    }

    pub(super) async fn unknown(&self, ids: &[Uuid]) -> Result<Vec<Uuid>, QueueError> {
        let ids_json = serde_json::json!(ids).to_string();
        let sql = "SELECT value AS id FROM json_each(?2) \
                   WHERE NOT EXISTS (SELECT 1 FROM queue_entries WHERE id = value)";
        let rows = self.db.query_all_raw(self.statement(sql, [ids_json.into()])).await?;
        let unknown: Vec<String> = rows.iter().map(|row| row.try_get_by("id")).collect::<Result<_, _>>()?;
        Ok(unknown.iter().filter_map(|id| id.parse().ok()).collect())
    }

    pub(super) fn wakeups(&self) -> watch::Receiver<()> {
        self.wake.subscribe()
    }
}

/// Puts the flows of the users in the JSON array `?2` where their first entries say that they belong: out of the ring while the
/// user runs as much as the first entry allows, and to a turn among premium when it has aged.
fn arrange() -> String {
    let first = format!(
        "CASE WHEN first.max_concurrent = 0 OR first.max_concurrent > (SELECT count(*) FROM queue_entries AS held \
         WHERE held.user_id = first.user_id AND held.lease_expires_at_ms IS NOT NULL AND held.max_concurrent > 0) \
         THEN first.lane END AS ring, first.enqueued_at_ms AS since_ms, \
         {NOW} - first.enqueued_at_ms >= CASE first.lane WHEN 1 THEN {standard} WHEN 2 THEN {background} END AS aged",
        standard = STANDARD_AGE.as_millis(),
        background = BACKGROUND_AGE.as_millis(),
    );
    let mut sql = "UPDATE queue_flows SET ".to_owned();
    for (jobs, separator) in [(Jobs::All, ","), (Jobs::Short, "")] {
        let View { ring, since, aged, condition } = jobs.view();
        // Writing to a string does not fail.
        let _ = write!(
            sql,
            "({ring}, {since}, {aged}) = (SELECT ring, since_ms, \
             CASE WHEN ring IS NOT NULL AND aged THEN coalesce(queue_flows.{aged}, queue_flows.turn) END \
             FROM (SELECT {first} FROM queue_entries AS first WHERE first.flow = queue_flows.flow \
             AND {WAITING} {condition} ORDER BY first.sequence LIMIT 1)){separator} "
        );
    }
    sql + "WHERE flow IN (SELECT lanes.value || ':' || users.value \
           FROM json_each('[0, 1, 2]') AS lanes, json_each(?2) AS users)"
}

/// How many entries of other flows are served before the entry of `own`, of those flows that meet the condition.
fn others(condition: &str) -> String {
    format!(
        "(SELECT coalesce(sum(min(other.waiting, own.depth + (other.turn < own.turn))), 0) FROM queue_flows AS other \
         WHERE {condition} AND other.flow <> own.flow AND (own.depth > 0 OR other.turn < own.turn))"
    )
}

fn count(row: &QueryResult, column: &str) -> Result<u64, QueueError> {
    Ok(u64::try_from(row.try_get_by::<i64, _>(column)?).unwrap_or_default())
}

fn text(id: &[u8]) -> Value {
    String::from_utf8_lossy(id).into_owned().into()
}

fn milliseconds(duration: Duration) -> Value {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).into()
}
