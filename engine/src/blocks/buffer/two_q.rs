//! 2Q, full version (Johnson, Shasha, "2Q: A Low Overhead High Performance Buffer Management Replacement Algorithm", VLDB 1994):
//! new pages pass through a FIFO of a quarter of the frames; a page that returns while remembered, among as many as half the
//! frames, belongs to the main LRU.

use super::PageId;
use super::ghosts::Ghosts;
use super::list::{Links, Queue};

#[derive(Debug, Clone)]
pub(crate) struct TwoQ {
    links: Links,
    incoming: Queue,
    main: Queue,
    in_main: Vec<bool>,
    remembered: Ghosts,
    incoming_limit: u32,
    remembered_limit: u32,
}

impl TwoQ {
    pub(super) const BYTES: u64 = Links::BYTES + 1;

    pub(super) fn new(capacity: u32) -> Self {
        Self {
            links: Links::new(capacity),
            incoming: Queue::new(),
            main: Queue::new(),
            in_main: vec![false; capacity as usize],
            remembered: Ghosts::new(),
            incoming_limit: capacity / 4,
            remembered_limit: capacity / 2,
        }
    }

    pub(super) fn loaded(&mut self, frame: u32) {
        let list = if self.in_main[frame as usize] { &mut self.main } else { &mut self.incoming };
        list.push(&mut self.links, frame);
    }

    #[inline]
    pub(super) fn used(&mut self, frame: u32) {
        if self.in_main[frame as usize] {
            self.main.touch(&mut self.links, frame);
        }
    }

    pub(super) fn victim(&self) -> u32 {
        if self.incoming.len() > self.incoming_limit || self.main.is_empty() {
            self.incoming.oldest()
        } else {
            self.main.oldest()
        }
    }

    pub(super) fn assign(&mut self, frame: u32, old: Option<PageId>, new: PageId) {
        match old {
            Some(_) if self.in_main[frame as usize] => self.main.remove(&mut self.links, frame),
            Some(old) => {
                self.incoming.remove(&mut self.links, frame);
                self.remembered.push(old);
            }
            None => {}
        }
        self.in_main[frame as usize] = self.remembered.remove(new);
        self.remembered.trim(self.remembered_limit);
    }

    pub(super) fn memory_bytes(&self) -> u64 {
        self.remembered.memory_bytes()
    }
}
