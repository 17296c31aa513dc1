//! A page access, through the buffer pool or straight to the device, and what wakes the client afterwards.

use serde_json::json;

use super::calendar::Event;
use super::cause::{DEVICE_QUEUE, DEVICE_READ, DEVICE_WRITE, FRAME_WAIT, PAGE_IN_FLIGHT, WRITE_BACK};
use super::client::Wanted;
use super::step::{Flow, Step};
use super::{Kernel, Source};
use crate::blocks::buffer::at_commit::SpacePage;
use crate::blocks::buffer::{HITS, Lookup, MISSES, NEW_PAGES};
use crate::blocks::disk::{IoKind, Purpose, Request};
use crate::blocks::wal::{Action, BYTES_APPENDED};

/// Logs lie on devices in spaces of their own, above those of pages.
const LOG_SPACES: u16 = 60_000;

impl Kernel<'_> {
    /// Uses a page that is in its pool. False when it has to come from a device.
    #[inline]
    pub(crate) fn hit(&mut self, client: u32, space: u16, page: u32, write: bool) -> bool {
        let Source::Pool(pool) = self.spaces[usize::from(space)].source else { return false };
        if !self.pools[usize::from(pool)].hit(space, page, write, self.now_ns) {
            return false;
        }
        self.spaces[usize::from(space)].hits += 1;
        self.cpu_ns += self.costs.page_visit_ns;
        if self.clients[client as usize].traced {
            self.tell_page_read(space, page, true, 0);
        }
        true
    }

    /// Counts requests of a page that its client keeps pinned from another request of the same operation.
    pub(crate) fn count_repeated_hits(&mut self, space: u16, requests: u32) {
        if let Source::Pool(pool) = self.spaces[usize::from(space)].source {
            self.pools[usize::from(pool)].counters.add(HITS, u64::from(requests));
            self.spaces[usize::from(space)].hits += u64::from(requests);
        }
    }

    fn tell_page_read(&mut self, space: u16, page: u32, from_cache: bool, latency_ns: u64) {
        let block = self.spaces[usize::from(space)].block;
        self.trace.emit(
            self.now_ns + self.cpu_ns,
            block,
            "page_read",
            || json!({"page_id": page, "from_cache": from_cache, "latency_us": latency_ns as f64 / 1e3}),
        );
    }

    /// Reads a page wherever it is, and changes it if `write`.
    pub(super) fn page(&mut self, client: u32, space: u16, page: u32, write: bool) -> Flow {
        if self.hit(client, space, page, write) {
            return Flow::Next;
        }
        self.fetch(client, space, page, write)
    }

    /// Reads a page that is not in memory.
    pub(crate) fn fetch(&mut self, client: u32, space: u16, page: u32, write: bool) -> Flow {
        // Whoever plays the run up to the event just told sees the pool before a page has to leave it.
        if self.trace.is_reached() {
            return Flow::Wait;
        }
        let source = self.spaces[usize::from(space)].source;
        if let Source::Pool(pool) = source {
            let number = usize::from(pool);
            let in_flight = match self.pools[number].peek(space, page) {
                Lookup::InFlight(frame) => Some(frame),
                Lookup::Hit | Lookup::Absent => None,
            };
            if in_flight.is_none() {
                if let Some((frame, evicted)) = self.take_frame(client, pool, space, page, write) {
                    self.pools[number].counters.add(MISSES, 1);
                    self.spaces[usize::from(space)].misses += 1;
                    return self.ask(client, Wanted { pool, frame, space, page, evicted });
                }
            }
            if self.cpu_ns == 0 {
                self.clients[client as usize].waiting_since_ns = self.now_ns;
                let Some(frame) = in_flight else {
                    return self.wait_for_frame(client, pool, Step::Page { space, page, write });
                };
                self.spaces[usize::from(space)].hits += 1;
                self.pools[number].wait_for_page(frame, client, write);
                return Flow::Wait;
            }
        }
        if self.cpu_ns > 0 {
            self.push(client, Step::Page { space, page, write });
            return Flow::Yield;
        }
        if let Source::Disk(disk) = source {
            self.clients[client as usize].waiting_since_ns = self.now_ns;
            if write {
                self.push(client, Step::DirectWrite { space, page });
            }
            self.submit_pages(disk, IoKind::Read, Purpose::Direct { client }, space, page, 1);
        }
        Flow::Wait
    }

    /// Asks for a page that a frame was taken for. The request leaves when the client's processor time so far has passed, until
    /// when it keeps its core.
    fn ask(&mut self, client: u32, wanted: Wanted) -> Flow {
        if self.cpu_ns > 0 {
            let then_ns = self.pass_cpu(client);
            if !self.run_on(then_ns) {
                self.clients[client as usize].wanted = Some(wanted);
                self.calendar.schedule(then_ns, Event::Ask(client));
                return Flow::Ask;
            }
        }
        self.send(client, wanted);
        Flow::Wait
    }

    /// A client's processor time before a request has passed.
    pub(super) fn ask_now(&mut self, client: u32) {
        if let Some(wanted) = self.clients[client as usize].wanted.take() {
            self.send(client, wanted);
        }
        self.release_core(client);
    }

    fn send(&mut self, client: u32, wanted: Wanted) {
        match wanted.evicted {
            Some(evicted) => {
                self.clients[client as usize].wanted = Some(wanted);
                self.write_back(client, wanted.pool, evicted);
            }
            None => self.load_page(client, wanted),
        }
    }

    /// A frame for a page, and the dirty page that has to be written first. Absent when every frame is pinned.
    pub(crate) fn take_frame(
        &mut self,
        client: u32,
        pool: u16,
        space: u16,
        page: u32,
        write: bool,
    ) -> Option<(u32, Option<(u16, u32)>)> {
        let taken = self.pools[usize::from(pool)].take(space, page, write)?;
        if self.pools[usize::from(pool)].wants_cleaning() {
            self.clean_pool(usize::from(pool));
        }
        let Some((old_space, old_page, dirty)) = taken.evicted else {
            return Some((taken.frame, None));
        };
        if self.clients[client as usize].traced {
            let block = self.pools[usize::from(pool)].block;
            let owner = &self.plan.blocks[self.spaces[usize::from(old_space)].block].id;
            self.trace.emit(
                self.now_ns + self.cpu_ns,
                block,
                "page_evicted",
                || json!({"page_id": old_page, "of": owner, "dirty": dirty}),
            );
        }
        Some((taken.frame, taken.write_back))
    }

    /// Nothing has to be written before the wanted page is read.
    fn load_page(&mut self, client: u32, wanted: Wanted) {
        let Wanted { pool, frame, space, page, .. } = wanted;
        self.clients[client as usize].waiting_since_ns = self.now_ns;
        let disk = self.pools[usize::from(pool)].disk;
        self.submit_pages(disk, IoKind::Read, Purpose::Load { client, pool, frame }, space, page, 1);
    }

    /// A page comes into being: it needs a frame, or has to be written, but there is nothing to read.
    pub(super) fn new_page(&mut self, client: u32, space: u16, page: u32) -> Flow {
        let Source::Pool(pool) = self.spaces[usize::from(space)].source else {
            return self.direct_write(client, space, page);
        };
        self.pools[usize::from(pool)].reserve(space, page + 1);
        if self.pools[usize::from(pool)].peek(space, page) != Lookup::Absent {
            // The number belonged to a page that was merged away, and its frame is still here.
            return self.page(client, space, page, true);
        }
        let waits = self.pools[usize::from(pool)].next_take_waits(space, page);
        if waits && self.cpu_ns > 0 {
            self.push(client, Step::NewPage { space, page });
            return Flow::Yield;
        }
        self.clients[client as usize].waiting_since_ns = self.now_ns;
        let Some((frame, write_back)) = self.take_frame(client, pool, space, page, true) else {
            return self.wait_for_frame(client, pool, Step::NewPage { space, page });
        };
        self.pools[usize::from(pool)].counters.add(NEW_PAGES, 1);
        // Nobody can ask for the page before it exists, so it need not stay pinned while the evicted one is written.
        self.arrived(pool, frame);
        let Some(evicted) = write_back else {
            self.cpu_ns += self.costs.page_visit_ns;
            return Flow::Next;
        };
        self.write_back(client, pool, evicted);
        Flow::Wait
    }

    /// Writes an evicted page, once the log has reached its last change. The client waits for both.
    pub(super) fn write_back(&mut self, client: u32, pool: u16, (space, page): SpacePage) {
        self.clients[client as usize].waiting_since_ns = self.now_ns;
        let Some(log) = self.lagging_log(usize::from(pool)) else {
            return self.submit_write_back(client, pool, (space, page));
        };
        self.push(client, Step::WriteBack { pool, space, page });
        let action = self.wals[log].force(Some(client));
        self.apply_log_action(log, action);
    }

    /// Every frame is pinned: the client tries `retry` again when one is not.
    pub(crate) fn wait_for_frame(&mut self, client: u32, pool: u16, retry: Step) -> Flow {
        self.push(client, Step::FrameCheck { pool });
        self.push(client, retry);
        self.pools[usize::from(pool)].wait_for_frame(client);
        Flow::Wait
    }

    /// A client that waited for a frame has gone on. If it did not need one after all, the next in line may have it.
    pub(super) fn frame_check(&mut self, pool: u16) -> Flow {
        let number = usize::from(pool);
        if self.pools[number].has_victim() {
            self.wake_frame_waiter(number);
        }
        Flow::Next
    }

    pub(super) fn wake_frame_waiter(&mut self, pool: usize) {
        if let Some(client) = self.pools[pool].release_frame_waiter() {
            let waited_ns = self.now_ns - self.clients[client as usize].waiting_since_ns;
            self.charge(client, self.causes.pool(pool, FRAME_WAIT), waited_ns);
            self.ready.push_back(client);
        }
    }

    pub(super) fn direct_write(&mut self, client: u32, space: u16, page: u32) -> Flow {
        if self.cpu_ns > 0 {
            self.push(client, Step::DirectWrite { space, page });
            return Flow::Yield;
        }
        self.clients[client as usize].waiting_since_ns = self.now_ns;
        let source = self.spaces[usize::from(space)].source;
        if let Source::Disk(disk) = source {
            self.submit_pages(disk, IoKind::Write, Purpose::Direct { client }, space, page, 1);
        }
        Flow::Wait
    }

    pub(crate) fn submit_pages(
        &mut self,
        disk: u16,
        kind: IoKind,
        purpose: Purpose,
        space: u16,
        page: u32,
        pages: u32,
    ) {
        let cost_ns = if kind == IoKind::Read { self.costs.page_read_ns } else { self.costs.page_write_ns };
        if cost_ns > 0 {
            if let Some(client) = purpose.client() {
                self.clients[client as usize].owed_cpu_ns += cost_ns;
            }
        }
        let bytes = u64::from(pages) * u64::from(self.spaces[usize::from(space)].page_bytes);
        let request = Request {
            kind,
            purpose,
            space,
            page,
            pages,
            bytes,
            submitted_ns: self.now_ns,
            started_ns: self.now_ns,
        };
        self.disks[usize::from(disk)].submit(self.now_ns, request, &mut self.calendar);
    }

    /// Does what a log asked for, and sets its timer when it needs one.
    pub(crate) fn apply_log_action(&mut self, wal: usize, action: Action) {
        let appended = self.wals[wal].counters.total(BYTES_APPENDED);
        for (pool, place) in &self.wals[wal].pools {
            if let Some(logs) = &mut self.pools[usize::from(*pool)].page_logs {
                logs.appended(*place, appended);
            }
        }
        if let Action::Flush { position, blocks, bytes } = action {
            let request = Request {
                kind: IoKind::LogWrite,
                purpose: Purpose::Flush { wal: wal as u16 },
                space: LOG_SPACES + wal as u16,
                page: position,
                pages: blocks,
                bytes,
                submitted_ns: self.now_ns,
                started_ns: self.now_ns,
            };
            let disk = usize::from(self.wals[wal].disk);
            self.disks[disk].submit(self.now_ns, request, &mut self.calendar);
        }
        if let Some(due_ns) = self.wals[wal].timer(self.now_ns) {
            self.calendar.schedule(due_ns, Event::LogTimer(wal as u8));
        }
    }

    /// A device has finished a request: whoever waited for it goes on now.
    pub(super) fn disk_done(&mut self, disk: usize, slot: u16) {
        let Some(request) = self.disks[disk].complete(self.now_ns, slot, &mut self.calendar) else { return };
        let queued_ns = request.started_ns - request.submitted_ns;
        let served_ns = self.now_ns - request.started_ns;
        match request.purpose {
            Purpose::Direct { client } => {
                self.charge_device(client, disk, request.kind, queued_ns, served_ns);
                if self.clients[client as usize].traced && request.kind == IoKind::Read {
                    self.tell_loaded(None, &request, queued_ns + served_ns);
                }
                self.ready.push_back(client);
            }
            Purpose::Load { client, pool, frame } => {
                self.charge_device(client, disk, request.kind, queued_ns, served_ns);
                if self.clients[client as usize].traced {
                    self.tell_loaded(Some(pool), &request, queued_ns + served_ns);
                }
                self.ready.push_back(client);
                self.arrived(pool, frame);
            }
            Purpose::LoadRun { client, pool, run } => {
                self.charge_device(client, disk, request.kind, queued_ns, served_ns);
                if self.clients[client as usize].traced {
                    self.tell_loaded(Some(pool), &request, queued_ns + served_ns);
                }
                self.ready.push_back(client);
                let mut frames = std::mem::take(&mut self.runs[run as usize]);
                frames.iter().for_each(|frame| self.arrived(pool, *frame));
                frames.clear();
                self.runs[run as usize] = frames;
                self.free_runs.push(run);
            }
            Purpose::WriteBack { client, pool } => {
                let cause = self.causes.pool(usize::from(pool), WRITE_BACK);
                self.charge(client, cause, queued_ns + served_ns);
                if self.clients[client as usize].traced {
                    let block = self.pools[usize::from(pool)].block;
                    self.trace.emit(self.now_ns, block, "page_written_back", || {
                        json!({"page_id": request.page, "latency_us": (queued_ns + served_ns) as f64 / 1e3})
                    });
                }
                match self.clients[client as usize].wanted.take() {
                    Some(wanted) => self.load_page(client, wanted),
                    None => self.ready.push_back(client),
                }
            }
            Purpose::Force { client, pool } => self.forced_request_done(client, pool),
            Purpose::Background { pool, leaves } => self.written_in_background(usize::from(pool), leaves),
            Purpose::Flush { wal } => self.log_flushed(usize::from(wal), &request),
            Purpose::Lsm { lsm, job } => self.lsm_chunk_done(usize::from(lsm), usize::from(job)),
        }
    }

    fn charge_device(&mut self, client: u32, disk: usize, kind: IoKind, queued_ns: u64, served_ns: u64) {
        let cause = if kind == IoKind::Read { DEVICE_READ } else { DEVICE_WRITE };
        self.charge(client, self.causes.disk(disk, DEVICE_QUEUE), queued_ns);
        self.charge(client, self.causes.disk(disk, cause), served_ns);
    }

    fn tell_loaded(&mut self, pool: Option<u16>, request: &Request, latency_ns: u64) {
        for page in request.page..request.page + request.pages {
            if let Some(pool) = pool {
                let block = self.pools[usize::from(pool)].block;
                self.trace.emit(
                    self.now_ns,
                    block,
                    "page_read_from_disk",
                    || json!({"page_id": page, "latency_us": latency_ns as f64 / 1e3}),
                );
            }
            self.tell_page_read(request.space, page, false, latency_ns);
        }
    }

    /// A frame holds its page now: those who waited for the page, and one who waited for a frame, go on.
    pub(crate) fn arrived(&mut self, pool: u16, frame: u32) {
        let number = usize::from(pool);
        self.pools[number].arrived(frame, self.now_ns);
        if !self.pools[number].has_waiters(frame) {
            return;
        }
        let mut released = std::mem::take(&mut self.released);
        self.pools[number].release_page_waiters(frame, &mut released);
        for client in released.drain(..) {
            let waited_ns = self.now_ns - self.clients[client as usize].waiting_since_ns;
            self.charge(client, self.causes.pool(number, PAGE_IN_FLIGHT), waited_ns);
            self.ready.push_back(client);
        }
        self.released = released;
        self.wake_frame_waiter(number);
    }

    fn log_flushed(&mut self, wal: usize, request: &Request) {
        let mut released = std::mem::take(&mut self.released);
        let action = self.wals[wal].flushed(&mut released);
        let block = self.wals[wal].block;
        if released.iter().any(|client| self.clients[*client as usize].traced) {
            let commits = released.len();
            self.trace.emit(self.now_ns, block, "log_flush", || {
                json!({
                    "bytes": request.bytes,
                    "commits": commits,
                    "latency_us": (self.now_ns - request.submitted_ns) as f64 / 1e3,
                })
            });
        }
        for client in released.drain(..) {
            let waited_ns = self.now_ns - self.clients[client as usize].waiting_since_ns;
            self.charge(client, self.causes.wal(wal), waited_ns);
            self.ready.push_back(client);
        }
        self.released = released;
        self.apply_log_action(wal, action);
    }
}
