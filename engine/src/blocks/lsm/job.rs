//! Flushes and compactions: begun (the result is computed from the inputs, which stay readable) and finished (the result takes
//! their place).

use std::borrow::Cow;

use super::blob::{self, BlobFile};
use super::file::{self, SstFile};
use super::merge::{self, Run};
use super::{Lsm, Pressure, bloom, leveldb, policy};
use crate::kernel::budget::{Limits, StopCause};
use crate::plan::CompactionKind;

/// The keys of a level that a running compaction is going to write.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim {
    job: u32,
    level: usize,
    smallest: u32,
    largest: u32,
}

impl Claim {
    pub(super) fn overlaps(&self, level: usize, smallest: u32, largest: u32) -> bool {
        self.level == level && self.smallest <= largest && smallest <= self.largest
    }
}

/// A flush or a compaction: what leaves the levels and what comes.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) flush: bool,
    /// Of a compaction.
    number: u32,
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
    /// Separated values it writes, and by value the blob file of those nothing refers to afterwards.
    blobs: Option<BlobFile>,
    dropped: Vec<u32>,
}

impl Job {
    pub(crate) fn output_files(&self) -> usize {
        self.outputs.len()
    }

    /// Bytes of the files it is going to leave.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.outputs.iter().map(SstFile::memory_bytes).sum::<u64>() + self.dropped.capacity() as u64 * 4
    }

    /// Entries its merge writes.
    pub(crate) fn merged_entries(&self) -> u64 {
        if self.trivial { 0 } else { self.outputs.iter().map(|file| file.ranks.len() as u64).sum() }
    }
}

/// Most times a merge holds its inputs beside the files they lie in: a level's files as one run, and what two runs become.
const MERGE_COPIES: u64 = 3;

/// The entries of an output file.
struct Entries {
    ranks: Vec<u32>,
    deleted: Vec<u32>,
    /// By rank; empty where values are inline.
    blobs: Vec<u32>,
}

impl Lsm {
    /// The flush of the oldest full memtable, if there is one. It stays readable until the flush is finished.
    ///
    /// # Errors
    /// Why the run has to end; the tree is then of no use any more.
    pub(crate) fn begin_flush(&mut self, limits: Limits<'_>) -> Result<Option<Job>, StopCause> {
        let held_bytes = self.memory_bytes();
        let Some(memtable) = self.sealed.front_mut() else { return Ok(None) };
        limits.verify(held_bytes + memtable.sorting_bytes())?;
        let (ranks, deleted) = memtable.take_sorted(&mut self.scratch, limits)?;
        let (smallest, largest) = (ranks[0], ranks[ranks.len() - 1]);
        let output_level = match self.spec.compaction {
            // What a running compaction is going to write is not on its level yet.
            CompactionKind::LevelDb if self.claims.is_empty() => {
                leveldb::flush_level(&self.spec, &self.levels, smallest, largest)
            }
            _ => 0,
        };
        let write_page = self.next_page;
        let mut blobs = Vec::new();
        if self.blobs.are_used() {
            let (id, _) = self.blobs.next(0);
            let gone = |rank: &u32| deleted.binary_search(rank).is_ok();
            blobs.extend(ranks.iter().map(|rank| if gone(rank) { blob::NONE } else { id }));
        }
        let values = (ranks.len() - deleted.len()) as u64;
        let written = (!blobs.is_empty() && values > 0).then(|| self.write_blobs(smallest, largest, values));
        let mut file = self.new_file(Entries { ranks, deleted, blobs }, output_level);
        file.flushed = true;
        Ok(Some(Job {
            flush: true,
            number: 0,
            trivial: false,
            removed: Vec::new(),
            input_level: 0,
            output_level,
            read_bytes: 0,
            write_bytes: file.bytes + written.map_or(0, |(_, bytes)| bytes),
            input_files: 0,
            read_page: 0,
            write_page,
            pointer: 0,
            outputs: vec![file],
            blobs: written.map(|(file, _)| file),
            dropped: Vec::new(),
        }))
    }

    fn write_blobs(&mut self, smallest: u32, largest: u32, values: u64) -> (BlobFile, u64) {
        let (_, bytes) = self.blobs.next(values);
        let file = self.blobs.begin(self.next_page, smallest, largest, values);
        self.next_page = self.next_page.wrapping_add(self.blobs.pages(bytes));
        (file, bytes)
    }

    fn new_file(&mut self, entries: Entries, level: usize) -> SstFile {
        let Entries { ranks, deleted, blobs } = entries;
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
            blobs,
            busy: false,
            flushed: false,
            layout,
            false_positive,
        };
        self.next_file = self.next_file.wrapping_add(1);
        self.next_page = self.next_page.wrapping_add(layout.blocks(entries));
        file
    }

    /// The compaction the policy wants next, if any, beside those that are running.
    ///
    /// # Errors
    /// Why the run has to end; the tree is then of no use any more.
    pub(crate) fn begin_compaction(&mut self, limits: Limits<'_>) -> Result<Option<Job>, StopCause> {
        if self.claims.len() >= self.spec.max_compactions() {
            return Ok(None);
        }
        let Some(task) = policy::pick(&self.spec, &self.levels, &self.pointers, &self.claims) else {
            return Ok(None);
        };
        let inputs = task.inputs.iter().map(|(level, file)| &self.levels[*level][*file]);
        let input_bytes: u64 = inputs.map(SstFile::memory_bytes).sum();
        limits.verify(self.memory_bytes() + MERGE_COPIES * input_bytes)?;
        let number = self.compactions;
        self.compactions = self.compactions.wrapping_add(1);
        let (smallest, largest) = policy::range_of(&self.levels, &task.inputs);
        self.claims.push(Claim { job: number, level: task.output_level, smallest, largest });
        for (level, file) in &task.inputs {
            self.levels[*level][*file].busy = true;
        }
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
            number,
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
            blobs: None,
            dropped: Vec::new(),
        };
        if task.trivial {
            job.outputs = files.into_iter().map(|file| SstFile { busy: false, ..file.clone() }).collect();
            return Ok(Some(job));
        }
        // Each file of level 0 is a run of its own; a deeper level's files follow one another.
        let mut runs: Vec<Run<'_>> = Vec::new();
        let mut run_level = None;
        for ((level, _), file) in task.inputs.iter().zip(&files) {
            match runs.last_mut().filter(|_| *level > 0 && run_level == Some(*level)) {
                Some(run) => {
                    merge::append(run.ranks.to_mut(), &file.ranks, limits)?;
                    merge::append(run.deleted.to_mut(), &file.deleted, limits)?;
                    merge::append(run.blobs.to_mut(), &file.blobs, limits)?;
                }
                None => runs.push(Run {
                    ranks: Cow::Borrowed(&file.ranks),
                    deleted: Cow::Borrowed(&file.deleted),
                    blobs: Cow::Borrowed(&file.blobs),
                }),
            }
            run_level = Some(*level);
        }
        let (mut ranks, mut deleted) = merge::merge(&runs, limits)?;
        let mut blobs = merge::newest_blobs(&runs, &ranks, &mut job.dropped, limits)?;
        drop(runs);
        let deeper = self.levels[task.output_level + 1..]
            .iter()
            .any(|files| !file::overlapping(files, smallest, largest).is_empty());
        if !deleted.is_empty() && !deeper && task.output_level > 0 {
            // Nothing older is left for the tombstones to hide.
            merge::without(&mut ranks, &deleted, limits)?;
            blobs.retain(|blob| *blob != blob::NONE);
            deleted.clear();
        }
        if ranks.is_empty() {
            return Ok(Some(job));
        }
        if !blobs.is_empty() {
            self.collect_blobs(&ranks, &mut blobs, &mut job);
        }
        let span = u64::from(ranks[ranks.len() - 1] - ranks[0]) + 1;
        let layout = self.encoding.layout(ranks.len() as u64, deleted.len() as u64, span);
        let above = file::grandparents(&self.levels, task.output_level, smallest, largest);
        let ends = merge::cut(&ranks, &layout, task.cut, above);
        let mut start = 0;
        for end in ends {
            let gone = deleted.partition_point(|rank| *rank < ranks[start]);
            let gone_end = deleted.partition_point(|rank| *rank <= ranks[end - 1]);
            let entries = Entries {
                ranks: merge::copied(&ranks[start..end], limits)?,
                deleted: merge::copied(&deleted[gone..gone_end], limits)?,
                blobs: merge::copied(blobs.get(start..end).unwrap_or_default(), limits)?,
            };
            let file = self.new_file(entries, task.output_level);
            job.write_bytes += file.bytes;
            job.outputs.push(file);
            start = end;
        }
        Ok(Some(job))
    }

    /// Values in the oldest blob files are read and written again.
    fn collect_blobs(&mut self, ranks: &[u32], blobs: &mut [u32], job: &mut Job) {
        let before = self.blobs.collected_before();
        let old = |blob: u32| blob != blob::NONE && blob < before;
        let values = blobs.iter().filter(|blob| old(**blob)).count() as u64;
        if values == 0 {
            return;
        }
        let (id, _) = self.blobs.next(values);
        for blob in blobs.iter_mut().filter(|blob| old(**blob)) {
            job.dropped.push(std::mem::replace(blob, id));
        }
        let (file, bytes) = self.write_blobs(ranks[0], ranks[ranks.len() - 1], values);
        job.blobs = Some(file);
        job.read_bytes += self.blobs.values_bytes(values);
        job.write_bytes += bytes;
    }

    /// The result of a job takes the place of its inputs.
    pub(crate) fn finish(&mut self, job: Job) {
        if job.flush {
            if let Some(mut memtable) = self.sealed.pop_front() {
                memtable.empty();
                self.spare.push(memtable);
            }
        }
        self.claims.retain(|claim| job.flush || claim.job != job.number);
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
        self.blobs.finish(job.blobs, &job.dropped);
        self.pressure = Pressure::of(&self.spec, &self.levels);
    }
}
