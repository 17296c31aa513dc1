//! S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023): a small FIFO of a tenth of the frames, a
//! main FIFO, and as many remembered pages as the main one holds. A page leaves the small one for the main one if it was used
//! twice meanwhile; the main one gives a page another round for each use, up to three.

use super::PageId;
use super::ghosts::Ghosts;
use super::list::{Links, Queue};

const MAX_USES: u8 = 3;
const USES_TO_PROMOTE: u8 = 2;

#[derive(Debug, Clone)]
pub(crate) struct S3Fifo {
    links: Links,
    small: Queue,
    main: Queue,
    in_main: Vec<bool>,
    uses: Vec<u8>,
    remembered: Ghosts,
    small_limit: u32,
    remembered_limit: u32,
}

impl S3Fifo {
    pub(super) const BYTES: u64 = Links::BYTES + 2;

    pub(super) fn new(capacity: u32) -> Self {
        let small_limit = (capacity / 10).max(1);
        Self {
            links: Links::new(capacity),
            small: Queue::new(),
            main: Queue::new(),
            in_main: vec![false; capacity as usize],
            uses: vec![0; capacity as usize],
            remembered: Ghosts::new(),
            small_limit,
            remembered_limit: capacity - small_limit,
        }
    }

    pub(super) fn loaded(&mut self, frame: u32) {
        self.uses[frame as usize] = 0;
        let list = if self.in_main[frame as usize] { &mut self.main } else { &mut self.small };
        list.push(&mut self.links, frame);
    }

    #[inline]
    pub(super) fn used(&mut self, frame: u32) {
        let uses = &mut self.uses[frame as usize];
        *uses = (*uses + 1).min(MAX_USES);
    }

    /// Moves pages until one has to go; asking again gives the same one.
    pub(super) fn victim(&mut self) -> u32 {
        loop {
            if self.small.len() >= self.small_limit || self.main.is_empty() {
                let frame = self.small.oldest();
                if self.uses[frame as usize] < USES_TO_PROMOTE {
                    return frame;
                }
                self.small.remove(&mut self.links, frame);
                self.in_main[frame as usize] = true;
                self.uses[frame as usize] = 0;
                self.main.push(&mut self.links, frame);
            } else {
                let frame = self.main.oldest();
                if self.uses[frame as usize] == 0 {
                    return frame;
                }
                self.uses[frame as usize] -= 1;
                self.main.touch(&mut self.links, frame);
            }
        }
    }

    pub(super) fn assign(&mut self, frame: u32, old: Option<PageId>, new: PageId) {
        match old {
            Some(_) if self.in_main[frame as usize] => self.main.remove(&mut self.links, frame),
            Some(old) => {
                self.small.remove(&mut self.links, frame);
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
