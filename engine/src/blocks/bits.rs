//! One bit a key: which ranks (or records) are present.

#[derive(Debug, Clone)]
pub(crate) struct Bits {
    words: Vec<u64>,
    len: u32,
}

impl Bits {
    pub(crate) fn bytes_for(len: u32) -> u64 {
        (u64::from(len) / 64 + 1) * 8
    }

    pub(crate) fn new(len: u32) -> Self {
        Self { words: vec![0; len as usize / 64 + 1], len }
    }

    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    pub(crate) fn fill(&mut self, from: u32, to: u32) {
        for position in (from..to.min(from.next_multiple_of(64))).chain(from.max(to & !63)..to) {
            self.set(position);
        }
        for word in from.div_ceil(64)..to / 64 {
            self.words[word as usize] = u64::MAX;
        }
    }

    #[inline]
    pub(crate) fn get(&self, position: u32) -> bool {
        self.words[(position >> 6) as usize] >> (position & 63) & 1 == 1
    }

    #[inline]
    pub(crate) fn set(&mut self, position: u32) {
        self.words[(position >> 6) as usize] |= 1 << (position & 63);
    }

    #[inline]
    pub(crate) fn clear(&mut self, position: u32) {
        self.words[(position >> 6) as usize] &= !(1 << (position & 63));
    }

    /// Sets or clears; tells what was there.
    #[inline]
    pub(crate) fn replace(&mut self, position: u32, value: bool) -> bool {
        let word = &mut self.words[(position >> 6) as usize];
        let was = *word >> (position & 63) & 1 == 1;
        *word = *word & !(1 << (position & 63)) | u64::from(value) << (position & 63);
        was
    }

    /// The first set position at or after `from`.
    #[inline]
    pub(crate) fn next(&self, from: u32) -> Option<u32> {
        let mut index = (from >> 6) as usize;
        let mut word = self.words.get(index)? & (u64::MAX << (from & 63));
        while word == 0 {
            index += 1;
            word = *self.words.get(index)?;
        }
        let position = (index as u32) << 6 | word.trailing_zeros();
        (position < self.len).then_some(position)
    }

    /// Set positions from `from` up to, not including, `to`.
    pub(crate) fn count(&self, from: u32, to: u32) -> u32 {
        let (first, last) = ((from >> 6) as usize, (to >> 6) as usize);
        let (head, tail) = (u64::MAX << (from & 63), !(u64::MAX << (to & 63)));
        if from >= to {
            return 0;
        }
        if first == last {
            return (self.words[first] & head & tail).count_ones();
        }
        (self.words[first] & head).count_ones()
            + self.words[first + 1..last].iter().map(|word| word.count_ones()).sum::<u32>()
            + (self.words[last] & tail).count_ones()
    }

    /// The last set position before `to`.
    pub(crate) fn previous(&self, to: u32) -> Option<u32> {
        let mut index = (to >> 6) as usize;
        let mut word = self.words.get(index)? & !(u64::MAX << (to & 63));
        while word == 0 {
            index = index.checked_sub(1)?;
            word = self.words[index];
        }
        Some((index as u32) << 6 | word.ilog2())
    }

    /// The set position after `skip` others at or after `from`.
    pub(crate) fn select(&self, from: u32, skip: u32) -> Option<u32> {
        let mut index = (from >> 6) as usize;
        let mut word = self.words.get(index)? & (u64::MAX << (from & 63));
        let mut skip = skip;
        while word.count_ones() <= skip {
            skip -= word.count_ones();
            index += 1;
            word = *self.words.get(index)?;
        }
        for _ in 0..skip {
            word &= word - 1;
        }
        Some((index as u32) << 6 | word.trailing_zeros())
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        self.words.len() as u64 * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_a_list(positions in prop::collection::btree_set(0u32..700, 0..300), from in 0u32..700, skip in 0u32..20) {
            let mut bits = Bits::new(700);
            for position in &positions {
                bits.set(*position);
            }
            let after: Vec<u32> = positions.iter().copied().filter(|position| *position >= from).collect();
            prop_assert_eq!(bits.next(from), after.first().copied());
            let before = positions.iter().copied().take_while(|position| *position < from).last();
            prop_assert_eq!(bits.previous(from), before);
            prop_assert_eq!(bits.select(from, skip), after.get(skip as usize).copied());
            let below = positions.iter().filter(|position| (from..from + 9 * skip).contains(*position)).count();
            prop_assert_eq!(bits.count(from, (from + 9 * skip).min(700)), below as u32);
            prop_assert!((0..700).all(|position| bits.get(position) == positions.contains(&position)));
        }

        #[test]
        fn fills_exactly_a_range(from in 0u32..300, length in 0u32..300) {
            let mut bits = Bits::new(700);
            bits.fill(from, from + length);
            prop_assert!((0..700).all(|position| bits.get(position) == (from..from + length).contains(&position)));
        }
    }
}
