//! Changed pages written because their transaction commits, and the checkpoints of a pool's journal.

use serde_json::json;

use super::cause::WRITE_BACK;
use super::step::{Flow, Step};
use super::{Kernel, Source};
use crate::blocks::buffer::at_commit::{PAGES_FORCED, SpacePage};
use crate::blocks::disk::{IoKind, Purpose, Request};
use crate::blocks::tree::MAX_LEVELS;

/// Journals, and places copied pages go to, lie on devices in spaces of their own, above those of logs.
const JOURNAL_SPACES: u16 = 62_000;
/// What of a meta page a commit writes (LMDB: what follows version and address).
const META_BYTES: u64 = 120;

impl Kernel<'_> {
    /// Writes what is dirty in a pool, before its transaction is over. Whoever runs this step again finds nothing left to write.
    pub(super) fn force(&mut self, client: u32, pool: u16) -> Flow {
        if self.cpu_ns > 0 {
            self.push(client, Step::Force { pool });
            return Flow::Yield;
        }
        let mut pages = std::mem::take(&mut self.forced);
        pages.clear();
        self.pools[usize::from(pool)].take_dirty(&mut pages);
        pages.sort_unstable();
        let dirty = pages.len();
        if self.clients[client as usize].traced {
            let block = self.pools[usize::from(pool)].block;
            for (_, page) in &pages {
                self.trace.emit(self.now_ns, block, "page_written_back", || json!({"page_id": page}));
            }
        }
        let (copies, bytes) = self.copy_pages(&mut pages);
        self.clients[client as usize].waiting_since_ns = self.now_ns;
        self.write_copies(client, pool, copies, bytes);
        self.write_forced(client, pool, &pages);
        self.forced = pages;
        if dirty > 0 { Flow::Wait } else { Flow::Next }
    }

    /// Takes the pages of copy-on-write trees out of a sorted list. Tells how many pages go to new places, those of free lists
    /// included, and their bytes.
    fn copy_pages(&mut self, pages: &mut Vec<SpacePage>) -> (u32, u64) {
        let (mut count, mut bytes) = (0, 0);
        for tree in &mut self.trees {
            let spaces = tree.first_space..tree.first_space + MAX_LEVELS as u16;
            let Some(copies) = &mut tree.copy_on_write else { continue };
            let before = pages.len();
            pages.retain(|(space, _)| !spaces.contains(space));
            let written = (before - pages.len()) as u64;
            if written > 0 {
                let all = written + copies.commit(written);
                count += all as u32;
                bytes += all * u64::from(tree.page_size_bytes);
            }
        }
        (count, bytes)
    }

    /// Writes copied pages one behind the other, then the meta page that makes them the tree.
    fn write_copies(&mut self, client: u32, pool: u16, pages: u32, bytes: u64) {
        let Some(writes) = self.pools[usize::from(pool)].at_commit.as_mut().filter(|_| pages > 0) else {
            return;
        };
        writes.counters.add(PAGES_FORCED, u64::from(pages));
        let sync = writes.spec.sync;
        self.push(client, Step::WriteMeta { pool });
        if sync {
            self.pay_sync(client, pages as usize);
            self.push(client, Step::Sync { pool });
        }
        let frame = self.copies_written;
        self.copies_written = frame.wrapping_add(pages);
        self.append(client, pool, frame, pages, bytes, false);
    }

    pub(super) fn write_meta(&mut self, client: u32, pool: u16) -> Flow {
        if self.cpu_ns > 0 {
            self.push(client, Step::WriteMeta { pool });
            return Flow::Yield;
        }
        let Some(writes) = &self.pools[usize::from(pool)].at_commit else { return Flow::Next };
        let sync = writes.spec.sync;
        self.clients[client as usize].waiting_since_ns = self.now_ns;
        self.append(client, pool, 0, 0, META_BYTES, sync);
        Flow::Wait
    }

    /// Writes pages of a sorted list to their places, or to the journal.
    fn write_forced(&mut self, client: u32, pool: u16, pages: &[SpacePage]) {
        let Some(first) = pages.first() else { return };
        let page_bytes = u64::from(self.spaces[usize::from(first.0)].page_bytes);
        let Some(writes) = &mut self.pools[usize::from(pool)].at_commit else { return };
        writes.counters.add(PAGES_FORCED, pages.len() as u64);
        let sync = writes.spec.sync;
        if writes.has_journal() {
            let write = writes.append(pages, page_bytes, true);
            if writes.checkpoint_is_due() {
                self.push(client, Step::Checkpoint { pool });
            }
            self.append(client, pool, write.frame, write.frames, write.bytes, sync);
            self.read_journal(client, pool, write.rewritten_frames, page_bytes);
        } else {
            if sync {
                self.pay_sync(client, pages.len());
                self.push(client, Step::Sync { pool });
            }
            self.write_runs(client, pool, pages);
        }
    }

    /// Copies the pages of a journal to their places.
    pub(super) fn checkpoint(&mut self, client: u32, pool: u16) -> Flow {
        if self.cpu_ns > 0 {
            self.push(client, Step::Checkpoint { pool });
            return Flow::Yield;
        }
        let Some(writes) = &mut self.pools[usize::from(pool)].at_commit else { return Flow::Next };
        if !writes.checkpoint_is_due() {
            // Another client's commit has done it.
            return Flow::Next;
        }
        let mut pages = std::mem::take(&mut self.forced);
        pages.clear();
        writes.checkpoint(&mut pages);
        if writes.spec.sync {
            self.pay_sync(client, pages.len());
            self.push(client, Step::Sync { pool });
        }
        self.clients[client as usize].waiting_since_ns = self.now_ns;
        if let Some((space, _)) = pages.first() {
            let page_bytes = u64::from(self.spaces[usize::from(*space)].page_bytes);
            self.read_journal(client, pool, pages.len() as u32, page_bytes);
        }
        self.write_runs(client, pool, &pages);
        self.forced = pages;
        Flow::Wait
    }

    /// Makes what was written durable.
    pub(super) fn sync(&mut self, client: u32, pool: u16) -> Flow {
        if self.cpu_ns > 0 {
            self.push(client, Step::Sync { pool });
            return Flow::Yield;
        }
        self.clients[client as usize].waiting_since_ns = self.now_ns;
        self.append(client, pool, 0, 0, 0, true);
        Flow::Wait
    }

    /// Writes to the journal, or to wherever copied pages go.
    fn append(&mut self, client: u32, pool: u16, page: u32, pages: u32, bytes: u64, sync: bool) {
        let kind = if sync { IoKind::LogWrite } else { IoKind::Write };
        self.submit_journal(kind, Purpose::Force { client, pool }, pool, page, pages, bytes);
        self.pay(client, 1, u64::from(pages) * self.costs.page_write_ns);
    }

    /// A commit makes requests that take processor time.
    fn pay(&mut self, client: u32, requests: u32, cpu_ns: u64) {
        let state = &mut self.clients[client as usize];
        state.forced_requests += requests;
        state.owed_cpu_ns += cpu_ns;
    }

    /// The operating system brings pages to where they belong on the device.
    fn pay_sync(&mut self, client: u32, pages: usize) {
        self.clients[client as usize].owed_cpu_ns += pages as u64 * self.costs.page_sync_ns;
    }

    fn read_journal(&mut self, client: u32, pool: u16, frames: u32, page_bytes: u64) {
        if frames > 0 {
            let bytes = u64::from(frames) * page_bytes;
            self.submit_journal(IoKind::Read, Purpose::Force { client, pool }, pool, 0, frames, bytes);
            self.pay(client, 1, u64::from(frames) * self.costs.page_read_ns);
        }
    }

    fn submit_journal(
        &mut self,
        kind: IoKind,
        purpose: Purpose,
        pool: u16,
        page: u32,
        pages: u32,
        bytes: u64,
    ) {
        let request = Request {
            kind,
            purpose,
            space: JOURNAL_SPACES + pool,
            page,
            pages,
            bytes,
            submitted_ns: self.now_ns,
            started_ns: self.now_ns,
        };
        let disk = self.pools[usize::from(pool)].disk;
        self.disks[usize::from(disk)].submit(self.now_ns, request, &mut self.calendar);
    }

    /// Writes pages in order of their numbers, neighbours together.
    fn write_runs(&mut self, client: u32, pool: u16, pages: &[SpacePage]) {
        let disk = self.pools[usize::from(pool)].disk;
        let mut rest = pages;
        while let Some((space, first)) = rest.first().copied() {
            let follows = |(place, page): &(u32, &SpacePage)| **page == (space, first.wrapping_add(*place));
            let length = (0u32..).zip(rest).take_while(follows).count();
            self.pay(client, 1, length as u64 * self.costs.page_write_ns);
            let purpose = Purpose::Force { client, pool };
            self.submit_pages(disk, IoKind::Write, purpose, space, first, length as u32);
            rest = &rest[length..];
        }
    }

    /// One of a committing client's requests is done; after the last it goes on.
    pub(super) fn forced_request_done(&mut self, client: u32, pool: u16) {
        let state = &mut self.clients[client as usize];
        state.forced_requests -= 1;
        if state.forced_requests == 0 {
            let waited_ns = self.now_ns - state.waiting_since_ns;
            self.charge(client, self.causes.pool(usize::from(pool), WRITE_BACK), waited_ns);
            self.ready.push_back(client);
        }
    }

    /// Writes a page before its transaction commits: to the journal, where there is one.
    pub(super) fn submit_write_back(&mut self, client: u32, pool: u16, (space, page): SpacePage) {
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
        self.submit_journal(IoKind::Write, purpose, pool, write.frame, 1, write.bytes);
    }

    /// The header page of a database changes, when pages come or go.
    pub(crate) fn change_header(&mut self, header: Option<u16>) {
        let Some(space) = header else { return };
        if let Source::Pool(pool) = self.spaces[usize::from(space)].source {
            self.pools[usize::from(pool)].change(space, 0);
        }
    }
}
