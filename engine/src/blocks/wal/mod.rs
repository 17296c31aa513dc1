//! The write-ahead log: records are appended in memory, a flush makes them durable, commits wait as the mode says.
//!
//! - `sync`: a commit waits for the flush of its own records. One flush runs at a time; with group commit everyone who arrives
//!   meanwhile shares the next one, so n closed clients with flush time s see s ≤ latency ≤ 2s.
//! - `interval`: a commit waits for the next periodic flush.
//! - `async`: a commit does not wait; a periodic flush follows, and a crash could lose what it had not reached.
//!
//! Records are as long as PostgreSQL's (`record.rs`), or the bytes that change and a header. With full-page writes the first
//! record that changes a page after a checkpoint holds the whole page; a run begins right after a checkpoint.

pub(crate) mod record;

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::counters::Counters;
use crate::kernel::snapshot::listed;
use crate::plan::{BlockIndex, CommitMode, RecordFormat, WalSpec};
use record::Record;

pub(crate) const RECORDS: usize = 0;
pub(crate) const BYTES_APPENDED: usize = 1;
pub(crate) const FLUSHES: usize = 2;
pub(crate) const BYTES_FLUSHED: usize = 3;
pub(crate) const COMMITS: usize = 4;
pub(crate) const COMMITS_WAITED: usize = 5;
const FULL_PAGE_IMAGES: usize = 6;
const FULL_PAGE_IMAGE_BYTES: usize = 7;

/// A flush writes whole blocks of the device.
const BLOCK_BYTES: u64 = 4096;
/// Generic records: header of a record with its reference to a page, and a commit; about what PostgreSQL writes.
const RECORD_HEADER_BYTES: u64 = 48;
const COMMIT_RECORD_BYTES: u64 = 40;
/// PostgreSQL's log is cut into pages with a header each (24 bytes; the first of a 16 MiB segment has 16 more, left out here).
const LOG_PAGE_BYTES: u64 = 8192;
const LOG_PAGE_HEADER_BYTES: u64 = 24;

#[derive(Debug)]
pub(crate) struct Wal {
    pub(crate) block: BlockIndex,
    pub(crate) disk: u16,
    pub(crate) counters: Counters<8>,
    spec: WalSpec,
    pending_bytes: u64,
    /// Committers of the flush in flight, then those of the next ones, with the bytes each needs flushed.
    flushing: Vec<u32>,
    waiting: VecDeque<(u32, u64)>,
    in_flight: bool,
    /// Someone cannot wait for the next periodic flush.
    forced: bool,
    /// Bytes that are durable, and those that are when the flush in flight is done.
    durable_bytes: u64,
    flushing_to: u64,
    /// Pools with pages whose changes it logs, and its place among the logs of each.
    pub(crate) pools: Vec<(u16, u8)>,
    timer_set: bool,
    /// Blocks written so far: where the next flush lands on the device.
    position: u32,
    /// Checkpoints so far. Whoever begins one adds to it, and every page's next change is logged with its image.
    pub(crate) checkpoint_number: u32,
    /// By space: pages logged with their image since the checkpoint of that number.
    imaged: Vec<Imaged>,
    /// Bytes of aligned records so far, without the headers of the log's pages.
    record_position: u64,
}

#[derive(Debug, Default)]
struct Imaged {
    checkpoint_number: u32,
    words: Vec<u64>,
}

impl Imaged {
    /// Whether a page was not noted yet since the checkpoint; now it is.
    fn note(&mut self, page: u32, checkpoint_number: u32) -> bool {
        if self.checkpoint_number != checkpoint_number {
            self.checkpoint_number = checkpoint_number;
            self.words.fill(0);
        }
        let (word, bit) = ((page >> 6) as usize, 1 << (page & 63));
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let first = self.words[word] & bit == 0;
        self.words[word] |= bit;
        first
    }
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
                "full_page_images",
                "full_page_image_bytes",
            ]),
            spec,
            pending_bytes: 0,
            flushing: Vec::new(),
            waiting: VecDeque::new(),
            in_flight: false,
            forced: false,
            durable_bytes: 0,
            flushing_to: 0,
            pools: Vec::new(),
            timer_set: false,
            position: 0,
            checkpoint_number: 0,
            imaged: Vec::new(),
            record_position: 0,
        }
    }

    /// Whether the length of a record depends on more than the bytes that change.
    #[inline]
    pub(crate) fn wants_records(&self) -> bool {
        self.spec.full_page_writes || self.spec.record_format == RecordFormat::Postgres
    }

    /// Appends the record of a change of `bytes`, and tells the record's length.
    #[inline]
    pub(crate) fn append_change(&mut self, bytes: u64) -> u64 {
        let bytes = bytes + RECORD_HEADER_BYTES;
        self.append(bytes);
        bytes
    }

    /// Appends a record whose pages are known; `bytes` is what the change would be in a generic record.
    pub(crate) fn append_record(&mut self, bytes: u64, record: &Record) -> u64 {
        let mut imaged = 0;
        if self.spec.full_page_writes {
            for (index, page) in record.pages().iter().enumerate() {
                let space = usize::from(page.space);
                if space >= self.imaged.len() {
                    self.imaged.resize_with(space + 1, Imaged::default);
                }
                let first = self.imaged[space].note(page.page, self.checkpoint_number);
                imaged |= u32::from(first && !page.new) << index;
            }
        }
        let image_bytes = record.image_bytes(imaged);
        self.counters.add(FULL_PAGE_IMAGES, u64::from(imaged.count_ones()));
        self.counters.add(FULL_PAGE_IMAGE_BYTES, image_bytes);
        let bytes = match self.spec.record_format {
            RecordFormat::Generic => bytes + RECORD_HEADER_BYTES + image_bytes,
            RecordFormat::Postgres => record.postgres_bytes(imaged),
        };
        self.append(bytes);
        bytes
    }

    /// Appends a record to the log's buffer.
    fn append(&mut self, bytes: u64) {
        self.counters.add(RECORDS, 1);
        self.counters.add(BYTES_APPENDED, bytes);
        self.pending_bytes += match self.spec.record_format {
            RecordFormat::Generic => bytes,
            RecordFormat::Postgres => {
                let aligned = bytes.next_multiple_of(8);
                let before = self.record_position;
                self.record_position += aligned;
                let page = LOG_PAGE_BYTES - LOG_PAGE_HEADER_BYTES;
                aligned + (self.record_position / page - before / page) * LOG_PAGE_HEADER_BYTES
            }
        };
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        self.imaged.iter().map(|imaged| imaged.words.capacity() as u64 * 8).sum()
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
        self.append(match self.spec.record_format {
            RecordFormat::Generic => COMMIT_RECORD_BYTES,
            RecordFormat::Postgres => record::COMMIT_BYTES,
        });
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
        self.durable_bytes = self.flushing_to;
        released.append(&mut self.flushing);
        let again = self.spec.commit_mode == CommitMode::Sync && !self.waiting.is_empty();
        if again || self.forced { self.flush() } else { Action::Nothing }
    }

    /// Makes durable, in any mode, all that was appended; `client` waits for it.
    pub(crate) fn force(&mut self, client: Option<u32>) -> Action {
        let flushing_all = self.in_flight && self.flushing_to == self.counters.total(BYTES_APPENDED);
        match client {
            Some(client) if flushing_all => self.flushing.push(client),
            Some(client) => self.waiting.push_back((client, std::mem::take(&mut self.pending_bytes))),
            None => {}
        }
        if flushing_all {
            return Action::Nothing;
        }
        self.forced = true;
        if self.in_flight { Action::Nothing } else { self.flush() }
    }

    /// How far the log is durable.
    pub(crate) fn durable_bytes(&self) -> u64 {
        self.durable_bytes
    }

    fn flush(&mut self) -> Action {
        let periodic = self.spec.commit_mode != CommitMode::Sync;
        let grouped = std::mem::take(&mut self.forced) || self.spec.group_commit || periodic;
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
        let left = self.waiting.iter().map(|(_, bytes)| bytes).sum::<u64>() + self.pending_bytes;
        self.flushing_to = self.counters.total(BYTES_APPENDED) - left;
        let block_bytes = match self.spec.record_format {
            RecordFormat::Generic => BLOCK_BYTES,
            RecordFormat::Postgres => LOG_PAGE_BYTES,
        };
        let blocks = bytes.div_ceil(block_bytes).max(1) as u32;
        let position = self.position;
        self.position = self.position.wrapping_add(blocks);
        let bytes = u64::from(blocks) * block_bytes;
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
        let spec = WalSpec {
            commit_mode,
            group_commit,
            flush_interval_ns: 100,
            record_format: RecordFormat::Postgres,
            full_page_writes: true,
            device: 0,
        };
        Wal::new(0, 0, spec)
    }

    #[test]
    fn a_page_is_imaged_once_after_each_checkpoint() {
        let mut wal = wal(CommitMode::Sync, true);
        let page = record::PageRef { space: 3, page: 7, data_bytes: 16, image_bytes: 1000, new: false };
        let bytes = |wal: &mut Wal| wal.append_record(0, &Record::new(2).page(page));
        assert_eq!([bytes(&mut wal), bytes(&mut wal)], [1053, 64]);
        wal.checkpoint_number += 1;
        assert_eq!([bytes(&mut wal), bytes(&mut wal)], [1053, 64]);
        let made = record::PageRef { page: 8, new: true, ..page };
        assert_eq!(wal.append_record(0, &Record::new(2).page(made)), 64);
        assert_eq!(wal.append_record(0, &Record::new(2).page(record::PageRef { page: 8, ..page })), 64);
        assert_eq!(wal.counters.total(FULL_PAGE_IMAGES), 2);
        assert_eq!(wal.pending_bytes(), 2 * 1056 + 4 * 64);
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
    fn whoever_forces_a_flush_has_all_that_was_appended() {
        for mode in [CommitMode::Sync, CommitMode::Interval, CommitMode::Async] {
            for group_commit in [false, true] {
                let mut wal = wal(mode, group_commit);
                wal.append(5_000);
                assert!(matches!(wal.force(None), Action::Flush { .. }));
                assert_eq!(wal.durable_bytes(), 0);
                wal.append(1_000);
                // While a flush runs, the next one has to wait.
                assert_eq!(wal.force(Some(3)), Action::Nothing);
                let mut released = Vec::new();
                assert!(matches!(wal.flushed(&mut released), Action::Flush { .. }));
                assert_eq!((wal.durable_bytes(), &released[..]), (5_000, &[][..]));
                // All there is is on its way: nothing more to write.
                assert_eq!((wal.force(Some(4)), wal.force(None)), (Action::Nothing, Action::Nothing));
                wal.append(10);
                assert_eq!(wal.flushed(&mut released), Action::Nothing);
                assert_eq!((wal.durable_bytes(), &released[..]), (6_000, &[3, 4][..]));
            }
        }
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
