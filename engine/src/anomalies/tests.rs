//! The textbook histories (Berenson et al. 1995; Adya 1999), and random ones against a try of every serial order.

use super::*;
use proptest::prelude::*;

const X: Item = (0, 1);
const Y: Item = (0, 2);

fn read(item: Item, version: Version) -> Op {
    Op::Read { item, version }
}

fn write(item: Item, version: Version) -> Op {
    Op::Write { item, version, structural: false }
}

fn insert(item: Item, version: Version) -> Op {
    Op::Write { item, version, structural: true }
}

fn range(as_of: u32) -> Op {
    Op::Range { table: 0, from: 0, to: 100, as_of, rows: false }
}

fn history(transactions: &[(&[Op], Option<u32>)]) -> Vec<Transaction> {
    let one = |(number, (ops, committed)): (u64, &(&[Op], Option<u32>))| Transaction {
        number,
        name: "t".to_owned(),
        ops: ops.to_vec(),
        committed: *committed,
    };
    (1..).zip(transactions).map(one).collect()
}

fn checked(
    history: &[Transaction],
    isolation: &str,
    excluded: impl Fn(Anomaly) -> bool,
    complete: bool,
) -> AnomalyReport {
    let Ok(report) =
        check(history, isolation.to_owned(), excluded, complete, || Ok::<(), std::convert::Infallible>(()));
    report
}

fn found(transactions: &[(&[Op], Option<u32>)]) -> Vec<Anomaly> {
    let report = checked(&history(transactions), "", |_| true, true);
    let found = report.findings.iter().filter(|finding| finding.status == Status::Found);
    found.map(|finding| finding.anomaly).collect()
}

#[test]
fn the_textbook_histories_are_named() {
    // G0: both write both, in different orders.
    assert_eq!(
        found(&[(&[write(X, 1), write(Y, 4)], Some(1)), (&[write(X, 2), write(Y, 3)], Some(2))]),
        [Anomaly::DirtyWrite]
    );
    // G1a: the writer aborted. G1b: it wrote again.
    assert_eq!(found(&[(&[write(X, 1)], None), (&[read(X, 1)], Some(1))]), [Anomaly::DirtyRead]);
    assert!(
        found(&[(&[write(X, 1), write(X, 2)], Some(2)), (&[read(X, 1)], Some(1))])
            .contains(&Anomaly::DirtyRead)
    );
    // G1c: each read what the other wrote.
    assert_eq!(
        found(&[(&[write(X, 1), read(Y, 2)], Some(1)), (&[write(Y, 2), read(X, 1)], Some(2))]),
        [Anomaly::CircularFlow]
    );
    // P4: both read the same version, both write.
    assert_eq!(
        found(&[(&[read(X, 0), write(X, 1)], Some(1)), (&[read(X, 0), write(X, 2)], Some(2))]),
        [Anomaly::LostUpdate]
    );
    // P2: one row twice, with a change in between; as a circle it is a read skew with itself.
    assert_eq!(
        found(&[(&[read(X, 0), read(X, 1)], Some(1)), (&[write(X, 1)], Some(1))]),
        [Anomaly::FuzzyRead, Anomaly::ReadSkew]
    );
    // A5A: one row before and the other after a change of both.
    assert_eq!(
        found(&[(&[read(X, 0), read(Y, 2)], Some(1)), (&[write(X, 1), write(Y, 2)], Some(1))]),
        [Anomaly::ReadSkew]
    );
    // A5B: each overwrites what the other read.
    assert_eq!(
        found(&[(&[read(X, 0), write(Y, 1)], Some(1)), (&[read(Y, 0), write(X, 2)], Some(2))]),
        [Anomaly::WriteSkew]
    );
    // P3: a row comes into a range that is read again.
    assert_eq!(found(&[(&[range(0), range(1)], Some(2)), (&[insert(Y, 1)], Some(1))]), [Anomaly::Phantom]);
    // A range that another fills is one transaction before the other, and a row read in it is told by that read.
    assert!(found(&[(&[range(0)], Some(2)), (&[insert(Y, 1)], Some(1))]).is_empty());
    assert!(found(&[(&[range(0), read(Y, 1)], Some(2)), (&[insert(Y, 1)], Some(1))]).is_empty());
}

#[test]
fn what_is_not_found_is_excluded_or_not_seen() {
    let none = history(&[(&[read(X, 0), write(X, 1)], Some(1)), (&[read(X, 1)], Some(1))]);
    let report = checked(&none, "some", |anomaly| anomaly == Anomaly::Phantom, false);
    assert!(report.serializable && !report.complete);
    assert_eq!((report.transactions, report.findings.len()), (2, ALL.len()));
    for finding in &report.findings {
        let excluded = finding.anomaly == Anomaly::Phantom;
        assert_eq!(finding.status, if excluded { Status::Excluded } else { Status::NotSeen });
    }
    let skew = history(&[(&[read(X, 0), write(Y, 1)], Some(1)), (&[read(Y, 0), write(X, 2)], Some(2))]);
    let report = checked(&skew, "", |_| false, true);
    let finding = report.findings.iter().find(|finding| finding.anomaly == Anomaly::WriteSkew).unwrap();
    assert_eq!((finding.transactions.len(), finding.steps.len(), report.serializable), (2, 2, false));
    assert!(finding.steps[0].contains("had read"), "{:?}", finding.steps);
}

/// Whether some order of the transactions, one after the other, gives every read and every last version.
fn has_serial_order(history: &[Transaction], done: &mut Vec<usize>, now: &BTreeMap<Item, Version>) -> bool {
    if done.len() == history.len() {
        return true;
    }
    (0..history.len()).filter(|place| !done.contains(place)).collect::<Vec<_>>().into_iter().any(|place| {
        let mut next = now.clone();
        let fits = history[place].ops.iter().all(|op| match *op {
            Op::Read { item, version } => next.get(&item).copied().unwrap_or(0) == version,
            Op::Write { item, version, .. } => {
                // Versions of a row follow each other in order of writing.
                next.insert(item, version).unwrap_or(0) < version
            }
            Op::Range { .. } => true,
        });
        done.push(place);
        let found = fits && has_serial_order(history, done, &next);
        done.pop();
        found
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// No circle exactly where trying every serial order finds one that gives the same reads.
    #[test]
    fn serializable_is_what_has_a_serial_order(
        steps in prop::collection::vec((0usize..4, 0u32..3, any::<bool>(), 0u32..4), 1..12),
    ) {
        let mut history: Vec<Transaction> = (0..4)
            .map(|number| Transaction { number, name: String::new(), ops: Vec::new(), committed: Some(1) })
            .collect();
        let mut versions: BTreeMap<Item, Vec<(usize, Version)>> = BTreeMap::new();
        let mut next = 0;
        for (who, key, writes, back) in steps {
            let item = (0, key);
            let list = versions.entry(item).or_default();
            let own = list.iter().rev().find(|(by, _)| *by == who).map(|(_, version)| *version);
            if writes {
                // One version a transaction and row: dirty reads are told apart from circles.
                if own.is_none() {
                    next += 1;
                    list.push((who, next));
                    history[who].ops.push(Op::Write { item, version: next, structural: false });
                }
                continue;
            }
            let version = own.unwrap_or_else(|| {
                let place = list.len().saturating_sub(back as usize);
                place.checked_sub(1).map_or(0, |place| list[place].1)
            });
            history[who].ops.push(Op::Read { item, version });
        }
        let report = checked(&history, "", |_| false, true);
        let serial = has_serial_order(&history, &mut Vec::new(), &BTreeMap::new());
        // A row read twice with a change in between has no serial order even if the graph has no other circle.
        let fuzzy = report.findings.iter().any(|finding| finding.anomaly == Anomaly::FuzzyRead && finding.count > 0);
        prop_assert_eq!(report.serializable && !fuzzy, serial);
    }
}
