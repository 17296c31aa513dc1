//! Which page is evicted, one policy a file. The pool applies what a policy decides.
//!
//! A policy knows the evictable frames: a frame whose page is being read is pinned and out of its lists. `victim` may be asked
//! several times before something happens, and tells the same frame each time.

use super::PageId;
use super::arc::Arc;
use super::clean_first::CleanFirst;
use super::clock::Clock;
use super::fifo::Fifo;
use super::lfu::Lfu;
use super::lru::Lru;
use super::lru_k::LruK;
use super::midpoint_lru::MidpointLru;
use super::random::Random;
use super::s3_fifo::S3Fifo;
use super::sieve::Sieve;
use super::slru::Slru;
use super::two_q::TwoQ;
use super::w_tiny_lfu::WTinyLfu;
use crate::plan::PolicyKind;
use crate::prng::Stream;

/// The policies, dispatched without indirection because every page access goes through here.
#[derive(Debug, Clone)]
pub(crate) enum Policy {
    Lru(Lru),
    MidpointLru(MidpointLru),
    Fifo(Fifo),
    Random(Random),
    Clock(Clock),
    Lfu(Lfu),
    TwoQ(TwoQ),
    Arc(Arc),
    LruK(LruK),
    Slru(Slru),
    Sieve(Sieve),
    S3Fifo(S3Fifo),
    WTinyLfu(WTinyLfu),
    CleanFirst(CleanFirst),
}

impl Policy {
    pub(super) fn new(kind: PolicyKind, capacity: u32, stream: Stream) -> Self {
        match kind {
            PolicyKind::Lru => Policy::Lru(Lru::new(capacity)),
            PolicyKind::MidpointLru { old_blocks_time_ns } => {
                Policy::MidpointLru(MidpointLru::new(capacity, old_blocks_time_ns))
            }
            PolicyKind::Fifo => Policy::Fifo(Fifo::new(capacity)),
            PolicyKind::Random => Policy::Random(Random::new(capacity, stream)),
            PolicyKind::Clock => Policy::Clock(Clock::one_bit(capacity)),
            PolicyKind::Gclock => Policy::Clock(Clock::counting(capacity)),
            PolicyKind::Lfu => Policy::Lfu(Lfu::new(capacity)),
            PolicyKind::TwoQ => Policy::TwoQ(TwoQ::new(capacity)),
            PolicyKind::Arc => Policy::Arc(Arc::new(capacity)),
            PolicyKind::LruK { history } => Policy::LruK(LruK::new(capacity, history)),
            PolicyKind::Slru => Policy::Slru(Slru::four(capacity)),
            PolicyKind::HighPriorityLru => Policy::Slru(Slru::high_priority(capacity)),
            PolicyKind::Sieve => Policy::Sieve(Sieve::new(capacity)),
            PolicyKind::S3Fifo => Policy::S3Fifo(S3Fifo::new(capacity)),
            PolicyKind::WTinyLfu => Policy::WTinyLfu(WTinyLfu::new(capacity)),
            PolicyKind::CleanFirstLru => Policy::CleanFirst(CleanFirst::new(capacity)),
        }
    }

    /// Bytes a policy keeps for each frame.
    pub(super) fn bytes_per_frame(kind: PolicyKind) -> u64 {
        match kind {
            PolicyKind::Lru => Lru::BYTES,
            PolicyKind::MidpointLru { .. } => MidpointLru::BYTES,
            PolicyKind::Fifo => Fifo::BYTES,
            PolicyKind::Random => Random::BYTES,
            PolicyKind::Clock | PolicyKind::Gclock => Clock::BYTES,
            PolicyKind::Lfu => Lfu::BYTES,
            PolicyKind::TwoQ => TwoQ::BYTES,
            PolicyKind::Arc => Arc::BYTES,
            PolicyKind::LruK { .. } => LruK::BYTES,
            PolicyKind::Slru | PolicyKind::HighPriorityLru => Slru::BYTES,
            PolicyKind::Sieve => Sieve::BYTES,
            PolicyKind::S3Fifo => S3Fifo::BYTES,
            PolicyKind::WTinyLfu => WTinyLfu::BYTES,
            PolicyKind::CleanFirstLru => CleanFirst::BYTES,
        }
    }

    /// A page came into a frame, which may now be evicted.
    pub(super) fn loaded(&mut self, frame: u32, now_ns: u64) {
        match self {
            Policy::Lru(policy) => policy.loaded(frame),
            Policy::MidpointLru(policy) => policy.loaded(frame, now_ns),
            Policy::Fifo(policy) => policy.loaded(frame),
            Policy::Random(policy) => policy.loaded(frame),
            Policy::Clock(policy) => policy.loaded(frame),
            Policy::Lfu(policy) => policy.loaded(frame),
            Policy::TwoQ(policy) => policy.loaded(frame),
            Policy::Arc(policy) => policy.loaded(frame),
            Policy::LruK(policy) => policy.loaded(frame),
            Policy::Slru(policy) => policy.loaded(frame),
            Policy::Sieve(policy) => policy.loaded(frame),
            Policy::S3Fifo(policy) => policy.loaded(frame),
            Policy::WTinyLfu(policy) => policy.loaded(frame),
            Policy::CleanFirst(policy) => policy.loaded(frame),
        }
    }

    /// A page in a frame was used again. The usual policies are decided where the page is used: it is the most frequent of all
    /// that happens.
    #[inline(always)]
    pub(super) fn used(&mut self, frame: u32, now_ns: u64) {
        match self {
            Policy::Lru(policy) => policy.used(frame),
            Policy::Clock(policy) => policy.used(frame),
            _ => self.used_in_another(frame, now_ns),
        }
    }

    fn used_in_another(&mut self, frame: u32, now_ns: u64) {
        match self {
            Policy::Lru(_) | Policy::Clock(_) | Policy::Fifo(_) | Policy::Random(_) => {}
            Policy::MidpointLru(policy) => policy.used(frame, now_ns),
            Policy::Lfu(policy) => policy.used(frame),
            Policy::TwoQ(policy) => policy.used(frame),
            Policy::Arc(policy) => policy.used(frame),
            Policy::LruK(policy) => policy.used(frame),
            Policy::Slru(policy) => policy.used(frame),
            Policy::Sieve(policy) => policy.used(frame),
            Policy::S3Fifo(policy) => policy.used(frame),
            Policy::WTinyLfu(policy) => policy.used(frame),
            Policy::CleanFirst(policy) => policy.used(frame),
        }
    }

    /// A page in a frame, pinned or not, was changed for the first time since it was loaded or written.
    pub(super) fn dirtied(&mut self, frame: u32) {
        if let Policy::CleanFirst(policy) = self {
            policy.dirtied(frame);
        }
    }

    /// The page in a frame was written and stays.
    pub(super) fn cleaned(&mut self, frame: u32) {
        if let Policy::CleanFirst(policy) = self {
            policy.cleaned(frame);
        }
    }

    /// A dirty page to be written, and kept, before a page comes in.
    pub(super) fn spill(&self) -> Option<u32> {
        match self {
            Policy::CleanFirst(policy) => policy.spill(),
            _ => None,
        }
    }

    /// The frame to evict for page `new`, at least one frame being evictable.
    pub(super) fn victim(&mut self, new: PageId) -> u32 {
        match self {
            Policy::Lru(policy) => policy.victim(),
            Policy::MidpointLru(policy) => policy.victim(),
            Policy::Fifo(policy) => policy.victim(),
            Policy::Random(policy) => policy.victim(),
            Policy::Clock(policy) => policy.victim(),
            Policy::Lfu(policy) => policy.victim(),
            Policy::TwoQ(policy) => policy.victim(),
            Policy::Arc(policy) => policy.victim(new),
            Policy::LruK(policy) => policy.victim(),
            Policy::Slru(policy) => policy.victim(),
            Policy::Sieve(policy) => policy.victim(),
            Policy::S3Fifo(policy) => policy.victim(),
            Policy::WTinyLfu(policy) => policy.victim(),
            Policy::CleanFirst(policy) => policy.victim(),
        }
    }

    /// A frame is taken for page `new`, from page `old` if the victim held one. It is pinned until `loaded`.
    pub(super) fn assign(&mut self, frame: u32, old: Option<PageId>, new: PageId) {
        match self {
            Policy::TwoQ(policy) => policy.assign(frame, old, new),
            Policy::Arc(policy) => policy.assign(frame, old, new),
            Policy::LruK(policy) => policy.assign(frame, old, new),
            Policy::S3Fifo(policy) => policy.assign(frame, old, new),
            Policy::WTinyLfu(policy) => policy.assign(frame, old, new),
            _ if old.is_some() => self.evicted(frame),
            _ => {}
        }
    }

    /// A frame's page leaves. Policies that decide by the page that comes in are told by `assign` instead.
    pub(super) fn evicted(&mut self, frame: u32) {
        match self {
            Policy::Lru(policy) => policy.evicted(frame),
            Policy::MidpointLru(policy) => policy.evicted(frame),
            Policy::Fifo(policy) => policy.evicted(frame),
            Policy::Random(policy) => policy.evicted(frame),
            Policy::Clock(policy) => policy.evicted(frame),
            Policy::Lfu(policy) => policy.evicted(),
            Policy::Slru(policy) => policy.evicted(frame),
            Policy::Sieve(policy) => policy.evicted(frame),
            Policy::CleanFirst(policy) => policy.evicted(frame),
            Policy::TwoQ(_) | Policy::Arc(_) | Policy::LruK(_) | Policy::S3Fifo(_) | Policy::WTinyLfu(_) => {}
        }
    }

    /// The frames that would be evicted next if no page were used again: at most `wanted`, among the next `looked_at`. Only
    /// policies that keep an order know.
    pub(super) fn upcoming(&self, wanted: u32, looked_at: u32, frames: &mut Vec<u32>) {
        match self {
            Policy::Lru(policy) => policy.upcoming(wanted, frames),
            Policy::MidpointLru(policy) => policy.upcoming(wanted, frames),
            Policy::Fifo(policy) => policy.upcoming(wanted, frames),
            Policy::Clock(policy) => policy.upcoming(wanted, looked_at, frames),
            _ => {}
        }
    }

    /// Bytes that grow with the pages seen, apart from those of each frame.
    pub(super) fn memory_bytes(&self) -> u64 {
        match self {
            Policy::TwoQ(policy) => policy.memory_bytes(),
            Policy::Arc(policy) => policy.memory_bytes(),
            Policy::LruK(policy) => policy.memory_bytes(),
            Policy::S3Fifo(policy) => policy.memory_bytes(),
            _ => 0,
        }
    }
}
