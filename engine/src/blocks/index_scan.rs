//! Ranges in key order: the leaves of a tree one after the other, and for an index a fetch of each row.
//!
//! The order of rows on the heap decides what the fetches cost: keys that arrived in order lie on neighbouring pages, hashed keys
//! on a page each.

use serde_json::json;

use super::operator::ROWS;
use super::query::Fed;
use crate::kernel::load::{BoundStatement, Find};
use crate::kernel::step::{Flow, Step};
use crate::kernel::{Kernel, Storage, cost};
use crate::plan::FetchSpec;
use crate::workload::OperationType;
use crate::workload::access::Access;

impl Kernel<'_> {
    /// The rows of a range from `rank` on. `leaf` is the page visited last.
    pub(crate) fn range(&mut self, client: u32, number: u16, rank: u32, remaining: u32, leaf: u32) -> Flow {
        let statement = self.statements[usize::from(number)];
        let Find::Search { tree, fetch, operator } = statement.find else { return Flow::Next };
        let writes = statement.kind != OperationType::Select;
        let row_bytes = u64::from(self.tables[usize::from(statement.table)].record_bytes);
        let (mut rank, mut remaining, mut leaf) = (rank, remaining, leaf);
        let bitmap = self.clients[client as usize].bitmap.is_some();
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
            if bitmap {
                self.collect_in_bitmap(client, number, found);
                self.cpu_ns += statement.row_ns;
                if let Some(operator) = operator {
                    self.operators[usize::from(operator)].counters.add(ROWS, 1);
                }
                if statement.feeds {
                    self.push(client, Step::Range { statement: number, rank, remaining, leaf });
                    return self.feed_row(client, number, found);
                }
                if self.cpu_ns >= cost::QUANTUM_NS {
                    self.push(client, Step::Range { statement: number, rank, remaining, leaf });
                    return Flow::Yield;
                }
                continue;
            }
            if fetch || writes || statement.feeds || self.transactions.is_some() {
                self.push(client, Step::Range { statement: number, rank, remaining, leaf });
                if statement.feeds {
                    self.push(client, Step::FeedRow { statement: number, rank: found });
                }
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
        if bitmap {
            self.end_bitmap(client, number);
        }
        Flow::Next
    }

    /// A row found through an index goes into the query that reads it.
    pub(crate) fn feed_row(&mut self, client: u32, statement: u16, rank: u32) -> Flow {
        self.fed.clear();
        self.fed.push(rank);
        if self.feed(client, statement, u32::MAX) == Fed::Enough {
            // What is on top then is the rest of the range.
            let steps = &mut self.clients[client as usize].steps;
            if let Some(Step::Range { .. }) = steps.last() {
                steps.pop();
            }
        }
        Flow::Next
    }

    /// Whether an index-only read need not fetch a row: the visibility map says so, and is asked for where it is not at hand.
    pub(crate) fn seen_by_all(&mut self, client: u32, statement: &BoundStatement, rank: u32) -> bool {
        if statement.fetch != FetchSpec::IndexOnly || statement.kind != OperationType::Select {
            return false;
        }
        let table = &self.tables[usize::from(statement.table)];
        let Some(Storage::Heap(heap)) = table.storage else { return false };
        let heap = &self.heaps[usize::from(heap)];
        let Some(map) = &heap.visibility else { return false };
        let heap_page = heap.page_of(table.keys.record_of(rank));
        let (space, page, visible) = (map.space, map.page_for(heap_page), map.is_visible(heap_page));
        // A search of one key has nothing pinned from before.
        let pinned = match statement.access {
            Access::Range { .. } => {
                Some(std::mem::replace(&mut self.clients[client as usize].pinned_map_page, page))
            }
            _ => None,
        };
        if pinned != Some(page) && !self.hit(client, space, page, false) {
            self.push(client, Step::Page { space, page, write: false });
        }
        visible
    }
}
