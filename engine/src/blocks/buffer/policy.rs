//! Which page is evicted. A policy sees frames only; the pool applies what it decides. One policy a file.

use super::lru::Lru;
use crate::plan::PolicyKind;

/// The policies, dispatched without indirection because every page access goes through here.
#[derive(Debug, Clone)]
pub(crate) enum Policy {
    Lru(Lru),
}

impl Policy {
    pub(crate) fn new(kind: PolicyKind, capacity: u32) -> Self {
        match kind {
            PolicyKind::Lru => Policy::Lru(Lru::new(capacity)),
        }
    }

    /// Bytes a policy keeps for each frame.
    pub(crate) fn bytes_per_frame(kind: PolicyKind) -> u64 {
        match kind {
            PolicyKind::Lru => 8,
        }
    }

    /// A page came into a frame, which may now be evicted.
    pub(crate) fn loaded(&mut self, frame: u32) {
        match self {
            Policy::Lru(lru) => lru.insert(frame),
        }
    }

    /// A page in a frame was used again.
    #[inline]
    pub(crate) fn used(&mut self, frame: u32) {
        match self {
            Policy::Lru(lru) => lru.touch(frame),
        }
    }

    /// The frame to evict next; absent when all are pinned.
    pub(crate) fn victim(&self) -> Option<u32> {
        match self {
            Policy::Lru(lru) => lru.victim(),
        }
    }

    /// The victim leaves: its frame is not evictable until `loaded` again.
    pub(crate) fn evicted(&mut self, frame: u32) {
        match self {
            Policy::Lru(lru) => lru.remove(frame),
        }
    }
}
