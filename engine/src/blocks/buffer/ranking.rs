//! The evictable frame with the smallest key, for keys that only grow while a page stays.
//!
//! A use changes the key of its frame and leaves the heap alone; an entry is put right when it comes to the top.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

pub(super) type Key = (u64, u64);

#[derive(Debug, Clone)]
pub(super) struct Ranking {
    keys: Vec<Key>,
    heap: BinaryHeap<Reverse<(Key, u32)>>,
}

impl Ranking {
    pub(super) const BYTES: u64 = 16 + 24;

    pub(super) fn new(capacity: u32) -> Self {
        Self { keys: vec![(0, 0); capacity as usize], heap: BinaryHeap::with_capacity(capacity as usize) }
    }

    #[inline]
    pub(super) fn key(&mut self, frame: u32) -> &mut Key {
        &mut self.keys[frame as usize]
    }

    /// A frame becomes evictable.
    pub(super) fn insert(&mut self, frame: u32, key: Key) {
        self.keys[frame as usize] = key;
        self.heap.push(Reverse((key, frame)));
    }

    /// The frame with the smallest key; frame 0 when none is evictable.
    pub(super) fn smallest(&mut self) -> u32 {
        while let Some(mut top) = self.heap.peek_mut() {
            let (key, frame) = top.0;
            let current = self.keys[frame as usize];
            if key == current {
                return frame;
            }
            top.0.0 = current;
        }
        0
    }

    /// The frame that `smallest` told is evictable no more.
    pub(super) fn remove_smallest(&mut self) {
        self.smallest();
        if let Some(top) = self.heap.peek_mut() {
            PeekMut::pop(top);
        }
    }
}
