//! Temporary files of joins and sorts: where their bytes go, and the requests that write and read them.
//!
//! A file grows by extents, so that what belongs together lies together, and is written an extent at a time, as an operating
//! system does that collects what is written; what a file has last is written when it is read. Extents that were read are free for
//! other files. A pool holds temporary pages like all others.

use crate::blocks::disk::{IoKind, Purpose};
use crate::kernel::Kernel;
use crate::kernel::Source;
use crate::kernel::step::{Flow, Step};

/// Pages of an extent, which one request writes or reads: 128 KiB of pages of 8 KiB.
pub(crate) const EXTENT_PAGES: u32 = 16;
/// Bytes of a block of a temporary file (PostgreSQL's, whatever the page size).
pub(crate) const BLOCK_BYTES: u64 = 8192;
const EXTENT_BYTES: u64 = BLOCK_BYTES * EXTENT_PAGES as u64;

/// One temporary file.
#[derive(Debug, Clone, Default)]
pub(crate) struct TempFile {
    bytes: u64,
    /// First pages of the extents that were written, and how many were read again.
    extents: Vec<u32>,
    read: usize,
}

/// Pages of a temporary file that one request writes or reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) page: u32,
    pub(crate) pages: u32,
}

impl TempFile {
    /// So many bytes more; whether an extent is full that was not.
    #[inline]
    pub(crate) fn append(&mut self, bytes: u64) -> bool {
        let before = self.bytes / EXTENT_BYTES;
        self.bytes += bytes;
        self.bytes / EXTENT_BYTES > before
    }

    /// Pages of its extent of this number.
    fn pages_of(&self, extent: usize) -> u32 {
        let rest = self.bytes.saturating_sub(extent as u64 * EXTENT_BYTES);
        rest.div_ceil(BLOCK_BYTES).min(u64::from(EXTENT_PAGES)) as u32
    }

    /// What has to be written for all of it to be in the file; `full`: of extents that are full alone.
    pub(crate) fn write(&mut self, full: bool, space: &mut TempSpace) -> Option<Extent> {
        let pages = self.pages_of(self.extents.len());
        if pages == 0 || full && (self.extents.len() as u64 + 1) * EXTENT_BYTES > self.bytes {
            return None;
        }
        let page = space.allocate();
        self.extents.push(page);
        Some(Extent { page, pages })
    }

    /// The next extent to read, which is free for others from then on.
    pub(crate) fn read(&mut self, space: &mut TempSpace) -> Option<Extent> {
        let page = *self.extents.get(self.read)?;
        let pages = self.pages_of(self.read);
        self.read += 1;
        space.free.push(page);
        Some(Extent { page, pages })
    }

    /// First page of the extent written last.
    pub(crate) fn last_page(&self) -> Option<u32> {
        self.extents.last().copied()
    }

    /// Its extents are free for others.
    pub(crate) fn drop_into(&mut self, space: &mut TempSpace) {
        space.free.extend(self.extents.drain(..).skip(self.read));
        (self.bytes, self.read) = (0, 0);
    }
}

/// The pages that temporary files of a block share.
#[derive(Debug, Clone, Default)]
pub(crate) struct TempSpace {
    pub(crate) space: u16,
    next_page: u32,
    free: Vec<u32>,
}

impl TempSpace {
    pub(crate) fn new(space: u16) -> Self {
        Self { space, ..Self::default() }
    }

    fn allocate(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            let page = self.next_page;
            self.next_page = page.saturating_add(EXTENT_PAGES);
            page
        })
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        self.free.capacity() as u64 * 4
    }
}

impl Kernel<'_> {
    /// Writes or reads pages of a temporary file: one request at a device, page by page in a pool.
    pub(crate) fn spill(&mut self, client: u32, space: u16, page: u32, pages: u32, write: bool) -> Flow {
        let Source::Disk(disk) = self.spaces[usize::from(space)].source else {
            let step = |page| match write {
                true => Step::NewPage { space, page },
                false => Step::Page { space, page, write: false },
            };
            let steps = &mut self.clients[client as usize].steps;
            steps.extend((page..page + pages).rev().map(step));
            return Flow::Next;
        };
        if self.cpu_ns > 0 {
            self.push(client, Step::Spill { space, page, pages, write });
            return Flow::Yield;
        }
        self.clients[client as usize].waiting_since_ns = self.now_ns;
        let kind = if write { IoKind::Write } else { IoKind::Read };
        self.submit_pages(disk, kind, Purpose::Direct { client }, space, page, pages);
        Flow::Wait
    }
}
