//! What a pool decides to write or to free beside its clients: when, and which pages. The kernel does it.
//!
//! - *Cleaner* (InnoDB's page cleaner, `buf0flu.cc`): when fewer than half of the target frames are free, it evicts the next
//!   victims until the target is reached; a dirty one is written first.
//! - *Background writer* (PostgreSQL, `BgBufferSync`): every delay it looks at as many of the next victims as are expected to be
//!   needed until the next time, the recent need times a multiplier, and writes those that are dirty.
//! - *Checkpoint* (PostgreSQL, `BufferSync`): when the interval or the log volume since the last one began is reached, all pages
//!   dirty by then are written in order of place, spread over the completion target of the interval or of the volume.
//!
//! None of them waits for a log that a page needs (`page_logs.rs`): it has the log flushed, and the page's write follows.
//!
//! Not modelled: the background writer's slow walk around a pool that needs nothing; a checkpoint's final sync; a page that is
//! changed while it is being written is not copied.

use super::super::counters::Counters;
use super::at_commit::SpacePage;
use super::{EVICTIONS, Frame, MISSES, NEW_PAGES, NO_PAGE, Pool};
use crate::plan::{CheckpointSpec, PoolSpec, WriterSpec};

pub(crate) const BACKGROUND_WRITES: usize = 0;
pub(crate) const CHECKPOINT_WRITES: usize = 1;
pub(crate) const CHECKPOINTS: usize = 2;

/// Rounds over which the background writer forgets a peak of need.
const SMOOTHING_ROUNDS: f64 = 16.0;
/// Most frames it passes for each it is looking for.
const FRAMES_PASSED: u32 = 16;
/// A checkpoint is written in portions, one each of these; a short one is not.
const CHECKPOINT_TICK_NS: u64 = 100_000_000;
const SHORTEST_TICK_NS: u64 = 1_000_000;

#[derive(Debug)]
pub(crate) struct Background {
    pub(crate) counters: Counters<3>,
    /// Frames that the cleaner keeps free; 0: no cleaner.
    free_target: u32,
    /// Frames without a page, and frames whose page left and is being written.
    pub(super) free: Vec<u32>,
    pub(super) leaving: u32,
    writer: Option<Writer>,
    checkpoint: Option<Checkpoint>,
}

#[derive(Debug)]
struct Writer {
    spec: WriterSpec,
    due_ns: u64,
    needed_before: u64,
    smoothed: f64,
}

#[derive(Debug)]
struct Checkpoint {
    spec: CheckpointSpec,
    due_ns: u64,
    began_ns: u64,
    began_log_bytes: u64,
    /// Pages it has to write, and those not written yet, last first.
    pages: usize,
    left: Vec<(u16, u32)>,
}

impl Background {
    /// Bytes of frames a pool remembers for its background work.
    pub(super) fn memory_for(spec: &PoolSpec) -> u64 {
        let checkpoint = if spec.checkpoint.is_some() { u64::from(spec.capacity_pages) * 8 } else { 0 };
        u64::from(spec.free_pages_target) * 4 + checkpoint
    }

    pub(super) fn new(spec: &PoolSpec) -> Option<Box<Self>> {
        if spec.free_pages_target == 0 && spec.writer.is_none() && spec.checkpoint.is_none() {
            return None;
        }
        let writer = |spec: &WriterSpec| Writer {
            spec: spec.clone(),
            due_ns: spec.delay_ns,
            needed_before: 0,
            smoothed: 0.0,
        };
        let checkpoint = |spec: &CheckpointSpec| Checkpoint {
            spec: spec.clone(),
            due_ns: spec.tick_ns(),
            began_ns: 0,
            began_log_bytes: 0,
            pages: 0,
            left: Vec::new(),
        };
        Some(Box::new(Self {
            counters: Counters::new(["background_writes", "checkpoint_writes", "checkpoints"]),
            free_target: spec.free_pages_target,
            free: Vec::new(),
            leaving: 0,
            writer: spec.writer.as_ref().map(writer),
            checkpoint: spec.checkpoint.as_ref().map(checkpoint),
        }))
    }

    /// When the pool wants to be looked at next; absent when only page accesses make it act.
    pub(crate) fn due_ns(&self) -> Option<u64> {
        let writer = self.writer.as_ref().map(|writer| writer.due_ns);
        writer.into_iter().chain(self.checkpoint.as_ref().map(|checkpoint| checkpoint.due_ns)).min()
    }
}

impl CheckpointSpec {
    /// Time between two portions.
    fn tick_ns(&self) -> u64 {
        let interval_ns = self.interval_ns.unwrap_or(u64::MAX);
        (interval_ns / 16).clamp(SHORTEST_TICK_NS, CHECKPOINT_TICK_NS)
    }

    /// How far the interval or the log volume is used up, 1 when it is.
    fn elapsed(&self, ns: u64, log_bytes: u64) -> f64 {
        let part = |done: u64, of: Option<u64>| of.map_or(0.0, |of| done as f64 / of as f64);
        part(ns, self.interval_ns).max(part(log_bytes, self.log_bytes))
    }
}

impl Pool {
    /// Whether the cleaner has to work.
    #[inline]
    pub(crate) fn wants_cleaning(&self) -> bool {
        self.background.as_ref().is_some_and(|background| 2 * self.free_frames() < background.free_target)
    }

    /// Frames without a page, or soon without.
    pub(super) fn free_frames(&self) -> u32 {
        let freed = self.background.as_ref().map_or(0, |back| back.free.len() as u32 + back.leaving);
        self.capacity - self.frames.len() as u32 + freed
    }

    /// Evicts the next victim for the cleaner, up to its target. A clean page's frame is free at once, a dirty one's when the
    /// page has been written: (frame, space, page). Absent when there is nothing more to do.
    pub(crate) fn evict_ahead(&mut self) -> Option<Option<(u32, u16, u32)>> {
        let free = self.free_frames();
        let evictable = self.capacity - self.pinned - free;
        let background = self.background.as_mut()?;
        if free >= background.free_target || evictable == 0 {
            return None;
        }
        let frame = self.policy.victim(NO_PAGE);
        self.policy.evicted(frame);
        let Frame { space, page, dirty, .. } = self.frames[frame as usize];
        self.tables[usize::from(space)][page as usize] = 0;
        self.counters.add(EVICTIONS, 1);
        if !dirty {
            background.free.push(frame);
            return Some(None);
        }
        if let Some(logs) = &mut self.page_logs {
            logs.leaves(frame, space);
        }
        self.frames[frame as usize].dirty = false;
        self.dirty_pages -= 1;
        background.leaving += 1;
        background.counters.add(BACKGROUND_WRITES, 1);
        Some(Some((frame, space, page)))
    }

    /// The page that left this frame has been written.
    pub(crate) fn left(&mut self, frame: u32) {
        if let Some(background) = &mut self.background {
            background.leaving -= 1;
            background.free.push(frame);
        }
    }

    /// The pages the background writer writes now, where it is due.
    pub(crate) fn writer_round(&mut self, now_ns: u64, pages: &mut Vec<SpacePage>) {
        let needed = self.counters.total(MISSES) + self.counters.total(NEW_PAGES);
        let Some(writer) = self.background.as_mut().and_then(|background| background.writer.as_mut()) else {
            return;
        };
        if now_ns < writer.due_ns {
            return;
        }
        writer.due_ns = now_ns + writer.spec.delay_ns;
        let recent = (needed - writer.needed_before) as f64;
        writer.needed_before = needed;
        // Up at once, down slowly.
        writer.smoothed += match recent - writer.smoothed {
            more if more >= 0.0 => more,
            less => less / SMOOTHING_ROUNDS,
        };
        let wanted =
            libm::ceil(writer.smoothed * writer.spec.multiplier).min(f64::from(self.capacity)) as u32;
        let most = writer.spec.max_pages as usize;
        let mut victims = Vec::new();
        self.policy.upcoming(wanted, wanted.saturating_mul(FRAMES_PASSED), &mut victims);
        victims.retain(|frame| self.frames[*frame as usize].dirty);
        victims.truncate(most);
        for frame in &victims {
            let Frame { space, page, .. } = self.frames[*frame as usize];
            self.wash(*frame);
            pages.push((space, page));
        }
        if let Some(background) = &mut self.background {
            background.counters.add(BACKGROUND_WRITES, victims.len() as u64);
        }
    }

    /// The pages the checkpoint writes now, where one is due or in progress; whether one begins, and whether one ends.
    pub(crate) fn checkpoint_round(
        &mut self,
        now_ns: u64,
        log_bytes: u64,
        pages: &mut Vec<SpacePage>,
    ) -> (bool, bool) {
        let dirty_pages = self.dirty_pages;
        let Some(checkpoint) = self.background.as_mut().and_then(|back| back.checkpoint.as_mut()) else {
            return (false, false);
        };
        if now_ns < checkpoint.due_ns {
            return (false, false);
        }
        checkpoint.due_ns = now_ns + checkpoint.spec.tick_ns();
        let since = |checkpoint: &Checkpoint| {
            let logged = log_bytes - checkpoint.began_log_bytes;
            (checkpoint.spec.elapsed(now_ns - checkpoint.began_ns, logged), logged)
        };
        let (elapsed, logged) = since(checkpoint);
        let mut begins = false;
        if checkpoint.left.is_empty() {
            if elapsed < 1.0 {
                return (false, false);
            }
            (checkpoint.began_ns, checkpoint.began_log_bytes) = (now_ns, log_bytes);
            if dirty_pages == 0 && logged == 0 {
                return (false, false);
            }
            begins = true;
            let dirty = self.frames.iter().filter(|frame| frame.dirty);
            checkpoint.left.extend(dirty.map(|frame| (frame.space, frame.page)));
            // In order of place, taken from the end.
            checkpoint.left.sort_unstable_by(|one, other| other.cmp(one));
            checkpoint.pages = checkpoint.left.len();
        }
        let target = checkpoint.spec.completion_target;
        let (elapsed, _) = since(checkpoint);
        let part = if elapsed >= target { 1.0 } else { elapsed / target };
        let left = checkpoint.pages - (part * checkpoint.pages as f64) as usize;
        let portion = checkpoint.left.split_off(left.min(checkpoint.left.len()));
        let ends = checkpoint.left.is_empty() && (begins || !portion.is_empty());
        let before = pages.len();
        for (space, page) in portion.into_iter().rev() {
            let frame = self.tables[usize::from(space)][page as usize];
            // Evicted, or written by someone else, in the meantime?
            if frame != 0 && self.frames[frame as usize - 1].dirty {
                self.wash(frame - 1);
                pages.push((space, page));
            }
        }
        if let Some(background) = &mut self.background {
            background.counters.add(CHECKPOINT_WRITES, (pages.len() - before) as u64);
            background.counters.add(CHECKPOINTS, u64::from(ends));
        }
        (begins, ends)
    }

    /// A dirty page is written: it is clean from now on.
    pub(super) fn wash(&mut self, frame: u32) {
        if let Some(logs) = &mut self.page_logs {
            logs.leaves(frame, self.frames[frame as usize].space);
        }
        self.frames[frame as usize].dirty = false;
        self.dirty_pages -= 1;
        self.policy.cleaned(frame);
    }
}
