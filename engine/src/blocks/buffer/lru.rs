//! Least recently used.

use super::list::{Links, Queue};

#[derive(Debug, Clone)]
pub(crate) struct Lru {
    links: Links,
    order: Queue,
}

impl Lru {
    pub(super) const BYTES: u64 = Links::BYTES;

    pub(super) fn new(capacity: u32) -> Self {
        Self { links: Links::new(capacity), order: Queue::new() }
    }

    pub(super) fn loaded(&mut self, frame: u32) {
        self.order.push(&mut self.links, frame);
    }

    #[inline]
    pub(super) fn used(&mut self, frame: u32) {
        self.order.touch(&mut self.links, frame);
    }

    pub(super) fn victim(&self) -> u32 {
        self.order.oldest()
    }

    pub(super) fn upcoming(&self, wanted: u32, frames: &mut Vec<u32>) {
        self.order.upcoming(&self.links, wanted, frames);
    }

    pub(super) fn evicted(&mut self, frame: u32) {
        self.order.remove(&mut self.links, frame);
    }
}
