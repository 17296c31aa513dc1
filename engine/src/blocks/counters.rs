//! Counters of a block, and their values when the measured interval began.

use serde_json::{Map, Value};

/// `N` counters, addressed by constants of the block that owns them.
#[derive(Debug, Clone)]
pub(crate) struct Counters<const N: usize> {
    names: [&'static str; N],
    now: [u64; N],
    at_mark: [u64; N],
}

impl<const N: usize> Counters<N> {
    pub(crate) fn new(names: [&'static str; N]) -> Self {
        Self { names, now: [0; N], at_mark: [0; N] }
    }

    #[inline]
    pub(crate) fn add(&mut self, counter: usize, amount: u64) {
        self.now[counter] += amount;
    }

    /// Since the run began.
    #[inline]
    pub(crate) fn total(&self, counter: usize) -> u64 {
        self.now[counter]
    }

    /// Since the measured interval began.
    pub(crate) fn measured(&self, counter: usize) -> u64 {
        self.now[counter] - self.at_mark[counter]
    }

    /// The measured interval begins.
    pub(crate) fn mark(&mut self) {
        self.at_mark = self.now;
    }

    /// Values of the measured interval by name.
    pub(crate) fn to_map(&self) -> Map<String, Value> {
        self.names
            .iter()
            .enumerate()
            .map(|(counter, name)| ((*name).to_owned(), self.measured(counter).into()))
            .collect()
    }
}
