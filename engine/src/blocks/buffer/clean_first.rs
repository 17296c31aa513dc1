//! SQLite's page cache (`pcache.c`, `pcache1.c`): clean pages leave first, the one used longest ago before the others. While nine
//! tenths of the frames are dirty, each page that comes in first makes the dirty one used longest ago clean: it is written, a
//! spill, and stays.

use super::list::{Links, Queue};

/// Pages an operation holds while it asks for a leaf, which count as if they were dirty: a root and an inner page.
const HELD_PAGES: u32 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    dirty: bool,
    /// In one of the lists, not pinned.
    listed: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct CleanFirst {
    links: Links,
    clean: Queue,
    dirty: Queue,
    states: Vec<State>,
    spill_from: u32,
}

impl CleanFirst {
    pub(super) const BYTES: u64 = Links::BYTES + 2;

    pub(super) fn new(capacity: u32) -> Self {
        Self {
            links: Links::new(capacity),
            clean: Queue::new(),
            dirty: Queue::new(),
            states: vec![State { dirty: false, listed: false }; capacity as usize],
            spill_from: ((u64::from(capacity) * 9 / 10) as u32).saturating_sub(HELD_PAGES),
        }
    }

    pub(super) fn loaded(&mut self, frame: u32) {
        self.states[frame as usize].listed = true;
        let list = if self.states[frame as usize].dirty { &mut self.dirty } else { &mut self.clean };
        list.push(&mut self.links, frame);
    }

    #[inline]
    pub(super) fn used(&mut self, frame: u32) {
        let list = if self.states[frame as usize].dirty { &mut self.dirty } else { &mut self.clean };
        list.touch(&mut self.links, frame);
    }

    pub(super) fn dirtied(&mut self, frame: u32) {
        self.set_dirty(frame, true);
    }

    pub(super) fn cleaned(&mut self, frame: u32) {
        self.set_dirty(frame, false);
    }

    fn set_dirty(&mut self, frame: u32, dirty: bool) {
        let state = &mut self.states[frame as usize];
        if std::mem::replace(&mut state.dirty, dirty) != dirty && state.listed {
            let (from, to) =
                if dirty { (&mut self.clean, &mut self.dirty) } else { (&mut self.dirty, &mut self.clean) };
            from.remove(&mut self.links, frame);
            to.push(&mut self.links, frame);
        }
    }

    /// The dirty page to write before another page comes in.
    pub(super) fn spill(&self) -> Option<u32> {
        (self.dirty.len() >= self.spill_from && !self.dirty.is_empty()).then(|| self.dirty.oldest())
    }

    pub(super) fn victim(&self) -> u32 {
        // What is about to be spilled is clean by then.
        if self.clean.is_empty() { self.dirty.oldest() } else { self.clean.oldest() }
    }

    pub(super) fn evicted(&mut self, frame: u32) {
        let state = &mut self.states[frame as usize];
        let list = if state.dirty { &mut self.dirty } else { &mut self.clean };
        list.remove(&mut self.links, frame);
        *state = State { dirty: false, listed: false };
    }
}
