//! Any evictable frame, each as likely as the others.

use super::list::NONE;
use crate::prng::{Rng, Stream};

#[derive(Debug, Clone)]
pub(crate) struct Random {
    evictable: Vec<u32>,
    /// By frame: its position in `evictable`.
    positions: Vec<u32>,
    rng: Rng,
    /// The next draw is made beforehand: asking for the victim twice gives the same one.
    draw: u64,
}

impl Random {
    pub(super) const BYTES: u64 = 8;

    pub(super) fn new(capacity: u32, stream: Stream) -> Self {
        let mut rng = stream.at(0);
        let draw = rng.next();
        Self { evictable: Vec::new(), positions: vec![NONE; capacity as usize], rng, draw }
    }

    pub(super) fn loaded(&mut self, frame: u32) {
        self.positions[frame as usize] = self.evictable.len() as u32;
        self.evictable.push(frame);
    }

    pub(super) fn victim(&self) -> u32 {
        let position = (u128::from(self.draw) * self.evictable.len() as u128) >> 64;
        self.evictable[position as usize]
    }

    pub(super) fn evicted(&mut self, frame: u32) {
        self.draw = self.rng.next();
        let position = self.positions[frame as usize];
        self.evictable.swap_remove(position as usize);
        if let Some(moved) = self.evictable.get(position as usize) {
            self.positions[*moved as usize] = position;
        }
    }
}
