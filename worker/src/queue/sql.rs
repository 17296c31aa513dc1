//! The queue of the embedded mode: a table beside the rows, in SQLite.

use std::{sync::Arc, time::Duration};

use entity::{DatabaseConnection, store};
use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement, Value};
use tokio::sync::watch;
use uuid::Uuid;

use super::{
    BACKGROUND_AGE, Clock, Message, PROMOTION_LIMIT, QueueError, RawClaim, STANDARD_AGE, Stats, lane,
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

impl Store {
    pub(super) fn new(db: DatabaseConnection, clock: Clock) -> Self {
        Self { db, clock, wake: Arc::new(watch::Sender::new(())) }
    }

    /// A statement whose `?1` is the clock and whose further values follow from `?2` on.
    fn statement(&self, sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
        let clock = Value::from(self.clock.ahead_ms());
        Statement::from_sql_and_values(DbBackend::Sqlite, sql, std::iter::once(clock).chain(values))
    }

    /// Whether the statement changed a row.
    async fn changes(&self, sql: &str, values: impl IntoIterator<Item = Value>) -> Result<bool, QueueError> {
        Ok(self.db.execute_raw(self.statement(sql, values)).await?.rows_affected() > 0)
    }

    pub(super) async fn enqueue(&self, message: &Message, payload: &str) -> Result<(), QueueError> {
        let sql = format!(
            "INSERT INTO queue_entries (id, payload, user_id, lane, short, attempts, enqueued_at_ms) \
             VALUES (?2, ?3, ?4, ?5, ?6, 0, {NOW}) ON CONFLICT (id) DO NOTHING"
        );
        let values = [
            message.id.to_string().into(),
            payload.into(),
            message.user_id.to_string().into(),
            lane(message.priority).into(),
            message.short.into(),
        ];
        self.changes(&sql, values).await?;
        self.wake.send_replace(());
        Ok(())
    }

    pub(super) async fn claim(
        &self,
        worker: &str,
        lease: Duration,
        count: usize,
    ) -> Result<Vec<RawClaim>, QueueError> {
        let tx = store::begin(&self.db).await?;
        // Entries whose rest or whose lease is over wait again, so many at a time that nobody else waits long for the lock.
        for (column, change) in [
            ("due_at_ms", "due_at_ms = NULL"),
            ("lease_expires_at_ms", "lease_expires_at_ms = NULL, worker = NULL"),
        ] {
            let sql = format!(
                "UPDATE queue_entries SET {change} WHERE sequence IN (SELECT sequence FROM queue_entries \
                 WHERE {column} <= {NOW} ORDER BY {column} LIMIT {PROMOTION_LIMIT})"
            );
            tx.execute_raw(self.statement(&sql, [])).await?;
        }
        // Of the heads of the three lanes: premium before standard before background, an entry that has aged as premium,
        // and of two in the same class the one that came first.
        let heads = (0..3)
            .map(|lane| {
                format!(
                    "SELECT * FROM (SELECT sequence, lane, enqueued_at_ms FROM queue_entries \
                     WHERE lane = {lane} AND {WAITING} ORDER BY sequence LIMIT 1)"
                )
            })
            .collect::<Vec<_>>()
            .join(" UNION ALL ");
        let sql = format!(
            "UPDATE queue_entries SET attempts = attempts + 1, worker = ?2, lease_expires_at_ms = {NOW} + ?3 \
             WHERE sequence = (SELECT sequence FROM ({heads}) ORDER BY \
             CASE WHEN {NOW} - enqueued_at_ms >= CASE lane WHEN 0 THEN 0 WHEN 1 THEN {standard} ELSE {background} END \
             THEN 0 ELSE lane END, sequence LIMIT 1) RETURNING id, attempts, payload",
            standard = STANDARD_AGE.as_millis(),
            background = BACKGROUND_AGE.as_millis(),
        );
        let mut claims = Vec::new();
        while claims.len() < count {
            let claim = self.statement(&sql, [worker.into(), milliseconds(lease)]);
            let Some(row) = tx.query_one_raw(claim).await? else { break };
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
        self.changes(&sql, [text(id), attempts.into(), milliseconds(lease)]).await
    }

    pub(super) async fn ack(&self, id: &[u8], attempts: i64) -> Result<bool, QueueError> {
        let sql = format!("DELETE FROM queue_entries WHERE {HOLDS}");
        self.changes(&sql, [text(id), attempts.into()]).await
    }

    pub(super) async fn retry(&self, id: &[u8], attempts: i64, delay: Duration) -> Result<bool, QueueError> {
        let sql = format!(
            "UPDATE queue_entries SET lease_expires_at_ms = NULL, worker = NULL, \
             due_at_ms = CASE WHEN ?4 > 0 THEN {NOW} + ?4 END WHERE {HOLDS}"
        );
        let held = self.changes(&sql, [text(id), attempts.into(), milliseconds(delay)]).await?;
        self.wake.send_replace(());
        Ok(held)
    }

    pub(super) async fn cancel(&self, id: Uuid) -> Result<bool, QueueError> {
        let sql = "DELETE FROM queue_entries WHERE id = ?2 AND lease_expires_at_ms IS NULL";
        self.changes(sql, [id.to_string().into()]).await
    }

    pub(super) async fn position(&self, id: Uuid) -> Result<Option<u32>, QueueError> {
        let sql = format!(
            "SELECT (SELECT count(*) FROM queue_entries AS other WHERE other.lane = entry.lane \
             AND other.sequence <= entry.sequence AND other.due_at_ms IS NULL \
             AND other.lease_expires_at_ms IS NULL) AS place \
             FROM queue_entries AS entry WHERE id = ?2 AND {WAITING}"
        );
        let row = self.db.query_one_raw(self.statement(&sql, [id.to_string().into()])).await?;
        Ok(row.map(|row| row.try_get_by::<u32, _>("place")).transpose()?)
    }

    pub(super) async fn stats(&self) -> Result<Stats, QueueError> {
        let lanes = format!(
            "SELECT lane, waiting, max(0, {NOW} - (SELECT enqueued_at_ms FROM queue_entries WHERE sequence = head)) \
             AS oldest FROM (SELECT lane, count(*) AS waiting, min(sequence) AS head FROM queue_entries \
             WHERE {WAITING} GROUP BY lane)"
        );
        let mut numbers = [0; 8];
        for row in self.db.query_all_raw(self.statement(&lanes, [])).await? {
            let at = 2 * usize::try_from(row.try_get_by::<i64, _>("lane")?).unwrap_or_default();
            numbers[at] = count(&row, "waiting")?;
            numbers[at + 1] = count(&row, "oldest")?;
        }
        let others = "SELECT count(*) FILTER (WHERE due_at_ms IS NOT NULL) AS resting, \
                      count(*) FILTER (WHERE lease_expires_at_ms IS NOT NULL) AS held \
                      FROM queue_entries";
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

fn count(row: &QueryResult, column: &str) -> Result<u64, QueueError> {
    Ok(u64::try_from(row.try_get_by::<i64, _>(column)?).unwrap_or_default())
}

fn text(id: &[u8]) -> Value {
    String::from_utf8_lossy(id).into_owned().into()
}

fn milliseconds(duration: Duration) -> Value {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).into()
}
