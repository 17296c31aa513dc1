//! Which versions of rows nobody can see any more.
//!
//! Transactions are numbered in the order they begin. A version that transaction t replaced can go once every transaction that
//! began before t ended is over: as in PostgreSQL, t has to precede the oldest number that was running when the oldest running
//! transaction began. (There a snapshot is taken at every statement; here at the transaction's begin.)

use std::collections::VecDeque;

#[derive(Debug, Default)]
pub(crate) struct Horizon {
    /// Number of the first in `running`. Numbers wrap around; those compared are close to each other.
    first: u32,
    /// Transactions from `first` on: whether each is over, and the oldest that ran when it began.
    running: VecDeque<(bool, u32)>,
}

impl Horizon {
    /// A transaction begins; its number.
    pub(crate) fn begin(&mut self) -> u32 {
        let number = self.first.wrapping_add(self.running.len() as u32);
        self.running.push_back((false, self.first));
        number
    }

    pub(crate) fn end(&mut self, number: u32) {
        if let Some(entry) = self.running.get_mut(number.wrapping_sub(self.first) as usize) {
            entry.0 = true;
        }
        while self.running.front().is_some_and(|(over, _)| *over) {
            self.running.pop_front();
            self.first = self.first.wrapping_add(1);
        }
    }

    /// What transactions before this number replaced is seen by nobody.
    pub(crate) fn oldest_visible(&self) -> u32 {
        self.running.front().map_or(self.first, |(_, oldest)| *oldest)
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        self.running.capacity() as u64 * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_transaction_holds_versions_back() {
        let mut horizon = Horizon::default();
        let first = horizon.begin();
        assert_eq!(horizon.oldest_visible(), first);
        horizon.end(first);
        let long = horizon.begin();
        let short = horizon.begin();
        horizon.end(short);
        let next = horizon.begin();
        assert_eq!(horizon.oldest_visible(), long, "short ended after long began");
        horizon.end(long);
        assert_eq!(horizon.oldest_visible(), long, "next began while long ran");
        horizon.end(next);
        assert_eq!(horizon.oldest_visible(), next + 1);
    }
}
