//! What a run tells of its own history, where it was recorded.

use super::Transactions;
use super::recorder::{Recorder, Seen};
use crate::anomalies::{self, Anomaly, AnomalyReport};
use crate::kernel::budget::{Control, StopCause};
use crate::plan::{Isolation, Scheme, TransactionSpec};

/// Whether a level of isolation rules an anomaly out.
fn excludes(spec: &TransactionSpec, anomaly: Anomaly) -> bool {
    use Anomaly::{CircularFlow, DirtyRead, DirtyWrite, FuzzyRead, LostUpdate, Phantom, ReadSkew, WriteSkew};
    // Every scheme keeps what it wrote to itself until it commits, but readers may look at it without a lock.
    match (spec.scheme, spec.isolation, anomaly) {
        (_, _, DirtyWrite) => true,
        (Scheme::Occ, ..) | (_, Isolation::Serializable, _) => true,
        (_, Isolation::ReadUncommitted, _) => false,
        (_, _, DirtyRead | CircularFlow) => true,
        (_, Isolation::ReadCommitted, _) => false,
        // Repeatable read: locks of rows leave out phantoms, a snapshot leaves out skewed writes.
        (Scheme::TwoPhaseLocking, _, Phantom) => false,
        (Scheme::TwoPhaseLocking, ..) => true,
        (Scheme::Mvcc, _, LostUpdate | FuzzyRead | ReadSkew) => spec.first_updater_wins(),
        (Scheme::Mvcc, _, WriteSkew | Phantom) => false,
    }
}

impl Transactions {
    /// From now on what transactions read and write is recorded, up to a number of operations.
    pub(crate) fn record(&mut self, limit: usize) {
        self.recorder = Some(Recorder::new(self.txns.len(), limit));
    }

    /// What the recorded history says.
    ///
    /// # Errors
    /// Someone said stop while it was being checked.
    pub(crate) fn anomalies(&self, control: &Control) -> Result<Option<AnomalyReport>, StopCause> {
        let Some(recorder) = &self.recorder else { return Ok(None) };
        let isolation =
            format!("{}, {}", self.spec.scheme.name(), self.spec.isolation.name().replace('_', " "));
        let excluded = |anomaly| excludes(&self.spec, anomaly);
        let complete = recorder.is_complete();
        anomalies::check(recorder.finished(), isolation, excluded, complete, || control.check()).map(Some)
    }

    pub(super) fn record_statement(&mut self, client: u32) {
        if let Some(recorder) = &mut self.recorder {
            recorder.begin_statement(client);
        }
    }

    /// A row is read, and changed if `writes`.
    pub(super) fn record_row(&mut self, client: u32, table: u16, rank: u32, writes: Option<bool>) {
        let Some(recorder) = &mut self.recorder else { return };
        let seen = match (self.spec.scheme, self.spec.isolation) {
            // Who holds the row's lock has waited for the newest version.
            (Scheme::Mvcc, _) if writes.is_some() => Seen::Committed,
            (Scheme::Mvcc, _) => Seen::AsOf(self.txns[client as usize].snapshot),
            (Scheme::TwoPhaseLocking, Isolation::ReadUncommitted) => Seen::Written,
            _ => Seen::Committed,
        };
        recorder.read(client, (table, rank), seen);
        if let Some(structural) = writes {
            recorder.write(client, (table, rank), structural);
        }
    }

    pub(super) fn record_insert(&mut self, client: u32, table: u16, rank: u32) {
        if let Some(recorder) = &mut self.recorder {
            recorder.write(client, (table, rank), true);
        }
    }

    /// More than one row is asked for: from a key on, or all of the table.
    pub(crate) fn record_range(&mut self, client: u32, table: u16, from: Option<u32>) {
        let as_of = match self.spec.scheme {
            Scheme::Mvcc => self.txns[client as usize].snapshot,
            _ => self.commits,
        };
        let Some(recorder) = &mut self.recorder else { return };
        match from {
            Some(from) => recorder.range(client, table, from, as_of),
            None => recorder.scan(client, table, as_of),
        }
    }

    pub(super) fn record_end(&mut self, client: u32, name: &str, committed: bool) {
        let commits = self.commits;
        let number = self.txns[client as usize].number;
        if let Some(recorder) = &mut self.recorder {
            recorder.end(client, number, name, committed.then_some(commits));
        }
    }
}
