//! Where the rows of a heap lie: arithmetic for rows that arrived in order, an explicit page for the few that did not.

const CHUNK: usize = 1024;

/// From record numbers to pages. Memory is taken in chunks, on the first row of a chunk that is not where arithmetic says.
#[derive(Debug, Clone)]
pub(crate) struct RowMap {
    rows_per_page: u32,
    chunks: Vec<Option<Box<[u32; CHUNK]>>>,
    explicit_chunks: u64,
}

impl RowMap {
    pub(crate) fn new(rows_per_page: u32) -> Self {
        Self { rows_per_page, chunks: Vec::new(), explicit_chunks: 0 }
    }

    #[inline]
    pub(crate) fn page_of(&self, record: u32) -> u32 {
        match self.chunks.get(record as usize / CHUNK) {
            Some(Some(chunk)) => chunk[record as usize % CHUNK],
            _ => record / self.rows_per_page,
        }
    }

    pub(crate) fn set(&mut self, record: u32, page: u32) {
        if self.page_of(record) == page {
            return;
        }
        let index = record as usize / CHUNK;
        if index >= self.chunks.len() {
            self.chunks.resize(index + 1, None);
        }
        let rows_per_page = self.rows_per_page;
        let chunk = self.chunks[index].get_or_insert_with(|| {
            self.explicit_chunks += 1;
            let first = (index * CHUNK) as u32;
            Box::new(std::array::from_fn(|offset| first.saturating_add(offset as u32) / rows_per_page))
        });
        chunk[record as usize % CHUNK] = page;
    }

    /// Records that are not where arithmetic says, with their pages.
    pub(crate) fn moved(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let explicit =
            self.chunks.iter().enumerate().filter_map(|(index, chunk)| Some((index, chunk.as_ref()?)));
        explicit.flat_map(|(index, chunk)| {
            let first = (index * CHUNK) as u32;
            let records = chunk.iter().enumerate().map(move |(offset, page)| (first + offset as u32, *page));
            records.filter(|(record, page)| *page != record / self.rows_per_page)
        })
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        self.chunks.capacity() as u64 * 8 + self.explicit_chunks * CHUNK as u64 * 4
    }
}
