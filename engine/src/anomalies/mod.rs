//! The witness: which anomalies a history of transactions holds, by its dependencies (Adya, "Weak Consistency", 1999; Kingsbury and
//! Alvaro, "Elle", 2020). A pure function of the history, which knows nothing of locks or snapshots.
//!
//! Edges: a transaction's version of a row follows another's (ww), was read by another (wr), or follows the one that another read
//! (rw). A circle means that no serial order gives the same reads. What is said of a circle: with one rw edge, a transaction has read
//! around a change (lost update, read skew); with more, several have (write skew); where an rw edge stems from a range that a row
//! appeared in or left, it is a phantom.

mod graph;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use graph::{Edge, Graph, Kind};

/// A row: its table and its key.
pub type Item = (u16, u32);

/// What wrote a version of a row: numbers in the order in which rows were written; 0 is what was loaded.
pub type Version = u32;

/// What a transaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Read {
        item: Item,
        version: Version,
    },
    Write {
        item: Item,
        version: Version,
        /// The row came into being, or went.
        structural: bool,
    },
    /// Looked for the rows of a table from one key to another, as they were after so many commits. `rows`: and read all of them.
    Range {
        table: u16,
        from: u32,
        to: u32,
        as_of: u32,
        rows: bool,
    },
}

/// One transaction of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    pub number: u64,
    pub name: String,
    pub ops: Vec<Op>,
    /// The number of its commit, in which commits without writes share that before them; absent: it aborted.
    pub committed: Option<u32>,
}

/// The kinds of anomalies that are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Anomaly {
    /// G0: two transactions overwrote each other.
    DirtyWrite,
    /// G1a, G1b: a version was read whose writer aborted, or wrote again.
    DirtyRead,
    /// G1c: transactions read of each other.
    CircularFlow,
    /// A change was overwritten by a transaction that had not read it, though it had read the row before.
    LostUpdate,
    /// A transaction read a row twice, and not the same version.
    FuzzyRead,
    /// A transaction read one row before and another after a change of both.
    ReadSkew,
    /// Transactions read what the others overwrote.
    WriteSkew,
    /// The same through a range of rows, in which one appeared or went.
    Phantom,
}

const ALL: [Anomaly; 8] = [
    Anomaly::DirtyWrite,
    Anomaly::DirtyRead,
    Anomaly::CircularFlow,
    Anomaly::LostUpdate,
    Anomaly::FuzzyRead,
    Anomaly::ReadSkew,
    Anomaly::WriteSkew,
    Anomaly::Phantom,
];

/// What the history says of an anomaly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    Found,
    /// The isolation level rules it out, and there was none.
    Excluded,
    /// It could have happened.
    NotSeen,
}

/// What was found of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub anomaly: Anomaly,
    pub status: Status,
    /// Dependencies that close a circle of this kind, or reads; a few hundred circles are followed.
    pub count: u64,
    /// Of the first: the transactions involved, and what they did to each other.
    pub transactions: Vec<u64>,
    pub steps: Vec<String>,
}

/// What the witness says of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnomalyReport {
    /// Of the transaction block, in words.
    pub isolation: String,
    /// Committed transactions that were checked.
    pub transactions: u64,
    /// Whether all of the run was recorded; if not, what came first was.
    pub complete: bool,
    /// Whether some serial order of the committed transactions gives the same reads.
    pub serializable: bool,
    pub findings: Vec<Finding>,
}

/// Edges on circles that are followed; a history with more of them has told enough.
const MOST_CIRCLES: usize = 500;

/// Finds the anomalies of a history. `excluded`: those that the isolation level rules out; `look` is asked now and then whether to
/// go on.
///
/// # Errors
/// What `look` says.
pub fn check<E>(
    history: &[Transaction],
    isolation: String,
    excluded: impl Fn(Anomaly) -> bool,
    complete: bool,
    mut look: impl FnMut() -> Result<(), E>,
) -> Result<AnomalyReport, E> {
    look()?;
    let mut found = Found::default();
    dirty_reads(history, &mut found);
    fuzzy_reads(history, &mut found);
    let graph = Graph::of(history);
    let serializable = circles(history, &graph, &mut found, look)?;
    let findings = ALL.into_iter().map(|anomaly| match found.0.remove(&anomaly) {
        Some(finding) => finding,
        None => Finding {
            anomaly,
            status: if excluded(anomaly) { Status::Excluded } else { Status::NotSeen },
            count: 0,
            transactions: Vec::new(),
            steps: Vec::new(),
        },
    });
    Ok(AnomalyReport {
        isolation,
        transactions: history.iter().filter(|one| one.committed.is_some()).count() as u64,
        complete,
        serializable,
        findings: findings.collect(),
    })
}

/// By kind: how many, and the first.
#[derive(Default)]
struct Found(BTreeMap<Anomaly, Finding>);

impl Found {
    fn add(&mut self, anomaly: Anomaly, example: impl FnOnce() -> (Vec<u64>, Vec<String>)) {
        if let Some(finding) = self.0.get_mut(&anomaly) {
            finding.count += 1;
            return;
        }
        let (transactions, steps) = example();
        self.0.insert(anomaly, Finding { anomaly, status: Status::Found, count: 1, transactions, steps });
    }
}

fn who(transaction: &Transaction) -> String {
    format!("transaction {} ({})", transaction.number, transaction.name)
}

fn what((table, key): Item) -> String {
    format!("key {key} of table {table}")
}

/// The transaction that wrote each version, and whether it wrote the row again.
fn writers(history: &[Transaction]) -> BTreeMap<Version, (usize, bool)> {
    let mut writers = BTreeMap::new();
    for (place, transaction) in history.iter().enumerate() {
        let mut last: BTreeMap<Item, Version> = BTreeMap::new();
        for op in &transaction.ops {
            if let Op::Write { item, version, .. } = *op {
                writers.insert(version, (place, false));
                if let Some(earlier) = last.insert(item, version) {
                    writers.insert(earlier, (place, true));
                }
            }
        }
    }
    writers
}

fn dirty_reads(history: &[Transaction], found: &mut Found) {
    let writers = writers(history);
    for (place, reader) in history.iter().enumerate().filter(|(_, one)| one.committed.is_some()) {
        for op in &reader.ops {
            let Op::Read { item, version } = *op else { continue };
            let Some(&(of, again)) = writers.get(&version).filter(|(of, _)| *of != place) else { continue };
            let writer = &history[of];
            if writer.committed.is_none() || again {
                found.add(Anomaly::DirtyRead, || {
                    let fate = if writer.committed.is_none() { "aborted" } else { "wrote it again" };
                    let step =
                        format!("{} read {} from {}, which {fate}", who(reader), what(item), who(writer));
                    (vec![reader.number, writer.number], vec![step])
                });
            }
        }
    }
}

fn fuzzy_reads(history: &[Transaction], found: &mut Found) {
    for transaction in history.iter().filter(|one| one.committed.is_some()) {
        let mut seen: BTreeMap<Item, Version> = BTreeMap::new();
        for op in &transaction.ops {
            match *op {
                Op::Write { item, version, .. } => {
                    seen.insert(item, version);
                }
                Op::Read { item, version } => {
                    if seen.insert(item, version).is_some_and(|before| before != version) {
                        found.add(Anomaly::FuzzyRead, || {
                            let step = format!(
                                "{} read {} twice, with a change in between",
                                who(transaction),
                                what(item)
                            );
                            (vec![transaction.number], vec![step])
                        });
                    }
                }
                Op::Range { .. } => {}
            }
        }
    }
}

/// Names the circles of the graph; true if there are none.
fn circles<E>(
    history: &[Transaction],
    graph: &Graph,
    found: &mut Found,
    mut look: impl FnMut() -> Result<(), E>,
) -> Result<bool, E> {
    let mut serializable = true;
    for edge in graph.edges_in_circles().into_iter().take(MOST_CIRCLES) {
        look()?;
        serializable = false;
        let way = |allowed: &dyn Fn(Kind) -> bool| graph.way(edge.to, edge.from, allowed);
        let flow = |kind: Kind| matches!(kind, Kind::WriteWrite | Kind::WriteRead);
        let (anomaly, back) = match edge.kind {
            Kind::WriteWrite => match way(&|kind| kind == Kind::WriteWrite) {
                Some(back) => (Anomaly::DirtyWrite, back),
                None => continue,
            },
            Kind::WriteRead => match way(&flow) {
                Some(back) => (Anomaly::CircularFlow, back),
                None => continue,
            },
            Kind::ReadWrite | Kind::Phantom => {
                let Some((back, single)) =
                    way(&flow).map(|back| (back, true)).or_else(|| way(&|_| true).map(|back| (back, false)))
                else {
                    continue;
                };
                let phantom =
                    edge.kind == Kind::Phantom || back.iter().any(|step| step.kind == Kind::Phantom);
                let overwritten = single && graph.writes(edge.from, edge.item);
                let anomaly = match (phantom, single) {
                    (true, _) => Anomaly::Phantom,
                    (false, true) if overwritten => Anomaly::LostUpdate,
                    (false, true) => Anomaly::ReadSkew,
                    (false, false) => Anomaly::WriteSkew,
                };
                (anomaly, back)
            }
        };
        found.add(anomaly, || {
            let circle: Vec<Edge> = std::iter::once(edge).chain(back).collect();
            let numbers = circle.iter().map(|edge| history[edge.from].number).collect();
            (numbers, circle.iter().map(|edge| told(history, edge)).collect())
        });
    }
    Ok(serializable)
}

fn told(history: &[Transaction], edge: &Edge) -> String {
    let (from, to) = (who(&history[edge.from]), who(&history[edge.to]));
    let item = what(edge.item);
    match edge.kind {
        Kind::WriteWrite => format!("{to} overwrote what {from} wrote to {item}"),
        Kind::WriteRead => format!("{to} read what {from} wrote to {item}"),
        Kind::ReadWrite => format!("{to} overwrote {item}, which {from} had read"),
        Kind::Phantom => format!("{to} put {item} into a range that {from} had read, or took it out"),
    }
}
