//! LRU with a midpoint, as InnoDB has it (`buf0lru.cc`, `buf_page_peek_if_too_old` of MariaDB 10.11): the oldest part of the
//! list is its old sublist, 3/8 of it by default. A page comes in at the head of the old sublist. Used again no sooner than the
//! old-blocks time after it came, it becomes young: it moves to the head of the list. A young page moves to the head only after
//! a quarter of the young sublist's length has been evicted since it did last. Before the first eviction nothing moves.
//!
//! The access that brings a page in is a use, too. Without an old-blocks time it makes the page young at once, so the midpoint
//! has no effect: that is LRU.
//!
//! Not modelled: a pool of fewer than 512 pages has no old sublist.

use super::list::{Links, NONE, Queue};

#[derive(Debug, Clone)]
pub(crate) struct MidpointLru {
    links: Links,
    young: Queue,
    old: Queue,
    is_old: Vec<bool>,
    loaded_ns: Vec<u64>,
    /// By frame: evictions so far when it moved to the head; 0 when it never did.
    moved_at: Vec<u64>,
    evictions: u64,
    old_blocks_time_ns: u64,
}

impl MidpointLru {
    pub(super) const BYTES: u64 = Links::BYTES + 1 + 16;

    pub(super) fn new(capacity: u32, old_blocks_time_ns: u64) -> Self {
        let frames = capacity as usize;
        Self {
            links: Links::new(capacity),
            young: Queue::new(),
            old: Queue::new(),
            is_old: vec![false; frames],
            loaded_ns: vec![0; frames],
            moved_at: vec![0; frames],
            evictions: 0,
            old_blocks_time_ns,
        }
    }

    pub(super) fn loaded(&mut self, frame: u32, now_ns: u64) {
        self.is_old[frame as usize] = true;
        self.loaded_ns[frame as usize] = now_ns;
        self.moved_at[frame as usize] = 0;
        self.old.push(&mut self.links, frame);
        self.balance();
        self.used(frame, now_ns);
    }

    #[inline]
    pub(super) fn used(&mut self, frame: u32, now_ns: u64) {
        let number = frame as usize;
        let too_soon = if self.is_old[number] && self.old_blocks_time_ns > 0 {
            now_ns - self.loaded_ns[number] < self.old_blocks_time_ns
        } else {
            self.evictions - self.moved_at[number] < u64::from(self.young.len() / 4)
        };
        if too_soon || self.evictions == 0 {
            return;
        }
        if self.is_old[number] {
            self.old.remove(&mut self.links, frame);
            self.is_old[number] = false;
            self.young.push(&mut self.links, frame);
            self.balance();
        } else {
            self.young.touch(&mut self.links, frame);
        }
        self.moved_at[number] = self.evictions;
    }

    /// Moves the border between the sublists to its place.
    fn balance(&mut self) {
        let target = ((u64::from(self.young.len()) + u64::from(self.old.len())) * 3).div_ceil(8) as u32;
        while self.old.len() < target {
            let frame = self.young.oldest();
            self.young.remove(&mut self.links, frame);
            self.is_old[frame as usize] = true;
            self.old.push(&mut self.links, frame);
        }
        while self.old.len() > target {
            let frame = self.old.newest();
            self.old.remove(&mut self.links, frame);
            self.is_old[frame as usize] = false;
            self.young.push_oldest(&mut self.links, frame);
        }
    }

    pub(super) fn victim(&self) -> u32 {
        match self.old.oldest() {
            NONE => self.young.oldest(),
            frame => frame,
        }
    }

    pub(super) fn upcoming(&self, wanted: u32, frames: &mut Vec<u32>) {
        self.old.upcoming(&self.links, wanted, frames);
        self.young.upcoming(&self.links, wanted.saturating_sub(frames.len() as u32), frames);
    }

    pub(super) fn evicted(&mut self, frame: u32) {
        self.evictions += 1;
        let list = if self.is_old[frame as usize] { &mut self.old } else { &mut self.young };
        list.remove(&mut self.links, frame);
        self.balance();
    }
}
