use sea_orm_migration::prelude::*;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// The job queue of the embedded mode again, with users who take turns. It exists on SQLite alone.
///
/// The table is made anew and starts empty: a job is accepted with its row, and what waits is told to the queue again by the
/// reconciler of the process that migrates. Nothing runs meanwhile, because the embedded mode is that one process.
///
/// A flow is what one user has waiting in one lane; its row exists while an entry waits. Its turn, and how much waits, follow
/// from the entries by triggers, so that no statement can change the one without the other. `ring` is its lane, or nothing
/// while its user runs as much as may run; `since_ms` is when its first entry was enqueued, `aged_turn` its turn among premium
/// once that has aged, and the `short_` columns say the same of its short entries alone. The queue keeps these
/// (`worker/src/queue/sql.rs`), for they depend on the time.
/// A bucket counts what waits among 1,024 entries in a row, so that nobody need count them one by one.
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if ddl::is_postgres(manager) {
            return Ok(());
        }
        // One text, and so one connection; and good again for a database where it was cut short.
        let statements = DROP.iter().chain(&TABLES).chain(&INDEXES).chain(&TRIGGERS);
        let text: Vec<&str> = statements.copied().collect();
        ddl::run_all(manager, &[&text.join(";\n")]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run_all(manager, &DROP).await
    }
}

const DROP: [&str; 4] = [
    "DROP TABLE IF EXISTS queue_entries",
    "DROP TABLE IF EXISTS queue_flows",
    "DROP TABLE IF EXISTS queue_buckets",
    "DROP TABLE IF EXISTS queue_turns",
];

const TABLES: [&str; 5] = [
    "CREATE TABLE queue_entries (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        payload TEXT NOT NULL,
        user_id TEXT NOT NULL,
        lane INTEGER NOT NULL,
        flow TEXT AS (lane || ':' || user_id),
        short INTEGER NOT NULL,
        max_concurrent INTEGER NOT NULL DEFAULT 0,
        attempts INTEGER NOT NULL,
        enqueued_at_ms INTEGER NOT NULL,
        turn INTEGER NOT NULL DEFAULT 0,
        due_at_ms INTEGER,
        lease_expires_at_ms INTEGER,
        worker TEXT
    )",
    "CREATE TABLE queue_flows (
        flow TEXT NOT NULL PRIMARY KEY,
        lane INTEGER NOT NULL,
        turn INTEGER NOT NULL,
        waiting INTEGER NOT NULL,
        ring INTEGER,
        since_ms INTEGER,
        aged_turn INTEGER,
        short_ring INTEGER,
        short_since_ms INTEGER,
        short_aged_turn INTEGER
    ) WITHOUT ROWID",
    "CREATE TABLE queue_buckets (
        flow TEXT NOT NULL,
        bucket INTEGER NOT NULL,
        waiting INTEGER NOT NULL,
        PRIMARY KEY (flow, bucket)
    ) WITHOUT ROWID",
    "CREATE TABLE queue_turns (last INTEGER NOT NULL)",
    "INSERT INTO queue_turns (last) VALUES (0)",
];

const INDEXES: [&str; 12] = [
    "CREATE INDEX idx_queue_waiting ON queue_entries (flow, sequence)
        WHERE due_at_ms IS NULL AND lease_expires_at_ms IS NULL",
    "CREATE INDEX idx_queue_waiting_short ON queue_entries (flow, sequence)
        WHERE due_at_ms IS NULL AND lease_expires_at_ms IS NULL AND short = 1",
    "CREATE INDEX idx_queue_due ON queue_entries (due_at_ms) WHERE due_at_ms IS NOT NULL",
    "CREATE INDEX idx_queue_leased ON queue_entries (lease_expires_at_ms) WHERE lease_expires_at_ms IS NOT NULL",
    "CREATE INDEX idx_queue_limited ON queue_entries (user_id)
        WHERE lease_expires_at_ms IS NOT NULL AND max_concurrent > 0",
    "CREATE INDEX idx_queue_ring ON queue_flows (ring, turn) WHERE ring IS NOT NULL",
    "CREATE INDEX idx_queue_parked ON queue_flows (lane, turn) WHERE ring IS NULL",
    "CREATE INDEX idx_queue_short_ring ON queue_flows (short_ring, turn) WHERE short_ring IS NOT NULL",
    "CREATE INDEX idx_queue_aged ON queue_flows (aged_turn) WHERE aged_turn IS NOT NULL",
    "CREATE INDEX idx_queue_short_aged ON queue_flows (short_aged_turn) WHERE short_aged_turn IS NOT NULL",
    "CREATE INDEX idx_queue_ageing ON queue_flows (lane, since_ms) WHERE ring IS NOT NULL AND aged_turn IS NULL",
    "CREATE INDEX idx_queue_short_ageing ON queue_flows (lane, short_since_ms)
        WHERE short_ring IS NOT NULL AND short_aged_turn IS NULL",
];

/// What all triggers do with the counts of an entry that stops waiting.
macro_rules! one_less {
    () => {
        "UPDATE queue_buckets SET waiting = waiting - 1 WHERE flow = OLD.flow AND bucket = OLD.sequence >> 10;
        DELETE FROM queue_buckets WHERE flow = OLD.flow AND bucket = OLD.sequence >> 10 AND waiting = 0;
        UPDATE queue_flows SET waiting = waiting - 1 WHERE flow = OLD.flow;
        DELETE FROM queue_flows WHERE flow = OLD.flow AND waiting = 0;"
    };
}

/// And with those of one that waits: its flow's turn is the entry's, or stays when it comes sooner. A new flow stands in its
/// lane's ring until the queue says otherwise.
macro_rules! one_more {
    () => {
        "INSERT INTO queue_buckets (flow, bucket, waiting) VALUES (NEW.flow, NEW.sequence >> 10, 1)
            ON CONFLICT DO UPDATE SET waiting = waiting + 1;
        INSERT INTO queue_flows (flow, lane, turn, waiting, ring, since_ms, short_ring, short_since_ms)
            VALUES (NEW.flow, NEW.lane, NEW.turn, 1, NEW.lane, NEW.enqueued_at_ms,
            iif(NEW.short, NEW.lane, NULL), iif(NEW.short, NEW.enqueued_at_ms, NULL))
            ON CONFLICT DO UPDATE SET waiting = waiting + 1, turn = min(turn, excluded.turn),
            aged_turn = min(aged_turn, excluded.turn), short_aged_turn = min(short_aged_turn, excluded.turn);"
    };
}

const TRIGGERS: [&str; 4] = [
    concat!(
        "CREATE TRIGGER queue_entry_is_new AFTER INSERT ON queue_entries BEGIN
        UPDATE queue_turns SET last = max(last, NEW.turn);",
        one_more!(),
        "END"
    ),
    concat!(
        "CREATE TRIGGER queue_entry_is_claimed AFTER UPDATE OF lease_expires_at_ms ON queue_entries
        WHEN OLD.due_at_ms IS NULL AND OLD.lease_expires_at_ms IS NULL AND NEW.lease_expires_at_ms IS NOT NULL BEGIN
        UPDATE queue_turns SET last = last + 1;
        UPDATE queue_flows SET turn = (SELECT last FROM queue_turns) WHERE flow = OLD.flow;",
        one_less!(),
        "END"
    ),
    concat!(
        "CREATE TRIGGER queue_entry_is_back AFTER UPDATE OF due_at_ms, lease_expires_at_ms ON queue_entries
        WHEN NEW.due_at_ms IS NULL AND NEW.lease_expires_at_ms IS NULL
            AND (OLD.due_at_ms IS NOT NULL OR OLD.lease_expires_at_ms IS NOT NULL) BEGIN ",
        one_more!(),
        "END"
    ),
    concat!(
        "CREATE TRIGGER queue_entry_is_gone AFTER DELETE ON queue_entries
        WHEN OLD.due_at_ms IS NULL AND OLD.lease_expires_at_ms IS NULL BEGIN ",
        one_less!(),
        "END"
    ),
];
