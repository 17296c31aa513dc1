//! Values kept apart from their keys, in files of their own, as RocksDB's BlobDB does it (after WiscKey: Lu et al., FAST 2016):
//! a flush writes values of at least `min_blob_bytes` to a blob file and leaves their places in the table file, compactions move
//! keys and places, and a blob file goes when nothing refers to it any more. A compaction writes values again that lie in the
//! oldest blob files, as far as `blob_gc_age_cutoff` of their number reaches.

use crate::plan::LsmSpec;

/// No value: a tombstone.
pub(super) const NONE: u32 = u32::MAX;
/// A value's place in a table file: type, file, offset, size and compression.
pub(super) const POINTER_BYTES: u32 = 12;
/// Header of a value in a blob file (`blob_log_format.h`).
const RECORD_HEADER_BYTES: u64 = 32;
/// Header and footer of a blob file.
const FILE_OVERHEAD_BYTES: u64 = 62;

#[derive(Debug, Clone, Copy)]
pub(super) struct BlobFile {
    id: u32,
    first_page: u32,
    /// Of the values written to it: the first key and the last.
    smallest: u32,
    largest: u32,
    written: u64,
    /// Values that a table file still refers to.
    live: u64,
}

#[derive(Debug)]
pub(super) struct Blobs {
    used: bool,
    record_bytes: u64,
    page_bytes: u64,
    age_cutoff: f64,
    next_id: u32,
    /// The oldest first.
    files: Vec<BlobFile>,
}

impl Blobs {
    pub(super) fn new(spec: &LsmSpec, key_bytes: u32, value_bytes: u32) -> Self {
        Self {
            used: spec.min_blob_bytes.is_some_and(|least| value_bytes >= least.max(1)),
            record_bytes: RECORD_HEADER_BYTES + u64::from(key_bytes) + u64::from(value_bytes),
            page_bytes: u64::from(spec.page_size_bytes),
            age_cutoff: spec.blob_gc_age_cutoff,
            next_id: 0,
            files: Vec::new(),
        }
    }

    pub(super) fn are_used(&self) -> bool {
        self.used
    }

    /// The id of the next file, and bytes of one with so many values.
    pub(super) fn next(&self, values: u64) -> (u32, u64) {
        (self.next_id, FILE_OVERHEAD_BYTES + values * self.record_bytes)
    }

    /// A file that a job writes: known once the job is done.
    pub(super) fn begin(&mut self, first_page: u32, smallest: u32, largest: u32, values: u64) -> BlobFile {
        let id = self.next_id;
        self.next_id += 1;
        BlobFile { id, first_page, smallest, largest, written: values, live: values }
    }

    pub(super) fn pages(&self, bytes: u64) -> u32 {
        bytes.div_ceil(self.page_bytes) as u32
    }

    /// Bytes of values read to be written again.
    pub(super) fn values_bytes(&self, values: u64) -> u64 {
        values * self.record_bytes
    }

    /// Values in files before this one are written again.
    pub(super) fn collected_before(&self) -> u32 {
        let old = (self.age_cutoff * self.files.len() as f64) as usize;
        self.files.get(old).map_or(self.next_id, |file| file.id)
    }

    /// A job is done: its file counts, and nothing refers to the `dropped` values (by file) any more.
    pub(super) fn finish(&mut self, written: Option<BlobFile>, dropped: &[u32]) {
        if let Some(file) = written {
            let place = self.files.partition_point(|other| other.id < file.id);
            self.files.insert(place, file);
        }
        for id in dropped {
            if let Some(file) = self.find(*id) {
                self.files[file].live -= 1;
            }
        }
        if !dropped.is_empty() {
            self.files.retain(|file| file.live > 0);
        }
    }

    fn find(&self, id: u32) -> Option<usize> {
        self.files.binary_search_by_key(&id, |file| file.id).ok()
    }

    /// Adds the pages of the value of a key. Values lie in the order of their keys, which are spread evenly over the file.
    pub(super) fn add_pages(&self, id: u32, rank: u32, pages: &mut Vec<u32>) {
        let Some(file) = self.find(id).map(|file| &self.files[file]) else { return };
        let span = u64::from(file.largest - file.smallest) + 1;
        let place = u64::from(rank.saturating_sub(file.smallest)) * file.written / span;
        let start = place * self.record_bytes;
        let first = (start / self.page_bytes) as u32;
        let last = ((start + self.record_bytes - 1) / self.page_bytes) as u32;
        pages.extend((first..=last).map(|page| file.first_page.wrapping_add(page)));
    }

    /// Files, and bytes of them, garbage included.
    pub(super) fn sizes(&self) -> (usize, u64) {
        let bytes = self.files.iter().map(|file| FILE_OVERHEAD_BYTES + file.written * self.record_bytes);
        (self.files.len(), bytes.sum())
    }

    /// Values that something refers to.
    #[cfg(test)]
    pub(super) fn live_values(&self) -> u64 {
        self.files.iter().map(|file| file.live).sum()
    }
}
