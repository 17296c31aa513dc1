//! Statements of a transaction that run more than once: the lines of an order.
//!
//! A loop stands in its group unrolled, as often as it runs at most; an operation leaves it after the rounds it draws. The draw
//! depends on the seed and the number of the operation alone: it is known before a run, and the same when a transaction is run
//! again.

use std::ops::Range;

use super::program::Statement;
use crate::prng::Stream;

/// A loop whose number of rounds is drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Loop {
    /// Its first place in the group.
    first: u16,
    /// Statements of a round.
    length: u16,
    min: u16,
    max: u16,
}

impl Loop {
    /// Rounds that this operation makes; `number` tells the loops of a group apart.
    pub(super) fn rounds(&self, stream: Stream, operation: u64, number: usize) -> u16 {
        let mut rng = stream.at(operation << 16 | number as u64);
        self.min + rng.below(u64::from(self.max - self.min) + 1) as u16
    }

    /// Its places in the group.
    pub(super) fn places(&self) -> Range<u16> {
        self.first..self.first + self.length * self.max
    }

    /// The places of its first round.
    pub(super) fn round(&self) -> Range<usize> {
        usize::from(self.first)..usize::from(self.first + self.length)
    }

    /// `next`, or the place behind the loop where the operation has made all its rounds.
    pub(super) fn skip(&self, stream: Stream, operation: u64, number: usize, next: u16) -> u16 {
        if !self.places().contains(&next) || (next - self.first) % self.length != 0 {
            return next;
        }
        let round = (next - self.first) / self.length;
        if round < self.min || round < self.rounds(stream, operation, number) {
            next
        } else {
            self.places().end
        }
    }
}

/// The statements of a group as often as they run at most, and the loops among them that may end earlier.
pub(super) fn unroll(group: &[u16], statements: &[Statement]) -> (Vec<u16>, Vec<Loop>) {
    let (mut unrolled, mut loops) = (Vec::new(), Vec::new());
    let repeat = |number: &u16| statements[usize::from(*number)].repeat;
    for round in group.chunk_by(|one, next| repeat(one) == repeat(next)) {
        let (min, max) = repeat(&round[0]);
        if min < max {
            loops.push(Loop { first: unrolled.len() as u16, length: round.len() as u16, min, max });
        }
        (0..max).for_each(|_| unrolled.extend_from_slice(round));
    }
    (unrolled, loops)
}
