//! SIEVE (Zhang et al., "SIEVE is Simpler than LRU", NSDI 2024): pages in order of arrival with one bit for "used since the hand
//! passed". The hand goes from the oldest to the newest, clears bits, and takes the first page without; new pages come in
//! behind it, at the newest end.

use super::list::{Links, NONE, Queue};

#[derive(Debug, Clone)]
pub(crate) struct Sieve {
    links: Links,
    order: Queue,
    visited: Vec<bool>,
    /// `NONE`: it begins at the oldest.
    hand: u32,
}

impl Sieve {
    pub(super) const BYTES: u64 = Links::BYTES + 1;

    pub(super) fn new(capacity: u32) -> Self {
        Self {
            links: Links::new(capacity),
            order: Queue::new(),
            visited: vec![false; capacity as usize],
            hand: NONE,
        }
    }

    pub(super) fn loaded(&mut self, frame: u32) {
        self.visited[frame as usize] = false;
        self.order.push(&mut self.links, frame);
    }

    #[inline]
    pub(super) fn used(&mut self, frame: u32) {
        self.visited[frame as usize] = true;
    }

    /// Leaves the hand at the victim, so that asking again gives the same one.
    pub(super) fn victim(&mut self) -> u32 {
        loop {
            if self.hand == NONE {
                self.hand = self.order.oldest();
            }
            if !self.visited[self.hand as usize] {
                return self.hand;
            }
            self.visited[self.hand as usize] = false;
            self.hand = self.links.newer(self.hand);
        }
    }

    pub(super) fn evicted(&mut self, frame: u32) {
        if self.hand == frame {
            self.hand = self.links.newer(frame);
        }
        self.order.remove(&mut self.links, frame);
    }
}
