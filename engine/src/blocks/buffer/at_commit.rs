//! What a pool keeps that writes changed pages when a transaction commits, in place or to a journal.
//!
//! With a journal (SQLite's write-ahead log, "WAL-mode File Format", sqlite.org/walformat.html) each page is appended with a
//! header of 24 bytes; once there are enough of these frames, a checkpoint copies the last version of each page to its place
//! and the journal begins anew, with a header of 32 bytes. A page changed again after it was spilled to the journal is
//! overwritten there; at the commit it and all frames behind it are read again and get new checksums.

use std::collections::BTreeMap;

use crate::blocks::counters::Counters;
use crate::plan::AtCommit;

pub(crate) const PAGES_FORCED: usize = 0;
pub(crate) const SPILLS: usize = 1;
pub(crate) const CHECKPOINTS: usize = 2;
pub(crate) const PAGES_CHECKPOINTED: usize = 3;
pub(crate) const JOURNAL_BYTES: usize = 4;

const JOURNAL_HEADER_BYTES: u64 = 32;
const FRAME_HEADER_BYTES: u64 = 24;

/// A page of a space.
pub(crate) type SpacePage = (u16, u32);

#[derive(Debug)]
pub(crate) struct CommitWrites {
    pub(crate) spec: AtCommit,
    pub(crate) counters: Counters<5>,
    /// Frames that became dirty since the last commit; some may hold other pages by now.
    pub(super) dirtied: Vec<u32>,
    journal: Journal,
}

#[derive(Debug, Default)]
struct Journal {
    /// By page: its last frame.
    frames: BTreeMap<SpacePage, u32>,
    length: u32,
    /// Where the transaction in progress began.
    committed: u32,
    /// The first frame of the transaction that was overwritten.
    overwritten: Option<u32>,
}

/// Bytes of a journal, from one of its frames on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JournalWrite {
    pub(crate) frame: u32,
    pub(crate) frames: u32,
    pub(crate) bytes: u64,
    /// Frames read again, whose checksums change.
    pub(crate) rewritten_frames: u32,
}

impl CommitWrites {
    pub(crate) fn new(spec: AtCommit) -> Self {
        let counters =
            Counters::new(["pages_forced", "spills", "checkpoints", "pages_checkpointed", "journal_bytes"]);
        Self { spec, counters, dirtied: Vec::new(), journal: Journal::default() }
    }

    pub(crate) fn has_journal(&self) -> bool {
        self.spec.checkpoint_frames.is_some()
    }

    /// Writes pages to the journal; `commits`: with them the transaction is complete.
    pub(crate) fn append(&mut self, pages: &[SpacePage], page_bytes: u64, commits: bool) -> JournalWrite {
        let journal = &mut self.journal;
        let from = journal.length;
        let mut rewritten_frames = 0;
        let mut bytes = if journal.length == 0 { JOURNAL_HEADER_BYTES } else { 0 };
        for (place, page) in pages.iter().enumerate() {
            let last = place + 1 == pages.len();
            match journal.frames.get(page) {
                // The frame that commits has to be the last.
                Some(frame) if *frame >= journal.committed && !(commits && last) => {
                    bytes += page_bytes;
                    journal.overwritten = Some(journal.overwritten.unwrap_or(*frame).min(*frame));
                }
                _ => {
                    bytes += page_bytes + FRAME_HEADER_BYTES;
                    journal.frames.insert(*page, journal.length);
                    journal.length += 1;
                }
            }
        }
        if commits {
            if let Some(first) = journal.overwritten.take() {
                rewritten_frames = journal.length - first;
                bytes += u64::from(rewritten_frames) * FRAME_HEADER_BYTES;
            }
            journal.committed = journal.length;
        }
        self.counters.add(JOURNAL_BYTES, bytes);
        JournalWrite { frame: from, frames: (journal.length - from).max(1), bytes, rewritten_frames }
    }

    pub(crate) fn checkpoint_is_due(&self) -> bool {
        self.spec.checkpoint_frames.is_some_and(|frames| self.journal.length >= frames)
    }

    /// The pages a checkpoint writes, in order; the journal is empty afterwards.
    pub(crate) fn checkpoint(&mut self, pages: &mut Vec<SpacePage>) {
        let journal = std::mem::take(&mut self.journal);
        pages.extend(journal.frames.into_keys());
        self.counters.add(CHECKPOINTS, 1);
        self.counters.add(PAGES_CHECKPOINTED, pages.len() as u64);
    }

    pub(super) fn memory_bytes(&self) -> u64 {
        self.dirtied.capacity() as u64 * 4 + self.journal.frames.len() as u64 * 24
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal() -> CommitWrites {
        CommitWrites::new(AtCommit { checkpoint_frames: Some(4), sync: false })
    }

    #[test]
    fn commits_append_and_a_checkpoint_writes_each_page_once() {
        let mut writes = journal();
        let first = writes.append(&[(0, 5), (0, 9)], 4096, true);
        assert_eq!(first, JournalWrite { frame: 0, frames: 2, bytes: 32 + 2 * 4120, rewritten_frames: 0 });
        assert_eq!(writes.append(&[(0, 5)], 4096, true).bytes, 4120);
        assert!(!writes.checkpoint_is_due());
        writes.append(&[(1, 5)], 4096, true);
        assert!(writes.checkpoint_is_due());
        let mut pages = Vec::new();
        writes.checkpoint(&mut pages);
        assert_eq!(pages, [(0, 5), (0, 9), (1, 5)]);
        assert!(!writes.checkpoint_is_due());
        assert_eq!(writes.append(&[(0, 5)], 4096, true).frame, 0);
    }

    #[test]
    fn a_spilled_page_is_overwritten_by_its_own_transaction_only() {
        let mut writes = journal();
        writes.append(&[(0, 1)], 4096, true);
        assert_eq!(writes.append(&[(0, 1)], 4096, false).bytes, 4120, "another transaction's frame stays");
        writes.append(&[(0, 2)], 4096, false);
        // Page 1 again in its place, page 3 behind; the frames of pages 1, 2 and 3 get new checksums.
        let commit = writes.append(&[(0, 1), (0, 3)], 4096, true);
        assert_eq!((commit.bytes, commit.rewritten_frames), (4096 + 4120 + 3 * 24, 3));
    }
}
