//! The blocks that are skip lists: an index whose nodes are in memory. A search takes processor time, by the keys it compares, and
//! visits no page, so nothing in it waits.

use serde_json::{Value, json};

use super::counters::Counters;
use super::operator::ROWS;
use super::skip_list::SkipList;
use super::wal::record::Record;
use crate::kernel::load::Find;
use crate::kernel::snapshot::listed;
use crate::kernel::step::{Flow, Step};
use crate::kernel::{Kernel, cost};
use crate::plan::BlockIndex;
use crate::workload::OperationType;
use crate::workload::access::Access;

const LOOKUPS: usize = 0;
const COMPARISONS: usize = 1;
const INSERTS: usize = 2;
const UPDATES: usize = 3;
const DELETES: usize = 4;
const RANGES: usize = 5;

/// Beside its pointers and what it holds, a node has its height and lengths.
const NODE_HEADER_BYTES: u64 = 8;
const POINTER_BYTES: u64 = 8;

#[derive(Debug)]
pub(crate) struct SkipListBlock {
    pub(crate) block: BlockIndex,
    pub(crate) list: SkipList,
    wal: Option<u16>,
    key_bytes: u32,
    /// Key and row, or key and the place of the row where a storage holds it.
    entry_bytes: u32,
    pub(crate) counters: Counters<6>,
}

impl SkipListBlock {
    pub(crate) fn new(
        block: BlockIndex,
        list: SkipList,
        wal: Option<u16>,
        key_bytes: u32,
        entry_bytes: u32,
    ) -> Self {
        let counters = Counters::new(["lookups", "comparisons", "inserts", "updates", "deletes", "ranges"]);
        Self { block, list, wal, key_bytes, entry_bytes, counters }
    }

    /// Bytes of the nodes, and of the one without a key that leads to the first of each level.
    fn memory_bytes(&self) -> u64 {
        let head = NODE_HEADER_BYTES + POINTER_BYTES * self.list.nodes_by_height().len() as u64;
        let node_bytes = NODE_HEADER_BYTES + u64::from(self.entry_bytes);
        head + u64::from(self.list.keys()) * node_bytes + self.list.pointers() * POINTER_BYTES
    }

    pub(crate) fn gauges(&self) -> Value {
        json!({
            "keys": self.list.keys(),
            "height": self.list.height(),
            "nodes_by_height": self.list.nodes_by_height(),
            "comparisons_per_search": self.list.comparisons(),
            "memory_bytes": self.memory_bytes(),
        })
    }

    /// The nodes in key order with their heights.
    pub(crate) fn state(&self) -> Value {
        let mut state = self.gauges();
        let ranks = std::iter::successors(self.list.next(0), |rank| self.list.next(rank + 1));
        let nodes = ranks.map(|rank| json!({"key": rank, "height": self.list.height_of(rank)}));
        listed(&mut state, "nodes", self.list.keys() as usize, nodes);
        state
    }
}

impl Kernel<'_> {
    /// Walks from the head to where a key belongs.
    fn search_list(&mut self, number: usize) -> u64 {
        let block = &mut self.skip_lists[number];
        let comparisons = block.list.comparisons();
        block.counters.add(COMPARISONS, comparisons);
        self.cpu_ns += comparisons * self.costs.key_compare_ns;
        comparisons
    }

    /// Begins a statement whose rows are found in a skip list.
    pub(crate) fn begin_skip_list_statement(
        &mut self,
        client: u32,
        number: u16,
        rank: u32,
        rows: u32,
    ) -> Flow {
        let statement = self.statements[usize::from(number)];
        let Find::SkipList { list, operator, .. } = statement.find else { return Flow::Next };
        if let Some(operator) = operator {
            self.tell_index_lookup(client, operator, rank);
        }
        let point = statement.access == Access::Point;
        let comparisons = self.search_list(usize::from(list));
        let block = &mut self.skip_lists[usize::from(list)];
        block.counters.add(if point { LOOKUPS } else { RANGES }, 1);
        let found = !statement.missing && block.list.contains(rank);
        if self.clients[client as usize].traced {
            let number = block.block;
            self.trace.emit(
                self.now_ns + self.cpu_ns,
                number,
                "skip_list_lookup",
                || json!({"key": rank, "comparisons": comparisons, "found": found}),
            );
        }
        if !point {
            return self.skip_list_range(client, number, rank, rows);
        }
        if !found {
            self.totals.rows_not_found += 1;
            return Flow::Next;
        }
        self.act_on_row(client, number, rank)
    }

    /// The rows of a range from `rank` on: each node leads to the next.
    pub(crate) fn skip_list_range(&mut self, client: u32, number: u16, rank: u32, remaining: u32) -> Flow {
        let statement = self.statements[usize::from(number)];
        let Find::SkipList { list, fetch, operator } = statement.find else { return Flow::Next };
        let changes = statement.kind != OperationType::Select;
        let row_bytes = u64::from(self.tables[usize::from(statement.table)].record_bytes);
        let (mut rank, mut remaining) = (rank, remaining);
        while remaining > 0 {
            if self.cpu_ns >= cost::QUANTUM_NS {
                self.push(client, Step::SkipListRange { statement: number, rank, remaining });
                return Flow::Yield;
            }
            let Some(found) = self.skip_lists[usize::from(list)].list.next(rank) else {
                self.passed_ranks(rank, self.tables[usize::from(statement.table)].keys.universe());
                break;
            };
            self.passed_ranks(rank, found);
            rank = found + 1;
            remaining -= 1;
            if fetch || changes || self.transactions.is_some() {
                self.push(client, Step::SkipListRange { statement: number, rank, remaining });
                return self.act_on_row(client, number, found);
            }
            self.cpu_ns += statement.row_ns;
            self.totals.bytes_asked += row_bytes;
            if let Some(operator) = operator {
                self.operators[usize::from(operator)].counters.add(ROWS, 1);
            }
        }
        Flow::Next
    }

    /// Adds a node for a key.
    pub(crate) fn skip_list_insert(&mut self, client: u32, list: u16, rank: u32) -> Flow {
        let number = usize::from(list);
        self.search_list(number);
        let block = &mut self.skip_lists[number];
        if block.list.contains(rank) {
            return Flow::Next;
        }
        block.counters.add(INSERTS, 1);
        block.list.insert(rank);
        self.cpu_ns += self.costs.row_ns;
        if self.clients[client as usize].traced {
            let (of, height) = (block.block, block.list.height_of(rank));
            self.trace.emit(
                self.now_ns + self.cpu_ns,
                of,
                "skip_list_insert",
                || json!({"key": rank, "height": height}),
            );
        }
        let bytes = self.skip_lists[number].entry_bytes;
        self.log_skip_list(client, number, bytes);
        Flow::Next
    }

    /// Changes what a node that has been found holds.
    pub(crate) fn skip_list_update(&mut self, client: u32, list: u16) {
        let block = &mut self.skip_lists[usize::from(list)];
        block.counters.add(UPDATES, 1);
        let bytes = block.entry_bytes;
        self.log_skip_list(client, usize::from(list), bytes);
    }

    /// A row has a new place: its node is found and told.
    pub(crate) fn skip_list_moved(&mut self, client: u32, list: u16) -> Flow {
        self.search_list(usize::from(list));
        self.cpu_ns += self.costs.row_ns;
        self.skip_list_update(client, list);
        Flow::Next
    }

    /// Takes a key's node out: a search of its own, after that for the row.
    pub(crate) fn skip_list_remove(&mut self, client: u32, list: u16, rank: u32) -> Flow {
        let number = usize::from(list);
        self.search_list(number);
        let block = &mut self.skip_lists[number];
        if !block.list.contains(rank) {
            return Flow::Next;
        }
        block.counters.add(DELETES, 1);
        block.list.remove(rank);
        self.cpu_ns += self.costs.row_ns;
        let bytes = self.skip_lists[number].key_bytes;
        self.log_skip_list(client, number, bytes);
        Flow::Next
    }

    /// A record of a change: there is no page it could name, so it holds the entry.
    fn log_skip_list(&mut self, client: u32, number: usize, bytes: u32) {
        let wal = self.skip_lists[number].wal;
        self.log(client, wal, u64::from(bytes), |_| Record::new(bytes));
    }
}
