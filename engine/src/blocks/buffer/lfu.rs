//! Least frequently used since it was loaded; of equals the least recently used.

use super::ranking::Ranking;

#[derive(Debug, Clone)]
pub(crate) struct Lfu {
    /// Key: uses, tick of the last use.
    ranking: Ranking,
    tick: u64,
}

impl Lfu {
    pub(super) const BYTES: u64 = Ranking::BYTES;

    pub(super) fn new(capacity: u32) -> Self {
        Self { ranking: Ranking::new(capacity), tick: 0 }
    }

    pub(super) fn loaded(&mut self, frame: u32) {
        self.tick += 1;
        self.ranking.insert(frame, (1, self.tick));
    }

    #[inline]
    pub(super) fn used(&mut self, frame: u32) {
        self.tick += 1;
        let (uses, _) = *self.ranking.key(frame);
        *self.ranking.key(frame) = (uses + 1, self.tick);
    }

    pub(super) fn victim(&mut self) -> u32 {
        self.ranking.smallest()
    }

    pub(super) fn evicted(&mut self) {
        self.ranking.remove_smallest();
    }
}
