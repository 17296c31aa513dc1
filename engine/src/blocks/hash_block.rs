//! The blocks that are hash indexes: a search visits the bucket of its key and the overflow pages the bucket goes on in, all of
//! them, because the next entry may have the same hash.

use serde_json::{Value, json};

use super::counters::Counters;
use super::hash::{Buckets, Change, META_PAGE};
use super::operator::ROWS;
use super::wal::record::{PageRef, Record};
use crate::kernel::Kernel;
use crate::kernel::load::Find;
use crate::kernel::snapshot::listed;
use crate::kernel::step::{Flow, Step};
use crate::plan::BlockIndex;
use crate::workload::OperationType;

pub(crate) const LOOKUPS: usize = 0;
const INSERTS: usize = 1;
const DELETES: usize = 2;
const SPLITS: usize = 3;
const OVERFLOW_PAGES_ADDED: usize = 4;
const DIRECTORY_DOUBLINGS: usize = 5;
const PAGES_ALLOCATED: usize = 6;

/// Spaces of a hash index, counted from its first.
const BUCKETS: u16 = 0;
const OVERFLOW: u16 = 1;
const META: u16 = 2;

/// An entry in a log record, without its line pointer.
const LOGGED_ENTRY_BYTES: u32 = 16;

#[derive(Debug)]
pub(crate) struct HashBlock {
    pub(crate) block: BlockIndex,
    pub(crate) buckets: Buckets,
    first_space: u16,
    wal: Option<u16>,
    pub(crate) page_size_bytes: u32,
    pub(crate) counters: Counters<7>,
}

impl HashBlock {
    pub(crate) fn new(
        block: BlockIndex,
        buckets: Buckets,
        first_space: u16,
        wal: Option<u16>,
        page_size_bytes: u32,
    ) -> Self {
        let counters = Counters::new([
            "lookups",
            "inserts",
            "deletes",
            "splits",
            "overflow_pages_added",
            "directory_doublings",
            "pages_allocated",
        ]);
        Self { block, buckets, first_space, wal, page_size_bytes, counters }
    }

    /// The pages a search of a rank visits, in order.
    fn path(&self, rank: u32) -> impl Iterator<Item = (u16, u32)> + '_ {
        let bucket = self.buckets.bucket_of(rank);
        let directory = self.buckets.directory_page_of(rank).map(|page| (self.first_space + META, page));
        let overflow =
            self.buckets.bucket(bucket).overflow.iter().map(|page| (self.first_space + OVERFLOW, *page));
        directory.into_iter().chain([(self.first_space + BUCKETS, bucket)]).chain(overflow)
    }

    fn logged(&self, space: u16, page: u32, data_bytes: u32, new: bool) -> PageRef {
        let space = self.first_space + space;
        PageRef { space, page, data_bytes, image_bytes: self.page_size_bytes, new }
    }

    pub(crate) fn gauges(&self) -> Value {
        let mut gauges = json!({
            "keys": self.buckets.keys(),
            "pages": self.buckets.pages(),
            "bucket_pages": self.buckets.bucket_pages(),
            "overflow_pages": self.buckets.overflow_pages(),
            "unused_pages": self.buckets.unused_pages(),
            "meta_pages": self.buckets.meta_pages(),
            "occupancy": self.buckets.occupancy(),
        });
        if let Some(entries) = self.buckets.directory_entries() {
            gauges["directory_entries"] = json!(entries);
        }
        gauges
    }

    /// Buckets with their entries and overflow pages.
    pub(crate) fn state(&self) -> Value {
        let mut state = self.gauges();
        let buckets = self.buckets.bucket_pages() as u32;
        let bucket = |bucket: u32| {
            let state = self.buckets.bucket(bucket);
            json!({"bucket": bucket, "entries": state.ranks.len(), "overflow_pages": state.overflow})
        };
        listed(&mut state, "buckets", buckets as usize, (0..buckets).map(bucket));
        state
    }
}

impl Kernel<'_> {
    /// Begins a statement whose row is found in a hash index.
    pub(crate) fn begin_hash_statement(&mut self, client: u32, number: u16, rank: u32) -> Flow {
        let statement = self.statements[usize::from(number)];
        let Find::Hash { hash, fetch, operator } = statement.find else { return Flow::Next };
        if let Some(operator) = operator {
            self.tell_index_lookup(client, operator, rank);
        }
        let block = &mut self.hashes[usize::from(hash)];
        block.counters.add(LOOKUPS, 1);
        if self.clients[client as usize].traced {
            let bucket = block.buckets.bucket_of(rank);
            let pages = 1 + block.buckets.bucket(bucket).overflow.len();
            let found = block.buckets.contains(rank) && !statement.missing;
            let number = block.block;
            self.trace.emit(
                self.now_ns + self.cpu_ns,
                number,
                "hash_lookup",
                || json!({"key": rank, "bucket": bucket, "pages": pages, "found": found}),
            );
        }
        if statement.missing {
            self.totals.rows_not_found += 1;
            return self.visit_bucket(client, hash, rank, false);
        }
        self.push(client, Step::HashRow { statement: number, rank });
        let write = statement.kind != OperationType::Select && !fetch;
        self.visit_bucket(client, hash, rank, write)
    }

    /// Visits the pages of a rank's bucket; what is not in memory becomes a step. `write`: the last one changes.
    pub(crate) fn visit_bucket(&mut self, client: u32, hash: u16, rank: u32, write: bool) -> Flow {
        let path: Vec<(u16, u32)> = self.hashes[usize::from(hash)].path(rank).collect();
        let last = path.len() - 1;
        let mut place = 0;
        while place <= last && self.hit(client, path[place].0, path[place].1, write && place == last) {
            place += 1;
        }
        for place in (place..=last).rev() {
            let (space, page) = path[place];
            self.push(client, Step::Page { space, page, write: write && place == last });
        }
        Flow::Next
    }

    /// The bucket of a statement's key has been visited.
    pub(crate) fn hash_row(&mut self, client: u32, number: u16, rank: u32) -> Flow {
        let Find::Hash { hash, operator, .. } = self.statements[usize::from(number)].find else {
            return Flow::Next;
        };
        if !self.hashes[usize::from(hash)].buckets.contains(rank) {
            self.totals.rows_not_found += 1;
            return Flow::Next;
        }
        if let Some(operator) = operator {
            self.operators[usize::from(operator)].counters.add(ROWS, 1);
        }
        self.act_on_row(client, number, rank)
    }

    /// Adds an entry to a bucket that has been visited, and splits what that makes split.
    pub(crate) fn hash_insert(&mut self, client: u32, hash: u16, rank: u32) -> Flow {
        let number = usize::from(hash);
        let block = &mut self.hashes[number];
        if block.buckets.contains(rank) {
            return Flow::Next;
        }
        block.counters.add(INSERTS, 1);
        block.buckets.insert(rank);
        self.cpu_ns += self.costs.row_ns;
        let (of, wal, first_space) = (block.block, block.wal, block.first_space);
        let bucket = block.buckets.bucket_of(rank);
        self.log(client, wal, u64::from(LOGGED_ENTRY_BYTES), |kernel| {
            let block = &kernel.hashes[number];
            let meta = block.logged(META, META_PAGE, 0, false);
            Record::new(2).page(block.logged(BUCKETS, bucket, LOGGED_ENTRY_BYTES, false)).page(meta)
        });
        let from = self.clients[client as usize].steps.len();
        if self.hashes[number].buckets.counts_in_meta_page() {
            self.push(client, Step::Page { space: first_space + META, page: META_PAGE, write: true });
        }
        for place in 0..self.hashes[number].buckets.changes().len() {
            let change = self.hashes[number].buckets.changes()[place];
            self.apply_hash_change(client, hash, change);
            if let Change::Split { bucket, new_bucket, moved } = change {
                let bytes = moved * LOGGED_ENTRY_BYTES;
                self.log(client, wal, u64::from(bytes), |kernel| {
                    let block = &kernel.hashes[number];
                    Record::new(8)
                        .page(block.logged(BUCKETS, bucket, 0, false))
                        .page(block.logged(BUCKETS, new_bucket, bytes, true))
                });
                if self.clients[client as usize].traced {
                    self.trace.emit(
                        self.now_ns + self.cpu_ns,
                        of,
                        "hash_split",
                        || json!({"bucket": bucket, "new_bucket": new_bucket, "moved": moved}),
                    );
                }
            }
        }
        // Steps are taken from the end.
        self.clients[client as usize].steps[from..].reverse();
        Flow::Next
    }

    /// Pushes the page accesses of one change.
    fn apply_hash_change(&mut self, client: u32, hash: u16, change: Change) {
        let block = &mut self.hashes[usize::from(hash)];
        let first_space = block.first_space;
        let made: (u16, std::ops::Range<u32>) = match change {
            Change::Split { bucket, new_bucket, .. } => {
                block.counters.add(SPLITS, 1);
                self.cpu_ns += self.costs.split_ns;
                let (space, page) = (first_space + BUCKETS, bucket);
                self.clients[client as usize].steps.push(Step::Page { space, page, write: true });
                (BUCKETS, new_bucket..new_bucket + 1)
            }
            Change::Overflow { page } => {
                block.counters.add(OVERFLOW_PAGES_ADDED, 1);
                (OVERFLOW, page..page + 1)
            }
            Change::Doubled => {
                block.counters.add(DIRECTORY_DOUBLINGS, 1);
                let pages = block.buckets.meta_pages() as u32;
                // A directory smaller than a page doubles within it.
                (META, (pages / 2).max(1)..pages)
            }
        };
        let block = &mut self.hashes[usize::from(hash)];
        block.counters.add(PAGES_ALLOCATED, u64::from(made.1.end.saturating_sub(made.1.start)));
        let number = block.block;
        for page in made.1 {
            self.push(client, Step::NewPage { space: first_space + made.0, page });
            if self.clients[client as usize].traced {
                self.trace.emit(
                    self.now_ns + self.cpu_ns,
                    number,
                    "page_allocated",
                    || json!({"page_id": page}),
                );
            }
        }
    }

    /// Removes an entry from a bucket that has been visited.
    pub(crate) fn hash_remove(&mut self, client: u32, hash: u16, rank: u32) -> Flow {
        let number = usize::from(hash);
        let block = &mut self.hashes[number];
        if !block.buckets.contains(rank) {
            return Flow::Next;
        }
        block.counters.add(DELETES, 1);
        block.buckets.remove(rank);
        self.cpu_ns += self.costs.row_ns;
        let (wal, bucket) = (block.wal, block.buckets.bucket_of(rank));
        self.log(client, wal, 0, |kernel| {
            Record::new(2).page(kernel.hashes[number].logged(BUCKETS, bucket, 2, false))
        });
        Flow::Next
    }
}
