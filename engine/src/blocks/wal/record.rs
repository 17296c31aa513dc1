//! Bytes of log records.
//!
//! PostgreSQL's (`xlogrecord.h`, `xloginsert.c` of version 15): a header of 24 bytes; for each page 4 bytes of header, then 12 of
//! relation unless it is that of the page before, then 4 of block number, then the data that redoes the change; 2 bytes of
//! header (5 from 256 bytes on) and the fixed part of the change. A full-page image replaces the page's data: 5 bytes of header
//! and the page without the hole in its middle.

/// Most pages a record changes.
const MAX_PAGES: usize = 4;

/// A page that a record changes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PageRef {
    pub(crate) space: u16,
    pub(crate) page: u32,
    /// What redoes the change.
    pub(crate) data_bytes: u32,
    /// What a full-page image of the page would hold.
    pub(crate) image_bytes: u32,
    /// The record makes the page anew: no image is needed to redo it.
    pub(crate) new: bool,
}

/// A change as PostgreSQL logs it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record {
    /// The fixed part of its kind.
    main_bytes: u32,
    pages: [PageRef; MAX_PAGES],
    count: usize,
}

impl Record {
    pub(crate) fn new(main_bytes: u32) -> Self {
        Self { main_bytes, pages: [PageRef::default(); MAX_PAGES], count: 0 }
    }

    /// With one page more.
    pub(crate) fn page(mut self, page: PageRef) -> Self {
        self.pages[self.count] = page;
        self.count += 1;
        self
    }

    pub(crate) fn pages(&self) -> &[PageRef] {
        &self.pages[..self.count]
    }

    /// Its bytes; `imaged` has a bit for each page that comes with its image.
    pub(crate) fn postgres_bytes(&self, imaged: u32) -> u64 {
        let pages = self.pages().iter().enumerate().map(|(index, page)| {
            let relation = if index == 0 { 12 } else { 0 };
            let content = if imaged >> index & 1 == 1 { 5 + page.image_bytes } else { page.data_bytes };
            u64::from(4 + relation + 4 + content)
        });
        let main_header = if self.main_bytes < 256 { 2 } else { 5 };
        24 + pages.sum::<u64>() + main_header + u64::from(self.main_bytes)
    }

    /// Bytes of the images alone.
    pub(crate) fn image_bytes(&self, imaged: u32) -> u64 {
        let pages = self.pages().iter().enumerate();
        pages.filter(|(index, _)| imaged >> index & 1 == 1).map(|(_, page)| u64::from(page.image_bytes)).sum()
    }
}

/// A transaction's end: the time it ended, 8 bytes.
pub(crate) const COMMIT_BYTES: u64 = 34;

#[cfg(test)]
mod tests {
    use super::*;

    /// Lengths that `pg_waldump` tells on PostgreSQL 15 for a table of (bigint, int, 100 bytes of text) and an index on bigint.
    #[test]
    fn records_are_as_long_as_postgres_writes_them() {
        let page = |data_bytes| PageRef { data_bytes, image_bytes: 7400, ..PageRef::default() };
        // heap: update within a page (prefix and suffix left out), to another page, lock, delete, insert, prune of one row.
        assert_eq!(Record::new(14).page(page(11)).postgres_bytes(0), 71);
        assert_eq!(Record::new(14).page(page(5 + 114)).page(page(0)).postgres_bytes(0), 187);
        assert_eq!(Record::new(8).page(page(0)).postgres_bytes(0), 54);
        assert_eq!(Record::new(3).page(page(5 + 114)).postgres_bytes(0), 168);
        assert_eq!(Record::new(8).page(page(2)).postgres_bytes(0), 56);
        // index: insert into a leaf, with and without the image of the page, and into the page above a split.
        assert_eq!(Record::new(2).page(page(16)).postgres_bytes(0), 64);
        assert_eq!(Record::new(2).page(page(16)).postgres_bytes(1), 7453);
        assert_eq!(Record::new(2).page(page(16)).page(page(0)).postgres_bytes(0), 72);
        assert_eq!(Record::new(2).page(page(16)).image_bytes(1), 7400);
    }
}
