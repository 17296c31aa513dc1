//! The keys of a table: which rank in key order the n-th arriving record has. The whole key universe is known before a run,
//! so keys are ranks, and structures need one bit a key.

use super::permutation::Permutation;
use super::{InsertOrder, Table};
use crate::prng::Stream;

#[derive(Debug, Clone)]
pub(crate) struct KeySpace {
    order: InsertOrder,
    /// Records loaded and records the run may insert.
    universe: u32,
    permutation: Permutation,
}

impl KeySpace {
    pub(crate) fn new(table: &Table, universe: u32, seed: u64) -> Self {
        let stream = Stream::new(seed, &format!("keys of {}", table.name));
        Self {
            order: table.insert_order,
            universe,
            permutation: Permutation::new(u64::from(universe), stream),
        }
    }

    pub(crate) fn universe(&self) -> u32 {
        self.universe
    }

    pub(crate) fn order(&self) -> InsertOrder {
        self.order
    }

    /// Rank in key order of a record (a number in order of arrival, below the universe).
    #[inline]
    pub(crate) fn rank_of(&self, record: u32) -> u32 {
        match self.order {
            InsertOrder::Hashed => self.permutation.forward(u64::from(record)) as u32,
            InsertOrder::Ascending => record,
            InsertOrder::Descending => self.universe - 1 - record,
        }
    }

    /// The record of a rank.
    #[inline]
    pub(crate) fn record_of(&self, rank: u32) -> u32 {
        match self.order {
            InsertOrder::Hashed => self.permutation.backward(u64::from(rank)) as u32,
            InsertOrder::Ascending => rank,
            InsertOrder::Descending => self.universe - 1 - rank,
        }
    }
}
