//! The keys of a table: which rank in key order the n-th arriving record has. The whole key universe is known before a run,
//! so keys are ranks, and structures need one bit a key.

use super::groups::Groups;
use super::permutation::Permutation;
use super::{InsertOrder, Table};
use crate::prng::Stream;

#[derive(Debug, Clone)]
pub(crate) struct KeySpace {
    order: InsertOrder,
    /// Records loaded and records the run may insert.
    universe: u32,
    /// Of all records; of the random ones where the others ascend.
    permutation: Permutation,
    random: RandomRecords,
    groups: Option<Box<Groups>>,
}

impl KeySpace {
    /// `look` is asked now and then whether to go on.
    pub(crate) fn new<E>(
        table: &Table,
        universe: u32,
        seed: u64,
        mut look: impl FnMut() -> Result<(), E>,
    ) -> Result<Self, E> {
        let stream = Stream::new(seed, &format!("keys of {}", table.name));
        let groups = match table.insert_order {
            InsertOrder::Grouped { groups, run } => {
                let all = Groups::new((groups, run), table.record_count, universe, stream, &mut look)?;
                Some(Box::new(all))
            }
            _ => None,
        };
        let random = match table.insert_order {
            InsertOrder::Mixed { random_fraction } => {
                RandomRecords::new(universe, random_fraction, Stream::new(seed, "random keys"), look)?
            }
            _ => RandomRecords::default(),
        };
        let permuted = match table.insert_order {
            InsertOrder::Mixed { .. } => random.count.max(1),
            _ => universe,
        };
        let permutation = Permutation::new(u64::from(permuted), stream);
        Ok(Self { order: table.insert_order, universe, permutation, random, groups })
    }

    pub(crate) fn universe(&self) -> u32 {
        self.universe
    }

    pub(crate) fn order(&self) -> InsertOrder {
        self.order
    }

    /// Groups of rows; 1 where rows fall into none.
    pub(crate) fn groups(&self) -> u64 {
        self.groups.as_ref().map_or(1, |groups| groups.groups())
    }

    /// The group of a record, and how many there are.
    pub(crate) fn group_of(&self, record: u32) -> (u64, u64) {
        self.groups.as_ref().map_or((0, 1), |groups| (groups.place_of(record).0, groups.groups()))
    }

    /// Rows of a group once as many of the table have arrived.
    pub(crate) fn rows_of(&self, group: u64, arrived: u64) -> u64 {
        self.groups.as_ref().map_or(arrived, |groups| groups.rows(group, arrived))
    }

    /// The record at a place of a group, in order of arrival.
    pub(crate) fn record_at(&self, group: u64, place: u64) -> u64 {
        self.groups.as_ref().map_or(place, |groups| groups.record(group, place))
    }

    /// Rank in key order of a record (a number in order of arrival, below the universe).
    #[inline]
    pub(crate) fn rank_of(&self, record: u32) -> u32 {
        match self.order {
            InsertOrder::Hashed => self.permutation.forward(u64::from(record)) as u32,
            InsertOrder::Ascending => record,
            InsertOrder::Descending => self.universe - 1 - record,
            InsertOrder::Interleaved { streams } => {
                let (stream, place) = (record % streams, record / streams);
                let (each, longer) = (self.universe / streams, self.universe % streams);
                stream * each + stream.min(longer) + place
            }
            InsertOrder::Grouped { .. } => {
                self.groups.as_ref().map_or(record, |groups| groups.rank_of(record))
            }
            InsertOrder::Mixed { .. } => {
                let before = self.random.before(record);
                if self.random.contains(record) {
                    self.permutation.forward(u64::from(before)) as u32
                } else {
                    self.random.count + record - before
                }
            }
        }
    }

    /// The record of a rank.
    #[inline]
    pub(crate) fn record_of(&self, rank: u32) -> u32 {
        match self.order {
            InsertOrder::Hashed => self.permutation.backward(u64::from(rank)) as u32,
            InsertOrder::Ascending => rank,
            InsertOrder::Descending => self.universe - 1 - rank,
            InsertOrder::Interleaved { streams } => {
                let (each, longer) = (self.universe / streams, self.universe % streams);
                let (stream, place) = match rank.checked_sub(longer * (each + 1)) {
                    None => (rank / (each + 1), rank % (each + 1)),
                    Some(rest) => (longer + rest / each, rest % each),
                };
                place * streams + stream
            }
            InsertOrder::Grouped { .. } => self.groups.as_ref().map_or(rank, |groups| groups.record_of(rank)),
            InsertOrder::Mixed { .. } => match rank.checked_sub(self.random.count) {
                None => self.random.select(true, self.permutation.backward(u64::from(rank)) as u32),
                Some(place) => self.random.select(false, place),
            },
        }
    }

    /// Bytes of what is stored of an order of arrival.
    pub(crate) fn memory_for(table: &Table, universe: u32) -> u64 {
        match table.insert_order {
            InsertOrder::Mixed { .. } => u64::from(universe).div_ceil(64) * 12,
            InsertOrder::Grouped { groups, .. } => Groups::memory_for(groups, universe),
            _ => 0,
        }
    }
}

/// Records drawn between two looks at whether to go on.
const RECORDS_BETWEEN_LOOKS: u32 = 1 << 16;

/// Which records have random keys, one bit a record, with counts to find the n-th.
#[derive(Debug, Clone, Default)]
struct RandomRecords {
    words: Vec<u64>,
    /// By word: random records before it.
    before: Vec<u32>,
    count: u32,
}

impl RandomRecords {
    fn new<E>(
        universe: u32,
        fraction: f64,
        stream: Stream,
        mut look: impl FnMut() -> Result<(), E>,
    ) -> Result<Self, E> {
        let words = universe.div_ceil(64) as usize;
        let mut random =
            Self { words: Vec::with_capacity(words), before: Vec::with_capacity(words), count: 0 };
        for first in (0..universe).step_by(64) {
            if first % RECORDS_BETWEEN_LOOKS == 0 {
                look()?;
            }
            let records = (universe - first).min(64);
            let drawn = (0..records)
                .filter(|bit| stream.at(u64::from(first + bit)).unit() < fraction)
                .fold(0u64, |word, bit| word | 1 << bit);
            random.before.push(random.count);
            random.words.push(drawn);
            random.count += drawn.count_ones();
        }
        Ok(random)
    }

    fn contains(&self, record: u32) -> bool {
        self.words[(record >> 6) as usize] >> (record & 63) & 1 == 1
    }

    /// Random records before this one.
    fn before(&self, record: u32) -> u32 {
        let word = (record >> 6) as usize;
        self.before[word] + (self.words[word] & ((1 << (record & 63)) - 1)).count_ones()
    }

    /// The record with `skip` of its sort, random or not, before it.
    fn select(&self, random: bool, skip: u32) -> u32 {
        let before = |word: usize| match random {
            true => self.before[word],
            false => word as u32 * 64 - self.before[word],
        };
        let (mut low, mut high) = (0, self.words.len());
        while high - low > 1 {
            let middle = (low + high) / 2;
            if before(middle) <= skip { low = middle } else { high = middle }
        }
        let mut word = if random { self.words[low] } else { !self.words[low] };
        for _ in before(low)..skip {
            word &= word - 1;
        }
        low as u32 * 64 + word.trailing_zeros()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(insert_order: InsertOrder, universe: u32) -> KeySpace {
        let table =
            Table { name: "t".to_owned(), record_count: 0, record_bytes: 1, key_bytes: 8, insert_order };
        let Ok(keys) = KeySpace::new(&table, universe, 7, || Ok::<(), std::convert::Infallible>(()));
        keys
    }

    #[test]
    fn every_order_is_a_permutation_that_turns_back() {
        for universe in [1u32, 2, 15, 16, 17, 64, 1_000] {
            for order in [
                InsertOrder::Hashed,
                InsertOrder::Ascending,
                InsertOrder::Descending,
                InsertOrder::Interleaved { streams: 16 },
                InsertOrder::Mixed { random_fraction: 0.0 },
                InsertOrder::Mixed { random_fraction: 0.3 },
                InsertOrder::Mixed { random_fraction: 1.0 },
            ] {
                let keys = keys(order, universe);
                let mut seen = vec![false; universe as usize];
                for record in 0..universe {
                    let rank = keys.rank_of(record);
                    assert!(!std::mem::replace(&mut seen[rank as usize], true), "{order:?} {record}");
                    assert_eq!(keys.record_of(rank), record, "{order:?}");
                }
            }
        }
    }

    #[test]
    fn streams_ascend_in_turn() {
        let keys = keys(InsertOrder::Interleaved { streams: 3 }, 8);
        let ranks: Vec<u32> = (0..8).map(|record| keys.rank_of(record)).collect();
        assert_eq!(ranks, [0, 3, 6, 1, 4, 7, 2, 5]);
    }

    #[test]
    fn mixed_keys_ascend_above_the_random_ones() {
        let keys = keys(InsertOrder::Mixed { random_fraction: 0.25 }, 100_000);
        let ranks: Vec<u32> = (0..100_000).map(|record| keys.rank_of(record)).collect();
        let above: Vec<u32> = ranks.iter().copied().filter(|rank| *rank >= keys.random.count).collect();
        assert!((24_000..26_000).contains(&keys.random.count));
        assert!(above.windows(2).all(|pair| pair[0] + 1 == pair[1]));
    }
}
