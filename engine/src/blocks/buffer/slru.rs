//! Segmented LRU (Karedla, Love, Wherry 1994): a page enters the lowest segment, each use lifts it one segment up, and what
//! overflows a segment sinks to the newest end of the one below.
//!
//! RocksDB's block cache is one with two segments (`cache/lru_cache.cc`): a block that was hit joins the high-priority half.

use super::list::{Links, NONE, Queue};

#[derive(Debug, Clone)]
pub(crate) struct Slru {
    links: Links,
    segments: Vec<Queue>,
    limits: Vec<u32>,
    segment_of: Vec<u8>,
}

impl Slru {
    pub(super) const BYTES: u64 = Links::BYTES + 1;

    /// Four segments of equal size; what is left over belongs to the lowest.
    pub(super) fn four(capacity: u32) -> Self {
        let part = capacity / 4;
        Self::new(capacity, vec![capacity - 3 * part, part, part, part])
    }

    /// RocksDB's `LRUCache`: half of the capacity for what was used again, and no limit below it.
    pub(super) fn high_priority(capacity: u32) -> Self {
        Self::new(capacity, vec![capacity, capacity / 2])
    }

    /// `limits`: pages of each segment, lowest first; frames are numbered below `frames`.
    pub(super) fn new(frames: u32, limits: Vec<u32>) -> Self {
        Self {
            links: Links::new(frames),
            segments: vec![Queue::new(); limits.len()],
            limits,
            segment_of: vec![0; frames as usize],
        }
    }

    /// A page comes into the lowest segment with room: an empty cache fills from below.
    pub(super) fn loaded(&mut self, frame: u32) {
        let room = self.segments.iter().zip(&self.limits).position(|(segment, limit)| segment.len() < *limit);
        self.put(frame, room.unwrap_or(0));
    }

    #[inline]
    pub(super) fn used(&mut self, frame: u32) {
        let segment = usize::from(self.segment_of[frame as usize]);
        if segment + 1 == self.segments.len() {
            self.segments[segment].touch(&mut self.links, frame);
            return;
        }
        self.segments[segment].remove(&mut self.links, frame);
        self.put(frame, segment + 1);
        for above in (1..=segment + 1).rev() {
            if self.segments[above].len() <= self.limits[above] {
                break;
            }
            let sinking = self.segments[above].oldest();
            self.segments[above].remove(&mut self.links, sinking);
            self.put(sinking, above - 1);
        }
    }

    fn put(&mut self, frame: u32, segment: usize) {
        self.segment_of[frame as usize] = segment as u8;
        self.segments[segment].push(&mut self.links, frame);
    }

    /// The oldest of the lowest segment that has any; `NONE` when none has.
    pub(super) fn victim(&self) -> u32 {
        self.segments.iter().find(|segment| !segment.is_empty()).map_or(NONE, Queue::oldest)
    }

    pub(super) fn evicted(&mut self, frame: u32) {
        let segment = usize::from(self.segment_of[frame as usize]);
        self.segments[segment].remove(&mut self.links, frame);
    }
}
