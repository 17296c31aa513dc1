//! The visibility map: a page of it says of thousands of heap pages whether everyone sees all of their rows. Loaded pages are all
//! visible, as after a vacuum; a change of a row takes that back.

/// Bits of a heap page in the map (PostgreSQL: all visible, all frozen).
const BITS_A_PAGE: u32 = 2;
const PAGE_HEADER_BYTES: u32 = 24;

#[derive(Debug)]
pub(crate) struct VisibilityMap {
    pub(crate) space: u16,
    /// Heap pages a page of the map stands for.
    pages_of_a_page: u32,
    /// One bit a heap page that was loaded.
    visible: Vec<u64>,
}

impl VisibilityMap {
    pub(crate) fn new(space: u16, page_size_bytes: u32, loaded_pages: u32) -> Self {
        let mut visible = vec![u64::MAX; loaded_pages.div_ceil(64) as usize];
        if let (Some(last), rest @ 1..) = (visible.last_mut(), loaded_pages % 64) {
            *last = (1 << rest) - 1;
        }
        let pages_of_a_page = (page_size_bytes - PAGE_HEADER_BYTES) * 8 / BITS_A_PAGE;
        Self { space, pages_of_a_page, visible }
    }

    /// Pages of the map.
    pub(crate) fn pages(&self) -> u32 {
        (self.visible.len() as u32 * 64).div_ceil(self.pages_of_a_page).max(1)
    }

    /// The page of the map that stands for a heap page.
    pub(crate) fn page_for(&self, heap_page: u32) -> u32 {
        heap_page / self.pages_of_a_page
    }

    pub(crate) fn is_visible(&self, heap_page: u32) -> bool {
        let word = self.visible.get((heap_page / 64) as usize);
        word.is_some_and(|word| word >> (heap_page % 64) & 1 == 1)
    }

    /// A row of a page changes; whether that changes the map.
    pub(crate) fn clear(&mut self, heap_page: u32) -> bool {
        let was_visible = self.is_visible(heap_page);
        if was_visible {
            self.visible[(heap_page / 64) as usize] &= !(1 << (heap_page % 64));
        }
        was_visible
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        self.visible.capacity() as u64 * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loaded_pages_are_visible_until_they_change() {
        let mut map = VisibilityMap::new(0, 8192, 100);
        assert!((0..100).all(|page| map.is_visible(page)) && !map.is_visible(100));
        assert!(map.clear(70) && !map.clear(70) && !map.clear(1_000));
        assert!(!map.is_visible(70) && map.is_visible(69) && map.is_visible(71));
        assert_eq!((map.page_for(32_671), map.page_for(32_672), map.pages()), (0, 1, 1));
    }
}
