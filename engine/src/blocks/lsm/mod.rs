//! A log-structured merge tree: memtables, sorted files on levels, and the jobs that move data down. It knows neither time nor
//! devices: a job is begun (its result is computed from the inputs, which stay readable) and finished (the result takes their
//! place); the block in between lets its bytes pass through the device.

mod blob;
mod bloom;
mod encoding;
mod file;
mod job;
mod lazy;
mod leveldb;
mod leveled;
mod memtable;
mod merge;
mod policy;
mod pressure;
mod read;
mod runs;
mod sort;
#[cfg(test)]
mod tests;
mod universal;

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::bits::Bits;
use crate::kernel::budget::{Limits, StopCause};
use crate::kernel::snapshot::listed;
use crate::plan::{CompactionKind, LsmFormat, LsmSpec};
use blob::Blobs;
use encoding::Encoding;
use file::{Levels, SstFile};
use job::Claim;
pub(crate) use job::Job;
use memtable::Memtable;
pub(crate) use pressure::Pressure;
pub(crate) use read::Found;

#[derive(Debug)]
pub(crate) struct Lsm {
    spec: LsmSpec,
    encoding: Encoding,
    active: Memtable,
    /// Full memtables, the one flushed next first.
    sealed: VecDeque<Memtable>,
    /// Emptied memtables, used again.
    spare: Vec<Memtable>,
    levels: Levels,
    /// Keys whose newest entry is not a tombstone.
    live: Bits,
    live_keys: u64,
    /// Puts of the active memtable that `live` knows of.
    heard: usize,
    puts: u64,
    next_file: u32,
    next_page: u32,
    /// By level: LevelDB's largest key compacted last.
    pointers: Vec<u32>,
    /// One for each running compaction.
    claims: Vec<Claim>,
    /// Compactions begun.
    compactions: u32,
    blobs: Blobs,
    pressure: Pressure,
    /// Memory to sort in.
    scratch: Vec<u32>,
}

impl Lsm {
    pub(crate) fn memory_for(universe: u32) -> u64 {
        Bits::bytes_for(universe)
    }

    /// An empty tree for ranks below `universe`.
    pub(crate) fn new(spec: LsmSpec, key_bytes: u32, value_bytes: u32, universe: u32) -> Self {
        let format = match spec.compaction {
            CompactionKind::LevelDb => LsmFormat::LevelDb,
            _ => LsmFormat::RocksDb,
        };
        let blobs = Blobs::new(&spec, key_bytes, value_bytes);
        let encoding = Encoding {
            format,
            key_bytes,
            value_bytes,
            stored_bytes: if blobs.are_used() { blob::POINTER_BYTES } else { value_bytes },
            block_bytes: spec.page_size_bytes,
            universe,
        };
        Self {
            encoding,
            active: Memtable::new(&encoding, spec.write_buffer_bytes),
            sealed: VecDeque::new(),
            spare: Vec::new(),
            levels: vec![Vec::new(); spec.levels as usize],
            live: Bits::new(universe),
            live_keys: 0,
            heard: 0,
            puts: 0,
            next_file: 0,
            next_page: 0,
            pointers: vec![0; spec.levels as usize],
            claims: Vec::new(),
            compactions: 0,
            blobs,
            pressure: Pressure::None,
            scratch: Vec::new(),
            spec,
        }
    }

    /// Memtables and the files of each level: level 0 from the newest, the others in key order; keys as of the last time it
    /// caught up.
    pub(crate) fn state(&self) -> Value {
        let memtable = |table: &Memtable| json!({"entries": table.puts(), "bytes": table.arena_bytes()});
        let levels = self.levels.iter().map(|files| {
            let file = |file: &SstFile| {
                json!({
                    "file": file.id,
                    "first_key": file.smallest(),
                    "last_key": file.largest(),
                    "entries": file.ranks.len(),
                    "tombstones": file.deleted.len(),
                    "bytes": file.bytes,
                })
            };
            let mut level = json!({"bytes": file::bytes(files)});
            listed(&mut level, "files", files.len(), files.iter().map(file));
            level
        });
        json!({
            "memtable": memtable(&self.active),
            "full_memtables": self.sealed.iter().map(memtable).collect::<Vec<_>>(),
            "levels": levels.collect::<Vec<_>>(),
            "keys": self.live_keys,
        })
    }

    /// Writes a key, or its tombstone, to the memtable.
    #[inline]
    pub(crate) fn put(&mut self, rank: u32, deleted: bool) {
        self.active.put(self.puts, rank, deleted);
        self.puts += 1;
    }

    /// Works the latest puts into what is known of live keys: many at once, so that one miss of the cache covers another.
    pub(crate) fn catch_up(&mut self) {
        if self.heard == self.active.puts() {
            return;
        }
        for (rank, deleted) in self.active.puts_from(self.heard) {
            let was_live = self.live.replace(rank, !deleted);
            self.live_keys = self.live_keys + u64::from(!deleted) - u64::from(was_live);
        }
        self.heard = self.active.puts();
    }

    /// Puts a full memtable aside, where the number of memtables allows another.
    pub(crate) fn seal_full(&mut self) {
        if self.active.is_full() && self.sealed.len() + 1 < self.spec.max_memtables as usize {
            self.seal();
        }
    }

    fn seal(&mut self) {
        self.catch_up();
        let fresh = self.spare.pop();
        let fresh = fresh.unwrap_or_else(|| Memtable::new(&self.encoding, self.spec.write_buffer_bytes));
        self.sealed.push_back(std::mem::replace(&mut self.active, fresh));
        self.heard = 0;
    }

    /// No memtable has room.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.active.is_full()
    }

    /// Flushes and compacts until there is nothing left to do: how a load before a run ends.
    pub(crate) fn settle(&mut self, limits: Limits<'_>) -> Result<(), StopCause> {
        while let Some(job) = self.begin_flush(limits)? {
            self.finish(job);
        }
        while let Some(job) = self.begin_compaction(limits)? {
            self.finish(job);
        }
        Ok(())
    }

    /// Flushes the memtable, full or not, and settles.
    pub(crate) fn flush_all(&mut self, limits: Limits<'_>) -> Result<(), StopCause> {
        if !self.active.is_empty() {
            self.seal();
        }
        self.settle(limits)
    }

    pub(crate) fn is_live(&mut self, rank: u32) -> bool {
        self.catch_up();
        self.live.get(rank)
    }

    /// As of the last time it caught up.
    pub(crate) fn live_keys(&self) -> u64 {
        self.live_keys
    }

    /// How far behind flushes and compactions are, memtables apart.
    #[inline]
    pub(crate) fn pressure(&self) -> Pressure {
        self.pressure
    }

    /// Bytes of a key with its value, or of a key alone.
    pub(crate) fn entry_bytes(&self, deleted: bool) -> u64 {
        u64::from(self.encoding.key_bytes) + if deleted { 0 } else { u64::from(self.encoding.value_bytes) }
    }

    pub(crate) fn next_live(&mut self, rank: u32) -> Option<u32> {
        self.catch_up();
        (rank < self.encoding.universe).then(|| self.live.next(rank)).flatten()
    }

    pub(crate) fn memtable_bytes(&self) -> u64 {
        self.active.arena_bytes() + self.sealed.iter().map(Memtable::arena_bytes).sum::<u64>()
    }

    /// By level: files and bytes.
    pub(crate) fn level_sizes(&self) -> Vec<(usize, u64)> {
        self.levels.iter().map(|files| (files.len(), file::bytes(files))).collect()
    }

    /// Files of separated values, and bytes of them.
    pub(crate) fn blob_sizes(&self) -> (usize, u64) {
        self.blobs.sizes()
    }

    pub(crate) fn sst_bytes(&self) -> u64 {
        self.levels.iter().map(|files| file::bytes(files)).sum()
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        let tables = std::iter::once(&self.active).chain(&self.sealed).chain(&self.spare);
        let files = self.levels.iter().flatten();
        self.live.memory_bytes()
            + self.scratch.capacity() as u64 * 4
            + tables.map(Memtable::memory_bytes).sum::<u64>()
            + files.map(SstFile::memory_bytes).sum::<u64>()
    }
}
