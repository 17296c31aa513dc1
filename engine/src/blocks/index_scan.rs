//! Ranges in key order: the leaves of a tree one after the other, and for an index a fetch of each row.
//!
//! The order of rows on the heap decides what the fetches cost: keys that arrived in order lie on neighbouring pages, hashed keys
//! on a page each.

use serde_json::json;

use super::operator::ROWS;
use crate::kernel::load::Find;
use crate::kernel::step::{Flow, Step};
use crate::kernel::{Kernel, cost};
use crate::workload::OperationType;

impl Kernel<'_> {
    /// The rows of a range from `rank` on. `leaf` is the page visited last.
    pub(crate) fn range(&mut self, client: u32, number: u16, rank: u32, remaining: u32, leaf: u32) -> Flow {
        let statement = self.statements[usize::from(number)];
        let Find::Search { tree, fetch, operator } = statement.find else { return Flow::Next };
        let writes = statement.kind != OperationType::Select;
        let row_bytes = u64::from(self.tables[usize::from(statement.table)].record_bytes);
        let (mut rank, mut remaining, mut leaf) = (rank, remaining, leaf);
        while remaining > 0 {
            let block = &self.trees[usize::from(tree)];
            let Some(found) = block.tree.next_present(rank) else {
                self.passed_ranks(rank, block.tree.universe());
                break;
            };
            let found_leaf = block.tree.leaf_of(found);
            let space = block.first_space;
            if found_leaf != leaf {
                leaf = found_leaf;
                if self.clients[client as usize].traced {
                    let block = block.block;
                    self.trace.emit(
                        self.now_ns + self.cpu_ns,
                        block,
                        "page_scan",
                        || json!({"page_id": leaf}),
                    );
                }
                let write = writes && !fetch;
                if !self.hit(client, space, leaf, write) {
                    self.push(client, Step::Range { statement: number, rank: found, remaining, leaf });
                    self.push(client, Step::Page { space, page: leaf, write });
                    return Flow::Next;
                }
            }
            self.passed_ranks(rank, found);
            rank = found + 1;
            remaining -= 1;
            if fetch || writes || self.transactions.is_some() {
                self.push(client, Step::Range { statement: number, rank, remaining, leaf });
                self.act_on_row(client, number, found);
                if writes && !fetch && !self.hit(client, space, leaf, true) {
                    self.push(client, Step::Page { space, page: leaf, write: true });
                }
                return Flow::Next;
            }
            // The row lies on the leaf itself: nothing to fetch but what does not fit there.
            self.cpu_ns += statement.row_ns;
            self.totals.bytes_asked += row_bytes;
            if let Some(operator) = operator {
                self.operators[usize::from(operator)].counters.add(ROWS, 1);
            }
            if self.trees[usize::from(tree)].overflow.is_some() {
                self.push(client, Step::Range { statement: number, rank, remaining, leaf });
                self.visit_overflow(client, tree, found, false);
                return Flow::Next;
            }
            if self.cpu_ns >= cost::QUANTUM_NS {
                self.push(client, Step::Range { statement: number, rank, remaining, leaf });
                return Flow::Yield;
            }
        }
        Flow::Next
    }
}
