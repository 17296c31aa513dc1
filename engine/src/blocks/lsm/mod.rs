//! A log-structured merge tree: memtables, sorted files on levels, and the jobs that move data down. It knows neither time nor
//! devices: a job is begun (its result is computed from the inputs, which stay readable) and finished (the result takes their
//! place); the block in between lets its bytes pass through the device.

mod bloom;
mod encoding;
mod file;
mod leveldb;
mod leveled;
mod memtable;
mod merge;
mod policy;
mod read;
mod sort;
#[cfg(test)]
mod tests;
mod universal;

use std::borrow::Cow;
use std::collections::VecDeque;

use serde_json::{Value, json};

use super::bits::Bits;
use crate::kernel::snapshot::listed;
use crate::plan::{CompactionKind, LsmFormat, LsmSpec};
use encoding::Encoding;
use file::{Levels, SstFile};
use memtable::Memtable;
use merge::Run;
pub(crate) use read::Found;

/// A flush or a compaction: what leaves the levels and what comes.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) flush: bool,
    /// Files change their level without being read or written.
    pub(crate) trivial: bool,
    removed: Vec<u32>,
    outputs: Vec<SstFile>,
    pub(crate) input_level: usize,
    pub(crate) output_level: usize,
    pub(crate) read_bytes: u64,
    pub(crate) write_bytes: u64,
    pub(crate) input_files: usize,
    /// Where its reads and its writes lie on the device.
    pub(crate) read_page: u32,
    pub(crate) write_page: u32,
    /// LevelDB: the largest key of the inputs on the input level.
    pointer: u32,
}

impl Job {
    pub(crate) fn output_files(&self) -> usize {
        self.outputs.len()
    }

    /// Entries its merge writes.
    pub(crate) fn merged_entries(&self) -> u64 {
        if self.trivial { 0 } else { self.outputs.iter().map(|file| file.ranks.len() as u64).sum() }
    }
}

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
    compacting: bool,
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
        let encoding =
            Encoding { format, key_bytes, value_bytes, block_bytes: spec.page_size_bytes, universe };
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
            compacting: false,
            scratch: Vec::new(),
            spec,
        }
    }

    /// Memtables and the files of each level: level 0 from the newest, the others in key order.
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

    /// The flush of the oldest full memtable. It stays readable until the flush is finished.
    pub(crate) fn begin_flush(&mut self) -> Option<Job> {
        let (ranks, deleted) = self.sealed.front_mut()?.take_sorted(&mut self.scratch);
        let (smallest, largest) = (ranks[0], ranks[ranks.len() - 1]);
        let output_level = match self.spec.compaction {
            // What a running compaction is going to write is not on its level yet.
            CompactionKind::LevelDb if !self.compacting => {
                leveldb::flush_level(&self.spec, &self.levels, smallest, largest)
            }
            _ => 0,
        };
        let write_page = self.next_page;
        let file = self.new_file(ranks, deleted, output_level);
        Some(Job {
            flush: true,
            trivial: false,
            removed: Vec::new(),
            input_level: 0,
            output_level,
            read_bytes: 0,
            write_bytes: file.bytes,
            input_files: 0,
            read_page: 0,
            write_page,
            pointer: 0,
            outputs: vec![file],
        })
    }

    fn new_file(&mut self, ranks: Vec<u32>, deleted: Vec<u32>, level: usize) -> SstFile {
        let span = u64::from(ranks[ranks.len() - 1] - ranks[0]) + 1;
        let layout = self.encoding.layout(ranks.len() as u64, deleted.len() as u64, span);
        let deepest = self.levels.iter().rposition(|files| !files.is_empty()).unwrap_or_default().max(level);
        let (bits, size_ratio) = (self.spec.bloom_bits, self.spec.size_ratio);
        let false_positive = bloom::level_false_positive(self.spec.bloom, bits, size_ratio, level, deepest);
        let entries = ranks.len() as u64;
        let file = SstFile {
            id: self.next_file,
            first_page: self.next_page,
            bytes: layout.file_bytes(entries) + bloom::filter_bytes(entries, false_positive),
            ranks,
            deleted,
            layout,
            false_positive,
        };
        self.next_file = self.next_file.wrapping_add(1);
        self.next_page = self.next_page.wrapping_add(layout.blocks(entries));
        file
    }

    /// The compaction the policy wants next.
    pub(crate) fn begin_compaction(&mut self) -> Option<Job> {
        let task = policy::pick(&self.spec, &self.levels, &self.pointers)?;
        self.compacting = true;
        let level = task.inputs[0].0;
        let files: Vec<&SstFile> =
            task.inputs.iter().map(|(level, file)| &self.levels[*level][*file]).collect();
        let pointer = task
            .inputs
            .iter()
            .zip(&files)
            .filter(|((from, _), _)| *from == level)
            .map(|(_, file)| file.largest())
            .max()
            .unwrap_or_default();
        let mut job = Job {
            flush: false,
            trivial: task.trivial,
            removed: files.iter().map(|file| file.id).collect(),
            outputs: Vec::new(),
            input_level: level,
            output_level: task.output_level,
            read_bytes: if task.trivial { 0 } else { files.iter().map(|file| file.bytes).sum() },
            write_bytes: 0,
            input_files: files.len(),
            read_page: files[0].first_page,
            write_page: self.next_page,
            pointer,
        };
        if task.trivial {
            job.outputs = files.into_iter().cloned().collect();
            return Some(job);
        }
        let (smallest, largest) = files
            .iter()
            .fold((u32::MAX, 0), |(low, high), file| (low.min(file.smallest()), high.max(file.largest())));
        // Each file of level 0 is a run of its own; a deeper level's files follow one another.
        let mut runs: Vec<Run<'_>> = Vec::new();
        let mut run_level = None;
        for ((level, _), file) in task.inputs.iter().zip(&files) {
            match runs.last_mut().filter(|_| *level > 0 && run_level == Some(*level)) {
                Some(run) => {
                    run.ranks.to_mut().extend_from_slice(&file.ranks);
                    run.deleted.to_mut().extend_from_slice(&file.deleted);
                }
                None => runs
                    .push(Run { ranks: Cow::Borrowed(&file.ranks), deleted: Cow::Borrowed(&file.deleted) }),
            }
            run_level = Some(*level);
        }
        let (mut ranks, mut deleted) = merge::merge(runs);
        let deeper = self.levels[task.output_level + 1..]
            .iter()
            .any(|files| !file::overlapping(files, smallest, largest).is_empty());
        if !deleted.is_empty() && !deeper && task.output_level > 0 {
            // Nothing older is left for the tombstones to hide.
            merge::without(&mut ranks, &deleted);
            deleted.clear();
        }
        if ranks.is_empty() {
            return Some(job);
        }
        let span = u64::from(ranks[ranks.len() - 1] - ranks[0]) + 1;
        let layout = self.encoding.layout(ranks.len() as u64, deleted.len() as u64, span);
        let above = file::grandparents(&self.levels, task.output_level, smallest, largest);
        let ends = merge::cut(&ranks, &layout, task.cut, above);
        let mut start = 0;
        for end in ends {
            let gone = deleted.partition_point(|rank| *rank < ranks[start]);
            let gone_end = deleted.partition_point(|rank| *rank <= ranks[end - 1]);
            let file = self.new_file(
                ranks[start..end].to_vec(),
                deleted[gone..gone_end].to_vec(),
                task.output_level,
            );
            job.write_bytes += file.bytes;
            job.outputs.push(file);
            start = end;
        }
        Some(job)
    }

    /// The result of a job takes the place of its inputs.
    pub(crate) fn finish(&mut self, job: Job) {
        if job.flush {
            if let Some(mut memtable) = self.sealed.pop_front() {
                memtable.empty();
                self.spare.push(memtable);
            }
        }
        self.compacting &= job.flush;
        let mut place = None;
        for (level, files) in self.levels.iter_mut().enumerate() {
            // A run of level 0 keeps its age among the others.
            place = place.or_else(|| {
                let first = files.iter().position(|file| job.removed.contains(&file.id));
                first.filter(|_| level == 0 && job.output_level == 0)
            });
            if !job.removed.is_empty() {
                files.retain(|file| !job.removed.contains(&file.id));
            }
        }
        let files = &mut self.levels[job.output_level];
        for file in job.outputs {
            let position = match job.output_level {
                0 => place.unwrap_or_default().min(files.len()),
                _ => files.partition_point(|other| other.smallest() < file.smallest()),
            };
            files.insert(position, file);
        }
        if !job.flush && self.spec.compaction == CompactionKind::LevelDb {
            self.pointers[job.input_level] = job.pointer;
        }
    }

    /// Flushes and compacts until there is nothing left to do: how a load before a run ends.
    pub(crate) fn settle(&mut self) {
        while let Some(job) = self.begin_flush() {
            self.finish(job);
        }
        while let Some(job) = self.begin_compaction() {
            self.finish(job);
        }
    }

    /// Flushes the memtable, full or not, and settles.
    pub(crate) fn flush_all(&mut self) {
        if !self.active.is_empty() {
            self.seal();
        }
        self.settle();
    }

    pub(crate) fn is_live(&mut self, rank: u32) -> bool {
        self.catch_up();
        self.live.get(rank)
    }

    /// As of the last time it caught up.
    pub(crate) fn live_keys(&self) -> u64 {
        self.live_keys
    }

    pub(crate) fn level0_files(&self) -> usize {
        self.levels[0].len()
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

    pub(crate) fn sst_bytes(&self) -> u64 {
        self.levels.iter().map(|files| file::bytes(files)).sum()
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        let tables = std::iter::once(&self.active).chain(&self.sealed).chain(&self.spare);
        let files = self.levels.iter().flatten();
        self.live.memory_bytes()
            + self.scratch.capacity() as u64 * 4
            + tables.map(Memtable::memory_bytes).sum::<u64>()
            + files
                .map(|file| (file.ranks.capacity() + file.deleted.capacity()) as u64 * 4 + 100)
                .sum::<u64>()
    }
}
