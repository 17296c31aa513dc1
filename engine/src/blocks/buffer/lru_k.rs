//! LRU-K for K = 2 (O'Neil, O'Neil, Weikum, "The LRU-K Page Replacement Algorithm", SIGMOD 1993), without a correlated
//! reference period: the page whose last use but one is longest ago; those used once go first, the least recently used of them
//! before the others.
//!
//! With history the last use of every evicted page is remembered for good, so a page that returns counts as used twice.

use super::PageId;
use super::ghosts::entry;
use super::ranking::Ranking;

#[derive(Debug, Clone)]
pub(crate) struct LruK {
    /// Key: tick of the last use but one (0: none), tick of the last use.
    ranking: Ranking,
    /// By frame: the last use of its page before it was loaded; 0 when none is known.
    before: Vec<u64>,
    /// By space, by page: last use before it was evicted. Absent when no history is kept.
    history: Option<Vec<Vec<u64>>>,
    tick: u64,
}

impl LruK {
    pub(super) const BYTES: u64 = Ranking::BYTES + 8;

    pub(super) fn new(capacity: u32, history: bool) -> Self {
        Self {
            ranking: Ranking::new(capacity),
            before: vec![0; capacity as usize],
            history: history.then(Vec::new),
            tick: 0,
        }
    }

    pub(super) fn loaded(&mut self, frame: u32) {
        self.tick += 1;
        self.ranking.insert(frame, (self.before[frame as usize], self.tick));
    }

    #[inline]
    pub(super) fn used(&mut self, frame: u32) {
        self.tick += 1;
        let (_, last) = *self.ranking.key(frame);
        *self.ranking.key(frame) = (last, self.tick);
    }

    pub(super) fn victim(&mut self) -> u32 {
        self.ranking.smallest()
    }

    pub(super) fn assign(&mut self, frame: u32, old: Option<PageId>, new: PageId) {
        if let Some(old) = old {
            let (_, last) = *self.ranking.key(frame);
            self.ranking.remove_smallest();
            if let Some(history) = &mut self.history {
                *entry(history, old) = last;
            }
        }
        self.before[frame as usize] = self.history.as_mut().map_or(0, |history| *entry(history, new));
    }

    pub(super) fn memory_bytes(&self) -> u64 {
        let pages = |history: &Vec<Vec<u64>>| history.iter().map(Vec::capacity).sum::<usize>();
        self.history.as_ref().map_or(0, pages) as u64 * 8
    }
}
