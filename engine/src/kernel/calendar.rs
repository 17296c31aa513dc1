//! What happens next: events in order of time, and of scheduling where times are equal.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

/// Something that happens at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// A client goes on with its operation, or starts one.
    Client(u32),
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
}

/// Bits of the packed word that hold the event; the sequence number above them decides ties.
const EVENT_BITS: u32 = 24;
const KIND_BITS: u32 = 22;
/// Tell the kinds of timers apart.
const POOL_TIMER: u32 = 1 << 16;
const VACUUM_TIMER: u32 = 1 << 17;

/// (time, sequence << 24 | event): 16 bytes an entry, compared as two integers.
type Entry = (u64, u64);

#[derive(Debug, Default)]
pub(crate) struct Calendar {
    /// The next event, kept out of the heap: a client that schedules itself next costs no heap operation.
    front: Option<Entry>,
    heap: BinaryHeap<Reverse<Entry>>,
    sequence: u64,
}

impl Calendar {
    #[inline(always)]
    pub(crate) fn schedule(&mut self, time_ns: u64, event: Event) {
        self.insert((time_ns, self.sequence << EVENT_BITS | u64::from(pack(event))));
        self.sequence += 1;
    }

    fn insert(&mut self, entry: Entry) {
        match self.front {
            Some(front) if entry < front => {
                self.front = Some(entry);
                self.heap.push(Reverse(front));
            }
            Some(_) => self.heap.push(Reverse(entry)),
            None => match self.heap.peek_mut() {
                // The taken front left a gap: the heap's first moves up and the new entry takes its place, one sift.
                Some(mut first) if first.0 < entry => {
                    self.front = Some(std::mem::replace(&mut *first, Reverse(entry)).0);
                }
                _ => self.front = Some(entry),
            },
        }
    }

    /// Events to come.
    pub(crate) fn len(&self) -> usize {
        usize::from(self.front.is_some()) + self.heap.len()
    }

    /// Whether every event to come is later than a time.
    #[inline]
    pub(crate) fn all_after(&self, time_ns: u64) -> bool {
        let first = self.front.or_else(|| self.heap.peek().map(|entry| entry.0));
        first.is_none_or(|first| first.0 > time_ns)
    }

    #[inline]
    pub(crate) fn next(&mut self) -> Option<(u64, Event)> {
        let (time_ns, word) = match self.front.take() {
            Some(entry) => entry,
            None => PeekMut::pop(self.heap.peek_mut()?).0,
        };
        Some((time_ns, unpack(word as u32 & ((1 << EVENT_BITS) - 1))))
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
            Event::Arrival,
            Event::Disk { disk: 99, slot: 1023 },
            Event::LogTimer(99),
            Event::PoolTimer(99),
            Event::VacuumTimer(99),
        ] {
            assert_eq!(unpack(pack(event)), event);
        }
    }

    proptest! {
        /// Any mix of scheduling and taking gives each time's events in the order they were scheduled.
        #[test]
        fn order_is_time_then_scheduling(steps in prop::collection::vec(prop::option::of(0u64..6), 0..200)) {
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
