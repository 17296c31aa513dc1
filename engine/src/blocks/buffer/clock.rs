//! Frames in a circle and a hand. A frame has a usage count; the hand takes the first whose count is 0 and takes 1 from the
//! others it passes.
//!
//! CLOCK: one bit, 0 for a new page. GCLOCK as PostgreSQL has it (`freelist.c`, `bufmgr.c`): 1 for a new page, at most 5.

/// The frame is not evictable: the hand passes it.
const PINNED: u8 = u8::MAX;

#[derive(Debug, Clone)]
pub(crate) struct Clock {
    usage: Vec<u8>,
    on_load: u8,
    max: u8,
    hand: u32,
}

impl Clock {
    pub(super) const BYTES: u64 = 1;

    pub(super) fn one_bit(capacity: u32) -> Self {
        Self { usage: vec![PINNED; capacity as usize], on_load: 0, max: 1, hand: 0 }
    }

    pub(super) fn counting(capacity: u32) -> Self {
        Self { on_load: 1, max: 5, ..Self::one_bit(capacity) }
    }

    pub(super) fn loaded(&mut self, frame: u32) {
        self.usage[frame as usize] = self.on_load;
    }

    #[inline]
    pub(super) fn used(&mut self, frame: u32) {
        let usage = &mut self.usage[frame as usize];
        *usage = (*usage + 1).min(self.max);
    }

    /// Leaves the hand at the victim, so that asking again gives the same one.
    pub(super) fn victim(&mut self) -> u32 {
        loop {
            match &mut self.usage[self.hand as usize] {
                0 => return self.hand,
                &mut PINNED => {}
                usage => *usage -= 1,
            }
            self.advance();
        }
    }

    /// The unused frames in front of the hand.
    pub(super) fn upcoming(&self, wanted: u32, looked_at: u32, frames: &mut Vec<u32>) {
        let (before, behind) = self.usage.split_at(self.hand as usize);
        let numbers = (self.hand..self.usage.len() as u32).chain(0..self.hand);
        let usages = behind.iter().chain(before);
        let unused = numbers.zip(usages).take(looked_at as usize).filter(|(_, usage)| **usage == 0);
        frames.extend(unused.map(|(frame, _)| frame).take(wanted as usize));
    }

    pub(super) fn evicted(&mut self, frame: u32) {
        self.usage[frame as usize] = PINNED;
        if frame == self.hand {
            self.advance();
        }
    }

    fn advance(&mut self) {
        self.hand += 1;
        if self.hand as usize == self.usage.len() {
            self.hand = 0;
        }
    }
}
