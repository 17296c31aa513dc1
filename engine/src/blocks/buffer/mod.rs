//! The buffer pool: page frames, a page table by arithmetic (dense vectors, one a page space), dirty pages, pins.
//!
//! A frame is pinned while its page is being read; a pinned frame is unknown to the policy, so it is never evicted. Everyone
//! else who wants that page waits for the one read in flight.

mod arc;
pub(crate) mod at_commit;
mod background;
mod clean_first;
mod clock;
mod fifo;
mod ghosts;
mod lfu;
mod list;
mod lru;
mod lru_k;
mod midpoint_lru;
pub(crate) mod page_logs;
mod policy;
mod random;
mod ranking;
mod s3_fifo;
mod sieve;
mod sketch;
mod slru;
#[cfg(test)]
mod tests;
mod two_q;
mod w_tiny_lfu;

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::counters::Counters;
use crate::kernel::snapshot::{ITEMS, listed};
use crate::plan::{AtCommit, BlockIndex, PolicyKind, PoolSpec};
use crate::prng::Stream;
use at_commit::{CommitWrites, SPILLS, SpacePage};
use background::Background;
use page_logs::PageLogs;
use policy::Policy;

pub(crate) const HITS: usize = 0;
pub(crate) const MISSES: usize = 1;
pub(crate) const EVICTIONS: usize = 2;
pub(crate) const DIRTY_EVICTIONS: usize = 3;
pub(crate) const SHARED_READS: usize = 4;
pub(crate) const NEW_PAGES: usize = 5;

const NONE: u32 = u32::MAX;

/// A page of a space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PageId {
    space: u16,
    page: u32,
}

/// Where no page comes in for the one that leaves.
const NO_PAGE: PageId = PageId { space: u16::MAX, page: u32::MAX };

#[derive(Debug, Clone, Copy)]
struct Frame {
    page: u32,
    space: u16,
    dirty: bool,
    /// Being read: pinned.
    in_flight: bool,
}

/// What a pool knows about a page that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lookup {
    Hit,
    /// Someone else's read brings it into this frame.
    InFlight(u32),
    Absent,
}

/// A frame taken for a new page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) frame: u32,
    /// The page that had to leave: (space, page, dirty).
    pub(crate) evicted: Option<(u16, u32, bool)>,
    /// The page to write first: the one that left, if it was dirty, or one that stays.
    pub(crate) write_back: Option<SpacePage>,
}

#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) block: BlockIndex,
    pub(crate) disk: u16,
    pub(crate) counters: Counters<6>,
    frames: Vec<Frame>,
    capacity: u32,
    /// By space, by page: 1 + frame, 0 when absent.
    tables: Vec<Vec<u32>>,
    policy: Policy,
    /// By frame in flight: the clients that wait for its page, as a list through `next_waiter`.
    first_waiter: Vec<u32>,
    next_waiter: Vec<u32>,
    /// Clients that found every frame pinned.
    frame_waiters: VecDeque<u32>,
    dirty_pages: u64,
    /// Frames in flight.
    pinned: u32,
    /// What it does beside its clients, where it does anything.
    pub(crate) background: Option<Box<Background>>,
    /// Present when changes of some of its pages are logged.
    pub(crate) page_logs: Option<Box<PageLogs>>,
    /// Present when changed pages are written at commit.
    pub(crate) at_commit: Option<CommitWrites>,
}

impl Pool {
    pub(crate) fn memory_for(spec: &PoolSpec, clients: u32) -> u64 {
        u64::from(spec.capacity_pages) * (8 + 4 + Policy::bytes_per_frame(spec.policy))
            + u64::from(clients) * 4
            + Background::memory_for(spec)
    }

    /// `stream`: what a policy that draws draws from.
    pub(crate) fn new(
        block: BlockIndex,
        disk: u16,
        capacity: u32,
        policy: PolicyKind,
        clients: u32,
        stream: Stream,
    ) -> Self {
        Self {
            block,
            disk,
            counters: Counters::new([
                "hits",
                "misses",
                "evictions",
                "dirty_evictions",
                "shared_reads",
                "new_pages",
            ]),
            frames: Vec::with_capacity(capacity as usize),
            capacity,
            tables: Vec::new(),
            policy: Policy::new(policy, capacity, stream),
            first_waiter: vec![NONE; capacity as usize],
            next_waiter: vec![NONE; clients as usize],
            frame_waiters: VecDeque::new(),
            dirty_pages: 0,
            pinned: 0,
            background: None,
            page_logs: None,
            at_commit: None,
        }
    }

    /// Adds what the pool does beside its clients.
    pub(crate) fn with_background(mut self, spec: &PoolSpec) -> Self {
        self.background = Background::new(spec);
        self
    }

    /// Changes of a space's pages are written to this log. Its place among the pool's logs.
    pub(crate) fn add_log(&mut self, space: u16, log: u16) -> u8 {
        self.page_logs.get_or_insert_with(|| Box::new(PageLogs::new(self.capacity))).add(space, log)
    }

    /// The same pool, which writes changed pages when a transaction commits.
    pub(crate) fn with_commit_writes(self, spec: Option<AtCommit>) -> Self {
        Self { at_commit: spec.map(CommitWrites::new), ..self }
    }

    /// The page in a frame is changed.
    #[inline]
    fn change_frame(&mut self, frame: u32) {
        let Frame { space, dirty, .. } = self.frames[frame as usize];
        if !dirty {
            self.make_dirty(frame);
        }
        if let Some(logs) = &mut self.page_logs {
            logs.changed(frame, space);
        }
    }

    /// A page in a clean frame is changed.
    fn make_dirty(&mut self, frame: u32) {
        self.frames[frame as usize].dirty = true;
        self.dirty_pages += 1;
        self.policy.dirtied(frame);
        if let Some(writes) = &mut self.at_commit {
            writes.dirtied.push(frame);
        }
    }

    /// Adds the pages that are dirty since the last commit to a list, and makes them clean. Pages in flight stay dirty.
    pub(crate) fn take_dirty(&mut self, pages: &mut Vec<SpacePage>) {
        let Some(writes) = &mut self.at_commit else { return };
        let mut dirtied = std::mem::take(&mut writes.dirtied);
        dirtied.retain(|number| {
            let frame = &mut self.frames[*number as usize];
            if frame.in_flight {
                return true;
            }
            if std::mem::replace(&mut frame.dirty, false) {
                pages.push((frame.space, frame.page));
                self.dirty_pages -= 1;
                self.policy.cleaned(*number);
            }
            false
        });
        writes.dirtied = dirtied;
    }

    /// Makes room in the page table for pages of a space below `pages`.
    pub(crate) fn reserve(&mut self, space: u16, pages: u32) {
        let space = usize::from(space);
        if space >= self.tables.len() {
            self.tables.resize(space + 1, Vec::new());
        }
        if self.tables[space].len() < pages as usize {
            self.tables[space].resize(pages as usize, 0);
        }
    }

    /// Uses a page if it is here: the whole of a hit.
    #[inline(always)]
    pub(crate) fn hit(&mut self, space: u16, page: u32, write: bool, now_ns: u64) -> bool {
        let entry = match self.tables[usize::from(space)].get(page as usize) {
            Some(entry) if *entry != 0 => *entry - 1,
            _ => return false,
        };
        let frame = &mut self.frames[entry as usize];
        if frame.in_flight {
            return false;
        }
        if write {
            self.change_frame(entry);
        }
        self.policy.used(entry, now_ns);
        self.counters.add(HITS, 1);
        true
    }

    /// Changes a page that was just visited, if it is still here.
    pub(crate) fn change(&mut self, space: u16, page: u32) {
        let entry = self.tables[usize::from(space)].get(page as usize).copied().unwrap_or(0);
        let clean = |frame: &u32| !self.frames[*frame as usize].dirty;
        if let Some(frame) = entry.checked_sub(1).filter(clean) {
            self.make_dirty(frame);
        }
    }

    /// What is known about a page, without using it.
    pub(crate) fn peek(&self, space: u16, page: u32) -> Lookup {
        match self.tables[usize::from(space)].get(page as usize) {
            Some(entry) if *entry != 0 => match self.frames[*entry as usize - 1].in_flight {
                true => Lookup::InFlight(*entry - 1),
                false => Lookup::Hit,
            },
            _ => Lookup::Absent,
        }
    }

    /// Whether a page is here, or on its way, and whether it is dirty.
    pub(crate) fn residence(&self, space: u16, page: u32) -> (bool, bool) {
        match self.tables[usize::from(space)].get(page as usize) {
            Some(entry) if *entry != 0 => (true, self.frames[*entry as usize - 1].dirty),
            _ => (false, false),
        }
    }

    /// Takes a frame for a page that is absent: a never used one, or the policy's victim. Absent when all are pinned.
    /// The new page is in flight until `arrived`.
    pub(crate) fn take(&mut self, space: u16, page: u32, write: bool) -> Option<Taken> {
        let new = Frame { page, space, dirty: false, in_flight: true };
        let taken = if (self.frames.len() as u32) < self.capacity {
            self.frames.push(new);
            Taken { frame: self.frames.len() as u32 - 1, evicted: None, write_back: None }
        } else if let Some(frame) = self.background.as_mut().and_then(|background| background.free.pop()) {
            self.frames[frame as usize] = new;
            Taken { frame, evicted: None, write_back: None }
        } else {
            if !self.has_victim() {
                return None;
            }
            let spilled = self.policy.spill().map(|frame| self.spill(frame));
            let frame = self.policy.victim(PageId { space, page });
            let old = std::mem::replace(&mut self.frames[frame as usize], new);
            self.tables[usize::from(old.space)][old.page as usize] = 0;
            self.counters.add(EVICTIONS, 1);
            if old.dirty {
                if let Some(logs) = &mut self.page_logs {
                    logs.leaves(frame, old.space);
                }
                self.counters.add(DIRTY_EVICTIONS, 1);
                self.dirty_pages -= 1;
            }
            let write_back = spilled.or(old.dirty.then_some((old.space, old.page)));
            if let (Some(writes), Some(_)) = (&mut self.at_commit, write_back) {
                writes.counters.add(SPILLS, 1);
            }
            Taken { frame, evicted: Some((old.space, old.page, old.dirty)), write_back }
        };
        let old = taken.evicted.map(|(space, page, _)| PageId { space, page });
        self.policy.assign(taken.frame, old, PageId { space, page });
        self.pinned += 1;
        if write {
            self.change_frame(taken.frame);
        }
        self.reserve(space, page + 1);
        self.tables[usize::from(space)][page as usize] = taken.frame + 1;
        Some(taken)
    }

    /// A dirty page is going to be written and stays.
    fn spill(&mut self, frame: u32) -> SpacePage {
        let state = &mut self.frames[frame as usize];
        state.dirty = false;
        self.dirty_pages -= 1;
        let page = (state.space, state.page);
        self.policy.cleaned(frame);
        page
    }

    /// Whether taking a frame for this page now would wait, for a write-back or for a frame that is not pinned.
    pub(crate) fn next_take_waits(&mut self, space: u16, page: u32) -> bool {
        self.frames.len() as u32 == self.capacity
            && self.background.as_ref().is_none_or(|background| background.free.is_empty())
            && (!self.has_victim() || self.policy.spill().is_some() || {
                let victim = self.policy.victim(PageId { space, page });
                self.frames[victim as usize].dirty
            })
    }

    /// Whether some frame could be taken.
    pub(crate) fn has_victim(&self) -> bool {
        self.pinned + self.background.as_ref().map_or(0, |background| background.leaving) < self.capacity
    }

    /// A frame's page has been read (or is new and needs no read): it is unpinned.
    pub(crate) fn arrived(&mut self, frame: u32, now_ns: u64) {
        self.frames[frame as usize].in_flight = false;
        self.pinned -= 1;
        self.policy.loaded(frame, now_ns);
    }

    /// `client` waits for the page in flight into `frame`; a writer leaves it dirty.
    pub(crate) fn wait_for_page(&mut self, frame: u32, client: u32, write: bool) {
        self.counters.add(HITS, 1);
        self.counters.add(SHARED_READS, 1);
        if write {
            self.change_frame(frame);
        }
        self.next_waiter[client as usize] = self.first_waiter[frame as usize];
        self.first_waiter[frame as usize] = client;
    }

    /// Whether someone waits for the page in a frame, or for any frame.
    #[inline]
    pub(crate) fn has_waiters(&self, frame: u32) -> bool {
        self.first_waiter[frame as usize] != NONE || !self.frame_waiters.is_empty()
    }

    /// The clients that waited for the page in a frame, first come first.
    pub(crate) fn release_page_waiters(&mut self, frame: u32, released: &mut Vec<u32>) {
        let from = released.len();
        let mut client = std::mem::replace(&mut self.first_waiter[frame as usize], NONE);
        while client != NONE {
            released.push(client);
            client = self.next_waiter[client as usize];
        }
        released[from..].reverse();
    }

    pub(crate) fn wait_for_frame(&mut self, client: u32) {
        self.frame_waiters.push_back(client);
    }

    pub(crate) fn release_frame_waiter(&mut self) -> Option<u32> {
        self.frame_waiters.pop_front()
    }

    /// Frames in the order in which they would be evicted if nothing was used in between; pages in flight come last, in order
    /// of their frames.
    pub(crate) fn state(&self, page: impl Fn(u16, u32) -> Value) -> Value {
        // The next page of some space, which was never here: no policy remembers it.
        let stranger = PageId { space: 0, page: self.tables.first().map_or(0, Vec::len) as u32 };
        let mut policy = self.policy.clone();
        let in_flight =
            (0u32..).zip(&self.frames).filter(|(_, frame)| frame.in_flight).map(|(number, _)| number);
        let evictable = (self.capacity - self.free_frames() - self.pinned) as usize;
        let order = (0..evictable.min(ITEMS)).map(|_| {
            let number = policy.victim(stranger);
            let frame = self.frames[number as usize];
            policy.assign(number, Some(PageId { space: frame.space, page: frame.page }), stranger);
            number
        });
        let frame = |number: u32| {
            let frame = self.frames[number as usize];
            let mut shown = page(frame.space, frame.page);
            shown["frame"] = json!(number);
            shown["dirty"] = json!(frame.dirty);
            shown["in_flight"] = json!(frame.in_flight);
            shown
        };
        let mut state = json!({"capacity_pages": self.capacity, "dirty_pages": self.dirty_pages});
        listed(&mut state, "frames", self.frames.len(), order.chain(in_flight).map(frame));
        state
    }

    pub(crate) fn resident_pages(&self) -> u64 {
        u64::from(self.capacity - self.free_frames())
    }

    pub(crate) fn dirty_pages(&self) -> u64 {
        self.dirty_pages
    }

    pub(crate) fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Bytes of the page tables and of what the policy remembers, which grow with the spaces.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.tables.iter().map(|table| table.capacity() as u64 * 4).sum::<u64>()
            + self.policy.memory_bytes()
            + self.at_commit.as_ref().map_or(0, CommitWrites::memory_bytes)
    }
}
