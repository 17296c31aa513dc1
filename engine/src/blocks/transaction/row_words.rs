//! A word for each row of a table, zero until it is set. Memory is taken in chunks, where a row of a chunk is first touched.

const CHUNK: usize = 1 << 10;

#[derive(Debug, Default)]
pub(crate) struct RowWords {
    chunks: Vec<Option<Box<[u32; CHUNK]>>>,
    taken: u64,
}

impl RowWords {
    #[inline]
    pub(crate) fn get(&self, rank: u32) -> u32 {
        match self.chunks.get(rank as usize / CHUNK) {
            Some(Some(chunk)) => chunk[rank as usize % CHUNK],
            _ => 0,
        }
    }

    #[inline]
    pub(crate) fn slot(&mut self, rank: u32) -> &mut u32 {
        let index = rank as usize / CHUNK;
        if index >= self.chunks.len() {
            self.chunks.resize(index + 1, None);
        }
        let taken = &mut self.taken;
        let chunk = self.chunks[index].get_or_insert_with(|| {
            *taken += 1;
            Box::new([0; CHUNK])
        });
        &mut chunk[rank as usize % CHUNK]
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        self.taken * size_of::<[u32; CHUNK]>() as u64 + self.chunks.capacity() as u64 * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_zero_until_set_and_only_touched_chunks_take_memory() {
        let mut words = RowWords::default();
        assert_eq!(words.get(5_000_000), 0);
        *words.slot(4_000) = 7;
        assert_eq!((words.get(4_000), words.get(4_001), words.get(0)), (7, 0, 0));
        assert!(words.memory_bytes() < 5_000);
    }
}
