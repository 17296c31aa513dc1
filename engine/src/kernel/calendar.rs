//! What happens next: events in order of time, and of scheduling where times are equal.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Something that happens at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// A client goes on with its operation, or starts one.
    Client(u32),
    /// The page a client has asked for can be read: the processor time before the request has passed.
    Ask(u32),
    /// An operation arrives (open loop).
    Arrival,
    /// A device slot finishes its request.
    Disk { disk: u8, slot: u16 },
    /// A log's periodic flush is due.
    LogTimer(u8),
    /// A pool's background work is due.
    PoolTimer(u8),
    /// A heap is to be looked at: has it dead rows enough to be vacuumed?
    VacuumTimer(u8),
    /// A client has waited for a lock as long as its policy lets it.
    LockTimer(u32),
}

/// Bits of the packed word that hold the event; the sequence number above them decides ties.
const EVENT_BITS: u32 = 24;
const KIND_BITS: u32 = 21;
/// Tell the kinds of timers apart.
const POOL_TIMER: u32 = 1 << 16;
const VACUUM_TIMER: u32 = 1 << 17;

/// (time, sequence << 24 | event): 16 bytes an entry, compared as two integers.
type Entry = (u64, u64);

/// Events kept in order; those after them wait in the heap.
const NEAR: usize = 32;

/// Few events are to come in most runs, and a new one is seldom far from the next: a short sorted list then beats a heap.
#[derive(Debug, Default)]
pub(crate) struct Calendar {
    /// The next events, the first of them last.
    near: Vec<Entry>,
    /// Events after all of `near`.
    heap: BinaryHeap<Reverse<Entry>>,
    sequence: u64,
}

impl Calendar {
    #[inline]
    pub(crate) fn schedule(&mut self, time_ns: u64, event: Event) {
        let entry = (time_ns, self.sequence << EVENT_BITS | u64::from(pack(event)));
        self.sequence += 1;
        let is_far = match self.near.first() {
            Some(last) => *last < entry && (self.near.len() >= NEAR || !self.heap.is_empty()),
            None => !self.heap.is_empty(),
        };
        if is_far {
            return self.heap.push(Reverse(entry));
        }
        let mut place = self.near.len();
        self.near.push(entry);
        // A new event is behind all of its time, so times alone decide.
        while place > 0 && self.near[place - 1].0 <= time_ns {
            self.near[place] = self.near[place - 1];
            place -= 1;
        }
        self.near[place] = entry;
        if self.near.len() > NEAR {
            self.heap.push(Reverse(self.near.remove(0)));
        }
    }

    /// Events to come.
    pub(crate) fn len(&self) -> usize {
        self.near.len() + self.heap.len()
    }

    /// Whether every event to come is later than a time.
    #[inline]
    pub(crate) fn all_after(&self, time_ns: u64) -> bool {
        let first = self.near.last().or_else(|| self.heap.peek().map(|entry| &entry.0));
        first.is_none_or(|first| first.0 > time_ns)
    }

    #[inline]
    pub(crate) fn next(&mut self) -> Option<(u64, Event)> {
        if self.near.is_empty() {
            self.refill();
        }
        let (time_ns, word) = self.near.pop()?;
        Some((time_ns, unpack(word as u32 & ((1 << EVENT_BITS) - 1))))
    }

    /// The next events come out of the heap: half a list, so that there is room for new ones between them.
    #[cold]
    fn refill(&mut self) {
        let next = std::iter::from_fn(|| self.heap.pop()).take(NEAR / 2).map(|entry| entry.0);
        self.near.extend(next);
        self.near.reverse();
    }
}

#[inline(always)]
fn pack(event: Event) -> u32 {
    let (kind, index) = match event {
        Event::Client(client) => (0, client),
        Event::Arrival => (1, 0),
        Event::Disk { disk, slot } => (2, u32::from(disk) << 12 | u32::from(slot)),
        Event::LogTimer(wal) => (3, u32::from(wal)),
        Event::PoolTimer(pool) => (3, POOL_TIMER | u32::from(pool)),
        Event::VacuumTimer(worker) => (3, VACUUM_TIMER | u32::from(worker)),
        Event::Ask(client) => (4, client),
        Event::LockTimer(client) => (5, client),
    };
    kind << KIND_BITS | index
}

#[inline(always)]
fn unpack(code: u32) -> Event {
    let index = code & ((1 << KIND_BITS) - 1);
    match code >> KIND_BITS {
        0 => Event::Client(index),
        1 => Event::Arrival,
        2 => Event::Disk { disk: (index >> 12) as u8, slot: (index & 0xFFF) as u16 },
        4 => Event::Ask(index),
        5 => Event::LockTimer(index),
        _ if index & POOL_TIMER != 0 => Event::PoolTimer(index as u8),
        _ if index & VACUUM_TIMER != 0 => Event::VacuumTimer(index as u8),
        _ => Event::LogTimer(index as u8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn events_survive_packing() {
        for event in [
            Event::Client(100_000),
            Event::Ask(100_000),
            Event::Arrival,
            Event::Disk { disk: 99, slot: 1023 },
            Event::LogTimer(99),
            Event::PoolTimer(99),
            Event::VacuumTimer(99),
            Event::LockTimer(100_000),
        ] {
            assert_eq!(unpack(pack(event)), event);
        }
    }

    proptest! {
        /// Any mix of scheduling and taking gives each time's events in the order they were scheduled.
        #[test]
        fn order_is_time_then_scheduling(steps in prop::collection::vec(prop::option::weighted(0.7, 0u64..60), 0..400)) {
            let mut calendar = Calendar::default();
            let mut model: Vec<(u64, u32)> = Vec::new();
            for (id, step) in steps.into_iter().enumerate() {
                match step {
                    Some(time) => {
                        let later = model.iter().all(|entry| entry.0 > time);
                        prop_assert_eq!(calendar.all_after(time), later);
                        calendar.schedule(time, Event::Client(id as u32));
                        model.push((time, id as u32));
                    }
                    None => {
                        let expected = model.iter().copied().min();
                        model.retain(|entry| Some(*entry) != expected);
                        prop_assert_eq!(
                            calendar.next(),
                            expected.map(|(time, id)| (time, Event::Client(id)))
                        );
                    }
                }
            }
        }
    }
}
