//! The dependencies of committed transactions, and ways along them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Item, Op, Transaction, Version};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    WriteWrite,
    WriteRead,
    ReadWrite,
    /// A range was read before a row came into it, or left.
    Phantom,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Edge {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) kind: Kind,
    pub(super) item: Item,
}

/// A version that was committed.
#[derive(Debug, Clone, Copy)]
struct Installed {
    version: Version,
    by: usize,
    commit: u32,
    structural: bool,
}

pub(super) struct Graph {
    /// By transaction.
    out: Vec<Vec<Edge>>,
    versions: BTreeMap<Item, Vec<Installed>>,
}

impl Graph {
    pub(super) fn of(history: &[Transaction]) -> Self {
        let mut graph = Self { out: vec![Vec::new(); history.len()], versions: versions(history) };
        let mut edges = BTreeSet::new();
        let mut add = |from: usize, to: usize, kind: Kind, item: Item| {
            if from != to {
                edges.insert(Edge { from, to, kind, item });
            }
        };
        for (item, versions) in &graph.versions {
            for pair in versions.windows(2) {
                add(pair[0].by, pair[1].by, Kind::WriteWrite, *item);
            }
        }
        for (place, transaction) in history.iter().enumerate().filter(|(_, one)| one.committed.is_some()) {
            let read: BTreeMap<Item, Version> = transaction
                .ops
                .iter()
                .filter_map(|op| match *op {
                    Op::Read { item, version } => Some((item, version)),
                    _ => None,
                })
                .collect();
            for op in &transaction.ops {
                match *op {
                    Op::Write { .. } => {}
                    Op::Read { item, version } => {
                        let versions = graph.versions.get(&item).map_or(&[][..], Vec::as_slice);
                        if let Some(writer) = versions.iter().find(|one| one.version == version) {
                            add(writer.by, place, Kind::WriteRead, item);
                        }
                        if let Some(next) = versions.iter().find(|one| one.version > version) {
                            add(place, next.by, Kind::ReadWrite, item);
                        }
                    }
                    Op::Range { table, from, to, as_of, rows } => {
                        for (item, versions) in graph.versions.range((table, from)..=(table, to)) {
                            // What it read of the row itself is told by that read.
                            if read.contains_key(item) {
                                continue;
                            }
                            let counts = |one: &&Installed| rows || one.structural;
                            let seen = versions.iter().take_while(|one| one.commit <= as_of).last();
                            if let Some(writer) = seen.filter(counts) {
                                add(writer.by, place, Kind::WriteRead, *item);
                            }
                            if let Some(next) = versions.iter().find(|one| one.commit > as_of).filter(counts)
                            {
                                let kind = if next.structural { Kind::Phantom } else { Kind::ReadWrite };
                                add(place, next.by, kind, *item);
                            }
                        }
                    }
                }
            }
        }
        for edge in edges {
            graph.out[edge.from].push(edge);
        }
        graph
    }

    /// Whether a committed transaction wrote a row.
    pub(super) fn writes(&self, transaction: usize, item: Item) -> bool {
        self.versions.get(&item).is_some_and(|versions| versions.iter().any(|one| one.by == transaction))
    }

    /// The edges that lie on a circle: both ends in one strongly connected component.
    pub(super) fn edges_in_circles(&self) -> Vec<Edge> {
        let component = self.components();
        let inside = |edge: &&Edge| component[edge.from] == component[edge.to];
        self.out.iter().flatten().filter(inside).copied().collect()
    }

    /// Strongly connected components, by transaction (Tarjan 1972, without recursion).
    fn components(&self) -> Vec<usize> {
        const UNSEEN: usize = usize::MAX;
        let count = self.out.len();
        let (mut number, mut low) = (vec![UNSEEN; count], vec![0; count]);
        let (mut component, mut on_stack) = (vec![UNSEEN; count], vec![false; count]);
        let (mut stack, mut next) = (Vec::new(), 0);
        for start in 0..count {
            if number[start] != UNSEEN {
                continue;
            }
            let mut path = vec![(start, 0)];
            while let Some((node, place)) = path.pop() {
                if place == 0 {
                    (number[node], low[node]) = (next, next);
                    next += 1;
                    stack.push(node);
                    on_stack[node] = true;
                }
                if let Some(edge) = self.out[node].get(place) {
                    path.push((node, place + 1));
                    if number[edge.to] == UNSEEN {
                        path.push((edge.to, 0));
                    } else if on_stack[edge.to] {
                        low[node] = low[node].min(number[edge.to]);
                    }
                    continue;
                }
                if low[node] == number[node] {
                    while let Some(member) = stack.pop() {
                        on_stack[member] = false;
                        component[member] = node;
                        if member == node {
                            break;
                        }
                    }
                }
                if let Some((parent, _)) = path.last() {
                    low[*parent] = low[*parent].min(low[node]);
                }
            }
        }
        component
    }

    /// A shortest way along edges of allowed kinds.
    pub(super) fn way(&self, from: usize, to: usize, allowed: &dyn Fn(Kind) -> bool) -> Option<Vec<Edge>> {
        let mut came_by: BTreeMap<usize, Edge> = BTreeMap::new();
        let mut open = VecDeque::from([from]);
        while let Some(node) = open.pop_front() {
            for edge in self.out[node].iter().filter(|edge| allowed(edge.kind)) {
                if edge.to != from && !came_by.contains_key(&edge.to) {
                    came_by.insert(edge.to, *edge);
                    open.push_back(edge.to);
                }
            }
            if came_by.contains_key(&to) {
                break;
            }
        }
        let mut way = Vec::new();
        let mut node = to;
        while node != from {
            let edge = *came_by.get(&node)?;
            way.push(edge);
            node = edge.from;
        }
        way.reverse();
        Some(way)
    }
}

/// By row: the last version of each committed writer, in order of writing.
fn versions(history: &[Transaction]) -> BTreeMap<Item, Vec<Installed>> {
    let mut versions: BTreeMap<Item, Vec<Installed>> = BTreeMap::new();
    for (by, transaction) in history.iter().enumerate() {
        let Some(commit) = transaction.committed else { continue };
        let mut last: BTreeMap<Item, Installed> = BTreeMap::new();
        for op in &transaction.ops {
            if let Op::Write { item, version, structural } = *op {
                let structural = structural || last.get(&item).is_some_and(|earlier| earlier.structural);
                last.insert(item, Installed { version, by, commit, structural });
            }
        }
        for (item, installed) in last {
            versions.entry(item).or_default().push(installed);
        }
    }
    versions.values_mut().for_each(|list| list.sort_by_key(|one| one.version));
    versions
}
