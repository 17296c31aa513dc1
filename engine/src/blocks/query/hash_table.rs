//! PostgreSQL 15's hybrid hash join (`nodeHash.c`, `nodeHashjoin.c`), counted in rows: how many batches there are, which rows stay
//! in memory and which go to temporary files.
//!
//! A row's hash decides its bucket by its lower bits and its batch by the bits above. The first batch stays in memory while the
//! inner side is read; rows of later ones go to a file each, and so do the outer rows that would meet them. When a batch outgrows
//! its memory there are twice as many from then on: half of its rows leave for a file, and rows in files that now belong to a
//! later batch are moved on when their file is read.

use super::spill::{TempFile, TempSpace};
use crate::blocks::hash::hash_of;

/// What a row takes in the table beside itself: the next row's address and its hash, aligned.
const ROW_OVERHEAD_BYTES: u64 = 16;
const BUCKET_BYTES: u64 = 8;
/// In a file: its hash.
const HASH_BYTES: u64 = 4;
const FEWEST_BUCKETS: u64 = 1024;
/// No list of buckets, or of files, is longer.
const LARGEST_ALLOCATION_BYTES: u64 = 0x3fff_ffff;
/// Batches there are at most: each has two open files, each with a buffer.
const MOST_BATCHES: u64 = 1 << 16;
/// Memory kept for the outer side's most common values: what each takes beside its row, and the part of the memory they get.
const COMMON_VALUE_BYTES: u64 = 8 * 8 + 4 + 16;
const COMMON_VALUES_PERCENT: u64 = 2;

/// What a hash join is like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct HashSpec {
    /// `work_mem` times `hash_mem_multiplier`.
    pub(crate) memory_bytes: u64,
    /// Bytes of an inner row's tuple (`minimal_tuple_bytes`), and of an outer one's.
    pub(crate) inner_tuple_bytes: u64,
    pub(crate) outer_tuple_bytes: u64,
    /// Inner rows the table is laid out for.
    pub(crate) expected_rows: u64,
    /// Every batch goes to a file, the first as well, when there are several.
    pub(crate) grace: bool,
    /// Without a place for files there is one batch, however large.
    pub(crate) spills: bool,
}

impl HashSpec {
    fn row_bytes(&self) -> u64 {
        ROW_OVERHEAD_BYTES + self.inner_tuple_bytes.next_multiple_of(8)
    }

    /// Buckets and batches to begin with (`ExecChooseHashTableSize`).
    pub(crate) fn choose_size(&self) -> (u64, u64) {
        let rows = if self.expected_rows == 0 { 1000 } else { self.expected_rows };
        let tuple_bytes = self.row_bytes();
        let rows_bytes = rows * tuple_bytes;
        let common_bytes = tuple_bytes + COMMON_VALUE_BYTES;
        let common = self.memory_bytes / common_bytes * COMMON_VALUES_PERCENT / 100;
        let memory_bytes = self.memory_bytes - common * common_bytes;
        let most = power_of_two_below((memory_bytes.min(LARGEST_ALLOCATION_BYTES) / BUCKET_BYTES).max(1));
        let buckets = rows.min(most).max(FEWEST_BUCKETS).next_power_of_two();
        if !self.spills || rows_bytes + buckets * BUCKET_BYTES <= memory_bytes {
            return (buckets, 1);
        }
        let buckets = (memory_bytes / (tuple_bytes + BUCKET_BYTES)).max(1).next_power_of_two().min(most);
        // Both are powers of two, and buckets take a quarter of the memory at most, unless rows are tiny.
        let left_bytes = memory_bytes.saturating_sub(buckets * BUCKET_BYTES).max(1);
        let batches = rows_bytes.div_ceil(left_bytes).clamp(2, most.clamp(2, MOST_BATCHES));
        (buckets, batches.next_power_of_two())
    }
}

fn power_of_two_below(number: u64) -> u64 {
    1 << number.ilog2()
}

/// No batch is in memory: both inputs go to files first.
const NO_BATCH: u32 = u32::MAX;

/// Rows of a batch in a temporary file, by hash.
#[derive(Debug, Clone, Default)]
struct RowFile {
    hashes: Vec<u32>,
    /// Rows that were read again.
    read_rows: usize,
    /// Rows of the result that its rows are going to make, on average.
    matches: f64,
    temp: TempFile,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Inner,
    Outer,
}

#[derive(Debug, Clone)]
pub(crate) struct HashTable {
    spec: HashSpec,
    planned_batches: u64,
    buckets: u64,
    /// Buckets it is going to have when all rows are in, while there is one batch.
    best_buckets: u64,
    batches: u64,
    /// Batches when the outer side began to be read.
    batches_at_probe: u64,
    /// The bits of a hash below its batch.
    bucket_bits: u32,
    grows: bool,
    /// The batch in memory, and the hashes of its rows, where they may still have to leave.
    batch: u32,
    here: Vec<u32>,
    here_rows: u64,
    used_bytes: u64,
    peak_bytes: u64,
    inner: Vec<RowFile>,
    outer: Vec<RowFile>,
    /// Files of which as many bytes as a request writes were filled since this was asked last.
    filled: Vec<(Side, u32)>,
    saved_rows: u64,
}

impl HashTable {
    pub(crate) fn new(spec: HashSpec) -> Self {
        let (buckets, batches) = spec.choose_size();
        let mut table = Self {
            spec,
            planned_batches: batches,
            buckets,
            best_buckets: buckets,
            batches,
            batches_at_probe: batches,
            bucket_bits: buckets.trailing_zeros(),
            grows: spec.spills,
            batch: if spec.grace && batches > 1 { NO_BATCH } else { 0 },
            here: Vec::new(),
            here_rows: 0,
            used_bytes: 0,
            peak_bytes: 0,
            inner: Vec::new(),
            outer: Vec::new(),
            filled: Vec::new(),
            saved_rows: 0,
        };
        table.make_files();
        table
    }

    fn make_files(&mut self) {
        if self.batches > 1 {
            self.inner.resize_with(self.batches as usize, RowFile::default);
            self.outer.resize_with(self.batches as usize, RowFile::default);
        }
    }

    pub(crate) fn batches(&self) -> u64 {
        self.batches
    }

    pub(crate) fn planned_batches(&self) -> u64 {
        self.planned_batches
    }

    pub(crate) fn buckets(&self) -> u64 {
        self.buckets
    }

    pub(crate) fn peak_bytes(&self) -> u64 {
        self.peak_bytes
    }

    /// Rows that went to files, each as often as it went.
    pub(crate) fn saved_rows(&self) -> u64 {
        self.saved_rows
    }

    /// The batch in memory; absent while both inputs go to files.
    pub(crate) fn batch(&self) -> Option<u32> {
        (self.batch != NO_BATCH).then_some(self.batch)
    }

    /// Rows in memory.
    pub(crate) fn here_rows(&self) -> u64 {
        self.here_rows
    }

    #[inline]
    fn batch_of(&self, hash: u32) -> u32 {
        hash.rotate_right(self.bucket_bits) & (self.batches as u32 - 1)
    }

    /// An inner row, in its scan or from a file: into memory, or into the file of its batch.
    #[inline]
    pub(crate) fn insert(&mut self, hash: u32) {
        let batch = self.batch_of(hash);
        if batch != self.batch {
            return self.save(Side::Inner, batch, hash, 0.0);
        }
        self.here_rows += 1;
        self.used_bytes += self.spec.row_bytes();
        if self.grows {
            self.here.push(hash);
        }
        if self.batches == 1 && self.here_rows > self.best_buckets {
            let doubled = 2 * self.best_buckets;
            if doubled * BUCKET_BYTES <= LARGEST_ALLOCATION_BYTES {
                self.best_buckets = doubled;
            }
        }
        self.peak_bytes = self.peak_bytes.max(self.used_bytes);
        if self.grows && self.used_bytes + self.best_buckets * BUCKET_BYTES > self.spec.memory_bytes {
            self.double_batches();
        }
    }

    /// An outer row with so many matches, in its scan or from a file: whether its batch is in memory, to be looked up there now.
    /// Otherwise it goes to the file of its batch.
    #[inline]
    pub(crate) fn probe(&mut self, hash: u32, matches: f64) -> bool {
        let batch = self.batch_of(hash);
        let here = batch == self.batch;
        if !here {
            self.save(Side::Outer, batch, hash, matches);
        }
        here
    }

    fn save(&mut self, side: Side, batch: u32, hash: u32, matches: f64) {
        let (file, tuple_bytes) = match side {
            Side::Inner => (&mut self.inner[batch as usize], self.spec.inner_tuple_bytes),
            Side::Outer => (&mut self.outer[batch as usize], self.spec.outer_tuple_bytes),
        };
        self.saved_rows += 1;
        file.hashes.push(hash);
        file.matches += matches;
        if file.temp.append(HASH_BYTES + tuple_bytes) {
            self.filled.push((side, batch));
        }
    }

    /// Twice as many batches: rows in memory that are of another batch now leave for its file.
    fn double_batches(&mut self) {
        if self.batches >= MOST_BATCHES || self.bucket_bits + self.batches.trailing_zeros() >= u32::BITS {
            self.grows = false;
            return;
        }
        if self.batches == 1 {
            self.buckets = self.best_buckets;
            self.bucket_bits = self.buckets.trailing_zeros();
        }
        self.batches *= 2;
        self.make_files();
        let hashes = std::mem::take(&mut self.here);
        let all = hashes.len();
        for hash in hashes {
            let batch = self.batch_of(hash);
            if batch == self.batch {
                self.here.push(hash);
            } else {
                self.save(Side::Inner, batch, hash, 0.0);
            }
        }
        let stayed = self.here.len();
        self.here_rows = stayed as u64;
        self.used_bytes = self.here_rows * self.spec.row_bytes();
        // Rows of one value cannot be told apart by more bits.
        self.grows = stayed > 0 && stayed < all;
    }

    /// The inner side has been read.
    pub(crate) fn end_build(&mut self) {
        self.batches_at_probe = self.batches;
        if self.batches == 1 {
            self.buckets = self.best_buckets;
        }
        self.peak_bytes = self.peak_bytes.max(self.used_bytes + self.buckets * BUCKET_BYTES);
    }

    /// The next batch whose files have to be read becomes the one in memory (`ExecHashJoinNewBatch`); absent after the last.
    pub(crate) fn next_batch(&mut self) -> Option<u32> {
        loop {
            let next = if self.batch == NO_BATCH { 0 } else { self.batch + 1 };
            if u64::from(next) >= self.batches {
                return None;
            }
            self.batch = next;
            (self.here_rows, self.used_bytes) = (0, 0);
            self.here.clear();
            let (inner, outer) = (&self.inner[next as usize], &self.outer[next as usize]);
            let (inner, outer) = (!inner.hashes.is_empty(), !outer.hashes.is_empty());
            let may_move = inner && self.batches != self.planned_batches
                || outer && self.batches != self.batches_at_probe;
            if inner && outer || may_move {
                return Some(next);
            }
        }
    }

    fn file(&mut self, side: Side, batch: u32) -> &mut RowFile {
        match side {
            Side::Inner => &mut self.inner[batch as usize],
            Side::Outer => &mut self.outer[batch as usize],
        }
    }

    pub(crate) fn temp(&mut self, side: Side, batch: u32) -> &mut TempFile {
        &mut self.file(side, batch).temp
    }

    /// A file that has a request's worth of new bytes.
    pub(crate) fn take_filled(&mut self) -> Option<(Side, u32)> {
        self.filled.pop()
    }

    /// The rows of the batch in memory that so many bytes of its file hold, put where they belong now. What the outer ones among
    /// them match.
    pub(crate) fn take_rows(&mut self, side: Side, bytes: u64) -> (u64, f64) {
        let batch = self.batch;
        let tuple_bytes = match side {
            Side::Inner => self.spec.inner_tuple_bytes,
            Side::Outer => self.spec.outer_tuple_bytes,
        };
        let file = self.file(side, batch);
        let hashes = std::mem::take(&mut file.hashes);
        let until = match bytes {
            u64::MAX => hashes.len(),
            _ => hashes.len().min(file.read_rows + (bytes / (HASH_BYTES + tuple_bytes)) as usize),
        };
        let each = if hashes.is_empty() { 0.0 } else { file.matches / hashes.len() as f64 };
        let from = std::mem::replace(&mut file.read_rows, until);
        let mut matches = 0.0;
        for hash in &hashes[from..until] {
            match side {
                Side::Inner => self.insert(*hash),
                Side::Outer => matches += if self.probe(*hash, each) { each } else { 0.0 },
            }
        }
        let rows = (until - from) as u64;
        let file = self.file(side, batch);
        if until < hashes.len() {
            file.hashes = hashes;
        } else {
            file.read_rows = 0;
        }
        (rows, matches)
    }

    /// Inner and outer rows in the files of a batch.
    pub(crate) fn rows_in(&self, batch: u32) -> (usize, usize) {
        (self.inner[batch as usize].hashes.len(), self.outer[batch as usize].hashes.len())
    }

    /// Its files are gone.
    pub(crate) fn drop_files(&mut self, space: &mut TempSpace) {
        self.inner.iter_mut().chain(&mut self.outer).for_each(|file| file.temp.drop_into(space));
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        let files = self.inner.iter().chain(&self.outer);
        let rows: usize = files.map(|file| size_of::<RowFile>() + file.hashes.capacity() * 4).sum();
        (rows + self.here.capacity() * 4) as u64
    }
}

/// The hash of a join value.
#[inline]
pub(crate) fn hash_value(value: u32) -> u32 {
    hash_of(value)
}
