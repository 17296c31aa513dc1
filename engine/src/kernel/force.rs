//! Changed pages written because their transaction commits, and the checkpoints of a pool's journal.

use serde_json::json;

use super::cause::WRITE_BACK;
use super::step::{Flow, Step};
use super::{Kernel, Source};
use crate::blocks::buffer::at_commit::{JournalWrite, PAGES_FORCED, SpacePage};
use crate::blocks::disk::{IoKind, Purpose, Request};

/// Journals lie on devices in spaces of their own, above those of logs.
const JOURNAL_SPACES: u16 = 62_000;

impl Kernel<'_> {
    /// Writes what is dirty in a pool, before its transaction is over.
    pub(super) fn force(&mut self, client: u32, pool: u16) -> Flow {
        if self.cpu_ns > 0 {
            self.push(client, Step::Force { pool });
            return Flow::Yield;
        }
        let mut pages = std::mem::take(&mut self.forced);
        pages.clear();
        self.pools[usize::from(pool)].take_dirty(&mut pages);
        let flow = self.write_forced(client, pool, &mut pages);
        self.forced = pages;
        flow
    }

    fn write_forced(&mut self, client: u32, pool: u16, pages: &mut [SpacePage]) -> Flow {
        let Some(first) = pages.first() else { return Flow::Next };
        let page_bytes = u64::from(self.spaces[usize::from(first.0)].page_bytes);
        pages.sort_unstable();
        let state = &mut self.pools[usize::from(pool)];
        let block = state.block;
        let Some(writes) = &mut state.at_commit else { return Flow::Next };
        writes.counters.add(PAGES_FORCED, pages.len() as u64);
        let sync = writes.spec.sync;
        if writes.has_journal() {
            let write = writes.append(pages, page_bytes, true);
            if writes.checkpoint_is_due() {
                self.push(client, Step::Checkpoint { pool });
            }
            self.write_journal(client, pool, write, sync);
        } else {
            if sync {
                self.push(client, Step::Sync { pool });
            }
            self.write_runs(client, pool, pages);
        }
        if self.clients[client as usize].traced {
            for (_, page) in pages.iter() {
                self.trace.emit(self.now_ns, block, "page_written_back", || json!({"page_id": page}));
            }
        }
        Flow::Wait
    }

    /// Copies the pages of a journal to their places.
    pub(super) fn checkpoint(&mut self, client: u32, pool: u16) -> Flow {
        if self.cpu_ns > 0 {
            self.push(client, Step::Checkpoint { pool });
            return Flow::Yield;
        }
        let Some(writes) = &mut self.pools[usize::from(pool)].at_commit else { return Flow::Next };
        let mut pages = std::mem::take(&mut self.forced);
        pages.clear();
        writes.checkpoint(&mut pages);
        if pages.is_empty() {
            // Another client's checkpoint came first.
            self.forced = pages;
            return Flow::Next;
        }
        if writes.spec.sync {
            self.push(client, Step::Sync { pool });
        }
        self.write_runs(client, pool, &pages);
        self.forced = pages;
        Flow::Wait
    }

    /// Makes what was written durable.
    pub(super) fn sync(&mut self, client: u32, pool: u16) -> Flow {
        self.write_journal(client, pool, JournalWrite { frame: 0, frames: 0, bytes: 0 }, true);
        Flow::Wait
    }

    fn write_journal(&mut self, client: u32, pool: u16, write: JournalWrite, sync: bool) {
        let request = Request {
            kind: if sync { IoKind::LogWrite } else { IoKind::Write },
            purpose: Purpose::Force { client, pool },
            space: JOURNAL_SPACES + pool,
            page: write.frame,
            pages: write.frames,
            bytes: write.bytes,
            submitted_ns: self.now_ns,
            started_ns: self.now_ns,
        };
        self.begin_forced_writes(client, 1);
        let disk = self.pools[usize::from(pool)].disk;
        self.disks[usize::from(disk)].submit(self.now_ns, request, &mut self.calendar);
    }

    /// Writes pages in order of their numbers, neighbours together.
    fn write_runs(&mut self, client: u32, pool: u16, pages: &[SpacePage]) {
        let disk = self.pools[usize::from(pool)].disk;
        let mut runs = 0;
        let mut rest = pages;
        while let Some((space, first)) = rest.first().copied() {
            let length = (0u32..)
                .zip(rest)
                .take_while(|(place, page)| **page == (space, first.wrapping_add(*place)))
                .count();
            let purpose = Purpose::Force { client, pool };
            self.submit_pages(disk, IoKind::Write, purpose, space, first, length as u32);
            runs += 1;
            rest = &rest[length..];
        }
        self.begin_forced_writes(client, runs);
    }

    fn begin_forced_writes(&mut self, client: u32, requests: u32) {
        let state = &mut self.clients[client as usize];
        state.waiting_since_ns = self.now_ns;
        state.forced_writes = requests;
    }

    /// One of a committing client's writes is done; after the last it goes on.
    pub(super) fn forced_write_done(&mut self, client: u32, pool: u16) {
        let state = &mut self.clients[client as usize];
        state.forced_writes -= 1;
        if state.forced_writes == 0 {
            let waited_ns = self.now_ns - state.waiting_since_ns;
            self.charge(client, self.causes.pool(usize::from(pool), WRITE_BACK), waited_ns);
            self.ready.push_back(client);
        }
    }

    /// The page a write-back before the commit goes to: a frame of the journal, where there is one.
    pub(super) fn submit_spill(&mut self, client: u32, pool: u16, space: u16, page: u32) {
        let disk = self.pools[usize::from(pool)].disk;
        let page_bytes = u64::from(self.spaces[usize::from(space)].page_bytes);
        let purpose = Purpose::WriteBack { client, pool };
        let journal = self.pools[usize::from(pool)].at_commit.as_mut().filter(|writes| writes.has_journal());
        let Some(writes) = journal else {
            self.submit_pages(disk, IoKind::Write, purpose, space, page, 1);
            return;
        };
        let write = writes.append(&[(space, page)], page_bytes, false);
        self.clients[client as usize].owed_cpu_ns += self.costs.page_write_ns;
        let request = Request {
            kind: IoKind::Write,
            purpose,
            space: JOURNAL_SPACES + pool,
            page: write.frame,
            pages: 1,
            bytes: write.bytes,
            submitted_ns: self.now_ns,
            started_ns: self.now_ns,
        };
        self.disks[usize::from(disk)].submit(self.now_ns, request, &mut self.calendar);
    }

    /// A page of the database's own header changes, when pages come or go.
    pub(crate) fn change_header(&mut self, header: Option<u16>) {
        let Some(space) = header else { return };
        if let Source::Pool(pool) = self.spaces[usize::from(space)].source {
            self.pools[usize::from(pool)].change(space, 0);
        }
    }
}
