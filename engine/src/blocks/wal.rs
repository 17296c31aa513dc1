//! The write-ahead log: records are appended in memory, a flush makes them durable, commits wait as the mode says.
//!
//! - `sync`: a commit waits for the flush of its own records. One flush runs at a time; with group commit everyone who arrives
//!   meanwhile shares the next one, so n closed clients with flush time s see s ≤ latency ≤ 2s.
//! - `interval`: a commit waits for the next periodic flush.
//! - `async`: a commit does not wait; a periodic flush follows, and a crash could lose what it had not reached.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::counters::Counters;
use crate::kernel::snapshot::listed;
use crate::plan::{BlockIndex, CommitMode, WalSpec};

pub(crate) const RECORDS: usize = 0;
pub(crate) const BYTES_APPENDED: usize = 1;
pub(crate) const FLUSHES: usize = 2;
pub(crate) const BYTES_FLUSHED: usize = 3;
pub(crate) const COMMITS: usize = 4;
pub(crate) const COMMITS_WAITED: usize = 5;

/// A flush writes whole blocks of the device.
const BLOCK_BYTES: u64 = 4096;
/// Header of a log record and of its reference to a page, about what PostgreSQL writes.
pub(crate) const RECORD_HEADER_BYTES: u64 = 48;
const COMMIT_RECORD_BYTES: u64 = 40;

#[derive(Debug)]
pub(crate) struct Wal {
    pub(crate) block: BlockIndex,
    pub(crate) disk: u16,
    pub(crate) counters: Counters<6>,
    spec: WalSpec,
    pending_bytes: u64,
    /// Committers of the flush in flight, then those of the next ones, with the bytes each needs flushed.
    flushing: Vec<u32>,
    waiting: VecDeque<(u32, u64)>,
    in_flight: bool,
    timer_set: bool,
    /// Blocks written so far: where the next flush lands on the device.
    position: u32,
}

/// What a log wants done after a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Nothing,
    /// Write this many blocks, from this position of the log.
    Flush {
        position: u32,
        blocks: u32,
        bytes: u64,
    },
}

impl Wal {
    pub(crate) fn new(block: BlockIndex, disk: u16, spec: WalSpec) -> Self {
        Self {
            block,
            disk,
            counters: Counters::new([
                "records",
                "bytes_appended",
                "flushes",
                "bytes_flushed",
                "commits",
                "commits_waited",
            ]),
            spec,
            pending_bytes: 0,
            flushing: Vec::new(),
            waiting: VecDeque::new(),
            in_flight: false,
            timer_set: false,
            position: 0,
        }
    }

    /// Appends a record to the log's buffer.
    pub(crate) fn append(&mut self, bytes: u64) {
        self.counters.add(RECORDS, 1);
        self.counters.add(BYTES_APPENDED, bytes);
        self.pending_bytes += bytes;
    }

    /// When the next periodic flush has to be scheduled: absent when none is needed or one is scheduled already.
    pub(crate) fn timer(&mut self, now_ns: u64) -> Option<u64> {
        let idle = self.pending_bytes == 0 && self.waiting.is_empty();
        if self.spec.commit_mode == CommitMode::Sync || self.timer_set || idle {
            return None;
        }
        self.timer_set = true;
        let interval_ns = self.spec.flush_interval_ns.max(1);
        Some((now_ns / interval_ns + 1) * interval_ns)
    }

    /// Appends a commit record. Whether the client has to wait, and what to start.
    pub(crate) fn commit(&mut self, client: u32) -> (bool, Action) {
        self.append(COMMIT_RECORD_BYTES);
        self.counters.add(COMMITS, 1);
        if self.spec.commit_mode == CommitMode::Async {
            return (false, Action::Nothing);
        }
        self.counters.add(COMMITS_WAITED, 1);
        let bytes = std::mem::take(&mut self.pending_bytes);
        self.waiting.push_back((client, bytes));
        let start = self.spec.commit_mode == CommitMode::Sync && !self.in_flight;
        (true, if start { self.flush() } else { Action::Nothing })
    }

    /// The periodic flush is due.
    pub(crate) fn timer_due(&mut self) -> Action {
        self.timer_set = false;
        let idle = self.waiting.is_empty() && self.pending_bytes == 0;
        if self.in_flight || idle { Action::Nothing } else { self.flush() }
    }

    /// A flush is done: its committers go on. In the sync mode the next one starts at once when someone waits.
    pub(crate) fn flushed(&mut self, released: &mut Vec<u32>) -> Action {
        self.in_flight = false;
        released.append(&mut self.flushing);
        let again = self.spec.commit_mode == CommitMode::Sync && !self.waiting.is_empty();
        if again { self.flush() } else { Action::Nothing }
    }

    fn flush(&mut self) -> Action {
        let grouped = self.spec.group_commit || self.spec.commit_mode != CommitMode::Sync;
        let share = if grouped { self.waiting.len() } else { 1.min(self.waiting.len()) };
        let mut bytes = 0;
        for (client, needed) in self.waiting.drain(..share) {
            bytes += needed;
            self.flushing.push(client);
        }
        if grouped {
            bytes += std::mem::take(&mut self.pending_bytes);
        }
        self.in_flight = true;
        let blocks = bytes.div_ceil(BLOCK_BYTES).max(1) as u32;
        let position = self.position;
        self.position = self.position.wrapping_add(blocks);
        let bytes = u64::from(blocks) * BLOCK_BYTES;
        self.counters.add(FLUSHES, 1);
        self.counters.add(BYTES_FLUSHED, bytes);
        Action::Flush { position, blocks, bytes }
    }

    /// What is not durable yet, and who waits for it.
    pub(crate) fn state(&self) -> Value {
        let waiting = self.waiting.iter().map(|(client, _)| json!(client));
        let mut state = json!({
            "bytes_appended": self.counters.total(BYTES_APPENDED),
            "bytes_flushed": self.counters.total(BYTES_FLUSHED),
            "pending_bytes": self.pending_bytes + self.waiting.iter().map(|(_, bytes)| bytes).sum::<u64>(),
            "flush_in_flight": self.in_flight,
        });
        listed(&mut state, "flushing", self.flushing.len(), self.flushing.iter().map(|client| json!(client)));
        listed(&mut state, "waiting", self.waiting.len(), waiting);
        state
    }

    pub(crate) fn pending_bytes(&self) -> u64 {
        self.pending_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wal(commit_mode: CommitMode, group_commit: bool) -> Wal {
        Wal::new(0, 0, WalSpec { commit_mode, group_commit, flush_interval_ns: 100, device: 0 })
    }

    #[test]
    fn group_commit_shares_the_next_flush() {
        let mut wal = wal(CommitMode::Sync, true);
        assert!(matches!(wal.commit(1), (true, Action::Flush { position: 0, blocks: 1, .. })));
        assert_eq!(wal.commit(2), (true, Action::Nothing));
        assert_eq!(wal.commit(3), (true, Action::Nothing));
        let mut released = Vec::new();
        assert!(matches!(wal.flushed(&mut released), Action::Flush { position: 1, .. }));
        assert_eq!(released, [1]);
        released.clear();
        assert_eq!(wal.flushed(&mut released), Action::Nothing);
        assert_eq!(released, [2, 3]);
    }

    #[test]
    fn without_groups_each_commit_has_its_flush() {
        let mut wal = wal(CommitMode::Sync, false);
        wal.commit(1);
        wal.commit(2);
        wal.commit(3);
        for client in [1, 2, 3] {
            let mut released = Vec::new();
            wal.flushed(&mut released);
            assert_eq!(released, [client]);
        }
        assert_eq!(wal.counters.total(FLUSHES), 3);
    }

    #[test]
    fn periodic_modes_flush_on_the_timer() {
        let mut waits = wal(CommitMode::Interval, true);
        assert_eq!(waits.commit(1), (true, Action::Nothing));
        assert_eq!(waits.timer(150), Some(200));
        assert!(matches!(waits.timer_due(), Action::Flush { .. }));

        let mut does_not = wal(CommitMode::Async, true);
        assert_eq!(does_not.commit(1), (false, Action::Nothing));
        assert_eq!(does_not.timer(150), Some(200));
        assert_eq!(does_not.timer(160), None);
        assert!(matches!(does_not.timer_due(), Action::Flush { .. }));
        assert_eq!(does_not.pending_bytes(), 0);
    }
}
