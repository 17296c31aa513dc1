//! What transactions read and wrote, version by version, for the witness. Kept only where every operation is traced, up to a limit.

use std::collections::BTreeMap;

use crate::anomalies::{Item, Op, Transaction, Version};

/// Which version of a row a read sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// As after so many commits.
    AsOf(u32),
    /// The last that was committed.
    Committed,
    /// The last that was written.
    Written,
}

#[derive(Debug)]
pub(super) struct Recorder {
    /// By client.
    current: Vec<Vec<Op>>,
    /// By client: the range of its statement.
    open: Vec<Option<usize>>,
    finished: Vec<Transaction>,
    /// By row: commits and their versions; and the version written last.
    installed: BTreeMap<Item, Vec<(u32, Version)>>,
    written: BTreeMap<Item, Version>,
    versions: Version,
    ops: usize,
    limit: usize,
}

impl Recorder {
    pub(super) fn new(clients: usize, limit: usize) -> Self {
        Self {
            current: vec![Vec::new(); clients],
            open: vec![None; clients],
            finished: Vec::new(),
            installed: BTreeMap::new(),
            written: BTreeMap::new(),
            versions: 0,
            ops: 0,
            limit,
        }
    }

    /// Whether nothing was left out.
    pub(super) fn is_complete(&self) -> bool {
        self.ops < self.limit
    }

    fn push(&mut self, client: u32, op: Op) {
        if self.is_complete() {
            self.ops += 1;
            self.current[client as usize].push(op);
        }
    }

    pub(super) fn read(&mut self, client: u32, item: Item, seen: Seen) {
        let own = self.current[client as usize].iter().rev().find_map(|op| match *op {
            Op::Write { item: of, version, .. } if of == item => Some(version),
            _ => None,
        });
        let committed = |as_of: u32| {
            let versions = self.installed.get(&item).map_or(&[][..], Vec::as_slice);
            versions.iter().rev().find(|(commit, _)| *commit <= as_of).map_or(0, |(_, version)| *version)
        };
        let version = own.unwrap_or_else(|| match seen {
            Seen::AsOf(commits) => committed(commits),
            Seen::Committed => committed(u32::MAX),
            Seen::Written => self.written.get(&item).copied().unwrap_or_else(|| committed(u32::MAX)),
        });
        self.extend_range(client, item);
        self.push(client, Op::Read { item, version });
    }

    pub(super) fn write(&mut self, client: u32, item: Item, structural: bool) {
        self.versions += 1;
        if self.is_complete() {
            self.written.insert(item, self.versions);
        }
        self.push(client, Op::Write { item, version: self.versions, structural });
    }

    /// A range begins at a key; the rows then read in it extend it.
    pub(super) fn range(&mut self, client: u32, table: u16, from: u32, as_of: u32) {
        self.open[client as usize] = Some(self.current[client as usize].len());
        self.push(client, Op::Range { table, from, to: from, as_of, rows: false });
    }

    /// A statement begins: rows read from now on belong to no range before it.
    pub(super) fn begin_statement(&mut self, client: u32) {
        self.open[client as usize] = None;
    }

    /// All of a table is read.
    pub(super) fn scan(&mut self, client: u32, table: u16, as_of: u32) {
        self.push(client, Op::Range { table, from: 0, to: u32::MAX, as_of, rows: true });
    }

    fn extend_range(&mut self, client: u32, (table, key): Item) {
        let Some(place) = self.open[client as usize] else { return };
        if let Some(Op::Range { table: of, from, to, .. }) = self.current[client as usize].get_mut(place) {
            if *of == table && *from <= key && *to < key {
                *to = key;
            }
        }
    }

    /// A transaction is over: it committed as the commit of this number, or aborted.
    pub(super) fn end(&mut self, client: u32, number: u64, name: &str, committed: Option<u32>) {
        let ops = std::mem::take(&mut self.current[client as usize]);
        let mut last: BTreeMap<Item, Version> = BTreeMap::new();
        for op in &ops {
            if let Op::Write { item, version, .. } = *op {
                last.insert(item, version);
            }
        }
        for (item, version) in last {
            if self.written.get(&item) == Some(&version) {
                self.written.remove(&item);
            }
            if let Some(commit) = committed {
                self.installed.entry(item).or_default().push((commit, version));
            }
        }
        if self.is_complete() {
            self.finished.push(Transaction { number, name: name.to_owned(), ops, committed });
        }
    }

    pub(super) fn finished(&self) -> &[Transaction] {
        &self.finished
    }

    pub(super) fn memory_bytes(&self) -> u64 {
        // An operation, its place in lists of versions, and what the witness makes of it.
        (self.ops * 4 * size_of::<Op>() + self.finished.capacity() * size_of::<Transaction>()) as u64
    }
}
