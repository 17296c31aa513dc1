//! W-TinyLFU (Einziger, Friedman, Manes, "TinyLFU: A Highly Efficient Cache Admission Policy", ACM ToS 2017): new pages pass
//! through an LRU window of a hundredth of the frames. What leaves the window is admitted to the main part, an SLRU with four
//! fifths protected, if a frequency sketch has seen it more often than the page it would replace.
//!
//! What the paper leaves open is as in libCacheSim: a page is counted when it comes in, when it leaves the window and when it is
//! used in the main part; counts are halved after as many uses of the main part as 32 times its size.

use super::PageId;
use super::list::{Links, NONE, Queue};
use super::sketch::Sketch;
use super::slru::Slru;

/// Uses of the main part between two halvings, for each of its frames.
const USES_TO_AGE: u64 = 32;

#[derive(Debug, Clone)]
pub(crate) struct WTinyLfu {
    links: Links,
    window: Queue,
    window_limit: u32,
    main: Slru,
    in_window: Vec<bool>,
    /// By frame: its page, for the sketch.
    pages: Vec<PageId>,
    main_len: u32,
    main_limit: u32,
    sketch: Sketch,
    /// Uses of the main part since the counts were halved.
    uses: u64,
}

impl WTinyLfu {
    pub(super) const BYTES: u64 = Links::BYTES + Slru::BYTES + 1 + 8 + Sketch::BYTES;

    pub(super) fn new(capacity: u32) -> Self {
        let window_limit = (capacity / 100).max(1);
        let main = capacity - window_limit;
        let protected = (u64::from(main) * 4 / 5) as u32;
        Self {
            links: Links::new(capacity),
            window: Queue::new(),
            window_limit,
            // Pages enter unprotected, however many of them there are.
            main: Slru::new(capacity, vec![main, protected]),
            in_window: vec![false; capacity as usize],
            pages: vec![PageId { space: 0, page: 0 }; capacity as usize],
            main_len: 0,
            main_limit: main,
            sketch: Sketch::new(capacity),
            uses: 0,
        }
    }

    pub(super) fn loaded(&mut self, frame: u32) {
        self.sketch.add(self.pages[frame as usize]);
        self.in_window[frame as usize] = true;
        self.window.push(&mut self.links, frame);
        // While the main part has room, everything is admitted.
        if self.window.len() > self.window_limit && self.main_len < self.main_limit {
            self.admit(self.window.oldest());
        }
    }

    fn admit(&mut self, frame: u32) {
        self.window.remove(&mut self.links, frame);
        self.sketch.add(self.pages[frame as usize]);
        self.in_window[frame as usize] = false;
        self.main.loaded(frame);
        self.main_len += 1;
    }

    #[inline]
    pub(super) fn used(&mut self, frame: u32) {
        if self.in_window[frame as usize] {
            self.window.touch(&mut self.links, frame);
            return;
        }
        self.main.used(frame);
        self.sketch.add(self.pages[frame as usize]);
        self.uses += 1;
        if self.uses >= USES_TO_AGE * u64::from(self.main_limit) {
            self.sketch.age();
            self.uses = 0;
        }
    }

    pub(super) fn victim(&self) -> u32 {
        let (candidate, resident) = (self.window.oldest(), self.main.victim());
        if resident == NONE {
            return candidate;
        }
        if candidate == NONE || self.window.len() < self.window_limit {
            return resident;
        }
        let seen = |frame: u32| self.sketch.count(self.pages[frame as usize]);
        if seen(candidate) > seen(resident) { resident } else { candidate }
    }

    pub(super) fn assign(&mut self, frame: u32, old: Option<PageId>, new: PageId) {
        if old.is_some() {
            if self.in_window[frame as usize] {
                self.window.remove(&mut self.links, frame);
                self.sketch.add(self.pages[frame as usize]);
            } else {
                self.main.evicted(frame);
                self.main_len -= 1;
                // The place in the main part goes to the page that won it.
                if self.window.len() >= self.window_limit {
                    self.admit(self.window.oldest());
                }
            }
        }
        self.pages[frame as usize] = new;
    }
}
