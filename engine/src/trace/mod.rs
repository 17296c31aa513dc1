//! The trace: what happened in some operations, event by event.

use serde_json::Value;

use crate::kernel::budget::{Control, LOAD_POLL, StopCause, TraceLevel};
use crate::plan::BlockIndex;
use crate::prng::mix;
use crate::report::Event;

/// Operations a sampled trace tells at most, about.
const SAMPLED_OPERATIONS: u64 = 500;

/// Of an event what lies elsewhere: a payload of a few keys (one node of a map is 632 bytes, and each key a string), the names
/// of its type and its block.
const EVENT_BYTES: usize = 900;

#[derive(Debug)]
struct Kept {
    time_ns: u64,
    block: BlockIndex,
    kind: &'static str,
    payload: Value,
}

#[derive(Debug)]
pub(crate) struct Trace {
    level: TraceLevel,
    /// Sampled: operations whose hash has these bits clear.
    mask: u64,
    seed: u64,
    max_events: usize,
    kept: Vec<Kept>,
    happened: u64,
    /// A run that is played again ends once so many events have happened.
    stop_at: u64,
}

impl Trace {
    /// `operations`: how many the run has, warm-up included; the sampling rate is fixed by it.
    pub(crate) fn new(level: TraceLevel, max_events: usize, operations: u64, seed: u64) -> Self {
        let rate = (operations / SAMPLED_OPERATIONS).max(1).next_power_of_two();
        Self {
            level,
            mask: rate - 1,
            seed: mix(seed),
            max_events,
            kept: Vec::new(),
            happened: 0,
            stop_at: u64::MAX,
        }
    }

    /// Whether an operation is told.
    #[inline]
    pub(crate) fn wants(&self, operation: u64) -> bool {
        match self.level {
            TraceLevel::None => false,
            TraceLevel::Sampled => mix(operation ^ self.seed) & self.mask == 0,
            TraceLevel::Full => true,
        }
    }

    /// Whether every operation is told.
    pub(crate) fn is_full(&self) -> bool {
        self.level == TraceLevel::Full
    }

    /// Whether what happens in the background is told.
    pub(crate) fn is_on(&self) -> bool {
        self.level != TraceLevel::None
    }

    /// An event of a traced operation. The payload is built only if the event is kept.
    pub(crate) fn emit(
        &mut self,
        time_ns: u64,
        block: BlockIndex,
        kind: &'static str,
        payload: impl FnOnce() -> Value,
    ) {
        self.happened += 1;
        if self.kept.len() < self.max_events {
            self.kept.push(Kept { time_ns, block, kind, payload: payload() });
        }
    }

    pub(crate) fn happened(&self) -> u64 {
        self.happened
    }

    pub(crate) fn kept(&self) -> u64 {
        self.kept.len() as u64
    }

    /// Ends the run after the event told with this number, from 0.
    pub(crate) fn stop_after(&mut self, emission: u64) {
        self.stop_at = emission + 1;
    }

    /// Whether the event a run is played up to has happened.
    #[inline]
    pub(crate) fn is_reached(&self) -> bool {
        self.happened >= self.stop_at
    }

    /// How many events were told before that of this sequence, and its time.
    pub(crate) fn emission_of(&self, sequence: u32) -> Option<(u64, u64)> {
        let mut order: Vec<usize> = (0..self.kept.len()).collect();
        order.sort_by_key(|place| self.kept[*place].time_ns);
        let place = *order.get(sequence as usize)?;
        Some((place as u64, self.kept[place].time_ns))
    }

    /// The events in order of time. Operations overlap, so the order of emission is not yet that.
    pub(crate) fn into_events(
        mut self,
        block_id: impl Fn(BlockIndex) -> String,
        control: &Control,
    ) -> Result<Vec<Event>, StopCause> {
        self.kept.sort_by_key(|event| event.time_ns);
        let mut events = Vec::with_capacity(self.kept.len());
        for (sequence, kept) in self.kept.into_iter().enumerate() {
            if sequence as u64 % LOAD_POLL == 0 {
                control.check()?;
            }
            events.push(Event {
                sequence: sequence as u32,
                time_ns: kept.time_ns,
                kind: kept.kind.to_owned(),
                block_id: block_id(kept.block),
                payload: kept.payload,
            });
        }
        Ok(events)
    }

    /// What the events take, and will take in the report.
    pub(crate) fn memory_bytes(&self) -> u64 {
        (self.kept.capacity() * size_of::<Kept>() + self.kept.len() * (size_of::<Event>() + EVENT_BYTES))
            as u64
    }
}
