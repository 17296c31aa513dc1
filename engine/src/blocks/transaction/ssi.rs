//! Serializable snapshot isolation as PostgreSQL does it (predicate.c; Ports and Grittner, "Serializable Snapshot Isolation in
//! PostgreSQL", 2012): who read what is remembered beyond the commit, and a transaction that is read past and reads past others, a
//! pivot, may have to abort.
//!
//! - Reads leave locks that nobody waits for: on a version of a row, on its page from the third row of that page on, on the table
//!   from the 32nd lock on. The lock of a version is of no use once another version has been committed.
//! - A read-write dependency goes from a reader to a concurrent transaction that wrote what it did not see. T1 → T2 → T3 is
//!   dangerous when T3 was the first of them to commit; then T2 aborts, or whoever can still.

use std::collections::{BTreeMap, VecDeque};

/// What a lock of a reader covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    Table(u16),
    /// A page of a heap or an index, by the space it lies in.
    Page(u16, u32),
    Row(u16, u32),
}

/// Rows of a page that are locked one by one (max_pred_locks_per_page), and locks of a table: half of
/// max_pred_locks_per_transaction, less one.
const ROWS_PER_PAGE: u32 = 2;
const LOCKS_PER_TABLE: u32 = 31;

/// The transaction has to abort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dangerous;

type Xact = u32;

#[derive(Debug, Default)]
struct State {
    /// Commits that its snapshot sees.
    snapshot: u64,
    /// When it was ready to commit, and when it did.
    prepared: Option<u64>,
    committed: Option<u64>,
    doomed: bool,
    wrote: bool,
    /// It has a dependency to a transaction that committed before it.
    conflict_out: bool,
    in_conflicts: Vec<Xact>,
    out_conflicts: Vec<Xact>,
    locks: Vec<Target>,
    /// Locks below a page or a table.
    children: BTreeMap<Target, u32>,
    written: Vec<(u16, u32)>,
}

impl State {
    fn read_only(&self) -> bool {
        self.committed.is_some() && !self.wrote
    }
}

#[derive(Debug, Default)]
pub(crate) struct Ssi {
    xacts: Vec<State>,
    free: Vec<Xact>,
    active: Vec<Xact>,
    /// Committed ones that may still matter, in order of commit.
    ended: VecDeque<Xact>,
    locks: BTreeMap<Target, Vec<Xact>>,
    /// By row: who wrote it and committed, in order.
    writers: BTreeMap<(u16, u32), Vec<Xact>>,
    sequence: u64,
    held: u64,
}

impl Ssi {
    /// A transaction takes its snapshot.
    pub(crate) fn begin(&mut self) -> Xact {
        let xact = self.free.pop().unwrap_or_else(|| {
            self.xacts.push(State::default());
            self.xacts.len() as u32 - 1
        });
        self.xacts[xact as usize].snapshot = self.sequence;
        self.active.push(xact);
        xact
    }

    fn state(&mut self, xact: Xact) -> &mut State {
        &mut self.xacts[xact as usize]
    }

    /// Whether someone else's commit made this transaction impossible.
    pub(crate) fn doomed(&self, xact: Xact) -> bool {
        self.xacts[xact as usize].doomed
    }

    /// Locks that readers hold.
    pub(crate) fn locks(&self) -> u64 {
        self.held
    }

    /// Locks a target for a reader, unless a coarser lock covers it.
    fn lock(&mut self, xact: Xact, target: Target) {
        let holders = self.locks.entry(target).or_default();
        if !holders.contains(&xact) {
            holders.push(xact);
            self.held += 1;
            self.state(xact).locks.push(target);
        }
    }

    fn holds(&self, xact: Xact, target: Target) -> bool {
        self.locks.get(&target).is_some_and(|holders| holders.contains(&xact))
    }

    fn unlock(&mut self, xact: Xact, unwanted: impl Fn(Target) -> bool) {
        let mut locks = std::mem::take(&mut self.state(xact).locks);
        locks.retain(|target| {
            let gone = unwanted(*target);
            if gone {
                self.held -= 1;
                if let Some(holders) = self.locks.get_mut(target) {
                    holders.retain(|holder| *holder != xact);
                    if holders.is_empty() {
                        self.locks.remove(target);
                    }
                }
            }
            !gone
        });
        self.state(xact).locks = locks;
    }

    /// A page of an index, or a whole table, is read.
    pub(crate) fn read_coarse(&mut self, xact: Xact, target: Target) {
        self.lock(xact, target);
    }

    /// A row is read, on a page of its table; `writing` is the transaction that changes it now.
    pub(crate) fn read_row(
        &mut self,
        xact: Xact,
        row: (u16, u32),
        page: Target,
        writing: Option<Xact>,
    ) -> Result<(), Dangerous> {
        self.lock_row(xact, row, page);
        // The version it sees was replaced by the first who committed after its snapshot, or is being replaced now.
        let snapshot = self.xacts[xact as usize].snapshot;
        let after = |writer: &&Xact| self.xacts[**writer as usize].committed.is_some_and(|at| at > snapshot);
        let committed = self.writers.get(&row).and_then(|writers| writers.iter().find(after).copied());
        if committed.is_some() {
            // Nobody writes that version any more.
            self.unlock(xact, |target| target == Target::Row(row.0, row.1));
        }
        match committed.or(writing) {
            Some(writer) if writer != xact && !self.doomed(writer) => self.flag(xact, writer, xact),
            _ => Ok(()),
        }
    }

    /// A table is read, or a range of it: `writing` are the transactions that write to it now.
    pub(crate) fn read_table(&mut self, xact: Xact, table: u16, writing: &[Xact]) -> Result<(), Dangerous> {
        self.lock(xact, Target::Table(table));
        let snapshot = self.xacts[xact as usize].snapshot;
        let unseen = |writer: &Xact| self.xacts[*writer as usize].committed.is_none_or(|at| at > snapshot);
        let rows = self.writers.range((table, 0)..=(table, u32::MAX));
        let mut overwritten: Vec<Xact> =
            rows.filter_map(|(_, writers)| writers.iter().copied().find(unseen)).collect();
        overwritten.extend(writing);
        overwritten.sort_unstable();
        overwritten.dedup();
        for writer in overwritten {
            if writer != xact && !self.doomed(writer) {
                self.flag(xact, writer, xact)?;
            }
        }
        Ok(())
    }

    /// Locks the version of a row that is read now; its page or its table instead when there are many.
    fn lock_row(&mut self, xact: Xact, (table, rank): (u16, u32), page: Target) {
        let (row, whole) = (Target::Row(table, rank), Target::Table(table));
        if self.holds(xact, whole) || self.holds(xact, page) || self.holds(xact, row) {
            return;
        }
        let children = &mut self.state(xact).children;
        let mut count = |target: Target, grows: u32, shrinks: u32| {
            let count = children.entry(target).or_default();
            *count = (*count + grows).saturating_sub(shrinks);
            *count
        };
        let on_page = count(page, 1, 0);
        // A page's lock replaces those of its rows.
        let in_table =
            if on_page > ROWS_PER_PAGE { count(whole, 1, ROWS_PER_PAGE) } else { count(whole, 1, 0) };
        if in_table > LOCKS_PER_TABLE {
            self.lock(xact, whole);
            self.unlock(xact, |target| matches!(target, Target::Row(of, _) if of == table));
        } else if on_page > ROWS_PER_PAGE {
            // The row locks of the page stay beside it and cover no more than it does.
            self.lock(xact, page);
        } else {
            self.lock(xact, row);
        }
    }

    /// Gives up the lock of a version that the transaction replaces itself.
    fn unlock_own(&mut self, xact: Xact, row: Target, page: Target) {
        if !self.holds(xact, row) {
            return;
        }
        self.unlock(xact, |target| target == row);
        if let Target::Row(table, _) = row {
            for parent in [page, Target::Table(table)] {
                if let Some(count) = self.state(xact).children.get_mut(&parent) {
                    *count = count.saturating_sub(1);
                }
            }
        }
    }

    /// A row is written: who read it, its page, index pages that change, or its table, did not see that. The first of `pages` is the
    /// row's own.
    pub(crate) fn write(&mut self, xact: Xact, row: (u16, u32), pages: &[Target]) -> Result<(), Dangerous> {
        self.state(xact).wrote = true;
        let own = Target::Row(row.0, row.1);
        if let Some(page) = pages.first() {
            self.unlock_own(xact, own, *page);
        }
        let targets = [own, Target::Table(row.0)];
        let mut result = Ok(());
        for target in targets.iter().chain(pages) {
            let readers = self.locks.get(target).cloned().unwrap_or_default();
            for reader in readers {
                let state = &self.xacts[reader as usize];
                let concurrent = state.committed.is_none_or(|at| at > self.xacts[xact as usize].snapshot);
                if reader != xact && !state.doomed && concurrent && result.is_ok() {
                    result = self.flag(reader, xact, xact);
                }
            }
        }
        if !self.xacts[xact as usize].written.contains(&row) {
            self.state(xact).written.push(row);
        }
        result
    }

    /// Entries of an index page move to a new one: readers of the old page have read the new one.
    pub(crate) fn split(&mut self, space: u16, left: u32, right: u32) {
        for reader in self.locks.get(&Target::Page(space, left)).cloned().unwrap_or_default() {
            self.lock(reader, Target::Page(space, right));
        }
    }

    /// A dependency from `reader` to `writer`; `me` is the one of them that acts.
    fn flag(&mut self, reader: Xact, writer: Xact, me: Xact) -> Result<(), Dangerous> {
        if self.xacts[reader as usize].out_conflicts.contains(&writer) {
            return Ok(());
        }
        if self.is_dangerous(reader, writer) {
            if me == writer || self.xacts[writer as usize].prepared.is_some() {
                return Err(Dangerous);
            }
            self.state(writer).doomed = true;
        }
        self.state(reader).out_conflicts.push(writer);
        self.state(writer).in_conflicts.push(reader);
        Ok(())
    }

    /// `OnConflict_CheckForSerializationFailure`.
    fn is_dangerous(&self, reader: Xact, writer: Xact) -> bool {
        let (r, w) = (&self.xacts[reader as usize], &self.xacts[writer as usize]);
        if w.committed.is_some() && w.conflict_out {
            return true;
        }
        // Reader → writer → T2, and T2 is the first of them to commit.
        let first = |at: u64, of: &State| of.committed.is_none_or(|committed| at <= committed);
        let to_pivot = w.out_conflicts.iter().any(|t2| {
            let prepared = self.xacts[*t2 as usize].prepared;
            prepared.is_some_and(|at| first(at, r) && first(at, w) && (!r.read_only() || at <= r.snapshot))
        });
        // T0 → reader → writer, and the writer is the first of them to commit.
        let from_pivot = w.prepared.filter(|_| !r.read_only()).is_some_and(|at| {
            r.in_conflicts.iter().any(|t0| {
                let t0 = &self.xacts[*t0 as usize];
                !t0.doomed
                    && t0.committed.is_none_or(|committed| committed >= at)
                    && (!t0.read_only() || t0.snapshot >= at)
            })
        });
        to_pivot || from_pivot
    }

    /// `PreCommit_CheckForSerializationFailure`: the transaction is ready to commit, and pivots before it are doomed.
    pub(crate) fn prepare(&mut self, xact: Xact) -> Result<(), Dangerous> {
        if self.doomed(xact) {
            return Err(Dangerous);
        }
        for near in self.xacts[xact as usize].in_conflicts.clone() {
            let pivot = &self.xacts[near as usize];
            if pivot.committed.is_some() || pivot.doomed {
                continue;
            }
            let dangerous = pivot.in_conflicts.iter().any(|far| {
                let state = &self.xacts[*far as usize];
                *far == xact || state.committed.is_none() && !state.doomed
            });
            if dangerous {
                if pivot.prepared.is_some() {
                    return Err(Dangerous);
                }
                self.state(near).doomed = true;
            }
        }
        self.sequence += 1;
        self.state(xact).prepared = Some(self.sequence);
        Ok(())
    }

    /// The transaction commits: what it read still matters to those that run beside it.
    pub(crate) fn commit(&mut self, xact: Xact) {
        self.sequence += 1;
        let sequence = self.sequence;
        self.state(xact).committed = Some(sequence);
        let committed = |of: &Self, other: &Xact| of.xacts[*other as usize].committed.is_some();
        let state = &self.xacts[xact as usize];
        let conflict_out = state.wrote && state.out_conflicts.iter().any(|other| committed(self, other));
        self.state(xact).conflict_out |= conflict_out;
        // Dependencies between transactions that have both committed have told what they can.
        self.drop_conflicts(xact, |of, other| committed(of, &other));
        for row in self.xacts[xact as usize].written.clone() {
            self.writers.entry(row).or_default().push(xact);
            let version = Target::Row(row.0, row.1);
            for reader in self.locks.get(&version).cloned().unwrap_or_default() {
                self.unlock(reader, |target| target == version);
            }
        }
        self.active.retain(|other| *other != xact);
        self.ended.push_back(xact);
        self.forget();
    }

    pub(crate) fn abort(&mut self, xact: Xact) {
        self.drop_conflicts(xact, |_, _| true);
        self.active.retain(|other| *other != xact);
        self.release(xact);
        self.forget();
    }

    fn drop_conflicts(&mut self, xact: Xact, unwanted: impl Fn(&Self, Xact) -> bool) {
        let (inward, outward) = (
            std::mem::take(&mut self.state(xact).in_conflicts),
            std::mem::take(&mut self.state(xact).out_conflicts),
        );
        let (gone, kept): (Vec<Xact>, Vec<Xact>) =
            inward.into_iter().partition(|other| unwanted(self, *other));
        self.state(xact).in_conflicts = kept;
        for other in gone {
            self.state(other).out_conflicts.retain(|to| *to != xact);
        }
        let (gone, kept): (Vec<Xact>, Vec<Xact>) =
            outward.into_iter().partition(|other| unwanted(self, *other));
        self.state(xact).out_conflicts = kept;
        for other in gone {
            self.state(other).in_conflicts.retain(|from| *from != xact);
        }
    }

    /// Transactions that ended before every one in progress began cannot conflict any more.
    fn forget(&mut self) {
        let oldest = self.active.iter().map(|xact| self.xacts[*xact as usize].snapshot).min();
        while let Some(&xact) = self.ended.front() {
            let at = self.xacts[xact as usize].committed.unwrap_or(0);
            if oldest.is_some_and(|oldest| oldest < at) {
                return;
            }
            self.ended.pop_front();
            self.drop_conflicts(xact, |_, _| true);
            self.release(xact);
        }
    }

    /// Gives back what is kept about a transaction.
    fn release(&mut self, xact: Xact) {
        self.unlock(xact, |_| true);
        for row in std::mem::take(&mut self.state(xact).written) {
            if let Some(writers) = self.writers.get_mut(&row) {
                writers.retain(|writer| *writer != xact);
                if writers.is_empty() {
                    self.writers.remove(&row);
                }
            }
        }
        *self.state(xact) = State::default();
        self.free.push(xact);
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        // A lock: its holder in a list of a map's entry, and the target in its holder's list and counts.
        let written: usize =
            self.ended.iter().chain(&self.active).map(|xact| self.xacts[*xact as usize].written.len()).sum();
        self.held * 96 + written as u64 * 80 + self.xacts.capacity() as u64 * (size_of::<State>() as u64 + 64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: Target = Target::Page(0, 0);

    fn page(number: u32) -> Target {
        Target::Page(0, number)
    }

    #[test]
    fn of_two_that_read_what_the_other_writes_one_aborts() {
        let mut ssi = Ssi::default();
        let (a, b) = (ssi.begin(), ssi.begin());
        ssi.read_row(a, (0, 1), page(1), None).unwrap();
        ssi.read_row(b, (0, 2), page(2), None).unwrap();
        ssi.write(a, (0, 2), &[page(2)]).unwrap();
        ssi.write(b, (0, 1), &[page(1)]).unwrap();
        ssi.prepare(a).unwrap();
        ssi.commit(a);
        assert_eq!(ssi.prepare(b), Err(Dangerous));
        ssi.abort(b);
        assert_eq!((ssi.locks(), ssi.writers.len(), ssi.locks.len()), (0, 0, 0), "nothing is left");
    }

    #[test]
    fn one_dependency_is_no_danger_and_one_after_the_other_neither() {
        let mut ssi = Ssi::default();
        let (a, b) = (ssi.begin(), ssi.begin());
        ssi.read_row(a, (0, 1), PAGE, None).unwrap();
        ssi.write(b, (0, 1), &[]).unwrap();
        ssi.prepare(b).unwrap();
        ssi.commit(b);
        ssi.prepare(a).unwrap();
        ssi.commit(a);
        let c = ssi.begin();
        ssi.read_row(c, (0, 1), PAGE, None).unwrap();
        ssi.write(c, (0, 2), &[PAGE]).unwrap();
        ssi.prepare(c).unwrap();
        ssi.commit(c);
        assert_eq!(ssi.locks(), 0);
    }

    /// The reader of a pivot that committed: T1 reads what T2 wrote over, and T2 had read what T3 wrote over and committed before.
    #[test]
    fn a_reader_of_a_committed_pivot_aborts() {
        let mut ssi = Ssi::default();
        let (t1, t2, t3) = (ssi.begin(), ssi.begin(), ssi.begin());
        ssi.read_row(t2, (0, 3), page(3), None).unwrap();
        ssi.write(t3, (0, 3), &[]).unwrap();
        ssi.prepare(t3).unwrap();
        ssi.commit(t3);
        ssi.write(t2, (0, 2), &[]).unwrap();
        ssi.prepare(t2).unwrap();
        ssi.commit(t2);
        ssi.write(t1, (0, 9), &[]).unwrap();
        assert_eq!(ssi.read_row(t1, (0, 2), page(2), None), Err(Dangerous));
    }

    #[test]
    fn the_third_row_of_a_page_locks_the_page() {
        let mut ssi = Ssi::default();
        let (a, b) = (ssi.begin(), ssi.begin());
        for rank in 0..3 {
            assert!(!ssi.holds(a, PAGE));
            ssi.read_row(a, (0, rank), PAGE, None).unwrap();
        }
        assert!(ssi.holds(a, PAGE));
        ssi.write(b, (0, 50), &[PAGE]).unwrap();
        assert_eq!(ssi.xacts[a as usize].out_conflicts, [b]);
        for number in 1..32 {
            assert!(!ssi.holds(a, Target::Table(0)), "{number}");
            ssi.read_row(a, (0, 100 * number), page(number), None).unwrap();
        }
        assert!(ssi.holds(a, Target::Table(0)));
        ssi.abort(a);
        ssi.abort(b);
        assert_eq!(ssi.locks(), 0);
    }
}
