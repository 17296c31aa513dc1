//! ARC (Megiddo, Modha, "ARC: A Self-Tuning, Low Overhead Replacement Cache", FAST 2003): an LRU of pages used once, one of pages
//! used again, the evicted pages of both remembered. A page that returns shifts the target between the two.

use super::PageId;
use super::ghosts::Ghosts;
use super::list::{Links, Queue};

#[derive(Debug, Clone)]
pub(crate) struct Arc {
    links: Links,
    /// T1 and T2.
    once: Queue,
    again: Queue,
    /// By frame: it is, or on arrival belongs, in `again`.
    is_again: Vec<bool>,
    /// B1 and B2.
    once_evicted: Ghosts,
    again_evicted: Ghosts,
    capacity: u32,
    /// Pages that `once` should hold: the paper's p.
    target: f64,
}

impl Arc {
    pub(super) const BYTES: u64 = Links::BYTES + 1;

    pub(super) fn new(capacity: u32) -> Self {
        Self {
            links: Links::new(capacity),
            once: Queue::new(),
            again: Queue::new(),
            is_again: vec![false; capacity as usize],
            once_evicted: Ghosts::new(),
            again_evicted: Ghosts::new(),
            capacity,
            target: 0.0,
        }
    }

    pub(super) fn loaded(&mut self, frame: u32) {
        let list = if self.is_again[frame as usize] { &mut self.again } else { &mut self.once };
        list.push(&mut self.links, frame);
    }

    #[inline]
    pub(super) fn used(&mut self, frame: u32) {
        if self.is_again[frame as usize] {
            self.again.touch(&mut self.links, frame);
        } else {
            self.once.remove(&mut self.links, frame);
            self.is_again[frame as usize] = true;
            self.again.push(&mut self.links, frame);
        }
    }

    /// The target once `new` has come in.
    fn target_after(&self, new: PageId) -> f64 {
        let (once, again) = (f64::from(self.once_evicted.len()), f64::from(self.again_evicted.len()));
        if self.once_evicted.contains(new) {
            (self.target + (again / once).max(1.0)).min(f64::from(self.capacity))
        } else if self.again_evicted.contains(new) {
            (self.target - (once / again).max(1.0)).max(0.0)
        } else {
            self.target
        }
    }

    /// The paper's REPLACE, before it happens.
    pub(super) fn victim(&self, new: PageId) -> u32 {
        let target = self.target_after(new);
        let once = f64::from(self.once.len());
        let over = once > target || once == target && self.again_evicted.contains(new);
        if self.again.is_empty() || !self.once.is_empty() && over {
            self.once.oldest()
        } else {
            self.again.oldest()
        }
    }

    pub(super) fn assign(&mut self, frame: u32, old: Option<PageId>, new: PageId) {
        self.target = self.target_after(new);
        let returns = self.once_evicted.remove(new) || self.again_evicted.remove(new);
        if let Some(old) = old {
            if self.is_again[frame as usize] {
                self.again.remove(&mut self.links, frame);
                self.again_evicted.push(old);
            } else {
                self.once.remove(&mut self.links, frame);
                self.once_evicted.push(old);
            }
        }
        self.is_again[frame as usize] = returns;
        if !returns {
            // Room for the new page: |T1| + |B1| stays within the capacity, all four within twice of it.
            self.once_evicted.trim((self.capacity - 1).saturating_sub(self.once.len()));
            let others = self.once.len() + self.again.len() + self.once_evicted.len();
            self.again_evicted.trim((2 * self.capacity - 1).saturating_sub(others));
        }
    }

    pub(super) fn memory_bytes(&self) -> u64 {
        self.once_evicted.memory_bytes() + self.again_evicted.memory_bytes()
    }
}
