//! What a run may spend, and who may stop it. The engine never looks at a clock: a caller's thread does, and says stop.

use crate::sampling::Sampling;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

/// Why a run ended before its workload did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StopCause {
    #[error("the time limit was reached")]
    Deadline,
    #[error("the run was cancelled")]
    Canceled,
    #[error("the memory limit was reached")]
    MemoryLimit,
    #[error("the step limit was reached")]
    StepLimit,
    #[error("every client waits for something that cannot happen")]
    Stuck,
}

/// How much of a run is told event by event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TraceLevel {
    None,
    /// Whole operations, chosen by a hash of their number at a rate fixed for the run: about 250 to 500 of them.
    #[default]
    Sampled,
    /// Every operation from the first on, until `max_events`.
    Full,
}

/// How to run, apart from what to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Everything random follows from it.
    pub seed: u64,
    pub trace: TraceLevel,
    /// Events kept; those beyond are counted only.
    pub max_events: usize,
    pub memory_limit_bytes: u64,
    /// Kernel events (calendar entries) a run may take; `u64::MAX` for no limit.
    pub step_limit: u64,
    /// Whether a run too large for its budget may be simulated in part.
    pub sampling: Sampling,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            trace: TraceLevel::Sampled,
            max_events: 10_000,
            memory_limit_bytes: 2 << 30,
            step_limit: u64::MAX,
            sampling: Sampling::Off,
        }
    }
}

/// The wire between a running simulation and another thread: shared by `Arc`, looked at every few thousand steps, records or
/// entries merged, whatever the run is at.
#[derive(Debug, Default)]
pub struct Control {
    /// 0 runs on; otherwise 1 + the cause's place in `CAUSES`.
    stop: AtomicU8,
    /// Millionths of the run that are done.
    progress_millionths: AtomicU32,
    looks: AtomicU64,
    /// The look that cancels the run; 0 for none.
    last_look: u64,
}

const CAUSES: [StopCause; 5] = [
    StopCause::Deadline,
    StopCause::Canceled,
    StopCause::MemoryLimit,
    StopCause::StepLimit,
    StopCause::Stuck,
];

impl Control {
    /// One that cancels its run at the look of this number, from 1: a stop at a moment that is the same every time.
    pub fn canceled_at_look(look: u64) -> Self {
        Self { last_look: look, ..Self::default() }
    }

    /// How often the run has looked whether to stop. What it does between two looks is bounded, so this counts its work, too.
    pub fn looks(&self) -> u64 {
        self.looks.load(Ordering::Relaxed)
    }

    /// Asks the run to end with `SimulateError::Stopped(cause)`. The first cause given is the one reported.
    pub fn stop(&self, cause: StopCause) {
        let code = CAUSES.iter().position(|known| *known == cause).map_or(0, |place| place as u8 + 1);
        // A later cause must not overwrite the first; losing this race means a cause is already there.
        let _ = self.stop.compare_exchange(0, code, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Part of the run that is done, 0 to 1. It never goes back.
    pub fn progress(&self) -> f64 {
        f64::from(self.progress_millionths.load(Ordering::Relaxed)) / 1e6
    }

    /// Tells the progress, 0 to 1, of a run that goes on somewhere else.
    pub fn relay_progress(&self, part: f64) {
        // A part that is none becomes 0 or 1.
        self.progress_millionths.fetch_max((part.min(1.0) * 1e6) as u32, Ordering::Relaxed);
    }

    fn stop_cause(&self) -> Option<StopCause> {
        match self.stop.load(Ordering::Relaxed) {
            0 => None,
            code => Some(CAUSES[usize::from(code - 1)]),
        }
    }

    /// Ends what is going on when someone asked for it.
    pub(crate) fn check(&self) -> Result<(), StopCause> {
        if self.looks.fetch_add(1, Ordering::Relaxed) + 1 == self.last_look {
            self.stop(StopCause::Canceled);
        }
        self.stop_cause().map_or(Ok(()), Err)
    }

    pub(crate) fn set_progress(&self, done: u64, total: u64) {
        let millionths = (u128::from(done.min(total)) * 1_000_000 / u128::from(total.max(1))) as u32;
        self.progress_millionths.fetch_max(millionths, Ordering::Relaxed);
    }
}

/// Records or operations prepared before a run between two looks at the stop flag.
pub(crate) const LOAD_POLL: u64 = 1 << 12;
/// Words, entries or pages between two looks, where each takes a few nanoseconds.
pub(crate) const BULK_POLL: usize = 1 << 16;

/// What long work asks as it goes on: whether to stop, and what memory it may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits<'a> {
    pub(crate) control: &'a Control,
    /// All that the structure at work may hold.
    pub(crate) memory_bytes: u64,
}

impl Limits<'_> {
    /// Whether to go on.
    pub(crate) fn look(&self) -> Result<(), StopCause> {
        self.control.check()
    }

    /// Whether a structure may hold so much.
    pub(crate) fn verify(&self, held_bytes: u64) -> Result<(), StopCause> {
        if held_bytes > self.memory_bytes { Err(StopCause::MemoryLimit) } else { Ok(()) }
    }
}

/// Memory a run holds, charged where it is allocated.
#[derive(Debug)]
pub(crate) struct Memory {
    limit_bytes: u64,
    used_bytes: u64,
}

impl Memory {
    pub(crate) fn new(limit_bytes: u64) -> Self {
        Self { limit_bytes, used_bytes: 0 }
    }

    /// Takes `bytes` from the budget, before they are allocated.
    pub(crate) fn charge(&mut self, bytes: u64) -> Result<(), StopCause> {
        self.used_bytes = self.used_bytes.saturating_add(bytes);
        self.verify(0)
    }

    /// What is left of the budget.
    pub(crate) fn left_bytes(&self) -> u64 {
        self.limit_bytes.saturating_sub(self.used_bytes)
    }

    /// Whether the charges and what has `grown_bytes` since still fit.
    pub(crate) fn verify(&self, grown_bytes: u64) -> Result<(), StopCause> {
        if self.used_bytes.saturating_add(grown_bytes) > self.limit_bytes {
            return Err(StopCause::MemoryLimit);
        }
        Ok(())
    }
}
